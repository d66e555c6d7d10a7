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
fn a_spreadsheet_gets_local_times_and_no_formulas() {
    let folder = folder!();
    let line = |user: &str, ts: u64| {
        format!(
            "{{\"t\":\"join\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"{user}\",\"ts\":{ts}}}\n"
        )
    };
    // One moment before summer time begins in Berlin, and one after.
    let lines = [
        line("=1+1", 1_774_742_399_000),
        line("zoë", 1_774_749_600_000),
        line("x;@SUM(1)\\n=2", 1_774_749_601_000),
    ];
    folder.ingest(lines.concat(), &[]);
    let args = [
        "export",
        "--to",
        "a.csv",
        "--what",
        "sessions",
        "--spreadsheet",
    ];
    folder
        .run(&[&args[..], &["--zone", "Europe/Berlin"]].concat())
        .ok();
    let rows = |folder: &Folder| -> Vec<Vec<String>> {
        let written = read(folder, "a.csv");
        let plain = written.strip_prefix('\u{feff}').unwrap();
        let mut csv = csv::Reader::from_reader(plain.as_bytes());
        let rows = csv.records().map(|row| {
            let row = row.unwrap();
            row.iter().take(5).map(str::to_owned).collect()
        });
        rows.collect()
    };
    let at = |user: &str, joined: &str| ["c", "t", user, "", joined].map(str::to_owned).to_vec();
    assert_eq!(
        rows(&folder),
        [
            at("'=1+1", "2026-03-29 00:59:59.000"),
            at("zoë", "2026-03-29 04:00:00.000"),
            at("'x,@SUM(1) =2", "2026-03-29 04:00:01.000"),
        ]
    );
    folder.run(&[&args[..], &["--force"]].concat()).ok();
    assert!(read(&folder, "a.csv").contains("2026-03-28 23:59:59.000"));
    folder
        .run(&["export", "--to", "a.jsonl", "--spreadsheet"])
        .fails(2);
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
    for name in ["stays.parquet.gz", "stays.xlsx", "stays", "stays.gz"] {
        let failed = folder.run(&["export", "--to", name]).fails(2);
        let can = failed.err.contains(".csv") && failed.err.contains(".jsonl");
        assert!(can, "{failed:?}");
    }
    folder
        .run(&["export", "--to", "a.csv", "--what", "roster"])
        .fails(2);
    folder.run(&["export", "--to", "nowhere/a.csv"]).fails(1);
    folder.run(&["export", "lounge", "--to", "a.csv"]).fails(3);
    let contradicted: [&[&str]; 7] = [
        &["--format", "jsonl", "export", "--to", "a.csv"],
        &["--format", "json", "export", "--to", "-"],
        &["export", "--to", "a.csv", "--known-at", "-1h"],
        &[
            "export", "--to", "a.csv", "--what", "stats", "--type", "join",
        ],
        &[
            "export", "--to", "a.csv", "--what", "stats", "--user", "gus",
        ],
        &["export", "--to", "a.csv", "--what", "missed"],
        &[
            "export", "studio-7", "--to", "a.csv", "--what", "missed", "--topic", "chat",
        ],
    ];
    for args in contradicted {
        folder.run(args).fails(2);
    }
    assert_eq!(files(&folder), [] as [&str; 0]);
}

#[test]
fn compressed_it_is_the_same() {
    use std::io::Read;
    let folder = evening();
    for name in ["a.csv", "a.csv.gz", "b.jsonl", "b.jsonl.zst"] {
        folder.run(&["export", "--to", name]).ok();
    }
    let bytes = |name: &str| std::fs::read(folder.path(name)).unwrap();
    let mut unpacked = String::new();
    let packed = bytes("a.csv.gz");
    flate2::read::GzDecoder::new(&*packed)
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, read(&folder, "a.csv"));
    assert_eq!(
        zstd::decode_all(&*bytes("b.jsonl.zst")).unwrap(),
        bytes("b.jsonl")
    );
}

#[test]
fn standard_output_gets_the_rows_alone() {
    let folder = evening();
    let lines = folder.run(&["export", "--to", "-"]).ok();
    assert_eq!(
        (lines.out, lines.err.as_str()),
        (folder.run(&["history"]).ok().out, "")
    );
    let args = [
        "--format", "csv", "export", "--to", "-", "--what", "sessions",
    ];
    let printed = folder.run(&["sessions", "--format", "csv"]).ok().out;
    assert_eq!(folder.run(&args).ok().out, printed);
}

