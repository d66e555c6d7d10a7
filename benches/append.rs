//! Durable append, from parsed events to receipts: `decide`, reconciliation, framing, chain and sync included. In the
//! same run and on the same lines it measures a limit that no log can beat: the bytes of the lines appended to a bare
//! file, with a CRC32C and one fdatasync for each batch.
//!
//! An element is a line. The stores and the file grow from one sample to the next, as in real use.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rollbook::bench::load::Load;
use rollbook::store::{Batch, Durability, Ticket};
use rollbook::{Options, Store};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};
use support::{BATCH, folder, parsed, size};

/// How many batches are made at a time, outside the measured time.
const READY: u64 = 8;
/// How many batches are submitted before the first receipt is awaited.
const IN_FLIGHT: usize = 4;

fn load() -> Load {
    Load::new(1, 1_000, 100)
}

/// Times `iters` batches of `lines` lines. The time of `work` counts, the time of `make` does not.
fn timed<T>(
    iters: u64,
    load: &mut Load,
    lines: usize,
    make: impl Fn(&[String]) -> T,
    mut work: impl FnMut(Vec<T>),
) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = iters;
    while left > 0 {
        let count = left.min(READY);
        left -= count;
        let ready = (0..count)
            .map(|_| make(&load.take(lines).collect::<Vec<_>>()))
            .collect();
        let start = Instant::now();
        work(ready);
        spent += start.elapsed();
    }
    spent
}

fn to_store(store: &Store, batches: Vec<Batch>, in_flight: usize) {
    let mut tickets: VecDeque<Ticket> = VecDeque::new();
    for batch in batches {
        if tickets.len() == in_flight {
            tickets.pop_front().unwrap().wait().unwrap();
        }
        tickets.push_back(store.submit(batch).unwrap());
    }
    for ticket in tickets {
        ticket.wait().unwrap();
    }
}

fn to_file(file: &mut File, batches: Vec<Vec<u8>>) {
    for mut batch in batches {
        let sum = crc32c::crc32c(&batch);
        batch.extend_from_slice(&sum.to_le_bytes());
        file.write_all(&batch).unwrap();
        file.sync_data().unwrap();
    }
}

fn bytes(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| line.bytes().chain([b'\n']))
        .collect()
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    group.sample_size(10);
    for lines in [1, size(BATCH, 50)] {
        group.throughput(Throughput::Elements(lines as u64));
        for (name, durability, in_flight) in [
            ("sled, power", Durability::Power, 1),
            ("sled, power, 4 in flight", Durability::Power, IN_FLIGHT),
            ("sled, none", Durability::None, IN_FLIGHT),
        ] {
            let dir = folder();
            let options = Options::default().durability(durability);
            let store = Store::open(dir.path(), options).unwrap();
            let mut load = load();
            support::fill(&store, &mut load, size(20 * BATCH, 50));
            group.bench_function(BenchmarkId::new(name, lines), |b| {
                b.iter_custom(|iters| {
                    timed(iters, &mut load, lines, parsed, |ready| {
                        to_store(&store, ready, in_flight)
                    })
                });
            });
        }
        let dir = folder();
        let mut file = File::create(dir.path().join("bare")).unwrap();
        let mut load = load();
        group.bench_function(BenchmarkId::new("bare file", lines), |b| {
            b.iter_custom(|iters| {
                timed(iters, &mut load, lines, bytes, |ready| {
                    to_file(&mut file, ready)
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);
