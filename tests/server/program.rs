//! `rollbook serve` and `rollbook token` from the outside: the owner's socket, signals, refusals, log messages.
#![cfg(all(feature = "server", unix))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook_support as support;
use rollbook_support::program::{DEADLINE, Folder, end, folder, said};
use rollbook_support::server::{ask, ask_owner, soon};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

struct Running {
    child: Child,
    address: String,
    said: Vec<String>,
    says: Option<Receiver<String>>,
}

impl Running {
    fn start(folder: &Folder, options: &[&str]) -> Running {
        let args = [&["serve", "--listen", "127.0.0.1:0"], options].concat();
        let mut command = folder.program(&args);
        let mut running = Running {
            child: command.stderr(Stdio::piped()).spawn().unwrap(),
            address: String::new(),
            said: Vec::new(),
            says: None,
        };
        let says = self::said(running.child.stderr.take().unwrap());
        while running.address.is_empty() {
            let line = says.recv_timeout(DEADLINE).unwrap();
            let address = line.split_once("listening on http://");
            running.address = address.map_or("", |(_, address)| address).to_owned();
            running.said.push(line);
        }
        running.says = Some(says);
        running
    }

    async fn get(&self, path: &str, body: Option<&str>) -> support::server::Got {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let method = if body.is_some() { "POST" } else { "GET" };
        soon(ask(stream, method, path, &[], body.unwrap_or(""))).await
    }

    /// Stops it, and returns its status and all that it wrote.
    fn stop(self, folder: &Folder) -> (Option<i32>, Vec<String>) {
        self.stop_by(Signal::TERM, folder)
    }

    fn stop_by(mut self, signal: Signal, folder: &Folder) -> (Option<i32>, Vec<String>) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        let status = end(&mut self.child, DEADLINE, &folder.program(&["serve"]));
        let mut said = std::mem::take(&mut self.said);
        said.extend(self.says.iter().flatten());
        (status.code(), said)
    }
}

