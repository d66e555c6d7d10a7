//! Input and messages besides answers: times, arguments, help, errors, notices, names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use clap::{CommandFactory, Parser};
use rollbook::cli::args::{Cli, Command};
use rollbook::cli::exit::{Exit, Failure};
use rollbook::cli::moment::span;
use rollbook::cli::notices::Notices;
use rollbook::cli::output::OutputFormat;
use rollbook::cli::text::{count, shown};
use rollbook::domain::entry::Disposition;
use rollbook::query::answer::Time;
use rollbook::query::time::{Span, When};
use rollbook::store::Clamped;
use rollbook_support::program::{folder, run};
use serde_json::json;
use std::path::Path;

/// 2026-05-14T00:00:00Z.
const DAY: i64 = 1_778_716_800_000;

/// A time on that day.
fn at(clock: &str) -> Time {
    let parts: Vec<i64> = clock
        .split([':', '.'])
        .map(|part| part.parse().unwrap())
        .collect();
    let ms = parts.get(3).copied().unwrap_or(0);
    Time(DAY + ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1_000 + ms)
}

#[test]
fn names_stay_apart_when_escaped() {
    assert_eq!(shown("ana"), "ana");
    assert_eq!(shown("kim 🎈 é کاربر‌ها"), "kim 🎈 é کاربر‌ها");
    assert_eq!(shown("a\nb"), "a\\nb");
    assert_eq!(shown("a\\nb"), "a\\\\nb");
    assert_eq!(shown("\u{1b}[2J"), "\\u{1b}[2J");
    assert_eq!(shown("\u{202e}evil\u{2066}"), "\\u{202e}evil\\u{2066}");
    assert_eq!(shown("\0"), "\\0");
    assert_eq!(shown(" a"), "\" a\"");
    assert_eq!(shown(""), "\"\"");
}

#[test]
fn times_in() {
    let now = at("21:00:00").0;
    let resolve = |text: &str| {
        let when = text.parse::<When>()?;
        when.resolve(now, None).map_err(|error| error.to_string())
    };
    assert_eq!(resolve("2026-05-14T20:00:00Z"), Ok(at("20:00:00").0));
    assert_eq!(
        resolve("2026-05-14T22:00:00.250+02:00"),
        Ok(at("20:00:00.250").0)
    );
    assert_eq!(resolve("@1778788800000"), Ok(at("20:00:00").0));
    assert_eq!(resolve("@-1"), Ok(-1));
    assert_eq!(resolve("-90m"), Ok(at("19:30:00").0));
    assert_eq!(resolve("-1500ms"), Ok(now - 1_500));
    assert_eq!(resolve("-1w"), Ok(now - 7 * 86_400_000));
    assert_eq!(resolve("-100000000w"), Ok(rollbook::limits::TIME_MS_MIN));
    for (text, advice) in [
        ("2026-05-14", "2026-05-14T00:00:00Z"),
        ("2026-05-14T20:00:00", "2026-05-14T20:00:00Z"),
        ("2026-05-14 20:00:00", "2026-05-14T20:00:00Z"),
        ("1778788800000", "@1778788800000"),
        ("90m", "-90m"),
        ("-90", "a unit"),
        ("-99999999999999999999w", "a unit"),
        ("@soon", "Unix milliseconds"),
        ("@999999999999999999", "the year 9999"),
        ("yesterday", "needs a zone"),
        ("21:00", "needs a zone"),
        ("2026-05-14 25:00", "RFC"),
        ("2026-02-30", "RFC"),
        ("", "-90m"),
    ] {
        let error = resolve(text).unwrap_err();
        let wanted = if advice == "RFC" {
            "2026-05-14T20:30:00Z"
        } else {
            advice
        };
        assert!(error.contains(wanted), "{text}: {error}");
    }
    assert_eq!("60s".parse::<Span>(), Ok(Span(60_000)));
    assert_eq!("1500".parse::<Span>(), Ok(Span(1_500)));
    assert!("-5s".parse::<Span>().is_err());
}

