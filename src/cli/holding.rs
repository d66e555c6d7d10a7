//! A store that a command has open for longer, and the owner's socket beside it: others are answered meanwhile.

use super::commands::failure;
use super::exit::Failure;
use crate::domain::entry::Rules;
use crate::feed::Settings;
use crate::store::{Options, Store, StoreError};
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "server")]
use super::progress::say;
#[cfg(feature = "server")]
use crate::server::{Config, Metrics, OwnerSocket};

/// A store, and its socket.
pub struct Holding {
    store: Arc<Store>,
    #[cfg(feature = "server")]
    socket: Option<OwnerSocket>,
}

impl Holding {
    /// Opens a store to record into it. Lines that come through the socket are read and taken by the same rules.
    ///
    /// # Errors
    /// Where there is none, or somebody else has it.
    pub fn record(
        data: &Path,
        options: Options,
        rules: Rules,
        settings: Settings,
    ) -> Result<Holding, StoreError> {
        #[cfg(feature = "server")]
        {
            let metrics = Metrics::new();
            let options = Options {
                meter: Arc::<Metrics>::clone(&metrics),
                ..options
            };
            let store = Store::open(data, options)?;
            let config = Config {
                rules,
                settings,
                metrics,
                ..Config::default()
            };
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

    /// One that was opened to read it: nothing is taken through the socket.
    #[must_use]
    pub fn read(data: &Path, store: Store) -> Holding {
        #[cfg(feature = "server")]
        if !store.is_copy() {
            let config = Config {
                only_read: true,
                ..Config::default()
            };
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
            // The command itself needs none.
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

    /// Finishes what is in hand at the socket, takes it away, and closes the store.
    ///
    /// # Errors
    /// Where the log cannot be synced, or an earlier write had failed.
    pub fn close(&mut self, data: &Path) -> Result<(), Failure> {
        #[cfg(feature = "server")]
        drop(self.socket.take());
        self.store.close().map_err(|error| failure(data, error))
    }
}
