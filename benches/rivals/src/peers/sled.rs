//! sled 0.34: one `Batch` a commit, then `flush`. On Linux `flush` ends in `sync_file_range`, which does not empty the
//! drive's cache, so the file is synced once more with fdatasync: all contenders promise the same. Both kinds of key
//! lie in one tree, because a batch is atomic in one tree only. Frames need larger segments, or sled would put them
//! into files that it does not sync: the segments are those of Rollbook.

use super::{Peer, PeerBatch, unfit};
use crate::Outcome;
use sled::{Batch, Db};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A quarter of a segment must hold a leaf of the largest values.
const SEGMENT_BYTES: usize = 2 << 20;
/// The first byte of a row's key, and of its index entry's.
const ROW: u8 = b'e';
const INDEX: u8 = b't';

/// A database, and its file.
pub struct Sled {
    /// Opened with the first batch, whose form decides the size of the segments.
    open: Option<(Db, File)>,
    folder: PathBuf,
    position: u64,
}

impl Sled {
    /// Prepares a database in a folder.
    pub fn create(folder: &Path) -> Outcome<Sled> {
        Ok(Sled {
            open: None,
            folder: folder.to_owned(),
            position: 0,
        })
    }

    fn db(&mut self, large: bool) -> Outcome<&(Db, File)> {
        if self.open.is_none() {
            let config = sled::Config::new().path(&self.folder).flush_every_ms(None);
            let config = match large {
                true => config.segment_size(SEGMENT_BYTES),
                false => config,
            };
            let db = config.open()?;
            let file = File::open(self.folder.join("db"))?;
            self.open = Some((db, file));
        }
        Ok(self.open.as_ref().ok_or("it is open by now")?)
    }
}

impl Peer for Sled {
    fn append(&mut self, batch: &PeerBatch<'_>) -> Outcome<()> {
        let mut commit = Batch::default();
        match batch {
            PeerBatch::Rows(rows) => {
                for row in rows {
                    let number = row.number.to_be_bytes();
                    commit.insert([&[ROW], number.as_slice()].concat(), row.value.as_slice());
                    commit.insert([&[INDEX], row.index.as_slice()].concat(), &[]);
                }
            }
            PeerBatch::Frames(values) => {
                for value in values {
                    self.position += 1;
                    commit.insert(&self.position.to_be_bytes(), value.as_slice());
                }
            }
            PeerBatch::Bytes(_) => return unfit(),
        }
        let (db, file) = self.db(matches!(batch, PeerBatch::Frames(_)))?;
        db.apply_batch(commit)?;
        db.flush()?;
        file.sync_data()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        let blobs = std::fs::read_dir(self.folder.join("blobs"));
        let unsynced = blobs.map_or(0, |blobs| blobs.count());
        drop(self.open);
        match unsynced {
            0 => Ok(()),
            count => {
                Err(format!("sled wrote {count} values into files that it does not sync").into())
            }
        }
    }
}
