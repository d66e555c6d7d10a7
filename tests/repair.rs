//! Repairs: a new store of what is whole in a damaged one has all of it, says what is missing, and makes nobody certain who was
//! not there. No test here starts a program (`tests/crash/repair.rs` does).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use rollbook::care::{RestoreError, VerifyDepth, repair};
use rollbook::log::frame::{self, MAGIC, VALUE_HEADER_BYTES};
use rollbook::query::answer::{Certainty, HistoryEntry, Who};
use rollbook::query::repaired::Repaired;
use rollbook::query::{WhoFilter, WhoWhen};
use rollbook::store::{BlockSize, StoreError};
use rollbook::{Options, Store};
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{Shape, Tape, cases, tape};
use rollbook_support::program::{Dice, copy, rounds};
use rollbook_support::{answers, history};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

fn opened(dir: &Path) -> Desk {
    Desk::with(|options| Store::open(dir, options))
}

/// Records a tape, with some of it sealed, and closes the store.
fn recorded(dir: &Path, tape: &Tape, most: u64, sealed: usize) {
    let desk = opened(dir);
    desk.hear(tape, &tape.lines[..sealed]);
    if sealed > 0 {
        desk.store.seal(BlockSize { least: 1, most }).unwrap();
    }
    desk.hear(tape, &tape.lines[sealed..]);
}

/// Where values lie in a file: the frame of each, and its bytes.
fn values(bytes: &[u8]) -> Vec<(u64, Range<usize>)> {
    let found = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&MAGIC));
    let value = |at: usize| {
        let length = bytes.get(at + 24..at + 28)?;
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let whole = at..at + VALUE_HEADER_BYTES + length;
        let value = frame::value(bytes.get(whole.clone())?).ok()?;
        Some((value.frame, whole))
    };
    found.filter_map(value).collect()
}

/// The entries of each frame that lies in a file.
fn entries_of_frames(bytes: &[u8]) -> BTreeMap<u64, Range<u64>> {
    let headers = values(bytes).into_iter();
    let headers = headers.filter_map(|(_, at)| frame::header(&bytes[at]).ok());
    let entries = headers.map(|it| (it.frame, it.first_seq..it.first_seq + it.entries));
    entries.collect()
}

fn alter(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    std::fs::write(file, bytes).unwrap();
}

fn blocks(store: &Path) -> Vec<PathBuf> {
    let items = std::fs::read_dir(store.join("blocks")).unwrap();
    let mut files: Vec<PathBuf> = items.map(|item| item.unwrap().path()).collect();
    files.sort();
    files
}

/// Damages all copies of a frame in `log/db`.
fn destroy_frame(store: &Path, frame: u64) {
    alter(&store.join("log/db"), |bytes| {
        for (_, at) in values(bytes).into_iter().filter(|(it, _)| *it == frame) {
            bytes[at.end - 1] ^= 1;
        }
    });
}

/// One damage of many kinds.
fn damage(store: &Path, dice: &mut Dice) -> String {
    let db = store.join("log/db");
    let bytes = std::fs::read(&db).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) as u64 + 1;
    let frames: Vec<u64> = values(&bytes).into_iter().map(|(frame, _)| frame).collect();
    match dice.below(8) {
        0..4 if !frames.is_empty() => {
            let frame = frames[dice.below(frames.len() as u64) as usize];
            destroy_frame(store, frame);
            format!("frame {frame}")
        }
        4 => {
            let at = dice.below(used) as usize;
            alter(&db, |bytes| bytes.truncate(at));
            format!("db cut to {at}")
        }
        5 | 6 if !blocks(store).is_empty() => {
            let files = blocks(store);
            let file = &files[dice.below(files.len() as u64) as usize];
            match dice.below(2) {
                0 => std::fs::remove_file(file).unwrap(),
                _ => alter(file, |bytes| {
                    let at = dice.below(bytes.len() as u64) as usize;
                    bytes.iter_mut().skip(at).take(40).for_each(|it| *it = 7);
                }),
            }
            format!("{}", file.display())
        }
        7 if dice.below(4) == 0 => {
            // It may be gone already.
            let _ = std::fs::remove_file(store.join("store.json"));
            "no card".to_owned()
        }
        _ => {
            let at = dice.below(used) as usize;
            alter(&db, |bytes| {
                bytes.iter_mut().skip(at).take(40).for_each(|it| *it = 7);
            });
            format!("40 bytes at {at}")
        }
    }
}

fn who(store: &Store, channel: &str, when: WhoWhen) -> Option<Who> {
    let filter = WhoFilter::default().when(when);
    store.who(channel, &filter).ok()
}

