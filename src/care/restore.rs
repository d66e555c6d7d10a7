//! `restore`: makes a store of backups again, and verifies it before it takes the place of what is there.

use super::sound::sound;
use crate::store::{Backup, RestoreError, Restoring};
use std::io::Read;
use std::path::Path;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The last of the backups: where the store ends now.
    pub last: Backup,
    /// How many entries it has.
    pub entries: u64,
}

/// Restores a store into a folder, from a whole backup and those that continue it, in their order. With `replace`, it takes
/// the place of a store that is there; until all was checked, that one is as it was.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::{Event, Options, Store, care::restore};
/// # let dir = tempfile::tempdir()?;
/// # let (here, there) = (dir.path().join("here"), dir.path().join("there"));
/// let store = Store::open(&here, Options::default())?;
/// store.record(&[Event::join("room", "chat", "lily").at(1_000)])?;
/// let mut backup = Vec::new();
/// store.backup(&mut backup, None, |_| true)?;
/// let restored = restore(&there, [Ok(&*backup)], false)?;
/// assert_eq!(restored.entries, 1);
/// assert_eq!(Store::open(&there, Options::default())?.head(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`RestoreError`]: then what was there is as it was.
pub fn restore<R: Read>(
    dir: &Path,
    backups: impl IntoIterator<Item = Result<R, RestoreError>>,
    replace: bool,
) -> Result<Restored, RestoreError> {
    let mut restoring = Restoring::begin(dir, replace)?;
    let mut last = None;
    for backup in backups {
        last = Some(restoring.take(backup?)?);
    }
    let last = last.ok_or(RestoreError::Nothing)?;
    let store = restoring.staged()?;
    let entries = sound(&store, last.end.seq)?;
    drop(store);
    restoring.take_place()?;
    Ok(Restored { last, entries })
}
