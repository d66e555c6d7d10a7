//! What is to be forgotten of a log, and what stands for it afterwards. Where the strings of a person are is the business of
//! those that read them: tables, blocks, checkpoints and the base.
//!
//! **Invariant:** one eraser gives equal strings equal stand-ins, and different ones different: so nothing that was decided by
//! comparing them reads otherwise afterwards. Its key is random and is never stored: a stand-in tells nothing of its string.

use memchr::memmem;
use serde_json::Value;

/// The front of all stand-ins.
const FRONT: &str = "forgotten:";
/// Bytes of the keyed hash that follow it, as hexadecimal digits.
const HASH_BYTES: usize = 8;

/// Whether a text stands for a string that was forgotten.
#[must_use]
pub fn is_stand_in(text: &str) -> bool {
    let digits = text.strip_prefix(FRONT);
    digits.is_some_and(|digits| {
        digits.len() == 2 * HASH_BYTES && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// What was found of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Entries that say when they came, changed or left.
    pub changes: u64,
    /// Their metadata, reasons and ids, and names of sources with their name.
    pub texts: u64,
    /// Paths of files among these texts, which have their name as a word.
    pub paths: u64,
    /// Rejected lines with their name, which were blanked.
    pub rejects: u64,
    /// Texts of others that have their name, and stay.
    pub mentions: u64,
}

impl Erased {
    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Erased) {
        self.changes += other.changes;
        self.texts += other.texts;
        self.paths += other.paths;
        self.rejects += other.rejects;
        self.mentions += other.mentions;
    }
}

/// A person who is to be forgotten.
#[derive(Debug)]
pub struct Eraser {
    user: String,
    channel: Option<String>,
    key: [u8; 32],
    /// The name as it may stand in a line: plain, or escaped as JSON.
    forms: Vec<String>,
}

impl Eraser {
    /// Forgets a user: everywhere, or as a publisher in one channel. The key must be random.
    #[must_use]
    pub fn new(user: &str, channel: Option<&str>, key: [u8; 32]) -> Eraser {
        let mut forms = vec![user.to_owned(), escaped(user, false), escaped(user, true)];
        forms.sort();
        forms.dedup();
        Eraser {
            user: user.to_owned(),
            channel: channel.map(str::to_owned),
            key,
            forms,
        }
    }

    /// Whether they are forgotten in all channels, and as an observer.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        self.channel.is_none()
    }

    /// Whether a name is theirs.
    #[must_use]
    pub fn is_user(&self, name: &str) -> bool {
        self.user == name
    }

    /// Whether they are forgotten in a channel.
    #[must_use]
    pub fn covers(&self, channel: &str) -> bool {
        self.channel.as_deref().is_none_or(|only| only == channel)
    }

    /// What stands for a string of theirs.
    #[must_use]
    pub fn stand_in(&self, string: &str) -> String {
        let hash = blake3::keyed_hash(&self.key, string.as_bytes());
        let digits = hash.to_hex();
        format!("{FRONT}{}", digits.get(..2 * HASH_BYTES).unwrap_or(&digits))
    }

    /// What stands for metadata of theirs, which must be JSON.
    #[must_use]
    pub fn meta_stand_in(&self, meta: &str) -> String {
        format!("\"{}\"", self.stand_in(meta))
    }

    /// Whether these bytes may have a string of theirs: others certainly have none.
    #[must_use]
    pub fn may_be_in(&self, bytes: &[u8]) -> bool {
        let mut forms = self.forms.iter();
        forms.any(|form| memmem::find(bytes, form.as_bytes()).is_some())
    }

    /// Whether a text has their name as a word of its own.
    #[must_use]
    pub fn is_named_in(&self, text: &[u8]) -> bool {
        let mut forms = self.forms.iter();
        forms.any(|form| is_word_in(text, form))
    }

    /// Whether a line that could not be taken names them: in a value of its JSON, also of JSON within it, or, where it is none,
    /// anywhere, however it is escaped. `is_cut`: only its front is there, and may end within the name.
    #[must_use]
    pub fn is_named_in_line(&self, line: &[u8], is_cut: bool) -> bool {
        if let Ok(line) = serde_json::from_slice(line) {
            return self.is_named_in_json(&line, 0);
        }
        if is_cut && self.ends_within_name(line) {
            return true;
        }
        let mut text = String::from_utf8_lossy(line).into_owned();
        for _ in 0..JSON_WITHIN_MAX {
            if self.is_named_in(text.as_bytes()) {
                return true;
            }
            match unescaped(&text) {
                Some(plain) => text = plain,
                None => break,
            }
        }
        false
    }

    fn is_named_in_json(&self, value: &Value, depth: usize) -> bool {
        match value {
            Value::String(text) => {
                let within = (depth < JSON_WITHIN_MAX)
                    .then(|| serde_json::from_str(text).ok())
                    .flatten();
                is_word_in(text.as_bytes(), &self.user)
                    || within.is_some_and(|within| self.is_named_in_json(&within, depth + 1))
            }
            Value::Array(items) => items.iter().any(|it| self.is_named_in_json(it, depth + 1)),
            // The outermost keys are those of the shape.
            Value::Object(fields) => fields.iter().any(|(key, value)| {
                depth > 0 && self.is_user(key) || self.is_named_in_json(value, depth + 1)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn ends_within_name(&self, line: &[u8]) -> bool {
        let name = self.user.as_bytes();
        let least = name.len().min(CUT_BYTES_MIN);
        (least..name.len()).any(|length| name.get(..length).is_some_and(|it| line.ends_with(it)))
    }
}

/// How deep JSON is looked for in JSON.
const JSON_WITHIN_MAX: usize = 32;
/// So many bytes of a name at the end of a line that was cut are taken for it.
const CUT_BYTES_MIN: usize = 3;

/// Whether a word stands in a text, with no letter or digit beside it.
fn is_word_in(text: &[u8], word: &str) -> bool {
    // A character has at most four bytes. What is none counts as no letter.
    let near = |from: usize, to: usize| {
        let bytes = text.get(from..to.min(text.len())).unwrap_or_default();
        String::from_utf8_lossy(bytes)
    };
    let mut found = memmem::find_iter(text, word.as_bytes());
    found.any(|at| {
        let end = at + word.len();
        let before = near(at.saturating_sub(4), at).chars().next_back();
        let after = near(end, end + 4).chars().next();
        ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric)
    })
}

/// A text with its JSON escapes undone, once; `None` if it has none.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut units = Vec::new();
    let mut any = false;
    while let Some((before, escape)) = rest.split_once('\\') {
        if !before.is_empty() {
            push_units(&mut units, &mut plain);
            plain.push_str(before);
        }
        let unit = escape.strip_prefix('u').and_then(|hex| hex.get(..4));
        let unit = unit.and_then(|hex| u16::from_str_radix(hex, 16).ok());
        any = true;
        rest = match (unit, escape.chars().next()) {
            (Some(unit), _) => {
                units.push(unit);
                escape.get(5..).unwrap_or_default()
            }
            (None, Some(character)) => {
                push_units(&mut units, &mut plain);
                let is_space = matches!(character, 'n' | 'r' | 't' | 'b' | 'f');
                plain.push(if is_space { ' ' } else { character });
                escape.get(character.len_utf8()..).unwrap_or_default()
            }
            (None, None) => "",
        };
    }
    push_units(&mut units, &mut plain);
    plain.push_str(rest);
    any.then_some(plain)
}

fn push_units(units: &mut Vec<u16>, plain: &mut String) {
    plain.push_str(&String::from_utf16_lossy(units));
    units.clear();
}

/// A name as JSON writes it, without its quotation marks; all but ASCII escaped or not.
fn escaped(name: &str, ascii: bool) -> String {
    let json = Value::from(name).to_string();
    let inner = json.get(1..json.len() - 1).unwrap_or_default();
    if !ascii {
        return inner.to_owned();
    }
    let mut escaped = String::new();
    for character in inner.chars() {
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_all_its_forms_but_not_in_others() {
        let eraser = Eraser::new("zoë", None, [1; 32]);
        for line in ["{\"user\":\"zoë\"}", "zo\\u00eb left", "zoë"] {
            assert!(eraser.is_named_in(line.as_bytes()), "{line}");
        }
        let eraser = Eraser::new("ana", None, [1; 32]);
        assert!(!eraser.is_named_in(b"bananas and anas"));
        assert!(eraser.may_be_in(b"bananas"));
    }

    #[test]
    fn a_line_names_them_however_it_spells_the_name() {
        let eraser = Eraser::new("lily", None, [1; 32]);
        let lines = [
            r#"{"t":"jion","user":"lily"}"#,
            r#"{"t":"jion","user":"l\u0069ly"}"#,
            r#"{"payload":"{\"user\":\"l\\u0069ly\"}"}"#,
            r#"{"topics":{"a":{"lily":{}}}}"#,
            r#"{"t":"x","note":"seen\nlily"}"#,
            r#"{"t":"x","user":"l\u0069ly"#,
            r#"nonsense \u0022lily\u0022"#,
            "lily",
        ];
        for line in lines {
            assert!(eraser.is_named_in_line(line.as_bytes(), false), "{line}");
        }
        for line in [r#"{"lily":1}"#, r#"{"user":"lilya"}"#, "lilyö", "{"] {
            assert!(!eraser.is_named_in_line(line.as_bytes(), false), "{line}");
        }
        assert!(eraser.is_named_in_line(br#"{"user":"lil"#, true));
        assert!(!eraser.is_named_in_line(br#"{"user":"lil"#, false));
    }

    #[test]
    fn stand_ins_are_known_again_and_tell_strings_apart() {
        let eraser = Eraser::new("ana", None, [1; 32]);
        assert!(is_stand_in(&eraser.stand_in("ana")));
        assert_ne!(eraser.stand_in("a"), eraser.stand_in("b"));
        assert_eq!(eraser.stand_in("a"), eraser.stand_in("a"));
        assert!(!is_stand_in("forgotten:"));
    }
}
