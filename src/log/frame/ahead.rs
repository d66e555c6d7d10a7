//! The records of a block, decoded by a second thread while their reader is busy with those before. In which order they come,
//! and what is wrong with them, is the same as without it.
//!
//! The thread has a dictionary of its own, because the reader's is in use. What it hands over is translated, each name once.

use super::FrameError;
use super::decode::FrameRecords;
use super::piece::{DecodedRecord, PieceRecord, RecordPiece};
use crate::domain::names::{NameTable, Names};
use crate::domain::translate::Translation;
use crate::limits::AHEAD_PIECES_MAX;
use crate::log::Record;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// What the thread sends: a piece; nothing behind the last one; or what is wrong with the next record.
type Sent = Result<Option<RecordPiece>, FrameError>;

/// Records that a second thread decodes.
pub struct RecordsAhead {
    thread: DecodingThread,
    /// Until the last one.
    pieces: Option<Receiver<Sent>>,
    /// Takes back the memory.
    used: Sender<RecordPiece>,
    piece: RecordPiece,
    translation: Translation,
}

/// A block that a second thread opens.
pub struct OpeningAhead<E> {
    // Before the thread, so that it is not waited for by what it waits for.
    pieces: Receiver<Sent>,
    used: Sender<RecordPiece>,
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
            piece: RecordPiece::default(),
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
        while self.piece.next().is_none() {
            if !self.receive()? {
                self.piece.clear();
                return Ok(false);
            }
        }
        let translation = &mut self.translation;
        match self.piece.current_mut() {
            Some((PieceRecord::Commit(..), entries)) => {
                let entries = entries.iter_mut();
                entries.for_each(|entry| translation.entry(entry, names));
            }
            Some((PieceRecord::Other(other, _), _)) => match &mut **other {
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
        self.piece.current()
    }

    /// Waits for the next piece. Returns `false` behind the last one.
    fn receive(&mut self) -> Result<bool, FrameError> {
        let Some(pieces) = &self.pieces else {
            return Ok(false);
        };
        let received = pieces.recv();
        if let Ok(Ok(Some(piece))) = received {
            let used = std::mem::replace(&mut self.piece, piece);
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
    used: &Receiver<RecordPiece>,
) {
    loop {
        let mut piece = used.try_recv().unwrap_or_default();
        let sent = match records.fill(&mut piece, &mut names) {
            Ok(true) => Ok(Some(piece)),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        let more = matches!(sent, Ok(Some(_)));
        // If nobody wants it any more, nobody wants to know.
        if send.send(sent).is_err() || !more {
            return;
        }
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
