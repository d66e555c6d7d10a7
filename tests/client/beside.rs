//! Queries while another process, such as an `ingest` with an open input, has the store open and is no server.
//! Answers and exit statuses must be the same, byte for byte, as when the store is opened by the query.
#![cfg(all(feature = "client", feature = "server", unix))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program::{DEADLINE, Folder, Ran, end, folder, said};
use rollbook_support::serving::Serving;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;

const FEED: &str = r##"{"t":"snapshot","channel":"a","topics":{"b":[{"user":"ana","meta":{"x":1.50}},{"user":"tony"}]},"ts":1000}
{"t":"join","channel":"a","topic":"b","user":"b ob","meta":"\"","ts":1500,"id":"i-1"}
{"t":"link","state":"down","reason":"lost","ts":2000}
{"t":"link","state":"up","ts":8000}
{"t":"snapshot","channel":"a","topics":{"b":[{"user":"ana","meta":{"x":2}},{"user":"lily"}]},"ts":9000}
{"t":"join","channel":"room #1/+&?=é 😀","topic":"__proto__","user":"*","ts":9500,"pos":[7,1]}
{"t":"leave","channel":"a","topic":"b","user":"ana","ts":9700}
nonsense
"##;

const QUESTIONS: &[&[&str]] = &[
    &["who", "a"],
    &["who", "nowhere"],
    &["history"],
    &["missed", "a"],
    &["gaps", "a"],
    &["sessions"],
    &["stats"],
    &["channels"],
    &["rejects"],
    &["verify"],
    &["verify", "--deep"],
    &["replay"],
    &["replay", "a", "--from", "@1200", "--to", "@9600"],
    &["replay", "--as", "rollbook"],
    &[
        "replay",
        "--from-seq",
        "3",
        "--to-seq",
        "6",
        "--speed",
        "1000000",
    ],
    &["replay", "nowhere"],
    &["export", "--force", "--to", "rows.csv"],
    &["export", "--force", "--to", "rows.jsonl"],
    &[
        "export",
        "room #1/+&?=é 😀",
        "--force",
        "--to",
        "rows.jsonl",
    ],
    &[
        "export", "--what", "sessions", "--force", "--to", "rows.csv",
    ],
    &[
        "export",
        "--what",
        "sessions",
        "--user",
        "ana",
        "--force",
        "--to",
        "rows.jsonl",
    ],
    &["export", "nowhere", "--force", "--to", "rows.csv"],
];

/// A question with its exit status, its output and its file.
type Answered = (
    &'static [&'static str],
    Option<i32>,
    String,
    Option<Vec<u8>>,
);

/// The answers to all questions.
fn answers(folder: &Folder) -> Vec<Answered> {
    let each = QUESTIONS.iter().map(|&question| {
        let Ran { status, out, .. } = folder.run(question);
        let file = question.iter().find(|word| word.starts_with("rows."));
        let file = file.and_then(|file| std::fs::read(folder.path(file)).ok());
        (question, status, out, file)
    });
    each.collect()
}

/// A command that reads its standard input, which stays open.
struct Holder {
    child: Child,
    command: Command,
    input: Option<ChildStdin>,
    says: Receiver<String>,
}

