//! The owner's socket of a process that has the store open and something else to do: `ingest`, say. A thread of its own
//! serves it, so that questions are answered meanwhile.

use super::{Config, Listener, serve, socket};
use crate::store::Store;
use socket::SocketFile;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// Work in the pool that is still going on at the end is left after so long.
const LEAVE: Duration = Duration::from_millis(100);

/// The socket, until it is dropped. Then no more is accepted, and what is in hand is finished; that takes 8 s at most.
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
    /// Where the folder allows no socket, or the system gives no thread.
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
        tracing::error!("the owner's socket is not served: {error}");
    }
    runtime.shutdown_timeout(LEAVE);
}

impl Drop for OwnerSocket {
    fn drop(&mut self) {
        // Who comes now waits for the folder's lock.
        drop(self.file.take());
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // One that has panicked serves nobody any more.
            let _ = thread.join();
        }
    }
}
