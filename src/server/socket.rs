//! The owner's socket: the same interface for whoever may open the store's folder, without a token.

use crate::store::OWNER_SOCKET;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The socket's file, gone when this is dropped.
pub struct SocketFile(PathBuf);

/// Makes the socket, with mode 0600. A file that is there already is of a server that died: whoever calls this holds
/// the store's lock, so nobody else listens.
///
/// # Errors
/// Where the folder does not allow it.
pub fn bind(dir: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let path = dir.join(OWNER_SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Nobody may come in before the mode is set: it is made elsewhere, in a folder of its own.
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

/// A folder that only its owner may enter.
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
        // Where it cannot be removed, the next server does.
        let _ = fs::remove_file(&self.0);
    }
}
