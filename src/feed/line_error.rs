//! Why a line is rejected: one sentence for each reason. The code that reads lines is in the other modules.

use crate::limits::JSON_DEPTH_MAX;

/// Why a line cannot be used. Its `Display` is one sentence for the person who has to correct the line.
///
/// Columns and bytes count from 1, in bytes of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The bytes are not UTF-8.
    #[error("not UTF-8 (byte {byte})")]
    NotUtf8 {
        /// The first invalid byte.
        byte: usize,
    },
    /// The text is not JSON.
    #[error("not JSON: {what} at column {column}")]
    NotJson {
        /// What was found, or was expected.
        what: &'static str,
        /// The column.
        column: usize,
    },
    /// The text is nested too deeply.
    #[error("not read: JSON nested deeper than {JSON_DEPTH_MAX} levels at column {column}")]
    TooDeep {
        /// The first column that is too deep.
        column: usize,
    },
    /// The line is JSON, but has no shape that Rollbook knows.
    #[error(
        "no known shape: not an object with a string \"t\", \"event\" or \"eventType\" or a number \"type\""
    )]
    NoShape,
    /// A required field is missing or null.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field has the wrong type.
    #[error("{field} is not {wanted}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// The required type.
        wanted: &'static str,
    },
    /// A list has an element of the wrong type.
    #[error("{field} has an element that is not {wanted}")]
    WrongElement {
        /// The list.
        field: &'static str,
        /// The required type of its elements.
        wanted: &'static str,
    },
    /// A name is empty.
    #[error("{field} is empty")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// A text exceeds its limit.
    #[error("{field} is {length} bytes long; at most {most} are allowed")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The maximum in bytes.
        most: usize,
    },
    /// Half of a UTF-16 pair was escaped alone: it stands for no text that could be stored.
    #[error("{field} has a lone surrogate")]
    LoneSurrogate {
        /// The field.
        field: &'static str,
    },
    /// A time that cannot be printed.
    #[error("{field} is outside the years 1 to 9999")]
    TimeOutOfRange {
        /// The field.
        field: &'static str,
    },
    /// A number whose exponent is too large.
    #[error("{field} has a number with an exponent beyond {}", i32::MAX)]
    Exponent {
        /// The field.
        field: &'static str,
    },
    /// A field is in a place where it means nothing.
    #[error("{field} goes only {place}")]
    Misplaced {
        /// The field.
        field: &'static str,
        /// Where it has a meaning.
        place: &'static str,
    },
    /// A field has an unknown value.
    #[error("{field} is {value}, which is not known")]
    Unknown {
        /// The field.
        field: &'static str,
        /// The value as written in the line, cut to a length that can be shown.
        value: Box<str>,
    },
}

impl LineError {
    /// [`LineError::Unknown`], for a value of any length.
    pub(super) fn unknown(field: &'static str, value: &str) -> LineError {
        const SHOWN: usize = 64;
        let shown = match value.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()).into(),
            None => value.into(),
        };
        LineError::Unknown {
            field,
            value: shown,
        }
    }
}
