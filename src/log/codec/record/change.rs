//! An entry that is a change. It is by far the most frequent record, so it is packed into its row by hand. What all
//! entries have in a row is in [`entry`](super::entry), with the layout.

use crate::domain::entry::{Change, Disposition, Inference, Late, Origin};
use crate::domain::event::ChangeKind;
use crate::domain::time::Millis;
use crate::log::codec::CodecError;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::columns::{Column, RowReader, RowWriter};
use crate::log::codec::derive::{Numbered, numbered};
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{MemberAt, TextAt};

numbered!(ChangeKind, "kind of change": Join = 0, Update = 1, Leave = 2);
numbered!(Disposition, "disposition": Applied = 0, Duplicate = 1, Stale = 2, Unknown = 3, Collected = 4);

/// The two bits of a row's flags that hold the kind.
const KIND_SHIFT: u16 = 2;
/// The kind of an entry that is no change.
pub(super) const NO_CHANGE: u16 = 3 << KIND_SHIFT;
pub(super) const META: u16 = 1 << 7;
pub(super) const REASON: u16 = 1 << 12;
pub(super) const INFERRED: u16 = 1 << 13;
const REPORTED: u16 = 1 << 14;
const LATE: u16 = 1 << 15;

/// Flags of an inference.
const BASELINE: u8 = 1;
const NOT_BEFORE: u8 = 1 << 1;

/// The positions of a change's strings in the frame's tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangePlaces {
    pub(super) member: MemberAt,
    pub(super) meta: Option<TextAt>,
    pub(super) reason: Option<TextAt>,
}

impl ChangePlaces {
    pub(super) fn of(change: &Change, tables: &mut TableBuilder<'_>) -> Self {
        ChangePlaces {
            member: tables.member(change.member),
            meta: tables.text_if(change.meta.as_ref()),
            reason: tables.text_if(change.reason.as_ref()),
        }
    }
}

impl Renumber for ChangePlaces {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.member(&mut self.member)?;
        map.count_change();
        map.meta_if(&mut self.meta)?;
        map.text_if(&mut self.reason, TextOf::Member)
    }
}

/// The flags of a change's row.
#[inline]
pub(super) fn flags(change: &Change) -> u16 {
    let flag = |on: bool, bit: u16| if on { bit } else { 0 };
    let plain = change.reported == change.kind && change.disposition == Disposition::Applied;
    u16::from(change.kind.number()) << KIND_SHIFT
        | flag(change.meta.is_some(), META)
        | flag(change.reason.is_some(), REASON)
        | flag(matches!(change.origin, Origin::Inferred(_)), INFERRED)
        | flag(!plain, REPORTED)
        | flag(change.late.is_some(), LATE)
}

/// The kind that a row's flags state; `None`: it is no change.
#[inline]
pub(super) fn kind(flags: u16) -> Result<Option<ChangeKind>, CodecError> {
    if flags & NO_CHANGE == NO_CHANGE {
        return Ok(None);
    }
    ChangeKind::from_number(u32::from(flags >> KIND_SHIFT & 3)).map(Some)
}

/// Appends what only a change has, except its strings.
#[inline]
pub(super) fn write(
    change: &Change,
    flags: u16,
    seq: u64,
    occurred_at: Millis,
    out: &mut impl RowWriter,
) {
    if flags & REPORTED != 0 {
        let reported = change.reported.number() | change.disposition.number() << 2;
        out.byte(Column::Reported, reported);
    }
    if let Origin::Inferred(Inference {
        snapshot_seq,
        not_before,
        baseline,
    }) = change.origin
    {
        let baseline = if baseline { BASELINE } else { 0 };
        let flags = baseline | not_before.map_or(0, |_| NOT_BEFORE);
        out.byte(Column::Inferred, flags);
        out.zigzag(Column::Snapshots, seq.wrapping_sub(snapshot_seq) as i64);
        if let Some(not_before) = not_before {
            out.zigzag(Column::NotBefore, occurred_at.wrapping_sub(not_before));
        }
    }
    if let Some(late) = change.late {
        out.zigzag(Column::Late, late.late_ms);
        out.zigzag(Column::Late, occurred_at.wrapping_sub(late.not_before));
    }
}

