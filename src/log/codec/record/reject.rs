//! A rejected line. It is not in the chain.

use crate::log::Reject;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{Reader, Seq, pack};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;

pub(in crate::log) fn write(
    reject: &Reject,
    tables: &mut TableBuilder<'_>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let body = (
        reject.recorded_at,
        tables.text(&reject.source),
        reject.line,
        reject.byte,
        tables.text(&reject.reason),
        reject.text.as_deref(),
        reject.length,
        reject.blake3,
    );
    pack(&body, out)
}

pub(in crate::log) fn read(
    reader: &mut Reader<'_>,
    tables: &TableReader,
) -> Result<Reject, CodecError> {
    let (recorded_at, source, line, byte, reason, text, length, blake3) = reader.body()?;
    let text: Option<Seq<u8>> = text;
    Ok(Reject {
        recorded_at,
        source: tables.text(source)?,
        line,
        byte,
        reason: tables.text(reason)?,
        text: text.map(|text| text.0),
        length,
        blake3,
    })
}
