//! The owner's socket: the same API, without a token, for anyone who may open the store's folder.

use crate::store::OWNER_SOCKET;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The socket's file; dropping this removes it.
pub struct SocketFile(PathBuf);

/// Creates the socket with mode 0600. An existing socket is left from a server that died: the caller holds the
/// store's lock, so no other process listens. Any other file of that name stays.
///
/// # Errors
/// When the folder does not allow it, or another file has the name.
pub fn bind(dir: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let path = dir.join(OWNER_SOCKET);
    match fs::symlink_metadata(&path) {
        Ok(known) if known.file_type().is_socket() => fs::remove_file(&path)?,
        Ok(_) => {
            let what = format!("{} is there and is no socket; move it away", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Created in a private folder first, so that no client can connect before the mode is set.
    let hall = tempdir(dir)?;
    let made = hall.join(OWNER_SOCKET);
    let bound = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        fs::rename(&made, &path)?;
        Ok(listener)
    });
    let _ = fs::remove_dir_all(&hall);
    Ok((bound?, SocketFile(path)))
}

/// Creates a folder that only its owner may enter.
fn tempdir(dir: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let path = dir.join("rollbook.sock.new");
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it cannot be removed, the next server removes it.
        let _ = fs::remove_file(&self.0);
    }
}
