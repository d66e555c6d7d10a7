//! The peers: engines that keep rows or values. Each file has one, with the settings that its documentation advises for
//! durable batches. A commit returns when the batch would survive a power cut.

mod bare;
mod fjall;
mod redb;
mod sled;
pub mod sqlite;

use crate::Outcome;
use crate::rows::Row;
use std::path::Path;

/// A row, and what a key-value store keeps of it.
pub struct PeerRow<'a> {
    /// Its number, from 1, in the order of the events.
    pub number: u64,
    /// Its columns.
    pub row: Row<'a>,
    /// The value of its key.
    pub value: Vec<u8>,
    /// The key of its index entry.
    pub index: Vec<u8>,
}

/// What a batch is for a peer.
pub enum PeerBatch<'a> {
    /// One row or key for each event, and an index entry by topic.
    Rows(Vec<PeerRow<'a>>),
    /// The values that Rollbook gives to its engine, one key for each.
    Frames(Vec<Vec<u8>>),
    /// Bytes, for a bare file.
    Bytes(Vec<u8>),
}

/// An engine, open in a folder of its own.
pub trait Peer {
    /// Appends a batch as one durable commit.
    fn append(&mut self, batch: &PeerBatch<'_>) -> Outcome<()>;

    /// Closes it in the usual way.
    fn close(self: Box<Self>) -> Outcome<()>;
}

/// Opens a new store of a peer.
pub fn create(name: &str, folder: &Path) -> Outcome<Box<dyn Peer>> {
    Ok(match name {
        "bare" => Box::new(bare::Bare::create(folder)?),
        "fjall" => Box::new(fjall::Fjall::create(folder)?),
        "redb" => Box::new(redb::Redb::create(folder)?),
        "sled" => Box::new(sled::Sled::create(folder)?),
        "sqlite" => Box::new(sqlite::Sqlite::create(folder)?),
        other => return Err(format!("there is no peer {other}").into()),
    })
}

/// Reports a batch of a form that a peer does not keep.
fn unfit<T>() -> Outcome<T> {
    Err("this peer keeps no such batch".into())
}
