//! A row as cells, in the order of its table: what CSV and Parquet have in common. How a cell is written is not known here.

use super::schema::{ColumnKind, ColumnSchema, TableSchema};
use crate::domain::time::Millis;
use serde::ser::{Impossible, SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::io;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::exhaustive_enums, missing_docs)]
pub enum Cell<'a> {
    Null,
    Text(&'a str),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    /// Unix ms.
    Time(Millis),
    /// JSON as text.
    Json(&'a str),
}

/// Takes the cells of rows, each row in the order of the table's columns.
pub trait CellSink {
    /// Takes the next cell.
    ///
    /// # Errors
    /// It cannot be written.
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()>;

    /// Ends a row.
    ///
    /// # Errors
    /// It cannot be written.
    fn end_row(&mut self) -> io::Result<()>;
}

/// Gives the cells of a row whose columns are its fields, in the same order. A field that is left out is an empty cell, and
/// one that no column names is left out.
///
/// # Errors
/// Those of the sink, or of a field that its column cannot have.
pub fn fields(
    table: &TableSchema,
    row: &impl Serialize,
    sink: &mut dyn CellSink,
) -> io::Result<()> {
    row.serialize(RowCells {
        columns: table.columns,
        sink,
        key: String::new(),
    })
    .map_err(|CellError(error)| error)
}

/// An error on the way through serde.
#[derive(Debug)]
struct CellError(io::Error);

impl Display for CellError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CellError {}

impl serde::ser::Error for CellError {
    fn custom<T: Display>(what: T) -> Self {
        CellError(io::Error::other(what.to_string()))
    }
}

impl From<io::Error> for CellError {
    fn from(error: io::Error) -> Self {
        CellError(error)
    }
}

/// A row: the columns that are still to come.
struct RowCells<'t, 's> {
    columns: &'t [ColumnSchema],
    sink: &'s mut dyn CellSink,
    /// Of a row that is a map: the key whose value comes next.
    key: String,
}

impl RowCells<'_, '_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), CellError> {
        let Some(ahead) = self.columns.iter().position(|column| column.name == name) else {
            return Ok(());
        };
        for _ in 0..ahead {
            self.sink.cell(Cell::Null)?;
        }
        let Some((column, rest)) = self.columns.get(ahead..).and_then(<[_]>::split_first) else {
            return Ok(());
        };
        self.columns = rest;
        if column.kind == ColumnKind::Json {
            let json = serde_json::to_string(value).map_err(io::Error::other)?;
            let cell = match json.as_str() {
                "null" => Cell::Null,
                json => Cell::Json(json),
            };
            return Ok(self.sink.cell(cell)?);
        }
        value.serialize(OneCell {
            kind: column.kind,
            sink: self.sink,
        })
    }

    fn finish(self) -> Result<(), CellError> {
        for _ in self.columns {
            self.sink.cell(Cell::Null)?;
        }
        Ok(self.sink.end_row()?)
    }
}

impl SerializeStruct for RowCells<'_, '_> {
    type Ok = ();
    type Error = CellError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CellError> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), CellError> {
        self.finish()
    }
}

/// A row with flattened parts is a map for serde.
impl SerializeMap for RowCells<'_, '_> {
    type Ok = ();
    type Error = CellError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CellError> {
        let key = serde_json::to_value(key).map_err(io::Error::other)?;
        self.key = key.as_str().unwrap_or_default().to_owned();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CellError> {
        let key = std::mem::take(&mut self.key);
        self.field(&key, value)
    }

    fn end(self) -> Result<(), CellError> {
        self.finish()
    }
}

/// Declares what a serializer refuses.
macro_rules! refuse {
    ($what:literal: $($name:ident($($type:ty),*) -> $ok:ty;)*) => {$(
        fn $name(self, $(_: $type),*) -> Result<$ok, CellError> {
            Err(serde::ser::Error::custom($what))
        }
    )*};
}

/// Compounds that neither a row nor a cell is.
macro_rules! no_lists {
    ($what:literal) => {
        type SerializeSeq = Impossible<(), CellError>;
        type SerializeTuple = Impossible<(), CellError>;
        type SerializeTupleStruct = Impossible<(), CellError>;
        type SerializeTupleVariant = Impossible<(), CellError>;
        type SerializeStructVariant = Impossible<(), CellError>;

        refuse! {
            $what:
            serialize_bytes(&[u8]) -> ();
            serialize_unit() -> ();
            serialize_unit_struct(&'static str) -> ();
            serialize_seq(Option<usize>) -> Self::SerializeSeq;
            serialize_tuple(usize) -> Self::SerializeTuple;
            serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
            serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
            serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            value: &T,
        ) -> Result<(), CellError> {
            value.serialize(self)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<(), CellError> {
            Err(serde::ser::Error::custom($what))
        }

        fn is_human_readable(&self) -> bool {
            false
        }
    };
}

impl Serializer for RowCells<'_, '_> {
    type Ok = ();
    type Error = CellError;
    type SerializeMap = Self;
    type SerializeStruct = Self;

    no_lists!("a row has fields");

    refuse! {
        "a row has fields":
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_none() -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CellError> {
        value.serialize(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, CellError> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, CellError> {
        Ok(self)
    }
}

/// One value.
struct OneCell<'s> {
    kind: ColumnKind,
    sink: &'s mut dyn CellSink,
}

impl OneCell<'_> {
    fn whole(self, number: impl TryInto<i64>) -> Result<(), CellError> {
        let number = number.try_into();
        let number = number.map_err(|_| io::Error::other("a number is too large for a column"))?;
        Ok(self.sink.cell(match self.kind {
            ColumnKind::Time => Cell::Time(number),
            ColumnKind::Number => Cell::Number(number as f64),
            _ => Cell::Integer(number),
        })?)
    }
}

/// Declares the numbers of a cell.
macro_rules! numbers {
    ($how:ident: $($name:ident $type:ty;)*) => {$(
        fn $name(self, number: $type) -> Result<(), CellError> {
            self.$how(number)
        }
    )*};
}

impl Serializer for OneCell<'_> {
    type Ok = ();
    type Error = CellError;
    type SerializeMap = Impossible<(), CellError>;
    type SerializeStruct = Impossible<(), CellError>;

    no_lists!("a cell is one value");

    refuse! {
        "a cell is one value":
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_char(char) -> ();
    }

    numbers! {
        whole:
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
    }

    fn serialize_bool(self, value: bool) -> Result<(), CellError> {
        Ok(self.sink.cell(Cell::Boolean(value))?)
    }

    fn serialize_f32(self, number: f32) -> Result<(), CellError> {
        self.serialize_f64(f64::from(number))
    }

    fn serialize_f64(self, number: f64) -> Result<(), CellError> {
        Ok(self.sink.cell(Cell::Number(number))?)
    }

    fn serialize_str(self, text: &str) -> Result<(), CellError> {
        Ok(self.sink.cell(Cell::Text(text))?)
    }

    fn serialize_none(self) -> Result<(), CellError> {
        Ok(self.sink.cell(Cell::Null)?)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CellError> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), CellError> {
        Ok(self.sink.cell(Cell::Text(variant))?)
    }
}
