//! Care of the store: whether it is whole, and making anew what can be made anew.

mod verify;

/// Who may take a log into care: `verify` reads all of it, and only its deep form decides again.
pub use verify::VerifyDepth;
