//! `replay` from the outside: its output makes the same store again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program;
use rollbook_support::program::{DEADLINE, Folder, folder, timeless};
use std::process::Stdio;

const EVENING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/weak-network-evening.jsonl"
);

/// Two feeds with different rules and observers, and with unfinished pages.
fn mixed() -> Folder {
    let folder = folder!();
    folder.run(&["ingest", EVENING]).ok();
    folder.ingest(
        r#"
{"t":"snapshot","channel":"phone","topics":{"t":[{"user":"ann","conn":"a1","pos":[7,1]},{"user":"bob","meta":{"b":1,"a":[]}}]},"ts":1760000000000,"id":"s1"}
{"t":"diff","channel":"phone","leaves":{"t":[{"user":"bob","reason":"tired"}]},"joins":{"t":[{"user":"cid"},{"user":"ann","conn":"a1","meta":2}]}}
{"t":"link","state":"down","reason":"radio"}
{"t":"snapshot_begin","channel":"phone","sync":"again","ts":1760000009000}
{"t":"snapshot_page","channel":"phone","sync":"again","topics":{"t":[{"user":"dee"}],"u":[]}}
"#,
        &["--observer", "two", "--self", "me", "--slack", "250", "--lossy-feed"],
    );
    folder
}

#[test]
fn ingested_again_as_it_was_recorded_the_store_is_the_same() {
    let folder = mixed();
    let lines = folder.run(&["replay", "--as", "rollbook"]).ok().out;
    let file = folder.file("again.jsonl", &lines);
    let copy = folder.path("copy").to_str().unwrap().to_owned();
    let data = ["--data", &copy];
    folder
        .run(&[&data[..], &["ingest", "--keep-recorded", &file]].concat())
        .ok();
    let questions = [
        &["history"][..],
        &["verify"],
        &["who", "phone"],
        &["channels"],
        &["replay", "--as", "rollbook"],
    ];
    for question in questions {
        let again = folder.run(&[&data[..], question].concat()).ok();
        assert_eq!(again.out, folder.run(question).ok().out, "{question:?}");
    }
    // Pages that have begun in that store can be ended there.
    let end = r#"{"t":"snapshot_end","channel":"phone","sync":"again","observer":"two"}"#;
    let end = folder.file("end.jsonl", end);
    let ended = folder.run(&[&data[..], &["ingest", &end]].concat()).ok();
    assert_eq!(ended.line()["snapshots"], 1);
}

#[test]
fn in_agoras_shape_only_times_of_recording_differ() {
    let folder = folder!();
    folder.run(&["ingest", EVENING]).ok();
    let lines = folder.run(&["replay", "--as", "agora"]).ok().out;
    assert_eq!(lines, folder.run(&["replay"]).ok().out, "the default");
    let again = folder!();
    again.ingest(&lines, &[]);
    assert_eq!(
        timeless(again.ask(&["history"])),
        timeless(folder.ask(&["history"]))
    );
}

#[test]
fn a_part_is_played_at_any_speed() {
    let folder = folder!();
    let line = |n: u32| {
        format!(
            "{{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"u{n}\",\"ts\":{n}}}\n"
        )
    };
    folder.ingest((1..=20).map(line).collect::<String>(), &[]);
    let users = |args: &[&str]| -> Vec<String> {
        let replay = [&["replay", "a", "--as", "rollbook"], args].concat();
        let mut lines = folder.ask(&replay).into_iter();
        // First the roster as it stood there.
        let roster = lines.next().unwrap();
        assert_eq!(
            (&roster["t"], &roster["ts"]),
            (&"snapshot".into(), &4.into())
        );
        assert_eq!(roster["topics"]["b"].as_array().unwrap().len(), 4);
        lines
            .map(|line| line["user"].as_str().unwrap().to_owned())
            .collect()
    };
    let wanted = ["u5", "u6", "u7"];
    assert_eq!(users(&["--from-seq", "5", "--to-seq", "7"]), wanted);
    assert_eq!(
        users(&["--from", "@5", "--to", "@8", "--speed", "1000"]),
        wanted
    );
    for wrong in ["0", "fast", "-1"] {
        let failed = folder.run(&["replay", "--speed", wrong]).fails(2);
        assert!(failed.err.contains("max") || wrong == "-1", "{failed:?}");
    }
    folder.run(&["replay", "nowhere"]).fails(3);
}

#[cfg(feature = "server")]
#[test]
fn what_cannot_be_played_to_others_is_said() {
    let folder = mixed();
    for (args, status, says) in [
        (
            &["--serve", "0.0.0.0:0"][..],
            2,
            "--serve 0.0.0.0:0 would let in everybody",
        ),
        (&["--serve", "somewhere"], 2, "--serve somewhere"),
        (
            &["--serve", "127.0.0.1:0", "--as", "rollbook"],
            2,
            "Agora's shape",
        ),
        (
            &["--serve", "127.0.0.1:0", "--to-url", "ws://localhost"],
            2,
            "--to-url",
        ),
        // A secret needs a server.
        (&["--auth-secret-file", "secret"], 2, "--serve"),
        (&["nowhere", "--serve", "127.0.0.1:0"], 3, "nowhere"),
    ] {
        let ran = folder.run(&[&["replay"], args].concat()).fails(status);
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}

#[test]
fn an_interrupt_ends_it_with_130() {
    let folder = folder!();
    folder.run(&["ingest", EVENING]).ok();
    let mut command = folder.program(&["replay", "--speed", "1"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    // The replay takes an hour, but the first line comes at once.
    let lines = program::said(child.stdout.take().unwrap());
    lines.recv_timeout(DEADLINE).unwrap();
    let mut kill = std::process::Command::new("kill");
    kill.args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let status = program::end(&mut child, DEADLINE, &command);
    assert_eq!(status.code(), Some(130));
}
