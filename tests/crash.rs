//! What survives: a writer that is killed at any moment loses nothing that it acknowledged, and a damaged file is named.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/program.rs"]
mod program;

use program::{Dice, Folder, copy, rounds, run_within};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The members of one line's commit.
const MEMBERS: u64 = 3;

/// Line `n` of a round; some are bad, and acknowledge those before them when they are named.
fn line(round: usize, n: u64, every: u64) -> String {
    if is_mark(n, every) {
        return format!("mark {round} {n}\n");
    }
    let members: Vec<String> = (0..MEMBERS)
        .map(|k| format!("{{\"user\":\"{}\"}}", user(round, n, k)))
        .collect();
    let members = members.join(",");
    format!(
        "{{\"t\":\"diff\",\"channel\":\"c{}\",\"ts\":{n},\"joins\":{{\"t\":[{members}]}}}}\n",
        n % 5
    )
}

fn is_mark(n: u64, every: u64) -> bool {
    n.is_multiple_of(every)
}

fn user(round: usize, n: u64, k: u64) -> String {
    format!("r{round}-{n}-{k}")
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_once() {
    let mut dice = Dice::new(5);
    let folder = Folder::new();
    let (mut head, mut acknowledged, mut beyond) = (0, 0, 0);
    let rounds = rounds(6, 200);
    for round in 0..rounds {
        let every = [7, 120, 900, 2_500][dice.below(4) as usize];
        let (burst, kill_after) = (1 + dice.below(2_000), 1 + dice.below(9));
        let mut command = folder.program(&["ingest"]);
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut feed = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            for n in 1.. {
                if feed.write_all(line(round, n, every).as_bytes()).is_err() {
                    return;
                }
                if n % burst == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let notices = program::said(child.stderr.take().unwrap());
        // `standard input:LINE: byte …`
        let line_of = |notice: String| {
            assert!(!notice.contains("panicked"), "{notice}");
            notice
                .split(':')
                .nth(1)
                .and_then(|line| line.parse::<u64>().ok())
        };
        let mut last = 0;
        for _ in 0..kill_after {
            let notice = notices.recv_timeout(program::DEADLINE).unwrap();
            last = line_of(notice).unwrap();
        }
        std::thread::sleep(Duration::from_micros(dice.below(20_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        feeder.join().unwrap();
        last = notices.iter().filter_map(line_of).last().unwrap_or(last);

        // Exactly the lines up to some one, in order, each with all its members.
        let entries = folder.ask(&["history", "--after-seq", &head.to_string()]);
        let users = entries.iter().map(|entry| entry["user"].as_str().unwrap());
        let wanted = (1..)
            .filter(|&n| !is_mark(n, every))
            .flat_map(|n| (0..MEMBERS).map(move |k| user(round, n, k)));
        let differ = users.zip(wanted).find(|(user, wanted)| user != wanted);
        assert_eq!(differ, None, "round {round}");
        let count = entries.len() as u64;
        assert_eq!(count % MEMBERS, 0, "a commit came apart in round {round}");
        let sure = (last - last / every) * MEMBERS;
        assert!(
            count >= sure,
            "round {round}: {count} of {sure} acknowledged entries"
        );
        let marks = |reject: &&Value| {
            reject["text"]
                .as_str()
                .unwrap()
                .starts_with(&format!("mark {round} "))
        };
        let kept = folder.ask(&["rejects"]).iter().filter(marks).count() as u64;
        assert!(kept >= last / every, "round {round}: rejects are lost");
        head += count;
        (acknowledged, beyond) = (acknowledged + sure, beyond + count - sure);
        assert_eq!(folder.verified(), head);
    }
    println!(
        "{rounds} kills: 0 of {acknowledged} acknowledged entries lost, none doubled; {beyond} more were there"
    );
}

/// What came of a damaged store.
#[derive(Debug, Default)]
struct Seen {
    named: u32,
    without_effect: u32,
}

/// Verifies a damaged store: that must name the damage, or find every entry.
fn look(store: &Path, full: u64, what: &str, seen: &mut Seen) {
    let mut command = program::program();
    command
        .args(["verify", "--deep", "--format", "jsonl", "--data"])
        .arg(store);
    let ran = run_within(command, Duration::from_secs(30));
    assert!(!ran.err.contains("panicked"), "{what}: {ran:?}");
    match ran.status {
        Some(0) => {
            let verified = ran.line();
            assert_eq!(verified["ok"], true, "{what}: {ran:?}");
            assert_eq!(
                verified["entries"], full,
                "{what}: entries are gone, and nobody says so"
            );
            seen.without_effect += 1;
        }
        Some(5) => {
            assert!(ran.err.starts_with("rollbook: "), "{what}: {ran:?}");
            seen.named += 1;
        }
        // Another number of the format is a newer one.
        Some(1) if what.contains("store.json") => {
            assert!(ran.err.contains("has format"), "{what}: {ran:?}");
            seen.named += 1;
        }
        _ => panic!("{what}: {ran:?}"),
    }
}

/// A store of a few frames, and how many entries it has.
fn store() -> (Folder, u64) {
    let folder = Folder::new();
    for run in 0..4 {
        let text = (1..2_000).fold(String::new(), |mut text, n| {
            let _ = write!(text, "{}", line(run, n, 100));
            text
        });
        let snapshot =
            r#"{"t":"snapshot","channel":"c0","ts":3000,"topics":{"t":[{"user":"ana"}]}}"#;
        folder.ingest(text + snapshot, &[]);
    }
    let full = folder.verified();
    (folder, full)
}

/// Damages copies of a store, one at a time.
fn damage(folder: &Folder, full: u64, dice: &mut Dice, name: &str) {
    let (store, copied) = (folder.path("store"), folder.path("damaged"));
    let mut seen = Seen::default();
    let mut one = |what: &str, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let _ = std::fs::remove_dir_all(&copied);
        copy(&store, &copied);
        let mut bytes = std::fs::read(copied.join(file)).unwrap();
        change(&mut bytes);
        std::fs::write(copied.join(file), bytes).unwrap();
        look(&copied, full, &format!("{name}, {file}, {what}"), &mut seen);
    };
    let db = std::fs::read(store.join("log/db")).unwrap();
    let used = db.iter().rposition(|&byte| byte != 0).unwrap() as u64;
    let anywhere = |dice: &mut Dice| dice.below(used) as usize;
    let many = |dice: &mut Dice, n| (0..n).map(|_| anywhere(dice)).collect::<Vec<_>>();
    for cut in [0, 1, 20].into_iter().chain(many(dice, rounds(8, 400))) {
        one(&format!("cut to {cut} bytes"), "log/db", &|bytes| {
            bytes.truncate(cut)
        });
    }
    for at in [0, 9, 17].into_iter().chain(many(dice, rounds(12, 800))) {
        let bit = 1_u8 << dice.below(8);
        one(
            &format!("bit {bit} of byte {at} turned"),
            "log/db",
            &|bytes| bytes[at] ^= bit,
        );
    }
    for _ in 0..rounds(5, 200) {
        let (at, length) = (anywhere(dice), 1 << dice.below(13));
        one(
            &format!("{length} zeros from byte {at}"),
            "log/db",
            &|bytes| {
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(length)
                    .for_each(|byte| *byte = 0);
            },
        );
    }
    one("two parts changed about", "log/db", &|bytes| {
        let half = used as usize / 2;
        bytes[..used as usize].rotate_left(half);
    });
    let beside = std::fs::read_dir(store.join("log"))
        .unwrap()
        .map(|item| item.unwrap());
    let beside = beside.filter(|item| item.file_type().unwrap().is_file());
    let beside = beside.map(|item| format!("log/{}", item.file_name().to_str().unwrap()));
    let beside: Vec<String> = beside.chain(["store.json".to_owned()]).collect();
    for file in beside.iter().filter(|file| *file != "log/db") {
        let size = std::fs::metadata(store.join(file)).unwrap().len();
        one("emptied", file, &|bytes| bytes.clear());
        one("cut", file, &|bytes| bytes.truncate(bytes.len() / 2));
        for _ in 0..rounds(3, 100) {
            let (at, bit) = (dice.below(size) as usize, 1_u8 << dice.below(8));
            // The card's key and its times are as good with another digit: what the key was for must show it.
            one(&format!("bit {bit} of byte {at} turned"), file, &|bytes| {
                bytes[at] ^= bit
            });
        }
        one("gone wild", file, &|bytes| {
            bytes.iter_mut().for_each(|byte| *byte = !*byte)
        });
    }
    println!("{name}: {seen:?}");
}

/// Damages the log's file together with another one: what one of them knew of the other is gone.
fn damage_two(folder: &Folder, full: u64, dice: &mut Dice, name: &str) {
    let (store, copied) = (folder.path("store"), folder.path("damaged"));
    let mut seen = Seen::default();
    let files = std::fs::read_dir(store.join("log")).unwrap();
    let files = files.map(|item| item.unwrap());
    let files = files.filter(|item| item.file_type().unwrap().is_file());
    let files = files.map(|item| format!("log/{}", item.file_name().to_str().unwrap()));
    let mut beside: Vec<String> = files.filter(|file| file != "log/db").collect();
    beside.push("store.json".to_owned());
    beside.sort();
    for _ in 0..rounds(12, 600) {
        let _ = std::fs::remove_dir_all(&copied);
        copy(&store, &copied);
        let other = beside[dice.below(beside.len() as u64) as usize].clone();
        let mut what = format!("{name}, two");
        for file in ["log/db", &other] {
            let mut bytes = std::fs::read(copied.join(file)).unwrap();
            let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) as u64 + 1;
            let at = dice.below(used) as usize;
            match dice.below(3) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << dice.below(8),
                _ => bytes
                    .iter_mut()
                    .skip(at)
                    .take(512)
                    .for_each(|byte| *byte = 0),
            }
            let _ = write!(what, ", {file} from byte {at}");
            std::fs::write(copied.join(file), bytes).unwrap();
        }
        look(&copied, full, &what, &mut seen);
    }
    println!("{name}, two at a time: {seen:?}");
}

#[test]
fn damage_is_named_or_has_no_effect() {
    let mut dice = Dice::new(6);
    let (folder, full) = store();
    damage(&folder, full, &mut dice, "closed");
    damage_two(&folder, full, &mut dice, "closed");
    // As a kill leaves it: without the engine's own note of where everything is.
    for item in std::fs::read_dir(folder.path("store").join("log")).unwrap() {
        let item = item.unwrap();
        if item.file_name().to_str().unwrap().starts_with("snap.") {
            std::fs::remove_file(item.path()).unwrap();
        }
    }
    damage(&folder, full, &mut dice, "killed");
    damage_two(&folder, full, &mut dice, "killed");
}

#[test]
fn lost_files_are_named_or_have_no_effect() {
    let (folder, full) = store();
    let (store, copied) = (folder.path("store"), folder.path("damaged"));
    let mut seen = Seen::default();
    for file in ["db", "conf", "synced", "blobs"] {
        let _ = std::fs::remove_dir_all(&copied);
        copy(&store, &copied);
        let path = copied.join("log").join(file);
        if path.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        }
        .unwrap();
        look(&copied, full, file, &mut seen);
    }
    let _ = std::fs::remove_dir_all(&copied);
    copy(&store, &copied);
    std::fs::remove_dir_all(copied.join("log")).unwrap();
    look(&copied, full, "store.json without a log", &mut seen);
    // Without its card it is no store, and must not become another one.
    std::fs::remove_file(store.join("store.json")).unwrap();
    folder.run(&["verify"]).fails(5);
    let file = folder.file("feed.jsonl", line(9, 1, 100));
    let refused = folder.run(&["ingest", &file]).fails(5);
    assert!(
        refused.err.contains("store.json: it is gone"),
        "{refused:?}"
    );
    println!("{seen:?}");
}
