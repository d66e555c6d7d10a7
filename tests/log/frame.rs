//! Frames: what is written can be read, and every alteration is an error.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use crate::{frames, records};
use frames::{encode, encoder, join, restamp, single, small};
use proptest::collection::vec;
use proptest::prelude::*;
use records::{dictionary, number, record};
use rollbook::domain::entry::*;
use rollbook::domain::names::Names;
use rollbook::limits::VALUE_BYTES_WRITTEN;
use rollbook::log::Record;
use rollbook::log::engine::Journal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::frame::{self, Channels, Check, Encoder, FrameError, FramePosition, Packing};
use rollbook::log::salts::Salts;
use rollbook::{Options, Store};
use std::sync::Arc;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_is_read(mut written in vec(record(), 1..12), zstd: bool, seq in 1u64..1 << 40) {
        number(&mut written, seq);
        let mut names = dictionary();
        let place = FramePosition { first_seq: seq, ..FramePosition::FIRST };
        let packing = if zstd { Packing::Zstd } else { Packing::Plain };
        let frame = encoder(packing).encode(place, &written, &names).unwrap();
        prop_assert_eq!(&frame::header(&frame.values[0]).unwrap(), &frame.header);
        let read = frame::decode(&frame.values, &mut names, Check::Chain).unwrap();
        prop_assert_eq!(&read.header, &frame.header);
        prop_assert_eq!(&read.records, &written);
        // A dictionary with other numbers must give the same bytes.
        let mut other = Names::new();
        (0..5).for_each(|i| { other.intern(&format!("other {i}")); });
        other.intern("name-4");
        let read = frame::decode(&frame.values, &mut other, Check::Form).unwrap();
        let again = encoder(packing).encode(place, &read.records, &other).unwrap();
        prop_assert_eq!(again, frame);
    }

    #[test]
    fn altered_bodies_with_right_checksums_never_panic(
        mut written in vec(record(), 1..6),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        check: bool,
    ) {
        number(&mut written, 1);
        let mut names = dictionary();
        let mut value = encode(&written, &names).values.remove(0);
        for (at, byte) in damage {
            let at = 36 + at.index(value.len() - 36);
            value[at] = byte;
        }
        restamp(&mut value);
        let check = if check { Check::Chain } else { Check::Form };
        let _ = frame::header(&value);
        let _ = frame::decode(&[&value], &mut names, check);
    }

    #[test]
    fn any_bytes_are_read_without_panic(mut bytes in vec(any::<u8>(), 0..300)) {
        let _ = frame::value(&bytes);
        // With a header that lets the body reach the codec.
        let mut names = Names::new();
        let written = small(&mut names);
        let mut value = encode(&written, &names).values.remove(0);
        let header_end = 40 + u32::from_le_bytes(value[36..40].try_into().unwrap()) as usize;
        value.truncate(header_end);
        value.append(&mut bytes);
        let length = (value.len() - 36) as u32;
        value[24..28].copy_from_slice(&length.to_le_bytes());
        restamp(&mut value);
        prop_assert!(frame::decode(&[&value], &mut Names::new(), Check::Form).is_err());
    }
}

#[test]
fn every_cut_and_every_bit_is_detected() {
    let mut names = Names::new();
    let written = small(&mut names);
    let value = encode(&written, &names).values.remove(0);
    for cut in 0..value.len() {
        assert!(frame::header(&value[..cut]).is_err());
        assert!(frame::decode(&[&value[..cut]], &mut names, Check::Form).is_err());
    }
    for bit in 0..value.len() * 8 {
        let mut flipped = value.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(frame::header(&flipped).is_err(), "bit {bit}");
        assert!(frame::decode(&[&flipped], &mut names, Check::Form).is_err());
    }
    let mut longer = value.clone();
    longer.push(0);
    assert!(frame::value(&longer).is_err());
}

