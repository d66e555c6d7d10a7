//! Any bytes as parts of a checkpoint. What can be read is written and read again. A store that is opened with these
//! parts, or without them, opens and answers.

use crate::engine::{holding, values};
use rollbook::care::VerifyDepth;
use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Rules};
use rollbook::domain::event::Event;
use rollbook::domain::names::Names;
use rollbook::domain::resolve::resolve;
use rollbook::domain::state::State;
use rollbook::ingest::{IngestOptions, ingest, source::Source};
use rollbook::log::checkpoint;
use rollbook::log::engine::KeyValues;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::query::{HistoryFilter, SessionFilter, StatsFilter, WhoFilter};
use rollbook::{Options, Store};
use std::io::Cursor;
use std::sync::{Arc, LazyLock};

/// The first byte says which part the other bytes are.
pub fn checkpoints(bytes: &[u8]) {
    let Some((&kind, part)) = bytes.split_first() else {
        return;
    };
    match kind % 6 {
        0 => index(part),
        1 => trunk(part),
        2 => channel(part),
        3 => retries(part),
        5 => tombstones(part),
        _ => {}
    }
    is_opened(kind, part);
}

fn index(part: &[u8]) {
    if let Ok(index) = checkpoint::index_from_bytes(part) {
        let written = checkpoint::index_to_bytes(index.clone(), &index.sources()).unwrap();
        assert_eq!(checkpoint::index_from_bytes(&written).unwrap(), index);
    }
}

fn retries(part: &[u8]) {
    if let Ok(ids) = checkpoint::retries_from_bytes(part) {
        let written = checkpoint::retries_to_bytes(&ids).unwrap();
        assert_eq!(checkpoint::retries_from_bytes(&written).unwrap(), ids);
    }
}

fn trunk(part: &[u8]) {
    let (mut state, mut names) = (State::new(), Names::new());
    if checkpoint::trunk_from_bytes(part, &mut state, &mut names).is_ok() {
        let written = checkpoint::trunk_to_bytes(&state, &names).unwrap();
        checkpoint::finish(&mut state);
        let described = state.describe(&names);
        let (mut state, mut names) = (State::new(), Names::new());
        checkpoint::trunk_from_bytes(&written, &mut state, &mut names).unwrap();
        assert_eq!(state.describe(&names), described);
    }
}

fn channel(part: &[u8]) {
    let read = |part: &[u8]| {
        let (mut state, mut names) = (Default::default(), Names::new());
        let name = checkpoint::channel_from_bytes(part, &mut state, &mut names).ok()?;
        checkpoint::finish(&mut state);
        Some((state, names, name))
    };
    if let Some((state, names, name)) = read(part) {
        let written = checkpoint::channel_to_bytes(&state, name, &names).unwrap();
        let (again, again_names, _) = read(&written.unwrap()).unwrap();
        assert_eq!(again.describe(&again_names), state.describe(&names));
    }
}

/// Tombstones of the channel "a", which has nothing else.
fn tombstones(part: &[u8]) {
    let read = |part: &[u8]| {
        let (mut state, mut names) = (State::new(), Names::new());
        let join = Event::join("a", "t", "ann").at(1);
        let resolved = resolve(&join, &mut names);
        if let Ok(Commit::Entries(entries)) =
            decide(&state, &names, &resolved, &Rules::default(), 1)
        {
            entries.iter().for_each(|entry| state.apply(entry, &names));
        }
        checkpoint::tombstones_from_bytes(part, &mut state, &mut names).ok()?;
        checkpoint::finish(&mut state);
        Some((state, names))
    };
    if let Some((state, names)) = read(part) {
        let name = names.find("a").unwrap();
        if let Some(written) = checkpoint::tombstones_to_bytes(&state, name, &names).unwrap() {
            let (again, again_names) = read(&written).unwrap();
            assert_eq!(again.describe(&again_names), state.describe(&names));
        }
    }
}

/// Lines for everything that a checkpoint holds: members, tombstones, gaps, ids, unfinished pages and differences.
const LINES: &str = r#"{"t":"snapshot","channel":"a","topics":{"t":[{"user":"ann","meta":{"k":1}},{"user":"bob"}]},"ts":1000,"id":"1"}
{"t":"join","channel":"a","topic":"u","user":"cy","conn":"k","meta":"x","ts":1100,"pos":[7,0],"id":"2"}
{"t":"leave","channel":"a","topic":"t","user":"bob","ts":1200,"late_ms":50}
{"t":"link","state":"down","channels":["a"],"ts":1300}
{"t":"join","channel":"a","topic":"t","user":"dan","ts":1250,"observer":"o2"}
{"t":"link","state":"up","channels":["a"],"resync":"differences","ts":1400}
{"t":"join","channel":"a","topic":"t","user":"eve","ts":1450,"meta":null}
{"t":"snapshot","channel":"b","topics":{"t":[{"user":"ann"}]},"incomplete":true,"ts":1500,"observer":"o2"}
{"t":"snapshot","channel":"b","topics":{"t":[{"user":"ann"}],"u":[{"user":"bob"}]},"ts":1600,"observer":"o2"}
{"t":"snapshot_begin","channel":"b","sync":"s","ts":1700,"observer":"o2","self":"ann","id":"3"}
{"t":"snapshot_page","channel":"b","sync":"s","topics":{"t":[{"user":"cy","meta":[2]}],"v":[]},"observer":"o2"}
{"t":"leave","channel":"b","topic":"t","user":"ann","ts":1750}
{"t":"token","state":"renewed","channel":"b","ts":1800}
no line
"#;

