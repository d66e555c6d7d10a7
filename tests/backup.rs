//! Backups: a restored store answers as the one that was backed up, whatever was sealed or pruned meanwhile; a damaged
//! backup restores nothing. No test here starts a program (`tests/cli/backup.rs` does): a child that is being started holds the
//! locks of all stores that are open.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use rollbook::care::{RestoreError, VerifyDepth, restore};
use rollbook::store::{Backup, BackupError, BlockSize};
use rollbook::{Event, Options, Store};
use rollbook_support::answers;
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{Shape, cases, tape};
use rollbook_support::program::{copy, long};
use std::path::Path;

fn backed_up(store: &Store, since: Option<&Backup>) -> (Vec<u8>, Backup) {
    let mut bytes = Vec::new();
    let since = since.map(|since| &since.end);
    let made = store.backup(&mut bytes, since, |_| true).unwrap();
    assert_eq!(Backup::read(&*bytes).unwrap(), made);
    (bytes, made)
}

fn restored(dir: &Path, backups: &[Vec<u8>]) -> Result<u64, RestoreError> {
    let backups = backups.iter().map(|backup| Ok(backup.as_slice()));
    Ok(restore(dir, backups, true)?.entries)
}

/// What a store says, and what it would record next.
fn said(store: &Store) -> (Vec<String>, String) {
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{verified:?}");
    (answers::of(store), format!("{:?}", store.retained()))
}

fn opened(dir: &Path) -> Desk {
    Desk::with(|options| Store::open(dir, options))
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn a_restored_store_answers_as_the_one_that_was_backed_up(
        tape in tape(Shape::Any, 16),
        most in 1_u64..12,
        sealed in any::<[bool; 3]>(),
        goes in 0_u64..6,
        splits in any::<[prop::sample::Index; 2]>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let here = opened(&dir.path().join("here"));
        let mut ends = splits.map(|split| split.index(tape.lines.len() + 1));
        ends.sort_unstable();
        let (mut backups, mut last, mut from) = (Vec::new(), None, 0);
        for (turn, to) in ends.into_iter().chain([tape.lines.len()]).enumerate() {
            here.hear(&tape, &tape.lines[from..to]);
            from = to;
            if sealed[turn] {
                here.store.seal(BlockSize { least: 1, most }).unwrap();
            }
            if turn > 0 {
                here.store.prune_some(i64::MAX, goes).unwrap();
            }
            let (bytes, made) = backed_up(&here.store, last.as_ref());
            prop_assert_eq!(made.end.seq, here.store.head());
            backups.push(bytes);
            last = Some(made);
        }
        let there = dir.path().join("there");
        restored(&there, &backups).unwrap();
        let there = opened(&there);
        // A connection that was up when the store was opened is ended by that, in both.
        drop(here);
        let here = opened(&dir.path().join("here"));
        prop_assert_eq!(said(&there.store), said(&here.store));
        prop_assert_eq!(there.described(), here.described());
        // Ids are remembered, and late news is recognised: what comes next makes the same entries.
        here.hear(&tape, &tape.lines);
        there.hear(&tape, &tape.lines);
        prop_assert_eq!(said(&there.store), said(&here.store));
        let whole = backed_up(&here.store, None).0;
        let again = dir.path().join("again");
        restored(&again, &[whole]).unwrap();
        drop(here);
        let here = opened(&dir.path().join("here"));
        prop_assert_eq!(opened(&again).described(), here.described());
    }
}

fn small(dir: &Path) -> Store {
    let store = Store::open(dir, Options::default()).unwrap();
    for n in 0..3 {
        let user = format!("user-{n}");
        store
            .record(&[Event::join("room", "chat", user).at(1_000 + n)])
            .unwrap();
        store.seal(BlockSize { least: 1, most: 2 }).unwrap();
    }
    store
}

/// The bits of a byte that are flipped, each by itself: in a short run one of them.
fn flipped(at: usize) -> std::ops::Range<usize> {
    match long() {
        true => 0..8,
        false => at % 8..at % 8 + 1,
    }
}

