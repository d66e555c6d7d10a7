//! Lines in memory, parsed one by one: by the project's own scanner into an event, and by others into a structure that has the
//! fields of these lines and borrows what it can. The others check nothing else: no limits, no names of fields twice, no times.

use crate::Outcome;
use crate::args::Args;
use crate::figure::Figure;
use line::Line;
use rollbook::feed::{self, Defaults};
use std::hint::black_box;
use std::time::Instant;

#[path = "../../../support/line.rs"]
mod line;

/// Runs it: `--contender`, `--events`.
pub fn run(args: &Args) -> Outcome<()> {
    let text = std::fs::read_to_string(args.path("--events")?)?;
    let lines: Vec<&str> = text.lines().collect();
    let defaults = Defaults::of("default");
    let start = Instant::now();
    match args.text("--contender")? {
        "rollbook" => each(&lines, |line| Ok(feed::parse(line.as_bytes(), &defaults)?))?,
        "serde_json" => each(&lines, |line| Ok(serde_json::from_str::<Line<'_>>(line)?))?,
        "simd-json" => simd_json_each(&lines)?,
        "sonic-rs" => each(&lines, |line| Ok(sonic_rs::from_str::<Line<'_>>(line)?))?,
        other => return Err(format!("{other} parses nothing here").into()),
    }
    let took = start.elapsed();
    Figure::of(lines.len(), vec![took], took).print()
}

fn each<'a, T>(lines: &[&'a str], parse: impl Fn(&'a str) -> Outcome<T>) -> Outcome<()> {
    for line in lines {
        black_box(parse(line)?);
    }
    Ok(())
}

/// It writes into the text, which the others need not copy. The buffers are made once.
fn simd_json_each(lines: &[&str]) -> Outcome<()> {
    let (mut bytes, mut buffers) = (Vec::new(), simd_json::Buffers::default());
    for line in lines {
        bytes.clear();
        bytes.extend_from_slice(line.as_bytes());
        let parsed =
            simd_json::serde::from_slice_with_buffers::<Line<'_>>(&mut bytes, &mut buffers);
        black_box(parsed?);
    }
    Ok(())
}
