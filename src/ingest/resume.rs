//! Resumes a file: where an earlier run over it ended, and whether that run already met its last line.

use super::error::IngestError;
use super::source::{Fingerprint, Source};
use crate::log::Progress;
use crate::store::{RejectedLine, Store, StoreError};

/// Finds where an earlier run ended, and continues there.
pub(super) fn go_on(store: &Store, source: &mut Source) -> Result<u64, IngestError> {
    if source.fingerprint().is_none() {
        return Err(IngestError::NoFile(source.name().to_owned()));
    }
    let sources = store.sources()?;
    let as_known = |known: &&Progress| {
        source.matches(&Fingerprint {
            hash: known.source,
            hashed: known.hashed_len,
        })
    };
    if let Some(known) = sources.iter().rev().find(as_known) {
        let (byte, line) = (known.byte, known.line);
        source.skip_to(byte, line)?;
        return Ok(byte);
    }
    match sources
        .iter()
        .rev()
        .find(|known| *known.path == *source.name() && known.byte > 0)
    {
        Some(known) => Err(IngestError::Changed {
            path: source.name().to_owned(),
            byte: known.byte,
        }),
        None => Ok(0),
    }
}

/// Whether an earlier run over the same file met this line and rejected it.
pub(super) fn is_kept(store: &Store, line: &RejectedLine) -> Result<bool, StoreError> {
    let hash = line
        .blake3
        .unwrap_or_else(|| *blake3::hash(&line.text).as_bytes());
    let mut kept = false;
    store.kept_rejects(|_, reject| {
        kept |= reject.byte == line.byte
            && reject.length == line.length
            && reject.blake3 == hash
            && *reject.source == *line.source;
        !kept
    })?;
    Ok(kept)
}