impl Drop for Running {
    /// A failed test leaves no process behind.
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn it_serves_the_owner_at_a_socket_and_leaves_in_order() {
    let folder = folder!();
    std::fs::create_dir_all(folder.path("store")).unwrap();
    // A server that died has left its socket.
    drop(std::os::unix::net::UnixListener::bind(folder.path("store/rollbook.sock")).unwrap());
    let running = Running::start(&folder, &[]);
    let line = r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#;
    running
        .get("/v1/events?observer=x", Some(line))
        .await
        .expect(200);
    let socket = folder.path("store/rollbook.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let heard = ask_owner(&socket, "/v1/channels").await.expect(200).lines();
    assert_eq!(heard[0]["channel"], "room");
    let (status, said) = running.stop(&folder);
    assert_eq!(status, Some(0), "{said:?}");
    assert!(said[0].contains("no tokens are asked for"), "{said:?}");
    assert!(!socket.exists());
    assert_eq!(folder.ask(&["channels"])[0]["entries"], 1);
}

#[tokio::test]
async fn a_file_in_the_socket_s_place_stays() {
    let folder = with_store();
    let file = folder.file("store/rollbook.sock", "somebody's own");
    let running = Running::start(&folder, &[]);
    let (status, said) = running.stop(&folder);
    assert_eq!(status, Some(0), "{said:?}");
    assert!(
        said.iter().any(|line| line.contains("is no socket")),
        "{said:?}"
    );
    assert_eq!(std::fs::read_to_string(file).unwrap(), "somebody's own");
}

/// A folder with an empty store.
fn with_store() -> Folder {
    let folder = folder!();
    drop(rollbook::Store::open(folder.path("store"), rollbook::Options::default()).unwrap());
    folder
}

#[tokio::test]
async fn an_interrupt_ends_it_in_order_too() {
    let folder = folder!();
    let running = Running::start(&folder, &[]);
    let line = r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#;
    running.get("/v1/events", Some(line)).await.expect(200);
    let (status, said) = running.stop_by(Signal::INT, &folder);
    assert_eq!(status, Some(0), "{said:?}");
    assert!(!folder.path("store/rollbook.sock").exists());
    assert_eq!(folder.verified(), 1);
}

#[tokio::test]
async fn a_hangup_has_the_secrets_read_again() {
    let folder = folder!();
    let [old, new] = ["old", "new"].map(|name| {
        let secret = format!("the {name} secret, of thirty-two bytes or more");
        folder.file(name, &secret)
    });
    let token = |file: &str| {
        let args = ["token", "--auth-secret-file", file, "--scope", "read"];
        let made = folder.program(&args).output().unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let (by_old, by_new) = (token(&old), token(&new));
    let both = ["--auth-secret-file", &old, "--auth-secret-file", &new];
    let mut running = Running::start(&folder, &both);
    let status = async |running: &Running, token: &str| {
        let path = format!("/v1/channels?access_token={token}");
        running.get(&path, None).await.status
    };
    assert_eq!(status(&running, &by_old).await, 200);
    assert_eq!(status(&running, &by_new).await, 200);
    // The old key is replaced; then the file is damaged, and the valid keys stay in use.
    for (text, says) in [
        (std::fs::read_to_string(&new).unwrap(), "are read again"),
        (String::new(), "the old keys and certificate stay"),
    ] {
        std::fs::write(&old, text).unwrap();
        kill_process(Pid::from_child(&running.child), Signal::HUP).unwrap();
        let line = loop {
            let line = running.says.as_ref().unwrap().recv_timeout(DEADLINE);
            let line = line.unwrap();
            if line.contains("SIGHUP") {
                break line;
            }
            running.said.push(line);
        };
        assert!(line.contains(says), "{line}");
        running.said.push(line);
        assert_eq!(status(&running, &by_old).await, 401);
        assert_eq!(status(&running, &by_new).await, 200);
    }
    let (status, said) = running.stop(&folder);
    assert_eq!(status, Some(0), "{said:?}");
}

#[tokio::test]
async fn tokens_are_made_asked_for_and_never_written() {
    let folder = folder!();
    let secret = folder.file("secret", "a secret of thirty-two bytes, or more\n");
    let make = |scope: &str| {
        let args = [
            "token",
            "--auth-secret-file",
            &secret,
            "--scope",
            scope,
            "--channels",
            "room,attic",
            "--ttl",
            "1h",
        ];
        folder.run(&args).ok().out.trim().to_owned()
    };
    let running = Running::start(&folder, &["--auth-secret-file", &secret, "-vv"]);
    let token = make("ingest,read");
    let line = r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"tony"}]},"ts":1000}"#;
    running.get("/v1/events", Some(line)).await.expect(401);
    running
        .get(&format!("/v1/events?access_token={token}"), Some(line))
        .await
        .expect(200);
    running
        .get(&format!("/v1/who?channel=room&access_token={token}"), None)
        .await
        .expect(200);
    running
        .get(
            &format!("/v1/who?channel=cellar&access_token={token}"),
            None,
        )
        .await
        .expect(403);
    running
        .get(
            &format!("/v1/who?channel=room&access_token={}", make("ingest")),
            None,
        )
        .await
        .expect(403);
    // The owner needs no token.
    ask_owner(&folder.path("store/rollbook.sock"), "/v1/channels")
        .await
        .expect(200);
    let (status, said) = running.stop(&folder);
    assert_eq!(status, Some(0));
    let all = said.join("\n");
    assert!(
        all.contains("snapshot") && all.contains("chat/tony"),
        "{all}"
    );
    let signature = token.rsplit('.').next().unwrap();
    assert!(
        !all.contains(signature) && !all.contains("thirty-two"),
        "{all}"
    );
}

