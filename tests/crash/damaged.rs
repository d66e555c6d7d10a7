//! Store files that are truncated, altered or overwritten, one or two at a time: this is reported or has no effect.

use crate::ingest::line;
use crate::upkeep::left_by_a_kill;
use rollbook_support::program::{self, Dice, Folder, copy, folder, rounds, run_within};
use rollbook_support::reliability::row;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// The results for damaged stores.
#[derive(Debug, Default)]
pub struct Seen {
    named: u64,
    same: u64,
}

impl Seen {
    pub fn tried(&self) -> u64 {
        self.named + self.same
    }

    /// A row of the table.
    pub fn print(&self, what: &str) {
        let found = [
            ("named", self.named),
            ("same answers", self.same),
            ("silent", 0),
        ];
        row(what, self.tried(), &found);
    }
}

/// The answers of a store, as text.
pub fn answers(store: &Path) -> Vec<String> {
    let asked: [&[&str]; 4] = [&["history"], &["rejects"], &["channels"], &["who", "c0"]];
    let answer = |args: &&[&str]| {
        let mut command = program::program!();
        command.args(*args).args(["--format", "jsonl", "--data"]);
        command.arg(store);
        run_within(command, Duration::from_secs(30)).ok().out
    };
    asked.iter().map(answer).collect()
}

/// Asks a damaged store: it must report the damage or answer as before.
pub fn look(store: &Path, known: &[String], what: &str, seen: &mut Seen) {
    if is_named(store, what) {
        seen.named += 1;
    } else {
        let same = answers(store) == *known;
        assert!(same, "{what}: it answers otherwise, and does not say why");
        seen.same += 1;
    }
}

/// Whether `verify` reports a damage.
pub fn is_named(store: &Path, what: &str) -> bool {
    let mut command = program::program!();
    command
        .args(["verify", "--deep", "--format", "jsonl", "--data"])
        .arg(store);
    let ran = run_within(command, Duration::from_secs(30));
    assert!(!ran.err.contains("panicked"), "{what}: {ran:?}");
    match ran.status {
        Some(0) => {
            assert_eq!(ran.line()["ok"], true, "{what}: {ran:?}");
            false
        }
        Some(5) => {
            assert!(ran.err.starts_with("rollbook: "), "{what}: {ran:?}");
            true
        }
        // An altered format number means a newer format. Where no file is left, there is no store.
        Some(1) if what.contains("store.json") => {
            assert!(ran.err.contains("has format"), "{what}: {ran:?}");
            true
        }
        Some(3) => {
            assert!(ran.err.contains("there is no store"), "{what}: {ran:?}");
            true
        }
        _ => panic!("{what}: {ran:?}"),
    }
}

/// A store of a few frames that was closed properly.
pub fn closed(first: usize) -> Folder {
    let folder = folder!();
    for run in first..first + 3 {
        let text = (1..800).fold(String::new(), |mut text, n| {
            let _ = write!(text, "{}", line(run, n, 100));
            text
        });
        let snapshot =
            r#"{"t":"snapshot","channel":"c0","ts":3000,"topics":{"t":[{"user":"ana"}]}}"#;
        folder.ingest(text + snapshot, &[]);
    }
    folder.verified();
    folder
}

/// The engine's files, without folders, and the store's card.
pub fn files(store: &Path) -> Vec<String> {
    let beside = std::fs::read_dir(store.join("log")).unwrap();
    let beside = beside.map(|item| item.unwrap());
    let beside = beside.filter(|item| item.file_type().unwrap().is_file());
    let beside = beside.map(|item| format!("log/{}", item.file_name().to_str().unwrap()));
    let mut files: Vec<String> = beside.chain(["store.json".to_owned()]).collect();
    files.sort();
    files
}

/// A change of a file's bytes.
type Change<'a> = dyn FnMut(&mut Vec<u8>) + 'a;

/// A store to damage, and its answers before that.
struct Bench {
    folder: Folder,
    state: &'static str,
    known: Vec<String>,
    files: Vec<String>,
}

impl Bench {
    fn new(folder: Folder, state: &'static str) -> Bench {
        let (store, copied) = (folder.path("store"), folder.path("damaged"));
        copy(&store, &copied);
        let known = answers(&copied);
        let files = files(&store);
        Bench {
            folder,
            state,
            known,
            files,
        }
    }

