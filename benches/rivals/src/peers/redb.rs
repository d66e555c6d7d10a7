//! redb 4: one write transaction a batch, over two tables, with `Durability::Immediate`: its default, and the only
//! durable one. All else is its default as well.

use super::{Peer, PeerBatch, unfit};
use crate::Outcome;
use redb::{Database, TableDefinition};
use std::path::Path;

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
const BY_TOPIC: TableDefinition<'_, &[u8], ()> = TableDefinition::new("by_topic");
const FRAMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("frames");

/// A database.
pub struct Redb {
    db: Database,
    position: u64,
}

impl Redb {
    /// Creates the database in a folder.
    pub fn create(folder: &Path) -> Outcome<Redb> {
        let db = Database::create(folder.join("redb"))?;
        Ok(Redb { db, position: 0 })
    }
}

impl Peer for Redb {
    fn append(&mut self, batch: &PeerBatch<'_>) -> Outcome<()> {
        let commit = self.db.begin_write()?;
        match batch {
            PeerBatch::Rows(rows) => {
                let mut events = commit.open_table(EVENTS)?;
                let mut by_topic = commit.open_table(BY_TOPIC)?;
                for row in rows {
                    events.insert(row.number, row.value.as_slice())?;
                    by_topic.insert(row.index.as_slice(), ())?;
                }
            }
            PeerBatch::Frames(values) => {
                let mut frames = commit.open_table(FRAMES)?;
                for value in values {
                    self.position += 1;
                    frames.insert(self.position, value.as_slice())?;
                }
            }
            PeerBatch::Bytes(_) => return unfit(),
        }
        Ok(commit.commit()?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}
