//! Rollbook is an **event-sourced presence store**: the roll book of a real-time system. Applications on Agora
//! Signaling (and its like) learn by events who publishes in which topic of a channel. On a weak network they lose
//! some. Rollbook appends every event to an embedded log, reconciles each snapshot with what it knew, and writes what
//! must have happened unseen as *inferred* entries, each with the window in which it happened. So anyone can ask who
//! was there at any moment, and how sure that is.
//!
//! ```text
//! line ─feed→ Event ─decide(state)→ Commit[entries] ─append, sync→ log ─apply→ state ─→ receipts, queries
//! ```
//!
//! One way, no loops. The [guide] has a page for each subject: [what each input means](guide::semantics),
//! [files](guide::files), [recipes for an export](guide::recipes), [the server](guide::server),
//! [how the program is built](guide::architecture) (its rooms, its invariants, the way of one event file by file), and
//! [what was tried](guide::evidence).
//!
//! # As a library
//!
//! ```
//! use rollbook::ingest::{IngestOptions, Source, ingest};
//! use rollbook::{Options, Store};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("evening.jsonl");
//! # std::fs::write(&path, r#"
//! # {"eventType":"SNAPSHOT","channelName":"room","publisher":"","timestamp":1000,"topicInfos":[{"topicName":"chat","publishers":[{"publisherUserId":"tony"}]}]}
//! # {"event":"linkState","currentState":"DISCONNECTED","timestamp":2000}
//! # {"event":"linkState","currentState":"CONNECTED","timestamp":8000}
//! # {"eventType":"SNAPSHOT","channelName":"room","publisher":"","timestamp":9000,"topicInfos":[{"topicName":"chat","publishers":[{"publisherUserId":"lily"}]}]}
//! # "#)?;
//! let store = Store::open(dir.path().join("data"), Options::default())?;
//! ingest(&store, Source::open(&path)?, &IngestOptions::default(), &mut ())?;
//!
//! let missed = store.missed("room", &Default::default())?;
//! assert_eq!(missed[0].joined[0].user, "lily");
//! assert_eq!(missed[0].left[0].user, "tony");
//! # Ok(())
//! # }
//! ```
//!
//! | to | see |
//! | --- | --- |
//! | open a store, record [`Event`]s | [`Store`], [`Options`], [`store`] |
//! | read files and other sources | [`ingest`](mod@ingest) |
//! | ask | [`query`], and the answers in [`query::answer`] |
//! | build what no query answers | [`Projection`], and the entries in [`domain`]; of rosters alone, [`Store::roster_entries`] |
//! | follow the log as it grows | [`Store::cursor`], [`Store::on_published`] |
//! | play history, export it | [`replay`], [`export`] |
//! | serve a store, ask a server | [`server`], [`client`] |
//!
//! A store is used from any number of threads, and its calls block: in async programs, call it on a thread where
//! blocking is allowed. Structs of options have a method for each field; they and the answers may get new fields with any version.
//! What is `pub` but not documented is for this project's own programs and tests, and may change with any version.

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod care;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
mod decimal;
pub mod domain;
#[cfg(feature = "export")]
pub mod export;
pub mod feed;
pub mod guide;
pub mod ingest;
#[doc(hidden)]
pub mod limits;
#[doc(hidden)]
pub mod log;
pub mod query;
pub mod replay;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "sim")]
#[doc(hidden)]
pub mod sim;
pub mod store;

pub use care::VerifyDepth;
pub use domain::event::Event;
pub use store::{Options, Projection, RecordError, Store, StoreError};
