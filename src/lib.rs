//! Rollbook is an **event-sourced presence store**: the roll book of a real-time system. Applications on Agora
//! Signaling (and its like) are told by events who publishes in which topic of a channel. On a weak network they lose
//! some. Rollbook appends every event to an embedded log, reconciles each snapshot with what it knew, and writes what
//! must have happened unseen as *inferred* entries, each with the window in which it happened. So anyone can ask who
//! was there at any moment, and how sure that is.
//!
//! # The way of an event
//!
//! ```text
//! line ─feed→ Event ─decide(state)→ Commit[entries] ─append, sync→ log ─apply→ state ─→ receipts, queries
//! ```
//!
//! One way, no loops. To follow one event from line to log, read in this order:
//!
//! 1. [`ingest`] reads lines from a [source](ingest::source) and hands them over in batches;
//! 2. [`feed`] makes an [`Event`](domain::event::Event) of a line, whatever its shape;
//! 3. the [`store`]'s writer calls [`decide`](domain::decide::decide), which thinks and changes nothing:
//!    [entries](domain::entry) come out, with windows, gap numbers, dispositions and effective times;
//! 4. [`State::apply`](domain::state::State::apply) changes and thinks nothing;
//! 5. the [`log`] writes [frames](log::frame) through an [engine](log::engine), syncs, and only then a receipt is given;
//! 6. a [`query`] folds a scan of the log with the same `apply`.
//!
//! # Rooms
//!
//! | room | what | imports |
//! | --- | --- | --- |
//! | [`domain`] | what follows from an event: pure, no I/O, no clock | nothing |
//! | [`feed`] | bytes → event, one input shape a file | domain |
//! | [`log`] | codec, frames, chain, engines; `FORMAT.md` | domain |
//! | [`store`] | writer, scan, checkpoints, retries, the folder | log |
//! | [`query`] | one question a file | store |
//! | [`ingest`] | sources, line by line, into a store | feed, store |
//! | [`replay`] | recorded history as a feed again | store |
//! | `export` | entries and stays into files (feature `export`) | query, ingest |
//! | [`care`] | verify | store |
//! | [`server`] | HTTP and WebSockets (feature `server`) | ingest, query, replay |
//! | [`client`] | a feed followed and recorded, a server asked (feature `client`) | feed, store, query, ingest |
//! | `bench` | what all this does on a machine, beside a bare file (feature `bench`) | feed, query, store; client, server |
//! | `sim` | worlds with a truth, weak links, and a score (feature `sim`) | feed, query |
//! | `cli` | one command a file (feature `cli`) | all |
//!
//! # Invariants
//!
//! * **The log is the truth; everything else can be thrown away and made again from it.** `rollbook rebuild` does.
//! * **`decide` never changes, `apply` never thinks.** All that was thought is in the entry; only `verify --deep`
//!   decides again.
//! * **What was acknowledged is durable; what is not durable is never shown.** A failed sync poisons the writer.
//! * **Nothing is reordered and nothing is dropped.** What arrives late is recorded as `stale`; what cannot be read is
//!   kept as a reject.
//! * **Deliberately absent:** a background thread that flushes now and then, a second index to keep in step, a cache
//!   that is not a projection of the log, a clock in the domain.
//!
//! `tests/tidy.rs` holds these walls.
//!
//! # As a library
//!
//! ```
//! use rollbook::ingest::{IngestOptions, ingest, source::Source};
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

#[cfg(feature = "bench")]
pub mod bench;
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
pub mod ingest;
pub mod limits;
pub mod log;
pub mod query;
pub mod replay;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;

pub use store::{Options, Projection, Store, StoreError};
