//! What is to be forgotten of a log, and what stands for it afterwards. Where the strings of a person are is the business of
//! those that read them: tables, blocks, checkpoints and the base.
//!
//! **Invariant:** one eraser gives equal strings equal stand-ins, and different ones different: so nothing that was decided by
//! comparing them reads otherwise afterwards. Its key is random and is never stored: a stand-in tells nothing of its string.

use memchr::memmem;

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
        let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        self.forms.iter().any(|form| {
            let mut found = memmem::find_iter(text, form.as_bytes());
            found.any(|at| {
                let before = at.checked_sub(1).and_then(|before| text.get(before));
                !is_part(before) && !is_part(text.get(at + form.len()))
            })
        })
    }
}

/// A name as JSON writes it, without its quotation marks; all but ASCII escaped or not.
fn escaped(name: &str, ascii: bool) -> String {
    let json = serde_json::Value::from(name).to_string();
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
    fn stand_ins_are_known_again_and_tell_strings_apart() {
        let eraser = Eraser::new("ana", None, [1; 32]);
        assert!(is_stand_in(&eraser.stand_in("ana")));
        assert_ne!(eraser.stand_in("a"), eraser.stand_in("b"));
        assert_eq!(eraser.stand_in("a"), eraser.stand_in("a"));
        assert!(!is_stand_in("forgotten:"));
    }
}
