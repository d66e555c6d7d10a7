//! Reading the log: frames in order, their records one by one, and the state that they give. This is the only way to
//! get state from the log: for the writer when it starts, for every query, for replay and for verification.
//!
//! ```text
//! let (mut cursor, mut frames) = store.scan(&scope)?;
//! while let Some(mut frame) = frames.next(&mut cursor)? {
//!     while let Some(record) = frame.next(&mut cursor)? {
//!         cursor.apply(&record);
//!     }
//!     cursor.forget_absent();
//! }
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `scope` | which part of the log to read |
//! | `record` | a record, and which of its entries are in the scope |
//! | `cursor` | a place in the log and the state there; the only place where records are applied |
//! | `frames` | the frames of a scope and their records |
//! | `entries` | its entries, one after another |
//! | `rosters` | what its entries mean for rosters |
//! | `frame_index` | headers of the last frames, so that a query passes over frames without reading them |
//! | `recent` | the frames that were committed last, for readers that follow the log |
//! | `sources` | how far each file and feed was read |
//!
//! Where a state is found without reading all of the log is the business of `checkpoint`, and what is done with the
//! records that of each reader: neither is here.

mod cursor;
mod entries;
pub(in crate::store) mod frame_index;
mod frames;
pub(in crate::store) mod recent;
mod record;
mod rosters;
mod scope;
mod sources;

pub(crate) use cursor::{Bookkeeping, LogPosition, OpenFolds, channel_of};
pub use cursor::{StateCursor, StateView};
pub(crate) use entries::{EntryReader, EntryStep};
pub use frames::{ScopedFrame, ScopedFrames};
pub use record::{ScopedCommit, ScopedRecord};
pub use rosters::RosterReader;
pub use scope::{ScanScope, ScanStart};
