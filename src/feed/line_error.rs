//! Why a line is rejected, as one sentence each. How a line is read lives beside it, not here.

use crate::limits::JSON_DEPTH_MAX;

/// Why a line says nothing that can be used. Its `Display` is one sentence for the person who has to mend the line.
///
/// Columns and bytes count from 1, in bytes of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The bytes are no UTF-8.
    #[error("not UTF-8 (byte {byte})")]
    NotUtf8 {
        /// The first byte that does not fit.
        byte: usize,
    },
    /// The text is no JSON.
    #[error("not JSON: {what} at column {column}")]
    NotJson {
        /// What was found, or was expected.
        what: &'static str,
        /// Where.
        column: usize,
    },
    /// The text is nested too deep.
    #[error("not read: JSON nested deeper than {JSON_DEPTH_MAX} levels at column {column}")]
    TooDeep {
        /// Where it is too deep for the first time.
        column: usize,
    },
    /// JSON, but nothing that Rollbook knows.
    #[error(
        "no known shape: not an object with a string \"t\", \"event\" or \"eventType\" or a number \"type\""
    )]
    NoShape,
    /// A needed field is not there, or null.
    #[error("{field} is missing")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A field holds something of another type.
    #[error("{field} is not {wanted}")]
    WrongType {
        /// Which.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A list has an element of another type.
    #[error("{field} has an element that is not {wanted}")]
    WrongElement {
        /// Which list.
        field: &'static str,
        /// What its elements should be.
        wanted: &'static str,
    },
    /// A name has no bytes.
    #[error("{field} is empty")]
    Empty {
        /// Which.
        field: &'static str,
    },
    /// A text breaks its limit.
    #[error("{field} is {length} bytes long; at most {most} are allowed")]
    TooLong {
        /// Which.
        field: &'static str,
        /// Its bytes.
        length: usize,
        /// How many are allowed.
        most: usize,
    },
    /// Half of a UTF-16 pair was escaped alone: no text that could be kept.
    #[error("{field} has a lone surrogate")]
    LoneSurrogate {
        /// Which.
        field: &'static str,
    },
    /// A time that cannot be printed.
    #[error("{field} is outside the years 1 to 9999")]
    TimeOutOfRange {
        /// Which.
        field: &'static str,
    },
    /// A number whose exponent is absurd.
    #[error("{field} has a number with an exponent beyond {}", i32::MAX)]
    Exponent {
        /// Which.
        field: &'static str,
    },
    /// A field stands where it means nothing.
    #[error("{field} goes only {place}")]
    Misplaced {
        /// Which.
        field: &'static str,
        /// Where it means something.
        place: &'static str,
    },
    /// A word that the field does not know.
    #[error("{field} is {value}, which is not known")]
    Unknown {
        /// Which.
        field: &'static str,
        /// What it says, as it stands in the line, cut to a length that can be shown.
        value: Box<str>,
    },
}

impl LineError {
    /// [`LineError::Unknown`], with a value that can be of any length.
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
