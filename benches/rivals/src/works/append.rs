//! Durable append, in batches or one by one. What a contender gets is made ready before the clock starts: parsed lines
//! for Rollbook, rows with their encoded values for the peers, frames, bytes. So the peers' time has no encoding in it,
//! and Rollbook's has deciding, reconciling, framing, compressing and chaining.

use crate::Outcome;
use crate::args::Args;
use crate::events;
use crate::figure::Figure;
use crate::own::Framer;
use crate::peers::{self, PeerBatch, PeerRow};
use crate::rows::Row;
use rollbook::bench::load::parsed;
use rollbook::store::{Batch, Ticket};
use rollbook::{Options, Store};
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

/// The number of batches that are made ready at a time.
const TURN: usize = 16;

/// The times of batches, and of all of them together.
#[derive(Default)]
struct Times {
    each: Vec<Duration>,
    all: Duration,
}

/// Runs it: `--contender`, `--layout` (of a peer: `rows`, `frames`, `bytes`) or `--in-flight` (of Rollbook),
/// `--events`, `--count`, `--batch`, `--dir`.
pub fn run(args: &Args) -> Outcome<()> {
    let (count, batch) = (args.number("--count")?, args.number("--batch")?);
    let batches = events::batches(&args.path("--events")?, count, batch)?;
    let lines = batches.iter().map(Vec::len).sum();
    let dir = args.path("--dir")?;
    let times = match args.text("--contender")? {
        "rollbook" => append_to_store(&dir, &batches, args.number("--in-flight")?)?,
        peer => append_to_peer(&dir, &batches, peer, args.text("--layout")?)?,
    };
    Figure::of(lines, times.each, times.all).print()
}

fn append_to_store(dir: &Path, batches: &[Vec<String>], in_flight: usize) -> Outcome<Times> {
    let store = Store::open(dir, Options::default())?;
    let mut times = Times::default();
    for turn in batches.chunks(TURN) {
        let ready = turn.iter().map(|lines| Ok(parsed(lines)?));
        let ready = ready.collect::<Outcome<Vec<_>>>()?;
        let start = Instant::now();
        let mut waiting = VecDeque::new();
        for batch in ready {
            if waiting.len() == in_flight {
                settle(&mut waiting, &mut times)?;
            }
            submit(&store, batch, &mut waiting)?;
        }
        while !waiting.is_empty() {
            settle(&mut waiting, &mut times)?;
        }
        times.all += start.elapsed();
    }
    store.close()?;
    Ok(times)
}

type Waiting = VecDeque<(Instant, Ticket)>;

fn submit(store: &Store, batch: Batch, waiting: &mut Waiting) -> Outcome<()> {
    waiting.push_back((Instant::now(), store.submit(batch)?));
    Ok(())
}

fn settle(waiting: &mut Waiting, times: &mut Times) -> Outcome<()> {
    if let Some((handed, ticket)) = waiting.pop_front() {
        let receipt = ticket.wait()?;
        times.each.push(handed.elapsed());
        if let Some(rejected) = receipt.rejected.first() {
            return Err(format!("a line was rejected: {}", rejected.reason).into());
        }
    }
    Ok(())
}

fn append_to_peer(dir: &Path, batches: &[Vec<String>], name: &str, layout: &str) -> Outcome<Times> {
    let framer = Framer::new()?;
    let mut peer = peers::create(name, dir)?;
    let (mut times, mut next) = (Times::default(), 1);
    for turn in batches.chunks(TURN) {
        let ready = turn.iter().map(|lines| {
            let batch = match layout {
                "rows" => PeerBatch::Rows(rows(lines, next)?),
                "frames" => PeerBatch::Frames(framer.frames(lines)?),
                "bytes" => PeerBatch::Bytes((lines.join("\n") + "\n").into_bytes()),
                other => return Err(format!("there is no layout {other}").into()),
            };
            next += lines.len() as u64;
            Ok(batch)
        });
        for batch in ready.collect::<Outcome<Vec<_>>>()? {
            let start = Instant::now();
            peer.append(&batch)?;
            let took = start.elapsed();
            times.each.push(took);
            times.all += took;
        }
    }
    peer.close()?;
    Ok(times)
}

fn rows(lines: &[String], first: u64) -> Outcome<Vec<PeerRow<'_>>> {
    let rows = (first..).zip(lines).map(|(number, line)| {
        let row = Row::of(line)?;
        Ok(PeerRow {
            number,
            value: row.value(),
            index: row.index_key(number),
            row,
        })
    });
    rows.collect()
}
