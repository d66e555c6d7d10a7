//! What presence is: members, snapshots, proofs, gaps, and what follows from an event.
//!
//! **Invariant:** nothing here does I/O, reads a clock, is async, or knows JSON or sled; it imports `std`
//! and the [limits](crate::limits) alone, so that every rule can be tested as a function of its inputs.

pub mod entry;
pub mod event;
pub mod names;
pub mod order;
pub mod time;
