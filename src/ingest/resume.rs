//! Resumes a file: where an earlier run over it ended, and whether that run already met its last line.

use super::batcher::LineLocation;
use super::error::IngestError;
use super::source::{Fingerprint, LineText, Source};
use crate::log::Progress;
use crate::store::{Store, StoreError};

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
pub(super) fn is_kept(
    store: &Store,
    at: LineLocation<'_>,
    text: LineText<'_>,
) -> Result<bool, StoreError> {
    let (length, hash) = match text {
        LineText::Whole(text) => (text.len() as u64, *blake3::hash(text).as_bytes()),
        LineText::TooLong { length, blake3, .. } => (length, blake3),
    };
    for kept in store.kept_rejects()? {
        let (_, reject) = kept?;
        let is_same = reject.byte == at.byte
            && reject.length == length
            && reject.blake3 == hash
            && *reject.source == **at.source;
        if is_same {
            return Ok(true);
        }
    }
    Ok(false)
}
