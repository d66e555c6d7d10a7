//! Frames: what was written is read, and whatever was altered is an error.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "support/records.rs"]
mod records;

use proptest::collection::vec;
use proptest::prelude::*;
use records::{commit, dictionary, number, record};
use rollbook::domain::entry::*;
use rollbook::domain::event::Kind;
use rollbook::domain::names::{MemberKey, Names};
use rollbook::domain::order::Stamp;
use rollbook::limits::VALUE_BYTES_MAX;
use rollbook::log::Record;
use rollbook::log::frame::{self, Channels, Check, Encoded, Encoder, FrameError, Packing, Place};
use rollbook::log::salts::Salts;
use std::sync::Arc;

const SEED: [u8; 32] = [42; 32];

fn encoder(packing: Packing) -> Encoder {
    Encoder::new(Salts::from_seed(SEED), packing)
}

fn encode(records: &[Record], names: &Names) -> Encoded {
    encoder(Packing::Plain)
        .encode(Place::FIRST, records, names)
        .unwrap()
}

fn member(names: &mut Names, user: &str) -> rollbook::domain::names::Member {
    let key = MemberKey {
        channel: names.intern("channel"),
        topic: names.intern("topic"),
        user: names.intern(user),
        conn: names.intern(""),
    };
    names.member(key)
}

/// An observed join with a source time, and nothing that need not be.
fn join(names: &mut Names, seq: u64, user: &str) -> Entry {
    let at = 1_700_000_000_000 + 40 * seq as i64;
    Entry {
        seq,
        recorded_at: at + 90,
        occurred_at: at,
        effective_at: at,
        observer: names.intern("default"),
        id: None,
        stamp: Stamp {
            pos: None,
            ts: Some(at),
        },
        lossy: false,
        what: What::Change(Change {
            member: member(names, user),
            kind: Kind::Join,
            said: Kind::Join,
            disposition: Disposition::Applied,
            meta: None,
            reason: None,
            origin: Origin::Observed,
        }),
    }
}

fn single(entry: Entry) -> Record {
    Record::Commit {
        rules: Rules::default(),
        entries: vec![entry],
    }
}

/// A small frame of several kinds of records.
fn small(names: &mut Names) -> Vec<Record> {
    let mut leave = join(names, 2, "anna");
    if let What::Change(change) = &mut leave.what {
        change.kind = Kind::Leave;
        change.said = Kind::Leave;
        change.meta = Some(Arc::from("{\"a\":1}"));
        change.origin = Origin::Inferred(Inference {
            snapshot_seq: 1,
            not_before: Some(1_600_000_000_000),
            baseline: false,
        });
    }
    let link = Entry {
        what: What::Link(Box::new(Link {
            channel: None,
            up: false,
            elsewhere: false,
            except: Vec::new(),
            reason: Some(Arc::from("INTERRUPTED")),
            gaps: vec![GapChange {
                channel: names.intern("other"),
                gap: 1,
                at: 1_699_999_999_999,
                opens: true,
            }],
        })),
        ..join(names, 3, "anna")
    };
    let first = join(names, 1, "anna");
    vec![
        single(first),
        Record::Commit {
            rules: Rules {
                lossy: true,
                ..Rules::default()
            },
            entries: vec![leave, link],
        },
        Record::Reject(rollbook::log::Reject {
            recorded_at: 5,
            source: Arc::from("feed.jsonl"),
            line: 7,
            byte: 99,
            reason: Arc::from("no JSON"),
            text: Some(b"\xff{".to_vec()),
            length: 2,
            blake3: [3; 32],
        }),
        Record::Progress(rollbook::log::Progress {
            source: [9; 32],
            hashed_len: 64,
            byte: 101,
            line: 8,
            path: Arc::from("feed.jsonl"),
        }),
    ]
}

