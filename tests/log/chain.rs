//! The chain covers every field, does not depend on frames, and stays valid when a name is erased.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use crate::{frames, records};
use frames::{encode, encoder, join, member, restamp, single, small};
use proptest::collection::vec;
use proptest::prelude::*;
use records::{commit, dictionary, number};
use rollbook::domain::entry::*;
use rollbook::domain::event::ChangeKind;
use rollbook::domain::names::Names;
use rollbook::log::Record;
use rollbook::log::frame::{self, Check, FrameError, FramePosition, Packing};
use std::sync::Arc;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_chain_knows_no_frames(mut all in vec(commit(), 1..20), cuts in vec(1usize..6, 20)) {
        number(&mut all, 1);
        let names = dictionary();
        let whole = encode(&all, &names).header.link_after;
        let mut encoder = encoder(Packing::Zstd);
        let mut place = FramePosition::FIRST;
        let mut rest = &all[..];
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            rest = later;
            if now.is_empty() {
                break;
            }
            let frame = encoder.encode(place, now, &names).unwrap();
            place = FramePosition::after(&frame.header);
        }
        prop_assert!(rest.is_empty() || place.link != whole);
        if rest.is_empty() {
            prop_assert_eq!(place.link, whole);
            prop_assert_eq!(place.first_seq, encode(&all, &names).header.entries + 1);
        }
    }

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

/// A change to an entry.
pub type Tamper = fn(&mut Entry, &mut Names);

/// Changes to an entry, each of which has to change the chain.
fn tamperings() -> Vec<(&'static str, Tamper)> {
    fn change(entry: &mut Entry) -> &mut Change {
        match &mut entry.payload {
            Payload::Change(change) => change,
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
        ("kind", |e, _| change(e).kind = ChangeKind::Leave),
        ("said", |e, _| change(e).reported = ChangeKind::Update),
        ("disposition", |e, _| {
            change(e).disposition = Disposition::Stale;
        }),
        ("collected", |e, _| {
            change(e).disposition = Disposition::Collected;
        }),
        ("late", |e, _| {
            change(e).late = Some(Late {
                late_ms: 1,
                not_before: 0,
            });
        }),
        ("late not before", |e, _| {
            change(e).late = Some(Late {
                late_ms: 1,
                not_before: 1,
            });
        }),
        ("how late", |e, _| {
            change(e).late = Some(Late {
                late_ms: 2,
                not_before: 0,
            });
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
    all_different(&plain, &mut names, tamperings());
    let mut links = vec![encode(&[single(plain.clone())], &names).header.link_after];
    let lossy = Rules::default().lossy(true);
    for rules in [
        lossy,
        Rules::default().slack_ms(1),
        Rules::default().skew_tolerance_ms(1),
        Rules::default().max_ahead_ms(1),
        Rules::default().resync_ms(1),
    ] {
        let entries = vec![plain.clone()];
        let link = encode(&[Record::Commit { rules, entries }], &names);
        assert!(!links.contains(&link.header.link_after), "{rules:?}");
        links.push(link.header.link_after);
    }
}

pub fn entry_of(what: Payload, names: &mut Names) -> Entry {
    Entry {
        payload: what,
        ..join(names, 1, "anna")
    }
}

/// Asserts that each tampering gives another link.
pub fn all_different(plain: &Entry, names: &mut Names, tamperings: Vec<(&'static str, Tamper)>) {
    let mut links = vec![encode(&[single(plain.clone())], names).header.link_after];
    for (what, tamper) in tamperings {
        let mut entry = plain.clone();
        tamper(&mut entry, names);
        let link = encode(&[single(entry)], names).header.link_after;
        assert!(!links.contains(&link), "{what}");
        links.push(link);
    }
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
            // The chain does not cover the link before it. A changed link before, with an otherwise right header, can
            // be noticed only with the previous frame. Besides that, only a false alarm may pass: the flag that a
            // connection may be up, after which opening the log looks for connections.
            assert!(
                read.header.connected,
                "bit {bit} of the body passes: {:?}",
                read.header
            );
        }
    }
}

/// Erasing a name removes the string and its salt. The hash stays, so the chain stays valid; another text stands for the name.
#[test]
fn an_erased_name_leaves_the_chain_whole() {
    let mut names = Names::new();
    let written = small(&mut names);
    let value = encode(&written, &names).values.remove(0);
    let at = value.windows(4).position(|four| four == b"anna").unwrap() - 9;
    assert_eq!(value[at], 4 << 1);
    let mut erased = value[..at].to_vec();
    erased.push(4 << 1 | 1);
    erased.extend_from_slice(&blake3::hash(&value[at + 1..at + 13]).as_bytes()[..16]);
    erased.extend_from_slice(b"gone");
    erased.extend_from_slice(&value[at + 13..]);
    // Eight more bytes: in the length of the piece, and in that of the payload (two bytes after the compression).
    let length = (erased.len() - 36) as u32;
    erased[24..28].copy_from_slice(&length.to_le_bytes());
    assert_eq!(erased[40..42], [0, 0xfb]);
    let plain = u16::from_le_bytes([erased[42], erased[43]]) + 8;
    erased[42..44].copy_from_slice(&plain.to_le_bytes());
    restamp(&mut erased);

    let mut names = Names::new();
    let read = frame::decode(&[&erased], &mut names, Check::Chain).unwrap();
    assert_eq!(names.find("anna"), None);
    let Record::Commit { entries, .. } = &read.records[0] else {
        panic!("a commit");
    };
    let Payload::Change(change) = &entries[0].payload else {
        panic!("a change");
    };
    let user = names.text(names.key(change.member).user);
    assert_eq!(user, "gone");
    // Another hash gives another chain.
    erased[at + 1] ^= 1;
    restamp(&mut erased);
    assert!(matches!(
        frame::decode(&[&erased], &mut names, Check::Chain),
        Err(FrameError::Chain { frame: 1 })
    ));
}
