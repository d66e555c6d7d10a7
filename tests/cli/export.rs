//! `export` from the outside: the files that it writes, and the files that it does not touch.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program::{Folder, folder};

const EVENING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/weak-network-evening.jsonl"
);

fn evening() -> Folder {
    let folder = folder!();
    folder.run(&["ingest", EVENING]).ok();
    folder
}

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path(name)).unwrap()
}

/// The names of the files beside the store.
fn files(folder: &Folder) -> Vec<String> {
    let items = std::fs::read_dir(folder.path("")).unwrap();
    let names = items.map(|item| item.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "store").collect();
    names.sort();
    names
}

#[test]
fn a_file_has_what_the_query_prints() {
    let folder = evening();
    for (what, query) in [("entries", "history"), ("sessions", "sessions")] {
        for format in ["csv", "jsonl"] {
            let name = format!("{what}.{format}");
            let done = folder.run(&["export", "--to", &name, "--what", what]).ok();
            assert_eq!(done.out, "");
            let printed = folder.run(&[query, "--format", format]).ok().out;
            assert_eq!(read(&folder, &name), printed, "{name}");
            let header = usize::from(format == "csv");
            let rows = printed.lines().count() - header;
            assert!(done.err.contains(&format!("{rows} rows")), "{done:?}");
        }
    }
    assert_eq!(files(&folder).len(), 4, "nothing is left beside them");
}

#[test]
fn filters_are_those_of_the_query() {
    let folder = evening();
    let filters = ["studio-7", "--user", "gus", "--topic", "chat"];
    let from = ["--from", "2026-05-14T20:30:00Z"];
    let (until, to) = ("2026-05-14T21:00:00Z", "out.jsonl");
    for (what, query) in [("entries", "history"), ("sessions", "sessions")] {
        let mut export = vec![
            "export", "--to", to, "--what", what, "--force", "--until", until,
        ];
        export.extend(filters.iter().chain(&from));
        folder.run(&export).ok();
        let mut ask = vec![query, "--to", until];
        ask.extend(filters.iter().chain(&from));
        let printed = folder.run(&ask).ok().out;
        assert_eq!(read(&folder, to), printed);
        assert!(!printed.is_empty(), "{ask:?}");
    }
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let folder = evening();
    folder.file("mine.csv", "mine");
    let refused = folder.run(&["export", "--to", "mine.csv"]).fails(1);
    assert!(refused.err.contains("--force"), "{refused:?}");
    assert_eq!(read(&folder, "mine.csv"), "mine");
    folder.run(&["export", "--to", "mine.csv", "--force"]).ok();
    assert!(read(&folder, "mine.csv").starts_with("seq,channel,type"));
    assert_eq!(files(&folder), ["mine.csv"]);
}

#[test]
fn what_cannot_be_written_says_what_can() {
    let folder = evening();
    for name in ["stays.parquet", "stays.xlsx", "stays"] {
        let failed = folder.run(&["export", "--to", name]).fails(2);
        let can = failed.err.contains(".csv") && failed.err.contains(".jsonl");
        assert!(can, "{failed:?}");
    }
    folder
        .run(&["export", "--to", "a.csv", "--what", "roster"])
        .fails(2);
    folder.run(&["export", "--to", "nowhere/a.csv"]).fails(1);
    folder.run(&["export", "lounge", "--to", "a.csv"]).fails(3);
    assert_eq!(files(&folder), [] as [&str; 0]);
}
