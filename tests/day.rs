//! A day of an operations engineer, from the outside: settings from a file, tokens, certificates, metrics, a backup, a kill, damage,
//! a repair, a restore, retention, somebody who is forgotten, and a store of the first format. Each step stands on the one before.
//! `ROLLBOOK` names another program than the one that cargo built: `tests/package/run` has the day lived with the installed one.
#![cfg(all(feature = "server", unix))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::certificates::{Authority, Issued};
use rollbook_support::program::{Folder, Ran, TRUSTED, run};
use rollbook_support::serving::Serving;
use rollbook_support::stores::of_format_1;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    let named = std::env::var("ROLLBOOK");
    named.unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollbook").to_owned())
});

const EVENING: &str = include_str!("../examples/weak-network-evening.jsonl");

/// A server with tokens and TLS, and who asks it.
struct House {
    folder: Folder,
    authority: Authority,
    secret: String,
}

impl House {
    fn new() -> House {
        let folder = Folder::new(&PROGRAM);
        let authority = Authority::new("ours");
        folder.file(TRUSTED, authority.certificate());
        let secret = folder.file("secret", "a secret of thirty-two bytes, or more\n");
        let house = House {
            folder,
            authority,
            secret,
        };
        house.certified(&house.authority.issues("localhost"));
        house.configured("");
        house
    }

    fn certified(&self, issued: &Issued) {
        self.folder.file("cert.pem", &issued.certificate);
        self.folder.file("key.pem", &issued.key);
    }

    /// Writes the settings, with more at their end.
    fn configured(&self, more: &str) {
        let path = |name: &str| self.folder.path(name).display().to_string();
        let settings = format!(
            "data = {:?}\nlisten = \"127.0.0.1:0\"\nauth-secret-file = [{:?}]\ntls-cert = {:?}\ntls-key = {:?}\nlog-format = \"text\"\n{more}",
            path("store"),
            self.secret,
            path("cert.pem"),
            path("key.pem"),
        );
        self.folder.file("rollbook.toml", settings);
    }

    fn serve(&self) -> Serving {
        let config = self.folder.path("rollbook.toml").display().to_string();
        let checked = self.folder.run(&["serve", "--config", &config, "--check"]);
        assert!(
            !checked.ok().out.contains("thirty-two"),
            "a secret is shown"
        );
        let command = self.folder.program(&["serve", "--config", &config]);
        Serving::of(command).unwrap_or_else(|said| panic!("{said:?}"))
    }

    fn token(&self, scope: &str) -> String {
        let args = [
            "token",
            "--auth-secret-file",
            &self.secret,
            "--scope",
            scope,
        ];
        self.folder.run(&args).ok().out.trim().to_owned()
    }

    /// Runs a command against a server.
    fn ask(&self, server: &Serving, scope: &str, args: &[&str]) -> Ran {
        let port = server.url.rsplit_once(':').unwrap().1;
        let url = format!("https://localhost:{port}");
        let mut command = self.folder.program(&[&["--url", &url], args].concat());
        command
            .env_remove("ROLLBOOK_DATA")
            .env("ROLLBOOK_TOKEN", self.token(scope));
        run(command)
    }

    /// Has the server read keys and certificate again, and waits until the question has this status.
    fn renewed(&self, server: &Serving, status: i32) {
        kill_process(Pid::from_raw(server.pid() as i32).unwrap(), Signal::HUP).unwrap();
        let began = Instant::now();
        loop {
            let asked = self.ask(server, "read", &["channels"]);
            if asked.status == Some(status) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{asked:?}");
        }
    }

    /// Sends what another store has, and waits until it is acknowledged.
    fn send(&self, server: &Serving, from: &str) {
        let port = server.url.rsplit_once(':').unwrap().1;
        let url = format!("wss://localhost:{port}");
        let data = self.folder.path(from).display().to_string();
        let token = self.folder.file("token", self.token("ingest"));
        let to = ["--to-url", &url, "--to-token-file", &token];
        let from = ["--data", &data, "replay", "--as", "rollbook"];
        let command = self.folder.program(&[&from[..], &to].concat());
        run(command).ok();
    }
}

