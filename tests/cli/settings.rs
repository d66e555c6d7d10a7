//! Settings of `serve` and `record`: from the command line, the environment and a file; and `serve --check`.
#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::cli::args::Cli;
use rollbook::cli::settings::{COMMANDS, key};
use rollbook_support::program::{Folder, Ran, folder, run};
use serde_json::Value;
use std::net::TcpListener;

/// Options that are no settings.
const NO_SETTINGS: [&str; 5] = ["config", "check", "url", "help", "version"];

#[test]
fn every_option_has_a_variable_and_a_key() {
    let mut command = Cli::described();
    command.build();
    let mut seen = 0;
    for name in COMMANDS {
        for option in command.find_subcommand(name).unwrap().get_arguments() {
            let long = option.get_long().unwrap_or(option.get_id().as_str());
            if NO_SETTINGS.contains(&long) {
                assert_eq!(key(option), None, "{name} {long}");
                continue;
            }
            let variable = format!("ROLLBOOK_{}", long.to_uppercase().replace('-', "_"));
            assert_eq!(option.get_env().unwrap(), variable.as_str(), "{name}");
            // What is in a variable may be secret.
            assert!(option.is_hide_env_values_set(), "{name} {long}");
            assert_eq!(key(option), Some(long), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} options are seen");
}

/// Runs the check with variables and options.
fn check(folder: &Folder, variables: &[(&str, &str)], options: &[&str]) -> Ran {
    let mut command = folder.program(&["serve", "--check", "--format", "jsonl"]);
    command.args(options).envs(variables.iter().copied());
    run(command)
}

/// The value and the source of a setting.
fn of<'r>(rows: &'r [Value], setting: &str) -> (&'r Value, &'r str) {
    let row = rows.iter().find(|row| row["setting"] == setting);
    let row = row.unwrap_or_else(|| panic!("{setting} is not listed"));
    (&row["value"], row["source"].as_str().unwrap())
}

#[test]
fn what_is_typed_is_before_variables_and_they_are_before_the_file() {
    let folder = folder!();
    let file = folder.file(
        "rollbook.toml",
        "# a comment\nlisten = \"127.0.0.1:0\"\nslack = 1500\nlossy-feed = true\nverbose = 2\n\
         allow-origin = [\"https://a.example\", \"https://b.example\"]\ntime-unit = \"s\"\nresync = \"20s\"\n",
    );
    let with_file = ["--config", &file];
    let rows = check(&folder, &[], &with_file).ok().lines();
    let at = |line: u32| format!("{file}:{line}");
    assert_eq!(of(&rows, "listen"), (&"127.0.0.1:0".into(), &*at(2)));
    assert_eq!(of(&rows, "slack"), (&"1500".into(), &*at(3)));
    assert_eq!(of(&rows, "lossy-feed"), (&"true".into(), &*at(4)));
    assert_eq!(of(&rows, "verbose"), (&"2".into(), &*at(5)));
    let both = "https://a.example, https://b.example".into();
    assert_eq!(of(&rows, "allow-origin"), (&both, &*at(6)));
    assert_eq!(of(&rows, "durability"), (&"power".into(), "default"));
    assert_eq!(of(&rows, "retain"), (&Value::Null, "default"));
    assert_eq!(of(&rows, "data").1, "ROLLBOOK_DATA");
    let variables = [
        ("ROLLBOOK_CONFIG", file.as_str()),
        ("ROLLBOOK_SLACK", "2s"),
        ("ROLLBOOK_LOSSY_FEED", "no"),
        (
            "ROLLBOOK_ALLOW_ORIGIN",
            "https://c.example, https://d.example",
        ),
        ("ROLLBOOK_TIME_UNIT", "us"),
        ("ROLLBOOK_RETAIN", ""),
    ];
    let rows = check(&folder, &variables, &["--time-unit", "ms"])
        .ok()
        .lines();
    assert_eq!(of(&rows, "slack"), (&"2s".into(), "ROLLBOOK_SLACK"));
    assert_eq!(
        of(&rows, "lossy-feed"),
        (&"false".into(), "ROLLBOOK_LOSSY_FEED")
    );
    let both = "https://c.example, https://d.example".into();
    assert_eq!(of(&rows, "allow-origin"), (&both, "ROLLBOOK_ALLOW_ORIGIN"));
    assert_eq!(of(&rows, "time-unit"), (&"ms".into(), "command line"));
    assert_eq!(of(&rows, "resync"), (&"20s".into(), &*at(8)));
    assert!(!folder.path("store").exists(), "a check makes nothing");
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    let folder = folder!();
    for (text, says) in [
        (
            "listen = \"127.0.0.1:0\"\nlistn = 1\n",
            ":2: \"listn\" is no setting",
        ),
        ("config = \"other\"\n", ":1: \"config\" is no setting"),
        ("check = true\n", ":1: \"check\" is no setting"),
        (
            "observer = \"x\"\n",
            ":1: \"observer\" is no setting of `rollbook serve`",
        ),
        ("\nlisten = \n", ":2: "),
        ("slack = 1\nslack = 2\n", ":2: "),
        ("slack = \"soon\"\n", ":1: "),
        ("\n\ndurability = \"none at all\"\n", ":3: "),
        ("slack = [1, 2]\n", ":1: \"slack\" has one value"),
        ("slack = true\n", ":1: \"slack\" is no flag"),
        (
            "lossy-feed = \"yes\"\n",
            ":1: \"lossy-feed\" is true or false",
        ),
        ("[serve]\nslack = 1\n", ":1: \"serve\" is a text"),
        ("tls-cert = \"cert.pem\"\n", "--tls-key"),
    ] {
        let file = folder.file("rollbook.toml", text);
        let ran = check(&folder, &[], &["--config", &file]).fails(2);
        assert!(ran.err.contains(says), "{text}: {}", ran.err);
    }
    let ran = check(&folder, &[], &["--config", "none.toml"]).fails(2);
    assert!(ran.err.contains("none.toml: No such file"), "{}", ran.err);
    let ran = check(&folder, &[("ROLLBOOK_LOSSY_FEED", "perhaps")], &[]).fails(2);
    assert!(ran.err.contains("lossy-feed"), "{}", ran.err);
    // The same file is no file of another command.
    let file = folder.file("rollbook.toml", "observer = \"eye\"\nlisten = \"x\"\n");
    let ran = folder
        .run(&["record", "--config", &file, "ws://127.0.0.1:9/"])
        .fails(2);
    assert!(
        ran.err
            .contains(":2: \"listen\" is no setting of `rollbook record`"),
        "{}",
        ran.err
    );
}

#[test]
fn record_takes_its_feed_from_a_file() {
    let folder = folder!();
    let file = folder.file(
        "record.toml",
        "feed = \"http://x/\"\nto-url = \"ws://127.0.0.1:9\"\n",
    );
    let ran = folder.run(&["record", "--config", &file]).fails(2);
    assert!(
        ran.err.contains("http://x/: it must begin with ws://"),
        "{}",
        ran.err
    );
    let mut command = folder.program(&["record"]);
    command.env("ROLLBOOK_FEED", "ftp://y/");
    let ran = run(command).fails(2);
    assert!(
        ran.err.contains("ftp://y/: it must begin with ws://"),
        "{}",
        ran.err
    );
}

#[test]
fn a_check_names_every_problem() {
    let folder = folder!();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let empty = folder.file("empty", "");
    let free = ["--listen", "127.0.0.1:0"];
    let ran = check(&folder, &[], &["--listen", &address]).fails(1);
    assert!(ran.err.contains(&address), "{}", ran.err);
    let secret = [&free[..], &["--auth-secret-file", &empty]].concat();
    let tls = [&secret[..], &["--tls-cert", &empty, "--tls-key", &empty]].concat();
    assert!(
        check(&folder, &[], &secret)
            .fails(1)
            .err
            .contains("no secret")
    );
    let ran = check(&folder, &[], &tls).fails(1);
    assert!(
        ran.err.contains("no secret") && ran.err.contains("no certificate"),
        "{}",
        ran.err
    );
    let ran = check(&folder, &[], &["--listen", "0.0.0.0:0"]).fails(2);
    assert!(ran.err.contains("would let in everybody"), "{}", ran.err);
    let ran = check(&folder, &[("ROLLBOOK_DATA", empty.as_str())], &free).fails(3);
    assert!(ran.err.contains("empty"), "{}", ran.err);
    folder.ingest("", &[]);
    check(&folder, &[], &free).ok();
    folder.file(
        "store/store.json",
        r#"{"format":99,"digest_key":"","created_at":0}"#,
    );
    let ran = check(&folder, &[], &free).fails(1);
    assert!(ran.err.contains("99"), "{}", ran.err);
    folder.file("store/store.json", "{");
    check(&folder, &[], &free).fails(5);
}

#[test]
fn no_secret_is_shown() {
    let folder = folder!();
    let secret = folder.file("secret", "a secret of thirty-two bytes, or more\n");
    let variables = [
        ("ROLLBOOK_TOKEN", "eyJ.of-mine.x"),
        ("ROLLBOOK_TOKEN_COMMAND", "echo eyJ.of-mine.x"),
        ("ROLLBOOK_AUTH_SECRET_FILE", secret.as_str()),
        ("ROLLBOOK_TO_TOKEN_COMMAND", "echo eyJ.of-mine.x"),
    ];
    let checked = check(&folder, &variables, &["--listen", "127.0.0.1:0"]).ok();
    let rows = checked.lines();
    assert_eq!(
        of(&rows, "token-command"),
        (&"set".into(), "ROLLBOOK_TOKEN_COMMAND")
    );
    for args in [
        &["serve", "--help"][..],
        &["record", "--help"],
        &["who", "--help"],
    ] {
        let mut command = folder.program(args);
        command.envs(variables);
        let helped = run(command).ok();
        assert!(!helped.out.contains("of-mine") && !helped.out.contains(&secret));
    }
    let all = format!("{}{}", checked.out, checked.err);
    assert!(
        !all.contains("of-mine") && !all.contains("thirty-two"),
        "{all}"
    );
}

#[test]
fn the_sample_has_every_key_and_can_be_used() {
    let folder = folder!();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/deploy/rollbook.toml");
    let port = ["--listen", "127.0.0.1:0"];
    check(&folder, &[], &[&["--config", sample], &port[..]].concat()).ok();
    let sample = std::fs::read_to_string(sample).unwrap();
    let mut command = Cli::described();
    command.build();
    let serve = command.find_subcommand("serve").unwrap();
    // Keys that exclude each other, or need files, are tried for their names only.
    let files = [
        "auth-secret-file",
        "auth-public-key",
        "tls-cert",
        "tls-key",
        "token-file",
        "token-command",
    ];
    let mut all = String::new();
    for key in serve.get_arguments().filter_map(key) {
        let begins = format!("{key} = ");
        let line = sample.lines().map(|line| line.trim_start_matches("# "));
        let mut line = line;
        let line = line.rfind(|line| line.starts_with(&begins));
        let line = line.unwrap_or_else(|| panic!("{key} is not in the sample"));
        if !files.contains(&key) {
            all.push_str(line);
            all.push('\n');
        }
    }
    let file = folder.file("all.toml", &all);
    let rows = check(&folder, &[], &[&["--config", &file], &port[..]].concat())
        .ok()
        .lines();
    let of_file = rows
        .iter()
        .filter(|row| row["source"].as_str().unwrap().starts_with(&file));
    // The address was typed, and the data directory is in a variable.
    assert_eq!(of_file.count(), all.lines().count() - 3, "{rows:?}");
}
