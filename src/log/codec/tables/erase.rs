//! Erases the strings of one person while records are carried over from the tables of a stream to those of another. Whose
//! strings they are follows from the record that uses them.

use super::read::Stored;
use crate::log::eraser::{Erased, Eraser};

/// Whose a text is: it is erased if it is of the person who is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) enum TextOf {
    /// Of the observer of the record.
    Observer,
    /// Of the member that was carried over last.
    Member,
    /// Of that member and of the observer.
    Both,
    /// Of the person whose name is in it.
    Named,
    /// The same, and it is the path of a file.
    Path,
    /// The caller knows whether it is theirs.
    Known(bool),
}

/// Erases the strings of one person, and counts what it finds.
pub(in crate::log) struct Erasure<'e> {
    pub(in crate::log) eraser: &'e Eraser,
    pub(in crate::log) found: Erased,
    /// Strings that were erased so far.
    pub(in crate::log) strings: u64,
    /// Whether they are forgotten in the channel of the present record.
    pub(super) is_here: bool,
    /// Whether the present record is theirs as an observer.
    pub(super) is_by_them: bool,
    /// Whether the last member is them.
    pub(super) is_them: bool,
}

impl<'e> Erasure<'e> {
    pub(in crate::log) fn new(eraser: &'e Eraser) -> Self {
        Erasure {
            eraser,
            found: Erased::default(),
            strings: 0,
            is_here: false,
            is_by_them: false,
            is_them: false,
        }
    }

    /// Whether a text is erased. Also counts it.
    pub(super) fn takes(&mut self, text: &Stored<'_>, of: TextOf) -> bool {
        let is_named = || self.eraser.is_named_in(text.text().as_bytes());
        let takes = match of {
            TextOf::Observer => self.is_by_them,
            TextOf::Member => self.is_them,
            TextOf::Both => self.is_them || self.is_by_them,
            TextOf::Named | TextOf::Path => self.eraser.is_everywhere() && is_named(),
            TextOf::Known(theirs) => theirs,
        };
        if takes {
            self.strings += 1;
            self.found.texts += 1;
            self.found.paths += u64::from(matches!(of, TextOf::Path));
        } else if is_named() {
            self.found.mentions += 1;
        }
        takes
    }
}
