//! An entry as a row: flags, and only the fields that the flags announce. Times are differences from the previous row,
//! since most entries follow closely on one another.
//!
//! ```text
//! first byte   bit 0  a second byte of flags follows        bits 2-3  kind: join 0, update 1, leave 2, no change 3
//!              bit 1  another observer than the row before  bit 4     takes effect at another time than it occurred
//!              bit 5  stamp.ts is occurred_at               bit 6     recorded at another time than the row before
//!              bit 7  has metadata
//! second byte  bit 0  id     bit 1  pos     bit 2  stamp.ts is some other time     bit 3  lossy
//!              bit 4  reason bit 5  inferred   bit 6  reported or disposition differ from the plain   bit 7  late
//! ```
//!
//! The flags of changes alone are in [`change`].

use super::change::{self, ChangePlaces, ChangeRow, META, NO_CHANGE, REASON};
use super::entry_body::EntryBody;
use crate::domain::entry::{Entry, Payload};
use crate::domain::event::ChangeKind;
use crate::domain::order::Stamp;
use crate::domain::time::Millis;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::pack;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::columns::{Column, RowReader, RowWriter};
use crate::log::codec::derive::Numbered;
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::{ChannelScope, TableReader, Tables};
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{MemberAt, NameAt, TextAt};

const MORE: u16 = 1;
const OBSERVER: u16 = 1 << 1;
pub(super) const EFFECTIVE: u16 = 1 << 4;
const TS_OCCURRED: u16 = 1 << 5;
const RECORDED: u16 = 1 << 6;
const ID: u16 = 1 << 8;
const POS: u16 = 1 << 9;
const TS_OTHER: u16 = 1 << 10;
const LOSSY: u16 = 1 << 11;

/// Values of the previous row; zeros before the first row.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::log) struct Previous {
    recorded_at: Millis,
    occurred_at: Millis,
    serial: i64,
    observer: NameAt,
}

impl Previous {
    fn move_to(
        &mut self,
        recorded_at: Millis,
        occurred_at: Millis,
        stamp: Stamp,
        observer: NameAt,
    ) {
        self.recorded_at = recorded_at;
        self.occurred_at = occurred_at;
        self.observer = observer;
        if let Some([serial, _]) = stamp.pos {
            self.serial = serial;
        }
    }
}

/// The positions of an entry's strings in the frame's tables. The chain needs them for the strings' hashes.
#[derive(Debug)]
pub(in crate::log) struct EntryPlaces {
    observer: NameAt,
    id: Option<TextAt>,
    payload: PayloadPlaces,
}

#[derive(Debug)]
enum PayloadPlaces {
    Change(ChangePlaces),
    Other(Box<EntryBody>),
}

impl EntryPlaces {
    /// Adds the strings of an entry to the tables.
    pub(in crate::log) fn of(entry: &Entry, tables: &mut TableBuilder<'_>) -> EntryPlaces {
        EntryPlaces {
            observer: tables.name(entry.observer),
            id: tables.text_if(entry.id.as_ref()),
            payload: PayloadPlaces::of(&entry.payload, tables),
        }
    }

    /// The only channel that the entry is about. A link line may be about any, whatever it names.
    pub(in crate::log) fn channel(
        &self,
        tables: &Tables<'_>,
    ) -> Result<Option<NameAt>, CodecError> {
        match &self.payload {
            PayloadPlaces::Change(change) => tables.channel_of(change.member).map(Some),
            PayloadPlaces::Other(body) => Ok(body.channel()),
        }
    }
}

impl Renumber for EntryPlaces {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.observer(&mut self.observer)?;
        let id_of = match &mut self.payload {
            PayloadPlaces::Change(change) => change.renumber(map).map(|()| TextOf::Both)?,
            PayloadPlaces::Other(body) => body.renumber(map).map(|()| TextOf::Observer)?,
        };
        map.text_if(&mut self.id, id_of)
    }
}