#[test]
fn a_day() {
    let house = House::new();
    let folder = &house.folder;
    let path = |name: &str| folder.path(name).display().to_string();
    let file = folder.file("evening.jsonl", EVENING);
    folder
        .run(&["--data", &path("source"), "ingest", &file])
        .ok();

    // The server starts with its settings, is healthy, and takes lines.
    let server = house.serve();
    house.ask(&server, "read", &["health"]).ok();
    house.send(&server, "source");
    let history = house.ask(&server, "read", &["history"]).ok().lines();
    assert!(history.len() > 90, "{}", history.len());

    // A new secret: the old tokens end. A new certificate, of another authority.
    folder.file("secret", "another secret of thirty-two bytes\n");
    house.renewed(&server, 0);
    let others = Authority::new("others");
    house.certified(&others.issues("localhost"));
    house.renewed(&server, 1);
    folder.file(TRUSTED, others.certificate());
    house.ask(&server, "read", &["channels"]).ok();

    // The night's backup, of the running server.
    let night = path("night.backup");
    house.ask(&server, "admin", &["backup", &night]).ok();
    folder.run(&["backup", "--verify", &night]).ok();

    // A kill takes nothing that was acknowledged.
    house.send(&server, "source");
    let before = house.ask(&server, "read", &["history"]).ok().out;
    server.kill();
    assert_eq!(folder.run(&["history"]).ok().out, before);
    folder.run(&["verify", "--deep"]).ok();

    // A bad disk: what is whole goes into a new store, and what is missing is declared. The backup has it.
    let db = folder.path("store").join("log").join("db");
    let mut bytes = std::fs::read(&db).unwrap();
    let mut found = bytes.windows(4).enumerate();
    let (at, _) = found.find(|(_, four)| four == b"\xF5Rb\xFE").unwrap();
    bytes[at + 60..at + 100].fill(0xAA);
    std::fs::write(&db, bytes).unwrap();
    folder.run(&["verify"]).fails(5);
    let repaired = folder.run(&["verify", "--repair", &path("repaired")]);
    assert_eq!(repaired.status, Some(5), "{repaired:?}");
    assert!(!repaired.line()["missing"].as_array().unwrap().is_empty());
    folder
        .run(&["--data", &path("repaired"), "verify", "--deep"])
        .ok();
    folder.run(&["restore", &night, "--replace"]).ok();
    let restored = folder.run(&["history"]).ok().lines();
    assert_eq!(restored.len(), history.len());

    // It serves again. Somebody is forgotten meanwhile.
    let server = house.serve();
    folder.run(&["forget", "--user", "hana"]).ok();
    let left = house.ask(&server, "read", &["history"]).ok().out;
    assert!(!left.contains("\"hana\"") && left.contains("\"ben\""));
    assert_eq!(left.lines().count(), history.len());
    server.stop();

    // What is old goes, and who is there is known all the same.
    folder.run(&["compact"]).ok();
    let who = folder.run(&["who", "studio-7"]).ok().out;
    let planned = folder.run(&["prune", "--before", "-1ms", "--dry-run"]).ok();
    assert!(planned.err.contains("would go"), "{planned:?}");
    folder.run(&["prune", "--before", "-1ms"]).ok();
    let verified = folder.run(&["verify", "--deep"]).ok().line();
    assert!(verified["pruned_seq"].as_u64() > Some(0), "{verified}");
    assert_eq!(folder.run(&["who", "studio-7"]).ok().out, who);

    // A store of the first format.
    let old = folder.path("old");
    of_format_1(&old);
    let old = old.display().to_string();
    let plan = folder.run(&["--data", &old, "migrate", "--dry-run"]).ok();
    assert!(plan.err.contains("format 2"), "{plan:?}");
    folder.run(&["--data", &old, "migrate"]).ok();
    folder.run(&["--data", &old, "compact"]).ok();
    folder.run(&["--data", &old, "verify", "--deep"]).ok();
    assert!(folder.run(&["--data", &old, "history"]).ok().lines().len() > 100);
}
