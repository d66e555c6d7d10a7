//! Care of the store: checks whether it is intact, restores it from backups, takes out of a damaged one what is whole, and forgets
//! people.

mod forget;
mod repair;
mod restore;
mod sound;
mod verify;

pub use crate::log::eraser::Erased;
pub use crate::store::{ForgetError, RestoreError};
pub use forget::{ForgottenUser, forget};
pub use repair::repair;
pub use restore::{Restored, restore};
/// How much `verify` checks. It always reads the whole log; only its deep form decides again.
pub use verify::VerifyDepth;
