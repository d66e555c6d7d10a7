//! Asks every question of a data directory, of a server by its URL, and of the server that owns the directory.
//! Answers and exit statuses must be the same, byte for byte.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program;
use rollbook_support::program::{Folder, folder};
use rollbook_support::serving::Serving;

const FEED: &str = r##"{"t":"snapshot","channel":"a","topics":{"b":[{"user":"ana","meta":{"x":1.50}},{"user":"tony"}],"c":[{"user":"zoe","conn":"1"}]},"ts":1000}
{"t":"join","channel":"a","topic":"b","user":"b ob","meta":"\"","ts":1500,"id":"i-1"}
nonsense
{"t":"link","state":"down","reason":"lost","ts":2000}
{"t":"token","state":"expired","ts":2100}
{"t":"link","state":"up","ts":8000}
{"t":"snapshot","channel":"a","topics":{"b":[{"user":"ana","meta":{"x":2}},{"user":"lily"}]},"ts":9000}
{"t":"join","channel":"room #1/+&?=é 😀","topic":"__proto__","user":"*","ts":9500,"pos":[7,1]}
{"t":"update","channel":"a","topic":"b","user":"lily","meta":null,"ts":9600}
{"t":"leave","channel":"a","topic":"b","user":"ana","ts":9700}
"##;

const QUESTIONS: &[&[&str]] = &[
    &["who", "a"],
    &["who", "a", "--at", "@5000"],
    &["who", "a", "--at", "@5000", "--certain", "--topic", "b"],
    &["who", "a", "--seq", "3"],
    &["who", "room #1/+&?=é 😀"],
    &["history"],
    &[
        "history",
        "a",
        "--topic",
        "b",
        "--type",
        "join,leave",
        "--origin",
        "inferred",
    ],
    &[
        "history", "--user", "lily", "--from", "@9000", "--to", "@9650",
    ],
    &["history", "--after-seq", "4", "--limit", "2"],
    &["history", "room #1/+&?=é 😀"],
    &["missed", "a"],
    &["missed", "a", "--gap", "1", "--since", "-100000d"],
    &["missed", "a", "--gap", "7"],
    &["sessions"],
    &[
        "sessions", "a", "--user", "ana", "--from", "@1", "--to", "@99999",
    ],
    &["stats"],
    &[
        "stats", "a", "--topic", "b", "--from", "@1000", "--to", "@10000", "--every", "5s",
    ],
    &["channels"],
    &["gaps", "a"],
    &["rejects"],
    &["who", "nowhere"],
    &["history", "nowhere"],
    &["missed", "nowhere"],
    &["sessions", "nowhere"],
    &["stats", "nowhere"],
    &["gaps", "nowhere"],
    &[
        "stats", "a", "--from", "@0", "--to", "@9000000", "--every", "1ms",
    ],
];

/// Every question that names a channel, with a channel that does not exist.
const NOWHERE: &[&[&str]] = &[
    &["who", "nowhere"],
    &["who", "nowhere", "--at", "@1", "--topic", "b"],
    &["who", "nowhere", "--seq", "1"],
    &["who", "nowhere", "--known-at", "@1"],
    &["history", "nowhere"],
    &["history", "nowhere", "--limit", "0"],
    &["history", "nowhere", "--after-seq", "99", "--type", "link"],
    &["missed", "nowhere"],
    &["missed", "nowhere", "--gap", "1"],
    &["sessions", "nowhere"],
    &["sessions", "nowhere", "--user", "ana", "--to", "@1"],
    &["stats", "nowhere"],
    &["stats", "nowhere", "--every", "1h", "--topic", "b"],
    &["gaps", "nowhere"],
];

#[test]
fn a_channel_that_there_is_not_is_not_found_wherever_it_is_asked_for() {
    let folder = folder!();
    folder.ingest(FEED, &[]);
    let ask = |place: &[&str]| {
        for question in NOWHERE {
            let ran = folder.run(&[place, question].concat()).fails(3);
            assert!(ran.err.contains("nowhere"), "{question:?}: {ran:?}");
            assert_eq!(ran.out, "", "{question:?}");
        }
    };
    ask(&[]);
    let serving = Serving::start(&folder, &[]);
    ask(&["--url", &serving.url]);
    ask(&[]);
    serving.stop();
}

/// The exit status and output of every question in every format.
fn answers(folder: &Folder, place: &[&str]) -> Vec<(Vec<String>, Option<i32>, String)> {
    let mut all = Vec::new();
    for format in ["json", "jsonl", "csv", "table"] {
        for question in QUESTIONS {
            let args = [place, &["--format", format], question].concat();
            let ran = folder.run(&args);
            assert_eq!(
                ran.status != Some(0),
                !ran.err.is_empty(),
                "{args:?}: {ran:?}"
            );
            let asked = [&["--format", format], *question].concat();
            all.push((
                asked.iter().map(|&word| word.to_owned()).collect(),
                ran.status,
                ran.out,
            ));
        }
    }
    all
}

