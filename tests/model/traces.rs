//! Real traces: compares the members at a hundred moments, every stay and every figure with the model. The traces are
//! not in the repository: `ROLLBOOK_TRACES` names their folder. The longest one is read in part; with `ROLLBOOK_LONG`
//! it is read as a whole.

use rollbook::ingest::source::{LineText, Source};
use rollbook::ingest::{IngestOptions, ingest};
use rollbook::query::{HistoryFilter, WhoFilter};
use rollbook::{Options, Store};
use rollbook_support::model::log::{Log, Part};
use rollbook_support::model::{Model, answers, found, no_later, the_same_in};
use std::io::Write;
use std::path::Path;

/// The largest number of lines that is read of a long trace.
const LINES_MAX: usize = 40_000;

/// A store with (the first lines of) a trace, and the model of it.
fn recorded(file: &Path) -> (Store, Model) {
    let most = if std::env::var_os("ROLLBOOK_LONG").is_some() {
        usize::MAX
    } else {
        LINES_MAX
    };
    let mut taken = tempfile::NamedTempFile::new().unwrap();
    let mut source = Source::open(file).unwrap();
    for _ in 0..most {
        let Some(line) = source.next_line().unwrap() else {
            break;
        };
        let LineText::Whole(text) = line.text else {
            panic!("line {} is too long", line.number);
        };
        taken.write_all(text).unwrap();
        taken.write_all(b"\n").unwrap();
    }
    let store = Store::in_memory(Options::default()).unwrap();
    ingest(
        &store,
        Source::open(taken.path()).unwrap(),
        &IngestOptions::default(),
        &mut (),
    )
    .unwrap();
    let mut log = Log::default();
    for entry in store.history(&HistoryFilter::default()).unwrap() {
        let entry = entry.unwrap();
        let text = serde_json::to_string(&entry).unwrap();
        log.entries.push(serde_json::from_str(&text).unwrap());
    }
    (store, Model::of(log))
}

#[test]
#[ignore = "needs ROLLBOOK_TRACES"]
fn a_trace_is_answered_like_the_model() {
    let folder = rollbook_support::data("ROLLBOOK_TRACES");
    for file in [
        "i2p.jsonl",
        "qtox.jsonl.gz",
        "krijn_w3c_2012-10_lossy.jsonl.gz",
        "krijn_w3c.jsonl.gz",
    ] {
        let (store, model) = recorded(&folder.join(file));
        assert!(!model.channels.is_empty(), "{file}");
        for (name, channel) in &model.channels {
            let of_channel = || model.log.of(name).map(|entry| entry.effective_at);
            let (first, last) = (of_channel().min().unwrap(), channel.effective.unwrap());
            for step in 0..100 {
                let at = first + (last - first) / 99 * step;
                let filter = WhoFilter::at(at);
                let mut right = answers::who(&model, name, Some(at), None, false).unwrap();
                let mut answer = found(store.who(name, &filter)).unwrap();
                no_later(&answer, at);
                right["last_proof"].take();
                answer["last_proof"].take();
                assert_eq!(answer, right, "{file}: {name} --at {at}");
            }
        }
        let first = model.log.entries[0].effective_at;
        let last = model.channels.values().filter_map(|of| of.effective).max();
        for every in [None, last.map(|last| (last - first) / 50)] {
            let part = Part {
                every,
                ..Part::default()
            };
            the_same_in(&store, &model, &part);
        }
    }
}
