//! Any bytes as blocks, as a base and as backups, with right checksums. Reading gives an error or what is in them; a log that has
//! such an object opens, answers and is verified, or is refused; a backup restores a whole store, or nothing.

use super::object::{Fit, Object};
use crate::parts::Parts;
use rollbook::care::{VerifyDepth, restore};
use rollbook::domain::names::Names;
use rollbook::log::archive::ArchiveReader;
use rollbook::log::block::{BaseObject, Block, Blocks};
use rollbook::log::eraser::Eraser;
use rollbook::log::frame::{Check, ReadScope, channel_hash};
use rollbook::log::read::Log;
use rollbook::query::{HistoryFilter, SessionFilter, StatsFilter, WhoFilter};
use rollbook::store::{Backup, BlockSize};
use rollbook::{Event, Options, Store};
use std::sync::{Arc, LazyLock};

/// The first byte says what the other bytes are.
pub fn blocks(bytes: &[u8]) {
    let Some((&how, rest)) = bytes.split_first() else {
        return;
    };
    let fit = match how >> 4 & 3 {
        0 => Fit::Lengths,
        1 => Fit::Stored,
        _ => Fit::Nothing,
    };
    match how % 4 {
        0 => is_read(rest),
        1 => is_in_log(Object::of_seed(rest).block(fit)),
        2 => is_in_log(Object::of_seed(rest).base(fit)),
        _ => is_backup(&super::object::archive(rest)),
    }
}

/// The bytes as they are.
fn is_read(bytes: &[u8]) {
    let _ = Block::erase(bytes, &eraser());
    let _ = BaseObject::read(bytes.to_vec()).and_then(|base| base.content());
    is_backup(bytes);
}

fn eraser() -> Eraser {
    Eraser::new("ann", None, [7; 32])
}

/// An object, with its number, in the place of one that a log has.
fn is_in_log((number, object): (u64, Vec<u8>)) {
    match number {
        0 => {
            if let Ok(base) = BaseObject::read(object.clone()) {
                let _ = base.content();
                if let Ok(Some((erased, _))) = base.erase(&eraser()) {
                    BaseObject::read(erased).unwrap().content().unwrap();
                }
            }
        }
        _ => {
            if let Ok(Some((erased, _))) = Block::erase(&object, &eraser()) {
                Block::erase(&erased, &eraser()).unwrap();
            }
        }
    }
    let (pruned, whole) = &*KEPT;
    for kept in [whole, pruned] {
        if !kept.numbers().contains(&number) {
            continue;
        }
        let parts = kept.copied();
        parts.put(number, &object);
        is_gone_through(&parts);
        is_asked(&parts);
    }
}

fn is_gone_through(parts: &Parts) {
    let Ok(blocks) = Blocks::open(Box::new(Arc::clone(&parts.objects))) else {
        return;
    };
    let Ok(log) = Log::open(Box::new(Arc::clone(&parts.engine)), blocks) else {
        return;
    };
    let (blocks, end) = (log.blocks(), parts.numbers().into_iter().max().unwrap_or(0));
    for channel in [None, Some("a")] {
        for check in [Check::Form, Check::Chain] {
            let mut frames = log.frames(blocks.begin(), end.saturating_add(40));
            while let Ok(Some(frame)) = frames.next_frame() {
                let hash = channel.map(channel_hash);
                let _ = frame.reaches_back_to(hash);
                let position = frame.position();
                let (_, bytes) = frame.into_parts();
                let mut names = Names::new();
                let scope = ReadScope {
                    channel,
                    ..ReadScope::all(check)
                };
                if let Ok(mut records) = bytes.open(blocks, position, scope) {
                    while let Ok(Some(_)) = records.next(&mut names) {}
                }
            }
        }
    }
    let hash = channel_hash("a");
    if let Some(block) = blocks.with_state(hash, u64::MAX) {
        let _ = blocks.state(&block, hash);
    }
}

