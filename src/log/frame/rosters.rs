//! What the records of a block mean for rosters, stream by stream. A channel has all its changes and snapshots in one stream
//! (only links make a commit of several channels), so their order is kept; that of the streams among one another is not looked
//! at, and neither is most of each row.

use super::FrameError;
use super::decode::BlockPayload;
use super::header::FrameHeader;
use super::tagged::{OtherBody, Tagged};
use crate::domain::names::Names;
use crate::domain::rosters::RosterEntry;
use crate::domain::time::Millis;
use crate::log::codec::bytes::Reader;
use crate::log::codec::columns::{ColumnPlaces, ColumnReader};
use crate::log::codec::record::roster;
use crate::log::codec::tables::roster::RosterTables;
use crate::log::codec::{COLUMNS_VERSION, ORDERED_VERSION, STREAM_VERSION};
use std::vec::IntoIter;

/// The streams of a block.
pub struct RosterStreams {
    /// Those that were not begun.
    streams: IntoIter<Vec<u8>>,
    current: Option<RosterStream>,
    /// By the block's header.
    left: RosterCounts,
}

/// How many records are still to come.
struct RosterCounts {
    entries: u64,
    /// Pages, and ends of connections.
    pages: u64,
}

impl RosterCounts {
    fn entries(&mut self, read: usize) -> Result<(), FrameError> {
        let left = self.entries.checked_sub(read as u64);
        self.entries = left.ok_or(FrameError::Disagree("entries"))?;
        Ok(())
    }

    fn page(&mut self) -> Result<(), FrameError> {
        let left = self.pages.checked_sub(1);
        self.pages = left.ok_or(FrameError::Disagree("pages"))?;
        Ok(())
    }

    fn expect_none(&self) -> Result<(), FrameError> {
        match (self.entries, self.pages) {
            (0, 0) => Ok(()),
            (0, _) => Err(FrameError::Disagree("pages")),
            _ => Err(FrameError::Disagree("entries")),
        }
    }
}

/// A stream that is being read.
struct RosterStream {
    payload: Vec<u8>,
    places: ColumnPlaces,
    rows: RosterRows,
}

struct RosterRows {
    tables: RosterTables,
    /// The time of the last row.
    occurred_at: Millis,
    /// Rows that still follow under the last tag.
    left: usize,
}

impl RosterStreams {
    /// All streams of a block.
    #[must_use]
    pub(in crate::log) fn of_block(payload: BlockPayload, header: &FrameHeader) -> RosterStreams {
        let streams: Vec<Vec<u8>> = payload.streams.into_iter().flatten().collect();
        RosterStreams {
            streams: streams.into_iter(),
            current: None,
            left: RosterCounts {
                entries: header.entries,
                pages: header.pages,
            },
        }
    }

    /// Appends the next entries, about `most` of them. Returns `false` behind the last one. Interns the names and members in
    /// `names`, which must be the same dictionary each time.
    ///
    /// # Errors
    /// A stream is not valid, or the block does not agree with its header.
    pub fn read(
        &mut self,
        names: &mut Names,
        most: usize,
        out: &mut Vec<RosterEntry>,
    ) -> Result<bool, FrameError> {
        let end = out.len().saturating_add(most);
        while out.len() < end {
            let Some(stream) = &mut self.current else {
                let Some(payload) = self.streams.next() else {
                    self.left.expect_none()?;
                    return Ok(false);
                };
                self.current = Some(RosterStream::open(payload, names)?);
                continue;
            };
            if !stream.read(end, &mut self.left, out)? {
                self.current = None;
            }
        }
        Ok(true)
    }
}

impl RosterStream {
    fn open(payload: Vec<u8>, names: &mut Names) -> Result<RosterStream, FrameError> {
        let mut reader = Reader::new(&payload);
        let version = reader.byte()?;
        let is_known = matches!(version, COLUMNS_VERSION | ORDERED_VERSION | STREAM_VERSION);
        if !is_known {
            return Err(FrameError::Layout(version));
        }
        let tables = RosterTables::read(&mut reader, names)?;
        if version != ORDERED_VERSION {
            // Where the records stand among those of other streams, or frames began.
            let length = reader.count(1)?;
            reader.take(length)?;
        }
        let places = ColumnPlaces::read(&mut reader, payload.len())?;
        Ok(RosterStream {
            payload,
            places,
            rows: RosterRows {
                tables,
                occurred_at: 0,
                left: 0,
            },
        })
    }

    /// Appends entries until there are `end`, or the stream ends: then it returns `false`.
    fn read(
        &mut self,
        end: usize,
        counts: &mut RosterCounts,
        out: &mut Vec<RosterEntry>,
    ) -> Result<bool, FrameError> {
        let mut reader = self.places.reader(&self.payload)?;
        let more = self.rows.read(&mut reader, end, counts, out)?;
        self.places.move_to(&reader);
        Ok(more)
    }
}

impl RosterRows {
    fn read(
        &mut self,
        reader: &mut ColumnReader<'_>,
        end: usize,
        counts: &mut RosterCounts,
        out: &mut Vec<RosterEntry>,
    ) -> Result<bool, FrameError> {
        while out.len() < end {
            if self.left > 0 {
                roster::read_row(reader, &self.tables, &mut self.occurred_at, out)?;
                self.left -= 1;
                continue;
            }
            match Tagged::read(reader, &mut None)? {
                None if reader.has_rows() => return Err(FrameError::Disagree("entries")),
                None => return Ok(false),
                Some(Tagged::Singles(rows) | Tagged::Commit(rows)) => {
                    counts.entries(rows)?;
                    self.left = rows;
                }
                Some(Tagged::Other(OtherBody::Page(page))) => {
                    counts.page()?;
                    out.push(RosterEntry::Named(self.tables.name(page.channel())?));
                }
                Some(Tagged::Other(OtherBody::Closed(_))) => counts.page()?,
                Some(Tagged::Other(_)) => {}
            }
        }
        Ok(true)
    }
}
