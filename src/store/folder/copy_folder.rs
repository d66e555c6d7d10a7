//! The folder in which a store that cannot be written is copied to be read.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The private folder of a copy. It is removed when this is dropped.
#[derive(Debug)]
pub(in crate::store) struct CopyFolder(PathBuf);

impl CopyFolder {
    pub fn new_in(place: &Path) -> io::Result<CopyFolder> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("rollbook-read-{:016x}", u64::from_be_bytes(random));
        let path = place.join(name);
        let mut folder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        // A folder of this name that exists already is an error: it is not ours.
        folder.create(&path)?;
        Ok(CopyFolder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for CopyFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which clears its temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
