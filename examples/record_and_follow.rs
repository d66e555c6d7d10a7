//! A program that records what it knows itself, without lines of text, and another part of it that follows the log and
//! goes on where it was after a restart.
//!
//! Run it twice: `cargo run --example record_and_follow -- /tmp/rollbook-example`. The second run follows only what it
//! has recorded itself.

use rollbook::domain::event::LinkState;
use rollbook::{Event, Options, Store};
use std::fs;
use std::path::Path;

/// Entries taken from the log at a time, and about so many bytes.
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
pub fn record(store: &Store) -> Result<(), rollbook::StoreError> {
    store.record(&[
        Event::snapshot("room", [("chat", "tony"), ("chat", "lily")]).at(1_000),
        Event::join("room", "chat", "ben")
            .meta(r#"{"role":"guest"}"#)
            .at(2_000),
        Event::link(LinkState::Down).at(3_000),
        Event::link(LinkState::Up).at(9_000),
        // Lily is gone, and nobody saw her go: an inferred leave follows, with its window.
        Event::snapshot("room", [("chat", "tony"), ("chat", "ben")]).at(9_500),
    ])?;
    eprintln!("recorded up to entry {}", store.head());
    Ok(())
}

/// Every entry since the last call that saved its position here, a line each.
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
            // Behind what was done with the entries: after a crash some may come again, and none is missed. A program
            // that goes on waits here for `Store::on_published`.
            fs::write(position, cursor.seq().to_string())?;
            return Ok(lines);
        }
        for delivered in batch {
            lines.push(serde_json::to_string(&delivered.entry)?);
        }
    }
}
