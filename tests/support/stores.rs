//! Stores with work left to do: rejects that can be accepted now, an older format.

use super::program::Folder;
use rollbook::log::engine::sled::SledJournal;
use rollbook::log::engine::{Durability, Journal};
use std::fmt::Write as _;
use std::path::Path;

/// The options that record the rejects of [`with_rejects`].
pub const RETRY: [&str; 4] = ["rejects", "--retry", "--time-unit", "us"];

/// Makes a store with one entry and this many rejects. Their times are microseconds, out of range as milliseconds.
pub fn with_rejects(folder: &Folder, rejects: u64) {
    let line = |n: u64, ts: u64| {
        format!(r#"{{"t":"join","channel":"c","topic":"t","user":"u{n}","ts":{ts}}}"#)
    };
    let first = line(0, 1_700_000_000_000);
    let text = (1..=rejects).fold(first, |mut text, n| {
        let _ = write!(text, "\n{}", line(n, 1_700_000_000_000_000 + n));
        text
    });
    let sum = folder.ingest(text, &[]);
    assert_eq!(sum["rejected"], rejects, "{sum}");
}

/// Makes the store of the format 1 fixture.
pub fn of_format_1(store: &Path) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/fixtures");
    let fixtures = Path::new(fixtures);
    std::fs::create_dir_all(store.join("log")).unwrap();
    std::fs::copy(fixtures.join("format-1.json"), store.join("store.json")).unwrap();
    let journal = SledJournal::open(&store.join("log"), Durability::Power).unwrap();
    let values = lengthed(&std::fs::read(fixtures.join("format-1.log")).unwrap());
    journal.append(0, &values).unwrap();
    journal.sync().unwrap();
}

/// Splits values, each of which stands behind its length.
fn lengthed(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    while let Some((length, tail)) = bytes.split_first_chunk::<4>() {
        let (value, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        values.push(value.to_vec());
        bytes = tail;
    }
    assert!(bytes.is_empty());
    values
}
