//! `history --follow` from the outside: entries as they come, none missing and none twice, over lost connections and
//! server restarts.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::mock::Mock;
use rollbook_support::program::{DEADLINE, Folder, end, folder, said};
use rollbook_support::serving::Serving;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

/// A running `history --follow`.
struct Following {
    child: Child,
    command: Command,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Following {
    fn start(folder: &Folder, args: &[&str]) -> Following {
        let mut command = folder.program(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = said(child.stdout.take().unwrap());
        let err = said(child.stderr.take().unwrap());
        Following {
            child,
            command,
            out,
            err,
        }
    }

    fn users(&self, count: usize) -> Vec<String> {
        let lines = (0..count).map(|_| self.out.recv_timeout(DEADLINE).unwrap());
        let entries = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
        entries
            .map(|entry| entry["user"].as_str().unwrap_or("-").to_owned())
            .collect()
    }

    /// Interrupts it, and returns the rest of its output.
    fn interrupt(mut self) -> Vec<String> {
        let mut kill = Command::new("kill");
        kill.args(["-INT", &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
        assert_eq!(self.end(), Some(130));
        self.out.iter().collect()
    }

    fn end(&mut self) -> Option<i32> {
        end(&mut self.child, DEADLINE, &self.command).code()
    }
}

fn join(user: &str) -> String {
    let line = json!({"t": "join", "channel": "a", "topic": "b", "user": user});
    format!("{line}\n")
}

/// Posts lines to a server.
fn post(serving: &Serving, lines: &str) {
    let mut stream = TcpStream::connect(serving.address()).unwrap();
    let (length, host) = (lines.len(), serving.address());
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(lines.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn entries_come_as_they_happen_also_over_a_restart() {
    let folder = folder!();
    folder.ingest(join("ana"), &[]);
    let serving = Serving::start(&folder, &[]);
    let address = serving.address();
    let url = serving.url.clone();
    let by_url = Following::start(&folder, &["--url", &url, "history", "a", "--follow"]);
    let by_socket = Following::start(&folder, &["history", "--follow", "--type", "join"]);
    for following in [&by_url, &by_socket] {
        assert_eq!(following.users(1), ["ana"]);
    }
    post(&serving, &join("tony"));
    for following in [&by_url, &by_socket] {
        assert_eq!(following.users(1), ["tony"]);
    }
    serving.stop();
    folder.ingest(join("zoe"), &[]);
    let serving = Serving::at(&folder, &address, &[]);
    post(&serving, &join("lily"));
    for following in [by_url, by_socket] {
        assert_eq!(following.users(2), ["zoe", "lily"]);
        assert_eq!(following.interrupt(), [""; 0]);
    }
    serving.stop();
}

#[test]
fn a_directory_that_no_server_owns_is_free_while_one_is_waited_for() {
    let folder = folder!();
    folder.ingest(join("ana"), &[]);
    let following = Following::start(&folder, &["history", "--follow"]);
    assert_eq!(following.users(1), ["ana"]);
    let waits = following.err.recv_timeout(DEADLINE).unwrap();
    assert!(waits.contains("waiting for `rollbook serve`"), "{waits}");
    folder.ingest(join("tony"), &[]);
    let serving = Serving::start(&folder, &[]);
    assert_eq!(following.users(1), ["tony"]);
    following.interrupt();
    serving.stop();
}

#[test]
fn it_ends_at_its_limit_and_knows_channels_that_there_are() {
    let folder = folder!();
    folder.ingest(join("ana") + &join("tony") + &join("zoe"), &[]);
    let serving = Serving::start(&folder, &[]);
    let args = [
        "history",
        "a",
        "--follow",
        "--after-seq",
        "1",
        "--limit",
        "2",
    ];
    let mut following = Following::start(&folder, &args);
    assert_eq!(following.users(2), ["tony", "zoe"]);
    assert_eq!(following.end(), Some(0));
    folder.run(&["history", "nowhere", "--follow"]).fails(3);
    // A table is drawn row by row, and its foot comes when it is interrupted.
    let following = Following::start(&folder, &["--format", "table", "history", "--follow"]);
    let row = || following.out.recv_timeout(DEADLINE).unwrap();
    while !row().contains("zoe") {}
    assert!(following.interrupt().last().unwrap().contains("3 entries"));
    serving.stop();
}

#[test]
fn a_lost_connection_is_gone_on_with_behind_the_last_entry() {
    let (folder, mock) = (folder!(), Mock::start());
    folder.ingest(join("ana") + &join("tony") + &join("zoe"), &[]);
    let entries = folder.run(&["history"]).ok().out;
    let entries: Vec<&str> = entries.lines().collect();
    let url = mock.url().replacen("ws", "http", 1);
    let following = Following::start(&folder, &["--url", &url, "history", "--follow"]);
    mock.answer("");
    let mut guest = mock.accept();
    assert_eq!(guest.path, "/feed/v1/subscribe?after_seq=0");
    guest.say(entries[0]);
    guest.say(r#"{"t":"live","seq":1}"#);
    guest.say(r#"{"t":"token","state":"will_expire","in_ms":1}"#);
    guest.say(entries[1]);
    guest.close(4408);
    let mut guest = mock.accept();
    assert_eq!(guest.path, "/feed/v1/subscribe?after_seq=2");
    guest.say(entries[2]);
    assert_eq!(following.users(3), ["ana", "tony", "zoe"]);
    following.interrupt();
}
