//! What a crash left of a command that replaces parts of the folder: it is ended, or it is as if it had not begun.
//!
//! ```text
//! DIR/restoring/   a store is being made (of backups, or without a person): what a crash left of it is removed
//! DIR/restored/    it is whole: its parts take the places of those in DIR
//! DIR/log.new/     the engine's files are being rewritten: what a crash left of them is removed
//! DIR/log.old/     they are rewritten: these are removed, or are `log` again if there is none
//! ```
//!
//! **Invariant:** a store is opened only behind [`end`], and then has the old parts or the new ones, never some of both.

use crate::log::engine::files::sync_folder;
use std::path::Path;
use std::{fs, io};

/// The engine's folder while it is rewritten.
pub(super) const COMPACTED: &str = "log.new";
/// The engine's folder after it was rewritten, until it is removed.
pub(super) const REPLACED: &str = "log.old";

/// A store that is being made.
pub(super) const RESTORING: &str = "restoring";
/// The same when it is whole.
pub(super) const RESTORED: &str = "restored";
/// What a store's folder has, in the order in which it is moved: without the last one there is no store.
pub(super) const PARTS: [&str; 3] = ["log", "blocks", "store.json"];

/// Ends what a crash interrupted. Only for the holder of the folder's lock.
pub(super) fn end(dir: &Path) -> io::Result<()> {
    end_restore(dir)?;
    end_compaction(dir)
}

/// Ends a restore: what was restored as a whole takes its place, and what was not goes.
fn end_restore(dir: &Path) -> io::Result<()> {
    let (restoring, restored) = (dir.join(RESTORING), dir.join(RESTORED));
    if restored.exists() {
        for part in PARTS {
            let (from, to) = (restored.join(part), dir.join(part));
            if !from.exists() {
                // It was moved before the crash.
                continue;
            }
            if to.is_dir() {
                fs::remove_dir_all(&to)?;
            }
            fs::rename(&from, &to)?;
            sync_folder(dir)?;
        }
        fs::remove_dir_all(&restored)?;
    }
    if restoring.exists() {
        fs::remove_dir_all(&restoring)?;
    }
    Ok(())
}

/// Whether a crash interrupted an exchange of parts: what is in their places is not the store yet.
pub(in crate::store) fn is_unsettled(dir: &Path) -> bool {
    let without_log = dir.join(REPLACED).exists() && !dir.join("log").exists();
    dir.join(RESTORED).exists() || without_log
}

/// Ends a compaction. Without a `log` the old one takes its place again; with one, it is either
/// the old or the new, and whole.
fn end_compaction(dir: &Path) -> io::Result<()> {
    let (log, replaced) = (dir.join("log"), dir.join(REPLACED));
    if replaced.exists() && !log.exists() {
        fs::rename(&replaced, &log)?;
        sync_folder(dir)?;
    }
    for left in [replaced, dir.join(COMPACTED)] {
        if left.exists() {
            fs::remove_dir_all(left)?;
        }
    }
    Ok(())
}
