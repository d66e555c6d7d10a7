//! A snapshot of one topic of which 1 % changed: what Agora's sample does with its cached list, done by Rollbook. In
//! memory (names looked up, decided, applied), and durably through a store. The parsed snapshots are ready before the
//! clock starts, as an SDK hands over an object.

use crate::Outcome;
use crate::args::Args;
use crate::figure::Figure;
use rollbook::bench::load::parsed;
use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Rules};
use rollbook::domain::names::Names;
use rollbook::domain::resolve::resolve;
use rollbook::domain::state::State;
use rollbook::feed::{self, Defaults};
use rollbook::{Options, Store};
use std::path::Path;
use std::time::{Duration, Instant};

/// The time of recording where nothing is recorded, Unix ms.
const NOW: i64 = 1_800_000_000_000;

/// Runs it: `--snapshots` (a file of two), `--how` (`memory`, `durable`), `--count`, `--dir`.
pub fn run(args: &Args) -> Outcome<()> {
    let text = std::fs::read_to_string(args.path("--snapshots")?)?;
    let lines: Vec<&str> = text.lines().collect();
    let count = args.number("--count")?;
    let times = match args.text("--how")? {
        "memory" => in_memory(&lines, count)?,
        "durable" => durably(&lines, count, &args.path("--dir")?)?,
        other => return Err(format!("nothing is reconciled like {other}").into()),
    };
    let all = times.iter().sum();
    Figure::of(count, times, all).print()
}

/// The two snapshots by turns, each a millisecond later than the last one. The first makes the channel, and does not
/// count.
fn turns(lines: &[&str], count: usize) -> impl Iterator<Item = Outcome<String>> {
    (0..=count).map(|turn| {
        let line = lines.get(turn % 2).ok_or("a file of two snapshots")?;
        let (before, after) = line.split_once(r#""timestamp":"#).ok_or("no time")?;
        let (time, after) = after.split_once(',').ok_or("no end of the time")?;
        let time = time.parse::<i64>()? + turn as i64;
        Ok(format!(r#"{before}"timestamp":{time},{after}"#))
    })
}

fn in_memory(lines: &[&str], count: usize) -> Outcome<Vec<Duration>> {
    let (mut state, mut names, mut times) = (State::new(), Names::new(), Vec::new());
    for line in turns(lines, count) {
        let line = line?;
        let event = feed::parse(line.as_bytes(), &Defaults::of("default"))?;
        let start = Instant::now();
        let resolved = resolve(&event, &mut names);
        let decided = decide(&state, &names, &resolved, &Rules::default(), NOW);
        let Commit::Entries(entries) = decided.map_err(|refusal| refusal.to_string())? else {
            return Err("a snapshot made no entries".into());
        };
        entries.iter().for_each(|entry| state.apply(entry, &names));
        times.push(start.elapsed());
        expect(entries.len(), &line)?;
    }
    times.remove(0);
    Ok(times)
}

fn durably(lines: &[&str], count: usize, dir: &Path) -> Outcome<Vec<Duration>> {
    let store = Store::open(dir, Options::default())?;
    let (mut times, mut head) = (Vec::new(), 0);
    for line in turns(lines, count) {
        let line = [line?];
        let batch = parsed(&line)?;
        let start = Instant::now();
        store.submit(batch)?.wait()?;
        times.push(start.elapsed());
        let [line] = line;
        expect(usize::try_from(store.head() - head)?, &line)?;
        head = store.head();
    }
    times.remove(0);
    store.close()?;
    Ok(times)
}

/// Checks that a snapshot of which 1 % changed made as many entries: one for itself, and one a difference.
fn expect(entries: usize, line: &str) -> Outcome<()> {
    let listed = line.matches("publisherUserId").count();
    let differences = 3 * (listed / 300);
    // The first one makes an entry for each publisher.
    match entries == differences + 1 || entries == listed + 1 {
        true => Ok(()),
        false => Err(format!("{entries} entries of {listed} publishers").into()),
    }
}
