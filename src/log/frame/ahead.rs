//! The records of a block, decoded by a second thread while their reader is busy with those before. In which order they come,
//! and what is wrong with them, is the same as without it.
//!
//! The thread has a dictionary of its own, because the reader's is in use. What it hands over is translated, each name once.

use super::FrameError;
use super::decode::FrameRecords;
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::{NameTable, Names};
use crate::domain::translate::Translation;
use crate::limits::{AHEAD_ENTRIES, AHEAD_PIECES_MAX};
use crate::log::Record;
use std::io;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Records that follow one another. Their entries lie side by side: so they come fast from one processor to another.
#[derive(Default)]
struct DecodedPiece {
    records: Vec<PieceRecord>,
    /// Those of all commits.
    entries: Vec<Entry>,
}

enum PieceRecord {
    /// So many entries, which are the next ones.
    Commit(Rules, usize),
    Other(Box<Record>),
}

/// What the thread sends: a piece; nothing behind the last one; or what is wrong with the next record.
type Sent = Result<Option<DecodedPiece>, FrameError>;

/// A record that was decoded.
#[derive(Debug, Clone, Copy)]
pub enum DecodedRecord<'a> {
    /// Entries that were appended together.
    Commit(&'a Rules, &'a [Entry]),
    /// Any other.
    Other(&'a Record),
}

impl<'a> From<&'a Record> for DecodedRecord<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Commit { rules, entries } => DecodedRecord::Commit(rules, entries),
            other => DecodedRecord::Other(other),
        }
    }
}

/// Records that a second thread decodes.
pub struct RecordsAhead {
    thread: DecodingThread,
    /// Until the last one.
    pieces: Option<Receiver<Sent>>,
    /// Takes back the memory.
    used: Sender<DecodedPiece>,
    piece: DecodedPiece,
    /// How many of its records were given.
    given: usize,
    /// The entries of the last of them.
    entries: Range<usize>,
    translation: Translation,
}

/// A block that a second thread opens.
pub struct OpeningAhead<E> {
    // Before the thread, so that it is not waited for by what it waits for.
    pieces: Receiver<Sent>,
    used: Sender<DecodedPiece>,
    opened: Receiver<Result<NameTable, E>>,
    thread: DecodingThread,
}

/// It ends when nothing takes what it decodes; only then it is joined.
struct DecodingThread(Option<JoinHandle<()>>);

impl DecodingThread {
    /// Hands on the panic that has ended it.
    fn fail(&mut self) {
        if let Some(Err(panic)) = self.0.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
    }
}

impl Drop for DecodingThread {
    fn drop(&mut self) {
        // Its panic was handed on, or concerns nobody any more.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

impl<E: Send + 'static> OpeningAhead<E> {
    /// Begins to decode what `open` gives.
    ///
    /// # Errors
    /// There is no thread.
    pub fn begin<V: AsRef<[u8]> + 'static>(
        open: impl FnOnce() -> Result<FrameRecords<V>, E> + Send + 'static,
    ) -> io::Result<OpeningAhead<E>> {
        let (tell, opened) = channel();
        let (send, pieces) = sync_channel(AHEAD_PIECES_MAX);
        let (used, again) = channel();
        let thread = Builder::new().name("rollbook-ahead".into());
        let thread = thread.spawn(move || {
            let names = Names::new();
            match open() {
                Ok(records) => {
                    if tell.send(Ok(names.table().clone())).is_ok() {
                        decode(records, names, &send, &again);
                    }
                }
                Err(error) => {
                    // If nobody wants it any more, nobody wants to know.
                    let _ = tell.send(Err(error));
                }
            }
        })?;
        Ok(OpeningAhead {
            pieces,
            used,
            opened,
            thread: DecodingThread(Some(thread)),
        })
    }

    /// Waits until it is open.
    ///
    /// # Errors
    /// It could not be opened.
    pub fn wait(mut self) -> Result<RecordsAhead, E> {
        let table = match self.opened.recv() {
            Ok(opened) => opened?,
            Err(RecvError) => {
                self.thread.fail();
                NameTable::default()
            }
        };
        Ok(RecordsAhead {
            thread: self.thread,
            pieces: Some(self.pieces),
            used: self.used,
            piece: DecodedPiece::default(),
            given: 0,
            entries: 0..0,
            translation: Translation::of(table),
        })
    }
}

