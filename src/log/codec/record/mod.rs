//! Each kind of record in one file: how it is encoded, decoded, and written into the chain.
//!
//! | file | what |
//! | --- | --- |
//! | `entry` | an entry as a row: what all entries have |
//! | `change` | the rest of a row that is a change |
//! | `entry_body` | the rest of a row that is no change |
//! | `snapshot`, `listing`, `stamp` | a snapshot, what it lists, and stamps in it |
//! | `link`, `token` | the other entries |
//! | `roster` | of a row, what it means for rosters |
//! | `rules` | the rules of the commits and pages that follow |
//! | `page`, `closed`, `reject`, `progress`, `forgotten` | records that are no entries |
//!
//! A *body* is written by bincode. A type named so has the fields in the order of their bytes, with positions in the
//! frame's tables in place of names and texts. Where no such type is needed, a tuple says the same.
//!
//! A change of what is written here needs a new [`PAYLOAD_VERSION`](super::PAYLOAD_VERSION), and the old form must be
//! kept beside it.

use super::tables::map::Renumber;
use bincode::{Decode, Encode};

/// A record that is one body: bincode writes it, and it can be carried over into a block.
pub(in crate::log) trait RecordBody: Renumber + Encode + Decode<()> {}

impl<T: Renumber + Encode + Decode<()>> RecordBody for T {}

pub(in crate::log) mod closed;
pub(in crate::log) mod entry;
pub(in crate::log) mod forgotten;
pub(in crate::log) mod page;
pub(in crate::log) mod progress;
pub(in crate::log) mod reject;
pub(in crate::log) mod roster;
pub(in crate::log) mod rules;

mod change;
mod entry_body;
mod link;
mod listing;
mod snapshot;
mod stamp;
mod token;
