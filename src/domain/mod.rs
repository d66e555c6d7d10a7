//! What presence is: members, snapshots, proofs, gaps, and what follows from an event.
//!
//! ```text
//! event ── decide(&State) ──> Commit[entries] ── apply ──> State
//!              └ reconcile: what a snapshot makes one infer
//! ```
//!
//! `decide` reads the state and returns entries. `apply` changes the state by an entry; it is deterministic, so that
//! replay gives the same state. What is documented here is what a caller meets: the [`Event`](crate::Event)s that it records, and
//! the [`Entry`]s that a [projection](crate::Projection) gets, with the [`Names`] that resolve their numbers.
//!
//! # Files
//!
//! | file | what |
//! | --- | --- |
//! | `event`, `typed_event` | what a source reports; events made in code |
//! | `resolve`, `names` | gives names their numbers; the dictionary |
//! | `name_text`, `number_table`, `recent_names`, `append_vec` | of what the dictionary is made |
//! | `decide`, `context` | what follows from an event; what its rules share |
//! | `look_ahead` | reads from memory, many at a time, what is needed soon |
//! | `change`, `link`, `connection` | the rules of live changes, of links, of ingest connections |
//! | `reconcile`, `snapshot`, `claims` | what a snapshot infers; its list; the list again, from its entry |
//! | `resync`, `own_list`, `listing` | differences instead of a snapshot; the list that one observer knows |
//! | `own_reports` | the last events of one observer, which its older snapshots do not undo |
//! | `entry` | what the log holds |
//! | `state`, `apply`, `describe` | the state; how an entry changes it; the state as text |
//! | `slot`, `members`, `piece_list` | one member; all members; how they lie in memory |
//! | `roster` | those present in a channel |
//! | `rosters` | what entries mean for rosters alone |
//! | `departed`, `tombstones` | those that left |
//! | `forget`, `renumbering` | names no longer needed; the numbers of the others |
//! | `translate` | entries in another dictionary |
//! | `watch`, `observer`, `interval` | who watches a channel, and since when that is proven; gaps |
//! | `order`, `time` | which report is newer; which time counts |
//! | `behind` | the event behind an entry, for replay and `verify --deep` |
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | channel, topic | A channel has topics. A topic has publishers. |
//! | member | One publisher in one topic of one channel, on one connection. |
//! | observer | A source of events: a client, a webhook, a file. |
//! | event | What one line of a source reports. It is not judged yet. |
//! | entry | One record of the log: a change, a snapshot, a link or a token, with all that was decided about it. |
//! | commit | The entries of one line. They are durable together or not at all. |
//! | observed, inferred | An observed entry repeats what a source reported. An inferred one follows from a snapshot. |
//! | roster | The members that are present in a channel. |
//! | tombstone | What is remembered of a member that has left, so that older news about it is recognised. |
//! | stamp | The place of a message in its source's order: a position, a time, or both. |
//! | snapshot | A list of the members of a channel at one moment. A paged snapshot comes in several lines. |
//! | baseline | The joins that the first snapshot of a channel infers: how long they were there is not known. |
//! | cover | A snapshot as the last update of the members that it shows. |
//! | proof | A moment at which an observer is known to have watched. |
//! | interval | A time during which one observer watched a channel without a break. |
//! | gap | The time from the last proof of all observers to the snapshot that ends it. |
//! | window | The times between which an inferred change happened: `not_before` and the entry's own time. |
//! | coverage | What is known of a channel now: complete, partial or blind. |
//! | own list | The members that one observer's source last listed. |
//! | own report | The last event about a member from one observer, whatever the others report. |
//! | overtaken | A snapshot that arrives behind newer events or snapshots of its own source. |
//! | resync | A source reports what was missed as differences from its own list, and sends no snapshot. |
//! | late | A source reports how long after the fact it may have noticed a change. |
//!
//! **Invariant:** nothing here does I/O, reads a clock, is async, or knows JSON or sled; it imports `std`
//! and the limits alone, so that every rule can be tested as a function of its inputs.

mod append_vec;
mod apply;
#[doc(hidden)]
pub mod behind;
mod change;
#[doc(hidden)]
pub mod claims;
mod connection;
mod context;
#[doc(hidden)]
pub mod decide;
mod departed;
mod describe;
#[doc(hidden)]
pub mod entry;
#[doc(hidden)]
pub mod event;
mod forget;
#[doc(hidden)]
pub mod gaps;
#[doc(hidden)]
pub mod interval;
mod link;
mod listing;
#[doc(hidden)]
pub mod look_ahead;
pub(crate) mod members;
mod name_text;
#[doc(hidden)]
pub mod names;
mod number_table;
#[doc(hidden)]
pub mod observer;
#[doc(hidden)]
pub mod order;
pub(crate) mod own_list;
pub(crate) mod own_reports;
pub(crate) mod piece_list;
mod recent_names;
mod reconcile;
#[doc(hidden)]
pub mod renumbering;
#[doc(hidden)]
pub mod resolve;
#[doc(hidden)]
pub mod resync;
#[doc(hidden)]
pub mod roster;
#[doc(hidden)]
pub mod rosters;
#[doc(hidden)]
pub mod slot;
mod snapshot;
#[doc(hidden)]
pub mod state;
#[doc(hidden)]
pub mod stay;
#[doc(hidden)]
pub mod time;
pub(crate) mod tombstones;
pub(crate) mod translate;
mod typed_event;
#[doc(hidden)]
pub mod watch;

pub use entry::{
    Change, Disposition, Entry, Inference, LinkChange, Origin, Payload, Rules, Snapshot,
    TokenChange, Window,
};
pub use event::{ChangeKind, LinkState, TokenState};
pub use names::{MemberId, MemberKey, NameId, NameTable, Names};
pub use order::{Pos, Stamp};
pub use rosters::{RosterEntry, Rosters};
pub use time::Millis;
