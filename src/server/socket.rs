//! The owner's socket: the same interface for anyone who may open the store's folder, without a token.

use crate::store::OWNER_SOCKET;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The socket's file, gone when this is dropped.
pub struct SocketFile(PathBuf);

/// Makes the socket, with mode 0600. A socket that is there already is of a server that died: the caller holds the
/// store's lock, so nobody else listens. Anything else of that name is somebody's file, and stays.
///
/// # Errors
/// Where the folder does not allow it, or something else has the name.
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
