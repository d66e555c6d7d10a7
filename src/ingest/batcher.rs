//! Gathers lines into batches for the writer. Files, bodies, WebSockets, recordings and retries all use it: it decides
//! how large a batch becomes, and when its lines are read. A batch owns the text of its lines, so each line is copied
//! once; the events borrow from that text.

use super::line::{may_be_refused, names, read, source_time};
use super::options::IngestOptions;
use super::piece::LineText;
use crate::domain::time::Millis;
use crate::log::Progress;
use crate::store::{Batch, BatchLine, BatchText, FeedLine, LongLine};
use std::ops::Range;
use std::sync::Arc;

/// The maximum of lines in a batch.
const BATCH_LINES: usize = 1_024;
/// The maximum of their bytes, whichever is reached first.
const BATCH_BYTES: usize = 1 << 20;

/// The position of a line.
#[derive(Debug, Clone, Copy)]
pub struct LineLocation<'a> {
    /// The file or feed.
    pub source: &'a Arc<str>,
    /// Its number there, from 1.
    pub line: u64,
    /// The byte at which it begins.
    pub byte: u64,
}

/// Lines for the next batch.
#[derive(Debug, Default)]
pub struct Batcher {
    bytes: Vec<u8>,
    sources: Vec<Arc<str>>,
    items: Vec<PendingItem>,
    lines: usize,
}

#[derive(Debug)]
enum PendingItem {
    Line(PendingLine),
    /// A position in the source, which the lines before it reach.
    Reached(Progress),
}

/// A line that is not read yet.
#[derive(Debug)]
struct PendingLine {
    source: usize,
    line: u64,
    byte: u64,
    /// Where its text is.
    text: Range<usize>,
    too_long: Option<LongLine>,
    retry_of: Option<u64>,
    /// Why it is rejected, if that is known before it is read.
    refused: Option<String>,
}

/// A batch, and what is known of its lines.
pub struct ReadBatch {
    /// The batch.
    pub batch: Batch,
    /// How many lines it has.
    pub lines: u64,
    /// The latest time that the source reported for one of them, Unix ms.
    pub latest_time: Option<Millis>,
}

impl Batcher {
    /// Adds a line that is not blank; `refused`: why it is rejected, if that is known before it is read.
    pub fn push(&mut self, at: LineLocation<'_>, text: LineText<'_>, refused: Option<String>) {
        self.add(at, text, None, refused);
    }

    /// Adds a kept reject, by its ordinal among the rejects; `refused`: why it is not tried again.
    pub fn push_retry(
        &mut self,
        at: LineLocation<'_>,
        text: &[u8],
        ordinal: u64,
        refused: Option<String>,
    ) {
        self.add(at, LineText::Whole(text), Some(ordinal), refused);
    }

    fn add(
        &mut self,
        at: LineLocation<'_>,
        text: LineText<'_>,
        retry_of: Option<u64>,
        refused: Option<String>,
    ) {
        let known = self.sources.last();
        if known.is_none_or(|known| !Arc::ptr_eq(known, at.source)) {
            self.sources.push(Arc::clone(at.source));
        }
        let (text, too_long) = text.parts();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.items.push(PendingItem::Line(PendingLine {
            source: self.sources.len() - 1,
            line: at.line,
            byte: at.byte,
            text: start..self.bytes.len(),
            too_long,
            retry_of,
            refused,
        }));
        self.lines += 1;
    }

    /// Notes how far the lines up to now reach in their source. Of several notes only the last one is recorded, and in
    /// a strict batch also the last one before each line at which it may stop.
    pub fn reached(&mut self, progress: Progress) {
        self.items.push(PendingItem::Reached(progress));
    }

    /// Whether the batch should be sent before more lines are added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines >= BATCH_LINES || self.bytes.len() >= BATCH_BYTES
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many bytes their text has.
    #[cfg(feature = "server")]
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Reads the lines, and returns them as a batch.
    pub fn take(&mut self, how: &IngestOptions) -> ReadBatch {
        self.take_with(how, |_| {})
    }

    /// The same, with lines that `edit` adds.
    pub fn take_with(
        &mut self,
        how: &IngestOptions,
        edit: impl for<'a> FnOnce(&mut Vec<BatchLine<'a>>),
    ) -> ReadBatch {
        // The next batch is about as long. Where the room is too small, all of it is copied.
        let room = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 8);
        let text = BatchText {
            bytes: std::mem::replace(&mut self.bytes, room),
            sources: std::mem::take(&mut self.sources),
            ..names(how)
        };
        let lines = std::mem::take(&mut self.lines) as u64;
        let room = Vec::with_capacity(self.items.len());
        let items = std::mem::replace(&mut self.items, room);
        let batch = Batch::read(text, how.rules, |text| {
            let mut lines = read_items(items, text, how);
            edit(&mut lines);
            lines
        });
        ReadBatch {
            latest_time: batch.lines().iter().filter_map(source_time).max(),
            batch: batch.strict(how.strict),
            lines,
        }
    }
}

fn read_items<'a>(
    items: Vec<PendingItem>,
    text: &'a BatchText,
    how: &IngestOptions,
) -> Vec<BatchLine<'a>> {
    let mut lines = Vec::with_capacity(items.len() + 1);
    let mut reached = None;
    for item in items {
        match item {
            PendingItem::Reached(progress) => reached = Some(progress),
            PendingItem::Line(line) => {
                let line = line.read(text, how);
                if how.strict && may_be_refused(&line) {
                    lines.extend(reached.take().map(BatchLine::Progress));
                }
                lines.push(line);
            }
        }
    }
    lines.extend(reached.map(BatchLine::Progress));
    lines
}

impl PendingLine {
    fn read<'a>(self, text: &'a BatchText, how: &IngestOptions) -> BatchLine<'a> {
        let source = text.sources.get(self.source);
        let line = FeedLine {
            source: source.map_or("", |source| source),
            line: self.line,
            byte: self.byte,
            text: text.bytes.get(self.text).unwrap_or_default(),
            too_long: self.too_long,
            retry_of: self.retry_of,
            limited: false,
        };
        match self.refused {
            Some(reason) => BatchLine::Rejected(line, reason),
            None => read(line, text, how),
        }
    }
}
