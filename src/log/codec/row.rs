//! One entry as a row: a byte of flags, and only the fields that the flags announce. Times are differences from the
//! previous row, since most entries follow closely on one another.
//!
//! ```text
//! flags   bit 0  a second byte of flags follows        bits 2-3  kind: join 0, update 1, leave 2, no change 3
//!         bit 1  another observer than the row before  bit 4     takes effect at another time than it occurred
//!         bit 5  stamp.ts is occurred_at               bit 6     recorded at another time than the row before
//!         bit 7  has metadata
//! more    bit 0  id     bit 1  pos     bit 2  stamp.ts is some other time     bit 3  lossy
//!         bit 4  reason bit 5  inferred   bit 6  said or disposition differ from the plain   bit 7  late
//! ```

use super::CodecError;
use super::bytes::{Reader, pack, put_varint, put_zigzag};
use super::wire::{WChange, WEntry, WWhat};
use crate::domain::entry::{Disposition, Inference, Late, Origin};
use crate::domain::event::ChangeKind;
use crate::domain::order::Stamp;

const MORE: u8 = 1;
const OBSERVER: u8 = 1 << 1;
const KIND_SHIFT: u8 = 2;
const KIND_NONE: u8 = 3;
const EFFECTIVE: u8 = 1 << 4;
const TS_OCCURRED: u8 = 1 << 5;
const RECORDED: u8 = 1 << 6;
const META: u8 = 1 << 7;

const ID: u8 = 1;
const POS: u8 = 1 << 1;
const TS_OTHER: u8 = 1 << 2;
const LOSSY: u8 = 1 << 3;
const REASON: u8 = 1 << 4;
const INFERRED: u8 = 1 << 5;
const SAID: u8 = 1 << 6;
const LATE: u8 = 1 << 7;

const BASELINE: u8 = 1;
const NOT_BEFORE: u8 = 1 << 1;

/// Values of the previous row; zeros before the first row.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::log) struct Previous {
    recorded_at: i64,
    occurred_at: i64,
    serial: i64,
    observer: u32,
}

impl Previous {
    fn follow(&mut self, entry: &WEntry) {
        self.recorded_at = entry.recorded_at;
        self.occurred_at = entry.occurred_at;
        self.observer = entry.observer;
        if let Some([serial, _]) = entry.stamp.pos {
            self.serial = serial;
        }
    }
}

fn flag(on: bool, bit: u8) -> u8 {
    if on { bit } else { 0 }
}

/// Appends a row. Differences wrap, so that every pair of times has a difference.
pub(in crate::log) fn write(
    out: &mut Vec<u8>,
    entry: &WEntry,
    seq: u64,
    previous: &mut Previous,
) -> Result<(), CodecError> {
    let (change, kind) = match &entry.what {
        WWhat::Change(change) => (Some(change), kind_number(change.kind)),
        WWhat::Other(_) => (None, KIND_NONE),
    };
    let ts_other = entry.stamp.ts.filter(|&ts| ts != entry.occurred_at);
    let inference = change.and_then(|change| match change.origin {
        Origin::Observed => None,
        Origin::Inferred(inference) => Some(inference),
    });
    let said = change
        .filter(|change| change.said != change.kind || change.disposition != Disposition::Applied);
    let late = change.and_then(|change| change.late);
    let meta = change.and_then(|change| change.meta);
    let reason = change.and_then(|change| change.reason);
    let more = flag(entry.id.is_some(), ID)
        | flag(entry.stamp.pos.is_some(), POS)
        | flag(ts_other.is_some(), TS_OTHER)
        | flag(entry.lossy, LOSSY)
        | flag(reason.is_some(), REASON)
        | flag(inference.is_some(), INFERRED)
        | flag(said.is_some(), SAID)
        | flag(late.is_some(), LATE);
    let flags = flag(more != 0, MORE)
        | flag(entry.observer != previous.observer, OBSERVER)
        | kind << KIND_SHIFT
        | flag(entry.effective_at != entry.occurred_at, EFFECTIVE)
        | flag(entry.stamp.ts == Some(entry.occurred_at), TS_OCCURRED)
        | flag(entry.recorded_at != previous.recorded_at, RECORDED)
        | flag(meta.is_some(), META);
    out.push(flags);
    if more != 0 {
        out.push(more);
    }
    if flags & OBSERVER != 0 {
        put_varint(out, u64::from(entry.observer));
    }
    if let Some(change) = change {
        put_varint(out, u64::from(change.member));
    }
    put_zigzag(out, entry.occurred_at.wrapping_sub(previous.occurred_at));
    if flags & RECORDED != 0 {
        put_zigzag(out, entry.recorded_at.wrapping_sub(previous.recorded_at));
    }
    if flags & EFFECTIVE != 0 {
        put_zigzag(out, entry.effective_at.wrapping_sub(entry.occurred_at));
    }
    for text in [meta, entry.id, reason].into_iter().flatten() {
        put_varint(out, u64::from(text));
    }
    if let Some([serial, index]) = entry.stamp.pos {
        put_zigzag(out, serial.wrapping_sub(previous.serial));
        put_zigzag(out, index);
    }
    if let Some(ts) = ts_other {
        put_zigzag(out, ts.wrapping_sub(entry.occurred_at));
    }
    if let Some(change) = said {
        out.push(kind_number(change.said) | disposition_number(change.disposition) << 2);
    }
    if let Some(inference) = inference {
        out.push(
            flag(inference.baseline, BASELINE) | flag(inference.not_before.is_some(), NOT_BEFORE),
        );
        put_zigzag(out, seq.wrapping_sub(inference.snapshot_seq) as i64);
        if let Some(not_before) = inference.not_before {
            put_zigzag(out, entry.occurred_at.wrapping_sub(not_before));
        }
    }
    if let Some(late) = late {
        put_zigzag(out, late.late_ms);
        put_zigzag(out, entry.occurred_at.wrapping_sub(late.not_before));
    }
    if let WWhat::Other(other) = &entry.what {
        pack(&**other, out)?;
    }
    previous.follow(entry);
    Ok(())
}