#[test]
fn every_question_has_the_same_answer_wherever_it_is_asked() {
    let folder = folder!();
    folder.ingest(FEED, &[]);
    let own = answers(&folder, &[]);
    let serving = Serving::start(&folder, &[]);
    let by_url = answers(&folder, &["--url", &serving.url]);
    let by_socket = answers(&folder, &[]);
    serving.stop();
    for ((own, by_url), by_socket) in own.iter().zip(&by_url).zip(&by_socket) {
        assert_eq!(own, by_url);
        assert_eq!(own, by_socket);
    }
    // And some of them are real answers.
    assert!(
        own.iter()
            .any(|(_, status, out)| *status == Some(0) && out.contains("lily"))
    );
    assert!(own.iter().any(|(_, status, _)| *status == Some(3)));
}

#[test]
fn a_server_is_asked_with_a_token_and_says_what_it_lacks() {
    let folder = folder!();
    folder.ingest(FEED, &[]);
    let secret = folder.file("secret", "0123456789abcdef0123456789abcdef");
    let serving = Serving::start(&folder, &["--auth-secret-file", &secret]);
    let token = |scope: &str| {
        let made = folder.run(&[
            "token",
            "--auth-secret-file",
            &secret,
            "--scope",
            scope,
            "--ttl",
            "1h",
        ]);
        made.ok().out.trim().to_owned()
    };
    let ask = |token: Option<String>| {
        let mut program = folder.program(&["who", "a"]);
        program
            .env("ROLLBOOK_URL", &serving.url)
            .env_remove("ROLLBOOK_DATA");
        if let Some(token) = token {
            program.env("ROLLBOOK_TOKEN", token);
        }
        program::run(program)
    };
    assert!(ask(Some(token("read"))).ok().out.contains("lily"));
    assert!(ask(None).fails(1).err.contains("\"read\""));
    let wrong = token("ingest");
    let ran = ask(Some(wrong.clone())).fails(1);
    assert!(
        ran.err.contains("read") && !ran.err.contains(&wrong),
        "{ran:?}"
    );
    assert!(
        ask(Some("two words".into()))
            .fails(2)
            .err
            .contains("ROLLBOOK_TOKEN")
    );
    // From a command or a file, with every question; what fails there is said, and no token with it.
    let file = folder.file("token", token("read"));
    let print = format!("cat {file}");
    for options in [["--token-command", &*print], ["--token-file", &*file]] {
        let args = [&["--url", &*serving.url, "who", "a"], &options[..]].concat();
        let mut program = folder.program(&args);
        program.env("ROLLBOOK_TOKEN", &wrong);
        assert!(program::run(program).ok().out.contains("lily"));
    }
    let print = format!("echo {wrong}; false");
    let args = ["--url", &serving.url, "--token-command", &print, "channels"];
    let ran = folder.run(&args).fails(1);
    assert!(ran.err.contains("no token: the command ended"), "{ran:?}");
    assert!(!ran.err.contains(&wrong), "{ran:?}");
    serving.stop();
}

#[test]
fn health_is_the_exit_status() {
    let folder = folder!();
    let ran = folder.run(&["health"]).fails(1);
    assert!(ran.err.contains("does not answer"), "{ran:?}");
    let secret = folder.file("secret", "0123456789abcdef0123456789abcdef");
    let serving = Serving::start(&folder, &["--auth-secret-file", &secret]);
    assert_eq!(folder.run(&["health"]).ok().out, "ready\n");
    folder.run(&["--url", &serving.url, "health"]).ok();
    serving.stop();
    folder.run(&["health"]).fails(1);
    // One that takes the connection and says nothing; and one that is not ready.
    let quiet = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", quiet.local_addr().unwrap());
    let ran = folder.run(&["--url", &url, "health", "--timeout", "50ms"]);
    assert!(ran.fails(1).err.contains("no answer in time"));
    let answers = std::thread::spawn(move || {
        use std::io::{Read, Write};
        // The connections above come first.
        while let Ok((mut stream, _)) = quiet.accept() {
            let mut head = [0; 1024];
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                let body = r#"{"error":"nothing more is written: the disk is full"}"#;
                let length = body.len();
                let sent = write!(
                    stream,
                    "HTTP/1.1 503 x\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                if sent.and_then(|()| stream.flush()).is_ok() && stream.read(&mut head).is_ok() {
                    return;
                }
            }
        }
    });
    let ran = folder.run(&["--url", &url, "health"]).fails(1);
    assert!(
        ran.err
            .contains("503: nothing more is written: the disk is full"),
        "{ran:?}"
    );
    drop(answers);
}

#[test]
fn where_nobody_answers_it_is_said() {
    let folder = folder!();
    let ran = folder
        .run(&["--url", "http://127.0.0.1:1", "who", "a"])
        .fails(1);
    assert!(ran.err.contains("127.0.0.1:1 does not answer"), "{ran:?}");
    folder.run(&["--url", "ftp://x", "who", "a"]).fails(2);
    folder
        .run(&["--url", "http://x", "--data", "y", "who", "a"])
        .fails(2);
    folder.run(&["--url", "http://x", "rebuild"]).fails(2);
    // A directory on the command line counts more than a server in the environment.
    let mut program = folder.program(&["--data", "none", "who", "a"]);
    program.env("ROLLBOOK_URL", "http://127.0.0.1:1");
    assert!(program::run(program).fails(3).err.contains("no store"));
}

#[test]
fn a_socket_that_a_dead_server_left_is_no_server() {
    let folder = folder!();
    folder.ingest(FEED, &[]);
    drop(std::os::unix::net::UnixListener::bind(folder.path("store/rollbook.sock")).unwrap());
    assert_eq!(folder.ask(&["channels"]).len(), 2);
}
