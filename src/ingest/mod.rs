//! Sources, line by line, into a store. `feed` knows what a line means; the store decides what follows from it.
//!
//! | file | what |
//! | --- | --- |
//! | `source`, `buffer`, `piece` | bytes to lines; the only buffer; a line and its place |
//! | `start`, `values`, `foreign` | how a text is read: line by line, value by value, or not at all |
//! | `packing`, `wide` | gzip and zstd; UTF-16 |
//! | `envelope`, `reorder`, `resume` | events inside other JSON; lines in the order of their times; where an earlier run ended |
//! | `line`, `permissions` | one line to an event, and what its sender may write |
//! | `batcher`, `submitter` | lines to batches; batches on their way to the writer |
//! | `run`, `retry` | a whole source; the kept rejects again |
//! | `options`, `listener`, `outcome`, `summary`, `error` | how, who hears of it, and what became of it |

mod batcher;
mod buffer;
mod envelope;
mod error;
mod foreign;
mod line;
mod listener;
mod options;
mod outcome;
mod packing;
mod permissions;
mod piece;
mod reorder;
mod resume;
mod retry;
mod run;
#[doc(hidden)]
pub mod source;
mod start;
mod submitter;
mod summary;
mod values;
mod wide;

#[cfg(any(feature = "client", feature = "server"))]
pub(crate) use batcher::{Batcher, LineLocation};
pub use envelope::Pointer;
pub use error::{IngestError, Unfinished};
#[doc(hidden)]
pub use foreign::Looks;
pub use listener::ProgressListener;
pub use options::IngestOptions;
pub use permissions::WritePermissions;

pub use outcome::IngestOutcome;
pub use retry::retry;
pub use run::ingest;
pub use source::{Source, SourceError};
#[cfg(feature = "client")]
pub(crate) use submitter::Submitter;
#[doc(hidden)]
pub use summary::IngestSummary;
