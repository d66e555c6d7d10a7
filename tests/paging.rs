//! Pages of the history: a client that continues after the last entry of a page gets every entry once and in order,
//! also while the log grows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::Store;
use rollbook::ingest::IngestOptions;
use rollbook::query::HistoryFilter;
use rollbook_support as support;
use std::sync::atomic::{AtomicBool, Ordering};

/// The seqs of one page after `after_seq`.
fn page(store: &Store, channel: Option<&str>, after_seq: u64, limit: u64) -> Vec<u64> {
    let mut filter = HistoryFilter::default().after_seq(after_seq).limit(limit);
    filter.channel = channel.map(str::to_owned);
    let seqs = store.history(&filter).unwrap().map(Result::unwrap);
    seqs.map(|entry| entry.seq).collect()
}

/// Reads all pages, until a page is empty that was read after the last write.
fn pages(store: &Store, channel: Option<&str>, limit: u64, over: &AtomicBool) -> Vec<u64> {
    let mut seqs = Vec::new();
    loop {
        let last = over.load(Ordering::SeqCst);
        let page = page(store, channel, seqs.last().copied().unwrap_or(0), limit);
        assert!(page.len() as u64 <= limit);
        if page.is_empty() && last {
            return seqs;
        }
        seqs.extend(page);
    }
}

/// Some lines of two channels, with link lines that affect both.
fn lines(round: i64) -> String {
    let at = 1_700_000_000_000 + round * 1_000;
    let join = |channel: &str, user: i64| {
        format!(r#"{{"t":"join","channel":"{channel}","topic":"t","user":"u{user}","ts":{at}}}"#)
    };
    let link = |state: &str| format!(r#"{{"t":"link","state":"{state}","ts":{at}}}"#);
    let snapshot = format!(
        r#"{{"t":"snapshot","channel":"a","topics":{{"t":[{{"user":"u{round}"}}]}},"ts":{at}}}"#
    );
    [
        join("a", round),
        join("b", round),
        link("down"),
        link("up"),
        snapshot,
    ]
    .join("\n")
}

#[test]
fn who_pages_while_the_log_grows_gets_every_entry_once() {
    let store = support::store_of(&lines(0));
    let over = AtomicBool::new(false);
    let readers = [(None, 7), (Some("a"), 3), (Some("b"), 100)];
    let read = std::thread::scope(|threads| {
        let readers = readers.map(|(channel, limit)| {
            let (store, over) = (&store, &over);
            threads.spawn(move || pages(store, channel, limit, over))
        });
        for round in 1..60 {
            support::take(&store, &lines(round), &IngestOptions::default());
        }
        over.store(true, Ordering::SeqCst);
        readers.map(|reader| reader.join().unwrap())
    });
    for (seqs, (channel, _)) in read.iter().zip(readers) {
        assert_eq!(*seqs, page(&store, channel, 0, u64::MAX), "{channel:?}");
    }
    assert_eq!(read[0], (1..=store.head()).collect::<Vec<_>>());
}
