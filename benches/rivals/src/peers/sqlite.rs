//! SQLite by rusqlite: WAL with `synchronous=FULL`, so that each transaction ends in a sync of the WAL. Statements are
//! prepared once. The cache is 64 MiB; the other peers have as much or more by default. All else is its default.

use super::{Peer, PeerBatch, PeerRow, unfit};
use crate::Outcome;
use crate::rows::Row;
use rusqlite::{Connection, Transaction};
use std::path::Path;

const TABLES: &str = "
    CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT, ts INTEGER, channel TEXT, topic TEXT, user TEXT, meta TEXT);
    CREATE TABLE frames (position INTEGER PRIMARY KEY, value BLOB);";
const INDEX: &str = "CREATE INDEX by_topic ON events (channel, topic, ts);";

/// A connection.
pub struct Sqlite {
    db: Connection,
}

impl Sqlite {
    /// Creates the database in a folder, with its index.
    pub fn create(folder: &Path) -> Outcome<Sqlite> {
        let created = Sqlite::without_index(folder)?;
        created.add_index()?;
        Ok(created)
    }

    /// Creates the database in a folder; the index follows when all rows are there.
    pub fn without_index(folder: &Path) -> Outcome<Sqlite> {
        let db = connect(folder)?;
        db.execute_batch(TABLES)?;
        Ok(Sqlite { db })
    }

    /// Adds the index by topic.
    pub fn add_index(&self) -> Outcome<()> {
        Ok(self.db.execute_batch(INDEX)?)
    }

    /// Inserts rows in one transaction, numbered from `first`.
    pub fn insert<'a>(
        &mut self,
        first: u64,
        rows: impl IntoIterator<Item = Outcome<Row<'a>>>,
    ) -> Outcome<()> {
        let commit = self.db.transaction()?;
        for (number, row) in (first..).zip(rows) {
            insert(&commit, number, &row?)?;
        }
        Ok(commit.commit()?)
    }
}

/// Opens the database of a folder with the settings of all its works.
pub fn connect(folder: &Path) -> Outcome<Connection> {
    let db = Connection::open(folder.join("sqlite"))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "cache_size", -(64 << 10))?;
    Ok(db)
}

fn insert(commit: &Transaction<'_>, number: u64, row: &Row<'_>) -> Outcome<()> {
    let mut statement = commit.prepare_cached(
        "INSERT INTO events (seq, kind, ts, channel, topic, user, meta) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    let meta = Some(&row.meta).filter(|meta| !meta.is_empty());
    statement.execute((
        i64::try_from(number)?,
        row.kind.name(),
        row.ts,
        &row.channel,
        &row.topic,
        &row.user,
        meta,
    ))?;
    Ok(())
}

impl Peer for Sqlite {
    fn append(&mut self, batch: &PeerBatch<'_>) -> Outcome<()> {
        let commit = self.db.transaction()?;
        match batch {
            PeerBatch::Rows(rows) => {
                for PeerRow { number, row, .. } in rows {
                    insert(&commit, *number, row)?;
                }
            }
            PeerBatch::Frames(values) => {
                let sql = "INSERT INTO frames (value) VALUES (?)";
                for value in values {
                    commit.prepare_cached(sql)?.execute([value])?;
                }
            }
            PeerBatch::Bytes(_) => return unfit(),
        }
        Ok(commit.commit()?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.db.close().map_err(|(_, error)| error.into())
    }
}
