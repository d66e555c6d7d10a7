//! `verify --repair`: makes a store of all that is whole in a damaged one, and declares what is missing. The damaged one is only
//! read.
//!
//! ```text
//! raw files ─carve→ pieces ─as they are, up to the first gap→ new store ─redecide→ the rest, with declared gaps ─verify→ its place
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `again` | records what stands behind a gap, by the rules |
//! | `listed` | what a snapshot says where the roster before it is not known |
//! | `doubt` | the channels of which entries are missing |

mod again;
mod doubt;
mod listed;

use super::sound::sound;
use crate::log::carve::{CarveError, CarvedPiece, Carving, PieceBytes};
use crate::log::frame::{Check, channel_hash};
use crate::query::answer::Time;
use crate::query::repaired::{MissingEntries, Repaired, UnreadablePart};
use crate::store::{DamagedFolder, KnownEnd, RestoreError, Restoring, StoreError};
use again::Redecider;
use std::path::Path;

/// Makes a store in `dir`, which is empty or missing, of all whole frames and blocks of the store in `damaged`. `progress` gets
/// the number of entries that were decided again so far, from time to time.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::{Event, Options, Store, care::repair};
/// # let dir = tempfile::tempdir()?;
/// # let (here, there) = (dir.path().join("here"), dir.path().join("there"));
/// let store = Store::open(&here, Options::default())?;
/// store.record(&[Event::join("room", "chat", "lily").at(1_000)])?;
/// drop(store);
/// let repaired = repair(&here, &there, |_| {})?;
/// assert!(repaired.ok && repaired.missing.is_empty());
/// assert_eq!(Store::open(&there, Options::default())?.head(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`RestoreError`]: then there is no new store.
pub fn repair(
    damaged: &Path,
    dir: &Path,
    progress: impl FnMut(u64),
) -> Result<Repaired, RestoreError> {
    let folder = DamagedFolder::open(damaged)?;
    let carving = folder.carve()?;
    let mut restoring = Restoring::begin_empty(dir)?;
    let same = take_same(&mut restoring, &carving, folder.is_without_card())?;
    let store = restoring.taken(same.next, &folder)?;
    let rest = carving.pieces.get(same.pieces..).unwrap_or_default();
    let nothing = carving.is_empty() && !folder.is_without_card();
    let ending = missing_at_end(&folder.known_end(), &same, rest, nothing);
    let mut report = Repaired::new(store.head());
    if !rest.is_empty() || ending.is_some() {
        let to = Redecider::new(store.rewriter()?, report, folder.is_without_card());
        report = redecide(to, &carving, (&same, rest), ending, progress)?;
    }
    report.unreadable = unreadable(&carving);
    report.entries = store.head();
    sound(&store, report.entries)?;
    drop(store);
    restoring.take_place()?;
    Ok(report)
}

/// What was taken as it is.
struct SamePart {
    /// The position behind it.
    next: u64,
    /// How many of the pieces.
    pieces: usize,
    /// The last entry.
    seq: u64,
    /// The last frame.
    frame: u64,
    /// When its last entry was recorded.
    recorded_at: Option<i64>,
}

/// Takes what can be taken as it is: the base, and blocks and frames up to the first that is missing.
fn take_same(
    restoring: &mut Restoring,
    carving: &Carving,
    without_card: bool,
) -> Result<SamePart, RestoreError> {
    let mut same = SamePart {
        next: 1,
        pieces: 0,
        seq: 0,
        frame: 0,
        recorded_at: None,
    };
    if let Some(base) = &carving.base {
        restoring.take_object(0, base.bytes())?;
        let header = &base.header;
        (same.next, same.seq, same.frame) = (header.next, header.seq, header.frame);
        same.recorded_at = Some(header.recorded_at);
    }
    let mut in_engine = false;
    for piece in &carving.pieces {
        let fits = match piece.block() {
            Some(position) => !in_engine && position == same.next,
            None => !piece.is_block(),
        };
        // With another key the digests in it would not fit.
        if !piece.follows || !fits || without_card {
            break;
        }
        match carving.bytes(piece).map_err(unread)? {
            PieceBytes::Block(position, bytes) => restoring.take_object(position, &bytes)?,
            PieceBytes::Values(values) => {
                in_engine = true;
                for (value, position) in values.into_iter().zip(same.next..) {
                    restoring.take_value(position, value)?;
                }
            }
        }
        same.next += u64::from(piece.header.parts);
        same.pieces += 1;
        same.seq = piece.end_seq() - 1;
        same.frame = piece.header.last_frame();
        same.recorded_at = piece.recorded().map(|(_, last)| last).or(same.recorded_at);
    }
    Ok(same)
}

