//! Replay of a whole log: read, checked and decoded from its first entry, and folded into rosters or the state.
//!
//! An element is an entry.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rollbook::bench::load::Load;
use rollbook::domain::Rosters;
use rollbook::domain::entry::Entry;
use rollbook::domain::names::Names;
use rollbook::domain::state::State;
use rollbook::{Options, Projection, Store};
use support::{fill, filled, size};

/// Ignores the entries, so that only reading and decoding are measured.
struct Blind(u64);

impl Projection for Blind {
    fn apply(&mut self, entry: &Entry, _names: &Names) {
        self.0 = entry.seq;
    }
}

fn replay(c: &mut Criterion) {
    let lines = size(1_000_000, 2_000);
    let load = || Load::new(2, 1_000, 100);
    let (_dir, sled) = filled(&mut load(), lines);
    let memory = Store::in_memory(Options::default()).unwrap();
    fill(&memory, &mut load(), lines);
    let mut group = c.benchmark_group("replay");
    group.sample_size(10);
    for (name, store) in [("sled", &sled), ("memory", &memory)] {
        group.throughput(Throughput::Elements(store.head()));
        group.bench_function(format!("{name}, into rosters"), |b| {
            b.iter(|| {
                let (mut rosters, mut reader) = (Rosters::new(), store.roster_entries(..).unwrap());
                while let Some((entries, _)) = reader.next_piece().unwrap() {
                    entries.iter().for_each(|entry| rosters.apply(entry));
                }
                rosters
            });
        });
        group.bench_function(format!("{name}, into the state"), |b| {
            b.iter(|| {
                let mut state = State::new();
                store.replay(.., &mut state).unwrap();
                assert_eq!(state.head(), store.head());
                state
            });
        });
        group.bench_function(format!("{name}, decoding alone"), |b| {
            b.iter(|| {
                let mut blind = Blind(0);
                store.replay(.., &mut blind).unwrap();
                assert_eq!(blind.0, store.head());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