/// What only a change has, except its strings and its member.
#[derive(Debug)]
pub(super) struct ChangeRow {
    kind: ChangeKind,
    reported: ChangeKind,
    disposition: Disposition,
    origin: Origin,
    late: Option<Late>,
}

/// What was reported, and what became of it.
#[inline(always)] // as below
pub(super) fn read_reported(
    reader: &mut impl RowReader,
    kind: ChangeKind,
    flags: u16,
) -> Result<(ChangeKind, Disposition), CodecError> {
    if flags & REPORTED == 0 {
        return Ok((kind, Disposition::Applied));
    }
    let byte = u32::from(reader.byte(Column::Reported)?);
    let reported = ChangeKind::from_number(byte & 3)?;
    Ok((reported, Disposition::from_number(byte >> 2)?))
}

/// Reads what [`write`] wrote.
#[inline(always)] // so that what is read is not moved
pub(super) fn read_row(
    reader: &mut impl RowReader,
    kind: ChangeKind,
    flags: u16,
    seq: u64,
    occurred_at: Millis,
) -> Result<ChangeRow, CodecError> {
    let (reported, disposition) = read_reported(reader, kind, flags)?;
    let origin = if flags & INFERRED != 0 {
        Origin::Inferred(read_inference(reader, seq, occurred_at)?)
    } else {
        Origin::Observed
    };
    let late = if flags & LATE != 0 {
        Some(Late {
            late_ms: reader.zigzag(Column::Late)?,
            not_before: occurred_at.wrapping_sub(reader.zigzag(Column::Late)?),
        })
    } else {
        None
    };
    Ok(ChangeRow {
        kind,
        reported,
        disposition,
        origin,
        late,
    })
}

impl ChangeRow {
    /// The change, with its member and strings.
    #[inline(always)] // so that what is read is not moved
    pub(super) fn change(
        &self,
        places: &ChangePlaces,
        tables: &mut TableReader<'_>,
    ) -> Result<Change, CodecError> {
        Ok(Change {
            member: tables.member(places.member)?,
            kind: self.kind,
            reported: self.reported,
            disposition: self.disposition,
            meta: tables.text_if(places.meta)?,
            reason: tables.text_if(places.reason)?,
            origin: self.origin,
            late: self.late,
        })
    }
}

fn read_inference(
    reader: &mut impl RowReader,
    seq: u64,
    occurred_at: Millis,
) -> Result<Inference, CodecError> {
    let flags = reader.byte(Column::Inferred)?;
    if flags > BASELINE | NOT_BEFORE {
        return Err(CodecError::Unknown {
            what: "set of flags",
            value: u64::from(flags),
        });
    }
    let snapshot_seq = seq.wrapping_sub(reader.zigzag(Column::Snapshots)? as u64);
    let not_before = if flags & NOT_BEFORE != 0 {
        Some(occurred_at.wrapping_sub(reader.zigzag(Column::NotBefore)?))
    } else {
        None
    };
    Ok(Inference {
        snapshot_seq,
        not_before,
        baseline: flags & BASELINE != 0,
    })
}

#[inline]
pub(super) fn canonical(
    change: &Change,
    places: &ChangePlaces,
    out: &mut Canonical<'_>,
) -> Result<(), CodecError> {
    let inference = match change.origin {
        Origin::Observed => None,
        Origin::Inferred(inference) => Some(inference),
    };
    // What changes could not have at first is in an extra byte, so that all other changes keep their bytes.
    let collected = change.disposition == Disposition::Collected;
    let disposition = if collected {
        0
    } else {
        change.disposition.number()
    };
    let more = u8::from(collected) | u8::from(change.late.is_some()) << 1;
    out.byte(
        change.reported.number()
            | disposition << 2
            | u8::from(places.meta.is_some()) << 4
            | u8::from(places.reason.is_some()) << 5
            | u8::from(inference.is_some()) << 6
            | u8::from(more != 0) << 7,
    );
    if more != 0 {
        out.byte(more);
    }
    out.member(places.member)?;
    for text in [places.meta, places.reason].into_iter().flatten() {
        out.text(text)?;
    }
    if let Some(inference) = inference {
        out.varint(inference.snapshot_seq);
        out.flag(inference.baseline);
        out.time_if(inference.not_before);
    }
    if let Some(late) = change.late {
        out.time(late.late_ms);
        out.time(late.not_before);
    }
    Ok(())
}
