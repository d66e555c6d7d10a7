//! A time during which an observer watched a channel.

use super::names::NameId;
use super::time::Millis;

/// A time during which an observer watched a channel without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedInterval {
    /// The observer.
    pub observer: NameId,
    /// The time of its first message.
    pub since: Millis,
    /// Its first entry.
    pub from_seq: u64,
    /// Its last entry; `u64::MAX` while it continues.
    pub to_seq: u64,
    /// The largest time of its messages so far.
    pub proof: Option<Millis>,
}

impl ObservedInterval {
    /// Whether an entry lies in it.
    pub(super) fn holds(&self, seq: u64) -> bool {
        self.from_seq <= seq && seq <= self.to_seq
    }
}