/// Appends a row. Differences wrap, so that every pair of times has a difference.
pub(in crate::log) fn write(
    entry: &Entry,
    places: &EntryPlaces,
    previous: &mut Previous,
    out: &mut impl RowWriter,
) -> Result<(), CodecError> {
    let flags = flags(entry, places.observer, previous);
    let [first, second] = flags.to_le_bytes();
    out.byte(Column::Flags, first);
    if flags & MORE != 0 {
        out.byte(Column::MoreFlags, second);
    }
    if flags & OBSERVER != 0 {
        out.varint(Column::Observers, u64::from(places.observer));
    }
    let (mut meta, mut reason) = (None, None);
    if let PayloadPlaces::Change(change) = &places.payload {
        out.varint(Column::Members, u64::from(change.member));
        (meta, reason) = (change.meta, change.reason);
    }
    let occurred_at = entry.occurred_at;
    out.zigzag(
        Column::Occurred,
        occurred_at.wrapping_sub(previous.occurred_at),
    );
    if flags & RECORDED != 0 {
        let step = entry.recorded_at.wrapping_sub(previous.recorded_at);
        out.zigzag(Column::Recorded, step);
    }
    if flags & EFFECTIVE != 0 {
        let step = entry.effective_at.wrapping_sub(occurred_at);
        out.zigzag(Column::Effective, step);
    }
    for text in [meta, places.id, reason].into_iter().flatten() {
        out.text(text);
    }
    if let Some([serial, index]) = entry.stamp.pos {
        out.zigzag(Column::Serials, serial.wrapping_sub(previous.serial));
        out.zigzag(Column::Indexes, index);
    }
    if let Some(ts) = entry.stamp.ts.filter(|&ts| ts != occurred_at) {
        out.zigzag(Column::SourceTimes, ts.wrapping_sub(occurred_at));
    }
    if let Payload::Change(change) = &entry.payload {
        change::write(change, flags, entry.seq, occurred_at, out);
    }
    if let PayloadPlaces::Other(body) = &places.payload {
        pack(&**body, out.column(Column::Bodies))?;
    }
    previous.move_to(entry.recorded_at, occurred_at, entry.stamp, places.observer);
    Ok(())
}

fn flags(entry: &Entry, observer: NameAt, previous: &Previous) -> u16 {
    let flag = |on: bool, bit: u16| if on { bit } else { 0 };
    let of_payload = match &entry.payload {
        Payload::Change(change) => change::flags(change),
        Payload::Snapshot(_) | Payload::Link(_) | Payload::Token(_) => NO_CHANGE,
    };
    let flags = of_payload
        | flag(observer != previous.observer, OBSERVER)
        | flag(entry.effective_at != entry.occurred_at, EFFECTIVE)
        | flag(entry.stamp.ts == Some(entry.occurred_at), TS_OCCURRED)
        | flag(entry.recorded_at != previous.recorded_at, RECORDED)
        | flag(entry.id.is_some(), ID)
        | flag(entry.stamp.pos.is_some(), POS)
        | flag(
            entry.stamp.ts.is_some_and(|ts| ts != entry.occurred_at),
            TS_OTHER,
        )
        | flag(entry.lossy, LOSSY);
    flags | flag(flags > 0xff, MORE)
}

/// A row whose strings and members were not looked up yet: a reader of one channel passes over most rows.
#[derive(Debug)]
pub(in crate::log) struct Row {
    seq: u64,
    recorded_at: Millis,
    occurred_at: Millis,
    effective_at: Millis,
    stamp: Stamp,
    lossy: bool,
    /// What only a change has.
    change: Option<ChangeRow>,
    places: EntryPlaces,
}

/// The begin of a row: what it is about.
struct RowHead {
    flags: u16,
    observer: NameAt,
    /// What changed, and of which member.
    change: Option<(ChangeKind, MemberAt)>,
}

#[inline(always)] // as below
fn read_head(reader: &mut impl RowReader, previous: &Previous) -> Result<RowHead, CodecError> {
    let flags = read_flags(reader)?;
    let observer = if flags & OBSERVER != 0 {
        reader.index(Column::Observers)?
    } else {
        previous.observer
    };
    let change = match change::kind(flags)? {
        Some(kind) => Some((kind, reader.index(Column::Members)?)),
        None => None,
    };
    Ok(RowHead {
        flags,
        observer,
        change,
    })
}

#[inline(always)] // as below
pub(super) fn read_flags(reader: &mut impl RowReader) -> Result<u16, CodecError> {
    let first = reader.byte(Column::Flags)?;
    let second = match u16::from(first) & MORE {
        0 => 0,
        _ => reader.byte(Column::MoreFlags)?,
    };
    Ok(u16::from_le_bytes([first, second]))
}

