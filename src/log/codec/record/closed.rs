//! The clean end of an ingest connection. It is not in the chain.

use crate::domain::entry::ConnectionEnd;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{Reader, pack};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;

pub(in crate::log) fn write(
    closed: &ConnectionEnd,
    tables: &mut TableBuilder<'_>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    pack(&(tables.name(closed.observer), closed.recorded_at), out)
}

pub(in crate::log) fn read(
    reader: &mut Reader<'_>,
    tables: &TableReader,
) -> Result<ConnectionEnd, CodecError> {
    let (observer, recorded_at) = reader.body()?;
    Ok(ConnectionEnd {
        observer: tables.name(observer)?,
        recorded_at,
    })
}
