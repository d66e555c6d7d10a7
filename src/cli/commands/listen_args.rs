//! Listening for clients: the options of all commands that serve, and the steps from opening the address until the
//! last connection ends. What is served is decided by the command.

use super::token::secret;
use super::{failure, notify};
use crate::cli::exit::{Exit, Failure};
use crate::cli::interrupt;
use crate::cli::progress::say;
use crate::limits;
use crate::server::auth::{KeyError, Secret, TokenVerifier};
use crate::server::tls::{Tls, TlsError};
use crate::server::{Config, Listener, PageOrigin, serve, socket};
use crate::store::{FolderState, Store, look};
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Who may come in, and how.
#[derive(Debug, Clone, Args)]
pub struct ListenArgs {
    /// Ask for tokens that were signed with the secret in this file (HS256; `rollbook token` makes them); may be given
    /// several times: every secret given is accepted, so that you can replace one. On SIGHUP the keys and the certificate are
    /// read again
    #[arg(long, value_name = "FILE")]
    pub auth_secret_file: Vec<PathBuf>,
    /// Ask for tokens that were signed with the private key that belongs to this public key (EdDSA, PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "auth_secret_file")]
    pub auth_public_key: Option<PathBuf>,
    /// Let pages of this origin ask (`https://app.example`; may be given several times); without tokens, only these and the
    /// server's own are served
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<PageOrigin>,
    /// Speak TLS, and nothing else, with the certificates in this file (PEM, the server's own first)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Everything needed to accept clients.
pub struct Listening {
    /// The address as typed.
    at: String,
    addresses: Vec<SocketAddr>,
    tokens: Option<TokenVerifier>,
    origins: Vec<PageOrigin>,
    tls: Option<Tls>,
    /// Where to reload keys and certificate from.
    doors: ListenArgs,
}

/// How long shutdown waits for work that still runs in the pool.
const LEAVE: Duration = Duration::from_secs(1);
/// The time between two looks at a store that was left to another process.
const LOOK: Duration = Duration::from_millis(50);

impl ListenArgs {
    /// Prepares to listen at `address`, which the user gave with `option`.
    ///
    /// # Errors
    /// When the address, keys or certificate cannot be used, or the address is open to the network without tokens.
    pub fn open(&self, option: &str, address: &str) -> Result<Listening, Failure> {
        Ok(Listening {
            at: address.to_owned(),
            addresses: self.addresses(option, address)?,
            tokens: self.tokens()?,
            origins: self.allow_origin.clone(),
            tls: self
                .tls()
                .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?,
            doors: self.clone(),
        })
    }

    /// All that keeps these options from being used.
    #[must_use]
    pub fn problems(&self, option: &str, address: &str) -> Vec<Failure> {
        let tls = self.tls().map(drop);
        let tls = tls.map_err(|error| Failure::new(Exit::Failed, error.to_string()));
        let all = [
            self.addresses(option, address).map(drop),
            self.tokens().map(drop),
            tls,
        ];
        all.into_iter().filter_map(Result::err).collect()
    }

    fn addresses(&self, option: &str, address: &str) -> Result<Vec<SocketAddr>, Failure> {
        let found = address.to_socket_addrs();
        let found: Vec<SocketAddr> = found
            .map_err(|error| {
                Failure::new(Exit::Usage, format!("{option} {address}: {error}"))
                    .hint("write an address and a port, as in 127.0.0.1:7400 or [::1]:7400")
            })?
            .collect();
        let here = found.iter().all(|address| address.ip().is_loopback());
        if !here && self.auth_secret_file.is_empty() && self.auth_public_key.is_none() {
            let what =
                format!("{option} {address} would let in everybody: no tokens are asked for");
            return Err(Failure::new(Exit::Usage, what).hint(
                "ask for them with --auth-secret-file or --auth-public-key, or listen on 127.0.0.1",
            ));
        }
        Ok(found)
    }

    fn tokens(&self) -> Result<Option<TokenVerifier>, Failure> {
        for file in &self.auth_secret_file {
            secret(file)?;
        }
        let keeper = self.keeper();
        keeper.map_err(|error| Failure::new(Exit::Failed, error.to_string()))
    }

    fn keeper(&self) -> Result<Option<TokenVerifier>, KeyError> {
        if let Some(file) = &self.auth_public_key {
            return TokenVerifier::of_public_key(file).map(Some);
        }
        let secrets = self.auth_secret_file.iter().map(|file| Secret::read(file));
        let secrets: Vec<Secret> = secrets.collect::<Result<_, _>>()?;
        Ok((!secrets.is_empty()).then(|| TokenVerifier::of_secrets(&secrets)))
    }