#[test]
fn the_command_line_takes_what_it_should() {
    Cli::command().debug_assert();
    let parse = |line: &str| Cli::try_parse_from(line.split(' '));
    let cli =
        parse("rollbook who studio-7 --at -90m --known-at -1h --data /tmp/x --format csv").unwrap();
    assert_eq!(
        (cli.everywhere.data.as_path(), cli.everywhere.format),
        (Path::new("/tmp/x"), Some(OutputFormat::Csv))
    );
    let Command::Who(who) = cli.command else {
        panic!("who")
    };
    assert_eq!(
        (who.at, who.known_at),
        (Some(When::Ago(5_400_000)), Some(When::Ago(3_600_000)))
    );
    let Command::Ingest(ingest) = parse("rollbook ingest --self ana --slack 2s a.jsonl -")
        .unwrap()
        .command
    else {
        panic!("ingest")
    };
    assert_eq!(
        (
            ingest.taking.slack,
            ingest.taking.max_ahead,
            ingest.files.len()
        ),
        (Span(2_000), Span(60_000), 2)
    );
    let Command::History(history) = parse("rollbook history --type join,leave --type link")
        .unwrap()
        .command
    else {
        panic!("history")
    };
    assert_eq!(history.types.len(), 3);
    for wrong in [
        "rollbook",
        "rollbook who",
        "rollbook who a --at 1 --seq 2",
        "rollbook who a --at --seq 3",
        "rollbook nonsense",
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
    }
}

/// Examples come before usage and flags, and every command has examples.
#[test]
fn help_begins_with_examples() {
    let mut cli = Cli::command();
    cli.build();
    for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
        let help = command.clone().render_long_help().to_string();
        let (examples, usage) = (help.find("Example"), help.find("Usage:"));
        assert!(examples.is_some() && examples < usage, "{help}");
    }
}

#[test]
fn a_failure_says_what_where_and_what_to_do() {
    let failure = Failure::no_channel("st\u{1b}udio", Path::new("./data"));
    assert_eq!(failure.exit, Exit::NotFound);
    assert_eq!(
        failure.to_string(),
        "rollbook: there is no channel st\\u{1b}udio in ./data\n  `rollbook channels` lists those that there are"
    );
    let statuses = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::NotFound,
        Exit::InUse,
        Exit::Corrupt,
        Exit::Interrupted,
    ];
    assert_eq!(statuses.map(Exit::status), [0, 1, 2, 3, 4, 5, 130]);
}

#[test]
fn names_and_times_may_begin_with_a_minus() {
    let folder = folder!();
    let line = r#"{"t":"join","channel":"-5","topic":"-t","user":"-x","ts":1000}"#;
    folder.ingest(line, &["--observer", "-eye", "--self", "-me"]);
    let one = |args: &[&str]| assert_eq!(folder.ask(args).len(), 1, "{args:?}");
    one(&["history", "--topic", "-t", "--user", "-x"]);
    one(&["history", "--topic", "-t", "--", "-5"]);
    one(&["sessions", "--user", "-x", "--topic", "-t", "--to", "-1h"]);
    one(&["stats", "--topic", "-t", "--from", "@0", "--to", "-1h"]);
    one(&["who", "--topic", "-t", "--known-at", "-0s", "--", "-5"]);
    one(&["replay", "--observer", "-eye", "--to", "-1h", "--", "-5"]);
    assert_eq!(folder.ask(&["history"])[0]["observer"], "-eye");
    folder
        .run(&["export", "--to", "a.csv", "--topic", "-t", "--user", "-x"])
        .ok();
    folder
        .run(&["rejects", "--retry", "--observer", "-eye", "--self", "-x"])
        .ok();
    for option in ["--observer", "--self"] {
        let long = "n".repeat(1_025);
        for name in ["", &long] {
            let ran = folder.run(&["ingest", option, name]).fails(2);
            assert!(ran.err.contains("a name has 1 to 1024 bytes"), "{ran:?}");
        }
    }
    // For an argument that is no option, the error shows how to type it.
    let ran = folder.run(&["who", "-5"]).fails(2);
    assert!(ran.err.contains("-- -5"), "{ran:?}");
}