#[test]
fn a_backup_that_is_cut_or_altered_anywhere_is_refused_and_restores_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(&dir.path().join("here"));
    let (bytes, made) = backed_up(&store, None);
    for end in (0..bytes.len()).step_by(if long() { 1 } else { 3 }) {
        let read = Backup::read(&bytes[..end]);
        assert!(
            matches!(read, Err(BackupError::Archive(_))),
            "cut at {end}: {read:?}"
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Backup::read(&*longer).is_err());
    for (at, bit) in (0..bytes.len()).flat_map(|at| flipped(at).map(move |bit| (at, bit))) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << bit;
        // A few bits in zstd's own form mean nothing: then all that is in it is as it was.
        if let Ok(read) = Backup::read(&*altered) {
            assert_eq!(read, made);
        }
    }
    let there = dir.path().join("there");
    restored(&there, std::slice::from_ref(&bytes)).unwrap();
    let before = said(&Store::open(&there, Options::default()).unwrap());
    let mut altered = bytes.clone();
    let middle = bytes.len() / 2;
    altered[middle] ^= 0x55;
    for damaged in [
        altered,
        bytes[..middle].to_vec(),
        b"no backup".to_vec(),
        Vec::new(),
    ] {
        assert!(restored(&there, &[damaged]).is_err());
        assert_eq!(
            said(&Store::open(&there, Options::default()).unwrap()),
            before
        );
    }
}

#[test]
fn backups_are_restored_in_their_order_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(&dir.path().join("here"));
    let (first, made) = backed_up(&store, None);
    store
        .record(&[Event::leave("room", "chat", "user-1").at(2_000)])
        .unwrap();
    let (second, made) = backed_up(&store, Some(&made));
    store
        .record(&[Event::leave("room", "chat", "user-2").at(3_000)])
        .unwrap();
    let (third, _) = backed_up(&store, Some(&made));
    let other = small(&dir.path().join("other"));
    assert!(matches!(
        other.backup(Vec::new(), Some(&made.end), |_| true),
        Err(BackupError::OtherStore)
    ));
    let mut forged = made.end.clone();
    forged.link = "0".repeat(64);
    assert!(matches!(
        store.backup(Vec::new(), Some(&forged), |_| true),
        Err(BackupError::OtherStore)
    ));
    let there = dir.path().join("there");
    let whole = backed_up(&other, None).0;
    let wrong: [&[&Vec<u8>]; 6] = [
        &[],
        &[&second],
        &[&first, &third],
        &[&first, &first],
        &[&first, &third, &second],
        &[&whole, &second],
    ];
    for backups in wrong {
        let backups: Vec<Vec<u8>> = backups.iter().map(|&backup| backup.clone()).collect();
        assert!(restored(&there, &backups).is_err());
        assert!(matches!(
            Store::open(&there, Options::default().create(false)),
            Err(rollbook::StoreError::NoSuchStore(_))
        ));
    }
    assert_eq!(restored(&there, &[first, second, third]).unwrap(), 5);
    // What was restored is another store: its history goes another way.
    let again = Store::open(&there, Options::default()).unwrap();
    again.seal(BlockSize { least: 1, most: 99 }).unwrap();
    assert!(matches!(
        again.backup(Vec::new(), Some(&made.end), |_| true),
        Err(BackupError::OtherStore)
    ));
    drop(again);
    let mut left = 2;
    let stopped = store.backup(Vec::new(), None, |_| {
        left -= 1;
        left > 0
    });
    assert!(matches!(stopped, Err(BackupError::Stopped)));
    let in_memory = Store::in_memory(Options::default()).unwrap();
    let none = in_memory.backup(Vec::new(), None, |_| true);
    assert!(matches!(none, Err(BackupError::InMemory)));
}

