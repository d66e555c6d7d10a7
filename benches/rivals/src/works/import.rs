//! A file of JSON lines, from its bytes to what is durable and closed. Rollbook's own program does this by itself, and
//! DuckDB in Python; here are SQLite, and the bare file.

use crate::Outcome;
use crate::args::Args;
use crate::figure::Figure;
use crate::peers::sqlite::Sqlite;
use crate::rows::Row;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

/// Rows in one transaction of SQLite. The index is made at the end, as its documentation advises for a bulk load.
const TRANSACTION_ROWS: usize = 10_000;
/// Bytes that the bare file takes at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Runs it: `--contender`, `--events`, `--dir`.
pub fn run(args: &Args) -> Outcome<()> {
    let (events, dir) = (args.path("--events")?, args.path("--dir")?);
    let start = Instant::now();
    let lines = match args.text("--contender")? {
        "sqlite" => import_to_sqlite(&events, &dir)?,
        "bare" => copy(&events, &dir)?,
        other => return Err(format!("{other} imports nothing here").into()),
    };
    let took = start.elapsed();
    Figure::of(lines, vec![took], took).print()
}

fn import_to_sqlite(events: &Path, dir: &Path) -> Outcome<usize> {
    let text = std::fs::read_to_string(events)?;
    let mut db = Sqlite::without_index(dir)?;
    let (mut lines, mut count) = (text.lines().peekable(), 0);
    while lines.peek().is_some() {
        let some = lines.by_ref().take(TRANSACTION_ROWS);
        let mut taken = 0;
        let rows = some.inspect(|_| taken += 1).map(Row::of);
        db.insert(count as u64 + 1, rows)?;
        count += taken;
    }
    db.add_index()?;
    crate::peers::Peer::close(Box::new(db))?;
    Ok(count)
}

/// The bytes with a checksum for each piece, and one sync at the end.
fn copy(events: &Path, dir: &Path) -> Outcome<usize> {
    let (mut from, mut to) = (File::open(events)?, File::create(dir.join("bare"))?);
    let (mut piece, mut lines) = (vec![0; PIECE_BYTES], 0);
    loop {
        let length = from.read(&mut piece)?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        lines += read.iter().filter(|&&byte| byte == b'\n').count();
        to.write_all(read)?;
        to.write_all(&crc32c::crc32c(read).to_le_bytes())?;
    }
    to.sync_data()?;
    Ok(lines)
}