    fn tls(&self) -> Result<Option<Tls>, TlsError> {
        let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        Tls::read(cert, key).map(Some)
    }

    /// Reads keys and certificate again. If one of them cannot be used, all old ones stay.
    fn read_again(&self, tokens: Option<&TokenVerifier>, tls: Option<&Tls>) -> Result<(), String> {
        let newer_tokens = self.keeper().map_err(|error| error.to_string())?;
        let newer_tls = self.tls().map_err(|error| error.to_string())?;
        if let (Some(tokens), Some(newer)) = (tokens, newer_tokens) {
            tokens.replace(newer);
        }
        if let (Some(tls), Some(newer)) = (tls, newer_tls) {
            tls.replace(&newer);
        }
        Ok(())
    }

    /// Reloads at each SIGHUP.
    async fn read_at(self, mut hangup: Signal, tokens: Option<TokenVerifier>, tls: Option<Tls>) {
        while hangup.recv().await.is_some() {
            notify::reloading();
            match self.read_again(tokens.as_ref(), tls.as_ref()) {
                Ok(()) => tracing::info!(
                    event = "keys_read",
                    "SIGHUP: keys and certificate are read again"
                ),
                Err(what) => {
                    tracing::error!(
                        event = "keys_kept",
                        "SIGHUP: the old keys and certificate stay: {what}"
                    );
                }
            }
            notify::ready();
        }
    }
}

/// A store, and how it is served.
pub type Opened = (Arc<Store>, Config);

/// Opens a store to be served, or prepares to serve one that is open still.
pub type Opens<'a> = &'a mut dyn FnMut(Option<Arc<Store>>) -> Result<Opened, Failure>;

/// Why a store is not served any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServeEnd {
    /// A signal asks the process to stop.
    Stop,
    /// The owner needs the store for a moment.
    StepAside,
}

impl Listening {
    /// Serves until a signal asks the process to stop, then closes the store. When the owner needs the store alone for a moment, it
    /// is closed, left to the other process, and opened again; clients that connect meanwhile wait.
    ///
    /// # Errors
    /// When the address cannot be opened, or the log can no longer be read or written.
    pub fn serve(self, data: &Path, open: Opens<'_>) -> Result<(), Failure> {
        more_files();
        let (mut store, mut config) = open(None)?;
        // Signals are heard and keys are read through all rounds; what serves ends with its round.
        let lasting = Builder::new_current_thread().enable_all().build();
        let lasting = lasting.map_err(|error| failed("the runtime", &error))?;
        let mut signals = lasting.block_on(async { StopSignals::new() })?;
        let listener = lasting.block_on(self.bind())?;
        let listening = Arc::new(self);
        loop {
            let serving = Runtime::new().map_err(|error| failed("the runtime", &error))?;
            let stop = CancellationToken::new();
            let round = Arc::clone(&listening).round(
                data.to_owned(),
                (Arc::clone(&store), config),
                listener.try_clone(),
                stop.clone(),
            );
            let mut round = serving.spawn(round);
            let ended = lasting.block_on(async {
                tokio::select! {
                    ended = &mut round => ended,
                    () = signals.heard() => {
                        stop.cancel();
                        round.await
                    }
                }
            });
            // Connections that have not ended by now are cut.
            serving.shutdown_timeout(LEAVE);
            match ended.unwrap_or_else(|error| Err(Failure::new(Exit::Failed, error.to_string()))) {
                Ok(ServeEnd::StepAside) => {}
                Ok(ServeEnd::Stop) => return closed(data, &store),
                Err(error) => {
                    // It is what the user can do something about.
                    let _ = closed(data, &store);
                    return Err(error);
                }
            }
            let away = stepped_aside(data, store, &mut signals);
            (store, config) = match lasting.block_on(away)? {
                SteppedAside::Left => open(None)?,
                SteppedAside::Stayed(store) => open(Some(store))?,
                SteppedAside::Stop => return Ok(()),
            };
        }
    }

    async fn bind(&self) -> Result<std::net::TcpListener, Failure> {
        let hangup = listen_for(SignalKind::hangup())?;
        let (tokens, tls) = (self.tokens.clone(), self.tls.clone());
        // The task ends with the runtime.
        tokio::spawn(self.doors.clone().read_at(hangup, tokens, tls));
        let bound = TcpListener::bind(&*self.addresses).await;
        bound
            .and_then(TcpListener::into_std)
            .map_err(|error| failed(&self.at, &error))
    }