/// Asks every kind of question; the answers do not matter.
fn is_asked(parts: &Parts) {
    let Ok(store) = parts.store(options()) else {
        return;
    };
    let _ = store.verify(VerifyDepth::Deep, |_| {});
    let _ = store.who("a", &WhoFilter::default());
    let filter = WhoFilter::at(2_000);
    let _ = store.who("a", &filter);
    let _ = store.missed("a", &Default::default());
    let _ = store.stats(&StatsFilter::default());
    let sessions = store.sessions(&SessionFilter::default());
    let _ = sessions.map(Iterator::count);
    let history = store.history(&HistoryFilter::default());
    let _ = history.map(Iterator::count);
    let _ = store.record(&[Event::join("a", "t", "new").at(9_000)]);
    let _ = store.seal(BlockSize { least: 1, most: 4 });
    let _ = store.prune_some(i64::MAX, 2);
}

/// A backup restores what verifies, or nothing.
fn is_backup(bytes: &[u8]) {
    let Ok(mut archive) = ArchiveReader::new(bytes) else {
        return;
    };
    while let Ok(Some(_)) = archive.next_item() {}
    if Backup::read(bytes).is_err() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there");
    if restore(&there, [Ok(bytes)], false).is_ok() {
        let store = Store::open(&there, options().create(false)).unwrap();
        let verified = store.verify(VerifyDepth::Form, |_| {}).unwrap();
        assert!(verified.ok, "{verified:?}");
    }
}

fn options() -> Options {
    Options::default().clock(|| 1_800_000_000_000)
}

/// Lines for much of what a block has, with few words.
const LINES: &str = r#"{"t":"snapshot","channel":"a","topics":{"t":[{"user":"ann","meta":{"k":1}},{"user":"bob"}]},"ts":1000,"id":"1"}
{"t":"join","channel":"a","topic":"u","user":"cy","conn":"k","meta":"x","ts":1100,"pos":[7,0],"id":"2"}
{"t":"leave","channel":"a","topic":"t","user":"bob","ts":1200,"late_ms":50}
no line of ann
{"t":"link","state":"down","channels":["a"],"ts":1300}
{"t":"join","channel":"b","topic":"t","user":"dan","ts":1250,"observer":"o2"}
{"t":"link","state":"up","channels":["a"],"resync":"differences","ts":1400}
{"t":"join","channel":"a","topic":"t","user":"eve","ts":1450,"meta":null}
{"t":"snapshot_begin","channel":"b","sync":"s","ts":1700,"observer":"o2","self":"ann","id":"3"}
{"t":"snapshot_page","channel":"b","sync":"s","topics":{"t":[{"user":"cy","meta":[2]}],"v":[]},"observer":"o2"}
{"t":"token","state":"renewed","channel":"b","ts":1800}
{"t":"leave","channel":"a","topic":"u","user":"cy","conn":"k","ts":1900}"#;

/// A log with a base, and one with all of its blocks.
static KEPT: LazyLock<(Parts, Parts)> = LazyLock::new(|| {
    let parts = Parts::default();
    let store = parts.store(options()).unwrap();
    for line in LINES.lines() {
        crate::take(&store, line, &Default::default());
    }
    store.seal(BlockSize { least: 1, most: 5 }).unwrap();
    store.close().unwrap();
    let whole = parts.copied();
    store.prune_some(i64::MAX, 4).unwrap();
    drop(store);
    (parts.copied(), whole)
});

/// A first corpus, each file with its path: the objects of these logs, and backups of such a store.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let (pruned, whole) = &*KEPT;
    for (of, kept) in [("pruned", pruned), ("whole", whole)] {
        for number in kept.numbers() {
            let object = Object::of_object(&kept.object(number).unwrap(), number == 0).seed();
            let how = if number == 0 { 2 } else { 1 };
            let path = format!("blocks/seed-{of}-{number}");
            seeds.push((path, [&[how], &*object].concat()));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), options()).unwrap();
    for line in LINES.lines() {
        crate::take(&store, line, &Default::default());
    }
    store.seal(BlockSize { least: 1, most: 5 }).unwrap();
    let mut backup = Vec::new();
    store.backup(&mut backup, None, |_| true).unwrap();
    let items = super::object::archive_seed(&backup);
    seeds.push(("blocks/seed-backup".into(), [&[3], &*items].concat()));
    seeds
}
