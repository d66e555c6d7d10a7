//! Care of the store: checks whether it is intact, and rebuilds what can be rebuilt.

mod verify;

/// How much `verify` checks. It always reads the whole log; only its deep form decides again.
pub use verify::VerifyDepth;
