//! What becomes of a store when the machine fails it: kills and failing calls while it is opened, files that are gone,
//! old or another store's, disks that cannot be written, logs larger than memory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod clock;
mod closed;
mod files;
mod identity;
mod injected;
mod memory;
mod read_only;

use rollbook_support::program::{Folder, folder};
use std::fmt::Write as _;

/// Lines about members of one channel, from one number up to another.
pub fn joins(from: u64, to: u64) -> String {
    (from..to).fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            r#"{{"t":"join","channel":"c","topic":"t","user":"u{n}","ts":{n}}}"#
        );
        text
    })
}

/// A folder whose store has so many entries, and was closed in order.
pub fn with_entries(entries: u64) -> Folder {
    let folder = folder!();
    folder.ingest(joins(1, entries + 1), &[]);
    folder
}
