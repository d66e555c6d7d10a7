//! Of a row in columns, what it means for rosters. The other fields are in columns of their own, and are not read.

use super::change;
use super::entry::{EFFECTIVE, read_flags};
use super::entry_body::EntryBody;
use crate::domain::entry::Disposition;
use crate::domain::rosters::RosterEntry;
use crate::domain::time::Millis;
use crate::log::codec::CodecError;
use crate::log::codec::columns::{Column, ColumnReader, RowReader};
use crate::log::codec::tables::roster::RosterTables;

/// Reads a row. `occurred_at` is the time of the row before; 0 before the first row.
#[inline(always)] // so that what is read is not moved
pub(in crate::log) fn read_row(
    reader: &mut ColumnReader<'_>,
    tables: &RosterTables,
    occurred_at: &mut Millis,
    out: &mut Vec<RosterEntry>,
) -> Result<(), CodecError> {
    let flags = read_flags(reader)?;
    *occurred_at = occurred_at.wrapping_add(reader.zigzag(Column::Occurred)?);
    let mut effective_at = *occurred_at;
    if flags & EFFECTIVE != 0 {
        effective_at = effective_at.wrapping_add(reader.zigzag(Column::Effective)?);
    }
    let Some(kind) = change::kind(flags)? else {
        let body: EntryBody = reader.body()?;
        return read_body(&body, tables, effective_at, out);
    };
    let member = tables.member(reader.index(Column::Members)?)?;
    let (_, disposition) = change::read_reported(reader, kind, flags)?;
    out.push(RosterEntry::Change {
        member,
        kind,
        is_applied: disposition == Disposition::Applied,
        is_inferred: flags & change::INFERRED != 0,
        effective_at,
    });
    Ok(())
}

#[cold]
fn read_body(
    body: &EntryBody,
    tables: &RosterTables,
    effective_at: Millis,
    out: &mut Vec<RosterEntry>,
) -> Result<(), CodecError> {
    match body {
        EntryBody::Snapshot(snapshot) | EntryBody::Unlisted(snapshot, _) => {
            out.push(RosterEntry::Snapshot {
                channel: tables.name(snapshot.channel())?,
                effective_at,
            });
        }
        EntryBody::Link(link) | EntryBody::LongLink(link, ..) => {
            for channel in link.channels() {
                out.push(RosterEntry::Named(tables.name(channel)?));
            }
        }
        EntryBody::Token(token) => {
            if let Some(channel) = token.channel() {
                out.push(RosterEntry::Named(tables.name(channel)?));
            }
        }
    }
    Ok(())
}