/// Whether something is missing behind the last piece: the last entry that is known to have been there, if it is. `nothing`: there
/// is no trace of any entry.
fn missing_at_end(
    end: &KnownEnd,
    same: &SamePart,
    rest: &[CarvedPiece],
    nothing: bool,
) -> Option<Option<u64>> {
    let seq = rest.last().map_or(same.seq, |last| last.end_seq() - 1);
    // Of frames that are missing it is not known how many values they had.
    let mut position = same.next - 1;
    let mut frame = same.frame;
    for piece in rest {
        position += piece.header.frame.saturating_sub(frame + 1);
        position += u64::from(piece.header.parts);
        frame = piece.header.last_frame();
    }
    let known = end.seq.filter(|&known| known > seq);
    let is_short = match end.position {
        Some(known) => known > position,
        None => !nothing,
    };
    (known.is_some() || is_short).then_some(known)
}

/// Records the pieces that stand behind what was taken.
fn redecide(
    mut to: Redecider,
    carving: &Carving,
    (same, rest): (&SamePart, &[CarvedPiece]),
    ending: Option<Option<u64>>,
    mut progress: impl FnMut(u64),
) -> Result<Repaired, RestoreError> {
    let (mut seq, mut frame, mut recorded_at) = (same.seq, same.frame, same.recorded_at);
    for piece in rest {
        if !piece.follows {
            let before = (seq, frame, recorded_at);
            let missing = missing(&to, carving, before, piece);
            to.report.miss(missing);
            to.declare_missing();
        }
        let records = carving.records(piece, Check::Form);
        let mut records = records.map_err(unread)?;
        loop {
            let record = records.next(to.rewriter.names());
            let record = record.map_err(|error| unread(error.into()))?;
            let Some(record) = record else { break };
            to.record(record);
        }
        to.rewriter.flush()?;
        progress(to.report.redecided);
        (seq, frame) = (piece.end_seq() - 1, piece.header.last_frame());
        recorded_at = piece.recorded().map(|(_, last)| last).or(recorded_at);
    }
    if let Some(last_seq) = ending {
        to.report.miss(MissingEntries {
            first_seq: seq + 1,
            last_seq,
            recorded_from: recorded_at.map(Time),
            recorded_to: None,
            channels: None,
            behind: to.rewriter.view().state.head(),
        });
        to.declare_missing();
    }
    to.rewriter.finish()?;
    Ok(to.report)
}

/// What is missing before a piece.
fn missing(
    to: &Redecider,
    carving: &Carving,
    (seq, frame, recorded_at): (u64, u64, Option<i64>),
    piece: &CarvedPiece,
) -> MissingEntries {
    let view = to.rewriter.view();
    let channels = carving.channels_missing(frame, piece.header.frame);
    let named = channels.and_then(|hashes| {
        let known = view.state.channels().map(|(name, _)| view.names.text(name));
        let known = known.filter(|name| hashes.binary_search(&channel_hash(name)).is_ok());
        let mut known: Vec<String> = known.map(str::to_owned).collect();
        known.sort_unstable();
        // A channel of which nothing else is known has no name here.
        (known.len() == hashes.len()).then_some(known)
    });
    MissingEntries {
        first_seq: seq + 1,
        last_seq: Some(piece.header.first_seq - 1),
        recorded_from: recorded_at.map(Time),
        recorded_to: piece.recorded().map(|(first, _)| Time(first)),
        channels: named,
        behind: view.state.head(),
    }
}

fn unreadable(carving: &Carving) -> Vec<UnreadablePart> {
    let faults = carving.faults.iter();
    let parts = faults.map(|fault| UnreadablePart {
        file: fault.file.display().to_string(),
        from_byte: fault.bytes.map(|(from, _)| from),
        to_byte: fault.bytes.map(|(_, to)| to),
        what: fault.what.clone(),
    });
    parts.collect()
}

/// It was read a moment ago.
fn unread(error: CarveError) -> RestoreError {
    let detail = format!("it was read, and now it cannot be: {error}");
    RestoreError::Store(StoreError::Stopped(detail))
}
