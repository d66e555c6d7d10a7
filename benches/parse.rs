//! Lines in memory, parsed one by one: into events, and by serde_json into a structure that has their fields and checks
//! nothing else. In Rollbook's own form, as leaves alone and with metadata and snapshots; and leaves in that of
//! Agora's JavaScript SDK.
//!
//! An element is a line.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rollbook::bench::load::Load;
use rollbook::feed::{self, Defaults};
use rollbook::replay::{LineShape, lines_of};
use std::hint::black_box;
use support::line::Line;
use support::size;

fn agora(line: &str) -> Vec<String> {
    let event = feed::parse(line.as_bytes(), &Defaults::of("default")).unwrap();
    lines_of(&event, LineShape::Agora).unwrap()
}

fn parse(c: &mut Criterion) {
    let lines = size(20_000, 200);
    let load = || Load::new(1, 1_000, 100);
    let leaves = || load().filter(|line| line.starts_with(r#"{"t":"leave""#));
    let inputs: [(&str, Vec<String>); 3] = [
        ("leaves", leaves().take(lines).collect()),
        ("the load", load().take(lines).collect()),
        (
            "Agora",
            leaves().flat_map(|line| agora(&line)).take(lines).collect(),
        ),
    ];
    let mut group = c.benchmark_group("parse");
    for (name, lines) in &inputs {
        group.throughput(Throughput::Elements(lines.len() as u64));
        let defaults = Defaults::of("default");
        each(&mut group, &format!("{name}, Rollbook"), lines, |line| {
            black_box(feed::parse(line.as_bytes(), &defaults)).unwrap();
        });
        each(&mut group, &format!("{name}, serde_json"), lines, |line| {
            black_box(serde_json::from_str::<Line<'_>>(line)).unwrap();
        });
    }
    group.finish();
}

fn each(
    group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    lines: &[String],
    parse: impl Fn(&str),
) {
    group.bench_function(name, |b| {
        b.iter(|| lines.iter().for_each(|line| parse(line)))
    });
}

criterion_group!(benches, parse);
criterion_main!(benches);
