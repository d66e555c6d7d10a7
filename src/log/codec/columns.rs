//! Where the fields of records are written. In a frame they follow one another, record by record. In a sealed block
//! each kind of field has a column of its own, because alike numbers side by side compress far better. What the fields
//! mean is in `record`.

use super::CodecError;
use super::bytes::{Reader, put_varint, put_zigzag};
use super::tables::TextAt;
use bincode::Decode;
use std::ops::Range;

/// A kind of field. The order is that of the columns in a block, so it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) enum Column {
    /// What each record is, and how many rows follow.
    Tags,
    /// Flags of rows: their first byte.
    Flags,
    /// Flags of rows: their second byte.
    MoreFlags,
    Observers,
    Members,
    Occurred,
    Recorded,
    Effective,
    Texts,
    Serials,
    Indexes,
    SourceTimes,
    /// What was reported, and the disposition.
    Reported,
    /// Flags of inferences.
    Inferred,
    Snapshots,
    NotBefore,
    Late,
    /// Everything that bincode writes.
    Bodies,
}

const COLUMNS: usize = Column::Bodies as usize + 1;

/// Takes the fields of records.
pub(in crate::log) trait RowWriter {
    /// The bytes to which fields of a kind are appended.
    fn column(&mut self, column: Column) -> &mut Vec<u8>;

    /// Appends the position of a text.
    fn text(&mut self, at: TextAt);

    #[inline]
    fn byte(&mut self, column: Column, byte: u8) {
        self.column(column).push(byte);
    }

    #[inline]
    fn varint(&mut self, column: Column, value: u64) {
        put_varint(self.column(column), value);
    }

    #[inline]
    fn zigzag(&mut self, column: Column, value: i64) {
        put_zigzag(self.column(column), value);
    }
}

/// The fields of a frame: all in one place.
impl RowWriter for Vec<u8> {
    #[inline]
    fn column(&mut self, _column: Column) -> &mut Vec<u8> {
        self
    }

    #[inline]
    fn text(&mut self, at: TextAt) {
        put_varint(self, u64::from(at));
    }
}

/// Gives the fields of records, in the order in which they were written.
pub(in crate::log) trait RowReader {
    /// Reads a field of a kind.
    fn field<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, CodecError>,
    ) -> Result<T, CodecError>;

    /// Whether no record is left.
    fn is_at_end(&self) -> bool;

    /// Reads how many rows follow. It never exceeds what the remaining bytes can hold.
    fn rows(&mut self) -> Result<usize, CodecError>;

    /// Reads the position of a text.
    fn text(&mut self) -> Result<TextAt, CodecError>;

    #[inline]
    fn byte(&mut self, column: Column) -> Result<u8, CodecError> {
        self.field(column, |reader| reader.byte())
    }

    #[inline]
    fn varint(&mut self, column: Column) -> Result<u64, CodecError> {
        self.field(column, |reader| reader.varint())
    }

    #[inline]
    fn zigzag(&mut self, column: Column) -> Result<i64, CodecError> {
        self.field(column, |reader| reader.zigzag())
    }

    #[inline]
    fn index(&mut self, column: Column) -> Result<u32, CodecError> {
        self.field(column, |reader| reader.index())
    }

    fn body<T: Decode<()>>(&mut self) -> Result<T, CodecError> {
        self.field(Column::Bodies, |reader| reader.body())
    }
}

/// A row has at least three bytes: flags, a member or body, a difference of times.
const ROW_BYTES_MIN: usize = 3;

/// The fields of a frame.
impl RowReader for Reader<'_> {
    #[inline]
    fn field<T>(
        &mut self,
        _column: Column,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        read(self)
    }

    #[inline]
    fn is_at_end(&self) -> bool {
        self.left() == 0
    }

    fn rows(&mut self) -> Result<usize, CodecError> {
        self.count(ROW_BYTES_MIN)
    }

    #[inline]
    fn text(&mut self) -> Result<TextAt, CodecError> {
        Reader::index(self)
    }
}

/// Columns that are being written.
#[derive(Debug, Default)]
pub(in crate::log) struct ColumnWriter {
    columns: [Vec<u8>; COLUMNS],
    /// The text that was written last: most follow one another.
    last_text: TextAt,
}

impl ColumnWriter {
    /// Appends the lengths of all columns, and the columns.
    pub(in crate::log) fn write(&self, out: &mut Vec<u8>) {
        for column in &self.columns {
            put_varint(out, column.len() as u64);
        }
        for column in &self.columns {
            out.extend_from_slice(column);
        }
    }
}

