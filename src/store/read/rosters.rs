//! What the entries of a scope mean for rosters, for readers that ask no more. Of a sealed block nothing else is decoded.

use super::cursor::{LogPosition, StateCursor};
use super::frames::{ScopedFrame, ScopedFrames};
use super::record::ScopedRecord;
use crate::domain::names::{NameTable, Names};
use crate::domain::rosters::RosterEntry;
use crate::limits::{AHEAD_PIECES_MAX, ROSTER_PIECE_ENTRIES};
use crate::log::frame::{FrameHeader, RosterStreams};
use crate::store::error::StoreError;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, Builder};

/// Reads what entries mean for rosters. The changes and snapshots of one channel come in the order of the log; those of
/// different channels in any order.
pub struct RosterReader<'a> {
    /// The state where reading began. Nothing is applied to it.
    pub(crate) cursor: StateCursor,
    frames: ScopedFrames<'a>,
    frame: Option<RosterFrame<'a>>,
    /// The first entry that is wanted.
    from: u64,
    entries: Vec<RosterEntry>,
}

/// What is being read.
enum RosterFrame<'a> {
    /// All of a block.
    Block(Box<RosterBlock>),
    /// A frame, or a part of a block.
    Records(Box<ScopedFrame<'a>>),
}

struct RosterBlock {
    streams: RosterStreams,
    header: FrameHeader,
    behind: LogPosition,
}

impl<'a> RosterReader<'a> {
    /// A reader of what a scan gives, from the entry `from` on.
    pub(crate) fn new(
        (cursor, frames): (StateCursor, ScopedFrames<'a>),
        from: u64,
    ) -> RosterReader<'a> {
        RosterReader {
            cursor,
            frames,
            frame: None,
            from,
            entries: Vec::new(),
        }
    }

    /// The next entries, and the dictionary of their numbers; `None` behind the last ones.
    ///
    /// # Errors
    /// The log is damaged, or was pruned meanwhile. After an error there are no more.
    pub fn next_piece(&mut self) -> Result<Option<(&[RosterEntry], &Names)>, StoreError> {
        self.entries.clear();
        while self.entries.is_empty() {
            if self.frame.is_none() && !self.begin()? {
                return Ok(None);
            }
            let filled = self.fill();
            if !matches!(filled, Ok(true)) {
                // Where it failed the cursor stays before the frame, and no other one follows.
                self.frame = None;
            }
            filled?;
        }
        Ok(Some((&self.entries, &self.cursor.names)))
    }

    /// Gives all entries, and the dictionary of their numbers, and then the cursor behind them. A second thread reads what
    /// follows while the reader is busy, if there is much.
    ///
    /// # Errors
    /// Those of [`next_piece`](Self::next_piece), and what `take` returns.
    pub(crate) fn for_each(
        mut self,
        mut take: impl FnMut(&[RosterEntry], &NameTable) -> Result<(), StoreError>,
    ) -> Result<StateCursor, StoreError> {
        let beside = self.frames.is_much().then(|| self.read_beside(&mut take));
        match beside.flatten() {
            Some(read) => read?,
            None => {
                while let Some((entries, names)) = self.next_piece()? {
                    take(entries, names)?;
                }
            }
        }
        Ok(self.cursor)
    }

    /// Gives all entries, which a second thread reads; `None` if there is no thread.
    fn read_beside(
        &mut self,
        mut take: impl FnMut(&[RosterEntry], &NameTable) -> Result<(), StoreError>,
    ) -> Option<Result<(), StoreError>> {
        let names = self.cursor.names.table().clone();
        let (send, pieces) = sync_channel(AHEAD_PIECES_MAX);
        let (give_back, used) = channel();
        thread::scope(|scope| {
            let thread = Builder::new().name("rollbook-ahead".into());
            let reading = thread
                .spawn_scoped(scope, || self.send_all(send, used))
                .ok()?;
            let mut taken = Ok(());
            for piece in pieces {
                taken = take(&piece, &names);
                if taken.is_err() {
                    break;
                }
                // At the end the thread needs no more memory.
                let _ = give_back.send(piece);
            }
            let read = reading.join().unwrap_or_else(|panic| resume_unwind(panic));
            Some(taken.and(read))
        })
    }

    /// Sends all entries, as long as somebody takes them.
    fn send_all(
        &mut self,
        send: SyncSender<Vec<RosterEntry>>,
        used: Receiver<Vec<RosterEntry>>,
    ) -> Result<(), StoreError> {
        while self.next_piece()?.is_some() {
            let used = used.try_recv().unwrap_or_default();
            let piece = std::mem::replace(&mut self.entries, used);
            if send.send(piece).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Begins the next frame. Returns `false` behind the last one.
    fn begin(&mut self) -> Result<bool, StoreError> {
        let Some(frame) = self.frames.next(&mut self.cursor)? else {
            return Ok(false);
        };
        let is_wanted = frame.header().first_seq >= self.from;
        let block = match is_wanted {
            true => frame.rosters(&self.cursor)?,
            false => None,
        };
        self.frame = Some(match block {
            Some((streams, behind)) => RosterFrame::Block(Box::new(RosterBlock {
                streams,
                header: frame.header().clone(),
                behind,
            })),
            None => RosterFrame::Records(Box::new(frame)),
        });
        Ok(true)
    }

    /// Reads the next entries of the frame. Returns `false` behind the last ones.
    fn fill(&mut self) -> Result<bool, StoreError> {
        let Self {
            cursor,
            frame,
            from,
            entries,
            ..
        } = self;
        match frame {
            None => Ok(false),
            Some(RosterFrame::Block(block)) => block.fill(cursor, entries),
            Some(RosterFrame::Records(frame)) => {
                while let Some(record) = frame.next(cursor)? {
                    match record {
                        ScopedRecord::Commit(commit) => {
                            let wanted = commit.entries.iter();
                            let wanted = wanted.filter(|entry| entry.seq >= *from);
                            wanted.for_each(|it| RosterEntry::of(it, |it| entries.push(it)));
                            if let Some(last) = commit.entries.last() {
                                cursor.pass_entry(last);
                            }
                        }
                        ScopedRecord::Page { page, next_seq, .. } if next_seq >= *from => {
                            entries.push(RosterEntry::Named(page.channel));
                        }
                        _ => {}
                    }
                    if entries.len() >= ROSTER_PIECE_ENTRIES {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

impl RosterBlock {
    fn fill(
        &mut self,
        cursor: &mut StateCursor,
        entries: &mut Vec<RosterEntry>,
    ) -> Result<bool, StoreError> {
        let Self {
            streams,
            header,
            behind,
        } = self;
        let read = streams.read(&mut cursor.names, ROSTER_PIECE_ENTRIES, entries);
        let more = read.map_err(|error| StoreError::Corrupt {
            seq: cursor.state.head(),
            detail: format!(
                "in the block that begins with frame {}: {error}",
                header.frame
            ),
        })?;
        if !more {
            cursor.pass_to(header);
            cursor.move_to(*behind);
        }
        Ok(more)
    }
}