#[test]
fn parts_are_all_there_or_it_does_not_count() {
    let mut names = Names::new();
    let mut entries = Vec::new();
    for seq in 1..=40_000 {
        let mut entry = join(
            &mut names,
            seq,
            &format!("user-{}", seq * 7_919 % 1_000_003),
        );
        entry.id = Some(Arc::from(blake3::hash(&seq.to_le_bytes()).to_string()));
        entries.push(entry);
    }
    let written = vec![Record::Commit {
        rules: Rules::default(),
        entries,
    }];
    let frame = encoder(Packing::Zstd)
        .encode(FramePosition::FIRST, &written, &names)
        .unwrap();
    let total: usize = frame.values.iter().map(Vec::len).sum();
    assert!(total > 2 << 20, "{total}");
    assert!(frame.values.iter().all(|v| v.len() <= VALUE_BYTES_WRITTEN));
    assert_eq!(frame.header.parts as usize, frame.values.len());
    let read = frame::decode(&frame.values, &mut names, Check::Chain).unwrap();
    assert!(read.records == written);

    for missing in 0..frame.values.len() {
        let mut parts = frame.values.clone();
        parts.remove(missing);
        assert!(frame::decode(&parts, &mut names, Check::Form).is_err());
    }
    let mut swapped = frame.values.clone();
    swapped.swap(3, 4);
    assert!(frame::decode(&swapped, &mut names, Check::Form).is_err());
    // A part of another frame with the same number.
    let other = Encoder::new(Salts::from_seed([1; 32]), Packing::Zstd)
        .encode(FramePosition::FIRST, &written, &names)
        .unwrap();
    let mut mixed = frame.values.clone();
    mixed[5] = other.values[5].clone();
    assert!(frame::decode(&mixed, &mut names, Check::Form).is_err());
    assert!(matches!(
        frame::header(&frame.values[1]),
        Err(FrameError::Part { frame: 1, part: 0 })
    ));
}

#[test]
fn the_header_says_what_the_records_say() {
    let mut names = Names::new();
    let written = small(&mut names);
    let header = encode(&written, &names).header;
    assert_eq!(
        (header.entries, header.commits, header.pages),
        (3, 2, 1),
        "{header:?}"
    );
    assert_eq!((header.rejects, header.progress), (1, 1));
    assert_eq!(header.first_seq, 1);
    assert_eq!(header.effective_at, (1_700_000_000_040, 1_700_000_000_120));
    assert_eq!(header.recorded_at, (1_700_000_000_130, 1_700_000_000_210));
    assert_eq!(header.reaches_back_to, 1_600_000_000_000);
    assert!(header.unscoped);
    let mut hashes = ["channel", "other"].map(frame::channel_hash);
    hashes.sort_unstable();
    assert_eq!(header.channels, Channels::These(hashes.to_vec()));

    // A window without a lower bound begins at the beginning of time.
    let mut open = join(&mut names, 1, "anna");
    if let Payload::Change(change) = &mut open.payload {
        change.origin = Origin::Inferred(Inference {
            snapshot_seq: 1,
            not_before: None,
            baseline: true,
        });
    }
    let header = encode(&[single(open)], &names).header;
    assert_eq!(header.reaches_back_to, i64::MIN);
    assert!(!header.unscoped);
    assert!(header.may_touch(frame::channel_hash("channel")));
    assert!(!header.may_touch(frame::channel_hash("other")));
}

#[test]
fn a_header_of_very_many_channels_names_none() {
    let mut names = Names::new();
    let entries = (1..=5_000)
        .map(|seq| {
            let mut entry = join(&mut names, seq, "anna");
            entry.payload = Payload::Token(Box::new(TokenChange {
                channel: Some(names.intern(&format!("channel {seq}"))),
                state: rollbook::domain::event::TokenState::Renewed,
                reason: None,
            }));
            entry
        })
        .collect();
    let rules = Rules::default();
    let frame = encode(&[Record::Commit { rules, entries }], &names);
    assert_eq!(frame.header.channels, Channels::Any);
    assert!(frame.header.may_touch(0));
    frame::decode(&frame.values, &mut names, Check::Chain).unwrap();
}