#[test]
fn lines_are_recorded_while_a_backup_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(&dir.path().join("here"));
    let mut bytes = Vec::new();
    let mut recorded = 0;
    let made = store.backup(&mut bytes, None, |_| {
        recorded += 1;
        let user = format!("late-{recorded}");
        store
            .record(&[Event::join("room", "chat", user).at(9_000)])
            .unwrap();
        true
    });
    assert_eq!((made.unwrap().end.seq, recorded > 1), (3, true));
    let there = dir.path().join("there");
    assert_eq!(restored(&there, &[bytes]).unwrap(), 3);
}

#[test]
fn a_restore_that_was_interrupted_is_ended_by_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (bytes, _) = backed_up(&small(&path("here")), None);
    restored(&path("new"), &[bytes]).unwrap();
    let new = said(&Store::open(path("new"), Options::default()).unwrap());
    let old = Store::open(path("old"), Options::default()).unwrap();
    old.record(&[Event::join("hall", "chat", "tony").at(5)])
        .unwrap();
    drop(old);
    let parts = ["log", "blocks", "store.json"];
    for moved in 0..=parts.len() {
        let store = path("store");
        copy(&path("old"), &store);
        copy(&path("new"), &store.join("restored"));
        for part in &parts[..moved] {
            let to = store.join(part);
            let _ = std::fs::remove_dir_all(&to);
            std::fs::rename(store.join("restored").join(part), to).unwrap();
        }
        // Whoever cannot end it does not look at parts of both.
        assert!(Store::open_read_only(&store).is_err());
        let options = Options::default().create(false);
        assert_eq!(said(&Store::open(&store, options).unwrap()), new);
        assert!(!store.join("restored").exists());
        std::fs::remove_dir_all(&store).unwrap();
        // The same in a folder in which there was no store.
        copy(&path("new"), &store.join("restored"));
        for part in &parts[..moved] {
            std::fs::rename(store.join("restored").join(part), store.join(part)).unwrap();
        }
        let options = Options::default().create(false);
        assert_eq!(said(&Store::open(&store, options).unwrap()), new);
        assert!(!store.join("restored").exists());
        std::fs::remove_dir_all(&store).unwrap();
    }
    let store = path("store");
    copy(&path("old"), &store);
    copy(&path("new"), &store.join("restoring"));
    let opened = Store::open(&store, Options::default()).unwrap();
    assert_eq!(
        (opened.head(), store.join("restoring").exists()),
        (1, false)
    );
}

#[test]
fn a_backup_of_anything_restores_nothing_or_a_whole_store() {
    use rollbook::log::archive::{ArchivePlace, ArchiveStart, ArchiveWriter};
    let dir = tempfile::tempdir().unwrap();
    let start = ArchiveStart {
        store: "no id".into(),
        format: 2,
        digest_key: "00".repeat(32),
        created_at: 0,
        made_at: 0,
        after: None,
    };
    let value = vec![7; 40];
    for position in [0, 1, u64::MAX - 1, u64::MAX] {
        for ends in [0, 1, u64::MAX - 1, u64::MAX] {
            let mut archive = ArchiveWriter::new(Vec::new(), &start).unwrap();
            archive.value(position, &value).unwrap();
            let place = ArchivePlace {
                seq: 1,
                position: ends,
                link: [0; 32],
            };
            let (bytes, _) = archive.finish(place, 1).unwrap();
            assert!(restored(&dir.path().join("there"), &[bytes]).is_err());
        }
    }
    // Damage of a backup is not called damage of the store that is there.
    let mut archive = ArchiveWriter::new(Vec::new(), &start).unwrap();
    archive.object(1, b"no block").unwrap();
    let place = ArchivePlace {
        seq: 1,
        position: 1,
        link: [0; 32],
    };
    let (bytes, _) = archive.finish(place, 2).unwrap();
    let refused = restored(&dir.path().join("there"), &[bytes]);
    assert!(
        matches!(refused, Err(RestoreError::Unsound { .. })),
        "{refused:?}"
    );
}
