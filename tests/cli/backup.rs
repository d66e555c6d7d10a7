//! `backup` and `restore` from the outside: of a directory, and of a server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program::{DEADLINE, Folder, folder, said};
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

fn evening() -> Folder {
    let folder = folder!();
    let lines = |from: u64, to: u64| -> String {
        let line = |n| {
            format!(
                "{{\"t\":\"join\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"u{n}\",\"ts\":{n}000}}\n"
            )
        };
        (from..to).map(line).collect()
    };
    folder.ingest(lines(1, 5), &[]);
    folder
        .run(&["backup", &folder.path("monday").to_string_lossy()])
        .ok();
    folder.ingest(lines(5, 8), &[]);
    folder
}

#[test]
fn from_the_outside() {
    let folder = evening();
    let path = |name: &str| folder.path(name).to_string_lossy().into_owned();
    let (monday, tuesday, there) = (path("monday"), path("tuesday"), path("there"));
    let again = folder.run(&["backup", &monday]).fails(1);
    assert!(
        again.err.contains("is there already") && again.err.contains("--force"),
        "{again:?}"
    );
    let made = folder.run(&["backup", &tuesday, "--since", &monday]).ok();
    assert!(made.err.contains("entries 5 to 7"), "{made:?}");
    let whole = folder.run(&["backup", "--verify", &monday, &tuesday]).ok();
    assert_eq!(whole.err.matches("is whole").count(), 2, "{whole:?}");
    let alone = folder
        .run(&["--data", &there, "restore", &tuesday])
        .fails(2);
    assert!(
        alone
            .err
            .contains("tuesday: the first backup is no whole one"),
        "{alone:?}"
    );
    folder
        .run(&["--data", &there, "restore", &monday, &tuesday])
        .ok();
    let history = folder.run(&["history"]).ok().out;
    assert_eq!(folder.run(&["--data", &there, "history"]).ok().out, history);
    let twice = folder.run(&["--data", &there, "restore", &monday]).fails(1);
    assert!(twice.err.contains("--replace"), "{twice:?}");
    folder
        .run(&["--data", &there, "restore", &monday, "--replace"])
        .ok();
    let left = folder.run(&["--data", &there, "history"]).ok().out;
    assert_eq!(left.lines().count(), 4);
    let bytes = std::fs::read(&monday).unwrap();
    folder.file("cut", &bytes[..bytes.len() / 2]);
    let cut = path("cut");
    assert!(
        folder
            .run(&["backup", "--verify", &cut])
            .fails(5)
            .err
            .contains("cut: ")
    );
    folder
        .run(&["--data", &there, "restore", &cut, "--replace"])
        .fails(5);
    assert_eq!(folder.run(&["--data", &there, "history"]).ok().out, left);
    folder
        .run(&["backup", "--verify", &path("nowhere")])
        .fails(3);
    folder.run(&["backup", &monday, &tuesday]).fails(2);
    folder
        .run(&["--data", &path("nowhere"), "backup", &path("new")])
        .fails(3);
    // Into a folder; and nothing half is left anywhere.
    std::fs::create_dir(folder.path("kept")).unwrap();
    folder.run(&["backup", &path("kept")]).ok();
    let kept = std::fs::read_dir(folder.path("kept")).unwrap();
    let kept: Vec<_> = kept.map(|item| item.unwrap().file_name()).collect();
    assert_eq!(kept, ["rollbook-7.backup"]);
}

