//! A store that a command keeps open, with the owner's socket: meanwhile other processes get answers through it.

use super::commands::failure;
use super::exit::Failure;
use super::progress::say;
use crate::domain::entry::Rules;
use crate::feed::Settings;
use crate::store::{Options, Store, StoreError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "server")]
use crate::server::{Config, Metrics, OwnerSocket};

/// How long a command that writes waits for a short one of another process.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// An open store and its socket.
pub struct Holding {
    store: Arc<Store>,
    #[cfg(feature = "server")]
    socket: Option<OwnerSocket>,
}

impl Holding {
    /// Opens a store to record into it. Lines from the socket are parsed and recorded by the same rules.
    ///
    /// # Errors
    /// When there is no store, or another process has it open.
    pub fn record(
        data: &Path,
        options: Options,
        rules: Rules,
        settings: Settings,
    ) -> Result<Holding, StoreError> {
        #[cfg(feature = "server")]
        {
            let metrics = Metrics::new();
            let options = options.meter(Arc::<Metrics>::clone(&metrics));
            let store = Store::open(data, options)?;
            let config = Config::default()
                .rules(rules)
                .settings(settings)
                .metrics(metrics);
            Ok(Holding::with(data, store, config))
        }
        #[cfg(not(feature = "server"))]
        {
            let _ = (rules, settings);
            let store = Store::open(data, options)?;
            Ok(Holding {
                store: Arc::new(store),
            })
        }
    }

    /// As [`record`](Holding::record). Where another process has the store open, waits a moment: it may answer a question, or
    /// write a backup.
    ///
    /// # Errors
    /// Those of `record`, once it has waited.
    pub fn record_soon(
        data: &Path,
        options: Options,
        rules: Rules,
        settings: Settings,
    ) -> Result<Holding, StoreError> {
        match Holding::record(data, options.clone(), rules, settings) {
            Err(error @ StoreError::InUse { .. }) => {
                say(&format!("{error}: waiting up to {} s", PATIENCE.as_secs()));
                Holding::record(data, options.patience(PATIENCE), rules, settings)
            }
            opened => opened,
        }
    }

    /// Wraps a store that was opened to read it: the socket refuses lines.
    #[must_use]
    pub fn read(data: &Path, store: Store) -> Holding {
        #[cfg(feature = "server")]
        if !store.is_copy() {
            let config = Config::default().only_read(true);
            return Holding::with(data, store, config);
        }
        let _ = data;
        Holding {
            store: Arc::new(store),
            #[cfg(feature = "server")]
            socket: None,
        }
    }

    #[cfg(feature = "server")]
    fn with(data: &Path, store: Store, config: Config) -> Holding {
        let store = Arc::new(store);
        let socket = OwnerSocket::open(&store, data, config);
        let socket = socket.map_err(|error| {
            // The command works without the socket.
            say(&format!("no owner's socket in {}: {error}", data.display()));
        });
        Holding {
            store,
            socket: socket.ok(),
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Finishes the socket's running requests, removes the socket, and closes the store.
    ///
    /// # Errors
    /// When the log cannot be synced, or an earlier write has failed.
    pub fn close(&mut self, data: &Path) -> Result<(), Failure> {
        #[cfg(feature = "server")]
        drop(self.socket.take());
        self.store.close().map_err(|error| failure(data, error))
    }
}
