//! Metadata as canonical JSON text: two values are equal ([guide](crate::guide::semantics#duplicates-and-metadata))
//! exactly if their texts are equal.
//!
//! The text has no white space; object keys in byte order, the last one of repeated keys; numbers as [`decimal`]
//! writes them; and only the escapes that JSON requires. This module also decides about metadata that is too large.

use super::json::{Kind, Raw, Scanner};
use super::line_error::LineError;
use crate::decimal;
use crate::domain::event::ReportedMember;
use crate::limits::META_BYTES_MAX;
use std::borrow::Cow;

/// The `reason` of a member whose metadata is too large to be kept.
const TOO_LARGE: &str = "meta_too_large";

/// What a line reports about a member's metadata.
pub(super) enum ParsedMeta<'a> {
    /// Nothing: the known metadata stays.
    Missing,
    /// This metadata, as canonical JSON text.
    Is(Cow<'a, str>),
    /// Metadata that is too large to store.
    TooLarge,
}

impl<'a> ParsedMeta<'a> {
    /// Metadata by its canonical text.
    pub(super) fn of(canonical: Cow<'a, str>) -> ParsedMeta<'a> {
        if canonical.len() > META_BYTES_MAX {
            ParsedMeta::TooLarge
        } else {
            ParsedMeta::Is(canonical)
        }
    }

    /// The member with this metadata. If the metadata is too large, the member still counts: its old metadata is no
    /// longer valid, so it becomes null, and the reason says why.
    pub(super) fn of_member(self, mut who: ReportedMember<'a>) -> ReportedMember<'a> {
        match self {
            ParsedMeta::Missing => {}
            ParsedMeta::Is(meta) => who.meta = Some(meta),
            ParsedMeta::TooLarge => {
                who.meta = Some("null".into());
                who.reason = Some(TOO_LARGE.into());
            }
        }
        who
    }
}

/// The canonical text of a value, borrowed where the line already has it in this form.
pub(super) fn canonical<'a>(field: &'static str, raw: Raw<'a>) -> Result<Cow<'a, str>, LineError> {
    let text = raw.text();
    let canonical = if raw.is_plain() {
        Cow::Borrowed(text)
    } else {
        let mut out = String::new();
        CanonicalWriter {
            field,
            out: &mut out,
        }
        .value(&mut raw.scan())?;
        if out == text {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(out)
        }
    };
    Ok(canonical)
}

struct CanonicalWriter<'o> {
    field: &'static str,
    out: &'o mut String,
}

impl CanonicalWriter<'_> {
    fn value(&mut self, scanner: &mut Scanner<'_>) -> Result<(), LineError> {
        match scanner.peek() {
            Some(b'{') => return self.object(scanner),
            Some(b'[') => return self.array(scanner),
            _ => {}
        }
        let raw = scanner.value()?;
        if raw.is_plain() {
            self.out.push_str(raw.text());
        } else if raw.kind() == Kind::String {
            let decoded = self.decoded(raw.decode())?;
            self.string(&decoded);
        } else {
            let field = self.field;
            decimal::write(raw.text(), self.out).ok_or(LineError::Exponent { field })?;
        }
        Ok(())
    }

    fn array(&mut self, scanner: &mut Scanner<'_>) -> Result<(), LineError> {
        self.out.push('[');
        let mut comma = false;
        scanner.items(|scanner| {
            if comma {
                self.out.push(',');
            }
            comma = true;
            self.value(scanner)
        })?;
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, scanner: &mut Scanner<'_>) -> Result<(), LineError> {
        self.out.push('{');
        let start = self.out.len();
        // Each entry is written at once, with a comma after it. The written entries are
        // sorted only if the keys are out of order.
        let mut entries = Vec::new();
        let mut ordered = true;
        scanner.entries(|key, scanner| {
            let key = self.decoded(key.decode())?;
            ordered &= entries.last().is_none_or(|(last, _)| *last < key);
            let begin = self.out.len();
            self.string(&key);
            self.out.push(':');
            self.value(scanner)?;
            self.out.push(',');
            entries.push((key, begin - start..self.out.len() - start));
            Ok(())
        })?;
        if !ordered {
            let written = self.out.split_off(start);
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            let mut rest = entries.iter().peekable();
            while let Some((key, range)) = rest.next() {
                if rest.peek().is_none_or(|(next, _)| next != key) {
                    self.out
                        .push_str(written.get(range.clone()).unwrap_or_default());
                }
            }
        }
        if !entries.is_empty() {
            self.out.pop();
        }
        self.out.push('}');
        Ok(())
    }

    fn decoded<'a>(&self, text: Option<Cow<'a, str>>) -> Result<Cow<'a, str>, LineError> {
        let field = self.field;
        text.ok_or(LineError::LoneSurrogate { field })
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for part in text.split_inclusive(|c: char| c < ' ' || c == '"' || c == '\\') {
            let mut chars = part.chars();
            let escaped: &str = match chars.next_back() {
                Some('"') => "\\\"",
                Some('\\') => "\\\\",
                Some('\u{8}') => "\\b",
                Some('\u{c}') => "\\f",
                Some('\n') => "\\n",
                Some('\r') => "\\r",
                Some('\t') => "\\t",
                Some(control) if control < ' ' => {
                    self.out.push_str(chars.as_str());
                    self.out.push_str(&format!("\\u{:04x}", u32::from(control)));
                    continue;
                }
                _ => {
                    self.out.push_str(part);
                    continue;
                }
            };
            self.out.push_str(chars.as_str());
            self.out.push_str(escaped);
        }
        self.out.push('"');
    }
}
