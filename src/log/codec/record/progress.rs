//! How far a source was read. It is not in the chain.

use crate::log::Progress;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{Reader, pack};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;

/// The body begins with the kind of source, so that other kinds can be distinguished from files later.
const FILE: u32 = 0;

pub(in crate::log) fn write(
    progress: &Progress,
    tables: &mut TableBuilder<'_>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let body = (
        FILE,
        progress.source,
        progress.hashed_len,
        progress.byte,
        progress.line,
        tables.text(&progress.path),
    );
    pack(&body, out)
}

pub(in crate::log) fn read(
    reader: &mut Reader<'_>,
    tables: &TableReader,
) -> Result<Progress, CodecError> {
    let kind: u32 = reader.body()?;
    if kind != FILE {
        return Err(CodecError::Unknown {
            what: "kind of source",
            value: u64::from(kind),
        });
    }
    let (source, hashed_len, byte, line, path) = reader.body()?;
    Ok(Progress {
        source,
        hashed_len,
        byte,
        line,
        path: tables.text(path)?,
    })
}