/// Sets a value's checksums right again, for a body that is one value.
fn restamp(value: &mut [u8]) {
    let body = crc32c::crc32c(&value[36..]);
    value[28..32].copy_from_slice(&body.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&value[..32]), &value[36..]);
    value[32..36].copy_from_slice(&crc.to_le_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_is_read(mut written in vec(record(), 1..12), zstd: bool, seq in 1u64..1 << 40) {
        number(&mut written, seq);
        let mut names = dictionary();
        let place = Place { first_seq: seq, ..Place::FIRST };
        let packing = if zstd { Packing::Zstd } else { Packing::Plain };
        let frame = encoder(packing).encode(place, &written, &names).unwrap();
        prop_assert_eq!(&frame::header(&frame.values[0]).unwrap(), &frame.header);
        let read = frame::decode(&frame.values, &mut names, Check::Chain).unwrap();
        prop_assert_eq!(&read.header, &frame.header);
        prop_assert_eq!(&read.records, &written);
        // A dictionary with other numbers: the same bytes come of it.
        let mut other = Names::new();
        (0..5).for_each(|i| { other.intern(&format!("other {i}")); });
        other.intern("name-4");
        let read = frame::decode(&frame.values, &mut other, Check::Form).unwrap();
        let again = encoder(packing).encode(place, &read.records, &other).unwrap();
        prop_assert_eq!(again, frame);
    }

    #[test]
    fn the_chain_knows_no_frames(mut all in vec(commit(), 1..20), cuts in vec(1usize..6, 20)) {
        number(&mut all, 1);
        let names = dictionary();
        let whole = encode(&all, &names).header.link_after;
        let mut encoder = encoder(Packing::Zstd);
        let mut place = Place::FIRST;
        let mut rest = &all[..];
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            rest = later;
            if now.is_empty() {
                break;
            }
            let frame = encoder.encode(place, now, &names).unwrap();
            place = Place::after(&frame.header);
        }
        prop_assert!(rest.is_empty() || place.link != whole);
        if rest.is_empty() {
            prop_assert_eq!(place.link, whole);
            prop_assert_eq!(place.first_seq, encode(&all, &names).header.entries + 1);
        }
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
        // With a head that lets them through to the codec.
        let mut value = encode(&small(&mut Names::new()), &Names::new()).values.remove(0);
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
fn no_bit_of_a_forged_body_passes_the_chain_unseen() {
    let mut names = Names::new();
    let first = join(&mut names, 1, "anna");
    let mut second = join(&mut names, 2, "bert");
    second.id = Some(Arc::from("id"));
    let written = vec![single(first), single(second)];
    let frame = encode(&written, &names);
    let value = &frame.values[0];
    for bit in 36 * 8..value.len() * 8 {
        let mut forged = value.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        restamp(&mut forged);
        if let Ok(read) = frame::decode(&[&forged], &mut names, Check::Chain) {
            // What the chain does not cover: the link before, together with a header that is otherwise right,
            // is for whoever knows the frame before. Nothing else may get through.
            panic!("bit {bit} of the body passes: {:?}", read.header);
        }
    }
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
        .encode(Place::FIRST, &written, &names)
        .unwrap();
    let total: usize = frame.values.iter().map(Vec::len).sum();
    assert!(total > 2 << 20, "{total}");
    assert!(frame.values.iter().all(|v| v.len() <= VALUE_BYTES_MAX));
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
    // A part of another frame that bears the same number.
    let other = Encoder::new(Salts::from_seed([1; 32]), Packing::Zstd)
        .encode(Place::FIRST, &written, &names)
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
        (3, 2, 0),
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

    // A window without a lower end reaches back as far as there is time.
    let mut open = join(&mut names, 1, "anna");
    if let What::Change(change) = &mut open.what {
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
            entry.what = What::Token(Box::new(Token {
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
        encoder.encode(Place::FIRST, records, names).unwrap_err()
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

/// A change to an entry.
type Tamper = fn(&mut Entry, &mut Names);

/// Changes to an entry, each of which has to change the chain.
fn tamperings() -> Vec<(&'static str, Tamper)> {
    fn change(entry: &mut Entry) -> &mut Change {
        match &mut entry.what {
            What::Change(change) => change,
            _ => panic!("a change"),
        }
    }
    vec![
        ("recorded_at", |e, _| e.recorded_at += 1),
        ("occurred_at", |e, _| e.occurred_at += 1),
        ("effective_at", |e, _| e.effective_at += 1),
        ("observer", |e, n| e.observer = n.intern("else")),
        ("id", |e, _| e.id = Some(Arc::from("id"))),
        ("pos", |e, _| e.stamp.pos = Some([0, 0])),
        ("no ts", |e, _| e.stamp.ts = None),
        ("ts", |e, _| e.stamp.ts = Some(1)),
        ("lossy", |e, _| e.lossy = true),
        ("member", |e, n| change(e).member = member(n, "bert")),
        ("kind", |e, _| change(e).kind = Kind::Leave),
        ("said", |e, _| change(e).said = Kind::Update),
        ("disposition", |e, _| {
            change(e).disposition = Disposition::Stale;
        }),
        ("meta", |e, _| change(e).meta = Some(Arc::from("null"))),
        ("reason", |e, _| change(e).reason = Some(Arc::from("r"))),
        ("origin", |e, _| {
            change(e).origin = Origin::Inferred(Inference {
                snapshot_seq: 1,
                not_before: None,
                baseline: false,
            });
        }),
        ("baseline", |e, _| {
            change(e).origin = Origin::Inferred(Inference {
                snapshot_seq: 1,
                not_before: None,
                baseline: true,
            });
        }),
        ("not_before", |e, _| {
            change(e).origin = Origin::Inferred(Inference {
                snapshot_seq: 1,
                not_before: Some(0),
                baseline: false,
            });
        }),
    ]
}

#[test]
fn the_chain_covers_every_field_of_a_change() {
    let mut names = Names::new();
    let plain = join(&mut names, 1, "anna");
    let mut links = vec![encode(&[single(plain.clone())], &names).header.link_after];
    for (what, tamper) in tamperings() {
        let mut entry = plain.clone();
        tamper(&mut entry, &mut names);
        let link = encode(&[single(entry)], &names).header.link_after;
        assert!(!links.contains(&link), "{what}");
        links.push(link);
    }
    let lossy = Rules {
        lossy: true,
        ..Rules::default()
    };
    for rules in [
        lossy,
        Rules {
            slack_ms: 1,
            ..Rules::default()
        },
        Rules {
            skew_tolerance_ms: 1,
            ..Rules::default()
        },
        Rules {
            max_ahead_ms: 1,
            ..Rules::default()
        },
    ] {
        let entries = vec![plain.clone()];
        let link = encode(&[Record::Commit { rules, entries }], &names);
        assert!(!links.contains(&link.header.link_after), "{rules:?}");
        links.push(link.header.link_after);
    }
}

proptest! {
    #[test]
    fn two_different_entries_have_different_links(a in records::entry(), b in records::entry()) {
        let names = dictionary();
        let link = |entry: &Entry| {
            let entry = Entry { seq: 1, ..entry.clone() };
            encode(&[single(entry)], &names).header.link_after
        };
        prop_assert_eq!(a == b, link(&a) == link(&b));
    }
}

/// What forgetting does: the string and its salt go, its hash stays, and the chain with it.
#[test]
fn an_erased_name_leaves_the_chain_whole() {
    let mut names = Names::new();
    let written = small(&mut names);
    let value = encode(&written, &names).values.remove(0);
    let at = value.windows(4).position(|four| four == b"anna").unwrap() - 9;
    assert_eq!(value[at], 4 << 1);
    let mut erased = value[..at].to_vec();
    erased.push(1);
    erased.extend_from_slice(&blake3::hash(&value[at + 1..at + 13]).as_bytes()[..16]);
    erased.extend_from_slice(&value[at + 13..]);
    // Four bytes more: in the piece's length, and in the payload's (a two-byte number after the compression).
    let length = (erased.len() - 36) as u32;
    erased[24..28].copy_from_slice(&length.to_le_bytes());
    assert_eq!(erased[40..42], [0, 0xfb]);
    let plain = u16::from_le_bytes([erased[42], erased[43]]) + 4;
    erased[42..44].copy_from_slice(&plain.to_le_bytes());
    restamp(&mut erased);

    let mut names = Names::new();
    let read = frame::decode(&[&erased], &mut names, Check::Chain).unwrap();
    assert_eq!(names.find("anna"), None);
    let Record::Commit { entries, .. } = &read.records[0] else {
        panic!("a commit");
    };
    let What::Change(change) = &entries[0].what else {
        panic!("a change");
    };
    let user = names.text(names.key(change.member).user);
    assert!(user.starts_with("erased:"), "{user}");
    // Another hash is another chain.
    erased[at + 1] ^= 1;
    restamp(&mut erased);
    assert!(matches!(
        frame::decode(&[&erased], &mut names, Check::Chain),
        Err(FrameError::Chain { frame: 1 })
    ));
}

/// Format 1, byte for byte. If this fails, what is stored can no longer be read, or no longer proves its chain.
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
    "f55262fe0100000001000000000000000000000001000000c4010000e3247aca0a1d73807200000000fb4e01030200010101",
    "fd04d1ca9f17030000a0b3a0fd50d0ed902e0000000101023f796163ebf94718ab75e7ea354d1ba200000000000000000000",
    "0000000000000000000000000000000000000000000054a3b4f911d8ee4cb45bc7ade53f543b909746973c8066018f93ca99",
    "3217ffa801060e4741cc21d3187bd464656661756c740e27ec0fddbbd499bc6368616e6e656c0a5464bfeb3fd2b60e746f70",
    "696308d41f7cea5b8df7cd616e6e610016370918842ad1870af8d64b746cceb91a6f746865720101020304050ec9b44fd501",
    "fb0f637b2261223a317d1692c1d9d6d1e5f6e3494e54455252555054454414278812fcd0898a5e666565642e6a736f6e6c0e",
    "9e3c3619c68cb88e6e6f204a534f4e149320371cb3a92a4a666565642e6a736f6e6c0000fcc0d40100000001016000d0a0ab",
    "fef96284a2abfef9620000fcc0d4010000010202e920005050000202a0a1b787e9056c505001000000000101010501fdfecf",
    "ca9f1703000001040a020763030102ff7b020303030303030303030303030303030303030303030303030303030303030303",
    "0500090909090909090909090909090909090909090909090909090909090909090940650804",
);