    /// Changes files in a copy of the store, and checks the copy.
    fn one(&self, changes: &mut [(&str, &mut Change<'_>)], what: &str, seen: &mut Seen) {
        let (store, copied) = (self.folder.path("store"), self.folder.path("damaged"));
        std::fs::remove_dir_all(&copied).unwrap();
        copy(&store, &copied);
        let mut named = format!("{}, {what}", self.state);
        for (file, change) in changes {
            let mut bytes = std::fs::read(copied.join(*file)).unwrap();
            change(&mut bytes);
            let _ = write!(named, ", {file}");
            std::fs::write(copied.join(*file), bytes).unwrap();
        }
        look(&copied, &self.known, &named, seen);
    }

    /// The number of bytes of a file up to the last one that is not zero.
    fn used(&self, file: &str) -> u64 {
        let bytes = std::fs::read(self.folder.path("store").join(file)).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0);
        used.map_or(1, |last| last as u64 + 1)
    }

    fn damage_log(&self, dice: &mut Dice) {
        let used = self.used("log/db");
        let anywhere = |dice: &mut Dice, n| {
            (0..n)
                .map(|_| dice.below(used) as usize)
                .collect::<Vec<_>>()
        };
        let mut seen = Seen::default();
        for cut in [0, 1, 20].into_iter().chain(anywhere(dice, rounds(6, 200))) {
            let change = &mut |bytes: &mut Vec<u8>| bytes.truncate(cut);
            self.one(
                &mut [("log/db", change)],
                &format!("cut to {cut}"),
                &mut seen,
            );
        }
        seen.print(&format!("log/db cut, {}", self.state));
        seen = Seen::default();
        for at in [0, 9, 17].into_iter().chain(anywhere(dice, rounds(8, 300))) {
            let bit = 1_u8 << dice.below(8);
            let change = &mut |bytes: &mut Vec<u8>| bytes[at] ^= bit;
            self.one(
                &mut [("log/db", change)],
                &format!("bit {bit} of byte {at}"),
                &mut seen,
            );
        }
        seen.print(&format!("a bit of log/db turned, {}", self.state));
        seen = Seen::default();
        for at in anywhere(dice, rounds(4, 150)) {
            let length = 1 << dice.below(13);
            let change = &mut |bytes: &mut Vec<u8>| zero(bytes, at, length);
            self.one(
                &mut [("log/db", change)],
                &format!("{length} zeros at {at}"),
                &mut seen,
            );
        }
        for at in anywhere(dice, rounds(2, 50)) {
            let change = &mut |bytes: &mut Vec<u8>| bytes[..used as usize].rotate_left(at);
            self.one(
                &mut [("log/db", change)],
                &format!("turned about at {at}"),
                &mut seen,
            );
        }
        seen.print(&format!("parts of log/db zeroed or moved, {}", self.state));
    }

    fn damage_beside(&self, dice: &mut Dice) {
        let beside = self.files.iter().filter(|file| *file != "log/db");
        self.damage_each(beside, dice);
    }

    fn damage_each<'a>(&self, files: impl Iterator<Item = &'a String>, dice: &mut Dice) {
        for file in files {
            let mut seen = Seen::default();
            let mut one = |change: &mut Change<'_>, what: &str| {
                self.one(&mut [(file, change)], what, &mut seen);
            };
            one(&mut Vec::clear, "emptied");
            one(
                &mut |bytes| bytes.iter_mut().for_each(|byte| *byte = !*byte),
                "gone wild",
            );
            let used = self.used(file);
            for _ in 0..rounds(2, 20) {
                let at = dice.below(used) as usize;
                one(&mut |bytes| bytes.truncate(at), &format!("cut to {at}"));
            }
            for _ in 0..rounds(3, 60) {
                // In the card's time another digit is valid, too, and has no effect.
                let (at, bit) = (dice.below(used) as usize, 1_u8 << dice.below(8));
                one(
                    &mut |bytes| bytes[at] ^= bit,
                    &format!("bit {bit} of byte {at}"),
                );
            }
            let name = match file.as_str() {
                name if name.contains("snap.") => "log/snap.*",
                name if name.starts_with("blocks/") => "a file of blocks",
                name => name,
            };
            seen.print(&format!("{name} cut, altered or emptied, {}", self.state));
        }
    }

    /// Damages two files together, the log's and another one: what one file records about the other may be lost.
    fn damage_two(&self, dice: &mut Dice) {
        let beside: Vec<&String> = self.files.iter().filter(|file| *file != "log/db").collect();
        let mut seen = Seen::default();
        for _ in 0..rounds(12, 500) {
            let other = beside[dice.below(beside.len() as u64) as usize];
            let mut changes = ["log/db", other].map(|file| {
                let (at, how, bit) = (
                    dice.below(self.used(file)) as usize,
                    dice.below(3),
                    dice.below(8),
                );
                move |bytes: &mut Vec<u8>| match how {
                    0 => bytes.truncate(at),
                    1 => bytes[at] ^= 1 << bit,
                    _ => zero(bytes, at, 512),
                }
            });
            let [log, beside] = &mut changes;
            self.one(&mut [("log/db", log), (other, beside)], "two", &mut seen);
        }
        seen.print(&format!("log/db and another file, {}", self.state));
    }
}

fn zero(bytes: &mut [u8], at: usize, length: usize) {
    let part = bytes.iter_mut().skip(at).take(length);
    part.for_each(|byte| *byte = 0);
}

fn damage(bench: &Bench, seed: u64) {
    let mut dice = Dice::new(seed);
    bench.damage_log(&mut dice);
    bench.damage_beside(&mut dice);
    bench.damage_two(&mut dice);
}

#[test]
fn damage_of_a_closed_store_is_named_or_has_no_effect() {
    damage(&Bench::new(closed(0), "closed in order"), 6);
}

#[test]
fn damage_of_a_sealed_store_is_named() {
    let folder = closed(0);
    folder.run(&["compact"]).ok();
    let bench = Bench::new(folder, "compacted");
    let blocks = std::fs::read_dir(bench.folder.path("store").join("blocks")).unwrap();
    let name = |item: std::fs::DirEntry| format!("blocks/{}", item.file_name().display());
    let blocks: Vec<String> = blocks.map(|item| name(item.unwrap())).collect();
    assert!(!blocks.is_empty());
    bench.damage_each(blocks.iter(), &mut Dice::new(9));
    bench.damage_log(&mut Dice::new(10));
}

#[test]
fn damage_of_a_store_without_the_engine_s_snapshot_is_named_or_has_no_effect() {
    let folder = closed(0);
    for file in files(&folder.path("store")) {
        if file.starts_with("log/snap.") {
            std::fs::remove_file(folder.path("store").join(file)).unwrap();
        }
    }
    damage(&Bench::new(folder, "without snapshot"), 7);
}

#[test]
fn damage_of_a_store_whose_writer_was_killed_is_named_or_has_no_effect() {
    damage(&Bench::new(left_by_a_kill().0, "after a kill"), 8);
}
