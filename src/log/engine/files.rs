//! The files of a journal in a folder: clears what a crash left and sled could not open, reports what cannot be
//! opened, and makes new files private to their owner. The content of sled's files is not known here, except for
//! their checksums.
//!
//! | file | what | without it |
//! | --- | --- | --- |
//! | `db` | all of sled's data | the log is gone |
//! | `conf` | sled's settings, and their checksum | sled writes them again; `segments` finds out what they were |
//! | `snap.N` | where each page of `db` is, and a checksum | sled reads `db` from its beginning |
//! | `snap.N.generating` | an unfinished file of this kind | nothing is missing |
//! | `blobs/` | empty, here | sled creates it |

use super::JournalError;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes after the content of a snapshot: its length, and a checksum.
const SNAPSHOT_TAIL: usize = 12;
/// If the settings have at most this many bytes, sled treats them as missing.
const SETTINGS_NONE: usize = 8;
/// The size of sled's CRC-32.
const SUM_BYTES: usize = 4;
/// How often, and at which interval, a closing journal checks whether sled has released its file: one second in all.
const RELEASE_TRIES: u32 = 1_000;
const RELEASE_PAUSE: Duration = Duration::from_millis(1);

/// Clears what a crash left in the folder, so that sled can open it. The caller holds the store's lock.
///
/// # Errors
/// The folder cannot be read or changed, or its log is gone.
pub(super) fn clear(folder: &Path) -> Result<(), JournalError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| JournalError::Io { path, source }
    };
    let mut snapshots = Vec::new();
    let items = fs::read_dir(folder).map_err(io(folder))?;
    for item in items {
        let name = item.map_err(io(folder))?.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix("snap.")) else {
            continue;
        };
        if rest.ends_with(".generating") {
            // sled takes the greatest name for the newest snapshot, complete or not.
            remove(&folder.join(name))?;
        } else {
            snapshots.push(name);
        }
    }
    clear_snapshots(folder, snapshots)?;
    let settings = folder.join("conf");
    match fs::read(&settings) {
        Ok(bytes) if bytes.len() <= SETTINGS_NONE || !is_whole(&bytes, 0) => remove(&settings)?,
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(&settings)(error)),
        _ => {}
    }
    let blobs = folder.join("blobs");
    match fs::symlink_metadata(&blobs) {
        Ok(known) if !known.is_dir() => Err(JournalError::Damaged {
            path: blobs,
            what: "it is no folder; move it away: nothing is kept there".into(),
        }),
        _ => Ok(()),
    }
}

/// sled reads the snapshot with the greatest name. If that one is damaged, all are removed: an older one may refer to
/// places in `db` that were overwritten since.
fn clear_snapshots(folder: &Path, mut names: Vec<OsString>) -> Result<(), JournalError> {
    names.sort();
    let Some(newest) = names.last().map(|name| folder.join(name)) else {
        return Ok(());
    };
    let db = folder.join("db");
    if fs::metadata(&db).map_or(0, |known| known.len()) == 0 {
        return Err(JournalError::Damaged {
            path: db,
            what: "it is empty, though the engine's snapshot tells of its content".into(),
        });
    }
    let bytes = fs::read(&newest).map_err(|source| JournalError::Io {
        path: newest,
        source,
    })?;
    if bytes.len() > SNAPSHOT_TAIL && is_whole(&bytes, SNAPSHOT_TAIL - SUM_BYTES) {
        return Ok(());
    }
    names.iter().try_for_each(|name| remove(&folder.join(name)))
}

/// Whether a file ends in the CRC-32 of its content. The tail after the content is `between` bytes and the checksum.
fn is_whole(bytes: &[u8], between: usize) -> bool {
    let Some((rest, sum)) = bytes.split_last_chunk::<SUM_BYTES>() else {
        return false;
    };
    let Some(content) = rest
        .len()
        .checked_sub(between)
        .and_then(|end| rest.get(..end))
    else {
        return false;
    };
    crc32fast::hash(content) == u32::from_le_bytes(*sum)
}

fn remove(path: &Path) -> Result<(), JournalError> {
    fs::remove_file(path).map_err(|source| JournalError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Makes the files in an engine's folder private to their owner, if others can access them.
///
/// # Errors
/// The files cannot be examined or changed.
pub(super) fn close_to_others(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    for item in fs::read_dir(folder)? {
        use std::os::unix::fs::PermissionsExt;
        let item = item?;
        let known = item.metadata()?;
        let mode = if known.is_dir() { 0o700 } else { 0o600 };
        if known.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(item.path(), fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Whether users other than the owner may read or write what is at a path.
///
/// # Errors
/// The path cannot be examined.
pub(crate) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    fs::metadata(path).map(|_| false)
}

/// Makes the files that these options create readable for their owner only.
pub(crate) fn for_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Creates a folder that only its owner may enter, and its missing parents, so that their names survive a power cut.
/// An existing folder stays as it is.
///
/// # Errors
/// The system does not allow it.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(folder)?;
    let missing: Vec<PathBuf> = absolute
        .ancestors()
        .take_while(|above| !above.exists())
        .map(Path::to_owned)
        .collect();
    for folder in missing.iter().rev() {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        if *folder == absolute {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        }
        match builder.create(folder) {
            // Another process created it first.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
        folder.parent().map_or(Ok(()), sync_folder)?;
    }
    if absolute.is_dir() {
        Ok(())
    } else {
        Err(ErrorKind::NotADirectory.into())
    }
}

/// Makes the names in a folder durable: data in a file whose name is not durable can be lost.
///
/// # Errors
/// The system does not allow it.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(folder)?.sync_all()
}

/// Our own handle of sled's file, for fdatasync.
#[derive(Debug)]
pub(super) struct OwnHandle(pub File);

impl Drop for OwnHandle {
    fn drop(&mut self) {
        for _ in 0..RELEASE_TRIES {
            match self.0.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(RELEASE_PAUSE),
                // The lock is ours until the file is closed, at once; or there are no locks here.
                Ok(()) | Err(TryLockError::Error(_)) => return,
            }
        }
    }
}
