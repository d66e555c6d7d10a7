//! The live side: HTTP and WebSockets ([guide](crate::guide::server)) over one open [`Store`].
//!
//! ```text
//! net ─> access ─┬─> read: queries ────────────────────────────> store (in a bounded pool)
//!                ├─> write: ingest, events ──> feed::parse ────> writer ─> acknowledgements
//!                ├─> read: subscribe, feed <── hub <── tailer <── log
//!                └─> read: play <── replay <── log
//! ```
//!
//! | room | what |
//! | --- | --- |
//! | `net` | connections, and each client's share of places and time |
//! | `access` | who may send requests, and from which pages |
//! | `write` | lines in |
//! | `read` | answers and entries out |
//!
//! | file | what |
//! | --- | --- |
//! | `route`, `routes` | all routes; the router and the description are made from them |
//! | `openapi` | the description |
//! | `app` | what all requests share |
//! | `query_params` | reads the parameters of requests |
//! | `server_limits`, [`clock`], `api_error` | limits; the clock; errors of requests |
//! | `refusal`, `events` | why a token is refused; events that may come by the thousand, for the log |
//! | `metrics`, `process`, `exposition` | figures of the store and of the process, and their formats |
//! | `pages` | requests that are no queries |
//! | `dashboard` | the files of the web dashboard |
//! | `owner` | requests that only the store's owner may send |
//! | `beside` | the owner's socket of a process that does other work |
//!
//! From bottom to top: `server_limits`, `clock`, `refusal`, `events`, `api_error` and `metrics`; `net` and `access`; `app` and
//! `query_params`; `write` and `read`, which do not know each other; and the other files. What is below does not know
//! what is above, but for one thing: `app` holds the tailer of `read` and the leases of `write`, which do not know it.
//!
//! **Invariants:** the store is never called on a worker of the runtime. No client can block the writer. No token is
//! written anywhere.

mod access;
mod api_error;
mod app;
mod beside;
#[doc(hidden)]
pub mod clock;
mod dashboard;
mod events;
mod exposition;
mod metrics;
mod net;
mod openapi;
mod owner;
mod pages;
mod process;
mod query_params;
mod read;
mod refusal;
mod route;
mod routes;
mod server_limits;
mod write;

#[doc(hidden)]
pub use access::auth;
pub use access::auth::{Grant, KeyError, Secret, TokenScope, TokenVerifier};
pub use access::origin::PageOrigin;
#[doc(hidden)]
pub use beside::OwnerSocket;
pub use metrics::Metrics;
pub use net::listen::Listener;
pub use net::tls::{Tls, TlsError};
#[doc(hidden)]
pub use net::{socket, tls};
#[doc(hidden)]
pub use process::DiskFigures;
pub use read::play::Play;
#[doc(hidden)]
pub use routes::document;
pub use server_limits::ServerLimits;

use crate::domain::entry::Rules;
use crate::feed::Settings;
use crate::limits;
use crate::store::{Store, StoreError};
use access::auth::AuthPolicy;
use app::App;
use axum::Extension;
use clock::{ServerClock, SystemClock};
use net::crowd::Places;
use net::listen::Acceptor;
use net::shared::NetShared;
use read::play::Plays;
use read::tailer::LogTailer;
use routes::{OWNERS, PLAYED, ROUTES};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use write::observers::Observers;

/// How a store is served.
///
/// ```
/// use rollbook::server::{Config, ServerLimits};
/// let config = Config::default().bounds(ServerLimits::default().connections(100));
/// assert!(config.tokens.is_none());
/// ```
#[non_exhaustive]
pub struct Config {
    /// The rules for recording lines.
    pub rules: Rules,
    /// The settings for parsing lines.
    pub settings: Settings,
    /// Verifies tokens. `None`: no token is needed, and only this machine is served.
    pub tokens: Option<TokenVerifier>,
    /// Origins of other sites' pages that may send requests. Without tokens, no other foreign pages are served.
    pub origins: Vec<PageOrigin>,
    /// The server's clock.
    pub clock: Arc<dyn ServerClock>,
    /// The metrics to serve. They should be the store's [`Meter`](crate::store::Meter), too.
    pub metrics: Arc<Metrics>,
    /// If set, the network gets only this: history, played to each client from its start. `None`: the store itself.
    pub play: Option<Play>,
    /// The process has the store open only to read it: the owner's socket refuses lines, too.
    pub only_read: bool,
    /// Cancelled when the owner needs the store alone for a moment: the server is to end then, close it, and begin again once
    /// the other process has left it. `None`: the owner is refused.
    pub step_aside: Option<CancellationToken>,
    /// Limits on connections, sizes and times.
    pub bounds: ServerLimits,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            rules: Rules::default(),
            settings: Settings::USUAL,
            tokens: None,
            origins: Vec::new(),
            clock: Arc::new(SystemClock),
            metrics: Metrics::new(),
            play: None,
            only_read: false,
            step_aside: None,
            bounds: ServerLimits::default(),
        }
    }
}