#[test]
fn entries_are_chosen_as_history_chooses_them() {
    let folder = evening();
    let choice = [
        "--type",
        "join,leave",
        "--origin",
        "inferred",
        "--after-seq",
        "40",
    ];
    folder
        .run(&[&["export", "--to", "a.jsonl"], &choice[..]].concat())
        .ok();
    let asked = folder.run(&[&["history"], &choice[..]].concat()).ok().out;
    assert!(!asked.is_empty());
    assert_eq!(read(&folder, "a.jsonl"), asked);
}

#[cfg(feature = "parquet")]
mod columns {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use serde_json::{Value, json};

    /// The rows of a file, as JSON; a time is its Unix ms.
    fn rows(folder: &Folder, name: &str) -> Vec<Value> {
        let file = std::fs::File::open(folder.path(name)).unwrap();
        let file = SerializedFileReader::new(file).unwrap();
        let rows = file.get_row_iter(None).unwrap();
        rows.map(|row| {
            let row = row.unwrap();
            let cells = row.get_column_iter().map(|(name, field)| {
                let value = match field {
                    Field::Null => Value::Null,
                    Field::Str(text) => json!(text),
                    Field::Long(number) => json!(number),
                    Field::Double(number) => json!(number),
                    Field::Bool(value) => json!(value),
                    Field::TimestampMillis(ms) => json!({ "ms": ms }),
                    other => panic!("{other:?}"),
                };
                (name.clone(), value)
            });
            Value::Object(cells.collect())
        })
        .collect()
    }

    /// The cell of a column that a field of JSON becomes.
    fn as_cell(kind: &Value, field: &Value) -> Value {
        match (kind.as_str().unwrap(), field) {
            (_, Value::Null) => Value::Null,
            ("time", text) => {
                let time = chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
                json!({ "ms": time.timestamp_millis() })
            }
            ("json", value) => json!(value.to_string()),
            (_, value) => value.clone(),
        }
    }

    #[test]
    fn a_parquet_file_has_what_the_query_answers() {
        let folder = evening();
        for (what, query) in [("entries", "history"), ("sessions", "sessions")] {
            let name = format!("{what}.parquet");
            folder.run(&["export", "--to", &name, "--what", what]).ok();
            let rows = rows(&folder, &name);
            let answers = folder.ask(&[query]);
            let columns = folder.ask(&["schema", query]);
            assert_eq!(
                (rows.len(), rows[0].as_object().unwrap().len()),
                (answers.len(), columns.len())
            );
            for (row, answer) in rows.iter().zip(&answers) {
                for column in &columns {
                    let field = column["field"].as_str().unwrap();
                    let cell = as_cell(&column["kind"], &answer[field]);
                    // Objects may be written with spaces that JSON does not need.
                    let same = row[field] == cell
                        || (field == "meta"
                            && serde_json::from_str::<Value>(row[field].as_str().unwrap())
                                .unwrap()
                                == answer[field]);
                    assert!(same, "{field}: {row} {answer}");
                }
            }
        }
    }

    #[test]
    fn figures_and_gaps_have_the_columns_of_their_csv() {
        let folder = evening();
        for (what, channel) in [("stats", None), ("missed", Some("studio-7"))] {
            let mut args = vec!["export", "--what", what];
            args.extend(channel);
            let name = format!("{what}.parquet");
            folder.run(&[&args[..], &["--to", &name]].concat()).ok();
            let name = format!("{what}.csv");
            folder.run(&[&args[..], &["--to", &name]].concat()).ok();
            let rows = rows(&folder, &format!("{what}.parquet"));
            let mut csv = csv::Reader::from_path(folder.path(&name)).unwrap();
            let names = csv.headers().unwrap().clone();
            assert_eq!(rows.len(), csv.records().count());
            assert!(
                rows.len() > 2
                    && rows.iter().all(|row| row
                        .as_object()
                        .unwrap()
                        .keys()
                        .all(|key| names.iter().any(|name| name == key)))
            );
        }
    }
}
