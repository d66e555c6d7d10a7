//! fjall 3: a batch over two keyspaces, committed with `PersistMode::SyncData`, its fdatasync. Values as large as
//! frames go into a keyspace with key-value separation, as its documentation advises. All else is its default.

use super::{Peer, PeerBatch, unfit};
use crate::Outcome;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use std::path::Path;

/// A database with its keyspaces.
pub struct Fjall {
    events: Keyspace,
    by_topic: Keyspace,
    frames: Keyspace,
    position: u64,
    db: Database,
}

impl Fjall {
    /// Creates the database in a folder.
    pub fn create(folder: &Path) -> Outcome<Fjall> {
        let db = Database::builder(folder).open()?;
        let large = || {
            let separated = Some(KvSeparationOptions::default());
            KeyspaceCreateOptions::default().with_kv_separation(separated)
        };
        Ok(Fjall {
            events: db.keyspace("events", KeyspaceCreateOptions::default)?,
            by_topic: db.keyspace("by_topic", KeyspaceCreateOptions::default)?,
            frames: db.keyspace("frames", large)?,
            position: 0,
            db,
        })
    }
}

impl Peer for Fjall {
    fn append(&mut self, batch: &PeerBatch<'_>) -> Outcome<()> {
        let mut commit = self.db.batch().durability(Some(PersistMode::SyncData));
        match batch {
            PeerBatch::Rows(rows) => {
                for row in rows {
                    let key = row.number.to_be_bytes();
                    commit.insert(&self.events, key, row.value.as_slice());
                    commit.insert(&self.by_topic, row.index.as_slice(), []);
                }
            }
            PeerBatch::Frames(values) => {
                for value in values {
                    self.position += 1;
                    commit.insert(&self.frames, self.position.to_be_bytes(), value.as_slice());
                }
            }
            PeerBatch::Bytes(_) => return unfit(),
        }
        Ok(commit.commit()?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }
}
