//! `serve`, killed at any moment and at any system call while it ingests over POST and WebSockets, and on a failing
//! disk. Each acknowledged line is recorded once, and a feed continues after its last durable line.

use crate::sources::{Source, Way};
use rollbook_support::program::{DEADLINE, Dice, Folder, folder, rounds};
use rollbook_support::reliability::row;
use rollbook_support::serving::Serving;
use rollbook_support::traced::{CHANGING, OF_DISK, SYNCS, calls, has, traced};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After this many rounds a new store is used, so that checking it does not take longer and longer.
const ROUNDS_OF_A_STORE: usize = 20;
/// The number of lines that each source sends when a system call decides about the end.
const LINES: u64 = 60;
const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// A store and the sources that write to it.
struct Stage {
    folder: Folder,
    head: u64,
    sources: Vec<Source>,
    round: usize,
    acknowledged: u64,
    beyond: u64,
}

impl Stage {
    fn new() -> Stage {
        Stage {
            folder: folder!(),
            head: 0,
            sources: vec![Source::new(Way::Feed, "feed".into(), 3)],
            round: 0,
            acknowledged: 0,
            beyond: 0,
        }
    }

    /// Sets the sources of a round: the feed continues, and the others are new.
    fn next_round(&mut self) {
        self.round += 1;
        if self.round.is_multiple_of(ROUNDS_OF_A_STORE) {
            let (acknowledged, beyond) = (self.acknowledged, self.beyond);
            let round = self.round;
            *self = Stage {
                acknowledged,
                beyond,
                round,
                ..Stage::new()
            };
        }
        self.sources.truncate(1);
        for (way, letter) in [(Way::Post, 'p'), (Way::Post, 'q'), (Way::Socket, 's')] {
            let name = format!("{letter}{}", self.round);
            let seed = self.round as u64 * 256 + u64::from(u32::from(letter));
            self.sources.push(Source::new(way, name, seed));
        }
    }

    /// All sources send to the server, each up to a number of lines. `meanwhile` gets the count of acknowledged
    /// lines.
    fn talk(&mut self, address: &str, lines: u64, meanwhile: impl FnOnce(&AtomicU64)) {
        let heard = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for source in &mut self.sources {
                let until = source.acked.saturating_add(lines);
                let heard = &heard;
                scope.spawn(move || source.talk(address, until, heard));
            }
            meanwhile(&heard);
        });
    }

    /// Asserts that each source's lines are recorded once and in order, including all acknowledged ones.
    fn look(&mut self, known: &BTreeMap<String, u64>, what: &str) {
        let after = self.head.to_string();
        let asked = self.folder.run(&["history", "--after-seq", &after]);
        // The server may have ended before it had created a store.
        let exists = self.head > 0 || asked.status != Some(3);
        let entries = if exists {
            asked.ok().lines()
        } else {
            Vec::new()
        };
        let mut there = known.clone();
        for entry in &entries {
            self.head = entry["seq"].as_u64().unwrap();
            let Some((name, n)) = entry["user"].as_str().and_then(|user| user.split_once(':'))
            else {
                assert_eq!(entry["type"], "link", "{what}: {entry}");
                continue;
            };
            let before = there.entry(name.to_owned()).or_default();
            assert_eq!(
                n,
                (*before + 1).to_string(),
                "{what}: {name}: lost or doubled"
            );
            *before += 1;
        }
        for source in &mut self.sources {
            let known = known.get(&source.name).copied().unwrap_or(0);
            let there = there.get(&source.name).copied().unwrap_or(0);
            assert!(
                there >= source.acked,
                "{what}: {source:?}: only {there} are there"
            );
            assert!(
                there <= source.sent.max(known),
                "{what}: {source:?}: {there}"
            );
            self.acknowledged += source.acked - known;
            self.beyond += there - source.acked;
            source.acked = there;
        }
        if exists {
            assert_eq!(self.folder.verified(), self.head, "{what}");
        }
    }

    /// The last line of each source before the round.
    fn known(&self) -> BTreeMap<String, u64> {
        let each = self.sources.iter();
        each.map(|source| (source.name.clone(), source.acked))
            .collect()
    }

    fn print(&self, what: &str, tried: u64) {
        row(
            what,
            tried,
            &[
                ("acknowledged lines", self.acknowledged),
                ("lost", 0),
                ("doubled", 0),
                ("stores that do not open", 0),
            ],
        );
    }
}

#[test]
fn a_server_that_is_killed_has_every_acknowledged_line_once() {
    let (mut stage, mut dice) = (Stage::new(), Dice::new(17));
    let (rounds, mut opening) = (rounds(5, 300), 0);
    for round in 0..rounds {
        stage.next_round();
        let known = stage.known();
        if round % 5 == 4 {
            // Killed while it opens the store.
            let mut child = stage.folder.program(&SERVE).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(dice.below(30_000)));
            child.kill().unwrap();
            child.wait().unwrap();
            opening += 1;
        } else {
            let serving = Serving::start(&stage.folder, &[]);
            let (first, rest) = (1 + dice.below(200), dice.below(6_000));
            let address = serving.address();
            stage.talk(&address, u64::MAX, |heard| {
                let started = Instant::now();
                while heard.load(Ordering::SeqCst) < first && started.elapsed() < DEADLINE {
                    std::thread::sleep(Duration::from_micros(200));
                }
                std::thread::sleep(Duration::from_micros(rest));
                serving.kill();
            });
        }
        stage.look(&known, &format!("round {round}"));
    }
    let rounds = rounds as u64;
    stage.print(
        "kills of serve under POST, WebSocket and feed",
        rounds - opening,
    );
    row(
        "kills of serve while it opens",
        opening,
        &[("lost", 0), ("stores that do not open", 0)],
    );
}

