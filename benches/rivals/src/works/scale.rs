//! A log that grows for long: at every step how fast it is written, how much memory and disk it takes, how long opening it
//! takes, and how long questions about random moments take.

use crate::Outcome;
use crate::args::Args;
use crate::figure::Figure;
use rollbook::bench::load::{Random, Zipf, parsed};
use rollbook::limits::BLOCK_ENTRIES;
use rollbook::query::WhoFilter;
use rollbook::store::{BlockSize, Ticket};
use rollbook::{Options, Store};
use serde::Serialize;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

/// Lines of a batch.
const BATCH: usize = 1_000;
/// Batches that are on their way at a time.
const IN_FLIGHT: usize = 4;
/// Questions of a step.
const QUESTIONS: usize = 300;
/// Publishers that a channel has at most; about half of them are present.
const SEATS: usize = 100;
/// On average, one line in so many is a snapshot, before which 1 % of the channel's members were exchanged unseen.
const SNAPSHOT_EVERY: usize = 1_000;
/// The first time, Unix ms.
const FROM: i64 = 1_700_000_000_000;

/// What is measured at a step.
#[derive(Serialize)]
struct Step {
    entries: u64,
    /// Entries a second since the step before; making and parsing the lines is not timed.
    rate: f64,
    /// Seconds of CPU a million entries, over all threads, writing and sealing together: a busy machine does not change it.
    cpu_s_a_million: f64,
    /// How long sealing took of what the writer, who was busy, had left.
    seal_s: f64,
    rss_mib: f64,
    disk_mib: f64,
    blocks_mib: f64,
    open_ms: f64,
    who_p50_us: f64,
    who_p99_us: f64,
}

/// Runs it: `--dir`, `--count` (entries), `--step`, `--channels`, `--users`. Prints a JSON object for each step.
pub fn run(args: &Args) -> Outcome<()> {
    let (dir, count) = (args.path("--dir")?, args.number::<u64>("--count")?);
    let step: u64 = args.number("--step")?;
    let mut crowd = Crowd::new(args.number("--channels")?, args.number("--users")?);
    let mut store = Store::open(&dir, Options::default())?;
    while store.head() < count {
        let (from, goal) = (store.head(), store.head() + step);
        let used = cpu_seconds("self")?;
        let Written { rate, making } = write(&store, &mut crowd, goal)?;
        // As the writer does by itself once it has nothing else to do.
        let start = Instant::now();
        store.seal(BlockSize {
            least: 2 * BLOCK_ENTRIES,
            most: BLOCK_ENTRIES,
        })?;
        let seal_s = start.elapsed().as_secs_f64();
        let cpu = cpu_seconds("self")? - used - making;
        let millions = (store.head() - from) as f64 / 1e6;
        drop(store);
        let start = Instant::now();
        store = Store::open(&dir, Options::default())?;
        let open_ms = start.elapsed().as_secs_f64() * 1e3;
        let asked = ask(&store, &mut crowd)?;
        let figures = Step {
            entries: store.head(),
            rate,
            cpu_s_a_million: cpu / millions,
            seal_s,
            rss_mib: resident()?,
            disk_mib: mib(bytes_of(&dir)?),
            blocks_mib: mib(bytes_of(&dir.join("blocks"))?),
            open_ms,
            who_p50_us: asked.p50_us,
            who_p99_us: asked.p99_us,
        };
        println!("{}", serde_json::to_string(&figures)?);
    }
    Ok(())
}

struct Written {
    /// Entries a second.
    rate: f64,
    /// Seconds of CPU that making and parsing the lines took.
    making: f64,
}

/// Writes lines until the log has so many entries.
fn write(store: &Store, crowd: &mut Crowd, goal: u64) -> Outcome<Written> {
    let (from, mut seconds, mut making) = (store.head(), 0.0, 0.0);
    while store.head() < goal {
        let used = cpu_seconds("thread-self")?;
        let turn = (0..16).map(|_| {
            let lines: Vec<String> = (0..BATCH).map(|_| crowd.line()).collect();
            Ok(parsed(&lines)?)
        });
        let turn = turn.collect::<Outcome<Vec<_>>>()?;
        making += cpu_seconds("thread-self")? - used;
        let start = Instant::now();
        let mut waiting: VecDeque<Ticket> = VecDeque::new();
        for batch in turn {
            if waiting.len() == IN_FLIGHT
                && let Some(oldest) = waiting.pop_front()
            {
                oldest.wait()?;
            }
            waiting.push_back(store.submit(batch)?);
        }
        for ticket in waiting {
            ticket.wait()?;
        }
        seconds += start.elapsed().as_secs_f64();
    }
    Ok(Written {
        rate: (store.head() - from) as f64 / seconds,
        making,
    })
}