/// Reads a row.
#[inline(always)] // as below
pub(in crate::log) fn read_row(
    reader: &mut impl RowReader,
    seq: u64,
    previous: &mut Previous,
) -> Result<Row, CodecError> {
    let head = read_head(reader, previous)?;
    read_rest(reader, head, seq, previous)
}

/// Reads a row; `None` if the entry is not about the channel. Links may be about any.
pub(in crate::log) fn read_row_of(
    scope: &ChannelScope,
    reader: &mut impl RowReader,
    seq: u64,
    previous: &mut Previous,
) -> Result<Option<Row>, CodecError> {
    let head = read_head(reader, previous)?;
    match head.change {
        Some((kind, member)) if !scope.has_member(member) => {
            pass_over(reader, &head, kind, previous)?;
            return Ok(None);
        }
        _ => {}
    }
    let row = read_rest(reader, head, seq, previous)?;
    Ok(match &row.places.payload {
        PayloadPlaces::Other(body) if !body.is_in(scope) => None,
        _ => Some(row),
    })
}

/// Passes over the rest of a change. What the next row differs from must be known all the same.
#[inline]
fn pass_over(
    reader: &mut impl RowReader,
    head: &RowHead,
    kind: ChangeKind,
    previous: &mut Previous,
) -> Result<(), CodecError> {
    let flags = head.flags;
    let [occurred_at, recorded_at, _] = read_times(reader, flags, previous)?;
    for flag in [META, ID, REASON] {
        read_text(reader, flags & flag)?;
    }
    let stamp = read_stamp(reader, flags, occurred_at, previous)?;
    change::read_row(reader, kind, flags, 0, occurred_at)?;
    previous.move_to(recorded_at, occurred_at, stamp, head.observer);
    Ok(())
}

#[inline(always)] // so that what is read is not moved: a row is large
fn read_rest(
    reader: &mut impl RowReader,
    head: RowHead,
    seq: u64,
    previous: &mut Previous,
) -> Result<Row, CodecError> {
    let RowHead {
        flags,
        observer,
        change,
    } = head;
    let [occurred_at, recorded_at, effective_at] = read_times(reader, flags, previous)?;
    let meta = read_text(reader, flags & META)?;
    let id = read_text(reader, flags & ID)?;
    let reason = read_text(reader, flags & REASON)?;
    let stamp = read_stamp(reader, flags, occurred_at, previous)?;
    let (change, payload) = match change {
        Some((kind, member)) => {
            let places = ChangePlaces {
                member,
                meta,
                reason,
            };
            let change = change::read_row(reader, kind, flags, seq, occurred_at)?;
            (Some(change), PayloadPlaces::Change(places))
        }
        None => {
            let body: EntryBody = reader.body()?;
            (None, PayloadPlaces::Other(Box::new(body)))
        }
    };
    previous.move_to(recorded_at, occurred_at, stamp, observer);
    Ok(Row {
        seq,
        recorded_at,
        occurred_at,
        effective_at,
        stamp,
        lossy: flags & LOSSY != 0,
        change,
        places: EntryPlaces {
            observer,
            id,
            payload,
        },
    })
}

impl Row {
    /// The places of its strings.
    pub(in crate::log) fn places(&self) -> &EntryPlaces {
        &self.places
    }

    /// Takes the places of its strings, once its entry was made.
    pub(in crate::log) fn into_places(self) -> EntryPlaces {
        self.places
    }

    /// The entry.
    #[inline(always)] // as above
    pub(in crate::log) fn entry(&self, tables: &mut TableReader<'_>) -> Result<Entry, CodecError> {
        let observer = tables.name(self.places.observer)?;
        let id = tables.text_if(self.places.id)?;
        let payload = match (&self.change, &self.places.payload) {
            (Some(change), PayloadPlaces::Change(of)) => {
                Payload::Change(change.change(of, tables)?)
            }
            (None, PayloadPlaces::Other(body)) => body.payload(tables)?,
            // Rows are read as one or the other.
            _ => {
                let (what, value) = ("change", self.seq);
                return Err(CodecError::Unknown { what, value });
            }
        };
        Ok(Entry {
            seq: self.seq,
            recorded_at: self.recorded_at,
            occurred_at: self.occurred_at,
            effective_at: self.effective_at,
            observer,
            id,
            stamp: self.stamp,
            lossy: self.lossy,
            payload,
        })
    }
}

