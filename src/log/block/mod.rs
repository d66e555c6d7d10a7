//! Sealed blocks: frames of the past, rewritten into one immutable object each, sorted by channel, and column by column. A
//! block stands for the values at consecutive positions, so that readers meet either the block or the frames, never both.
//!
//! ```text
//! object = magic, version, lengths, CRC, header, order, streams (tables and columns), each compressed, with a CRC
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `envelope` | what all objects have in common: a front, and sections, each with its checksum |
//! | `object` | the bytes of a block: header and sections |
//! | `plain_frame`, `merge`, `sort` | a frame that is to be sealed; makes a block of frames; sorts their records into streams |
//! | `channels` | what a block says of its channels, so that a question opens few blocks |
//! | `reach`, `filter` | how far back the entries of each channel reach; which channels a block has, where they are many |
//! | `states` | the states of a block's channels at its begin |
//! | `erase` | a block without the strings of a person who is to be forgotten |
//! | `catalogue` | all blocks of a log, with their headers in memory |
//! | `whole` | a block of which all bytes are at hand |
//! | `base` | the object that stands for what was pruned |
//!
//! **Invariant:** a block says exactly what its frames say: the same records, in the same order, with the same salts, so
//! that the chain leads through it. Nothing here decides when to seal: that is the business of the store.

mod base;
mod catalogue;
mod channels;
mod envelope;
mod erase;
mod filter;
mod merge;
mod object;
mod plain_frame;
mod reach;
mod sort;
mod states;
mod whole;

pub use base::BaseObject;
pub use catalogue::Blocks;
pub use envelope::BlockError;
pub use merge::BlockBuilder;
pub use object::Block;
pub use states::{ChannelStateParts, StartStates};
pub(super) use whole::WholeBlock;
