//! The operator's log of `rollbook serve`: its lines, what is in them, and what never is.
#![cfg(all(feature = "server", unix))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use jsonwebtoken::{EncodingKey, Header, encode};
use rollbook_support::program::{DEADLINE, Folder, end, folder, run, said};
use rollbook_support::server::{Socket, ask, connect, soon};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use tokio::net::TcpStream;

struct Logged {
    child: Child,
    address: String,
    lines: Vec<String>,
    coming: Receiver<String>,
}

impl Logged {
    fn start(mut command: Command) -> Logged {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let coming = said(child.stderr.take().unwrap());
        let mut lines = Vec::new();
        let address = loop {
            let line = coming.recv_timeout(DEADLINE).unwrap();
            let address = line.split_once("listening on http://");
            let address = address.map(|(_, rest)| rest.trim_end_matches(|c| "\"}".contains(c)));
            let address = address.map(|address| address.split('"').next().unwrap().to_owned());
            lines.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        Logged {
            child,
            address,
            lines,
            coming,
        }
    }

    async fn socket(&self, path: &str) -> Socket {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        soon(connect(stream, path)).await.unwrap()
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> u16 {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        soon(ask(stream, method, path, &[], body)).await.status
    }

    /// Stops it, and returns all that it wrote.
    fn stop(mut self) -> Vec<String> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        end(&mut self.child, DEADLINE, &Command::new("rollbook serve"));
        let mut lines = std::mem::take(&mut self.lines);
        lines.extend(self.coming.iter());
        lines
    }
}

impl Drop for Logged {
    /// A failed test leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Folder, options: &[&str]) -> Command {
    folder.program(&[&["serve", "--listen", "127.0.0.1:0"], options].concat())
}

/// What a server writes of a whole life: refused and good tokens, bad lines, a socket.
async fn life(folder: &Folder, options: &[&str]) -> (Vec<String>, Vec<String>) {
    let secret = folder.file("secret", "a secret of thirty-two bytes, or more\n");
    let other = folder.file("other", "another secret of thirty-two bytes\n");
    let make = |file: &str, scope: &str, ttl: &str| {
        let args = [
            "token",
            "--auth-secret-file",
            file,
            "--scope",
            scope,
            "--ttl",
            ttl,
        ];
        folder.run(&args).ok().out.trim().to_owned()
    };
    let options = [&["--auth-secret-file", &*secret], options].concat();
    let logged = Logged::start(serve(folder, &options));
    let good = make(&secret, "admin", "1h");
    let claims = serde_json::json!({"exp": 1_000_000_000, "scope": "read"});
    let key = EncodingKey::from_secret(b"a secret of thirty-two bytes, or more");
    let expired = encode(&Header::default(), &claims, &key).unwrap();
    let (foreign, poor) = (make(&other, "read", "1h"), make(&secret, "ingest", "1h"));
    let malformed = "no-token-but-a-password".to_owned();
    for token in [&expired, &foreign, &poor, &malformed] {
        let path = format!("/v1/who?channel=room&access_token={token}");
        assert!([401, 403].contains(&logged.ask("GET", &path, "").await));
    }
    let bad = "{\"t\":\"nonsense\"}\n".repeat(500);
    let path = format!("/v1/events?observer=eye&access_token={good}");
    assert_eq!(logged.ask("POST", &path, &bad).await, 422);
    let path = format!("/v1/subscribe?channel=room&access_token={good}");
    let socket = logged.socket(&path).await;
    socket.close().await;
    let path = format!("/v1/nothing?access_token={good}");
    assert_eq!(logged.ask("GET", &path, "").await, 404);
    (logged.stop(), vec![good, expired, foreign, poor, malformed])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_a_line_with_time_level_and_name() {
    let folder = folder!();
    let (lines, _) = life(&folder, &[]).await;
    for line in &lines {
        let mut words = line.split_whitespace();
        let at = words.next().unwrap();
        assert!(
            at.len() == 24 && at.ends_with('Z') && at.contains('T'),
            "{line}"
        );
        let level = words.next().unwrap();
        assert!(["INFO", "WARN", "ERROR"].contains(&level), "{line}");
        let event = words.next().unwrap();
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(
            event.strip_suffix(':').unwrap().chars().all(is_name),
            "{line}"
        );
    }
    let all = lines.join("\n");
    for event in ["started: ", "listening: ", "stopping: SIGTERM", "stopped: "] {
        assert!(all.contains(event), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_the_same_in_fields_and_no_token() {
    let folder = folder!();
    let (lines, tokens) = life(&folder, &["--log-format", "json", "-vv"]).await;
    let events: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for event in &events {
        for field in ["time", "level", "event", "message", "target"] {
            assert!(event[field].is_string(), "{event}");
        }
    }
    let of = |name: &str| {
        events
            .iter()
            .filter(|event| event["event"] == name)
            .collect::<Vec<_>>()
    };
    let refused = of("token_refused");
    let reasons: Vec<_> = refused
        .iter()
        .map(|event| event["reason"].clone())
        .collect();
    assert_eq!(reasons, ["expired", "signature", "scope", "malformed"]);
    assert!(refused.iter().all(|event| event["route"] == "/v1/who"));
    assert!(refused.iter().all(|event| event["address"] == "127.0.0.1"));
    // Of five hundred lines some are named, however slow the machine is.
    let rejected = of("line_rejected");
    assert!((1..500).contains(&rejected.len()), "{}", rejected.len());
    assert_eq!(rejected[0]["line"], 1);
    let [connected, disconnected] = ["connected", "disconnected"].map(|name| of(name)[0]);
    assert_eq!(connected["connection"], disconnected["connection"]);
    assert_eq!(connected["route"], "/v1/subscribe");
    assert_eq!(connected["channel"], "room");
    assert_eq!(disconnected["code"], 1000);
    assert_eq!(disconnected["reason"], "the client has closed it");
    assert!(!of("answered").is_empty());
    let all = lines.join("\n");
    for token in &tokens {
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!all.contains(part), "{part} is in the log");
        }
    }
    assert!(
        !all.contains("thirty-two") && !all.contains("access_token"),
        "{all}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_log_chooses_events_of_this_program() {
    let folder = folder!();
    let mut command = serve(&folder, &[]);
    command.env("RUST_LOG", "error,rollbook::cli=info,hyper=trace");
    let logged = Logged::start(command);
    let path = "/v1/subscribe?channel=room";
    let socket = logged.socket(path).await;
    socket.close().await;
    let all = logged.stop().join("\n");
    assert!(
        all.contains("stopped: ") && !all.contains("connected: "),
        "{all}"
    );
    for options in [&[][..], &["--check"]] {
        let mut command = serve(&folder, options);
        command.env("RUST_LOG", "rollbook=loud");
        assert!(run(command).fails(2).err.contains("RUST_LOG: "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manager_of_services_is_informed() {
    let folder = folder!();
    let at = folder.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&at).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let heard = || {
        let mut bytes = [0; 256];
        let read = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    };
    let mut command = serve(&folder, &[]);
    command.env("NOTIFY_SOCKET", &at);
    let logged = Logged::start(command);
    assert_eq!(heard(), "READY=1");
    kill_process(Pid::from_child(&logged.child), Signal::HUP).unwrap();
    assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(heard(), "READY=1");
    logged.stop();
    assert_eq!(heard(), "STOPPING=1");
}