impl Config {
    /// The rules for recording lines. Default: [`Rules::default`].
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The settings for parsing lines. Default: [`Settings::USUAL`].
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Verifies tokens. Default: no token is needed, and only this machine is served.
    #[must_use]
    pub fn tokens(mut self, tokens: TokenVerifier) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Origins of other sites' pages that may send requests. Default: none.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = PageOrigin>) -> Self {
        self.origins = origins.into_iter().collect();
        self
    }

    /// The server's clock. Default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn ServerClock>) -> Self {
        self.clock = clock;
        self
    }

    /// The metrics to serve. Default: new ones.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// What is played to the network instead of the store. Default: nothing.
    #[must_use]
    pub fn play(mut self, play: Play) -> Self {
        self.play = Some(play);
        self
    }

    /// Whether the owner's socket refuses lines. Default: no.
    #[must_use]
    pub fn only_read(mut self, only_read: bool) -> Self {
        self.only_read = only_read;
        self
    }

    /// Limits on connections, sizes and times. Default: those of [`ServerLimits`].
    #[must_use]
    pub fn bounds(mut self, bounds: ServerLimits) -> Self {
        self.bounds = bounds;
        self
    }
}

/// Serves a store at `listeners`, until `shutdown` completes. Then it accepts no more, finishes and acknowledges
/// running requests, and closes all sockets; that takes 8 s at most.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::server::{Config, Listener, serve};
/// use std::sync::Arc;
/// let store = Arc::new(rollbook::Store::in_memory(rollbook::Options::default())?);
/// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
/// let listeners = vec![Listener::Tcp(listener, None)];
/// runtime.block_on(serve(store, listeners, Config::default(), async {}))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the log cannot be read.
pub async fn serve(
    store: Arc<Store>,
    listeners: Vec<Listener>,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StoreError> {
    let stop = CancellationToken::new();
    let networked = listeners
        .iter()
        .any(|listener| matches!(listener, Listener::Tcp(..)));
    let app = Arc::new(App {
        tailer: LogTailer::new(Arc::clone(&store)),
        store,
        rules: config.rules,
        settings: config.settings,
        step_aside: config.step_aside,
        net: Arc::new(NetShared {
            clock: config.clock,
            metrics: config.metrics,
            bounds: config.bounds,
            stop: stop.clone(),
            sockets: Places::new(config.bounds.sockets),
        }),
        observers: Observers::default(),
        queries: Places::new(config.bounds.queries),
        catching_up: Places::new(limits::CATCHING_UP_AT_ONCE_MAX),
        slow_readers: Places::new(config.bounds.slow_readers),
        starts: Places::new(config.bounds.starts),
        bodies: Places::new(config.bounds.bodies),
        read_ahead: Places::new(config.bounds.read_ahead / limits::READ_AHEAD_PIECE_BYTES),
        owner_answers: Places::new(limits::OWNER_ANSWERS_MAX),
        backups: Places::new(limits::BACKUPS_AT_ONCE_MAX),
        handed_over: Places::new(limits::HANDED_OVER_AT_ONCE_MAX),
    });
    if networked {
        // Subscribers are likely, and the tailer writes snapshots to the debug log: start it now.
        let starting = Arc::clone(&app);
        let started = tokio::task::spawn_blocking(move || starting.tailer.start()).await;
        started.map_err(|error| StoreError::Stopped(error.to_string()))??;
    }
    let tokens = config.tokens.map(AuthPolicy::Tokens);
    let origins: Arc<[PageOrigin]> = config.origins.into();
    let public = Arc::new(tokens.unwrap_or_else(|| AuthPolicy::Loopback(Arc::clone(&origins))));
    let owner = Arc::new(match config.only_read {
        true => AuthPolicy::OwnerReads,
        false => AuthPolicy::Owner,
    });
    let house = Acceptor::new(stop.clone(), config.bounds);
    let plays = config.play.map(Plays::new);
    for listener in listeners {
        let router = match (&listener, &plays) {
            (Listener::Unix(_), _) => {
                routes::router(&app, &owner, &Arc::default(), &[ROUTES, OWNERS])
            }
            (Listener::Tcp(..), None) => routes::router(&app, &public, &origins, &[ROUTES]),
            (Listener::Tcp(..), Some(plays)) => routes::router(&app, &public, &origins, &[PLAYED])
                .layer(Extension(Arc::clone(plays))),
        };
        house.open.spawn(house.clone().accept(listener, router));
    }
    shutdown.await;
    stop.cancel();
    house.open.close();
    end(&house).await;
    // The tailer has nothing left to do, so it ends at once.
    let _ = tokio::task::spawn_blocking(move || app.tailer.stop()).await;
    Ok(())
}

/// Waits until all connections have ended, but not for ever.
async fn end(house: &Acceptor) {
    const PATIENCE: Duration = Duration::from_millis(limits::STOP_MS_MAX);
    if timeout(PATIENCE, house.open.wait()).await.is_err() {
        let open = house.open.len();
        tracing::warn!(
            event = "connections_cut",
            open,
            "{open} connections did not end in time"
        );
    }
}