    /// Serves an open store.
    async fn round(
        self: Arc<Self>,
        data: PathBuf,
        (store, config): Opened,
        listener: std::io::Result<std::net::TcpListener>,
        stop: CancellationToken,
    ) -> Result<ServeEnd, Failure> {
        let step_aside = CancellationToken::new();
        let config = Config {
            tokens: self.tokens.clone(),
            origins: self.origins.clone(),
            step_aside: config.play.is_none().then(|| step_aside.clone()),
            ..config
        };
        let listener = listener.and_then(TcpListener::from_std);
        let listener = listener.map_err(|error| failed(&self.at, &error))?;
        let address = listener.local_addr();
        let address = address.map_err(|error| failed(&self.at, &error))?;
        // Without the owner's socket, the network can still be served.
        let (owner, _file) = match socket::bind(&data) {
            Ok((listener, file)) => (Some(Listener::Unix(listener)), Some(file)),
            Err(error) => {
                let dir = data.display();
                say(&format!("no owner's socket in {dir}: {error}"));
                (None, None)
            }
        };
        if config.tokens.is_none() {
            say(
                "no tokens are asked for, so only this machine is served; --auth-secret-file or --auth-public-key asks for them",
            );
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let (version, head, tokens) = (
            env!("CARGO_PKG_VERSION"),
            store.head(),
            config.tokens.is_some(),
        );
        let folder = data.display();
        tracing::info!(
            event = "started",
            version,
            %folder,
            head,
            tokens,
            "rollbook {version} serves the store in {folder}, whose last entry is {head}"
        );
        tracing::info!(event = "listening", "listening on {scheme}://{address}");
        notify::ready();
        let mut end = ServeEnd::Stop;
        let shutdown = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = step_aside.cancelled() => {
                    end = ServeEnd::StepAside;
                    notify::reloading();
                    tracing::info!(event = "stepping_aside", "the owner needs the store alone: stepping aside");
                }
            }
        };
        let tls = self.tls.clone();
        let listeners = [Listener::Tcp(listener, tls)].into_iter().chain(owner);
        serve(store, listeners.collect(), config, shutdown)
            .await
            .map_err(|error| failure(&data, error))?;
        Ok(end)
    }
}

/// Closes the store for good.
fn closed(data: &Path, store: &Store) -> Result<(), Failure> {
    let closed = store.close();
    if store.failure().is_none() && closed.is_ok() {
        let head = store.head();
        tracing::info!(event = "stopped", head, "stopped; the last entry is {head}");
    }
    match store.failure() {
        Some(reason) => Err(Failure::new(Exit::Failed, reason)),
        None => closed.map_err(|error| failure(data, error)),
    }
}

/// How stepping aside ended.
enum SteppedAside {
    /// The store was left, and can be opened again.
    Left,
    /// A question still reads the store: it was not left.
    Stayed(Arc<Store>),
    /// The process is to stop.
    Stop,
}

/// Closes the store, leaves it to the process that has asked for it, and waits until that has left it again, or does not come.
async fn stepped_aside(
    data: &Path,
    store: Arc<Store>,
    signals: &mut StopSignals,
) -> Result<SteppedAside, Failure> {
    store.close().map_err(|error| failure(data, error))?;
    let wanted_until = Instant::now() + Duration::from_millis(limits::LAST_QUESTIONS_MS);
    while Arc::strong_count(&store) > 1 {
        if Instant::now() > wanted_until {
            tracing::warn!(
                event = "stayed",
                "a question still reads the store: it is not left"
            );
            return Ok(SteppedAside::Stayed(store));
        }
        if signals.heard_within(LOOK).await {
            return Ok(SteppedAside::Stop);
        }
    }
    drop(store);
    let wanted_until = Instant::now() + Duration::from_millis(limits::LEFT_ALONE_MS);
    let mut was_taken = false;
    loop {
        if signals.heard_within(LOOK).await {
            return Ok(SteppedAside::Stop);
        }
        match look(data) {
            Ok(FolderState::InUse(_)) => was_taken = true,
            // What is wrong is said by the opening.
            _ if was_taken || Instant::now() > wanted_until => return Ok(SteppedAside::Left),
            _ => {}
        }
    }
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{what}: {error}"))
}

/// Raises the limit of open files to the system's maximum: each connection needs one.
fn more_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If that fails, the old limit stays.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| failed("signals", &error))
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> Result<StopSignals, Failure> {
        interrupt::is_heard();
        Ok(StopSignals {
            terminate: listen_for(SignalKind::terminate())?,
            interrupt: listen_for(SignalKind::interrupt())?,
        })
    }

    /// Whether one comes within some time.
    async fn heard_within(&mut self, time: Duration) -> bool {
        timeout(time, self.heard()).await.is_ok()
    }

    /// Completes at the first one.
    async fn heard(&mut self) {
        let signal = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        notify::stopping();
        tracing::info!(event = "stopping", signal, "{signal}: stopping");
    }
}
