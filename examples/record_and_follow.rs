//! One part of a program records events that it makes in code, without lines of text. Another part follows the log,
//! and after a restart it continues where it was.
//!
//! Run it twice: `cargo run --example record_and_follow -- /tmp/rollbook-example`. The second run follows only the
//! entries that it has recorded itself.

use rollbook::domain::LinkState;
use rollbook::{Event, Options, Store};
use std::fs;
use std::path::Path;

/// The limits of a batch of the log: entries, and approximate bytes.
const BATCH: (usize, usize) = (100, 1 << 20);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1);
    let folder = folder.ok_or("usage: record_and_follow FOLDER")?;
    let store = Store::open(&folder, Options::default())?;
    record(&store)?;
    let position = Path::new(&folder).join("followed-up-to");
    for line in follow(&store, &position)? {
        println!("{line}");
    }
    Ok(())
}

/// Records an evening on a weak network. When this returns, all of it is durable.
pub fn record(store: &Store) -> Result<(), rollbook::RecordError> {
    store.record(&[
        Event::snapshot("room", [("chat", "tony"), ("chat", "lily")]).at(1_000),
        Event::join("room", "chat", "ben")
            .meta(r#"{"role":"guest"}"#)
            .at(2_000),
        Event::link(LinkState::Down).at(3_000),
        Event::link(LinkState::Up).at(9_000),
        // Lily is gone, and no event showed her leave: Rollbook infers a leave with its window.
        Event::snapshot("room", [("chat", "tony"), ("chat", "ben")]).at(9_500),
    ])?;
    eprintln!("recorded up to entry {}", store.head());
    Ok(())
}

/// Returns every entry since the position that the last call saved in a file, one line each.
pub fn follow(store: &Store, position: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let seq = match fs::read_to_string(position) {
        Ok(text) => text.trim().parse()?,
        Err(_) => 0,
    };
    let mut cursor = store.cursor(seq, None)?;
    let mut lines = Vec::new();
    loop {
        let batch = cursor.next_batch(store, BATCH.0, BATCH.1)?;
        if batch.is_empty() {
            // The position is saved after the entries were used. After a crash some entries may come again, and none
            // is missed. A program that keeps running waits here for `Store::on_published`.
            fs::write(position, cursor.seq().to_string())?;
            return Ok(lines);
        }
        for delivered in batch {
            lines.push(serde_json::to_string(&delivered.entry)?);
        }
    }
}
