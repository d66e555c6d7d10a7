//! Typed access to the fields of an object: each read returns the value, or an error that says what is wrong with it.
//!
//! A null counts as missing, except for metadata, where it is a value. A missing list counts as empty.

use super::json::{Kind, Raw, Scanner};
use super::line_error::LineError;
use super::meta::{self, ParsedMeta};
use super::settings::TimeUnit;
use crate::decimal::{self, WholeNumber};
use crate::domain::event::Str;
use crate::domain::order::Pos;
use crate::domain::time::Millis;
use crate::limits::{LATE_MS_MAX, NAME_BYTES_MAX, TIME_MS_MAX, TIME_MS_MIN};
use chrono::DateTime;
use std::borrow::Cow;

/// The forms allowed for the name of a user, a topic or a channel.
const NAME_FORMS: &str = "a string or a whole number";

/// A field that a shape knows, and its value in the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    name: &'static str,
    raw: Option<Raw<'a>>,
}

impl<'a> Field<'a> {
    /// A field with this name, and the value found for it.
    #[inline]
    pub(super) fn new(name: &'static str, raw: Option<Raw<'a>>) -> Field<'a> {
        Field { name, raw }
    }

    /// Its name in the line.
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Whether it is present and not null.
    pub(super) fn is_given(self) -> bool {
        self.given().is_some()
    }

    /// Whether it is present, null or not.
    pub(super) fn is_there(self) -> bool {
        self.raw.is_some()
    }

    /// Whether it is present and null.
    pub(super) fn is_null(self) -> bool {
        self.is_there() && !self.is_given()
    }

    /// The value as written in the line; null where it is missing.
    pub(super) fn written(self) -> &'a str {
        self.raw.map_or("null", Raw::text)
    }

    /// Whether it is an object.
    pub(super) fn is_object(self) -> bool {
        self.raw.is_some_and(|raw| raw.kind() == Kind::Object)
    }

    /// Whether it is a string.
    pub(super) fn is_string(self) -> bool {
        self.raw.is_some_and(|raw| raw.kind() == Kind::String)
    }

    /// Whether it is a number.
    pub(super) fn is_number(self) -> bool {
        self.raw.is_some_and(is_number)
    }

    /// The error for an unknown value.
    pub(super) fn unknown(self) -> LineError {
        LineError::unknown(self.name, self.raw.map_or("missing", Raw::text))
    }

    /// The error for a missing required field.
    pub(super) fn lacking(self) -> LineError {
        LineError::Missing { field: self.name }
    }

    /// Any string.
    #[inline]
    pub(super) fn string(self) -> Result<Option<Str<'a>>, LineError> {
        self.maybe(|raw| self.string_of(raw))
    }

    /// A string of at most `most` bytes.
    #[inline]
    pub(super) fn string_up_to(self, most: usize) -> Result<Option<Str<'a>>, LineError> {
        self.maybe(|raw| {
            checked(self.string_of(raw)?, |text| {
                check_length(self.name, text, most)
            })
        })
    }

    /// A string that is not empty, and may be missing.
    #[inline]
    pub(super) fn maybe_label(self) -> Result<Option<Str<'a>>, LineError> {
        self.maybe(|raw| checked(self.string_of(raw)?, |text| check_name(self.name, text)))
    }

    /// A string that is required, and not empty.
    pub(super) fn needed_label(self) -> Result<Str<'a>, LineError> {
        self.maybe_label()?.ok_or_else(|| self.lacking())
    }

    /// The name of a user, a topic or a channel, or missing. A whole number counts as the string of its digits.
    #[inline]
    pub(super) fn maybe_name(self) -> Result<Option<Str<'a>>, LineError> {
        self.maybe(|raw| checked(self.text_of(raw)?, |text| check_name(self.name, text)))
    }

    /// The same as [`Self::maybe_name`], but required.
    #[inline]
    pub(super) fn needed_name(self) -> Result<Str<'a>, LineError> {
        self.maybe_name()?.ok_or_else(|| self.lacking())
    }

    /// The same as [`Self::maybe_name`], but empty where it is missing or empty.
    #[inline]
    pub(super) fn name_or_empty(self) -> Result<Str<'a>, LineError> {
        self.text_up_to(NAME_BYTES_MAX)
            .map(Option::unwrap_or_default)
    }

    /// A string of at most `most` bytes, or the digits of a whole number.
    #[inline]
    pub(super) fn text_up_to(self, most: usize) -> Result<Option<Str<'a>>, LineError> {
        self.maybe(|raw| {
            checked(self.text_of(raw)?, |text| {
                check_length(self.name, text, most)
            })
        })
    }

    /// Reads the value, unless it is missing or null, as most fields of a line are.
    #[inline]
    fn maybe<T>(
        self,
        read: impl FnOnce(Raw<'a>) -> Result<T, LineError>,
    ) -> Result<Option<T>, LineError> {
        match self.given() {
            Some(raw) => read(raw).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn string_of(self, raw: Raw<'a>) -> Result<Str<'a>, LineError> {
        if raw.kind() != Kind::String {
            return Err(self.not("a string"));
        }
        let lone = || LineError::LoneSurrogate { field: self.name };
        raw.decode().ok_or_else(lone)
    }

    /// A string, or the digits of a whole number.
    #[inline]
    fn text_of(self, raw: Raw<'a>) -> Result<Str<'a>, LineError> {
        if raw.kind() == Kind::String {
            return self.string_of(raw);
        }
        let digits = Some(raw.text()).filter(|text| is_plain_whole(text));
        let digits = digits.ok_or_else(|| self.not(NAME_FORMS))?;
        Ok(Cow::Borrowed(digits))
    }

    /// A list of names; a missing list is empty.
    pub(super) fn names(self) -> Result<Vec<Str<'a>>, LineError> {
        let mut names = Vec::new();
        self.items(|scanner| {
            let element = Field::new(self.name, Some(scanner.value()?));
            if !element.is_string() && !element.is_number() {
                return Err(self.has_no(NAME_FORMS));
            }
            names.push(element.needed_name()?);
            Ok(())
        })?;
        Ok(names)
    }

    /// A time of the source: a number of `unit`s, or an RFC 3339 text.
    pub(super) fn time(self, unit: TimeUnit) -> Result<Option<Millis>, LineError> {
        let wanted = "a whole number or a time such as 2026-05-14T20:30:00Z";
        let ms = if self.is_string() {
            let text = self.string()?.unwrap_or_default();
            let time = DateTime::parse_from_rfc3339(&text);
            Some(time.map_err(|_| self.not(wanted))?.timestamp_millis())
        } else {
            match self.whole(wanted)? {
                Some(count) => count.and_then(|count| unit.millis(count)),
                None => return Ok(None),
            }
        };
        match ms {
            Some(TIME_MS_MIN..=TIME_MS_MAX) => Ok(ms),
            _ => Err(LineError::TimeOutOfRange { field: self.name }),
        }
    }

    /// The largest delay between a change and its report, ms; 0 where it is missing.
    pub(super) fn late(self) -> Result<Millis, LineError> {
        let wanted = "a whole number of milliseconds, from 0 to a year";
        match self.whole(wanted)? {
            None => Ok(0),
            Some(Some(ms @ 0..=LATE_MS_MAX)) => Ok(ms),
            Some(_) => Err(self.not(wanted)),
        }
    }

    /// A position in the source's own order.
    pub(super) fn pos(self) -> Result<Option<Pos>, LineError> {
        let wanted = "a pair of whole numbers of 64 bits";
        if !self.is_given() {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(2);
        self.items(|scanner| {
            let raw = scanner.value()?;
            match is_number(raw).then(|| decimal::whole(raw.text())) {
                Some(WholeNumber::Is(part)) if parts.len() < 2 => parts.push(part),
                _ => return Err(self.not(wanted)),
            }
            Ok(())
        })?;
        match parts.as_slice() {
            &[serial, index] => Ok(Some([serial, index])),
            _ => Err(self.not(wanted)),
        }
    }

    /// A count of 0 or more.
    pub(super) fn count(self) -> Result<Option<u64>, LineError> {
        let wanted = "a whole number of 0 or more";
        self.whole(wanted)?
            .map(|whole| whole.and_then(|n| u64::try_from(n).ok()))
            .map(|count| count.ok_or_else(|| self.not(wanted)))
            .transpose()
    }

    /// A whole number. The inner `None` stands for a number beyond 64 bits.
    #[inline]
    pub(super) fn whole(self, wanted: &'static str) -> Result<Option<Option<i64>>, LineError> {
        self.maybe(
            |raw| match is_number(raw).then(|| decimal::whole(raw.text())) {
                Some(WholeNumber::Is(value)) => Ok(Some(value)),
                Some(WholeNumber::Beyond) => Ok(None),
                Some(WholeNumber::Not) | None => Err(self.not(wanted)),
            },
        )
    }

    /// True or false; missing is false.
    pub(super) fn flag(self) -> Result<bool, LineError> {
        match self.given().map(Raw::text) {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(_) => Err(self.not("true or false")),
        }
    }

    /// Metadata in its canonical text; a null is `"null"`.
    pub(super) fn meta(self) -> Result<ParsedMeta<'a>, LineError> {
        self.raw.map_or(Ok(ParsedMeta::Missing), |raw| {
            Ok(ParsedMeta::of(meta::canonical(self.name, raw)?))
        })
    }

    /// Reads an object with `read`; a missing object is not read.
    pub(super) fn object(
        self,
        read: impl FnOnce(&mut Scanner<'a>) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        match self.given() {
            None => Ok(()),
            Some(raw) if raw.kind() == Kind::Object => read(&mut raw.scan()),
            Some(_) => Err(self.not("an object")),
        }
    }

    /// Reads each element of a list of objects; a missing list has none.
    pub(super) fn objects(
        self,
        mut each: impl FnMut(&mut Scanner<'a>) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        self.items(|scanner| {
            if scanner.peek() != Some(b'{') {
                return Err(self.has_no("an object"));
            }
            each(scanner)
        })
    }

    /// Reads each entry of an object of lists: its key, which is a name, and its list. A missing object has none.
    pub(super) fn lists(
        self,
        key_is: &'static str,
        mut each: impl FnMut(Str<'a>, Field<'a>) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        self.object(|scanner| {
            scanner.entries(|key, scanner| {
                let key = key
                    .decode()
                    .ok_or(LineError::LoneSurrogate { field: key_is })?;
                check_name(key_is, &key)?;
                let list = Field::new(self.name, Some(scanner.value()?));
                if !list.is_null() && list.raw.is_none_or(|raw| raw.kind() != Kind::List) {
                    return Err(self.has_no("a list"));
                }
                each(key, list)
            })
        })
    }

    fn items(
        self,
        each: impl FnMut(&mut Scanner<'a>) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        match self.given() {
            None => Ok(()),
            Some(raw) if raw.kind() == Kind::List => raw.scan().items(each),
            Some(_) => Err(self.not("a list")),
        }
    }

    /// Its value, unless it is missing or null.
    #[inline]
    pub(super) fn given(self) -> Option<Raw<'a>> {
        self.raw.filter(|raw| raw.kind() != Kind::Null)
    }

    /// The error for a value of the wrong type.
    pub(super) fn not(self, wanted: &'static str) -> LineError {
        let field = self.name;
        LineError::WrongType { field, wanted }
    }

    /// The error for an element of the wrong type.
    pub(super) fn has_no(self, wanted: &'static str) -> LineError {
        let field = self.name;
        LineError::WrongElement { field, wanted }
    }
}

fn is_number(raw: Raw<'_>) -> bool {
    raw.kind() == Kind::Number
}

/// Whether a number is written with digits only, with or without a minus.
fn is_plain_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[inline]
fn checked<'a>(
    text: Str<'a>,
    check: impl FnOnce(&str) -> Result<(), LineError>,
) -> Result<Str<'a>, LineError> {
    check(&text)?;
    Ok(text)
}

fn check_name(field: &'static str, name: &str) -> Result<(), LineError> {
    if name.is_empty() {
        return Err(LineError::Empty { field });
    }
    check_length(field, name, NAME_BYTES_MAX)
}

pub(super) fn check_length(field: &'static str, text: &str, most: usize) -> Result<(), LineError> {
    let length = text.len();
    if length > most {
        return Err(LineError::TooLong {
            field,
            length,
            most,
        });
    }
    Ok(())
}
