//! Sealed blocks: frames of the past, rewritten into one immutable object each, column by column. A block stands for the
//! values at consecutive positions, so that readers meet either the block or the frames, never both.
//!
//! ```text
//! object = magic, version, lengths, CRC, header, payload (tables and columns, compressed), CRC
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `object` | the bytes of a block: header and payload |
//! | `merge` | makes the payload of a block from those of its frames |
//! | `catalogue` | all blocks of a log, with their headers in memory |
//!
//! **Invariant:** a block says exactly what its frames say: the same records, in the same order, with the same salts, so
//! that the chain leads through it. Nothing here decides when to seal: that is the business of the store.

mod catalogue;
mod merge;
mod object;

pub use catalogue::Blocks;
pub use merge::BlockBuilder;
pub use object::{Block, BlockError};