/// Reads a row.
pub(in crate::log) fn read(
    reader: &mut Reader<'_>,
    seq: u64,
    previous: &mut Previous,
) -> Result<WEntry, CodecError> {
    let flags = reader.byte()?;
    let more = if flags & MORE != 0 { reader.byte()? } else { 0 };
    let observer = if flags & OBSERVER != 0 {
        reader.index()?
    } else {
        previous.observer
    };
    let kind = flags >> KIND_SHIFT & 3;
    let member = if kind == KIND_NONE {
        0
    } else {
        reader.index()?
    };
    let occurred_at = previous.occurred_at.wrapping_add(reader.zigzag()?);
    let recorded_at = if flags & RECORDED != 0 {
        previous.recorded_at.wrapping_add(reader.zigzag()?)
    } else {
        previous.recorded_at
    };
    let effective_at = if flags & EFFECTIVE != 0 {
        occurred_at.wrapping_add(reader.zigzag()?)
    } else {
        occurred_at
    };
    let text = |present: bool, reader: &mut Reader<'_>| {
        if present {
            reader.index().map(Some)
        } else {
            Ok(None)
        }
    };
    let meta = text(flags & META != 0, reader)?;
    let id = text(more & ID != 0, reader)?;
    let reason = text(more & REASON != 0, reader)?;
    let pos = if more & POS != 0 {
        let serial = previous.serial.wrapping_add(reader.zigzag()?);
        Some([serial, reader.zigzag()?])
    } else {
        None
    };
    let ts = if more & TS_OTHER != 0 {
        Some(occurred_at.wrapping_add(reader.zigzag()?))
    } else if flags & TS_OCCURRED != 0 {
        Some(occurred_at)
    } else {
        None
    };
    let what = if kind == KIND_NONE {
        WWhat::Other(Box::new(reader.body()?))
    } else {
        let kind = kind_of(kind)?;
        let (said, disposition) = if more & SAID != 0 {
            let byte = reader.byte()?;
            (kind_of(byte & 3)?, disposition_of(byte >> 2)?)
        } else {
            (kind, Disposition::Applied)
        };
        let origin = if more & INFERRED != 0 {
            read_inference(reader, seq, occurred_at)?
        } else {
            Origin::Observed
        };
        let late = if more & LATE != 0 {
            let late_ms = reader.zigzag()?;
            let not_before = occurred_at.wrapping_sub(reader.zigzag()?);
            Some(Late {
                late_ms,
                not_before,
            })
        } else {
            None
        };
        WWhat::Change(WChange {
            member,
            kind,
            said,
            disposition,
            meta,
            reason,
            origin,
            late,
        })
    };
    let entry = WEntry {
        recorded_at,
        occurred_at,
        effective_at,
        observer,
        id,
        stamp: Stamp { pos, ts },
        lossy: more & LOSSY != 0,
        what,
    };
    previous.follow(&entry);
    Ok(entry)
}

fn read_inference(
    reader: &mut Reader<'_>,
    seq: u64,
    occurred_at: i64,
) -> Result<Origin, CodecError> {
    let flags = reader.byte()?;
    if flags > BASELINE | NOT_BEFORE {
        return Err(CodecError::Unknown {
            what: "set of flags",
            value: u64::from(flags),
        });
    }
    let snapshot_seq = seq.wrapping_sub(reader.zigzag()? as u64);
    let not_before = if flags & NOT_BEFORE != 0 {
        Some(occurred_at.wrapping_sub(reader.zigzag()?))
    } else {
        None
    };
    Ok(Origin::Inferred(Inference {
        snapshot_seq,
        not_before,
        baseline: flags & BASELINE != 0,
    }))
}

/// A kind as a number. The chain uses it too, so it must never change.
pub(in crate::log) fn kind_number(kind: ChangeKind) -> u8 {
    match kind {
        ChangeKind::Join => 0,
        ChangeKind::Update => 1,
        ChangeKind::Leave => 2,
    }
}

fn kind_of(number: u8) -> Result<ChangeKind, CodecError> {
    match number {
        0 => Ok(ChangeKind::Join),
        1 => Ok(ChangeKind::Update),
        2 => Ok(ChangeKind::Leave),
        _ => Err(CodecError::Unknown {
            what: "kind of change",
            value: u64::from(number),
        }),
    }
}

/// A disposition as a number. The chain uses it too, so it must never change.
pub(in crate::log) fn disposition_number(disposition: Disposition) -> u8 {
    match disposition {
        Disposition::Applied => 0,
        Disposition::Duplicate => 1,
        Disposition::Stale => 2,
        Disposition::Unknown => 3,
        Disposition::Collected => 4,
    }
}

fn disposition_of(number: u8) -> Result<Disposition, CodecError> {
    match number {
        0 => Ok(Disposition::Applied),
        1 => Ok(Disposition::Duplicate),
        2 => Ok(Disposition::Stale),
        3 => Ok(Disposition::Unknown),
        4 => Ok(Disposition::Collected),
        _ => Err(CodecError::Unknown {
            what: "disposition",
            value: u64::from(number),
        }),
    }
}
