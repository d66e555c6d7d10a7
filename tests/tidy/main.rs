//! The structure of the project: what may import what, how long a file may be, how each file must begin.
#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice)]

mod circles;
mod data;
mod functions;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// All files of Rust below a folder, by their paths from the repository's top.
fn files(folder: &str) -> Vec<(String, String)> {
    files_of(folder, "rs")
}

/// All files below a folder whose names end with `ending`.
fn files_of(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(root.join(folder).is_dir(), "there is no {folder}");
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).into_iter().flatten() {
            let path: PathBuf = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|of| of == ending) {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The code of a file, without comments and without its unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Files below `folder`, without those in `except`, whose code contains one of `words`.
fn with_words(folder: &str, except: &[&str], words: &[&str]) -> Vec<String> {
    let of_folder = files(folder).into_iter();
    of_folder
        .filter(|(name, _)| !except.iter().any(|spared| name.starts_with(spared)))
        .flat_map(|(name, text)| {
            let code = code(&text);
            let found = words.iter().filter(move |word| code.contains(**word));
            found
                .map(move |word| format!("{name} has {word}"))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_module_says_what_lives_in_it() {
    let mut all = files("src");
    all.extend(files("tests"));
    all.extend(files("benches"));
    all.extend(files("migrations"));
    all.extend(files("examples"));
    let without = all.into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_none(
        without
            .map(|(name, _)| format!("{name} does not begin with //!"))
            .collect(),
    );
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let mut all = files("src");
    all.extend(files("tests"));
    all.extend(files("benches"));
    let long = all
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 500);
    assert_none(
        long.map(|(name, text)| format!("{name}: {}", text.lines().count()))
            .collect(),
    );
}

#[test]
fn main_only_starts() {
    let main = files("src")
        .into_iter()
        .find(|(name, _)| name == "src/main.rs")
        .unwrap();
    assert!(main.1.lines().count() <= 40);
}

#[test]
fn the_domain_is_pure() {
    let impure = [
        "std::fs",
        "std::net",
        "std::time",
        "std::io",
        "std::thread",
        "std::process",
        "async ",
    ];
    assert_none(with_words("src/domain", &[], &impure));
    let foreign = files("src/domain").into_iter().flat_map(|(name, text)| {
        let uses = code(&text)
            .lines()
            .filter_map(|line| line.trim().strip_prefix("use ").map(str::to_owned))
            .filter(|used| {
                !["std::", "super::", "crate::domain", "crate::limits"]
                    .iter()
                    .any(|own| used.starts_with(own))
            })
            .collect::<Vec<_>>();
        uses.into_iter()
            .map(move |used| format!("{name} uses {used}"))
            .collect::<Vec<_>>()
    });
    assert_none(foreign.collect());
}

#[test]
fn imports_go_downward() {
    // Each part of the library with the parts that it may import.
    let rooms: &[(&str, &[&str])] = &[
        ("domain", &[]),
        ("feed", &["domain"]),
        ("log", &["domain"]),
        ("store", &["domain", "log"]),
        ("query", &["domain", "log", "store"]),
        ("ingest", &["domain", "feed", "log", "store"]),
        ("replay", &["domain", "log", "store", "query"]),
        ("care", &["domain", "log", "store", "query"]),
        ("export", &["domain", "store", "query", "ingest"]),
        (
            "bench",
            &[
                "domain", "feed", "log", "store", "query", "ingest", "replay", "export", "client",
                "server",
            ],
        ),
        (
            "sim",
            &[
                "domain", "feed", "log", "store", "query", "ingest", "export",
            ],
        ),
        (
            "client",
            &["domain", "feed", "log", "store", "query", "ingest"],
        ),
        (
            "server",
            &[
                "domain", "feed", "log", "store", "query", "ingest", "replay", "export", "care",
            ],
        ),
    ];
    let named = rooms.iter().map(|(room, _)| *room);
    let named: BTreeSet<&str> = named.chain(["cli", "guide"]).collect();
    let unnamed = files("src").into_iter().filter_map(|(name, _)| {
        let (room, _) = name.strip_prefix("src/")?.split_once('/')?;
        (!named.contains(room)).then(|| format!("{name}: the room {room} has no walls"))
    });
    assert_none(unnamed.collect());
    // Otherwise an import among several would not be found.
    assert_none(with_words("src", &[], &["use crate::{", "super::super::"]));
    for (room, below) in rooms {
        let all = rooms.iter().map(|(room, _)| *room).chain(["cli::"]);
        let above = all.filter(|other| other != room && !below.contains(other));
        let words: Vec<String> = above.map(|room| format!("crate::{room}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_none(with_words(&format!("src/{room}"), &[], &words));
    }
}

#[test]
fn imports_within_the_server_go_downward() {
    let lowest = [
        "server_limits",
        "clock",
        "refusal",
        "events",
        "api_error",
        "metrics",
    ];
    // Each part with what it may import besides the lowest files and itself.
    let rooms: &[(&str, &[&str])] = &[
        ("net", &["access"]),
        ("access", &["net"]),
        ("write", &["net", "access", "app", "query_params"]),
        ("read", &["net", "access", "app", "query_params"]),
    ];
    let mut seen = 0;
    for (room, below) in rooms {
        for (name, text) in files(&format!("src/server/{room}")) {
            for known in code(&text).split("crate::server::").skip(1) {
                let end = known.find(|c: char| !c.is_alphanumeric() && c != '_');
                let known = &known[..end.unwrap_or(known.len())];
                let may = lowest.contains(&known) || below.contains(&known);
                assert!(may, "{name} knows {known}");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} imports are seen");
}

#[test]
fn each_room_exists_and_a_type_name_stands_for_one_type() {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let all = files("src");
    assert!(all.len() > 100, "the rooms are gone");
    for (name, text) in &all {
        for line in code(text).lines() {
            let line = line
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ");
            let line = line.trim_start_matches("pub(super) ");
            let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
            let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else {
                continue;
            };
            let name_of = |c: char| !c.is_alphanumeric() && c != '_';
            let of_type = rest.split(name_of).next().unwrap();
            types
                .entry(of_type.to_owned())
                .or_default()
                .push(name.clone());
        }
    }
    assert!(types.len() > 300, "no types are found");
    let twice = types.into_iter().filter(|(_, files)| files.len() > 1);
    assert_none(
        twice
            .map(|(name, files)| format!("{name}: {files:?}"))
            .collect(),
    );
}

#[test]
fn only_verify_decides_again() {
    let words = ["decide::", "reconcile"];
    for room in [
        "src/query",
        "src/replay",
        "src/export",
        "src/cli",
        "src/feed",
        "src/log",
        "src/sim",
    ] {
        assert_none(with_words(room, &[], &words));
    }
    assert_none(with_words("src/care", &["src/care/verify.rs"], &words));
}

#[test]
fn each_library_has_its_one_place() {
    // Only the live side, and the commands and the bench that start it, use tasks and the network.
    let live: &[&str] = &[
        "src/server",
        "src/client",
        "src/cli/commands",
        "src/bench/live.rs",
    ];
    let places: &[(&str, &[&str])] = &[
        ("sled::", &["src/log/engine/sled"]),
        ("bincode::", &["src/log/codec"]),
        (
            "flate2::",
            &[
                "src/ingest/packing.rs",
                "src/server/dashboard.rs",
                "src/export/file.rs",
            ],
        ),
        ("crc32fast::", &["src/log/engine/files.rs"]),
        ("oorandom::", &["src/sim/rng.rs"]),
        ("terminal_size::", &["src/cli/style.rs"]),
        ("unicode_width::", &["src/cli/width.rs"]),
        ("unicode_segmentation::", &["src/cli/width.rs"]),
        ("clap::", &["src/cli"]),
        ("indicatif::", &["src/cli"]),
        (
            "tokio_tungstenite::",
            &["src/client/socket.rs", "src/server/net/session.rs"],
        ),
        ("rustls_native_certs::", &["src/client/transport.rs"]),
        ("csv::", &["src/export/record.rs", "src/cli/schedule.rs"]),
        ("chrono_tz::", &["src/query/calendar.rs"]),
        ("axum::", &["src/server"]),
        ("jsonwebtoken::", &["src/server/access/auth.rs"]),
        ("prometheus_client::", &["src/server/metrics.rs"]),
        ("hyper::", live),
        ("tokio::", live),
        ("tokio_util::", live),
        ("futures_util::", live),
        ("tracing::", live),
    ];
    for (library, places) in places {
        // A module of ours may have the library's name.
        let found = with_words(
            "src",
            places,
            &[&format!("use {library}"), &format!(" {library}")],
        );
        let foreign = found
            .into_iter()
            .filter(|complaint| !complaint.contains("engine::"));
        assert_none(foreign.collect());
    }
}

#[test]
fn nothing_in_src_can_panic_for_want_of_a_value() {
    assert_none(with_words(
        "src",
        &[],
        &[
            ".unwrap()",
            ".expect(",
            "panic!(",
            "todo!(",
            "unimplemented!(",
        ],
    ));
}

#[test]
fn the_top_level_is_the_one_that_was_asked_for() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "SECURITY.md",
        "deny.toml",
        ".ci",
        ".git",
        ".gitignore",
        "benches",
        "examples",
        "fuzz",
        "migrations",
        "src",
        "target",
        "tests",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = fs::read_dir(root)
        .unwrap()
        .map(|item| item.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let strange = names.filter(|name| !allowed.contains(&name.as_str()) && name != "rollbook-data");
    assert_none(strange.collect());
}

/// The modules that a file declares, and the files that it takes by path.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        if let Some((_, path)) = line.split_once("#[path = \"") {
            return path.split('"').next();
        }
        let (_, name) = line.strip_suffix(';')?.split_once("mod ")?;
        let before = line.split("mod ").next().unwrap();
        (before.is_empty() || before.starts_with("pub")).then_some(name)
    })
}

#[test]
fn every_file_is_part_of_something() {
    let all: Vec<_> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(files)
        .collect();
    let mut known = BTreeSet::new();
    for (_, text) in &all {
        known.extend(
            declared(text)
                .map(|name| name.trim_end_matches(".rs"))
                .filter_map(|name| {
                    let name = name.trim_end_matches("/mod");
                    name.rsplit('/').next()
                }),
        );
    }
    let undeclared = all.iter().filter(|(name, _)| {
        let path = Path::new(name);
        let depth = path.components().count();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        // Files that cargo finds by itself, and files that stand for their folder.
        let found = depth == 2 || ["lib", "main", "mod"].contains(&stem);
        !found && !known.contains(stem)
    });
    assert_none(
        undeclared
            .map(|(name, _)| format!("{name} is part of nothing"))
            .collect(),
    );
}