#[inline(always)] // as above
fn read_times(
    reader: &mut impl RowReader,
    flags: u16,
    previous: &Previous,
) -> Result<[Millis; 3], CodecError> {
    let occurred_at = previous
        .occurred_at
        .wrapping_add(reader.zigzag(Column::Occurred)?);
    let recorded_at = if flags & RECORDED != 0 {
        previous
            .recorded_at
            .wrapping_add(reader.zigzag(Column::Recorded)?)
    } else {
        previous.recorded_at
    };
    let effective_at = if flags & EFFECTIVE != 0 {
        occurred_at.wrapping_add(reader.zigzag(Column::Effective)?)
    } else {
        occurred_at
    };
    Ok([occurred_at, recorded_at, effective_at])
}

#[inline]
fn read_text(reader: &mut impl RowReader, flag: u16) -> Result<Option<TextAt>, CodecError> {
    (flag != 0).then(|| reader.text()).transpose()
}

#[inline(always)] // as above
fn read_stamp(
    reader: &mut impl RowReader,
    flags: u16,
    occurred_at: Millis,
    previous: &Previous,
) -> Result<Stamp, CodecError> {
    let pos = if flags & POS != 0 {
        let step = reader.zigzag(Column::Serials)?;
        let serial = previous.serial.wrapping_add(step);
        Some([serial, reader.zigzag(Column::Indexes)?])
    } else {
        None
    };
    let ts = if flags & TS_OTHER != 0 {
        let step = reader.zigzag(Column::SourceTimes)?;
        Some(occurred_at.wrapping_add(step))
    } else if flags & TS_OCCURRED != 0 {
        Some(occurred_at)
    } else {
        None
    };
    Ok(Stamp { pos, ts })
}

/// Appends the entry to the canonical bytes of its commit.
pub(in crate::log) fn canonical(
    entry: &Entry,
    places: &EntryPlaces,
    out: &mut Canonical<'_>,
) -> Result<(), CodecError> {
    let kind = match &entry.payload {
        Payload::Change(change) => change.kind.number(),
        Payload::Snapshot(_) => 3,
        Payload::Link(_) => 4,
        Payload::Token(_) => 5,
    };
    out.byte(
        kind | u8::from(entry.id.is_some()) << 3
            | u8::from(entry.stamp.pos.is_some()) << 4
            | u8::from(entry.stamp.ts.is_some()) << 5
            | u8::from(entry.lossy) << 6,
    );
    out.time(entry.recorded_at);
    // Differences within the entry are short, and the same in every frame.
    out.time(entry.occurred_at.wrapping_sub(entry.recorded_at));
    out.time(entry.effective_at.wrapping_sub(entry.occurred_at));
    out.name(places.observer)?;
    if let Some(id) = places.id {
        out.text(id)?;
    }
    if let Some([serial, index]) = entry.stamp.pos {
        out.time(serial);
        out.time(index);
    }
    if let Some(ts) = entry.stamp.ts {
        out.time(ts.wrapping_sub(entry.occurred_at));
    }
    match (&entry.payload, &places.payload) {
        (Payload::Change(change), PayloadPlaces::Change(places)) => {
            change::canonical(change, places, out)
        }
        (_, PayloadPlaces::Other(body)) => body.canonical(out),
        // The places are not those of this entry.
        (_, PayloadPlaces::Change(_)) => Err(CodecError::Unknown {
            what: "change",
            value: entry.seq,
        }),
    }
}

impl PayloadPlaces {
    fn of(payload: &Payload, tables: &mut TableBuilder<'_>) -> Self {
        match payload {
            Payload::Change(change) => PayloadPlaces::Change(ChangePlaces::of(change, tables)),
            Payload::Snapshot(snapshot) => {
                PayloadPlaces::other(EntryBody::snapshot(snapshot, tables))
            }
            Payload::Link(link) => PayloadPlaces::other(EntryBody::link(link, tables)),
            Payload::Token(token) => PayloadPlaces::other(EntryBody::token(token, tables)),
        }
    }

    fn other(body: EntryBody) -> Self {
        PayloadPlaces::Other(Box::new(body))
    }
}