#[test]
fn a_plain_join_is_short() {
    let mut names = Names::new();
    let users: Vec<String> = (0..100).map(|i| format!("user {i}")).collect();
    let mut frame_of = |entries: u64| {
        let records: Vec<Record> = (1..=entries)
            .map(|seq| single(join(&mut names, seq, &users[(seq % 100) as usize])))
            .collect();
        encode(&records, &names).header.plain_len
    };
    let (few, many) = (frame_of(100), frame_of(1_100));
    let each = (many - few) as f64 / 1_000.0;
    assert!(each <= 6.0, "{each} bytes");
}

#[test]
fn records_that_are_no_frame_are_refused() {
    let mut names = Names::new();
    let mut encoder = encoder(Packing::Plain);
    let mut refused = |records: &[Record], names: &Names| {
        encoder
            .encode(FramePosition::FIRST, records, names)
            .unwrap_err()
    };
    assert!(matches!(refused(&[], &names), FrameError::Empty));
    let rules = Rules::default();
    let empty = Record::Commit {
        rules,
        entries: Vec::new(),
    };
    assert!(matches!(refused(&[empty], &names), FrameError::EmptyCommit));
    let later = single(join(&mut names, 2, "anna"));
    assert!(matches!(
        refused(&[later], &names),
        FrameError::Seq {
            expected: 1,
            found: 2
        }
    ));
}

/// A log with such a first number is refused, and no arithmetic is done with it.
#[test]
fn entries_count_from_one_and_do_not_run_over() {
    let names = &mut Names::new();
    let aside = small(names).split_off(3);
    for (first_seq, fits) in [(0, false), (1, true), (u64::MAX, true)] {
        let place = FramePosition {
            first_seq,
            ..FramePosition::FIRST
        };
        let frame = encoder(Packing::Plain)
            .encode(place, &aside, names)
            .unwrap();
        assert_eq!(frame::header(&frame.values[0]).is_ok(), fits, "{first_seq}");
        let journal = MemoryJournal::new();
        journal.append(0, &frame.values).unwrap();
        let opened = Store::on(Box::new(journal), Options::default());
        assert_eq!(opened.is_ok(), fits, "{first_seq}");
    }
}

/// Format 1, byte for byte. If this test fails, stored logs can no longer be read, or their chain no longer verified.
#[test]
fn golden_bytes_of_format_1() {
    let mut names = Names::new();
    let written = small(&mut names);
    let frame = encode(&written, &names);
    let hex: String = frame.values[0].iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(frame.values.len(), 1);
    assert_eq!(hex, GOLDEN, "\n{hex}\n");
    let read = frame::decode(&frame.values, &mut names, Check::Chain).unwrap();
    assert_eq!(read.records, written);
}

const GOLDEN: &str = concat!(
    "f55262fe0100000001000000000000000000000001000000ca0100000d0cd2f3252f4af57300000000fb5301030201010101",
    "fd04d1ca9f17030000a0b3a0fd50d0ed902e0000000101023f796163ebf94718ab75e7ea354d1ba200000000000000000000",
    "00000000000000000000000000000000000000000000ddeb479db34697f3adcdf000b804279948f509087e6dcdcf05111a12",
    "bbeb143a0001060e4741cc21d3187bd464656661756c740e27ec0fddbbd499bc6368616e6e656c0a5464bfeb3fd2b60e746f",
    "70696308d41f7cea5b8df7cd616e6e610016370918842ad1870af8d64b746cceb91a6f746865720101020304050ec9b44fd5",
    "01fb0f637b2261223a317d1692c1d9d6d1e5f6e3494e54455252555054454414278812fcd0898a5e666565642e6a736f6e6c",
    "0e9e3c3619c68cb88e6e6f204a534f4e149320371cb3a92a4a666565642e6a736f6e6c0000fcc0d40100000001016000d0a0",
    "abfef96284a2abfef9620000fcc0d4010000010202e920005050000202a0a1b787e9056c505001000000000101010501fdfe",
    "cfca9f1703000001010206030c040a020763030102ff7b020303030303030303030303030303030303030303030303030303",
    "0303030303030500090909090909090909090909090909090909090909090909090909090909090940650804",
);
