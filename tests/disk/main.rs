//! What happens to a store when the machine fails: kills and failing calls while it is opened; missing, old or
//! foreign files; disks that cannot be written; logs larger than memory.
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

/// Join lines of one channel, with the users `from` up to `to - 1`.
pub fn joins(from: u64, to: u64) -> String {
    (from..to).fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            r#"{{"t":"join","channel":"c","topic":"t","user":"u{n}","ts":{n}}}"#
        );
        text
    })
}

/// A folder whose store has this many entries, and was closed properly.
pub fn with_entries(entries: u64) -> Folder {
    let folder = folder!();
    folder.ingest(joins(1, entries + 1), &[]);
    folder
}