#[test]
fn a_backup_that_is_read_slowly_keeps_nobody_from_the_store() {
    let folder = evening();
    let line = |n: u64| {
        let user = blake3::hash(&n.to_le_bytes());
        format!(
            "{{\"t\":\"join\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"{user}\",\"ts\":{n}}}\n"
        )
    };
    // More than a pipe takes.
    folder.ingest((10_000..20_000).map(line).collect::<String>(), &[]);
    let before = folder.run(&["history"]).ok().out;
    let mut reading = folder.program(&["backup", "-"]);
    let mut reading = reading.stdout(Stdio::piped()).spawn().unwrap();
    let mut backup = reading.stdout.take().unwrap();
    let mut bytes = vec![0; 1];
    // From its first byte on the backup is all in a file.
    backup.read_exact(&mut bytes).unwrap();
    folder.ingest(line(20_000), &[]);
    assert!(reading.try_wait().unwrap().is_none());
    backup.read_to_end(&mut bytes).unwrap();
    assert!(reading.wait().unwrap().success());
    assert!(bytes.len() > 200_000, "{}", bytes.len());
    assert!(folder.path("store/last-backup").exists());
    folder.file("slow", &bytes);
    folder.run(&["--data", "there", "restore", "slow"]).ok();
    let restored = folder.run(&["--data", "there", "history"]).ok().out;
    assert_eq!(restored, before);
}

#[test]
fn who_writes_waits_for_another_command() {
    let folder = evening();
    let mut holder = folder.program(&["ingest"]);
    let mut holder = holder
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut feed = holder.stdin.take().unwrap();
    // The store is opened when there is something to take in.
    feed.write_all(b"{\"t\":\"join\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"held\"}\n")
        .unwrap();
    while !folder.path("store/rollbook.sock").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    folder.file(
        "more",
        b"{\"t\":\"join\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"late\"}\n",
    );
    let mut waiting = folder.program(&["ingest", "more"]);
    let mut waiting = waiting
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = said(waiting.stderr.take().unwrap());
    let first = said.recv_timeout(DEADLINE).unwrap();
    assert!(first.contains("waiting up to"), "{first}");
    drop(feed);
    assert!(holder.wait().unwrap().success());
    assert!(waiting.wait().unwrap().success());
    assert_eq!(folder.ask(&["history"]).len(), 9);
}

#[cfg(all(feature = "client", feature = "server"))]
#[test]
fn a_server_is_backed_up_while_it_serves() {
    use rollbook_support::serving::Serving;
    let folder = evening();
    folder.file("secret", "a secret of at least thirty-two bytes");
    let serving = Serving::start(&folder, &["--auth-secret-file", "secret"]);
    let monday = folder.path("monday").to_string_lossy().into_owned();
    // Through the owner's socket no token is needed.
    folder.run(&["backup", "owner"]).ok();
    let token = |scope: &str| {
        let args = [
            "token",
            "--auth-secret-file",
            "secret",
            "--scope",
            scope,
            "--ttl",
            "1h",
        ];
        folder.run(&args).ok().out.trim().to_owned()
    };
    let over_the_net = |name: &str, token: &str| {
        let args = ["--url", &serving.url, "backup", name, "--since", &monday];
        let mut command = folder.program(&args);
        // The folder's own option does not go with --url.
        command.env("ROLLBOOK_TOKEN", token);
        rollbook_support::program::run(command)
    };
    let refused = over_the_net("reader", &token("read")).fails(1);
    assert!(refused.err.contains("admin"), "{refused:?}");
    over_the_net("net", &token("admin")).ok();
    folder.file(
        "line",
        b"{\"t\":\"join\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"u\"}\n",
    );
    folder.run(&["--data", "other", "ingest", "line"]).ok();
    folder.run(&["--data", "other", "backup", "others"]).ok();
    // As without a server.
    let strange = folder
        .run(&["backup", "none", "--since", "others"])
        .fails(2);
    assert!(strange.err.contains("is of another store"), "{strange:?}");
    folder.run(&["backup", "--verify", "owner", "net"]).ok();
    let restored = |name: &str, backups: &[&str]| {
        folder
            .run(&[&["--data", name, "restore"], backups].concat())
            .ok();
        folder.run(&["--data", name, "history"]).ok().out
    };
    let history = folder.run(&["history"]).ok().out;
    assert_eq!(restored("one", &["owner"]), history);
    assert_eq!(restored("two", &["monday", "net"]), history);
    assert!(!folder.path("reader").exists());
    serving.stop();
}

#[cfg(unix)]
#[test]
fn a_backup_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = evening();
    let mode = std::fs::metadata(folder.path("monday"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
}
