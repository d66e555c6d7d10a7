//! The measured works of a store: durable append, replay, reconciliation, questions.

use super::bare::Bare;
use super::clock::LatencyRecorder;
use super::load::{self, Crowd, Load, Random};
use super::{BenchError, BenchRun, Sizes, Work};
use crate::domain::decide::decide;
use crate::domain::entry::{Commit, Rules};
use crate::domain::names::Names;
use crate::domain::resolve::resolve;
use crate::domain::rosters::Rosters;
use crate::domain::state::State;
use crate::ingest::{IngestOptions, Source, ingest};
use crate::limits::BLOCK_ENTRIES;
use crate::query::{SessionFilter, StatsFilter, WhoFilter, WhoWhen};
use crate::replay::{self, LineShape};
use crate::store::{Batch, BatchLine, BlockSize, Options, Store, StoreError, Ticket};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::Path;
use std::time::Instant;

/// The largest number of publishers of a channel of the load.
const SEATS: usize = 100;
/// The number of batches that the store, and then the file, takes in one turn.
const TURN: usize = 16;
/// How many batches are submitted before the first receipt is awaited: one is decided while another is synced.
const IN_FLIGHT: usize = 4;
/// The time of recording where only deciding is measured, Unix ms.
const NOW: i64 = 1_800_000_000_000;

/// Measures all works.
pub(super) fn all(run: &mut BenchRun<'_>, sizes: &Sizes) -> Result<(), BenchError> {
    let options = Options {
        durability: run.durability,
        ..Options::default()
    };
    let folder = run.folder.path().to_owned();
    let store = Store::open(folder.join("store"), options.clone())?;
    let crowd = folder.join("crowd");
    let mut bare = Bare::create(&folder.join("bare"), run.durability)?;
    let mut load = Load::new(1, sizes.channels, SEATS);

    run.begins("append, one by one")?;
    let (lines, batches) = (sizes.batch_lines, sizes.batches);
    let one_by_one = append(&store, &mut bare, &mut load, 1, sizes.single_lines, 1)?;
    run.measured(one_by_one)?;
    run.begins("append, in batches")?;
    let in_batches = append(&store, &mut bare, &mut load, lines, batches, IN_FLIGHT)?;
    run.measured(in_batches)?;
    run.begins("seal")?;
    run.measured(sealed(&store, &folder.join("store").join("blocks"))?)?;
    run.begins("replay")?;
    for work in replayed(&store, sizes)? {
        run.measured(work)?;
    }
    run.begins("figures and stays of all channels")?;
    for work in whole_store(&store, sizes)? {
        run.measured(work)?;
    }
    run.begins("questions")?;
    run.measured(questions(&store, &mut load, sizes.questions, true))?;
    run.measured(questions(&store, &mut load, sizes.moments, false))?;
    drop(store);
    run.begins("ingest of a file")?;
    run.measured(ingested(&folder, &options, &mut bare, sizes)?)?;
    run.begins("open")?;
    run.measured(opened(&folder.join("store"), &options, sizes.replays)?)?;
    run.begins("reconciliation")?;
    let store = Store::open(crowd, options)?;
    for work in reconcile(&store, &mut bare, sizes)? {
        run.measured(work)?;
    }
    Ok(())
}

fn parsed(lines: &[String]) -> Result<Batch, BenchError> {
    load::parsed(lines).map_err(|error| BenchError::Load(error.to_string()))
}

/// Measures from parsed events to receipts: decide, reconcile, frame, chain and sync.
fn append(
    store: &Store,
    bare: &mut Bare,
    load: &mut Load,
    lines: usize,
    batches: usize,
    in_flight: usize,
) -> Result<Work, BenchError> {
    let (mut of_store, mut of_file) = (LatencyRecorder::new(), LatencyRecorder::new());
    let mut left = batches;
    while left > 0 {
        let turn = left.min(TURN);
        left -= turn;
        let texts: Vec<Vec<String>> = (0..turn).map(|_| load.take(lines).collect()).collect();
        let ready = texts.iter().map(|lines| parsed(lines));
        let ready = ready.collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let mut waiting = VecDeque::new();
        for batch in ready {
            if waiting.len() == in_flight {
                settle(&mut waiting, &mut of_store)?;
            }
            let handed = Instant::now();
            waiting.push_back((handed, store.submit(batch)?));
        }
        while !waiting.is_empty() {
            settle(&mut waiting, &mut of_store)?;
        }
        of_store.spend(start.elapsed());
        for lines in texts {
            let bytes = lines.join("\n") + "\n";
            of_file.time(|| bare.append(bytes.as_bytes()))?;
        }
    }
    let count = (lines * batches) as u64;
    let work = match lines {
        1 => "append one by one".to_owned(),
        lines => format!("append in batches of {lines}"),
    };
    Ok(Work {
        work,
        unit: "lines",
        count,
        per_second: of_store.per_second(count),
        bare_per_second: Some(of_file.per_second(count)),
        latency: of_store.latency(),
        bare_latency: Some(of_file.latency()),
        bytes_each: None,
    })
}