#[test]
fn what_cannot_be_served_is_said() {
    let folder = folder!();
    let short = folder.file("short", "secret");
    let empty = folder.file("empty", "\n");
    for (args, status, says) in [
        (
            &["serve", "--listen", "0.0.0.0:0"][..],
            2,
            "would let in everybody",
        ),
        (&["serve", "--listen", "somewhere"], 2, "--listen somewhere"),
        (
            &["serve", "--auth-secret-file", &empty],
            1,
            "it is empty, and no secret",
        ),
        (
            &["serve", "--auth-secret-file", "none"],
            1,
            "none: No such file",
        ),
        (
            &["serve", "--auth-public-key", &short],
            1,
            "no Ed25519 public key",
        ),
        (
            &["serve", "--tls-cert", &short, "--tls-key", &short],
            1,
            "short: ",
        ),
        (
            &["token", "--auth-secret-file", &empty, "--scope", "read"],
            1,
            "it is empty, and no secret",
        ),
        (
            &["token", "--auth-secret-file", &short, "--scope", "write"],
            2,
            "is no scope",
        ),
    ] {
        let ran = folder.run(args).fails(status);
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
    assert!(!folder.path("store").exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_steps_aside_for_who_forgets_somebody_and_goes_on() {
    let folder = folder!();
    let server = Running::start(&folder, &[]);
    let post = async |user: &str| {
        let line = support::server::join("room", user, 1_000);
        let path = "/v1/events?observer=o";
        server.get(path, Some(&line)).await.expect(200);
    };
    post("lily").await;
    post("tony").await;
    let command = folder.program(&["forget", "--user", "lily"]);
    let forgotten = tokio::task::spawn_blocking(move || support::program::run(command));
    let forgotten = forgotten.await.unwrap().ok();
    assert!(
        forgotten.err.contains("stands for the user now"),
        "{forgotten:?}"
    );
    let history = server.get("/v1/history", None).await.expect(200).body;
    assert!(
        !history.contains("lily") && history.contains("tony"),
        "{history}"
    );
    post("lily").await;
    let who = server.get("/v1/who?channel=room", None).await.expect(200);
    let who = who.json();
    let here = who["topics"][0]["publishers"].as_array().unwrap();
    assert_eq!(here.len(), 3);
    let (status, said) = server.stop(&folder);
    assert_eq!(status, Some(0), "{said:?}");
    assert!(
        said.iter().any(|line| line.contains("stepping aside")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_soon_where_nobody_takes_the_store() {
    let folder = folder!();
    let server = Running::start(&folder, &[]);
    let (socket, began) = (folder.path("store/rollbook.sock"), Instant::now());
    let owner = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let asked = soon(ask(owner, "POST", "/v1/step-aside", &[], "")).await;
    asked.expect(200);
    server.get("/v1/history", None).await.expect(200);
    assert!(began.elapsed() < Duration::from_secs(8));
    let (status, said) = server.stop(&folder);
    assert_eq!(status, Some(0), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_is_stuck_keeps_it_from_stepping_aside() {
    use tokio::io::AsyncWriteExt;
    let folder = folder!();
    let server = Running::start(&folder, &[]);
    let line = support::server::join("room", "lily", 1_000);
    let path = "/v1/events?observer=o";
    server.get(path, Some(&line)).await.expect(200);
    // A body that never ends.
    let mut stuck = TcpStream::connect(&server.address).await.unwrap();
    let head =
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n{\"t\"";
    stuck.write_all(head.as_bytes()).await.unwrap();
    let command = folder.program(&["forget", "--user", "lily"]);
    let forgotten = tokio::task::spawn_blocking(move || support::program::run(command));
    forgotten.await.unwrap().ok();
    let history = server.get("/v1/history", None).await.expect(200).body;
    assert!(history.contains("forgotten:"), "{history}");
    let (status, said) = server.stop(&folder);
    assert_eq!(status, Some(0), "{said:?}");
}
