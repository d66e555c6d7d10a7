//! Sources, line by line, into a store. `feed` knows what a line means; the store decides what follows from it.

mod buffer;
mod envelope;
mod error;
mod foreign;
pub mod line;
mod outcome;
mod packing;
mod permissions;
mod piece;
mod reorder;
mod resume;
mod retry;
mod run;
pub mod source;
mod start;
mod summary;
mod values;
mod wide;

pub use envelope::Pointer;
pub use error::{IngestError, Unfinished};
pub use foreign::Looks;
pub use permissions::WritePermissions;

pub use outcome::IngestOutcome;
pub use retry::retry;
pub use run::{IngestOptions, ProgressListener, ingest};
pub use summary::IngestSummary;
