//! What presence is: members, snapshots, proofs, gaps, and what follows from an event.
//!
//! ```text
//! event ── decide(&State) ──> Commit[entries] ── apply ──> State
//!              └ reconcile: what a snapshot makes one infer
//! ```
//!
//! [`decide`](decide::decide) thinks and changes nothing; [`State::apply`](state::State::apply) changes and
//! thinks nothing: all that was thought is in the entry.
//!
//! **Invariant:** nothing here does I/O, reads a clock, is async, or knows JSON or sled; it imports `std`
//! and the [limits](crate::limits) alone, so that every rule can be tested as a function of its inputs.

mod append_vec;
mod apply;
pub mod behind;
mod change;
pub mod claims;
mod connection;
pub mod decide;
mod describe;
pub mod entry;
pub mod event;
mod forget;
mod link;
pub mod names;
pub mod observer;
pub mod order;
pub(crate) mod own_list;
mod reconcile;
pub mod resync;
pub mod roster;
mod snapshot;
pub mod state;
pub mod time;
pub(crate) mod tombstones;
pub mod watch;
