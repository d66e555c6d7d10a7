//! Reconciliation of a snapshot of a whole channel. Of the channel 1 % has changed: a third each of leaves, updates
//! and joins. Names are borrowed from the snapshot's line, which lists them in the order of the snapshot before it or
//! in another. Looking up names, deciding and applying are measured; nothing is stored.
//!
//! An element is a publisher that the snapshot lists. The time per element should be the same at every size.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rollbook::bench::load::Crowd;
use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Entry, Rules};
use rollbook::domain::event::Event;
use rollbook::domain::names::Names;
use rollbook::domain::resolve::resolve;
use rollbook::domain::state::State;
use support::size;

const FROM: i64 = 1_700_000_000_000;
const NOW: i64 = 1_800_000_000_000;

fn decided(state: &State, names: &mut Names, event: &Event<'_>) -> Vec<Entry> {
    let resolved = resolve(event, names);
    match decide(state, names, &resolved, &Rules::default(), NOW).unwrap() {
        Commit::Entries(entries) => entries,
        other => panic!("a snapshot is entries: {other:?}"),
    }
}

fn take(state: &mut State, names: &mut Names, event: &Event<'_>) -> usize {
    let entries = decided(state, names, event);
    for entry in &entries {
        state.apply(entry, names);
    }
    entries.len()
}

fn reconcile(c: &mut Criterion) {
    let mut group = c.benchmark_group("reconcile");
    for publishers in [20_000, 40_000, 80_000, 100_000] {
        let publishers = size(publishers, publishers / 100);
        let crowd = Crowd::new(publishers);
        let first = crowd.snapshot(false, false, FROM);
        group.throughput(Throughput::Elements(publishers as u64));
        for (order, shuffled) in [("", false), (", in another order", true)] {
            let mut events = [false, true].map(|second| crowd.snapshot(second, shuffled, FROM));
            let (mut names, mut state) = (Names::new(), State::new());
            assert_eq!(take(&mut state, &mut names, &first), 1 + publishers);
            let mut turn = 1;
            let id = BenchmarkId::new(format!("decide and apply{order}"), publishers);
            group.bench_function(id, |b| {
                b.iter(|| {
                    // Both snapshots in turn: each differs from the one before it by the same 1 %.
                    let event = &mut events[turn % 2];
                    event.stamp.ts = Some(FROM + turn as i64);
                    turn += 1;
                    let entries = take(&mut state, &mut names, event);
                    assert_eq!(entries, 1 + 3 * (crowd.changed()));
                });
            });
        }
        group.bench_function(BenchmarkId::new("the first snapshot", publishers), |b| {
            b.iter_batched_ref(
                || (State::new(), Names::new()),
                |(state, names)| take(state, names, &first),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, reconcile);
criterion_main!(benches);
