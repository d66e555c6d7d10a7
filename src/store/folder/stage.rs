//! A store that is made beside the one in a folder, and takes its place as a whole. How it does that, so that no crash leaves
//! parts of both, is in `unfinished`; what is made, in `restore` and `forget`.

use super::data_dir::{DataDir, lock};
use super::unfinished::{self, PARTS, RESTORED, RESTORING};
use crate::log::engine::files::{make_folder, sync_folder};
use crate::store::error::StoreError;
use crate::store::{Options, Store};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder in which a store is made. It is removed if this is dropped before it took its place.
pub(super) struct Stage {
    /// The folder of the store that is replaced. Nobody else may open it meanwhile.
    pub dir: PathBuf,
    /// Where the new one is made.
    pub path: PathBuf,
    _lock: File,
}

impl Stage {
    /// An empty stage in a folder. Waits up to `patience` for another process to close the store.
    pub fn begin(dir: &Path, patience: Duration) -> Result<Stage, StoreError> {
        let io = |error| StoreError::io(dir, error);
        make_folder(dir).map_err(io)?;
        let lock = lock(dir, patience)?;
        unfinished::end(dir).map_err(io)?;
        let path = dir.join(RESTORING);
        make_folder(&path).map_err(io)?;
        Ok(Stage {
            dir: dir.to_owned(),
            path,
            _lock: lock,
        })
    }

    /// Whether there is a store, or a part of one, to be replaced.
    pub fn replaces(&self) -> bool {
        PARTS.iter().any(|part| self.dir.join(part).exists())
    }

    /// What was made.
    pub fn opened(&self) -> Result<Store, StoreError> {
        let data_dir = DataDir::open(&self.path, false, Duration::ZERO)?;
        let options = Options::default().create(false);
        // Connections that were up in it stay so: nothing is recorded here.
        let (store, _) = Store::open_data_dir(data_dir, options)?;
        Ok(store)
    }

    /// Puts what was made in the place of what is there. It must not be open any more. The inner error: it counts, but its
    /// files could not all be moved. The next opening does that.
    pub fn take_place(self) -> Result<io::Result<()>, StoreError> {
        let io = |error| StoreError::io(&self.dir, error);
        let ready = fs::remove_file(self.path.join("lock"))
            .or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
            .and_then(|()| sync_folder(&self.path));
        ready
            .and_then(|()| fs::rename(&self.path, self.dir.join(RESTORED)))
            .map_err(io)?;
        // From here on it counts.
        Ok(sync_folder(&self.dir).and_then(|()| unfinished::end(&self.dir)))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next opening.
        let _ = fs::remove_dir_all(&self.path);
    }
}