impl Holder {
    /// An `ingest` that has read all of `feed`, whose last line is a reject.
    fn ingest(folder: &Folder, feed: &str) -> Holder {
        let mut command = folder.program(&["ingest"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(feed.as_bytes()).unwrap();
        let says = said(child.stderr.take().unwrap());
        // The reject is reported once it is durable, with all lines before it.
        let named = says.recv_timeout(DEADLINE).unwrap();
        assert!(named.contains("not JSON"), "{named}");
        Holder {
            child,
            command,
            input: Some(input),
            says,
        }
    }

    /// Closes its input, and waits for its end.
    fn finish(mut self) {
        drop(self.input.take());
        let status = end(&mut self.child, DEADLINE, &self.command);
        let said: Vec<String> = self.says.try_iter().collect();
        assert_eq!(status.code(), Some(0), "{said:?}");
    }
}

impl Drop for Holder {
    /// Kills it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_question_has_the_same_answer_beside_an_ingest() {
    let folder = folder!();
    let holder = Holder::ingest(&folder, FEED);
    let socket = folder.path("store/rollbook.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let beside = answers(&folder);
    // A command that needs the store alone is refused.
    folder.run(&["rebuild"]).fails(4);
    holder.finish();
    assert!(!socket.exists());
    for (beside, alone) in beside.iter().zip(&answers(&folder)) {
        assert_eq!(beside, alone);
    }
    let statuses = beside.iter().map(|(_, status, ..)| *status);
    let done = statuses.filter(|status| *status == Some(0)).count();
    assert_eq!(done, QUESTIONS.len() - 3, "all but those of nowhere");
    assert!(beside[11].2.contains("REMOTE_JOIN"));
}

#[test]
fn the_long_questions_have_the_same_answers_beside_a_server() {
    let folder = folder!();
    folder.ingest(FEED, &[]);
    let alone = answers(&folder);
    let serving = Serving::start(&folder, &[]);
    let beside = answers(&folder);
    serving.stop();
    for (beside, alone) in beside.iter().zip(&alone) {
        assert_eq!(beside, alone);
    }
}

#[test]
fn a_replay_beside_an_ingest_reaches_another_server() {
    let folder = folder!();
    let holder = Holder::ingest(&folder, FEED);
    let other = folder!();
    let serving = Serving::start(&other, &[]);
    let to = serving.socket("");
    let args = ["replay", "--as", "rollbook", "--to-url", &to];
    let sent = folder.run(&args).ok().line();
    assert_eq!(sent["rejected"], 0, "{sent}");
    assert_eq!(other.ask(&["channels"]).len(), 2);
    serving.stop();
    holder.finish();
}

#[test]
fn rejects_are_retried_once_beside_an_ingest_and_a_server() {
    // Seconds that are taken for milliseconds: the year 57,000.
    let line = r#"{"t":"join","channel":"late","topic":"t","user":"u","ts":99999999999999999}"#;
    let feed = format!("{FEED}{line}\nnonsense\n");
    let retried = |folder: &Folder| {
        let ran = folder.run(&["rejects", "--retry", "--observer", "bridge"]);
        let mut summary = ran.line();
        summary.as_object_mut().unwrap().remove("elapsed_ms");
        (ran.status, summary, ran.err)
    };
    let alone = folder!();
    alone.ingest(&feed, &[]);
    let own = retried(&alone);
    assert_eq!(own.0, Some(0), "{own:?}");

    let folder = folder!();
    let file = folder.file("feed.jsonl", &feed);
    folder.run(&["ingest", &file]).ok();
    let serving = Serving::start(&folder, &[]);
    let by_server = retried(&folder);
    serving.stop();
    assert_eq!(own.1, by_server.1);
    // Both report the positions of the lines that were rejected again.
    assert_eq!(own.2.lines().count(), by_server.2.lines().count());

    let beside = folder!();
    let holder = Holder::ingest(&beside, &feed);
    let by_ingest = retried(&beside);
    assert_eq!(own.1, by_ingest.1);
    holder.finish();
    assert_eq!(
        beside.ask(&["rejects"]).len(),
        alone.ask(&["rejects"]).len()
    );
}

#[test]
fn a_killed_holder_s_socket_hinders_nobody() {
    let folder = folder!();
    drop(Holder::ingest(&folder, FEED));
    let socket = folder.path("store/rollbook.sock");
    assert!(socket.exists(), "it had no time to take it away");
    assert_eq!(folder.ask(&["channels"]).len(), 2);
    folder.verified();
    let line = FEED.lines().next().unwrap();
    let holder = Holder::ingest(&folder, &format!("{line}\nnonsense\n"));
    assert_eq!(folder.ask(&["channels"]).len(), 2);
    holder.finish();
    assert!(!socket.exists());
}

#[test]
fn the_network_is_not_served_what_is_the_owner_s() {
    let folder = folder!();
    folder.ingest(FEED, &[]);
    let serving = Serving::start(&folder, &[]);
    let ran = folder.run(&["--url", &serving.url, "history"]).ok();
    assert!(!ran.out.is_empty());
    let mut stream = std::net::TcpStream::connect(serving.address()).unwrap();
    stream
        .write_all(b"GET /v1/verify HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    serving.stop();
}
