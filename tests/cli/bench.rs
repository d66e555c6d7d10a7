//! `bench`: that it runs, and that its answer has every figure; not what the figures are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use crate::program;
use program::Folder;
use rollbook::bench::{BenchError, Sizes, bench};
use rollbook::store::Durability;

const TINY: Sizes = Sizes {
    single_lines: 5,
    batches: 3,
    batch_lines: 20,
    channels: 5,
    publishers: 300,
    snapshots: 2,
    replays: 1,
    questions: 5,
};

#[test]
fn every_work_has_its_figures_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let mut progress = |work: &str| {
        told.push(work.to_owned());
        true
    };
    let done = bench(dir.path(), &TINY, Durability::None, &mut progress).unwrap();
    let works: Vec<(&str, u64, bool)> = done
        .works
        .iter()
        .map(|work| (&*work.work, work.count, work.bare_per_second.is_some()))
        .collect();
    let replayed = works[2].1;
    assert!(
        replayed >= 65,
        "each line makes an entry or more: {replayed}"
    );
    assert_eq!(
        works,
        [
            ("append one by one", 5, true),
            ("append in batches of 20", 60, true),
            ("replay into rosters", replayed, false),
            ("who, at the head", 5, false),
            ("who, at random moments", 5, false),
            ("reconcile 300 publishers, 1 % changed", 2, false),
            ("reconcile 300 publishers, 1 % changed, durably", 2, true),
        ]
    );
    for work in &done.works {
        let latency = work.latency;
        assert!(work.per_second > 0.0 && latency.p50_us > 0.1, "{work:?}");
        assert!(latency.p50_us <= latency.p999_us, "{work:?}");
    }
    assert_eq!(told.len(), 5);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn it_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mut left = 2;
    let mut progress = |_: &str| {
        left -= 1;
        left > 0
    };
    let stopped = bench(dir.path(), &TINY, Durability::None, &mut progress);
    assert!(matches!(stopped, Err(BenchError::Stopped)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn from_the_outside() {
    let folder = Folder::new();
    let args = ["bench", "--quick", "--durability", "none", "--format"];
    let json = folder.run(&[&args[..], &["jsonl"]].concat()).ok();
    let answer = json.line();
    assert_eq!(answer["durability"], "none");
    assert_eq!(answer["works"].as_array().unwrap().len(), 7);
    assert!(answer["machine"]["cores"].as_u64().unwrap() > 0);
    assert!(!folder.path("store").exists());
    folder.run(&["bench", "--dir", "nowhere"]).fails(1);
}