fn members(who: &Who, only_certain: bool) -> BTreeSet<(String, String, String)> {
    let topics = who.topics.iter();
    let all = topics.flat_map(|topic| topic.publishers.iter().map(|it| (&topic.topic, it)));
    let wanted = all.filter(|(_, it)| !only_certain || it.certainty == Certainty::Certain);
    let members = wanted.map(|(topic, it)| (topic.clone(), it.user.clone(), it.connection.clone()));
    members.collect()
}

/// What a line said, whatever was decided about it.
fn said(entry: &HistoryEntry) -> String {
    let mut json = serde_json::to_value(entry).unwrap();
    let fields = json.as_object_mut().unwrap();
    let kept = [
        "channel",
        "topic",
        "user",
        "connection",
        "occurred_at",
        "recorded_at",
        "observer",
        "reason",
        "id",
        "pos",
        "source_ts",
    ];
    fields.retain(|name, _| kept.contains(&name.as_str()));
    json.to_string()
}

/// Whether a line said it: a change, a snapshot, or news of a token.
fn is_said(entry: &HistoryEntry) -> bool {
    let json = serde_json::to_value(entry).unwrap();
    json["origin"] == "observed" && json["type"] != "link"
}

/// Checks a repaired store against the one that was not damaged.
fn check(old: &Store, new: &Store, report: &Repaired, what: &str) {
    let verified = new.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{what}: {verified:?}");
    assert_eq!(report.ok, report.missing.is_empty());
    let begin = old.retained().map_or(0, |retained| retained.seq);
    let missing = |seq: u64| {
        let gone = |it: &rollbook::query::repaired::MissingEntries| {
            it.first_seq <= seq && it.last_seq.is_none_or(|last| seq <= last)
        };
        report.missing.iter().any(gone)
            || (report.left_out.iter()).any(|it| (it.first_seq..=it.last_seq).contains(&seq))
    };
    let mut there: BTreeMap<String, usize> = BTreeMap::new();
    let (before, after) = (history(old), history(new));
    for entry in after.iter().filter(|entry| is_said(entry)) {
        *there.entry(said(entry)).or_default() += 1;
    }
    for entry in before
        .iter()
        .filter(|entry| is_said(entry) && !missing(entry.seq))
    {
        let found = there.get_mut(&said(entry)).filter(|left| **left > 0);
        let found = found.unwrap_or_else(|| panic!("{what}: not said: {entry:?} {report:?}"));
        *found -= 1;
    }
    for entry in before
        .iter()
        .filter(|entry| (begin + 1..=report.same_up_to).contains(&entry.seq))
    {
        assert!(!missing(entry.seq), "{what}: {entry:?}");
    }
    let mut moments: Vec<i64> = before
        .iter()
        .chain(&after)
        .flat_map(|entry| [entry.occurred_at.0, entry.effective_at.0])
        .flat_map(|at| [at - 1, at, at + 1])
        .collect();
    moments.sort_unstable();
    moments.dedup();
    let whens = moments.into_iter().map(WhoWhen::At).chain([WhoWhen::Head]);
    let whens: Vec<WhoWhen> = whens.collect();
    for channel in new.channels().unwrap() {
        let name = &channel.channel;
        for &when in &whens {
            let Some(now) = who(new, name, when) else {
                continue;
            };
            let certain = members(&now, true);
            let known = who(old, name, when).map(|who| members(&who, false));
            let known = known.unwrap_or_default();
            let wrong: Vec<_> = certain.difference(&known).collect();
            assert!(
                wrong.is_empty(),
                "{what}: {name} {when:?}: {wrong:?} {report:#?}\n{}",
                after
                    .iter()
                    .map(|it| serde_json::to_string(it).unwrap() + "\n")
                    .collect::<String>()
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_store_that_is_whole_answers_as_before(
        tape in tape(Shape::Any, 20),
        most in 1_u64..12,
        sealed in any::<prop::sample::Index>(),
        goes in 0_u64..6,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        recorded(&here, &tape, most, sealed.index(tape.lines.len() + 1));
        opened(&here).store.prune_some(i64::MAX, goes).unwrap();
        let report = repair(&here, &there, |_| {}).unwrap();
        prop_assert!(report.ok && report.left_out.is_empty() && report.redecided == 0, "{report:?}");
        let (here, there) = (opened(&here), opened(&there));
        prop_assert_eq!(answers::of(&there.store), answers::of(&here.store));
        prop_assert_eq!(there.described(), here.described());
        here.hear(&tape, &tape.lines);
        there.hear(&tape, &tape.lines);
        prop_assert_eq!(answers::of(&there.store), answers::of(&here.store));
    }

    #[test]
    fn what_is_missing_is_named_and_makes_nobody_certain(
        tape in tape(Shape::Any, 40),
        most in 1_u64..12,
        sealed in any::<prop::sample::Index>(),
        times in 1_usize..3,
        seed in any::<u64>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (here, sound) = (dir.path().join("here"), dir.path().join("sound"));
        // The card does not give away how many entries there were where the tape is cut.
        recorded(&here, &tape, most, sealed.index(tape.lines.len() + 1));
        copy(&here, &sound);
        let mut dice = Dice::quiet(seed);
        let what: Vec<String> = (0..times).map(|_| damage(&here, &mut dice)).collect();
        let there = dir.path().join("there");
        let report = repair(&here, &there, |_| {}).unwrap();
        let (old, new) = (opened(&sound), opened(&there));
        check(&old.store, &new.store, &report, &what.join(", "));
        // What was declared stays where it is when the same lines come again.
        new.hear(&tape, &tape.lines);
        let verified = new.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
        prop_assert!(verified.ok, "{verified:?}");
    }
}

/// A store of single lines, each its own frame.
fn of_lines(dir: &Path, count: u64) {
    let store = Store::open(dir, Options::default()).unwrap();
    for n in 0..count {
        let event = rollbook::Event::join("room", "chat", format!("user-{n}")).at(1_000 + n as i64);
        store.record(&[event]).unwrap();
    }
}

#[test]
fn forty_bytes_lose_at_most_the_frames_in_which_they_lie() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("here");
    of_lines(&here, 200);
    let db = here.join("log/db");
    let whole = std::fs::read(&db).unwrap();
    let entries = entries_of_frames(&whole);
    let found = values(&whole);
    let mut dice = Dice::new(31);
    let mut lost = 0;
    for round in 0..rounds(12, 400) {
        let (_, near) = &found[dice.below(found.len() as u64) as usize];
        let at = near.start + dice.below(near.len() as u64) as usize;
        alter(&db, |bytes| {
            bytes.copy_from_slice(&whole);
            bytes.iter_mut().skip(at).take(40).for_each(|it| *it = !*it);
        });
        let there = dir.path().join(format!("there-{round}"));
        let report = repair(&here, &there, |_| {}).unwrap();
        let hit = |seq: u64| {
            let frames = found
                .iter()
                .filter(|(_, it)| it.start < at + 40 && at < it.end);
            let mut frames = frames.filter_map(|(frame, _)| entries.get(frame));
            frames.any(|entries| entries.contains(&seq))
        };
        for missing in &report.missing {
            let last = missing.last_seq.unwrap();
            assert!((missing.first_seq..=last).all(hit), "at {at}: {report:?}");
            lost += 1;
        }
        let new = opened(&there);
        let declared = history(&new.store).len() as u64;
        assert!(declared >= 198, "at {at}: {declared}");
    }
    println!("{lost} times something was lost");
}

#[test]
fn a_frame_that_is_gone_is_a_gap_of_its_channel() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    of_lines(&here, 5);
    destroy_frame(&here, 3);
    let report = repair(&here, &there, |_| {}).unwrap();
    let [missing] = report.missing.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!((missing.first_seq, missing.last_seq), (3, Some(3)));
    assert_eq!(
        (report.same_up_to, report.redecided, missing.behind),
        (2, 2, 2)
    );
    assert!(!report.unreadable.is_empty());
    let store = opened(&there).store;
    let [gap] = &store.gaps("room").unwrap()[..] else {
        panic!("one gap");
    };
    assert_eq!((gap.from.0, gap.to.map(|to| to.0)), (1_001, None));
    let who = who(&store, "room", WhoWhen::Head).unwrap();
    assert_eq!(members(&who, false).len(), 4);
    assert!(members(&who, true).is_empty());
    // The next snapshot closes it.
    let shown = rollbook::Event::snapshot("room", [("chat", "user-0"), ("chat", "user-2")]);
    store.record(&[shown]).unwrap();
    let missed = store.missed("room", &Default::default()).unwrap();
    let left: Vec<&str> = missed[0].left.iter().map(|it| &*it.user).collect();
    assert_eq!(left, ["user-1", "user-3", "user-4"]);
    assert!(missed[0].to.is_some());
}

#[test]
fn a_folder_with_anything_in_it_and_a_store_in_use_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    of_lines(&here, 2);
    std::fs::create_dir(&there).unwrap();
    std::fs::write(there.join("mine"), "mine").unwrap();
    let refused = repair(&here, &there, |_| {});
    assert!(
        matches!(refused, Err(RestoreError::NotEmpty(_))),
        "{refused:?}"
    );
    let refused = repair(&here, &here, |_| {});
    assert!(refused.is_err());
    let _open = opened(&here);
    let refused = repair(&here, &dir.path().join("new"), |_| {});
    let in_use = matches!(refused, Err(RestoreError::Store(StoreError::InUse { .. })));
    assert!(in_use, "{refused:?}");
    let refused = repair(&dir.path().join("none"), &dir.path().join("new"), |_| {});
    let none = matches!(
        refused,
        Err(RestoreError::Store(StoreError::NoSuchStore(_)))
    );
    assert!(none, "{refused:?}");
}