/// The values of a log, and its keys with their values.
type Kept = (Vec<Vec<u8>>, Vec<(Vec<u8>, Vec<u8>)>);

/// The log and the key values of a store that has recorded these lines.
static KEPT: LazyLock<Kept> = LazyLock::new(|| {
    let journal = Arc::new(MemoryJournal::new());
    let store = open(&journal);
    take(&store);
    drop(store);
    let log = values(&journal);
    let keys = journal.keys(b"").unwrap().into_iter();
    let shelf = keys.map(|key| {
        let value = journal.lookup(&key).unwrap().unwrap();
        (key, value)
    });
    (log, shelf.collect())
});

/// The journal of that store.
fn kept() -> Arc<MemoryJournal> {
    let (log, shelf) = &*KEPT;
    let journal = holding(log);
    for (key, value) in shelf {
        journal.put(key, value).unwrap();
    }
    journal
}

fn open(journal: &Arc<MemoryJournal>) -> Store {
    let options = Options::default().clock(|| 1_800_000_000_000);
    Store::on(Box::new(Arc::clone(journal)), options).unwrap()
}

fn take(store: &Store) {
    let source = Source::from_reader("lines", Cursor::new(LINES)).unwrap();
    ingest(store, source, &IngestOptions::default(), &mut ()).unwrap();
}

/// Opens a store whose checkpoint has this part in place of its own, with the right checksum.
fn is_opened(kind: u8, part: &[u8]) {
    let journal = kept();
    let prefix = match kind % 6 {
        0 | 1 => "trunk",
        2 => "part",
        3 => "retry",
        5 => "gone",
        _ => "said",
    };
    for key in journal.keys(prefix.as_bytes()).unwrap() {
        let value = if kind % 6 == 1 {
            let shelved = journal.lookup(&key).unwrap().unwrap();
            let Ok(mut index) = checkpoint::index_from_bytes(&shelved[36..]) else {
                continue;
            };
            let sources = index.sources();
            index.trunk = part.to_vec();
            checkpoint::index_to_bytes(index, &sources).unwrap()
        } else {
            part.to_vec()
        };
        let sum = blake3::hash(&value);
        let count = 1 + u32::from(kind >> 6);
        let whole = [sum.as_bytes(), &count.to_be_bytes()[..], &value].concat();
        journal.put(&key, &whole).unwrap();
    }
    let store = open(&journal);
    is_asked(&store);
    take(&store);
    is_asked(&store);
}

/// Asks every kind of question; the answers do not matter.
fn is_asked(store: &Store) {
    assert!(!store.described().unwrap().is_empty());
    assert!(store.as_of(None, None, |state, _| state.head()).unwrap() > 0);
    for channel in ["a", "b"] {
        let _ = store.who(channel, &WhoFilter::default());
        let _ = store.gaps(channel);
        let _ = store.missed(channel, &Default::default());
    }
    let _ = store.channels();
    let _ = store.stats(&StatsFilter::default());
    let _ = store
        .sessions(&SessionFilter::default())
        .map(Iterator::count);
    let _ = store
        .history(&HistoryFilter::default())
        .map(Iterator::count);
    let _ = store.verify(VerifyDepth::Deep, |_| {});
}

/// A first corpus, each file with its path: the parts that the store has kept.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (n, (key, value)) in KEPT.1.iter().enumerate() {
        let kind = if key.starts_with(b"trunk") {
            0u8
        } else if key.starts_with(b"part") {
            2
        } else if key.starts_with(b"retry") {
            3
        } else if key.starts_with(b"gone") {
            5
        } else {
            4
        };
        let mut seed = |kind: u8, part: &[u8]| {
            let path = format!("checkpoints/seed-{kind}-{n}");
            seeds.push((path, [&[kind], part].concat()));
        };
        seed(kind, &value[36..]);
        if kind == 0 {
            let index = checkpoint::index_from_bytes(&value[36..]).unwrap();
            seed(1, &index.trunk);
        }
    }
    let frames = KEPT.0.iter().enumerate();
    seeds.extend(frames.map(|(n, value)| {
        let path = format!("frames/seed-log-{n}");
        (path, [&[0], &value[36..]].concat())
    }));
    seeds
}