impl RecordsAhead {
    /// Moves to the next record; returns `false` after the last one. Its names and members are interned in `names`, which must
    /// be the same dictionary for all records.
    ///
    /// # Errors
    /// Those of [`FrameRecords::next`].
    pub fn advance(&mut self, names: &mut Names) -> Result<bool, FrameError> {
        while self.given == self.piece.records.len() {
            if !self.receive()? {
                self.piece.records.clear();
                self.given = 0;
                return Ok(false);
            }
        }
        let next = self.piece.records.get_mut(self.given);
        self.given += 1;
        let (from, translation) = (self.entries.end, &mut self.translation);
        self.entries.start = from;
        match next {
            Some(PieceRecord::Commit(_, count)) => {
                self.entries.end += *count;
                let entries = self.piece.entries.get_mut(self.entries.clone());
                let entries = entries.unwrap_or_default().iter_mut();
                entries.for_each(|entry| translation.entry(entry, names));
            }
            Some(PieceRecord::Other(other)) => match &mut **other {
                Record::Page { page, .. } => translation.page(page, names),
                Record::Closed(end) => translation.end(end, names),
                Record::Commit { .. }
                | Record::Reject(_)
                | Record::Settled(_)
                | Record::Progress(_)
                | Record::Forgotten(_) => {}
            },
            None => {}
        }
        Ok(true)
    }

    /// The record to which [`advance`](Self::advance) led.
    #[must_use]
    pub fn current(&self) -> Option<DecodedRecord<'_>> {
        Some(match self.piece.records.get(self.given.checked_sub(1)?)? {
            PieceRecord::Commit(rules, _) => {
                DecodedRecord::Commit(rules, self.piece.entries.get(self.entries.clone())?)
            }
            PieceRecord::Other(other) => DecodedRecord::Other(other),
        })
    }

    /// Waits for the next piece. Returns `false` behind the last one.
    fn receive(&mut self) -> Result<bool, FrameError> {
        let Some(pieces) = &self.pieces else {
            return Ok(false);
        };
        let received = pieces.recv();
        if let Ok(Ok(Some(piece))) = received {
            let used = std::mem::replace(&mut self.piece, piece);
            (self.given, self.entries) = (0, 0..0);
            // At the end the thread needs no more memory.
            let _ = self.used.send(used);
            return Ok(true);
        }
        self.pieces = None;
        match received {
            Ok(ended) => ended.map(|_| false),
            Err(RecvError) => {
                self.thread.fail();
                Ok(false)
            }
        }
    }
}

impl Drop for RecordsAhead {
    fn drop(&mut self) {
        // The thread may wait until a piece is taken.
        self.pieces = None;
    }
}

/// Decodes as long as somebody takes the records.
fn decode<V: AsRef<[u8]>>(
    mut records: FrameRecords<V>,
    mut names: Names,
    send: &SyncSender<Sent>,
    used: &Receiver<DecodedPiece>,
) {
    loop {
        let mut piece = used.try_recv().unwrap_or_default();
        let filled = piece.fill(&mut records, &mut names);
        if !piece.records.is_empty() && send.send(Ok(Some(piece))).is_err() {
            return;
        }
        let ended = match filled {
            Ok(true) => continue,
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        // If nobody wants it any more, nobody wants to know.
        let _ = send.send(ended);
        return;
    }
}

impl DecodedPiece {
    /// Replaces its records by the next ones. Returns `false` behind the last one.
    fn fill<V: AsRef<[u8]>>(
        &mut self,
        records: &mut FrameRecords<V>,
        names: &mut Names,
    ) -> Result<bool, FrameError> {
        self.records.clear();
        self.entries.clear();
        // It may have had a large commit.
        self.entries.shrink_to(2 * AHEAD_ENTRIES);
        while self.entries.len() < AHEAD_ENTRIES && self.records.len() < AHEAD_ENTRIES {
            if records.next(names)?.is_none() {
                return Ok(false);
            }
            let record = records.current_mut();
            if let Some(Record::Commit { rules, entries }) = record {
                let commit = PieceRecord::Commit(*rules, entries.len());
                self.entries.append(entries);
                self.records.push(commit);
            } else {
                let other = record.take().map(Box::new);
                self.records.extend(other.map(PieceRecord::Other));
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    type Opened = Result<FrameRecords<Vec<u8>>, &'static str>;

    #[test]
    fn what_cannot_be_opened_is_an_error() -> io::Result<()> {
        let opening = OpeningAhead::begin(|| -> Opened { Err("it is damaged") })?;
        assert_eq!(opening.wait().err(), Some("it is damaged"));
        Ok(())
    }

    #[test]
    fn a_panic_reaches_the_reader() -> io::Result<()> {
        let open = || -> Opened { resume_unwind(Box::new("this is no end")) };
        let opening = OpeningAhead::begin(open)?;
        let panic = catch_unwind(AssertUnwindSafe(|| opening.wait().err())).err();
        let said = panic.as_ref().and_then(|panic| panic.downcast_ref());
        assert_eq!(said, Some(&"this is no end"));
        Ok(())
    }
}
