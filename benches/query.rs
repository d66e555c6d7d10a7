//! Questions to a store in a folder: who is present, who was present, what was missed, a page of the history.
//! Channels are drawn as the load draws them, hot ones more often. Moments and places in the history are drawn
//! evenly.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rollbook::bench::load::{Load, Random};
use rollbook::query::{HistoryFilter, MissedFilter, WhoFilter};
use std::time::Duration;
use support::{filled, size};

fn query(c: &mut Criterion) {
    let channels = size(1_000, 20);
    let mut group = c.benchmark_group("query");
    group.sample_size(10).warm_up_time(Duration::from_secs(1));
    for lines in [size(100_000, 1_000), size(400_000, 2_000)] {
        let mut load = Load::new(3, channels, 100);
        let (_dir, store) = filled(&mut load, lines);
        let span = usize::try_from(load.now() - Load::FROM).unwrap();
        let mut random = Random::new(4);
        // Only channels that the log holds can be asked about.
        let mut channel = || {
            loop {
                let name = Load::channel(load.draw());
                if store.who(&name, &WhoFilter::default()).is_ok() {
                    return name;
                }
            }
        };
        let asked: Vec<String> = (0..256).map(|_| channel()).collect();
        let mut turn = 0;
        let mut next = || {
            turn += 1;
            asked[turn % asked.len()].as_str()
        };
        group.bench_function(BenchmarkId::new("who", lines), |b| {
            b.iter(|| store.who(next(), &WhoFilter::default()).unwrap());
        });
        group.bench_function(BenchmarkId::new("who at a moment", lines), |b| {
            b.iter(|| {
                let at = Load::FROM + random.below(span) as i64;
                let filter = WhoFilter::at(at);
                // At an early moment a quiet channel has no members yet: that is an answer, too.
                store.who(next(), &filter).is_ok()
            });
        });
        group.bench_function(BenchmarkId::new("missed", lines), |b| {
            b.iter(|| store.missed(next(), &MissedFilter::default()).unwrap());
        });
        for of_channel in [false, true] {
            let name = if of_channel {
                "history of a channel, 100"
            } else {
                "history, 100"
            };
            group.bench_function(BenchmarkId::new(name, lines), |b| {
                b.iter(|| {
                    let mut filter = HistoryFilter::default()
                        .after_seq(random.below(store.head() as usize) as u64)
                        .limit(100);
                    filter.channel = of_channel.then(|| next().to_owned());
                    let entries = store.history(&filter).unwrap();
                    entries.collect::<Result<Vec<_>, _>>().unwrap()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, query);
criterion_main!(benches);
