//! `bench`: that it runs, and that its answer has every figure. The values of the figures are not tested.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::bench::{BenchError, BenchEvent, Figure, Sizes, Work, bench};
use rollbook::store::Durability;
use rollbook_support::program::{self, folder};

const TINY: Sizes = Sizes {
    single_lines: 5,
    batches: 3,
    batch_lines: 20,
    channels: 5,
    publishers: 300,
    snapshots: 2,
    replays: 1,
    questions: 5,
    moments: 4,
};

fn sound(work: &Work) {
    for latency in [Some(work.latency), work.bare_latency].iter().flatten() {
        assert!(work.per_second > 0.0 && latency.p50_us > 0.1, "{work:?}");
        assert!(latency.p50_us <= latency.p999_us, "{work:?}");
        assert!(latency.p999_us <= latency.max_us, "{work:?}");
    }
}

#[test]
fn every_figure_is_told_when_it_is_taken_and_nothing_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (mut begun, mut figures) = (Vec::new(), Vec::<Figure>::new());
    let mut onlooker = |news: BenchEvent<'_>| {
        match news {
            BenchEvent::Begins(_) => begun.push(figures.len()),
            BenchEvent::Measured(figure) => figures.push(*figure),
        }
        true
    };
    bench(dir.path(), &TINY, Durability::None, &mut onlooker).unwrap();
    // Each work begins after the figures of the earlier ones were reported.
    assert_eq!(begun, [0, 1, 2, 3, 5, 7, 9, 10, 11]);
    let works: Vec<(&str, u64, bool)> = figures
        .iter()
        .map(|figure| &figure.work)
        .map(|work| (&*work.work, work.count, work.bare_per_second.is_some()))
        .collect();
    let (sealed, replayed) = (works[2].1, works[3].1);
    assert!(0 < sealed && sealed < replayed, "all but the last frame");
    assert!(
        replayed >= 65,
        "each line makes an entry or more: {replayed}"
    );
    assert_eq!(
        works,
        [
            ("append one by one", 5, true),
            ("append in batches of 20", 60, true),
            ("seal into blocks", sealed, false),
            ("replay into rosters", replayed, false),
            ("replay into the state", replayed, false),
            ("stats of all channels", replayed, false),
            ("sessions of all channels", replayed, false),
            ("who, at the head", 5, false),
            ("who, at random moments", 4, false),
            ("ingest a file of JSON lines", 60, true),
            ("open a sealed store", 1, false),
            ("reconcile 300 publishers, 1 % changed", 2, false),
            ("reconcile 300 publishers, 1 % changed, durably", 2, true),
        ]
    );
    for figure in &figures {
        sound(&figure.work);
    }
    let bytes = |at: usize| figures[at].work.bytes_each.unwrap();
    assert!(
        bytes(2) > 0.1 && bytes(9) > 0.1,
        "of blocks, and of a store"
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn it_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mut left = 2;
    let mut onlooker = |_: BenchEvent<'_>| {
        left -= 1;
        left > 0
    };
    let stopped = bench(dir.path(), &TINY, Durability::None, &mut onlooker);
    assert!(matches!(stopped, Err(BenchError::Stopped)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[cfg(all(feature = "client", feature = "server"))]
#[test]
fn lines_are_timed_on_their_way_through_a_server() {
    use rollbook::bench::{LineFlow, live};
    let dir = tempfile::tempdir().unwrap();
    let flow = LineFlow {
        per_second: 200,
        lines: 300,
    };
    let mut figures = Vec::new();
    let mut onlooker = |news: BenchEvent<'_>| {
        if let BenchEvent::Measured(figure) = news {
            figures.push(*figure);
        }
        true
    };
    live(dir.path(), &flow, Durability::None, &mut onlooker).unwrap();
    let works: Vec<(&str, u64)> = figures
        .iter()
        .map(|figure| (&*figure.work.work, figure.work.count))
        .collect();
    assert_eq!(
        works,
        [
            ("line to acknowledgement, 200 a second, none", 300),
            ("line to subscriber, 200 a second, none", 300)
        ]
    );
    for figure in &figures {
        sound(&figure.work);
        assert!(figure.work.bare_latency.is_some());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn from_the_outside() {
    let folder = folder!();
    let args = ["bench", "--quick", "--durability", "none", "--format"];
    let figures = folder.run(&[&args[..], &["jsonl"]].concat()).ok().lines();
    assert_eq!(figures.len(), 13);
    for figure in figures {
        assert_eq!(figure["durability"], "none");
        assert!(figure["machine"]["cores"].as_u64().unwrap() > 0);
        assert!(figure["latency"]["max_us"].as_f64().unwrap() > 0.0);
    }
    assert!(!folder.path("store").exists());
    folder.run(&["bench", "--dir", "nowhere"]).fails(1);
}

#[cfg(all(feature = "client", feature = "server"))]
#[test]
fn live_from_the_outside() {
    let folder = folder!();
    let args = ["bench", "--live", "--quick"];
    let mut command = folder.program(&[&args[..], &["--format", "table"]].concat());
    command.env("COLUMNS", "200");
    let table = program::run(command).ok();
    for word in [
        "line to acknowledgement, 1000 a second, power",
        "line to subscriber, 1000 a second, power",
        "line to subscriber, 1000 a second, none",
        "a bare file",
        "p99.9",
        "max",
    ] {
        assert!(table.out.contains(word), "{table:?}");
    }
}
