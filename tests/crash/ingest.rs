//! `ingest`, killed at any moment: each acknowledged line is recorded once.

use rollbook_support::program::{self, Dice, folder, rounds};
use rollbook_support::reliability::row;
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

/// The number of members in one line's commit.
const MEMBERS: u64 = 3;

/// The number of kills of one store. All of it is verified after each kill.
const ROUNDS_OF_A_STORE: usize = 8;

/// Line `n` of a round. Some lines are bad: when one is reported, the lines before it are acknowledged.
pub fn line(round: usize, n: u64, every: u64) -> String {
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
    let mut folder = folder!();
    let (mut head, mut acknowledged, mut beyond) = (0, 0, 0);
    let rounds = rounds(6, 200);
    for round in 0..rounds {
        if round % ROUNDS_OF_A_STORE == 0 {
            (folder, head) = (folder!(), 0);
        }
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

        // The recorded lines must be exactly the first ones, in order, each with all its members.
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
    println!("{beyond} entries more than those acknowledged were there");
    row(
        "kills of ingest at random moments",
        rounds as u64,
        &[
            ("acknowledged entries", acknowledged),
            ("lost", 0),
            ("doubled", 0),
            ("stores that do not open", 0),
        ],
    );
}
