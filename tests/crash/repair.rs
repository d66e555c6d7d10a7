//! `verify --repair` from the outside: its answer and status; killed at any moment, it leaves no store or the whole new one, and
//! the damaged one as it was.

use crate::upkeep::left_by_a_kill;
use rollbook_support::program::{Dice, Folder, folder, rounds};
use rollbook_support::reliability::row;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The bytes of all files of a folder.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// A store of which a part in the middle of the log is overwritten in all its copies.
fn damaged() -> Folder {
    let (folder, _) = left_by_a_kill();
    folder.verified();
    let db = folder.path("store").join("log/db");
    let mut bytes = std::fs::read(&db).unwrap();
    // All copies of a frame in the middle: values begin with this, a version, and the number of their frame.
    let mut frame = [0xF5, b'R', b'b', 0xFE, 1, 0, 0, 0].to_vec();
    frame.extend_from_slice(&3_u64.to_le_bytes());
    let mut found = 0;
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(&frame) {
            bytes
                .iter_mut()
                .skip(at + 40)
                .take(40)
                .for_each(|it| *it = !*it);
            found += 1;
        }
    }
    assert!(found > 0);
    std::fs::write(&db, bytes).unwrap();
    folder
}

#[test]
fn the_answer_says_what_is_missing() {
    let folder = folder!();
    let lines: String = (1..=3)
        .map(|n| format!("{{\"t\":\"join\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"u{n}\",\"ts\":{n}000}}\n"))
        .collect();
    for line in lines.lines() {
        folder.ingest(line, &[]);
    }
    let whole = folder.run(&["verify", "--repair", "whole"]).ok();
    let answer = whole.line();
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(
        (&answer["entries"], &answer["redecided"]),
        (&3.into(), &0.into())
    );
    let history = folder.run(&["history"]).ok().out;
    assert_eq!(
        folder.run(&["--data", "whole", "history"]).ok().out,
        history
    );
    let again = folder.run(&["verify", "--repair", "whole"]).fails(1);
    assert!(again.err.contains("is not empty"), "{again:?}");
    let none = folder.run(&["--data", "none", "verify", "--repair", "new"]);
    none.fails(3);
    assert!(!folder.path("new").exists());

    let db = folder.path("store").join("log/db");
    let mut bytes = std::fs::read(&db).unwrap();
    for at in 0..bytes.len() - 2 {
        if bytes[at..].starts_with(b"u2") {
            bytes[at] = b'x';
        }
    }
    std::fs::write(&db, bytes).unwrap();
    let repaired = folder.run(&["verify", "--repair", "repaired"]).fails(5);
    let answer = repaired.line();
    let missing = &answer["missing"][0];
    assert_eq!(
        (&missing["first_seq"], &missing["last_seq"]),
        (&2.into(), &2.into())
    );
    assert!(answer["unreadable"][0]["from_byte"].is_u64(), "{answer}");
    assert!(repaired.err.contains("entries are missing"), "{repaired:?}");
    let table = folder.run(&["--format", "table", "verify", "--repair", "table"]);
    let table = table.fails(5).out;
    assert!(table.contains("missing"), "{table}");
    assert!(table.contains("entry 2"), "{table}");
    let who = folder.ask(&["--data", "repaired", "who", "c"]);
    assert_eq!(who[0]["coverage"], "blind", "{who:?}");
}

#[test]
fn a_repair_that_is_killed_leaves_no_store_or_the_whole_one() {
    let folder = damaged();
    let (store, new) = (folder.path("store"), folder.path("new"));
    let before = bytes(&store);
    let args = ["verify", "--repair", "new"];
    let began = Instant::now();
    let report = folder.run(&args).fails(5).line();
    let took = began.elapsed().as_micros() as u64;
    let history = || folder.run(&["--data", "new", "history"]).ok().out;
    let whole = history();
    let (mut killed, mut none, mut all) = (0, 0, 0);
    let mut dice = Dice::new(23);
    while killed < rounds(6, 200) {
        std::fs::remove_dir_all(&new).unwrap();
        let mut command = folder.program(&args);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(dice.below(took)));
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        assert_eq!(bytes(&store), before, "the damaged store was changed");
        match folder.run(&["--data", "new", "history"]) {
            ran if ran.status == Some(3) => none += 1,
            ran => {
                assert_eq!(ran.ok().out, whole);
                all += 1;
            }
        }
        // What is left of a repair that came to nothing is no store, and does not stand in the way.
        let again = folder.run(&args);
        if again.status != Some(1) {
            let again = again.fails(5).line();
            assert_eq!(again["missing"], report["missing"]);
        }
        assert_eq!(history(), whole);
        let verified = folder.run(&["--data", "new", "verify", "--deep"]);
        assert_eq!(verified.ok().line()["ok"], true);
    }
    let found = [("no store", none), ("the whole one", all), ("a mixture", 0)];
    row("kills of verify --repair", killed as u64, &found);
}
