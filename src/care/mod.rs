//! Care of the store: checks whether it is intact, and restores it from backups.

mod restore;
mod verify;

pub use crate::store::RestoreError;
pub use restore::{Restored, restore};
/// How much `verify` checks. It always reads the whole log; only its deep form decides again.
pub use verify::VerifyDepth;