impl RowWriter for ColumnWriter {
    #[inline]
    fn column(&mut self, column: Column) -> &mut Vec<u8> {
        // The numbers of columns are those of the array.
        let [first, others @ ..] = &mut self.columns;
        match (column as usize).checked_sub(1) {
            Some(at) => others.get_mut(at).unwrap_or(first),
            None => first,
        }
    }

    fn text(&mut self, at: TextAt) {
        let step = i64::from(at) - i64::from(self.last_text);
        self.last_text = at;
        self.zigzag(Column::Texts, step);
    }
}

/// Where the unread rest of each column of a payload lies.
#[derive(Debug, Clone, Default)]
pub(in crate::log) struct ColumnPlaces {
    rest: [Range<usize>; COLUMNS],
    last_text: TextAt,
    textless: bool,
}

impl ColumnPlaces {
    /// Reads the lengths of the columns, which then fill the rest of the payload. `payload` is the length of all of it.
    pub(in crate::log) fn read(
        reader: &mut Reader<'_>,
        payload: usize,
    ) -> Result<ColumnPlaces, CodecError> {
        let mut lengths = [0; COLUMNS];
        for length in &mut lengths {
            *length = usize::try_from(reader.varint()?).map_err(|_| CodecError::Number)?;
        }
        let mut from = payload - reader.left();
        let mut places = ColumnPlaces::default();
        for (place, length) in places.rest.iter_mut().zip(lengths) {
            let end = from.checked_add(length).ok_or(CodecError::Number)?;
            if end > payload {
                return Err(CodecError::Short);
            }
            *place = from..end;
            from = end;
        }
        match payload - from {
            0 => Ok(places),
            left => Err(CodecError::Trailing(left)),
        }
    }

    /// Passes over the texts of all records: a reader gives the same one for each.
    pub(in crate::log) fn without_texts(&mut self) {
        let texts = self.rest.get_mut(Column::Texts as usize);
        texts.into_iter().for_each(|rest| rest.start = rest.end);
        self.textless = true;
    }

    /// Reads from here on. What was read counts once [`move_to`](Self::move_to) is called.
    pub(in crate::log) fn reader<'a>(
        &self,
        payload: &'a [u8],
    ) -> Result<ColumnReader<'a>, CodecError> {
        let mut columns = std::array::from_fn(|_| Reader::new(&[]));
        for (column, rest) in columns.iter_mut().zip(&self.rest) {
            *column = Reader::new(payload.get(rest.clone()).ok_or(CodecError::Short)?);
        }
        Ok(ColumnReader {
            columns,
            last_text: self.last_text,
            textless: self.textless,
        })
    }

    /// Moves to where a reader stands.
    pub(in crate::log) fn move_to(&mut self, reader: &ColumnReader<'_>) {
        for (rest, column) in self.rest.iter_mut().zip(&reader.columns) {
            rest.start = rest.end - column.left();
        }
        self.last_text = reader.last_text;
    }

    /// Checks that all columns were read to their ends.
    pub(in crate::log) fn expect_end(&self) -> Result<(), CodecError> {
        match self.rest.iter().map(Range::len).sum() {
            0 => Ok(()),
            left => Err(CodecError::Trailing(left)),
        }
    }
}

/// Reads from the columns of a payload.
pub(in crate::log) struct ColumnReader<'a> {
    columns: [Reader<'a>; COLUMNS],
    last_text: TextAt,
    /// No text is wanted: their column is passed over.
    textless: bool,
}

impl ColumnReader<'_> {
    /// Whether a row is left.
    pub(in crate::log) fn has_rows(&self) -> bool {
        let [_, flags, ..] = &self.columns;
        !flags.is_empty()
    }
}

impl RowReader for ColumnReader<'_> {
    #[inline]
    fn field<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        read(
            self.columns
                .get_mut(column as usize)
                .ok_or(CodecError::Short)?,
        )
    }

    #[inline]
    fn is_at_end(&self) -> bool {
        let [tags, ..] = &self.columns;
        tags.is_empty()
    }

    fn rows(&mut self) -> Result<usize, CodecError> {
        let count = usize::try_from(self.varint(Column::Tags)?).map_err(|_| CodecError::Number)?;
        let [_, flags, ..] = &self.columns;
        if count > flags.left() {
            return Err(CodecError::Short);
        }
        Ok(count)
    }

    #[inline]
    fn text(&mut self) -> Result<TextAt, CodecError> {
        if self.textless {
            return Ok(self.last_text);
        }
        let step = self.zigzag(Column::Texts)?;
        let at = i64::from(self.last_text).checked_add(step);
        let at = at.and_then(|at| TextAt::try_from(at).ok());
        let at = at.ok_or(CodecError::Number)?;
        self.last_text = at;
        Ok(at)
    }
}