/// Asks who was in a channel at a random moment of all that was written.
fn ask(store: &Store, crowd: &mut Crowd) -> Outcome<Figure> {
    let mut times = Vec::with_capacity(QUESTIONS);
    let all = Instant::now();
    for turn in 0..=QUESTIONS {
        let channel = channel_name(crowd.draw());
        let span = usize::try_from(crowd.ts - FROM)?;
        let at = FROM + crowd.random.below(span) as i64;
        let start = Instant::now();
        // A channel may not have been drawn yet.
        let _ = store.who(&channel, &WhoFilter::at(at));
        // The first question reads what later ones find in memory.
        if turn > 0 {
            times.push(start.elapsed());
        }
    }
    Ok(Figure::of(QUESTIONS, times, all.elapsed()))
}

/// Publishers of many channels: a few channels are hot. Whoever takes a seat is another user than before.
struct Crowd {
    random: Random,
    zipf: Zipf,
    /// For each seat of each channel how often somebody came or left: who is there is odd.
    seats: Vec<u32>,
    users: u64,
    ts: i64,
}

impl Crowd {
    fn new(channels: usize, users: u64) -> Crowd {
        Crowd {
            random: Random::new(7),
            zipf: Zipf::new(channels),
            seats: vec![0; channels * SEATS],
            users,
            ts: FROM,
        }
    }

    fn draw(&mut self) -> usize {
        self.zipf.draw(&mut self.random)
    }

    fn line(&mut self) -> String {
        self.ts += self.random.below(4) as i64;
        let channel = self.draw();
        if self.random.below(SNAPSHOT_EVERY) == 0 {
            return self.snapshot(channel);
        }
        let at = channel * SEATS + self.random.below(SEATS);
        let turn = self.turn(at);
        let kind = if turn % 2 == 1 { "join" } else { "leave" };
        let (name, user, ts) = (channel_name(channel), self.user(at), self.ts);
        format!(r#"{{"t":"{kind}","channel":"{name}","topic":"chat","user":"{user}","ts":{ts}}}"#)
    }

    fn snapshot(&mut self, channel: usize) -> String {
        let seats = channel * SEATS..(channel + 1) * SEATS;
        let unseen = self.random.below(SEATS);
        self.turn(seats.start + unseen);
        let there = |at: &usize| self.seats.get(*at).is_some_and(|turns| turns % 2 == 1);
        let listed = seats.filter(there).map(|at| {
            let user = self.user(at);
            format!(r#"{{"user":"{user}"}}"#)
        });
        let listed: Vec<String> = listed.collect();
        let (name, ts, listed) = (channel_name(channel), self.ts, listed.join(","));
        format!(r#"{{"t":"snapshot","channel":"{name}","topics":{{"chat":[{listed}]}},"ts":{ts}}}"#)
    }

    /// Somebody takes the seat, or leaves it.
    fn turn(&mut self, at: usize) -> u32 {
        self.seats.get_mut(at).map_or(0, |turns| {
            *turns += 1;
            *turns
        })
    }

    /// Who takes the seat, or took it last.
    fn user(&self, at: usize) -> String {
        let turns = self.seats.get(at).copied().unwrap_or_default();
        let drawn = Random::new((at as u64) << 32 | u64::from(turns.div_ceil(2))).number();
        format!("user-{:06}", drawn % self.users)
    }
}

fn channel_name(number: usize) -> String {
    format!("room-{number:05}")
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Seconds of CPU that this process (`self`) or this thread (`thread-self`) took until now; 0 where the system does not tell.
fn cpu_seconds(whose: &str) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{whose}/stat")).unwrap_or_default();
    // The name, in brackets, may have spaces. Behind it, the times in user and in system mode are the 12th and 13th fields, in
    // hundredths of a second (proc(5); Linux has the same tick on all its usual machines).
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / 100.0)
}

/// The memory of this process in MiB; 0 where the system does not tell.
fn resident() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.unwrap_or("0").parse::<f64>()? / 1_024.0)
}

/// The bytes of all files in a folder.
fn bytes_of(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_of(&entry.path())?,
            Ok(found) => found.len(),
            // sled and the sealer remove files meanwhile.
            Err(_) => 0,
        };
    }
    Ok(bytes)
}