#[test]
fn a_file_is_no_data_directory() {
    let folder = folder!();
    let file = folder.file("evening.jsonl", "");
    let inside = format!("{file}/store");
    for data in [&file, &inside] {
        for args in [
            &["ingest", "-"][..],
            &["who", "room"],
            &["verify"],
            &["migrate"],
            &["export", "--to", "a.csv"],
        ] {
            let mut command = folder.program(&[&["--data", data], args].concat());
            command.stdin(std::process::Stdio::null());
            let ran = run(command).fails(3);
            let wanted = format!("{file} is a file, and a store is a folder");
            assert!(ran.err.contains(&wanted), "{ran:?}");
            assert!(ran.err.contains("--data or ROLLBOOK_DATA"), "{ran:?}");
        }
    }
}

#[test]
fn notices_stop_at_ten() {
    let mut notices = Notices::default();
    let lines: Vec<String> = (0..10_000)
        .filter_map(|n| notices.reject("a.jsonl", n + 1, n * 9, "not JSON"))
        .collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[1], "a.jsonl:2: byte 9: not JSON");
    assert_eq!(
        notices.rest(),
        ["… and 9,990 more; rollbook rejects lists them"]
    );
}

#[test]
fn a_late_entry_is_said_to_do_what_it_does_and_what_moved_the_time_is_named_once() {
    let mut notices = Notices::default();
    let mut clamped: Clamped = serde_json::from_value(json!({
        "seq": 812, "channel": "studio-7", "occurred_at": at("20:10:00").0,
        "effective_at": at("20:13:20").0, "disposition": "applied",
        "frontier": {
            "seq": 700, "effective_at": at("20:13:20").0, "untimed": true,
            "line": ["evening.jsonl", 9],
        },
    }))
    .unwrap();
    let late = "studio-7: entry 812 occurred 2026-05-14 20:10:00.000 UTC and takes effect 3 min 20 s later, 20:13:20.000: time in a channel never goes back";
    let moved = format!(
        "{late}, and entry 700 (evening.jsonl:9) moved it there: it has no time that counts, and took effect when it was recorded"
    );
    assert_eq!(notices.clamped(&clamped).unwrap(), moved);
    assert_eq!(notices.clamped(&clamped).unwrap(), late);
    clamped.disposition = Disposition::Stale;
    let stale = "studio-7: entry 812 occurred 2026-05-14 20:10:00.000 UTC and is older than what is known: it is recorded as stale and changes nothing";
    assert_eq!(notices.clamped(&clamped).unwrap(), stale);
    clamped.disposition = Disposition::Unknown;
    let idle = notices.clamped(&clamped).unwrap();
    assert!(idle.ends_with("UTC and changes nothing"), "{idle}");
    assert_eq!(
        (0..20).filter_map(|_| notices.clamped(&clamped)).count(),
        6,
        "ten in all"
    );
    let rest = notices.rest();
    assert!(rest[0].starts_with("… and 14 more entries"), "{rest:?}");
}

#[test]
fn numbers_in_words() {
    assert_eq!(
        [0, 999, 1_000, 9_990, 1_234_567].map(count),
        ["0", "999", "1,000", "9,990", "1,234,567"]
    );
    assert_eq!(
        [
            0, 350, 4_250, 59_999, 60_000, 1_058_000, 3_600_000, 90_060_000
        ]
        .map(span),
        [
            "0 ms",
            "350 ms",
            "4 s 250 ms",
            "59 s",
            "1 min",
            "17 min 38 s",
            "1 h",
            "1 d 1 h"
        ]
    );
}

#[test]
fn the_format_follows_the_terminal_unless_told() {
    assert_eq!(OutputFormat::resolve(None, true), OutputFormat::Table);
    assert_eq!(OutputFormat::resolve(None, false), OutputFormat::Jsonl);
    assert_eq!(
        OutputFormat::resolve(Some(OutputFormat::Csv), true),
        OutputFormat::Csv
    );
}
