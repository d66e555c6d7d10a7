//! The owner's socket of a process that has the store open for other work, for example `ingest`. A separate thread
//! serves it, so that queries are answered during that work.

use super::net::socket::{self, SocketFile};
use super::{Config, Listener, serve};
use crate::store::Store;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// How long shutdown waits for work that still runs in the pool.
const LEAVE: Duration = Duration::from_millis(100);

/// The open socket. Dropping it stops accepting and finishes the running requests; that takes 8 s at most.
pub struct OwnerSocket {
    stop: CancellationToken,
    file: Option<SocketFile>,
    thread: Option<JoinHandle<()>>,
}

impl OwnerSocket {
    /// Opens the socket in the store's folder and serves the store there. The caller holds the folder's lock.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rollbook::server::{Config, OwnerSocket};
    /// # let dir = tempfile::tempdir()?;
    /// let store = std::sync::Arc::new(rollbook::Store::open(dir.path(), rollbook::Options::default())?);
    /// let socket = OwnerSocket::open(&store, dir.path(), Config::default())?;
    /// assert!(dir.path().join("rollbook.sock").exists());
    /// drop(socket);
    /// assert!(!dir.path().join("rollbook.sock").exists());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the folder allows no socket, or the system cannot start a thread.
    pub fn open(store: &Arc<Store>, dir: &Path, config: Config) -> io::Result<OwnerSocket> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (listener, file) = {
            let _in = runtime.enter();
            socket::bind(dir)?
        };
        let stop = CancellationToken::new();
        let (store, stopped) = (Arc::clone(store), stop.clone());
        let thread = std::thread::Builder::new()
            .name("rollbook-owner".into())
            .spawn(move || run(runtime, store, Listener::Unix(listener), config, stopped))?;
        Ok(OwnerSocket {
            stop,
            file: Some(file),
            thread: Some(thread),
        })
    }
}

fn run(
    runtime: Runtime,
    store: Arc<Store>,
    listener: Listener,
    config: Config,
    stop: CancellationToken,
) {
    let served = serve(store, vec![listener], config, stop.cancelled_owned());
    if let Err(error) = runtime.block_on(served) {
        tracing::error!(
            event = "owner_socket_failed",
            "the owner's socket is not served: {error}"
        );
    }
    runtime.shutdown_timeout(LEAVE);
}

impl Drop for OwnerSocket {
    fn drop(&mut self) {
        // From now on, a new process waits for the folder's lock instead of connecting.
        drop(self.file.take());
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has ended, too.
            let _ = thread.join();
        }
    }
}