/// Runs a round under strace. Returns whether the server ended without being asked to.
fn round_with(stage: &mut Stage, options: &[&str], what: &str) -> bool {
    stage.next_round();
    let known = stage.known();
    let command = traced(&stage.folder.program(&SERVE), options);
    let failed = match Serving::of(command) {
        Err(said) => {
            no_panic(&said, what);
            true
        }
        Ok(serving) => {
            let address = serving.address();
            stage.talk(&address, LINES, |_| {});
            let (status, said) = serving.end_in_order();
            no_panic(&said, what);
            !status.success()
        }
    };
    stage.look(&known, what);
    failed
}

fn no_panic(said: &[String], what: &str) {
    assert!(
        !said.iter().any(|line| line.contains("panicked")),
        "{what}: {said:?}"
    );
}

/// How often a thread of a server makes each call in a round.
fn made(stage: &mut Stage) -> Vec<(String, u64)> {
    let trace = stage.folder.path("trace");
    let ended = round_with(stage, &["-o", trace.to_str().unwrap()], "a sound round");
    assert!(!ended, "a server that nobody killed");
    calls(&std::fs::read_to_string(trace).unwrap())
        .into_iter()
        .collect()
}

#[test]
fn a_server_that_is_killed_at_a_system_call_has_every_acknowledged_line_once() {
    if !has("strace") {
        return;
    }
    let (mut stage, mut dice) = (Stage::new(), Dice::new(18));
    let all = made(&mut stage);
    let changing: Vec<_> = all
        .iter()
        .filter(|(call, _)| CHANGING.contains(&call.as_str()))
        .collect();
    let (mut kills, mut tried) = (0, 0);
    while kills < rounds(4, 250) {
        tried += 1;
        assert!(tried < 4_000, "hardly any call is made");
        // Half of the kills are at calls that write.
        let (call, most) = match dice.below(2) {
            0 => &all[dice.below(all.len() as u64) as usize],
            _ => changing[dice.below(changing.len() as u64) as usize],
        };
        let n = 1 + dice.below(*most);
        let fault = format!("inject={call}:signal=KILL:when={n}");
        let options = ["-o", "/dev/null", "-e", &fault];
        kills += usize::from(round_with(&mut stage, &options, &fault));
    }
    stage.print("kills of serve at a system call", kills as u64);
}

#[test]
fn a_server_on_a_disk_that_fails_has_every_acknowledged_line_once() {
    if !has("strace") {
        return;
    }
    let (mut stage, mut dice) = (Stage::new(), Dice::new(19));
    let all = made(&mut stage);
    let all: Vec<_> = all
        .iter()
        .filter(|(call, _)| OF_DISK.contains(&call.as_str()))
        .collect();
    let mut tried = BTreeMap::<&str, u64>::new();
    for _ in 0..rounds(4, 200) {
        let (call, most) = all[dice.below(all.len() as u64) as usize];
        let n = 1 + dice.below(*most);
        let (error, kind) = match SYNCS.contains(&call.as_str()) {
            true => ("EIO", "failing syncs under serve"),
            false => ("ENOSPC", "full disk under serve, from a call on"),
        };
        let fault = format!("inject={call}:error={error}:when={n}+");
        let mut options = vec![
            "-o".to_owned(),
            "/dev/null".into(),
            "-e".into(),
            fault.clone(),
        ];
        if call == "write" {
            // The runtime wakes itself by a write that does not go to a disk, so only writes to these files fail.
            for file in ["log/synced", "log/db", "store.json.new", "lock"] {
                let path = stage.folder.path("store").join(file);
                options.extend(["-P".to_owned(), path.to_str().unwrap().to_owned()]);
            }
        }
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        round_with(&mut stage, &options, &fault);
        *tried.entry(kind).or_default() += 1;
    }
    for (kind, tried) in tried {
        row(
            kind,
            tried,
            &[
                ("acknowledged lines lost", 0),
                ("doubled", 0),
                ("taken for damage", 0),
            ],
        );
    }
}

/// Asserts that [`Serving`] leaves no server behind when its tracer is gone.
#[test]
fn a_traced_server_ends_with_its_test() {
    if !has("strace") {
        return;
    }
    let folder = folder!();
    let command = traced(
        &folder.program(&SERVE),
        &["-o", "/dev/null", "-e", "trace=none"],
    );
    let serving = Serving::of(command).unwrap();
    let server = serving.server();
    serving.kill();
    let mut alive = Command::new("kill");
    alive
        .args(["-0", &server.to_string()])
        .stderr(std::process::Stdio::null());
    let started = Instant::now();
    while alive.status().unwrap().success() {
        assert!(started.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(1));
    }
}