fn settle(
    waiting: &mut VecDeque<(Instant, Ticket)>,
    clock: &mut LatencyRecorder,
) -> Result<(), BenchError> {
    if let Some((handed, ticket)) = waiting.pop_front() {
        ticket.wait()?;
        clock.sample(handed.elapsed());
    }
    Ok(())
}

/// Measures old frames becoming blocks: read, rewritten, synced, read back and compared with the chain.
fn sealed(store: &Store, blocks: &Path) -> Result<Work, BenchError> {
    let mut clock = LatencyRecorder::new();
    let size = BlockSize {
        least: 1,
        most: BLOCK_ENTRIES,
    };
    let sealed = clock.time(|| store.seal(size))?;
    Ok(Work {
        bytes_each: Some(bytes_in(blocks)? as f64 / sealed.entries.max(1) as f64),
        ..alone("seal into blocks", "entries", sealed.entries, &clock)
    })
}

/// The bytes of all files in a folder.
fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_in(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

/// Measures a file of JSON lines from its first byte until all of it is durable; beside it, the file read and appended.
fn ingested(
    folder: &Path,
    options: &Options,
    bare: &mut Bare,
    sizes: &Sizes,
) -> Result<Work, BenchError> {
    let file = folder.join("lines.jsonl");
    let lines = sizes.batches * sizes.batch_lines;
    let mut text = BufWriter::new(File::create(&file)?);
    for line in Load::new(2, sizes.channels, SEATS).take(lines) {
        writeln!(text, "{line}")?;
    }
    text.into_inner()
        .map_err(IntoInnerError::into_error)?
        .sync_all()?;
    let (mut of_store, mut of_file) = (LatencyRecorder::new(), LatencyRecorder::new());
    let store = Store::open(folder.join("ingested"), options.clone())?;
    let broken = |error: String| BenchError::Load(error);
    of_store.time(|| {
        let source = Source::open(&file).map_err(|error| broken(error.to_string()))?;
        let done = ingest(&store, source, &IngestOptions::default(), &mut ());
        done.map_err(|error| broken(error.to_string()))
    })?;
    of_file.time(|| bare.append(&fs::read(&file)?))?;
    let count = lines as u64;
    Ok(Work {
        bare_per_second: Some(of_file.per_second(count)),
        bare_latency: Some(of_file.latency()),
        bytes_each: Some(bytes_in(&folder.join("ingested"))? as f64 / count as f64),
        ..alone("ingest a file of JSON lines", "lines", count, &of_store)
    })
}

/// Measures the questions that read the whole log: the figures, and the stays, of every channel.
fn whole_store(store: &Store, sizes: &Sizes) -> Result<[Work; 2], BenchError> {
    let [mut figures, mut stays] = [(); 2].map(|()| LatencyRecorder::new());
    for _ in 0..sizes.replays {
        figures.time(|| store.stats(&StatsFilter::default()))?;
        stays.time(|| {
            let mut sessions = store.sessions(&SessionFilter::default())?;
            sessions.try_for_each(|stay| stay.map(drop))
        })?;
    }
    let count = store.head() * sizes.replays as u64;
    Ok([
        alone("stats of all channels", "entries", count, &figures),
        alone("sessions of all channels", "entries", count, &stays),
    ])
}

/// Measures opening a store that was closed in order.
fn opened(folder: &Path, options: &Options, times: usize) -> Result<Work, BenchError> {
    let mut clock = LatencyRecorder::new();
    for _ in 0..times {
        drop(clock.time(|| Store::open(folder, options.clone()))?);
    }
    Ok(alone(
        "open a sealed store",
        "openings",
        times as u64,
        &clock,
    ))
}

/// A work beside which there is no bare file.
fn alone(work: &str, unit: &'static str, count: u64, clock: &LatencyRecorder) -> Work {
    Work {
        work: work.to_owned(),
        unit,
        count,
        per_second: clock.per_second(count),
        bare_per_second: None,
        latency: clock.latency(),
        bare_latency: None,
        bytes_each: None,
    }
}

/// Measures the whole log, read and checked: its rosters, and all of its entries, decoded and applied to a state.
fn replayed(store: &Store, sizes: &Sizes) -> Result<[Work; 2], BenchError> {
    let [mut into_rosters, mut into_state] = [(); 2].map(|()| LatencyRecorder::new());
    for _ in 0..sizes.replays {
        into_rosters.time(|| {
            let (mut rosters, mut reader) = (Rosters::new(), store.roster_entries(..)?);
            while let Some((entries, _)) = reader.next_piece()? {
                entries.iter().for_each(|entry| rosters.apply(entry));
            }
            Ok::<Rosters, StoreError>(rosters)
        })?;
        into_state.time(|| store.replay(.., &mut State::for_questions()))?;
    }
    let count = store.head() * sizes.replays as u64;
    Ok([
        alone("replay into rosters", "entries", count, &into_rosters),
        alone("replay into the state", "entries", count, &into_state),
    ])
}

/// Measures snapshots of a large channel, each of which differs by 1 % from the one before: in memory, and durably.
fn reconcile(store: &Store, bare: &mut Bare, sizes: &Sizes) -> Result<[Work; 2], BenchError> {
    let crowd = Crowd::new(sizes.publishers);
    let (mut state, mut names) = (State::new(), Names::new());
    let [mut in_memory, mut durably, mut of_file] = [(); 3].map(|()| LatencyRecorder::new());
    for turn in 0..=sizes.snapshots {
        let event = crowd.snapshot(turn % 2 == 1, false, Load::FROM + turn as i64);
        // The first snapshot is a baseline: it creates the channel, and is not counted.
        let first = turn == 0;
        let start = Instant::now();
        let resolved = resolve(&event, &mut names);
        let decided = decide(&state, &names, &resolved, &Rules::default(), NOW);
        let decided = decided.map_err(|refusal| BenchError::Load(refusal.to_string()))?;
        if let Commit::Entries(entries) = decided {
            entries.iter().for_each(|entry| state.apply(entry, &names));
        }
        if !first {
            in_memory.spend(start.elapsed());
            in_memory.sample(start.elapsed());
        }
        let lines = replay::lines_of(&event, LineShape::Rollbook);
        let lines = lines.map_err(|error| BenchError::Load(error.to_string()))?;
        let bytes = lines.join("\n") + "\n";
        let event = BatchLine::Event(event.into_owned().into());
        let batch = Batch::new(vec![event], Rules::default());
        if first {
            store.submit(batch)?.wait()?;
        } else {
            durably.time(|| store.submit(batch)?.wait())?;
            of_file.time(|| bare.append(bytes.as_bytes()))?;
        }
    }
    let count = sizes.snapshots as u64;
    let of = |clock: &LatencyRecorder, how: &str, bare: Option<&LatencyRecorder>| Work {
        work: format!(
            "reconcile {} publishers, 1 % changed{how}",
            sizes.publishers
        ),
        unit: "snapshots",
        count,
        per_second: clock.per_second(count),
        bare_per_second: bare.map(|bare| bare.per_second(count)),
        latency: clock.latency(),
        bare_latency: bare.map(LatencyRecorder::latency),
        bytes_each: None,
    };
    Ok([
        of(&in_memory, "", None),
        of(&durably, ", durably", Some(&of_file)),
    ])
}

/// Asks who is present, or who was at evenly drawn moments. Hot channels are asked about more often.
fn questions(store: &Store, load: &mut Load, count: usize, at_head: bool) -> Work {
    let mut random = Random::new(4);
    let span = usize::try_from(load.now() - Load::FROM).unwrap_or(usize::MAX);
    let mut clock = LatencyRecorder::new();
    for _ in 0..count {
        let channel = Load::channel(load.draw());
        let when = match at_head {
            true => WhoWhen::Head,
            false => WhoWhen::At(Load::FROM + random.below(span) as i64),
        };
        let filter = WhoFilter {
            when,
            ..WhoFilter::default()
        };
        // A quiet channel may not be recorded yet: that error is an answer, too.
        let _ = clock.time(|| store.who(&channel, &filter));
    }
    let work = match at_head {
        true => "who, at the head",
        false => "who, at random moments",
    };
    alone(work, "questions", count as u64, &clock)
}
