//! Accepts connections while there is room, does the TLS handshake, serves each connection, and ends them when the
//! server stops.

use super::crowd::{Client, Full, Permit, Places};
use super::patience::Impatient;
use super::tls::{Greeted, Tls};
use crate::limits;
use crate::server::api_error::ApiError;
use crate::server::server_limits::ServerLimits;
use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;

/// An open connection. It counts as open while any clone lives, and the server waits for that before it ends.
#[derive(Clone, Default)]
pub struct ConnectionGuard {
    /// The peer's address; `None`: the owner's socket.
    address: Option<IpAddr>,
    _room: Option<Arc<(OwnedSemaphorePermit, Permit)>>,
    /// Its place among the sockets and streams.
    _stays: Option<Arc<Permit>>,
    _counted: Option<TaskTrackerToken>,
}

impl ConnectionGuard {
    /// The peer's address; `None`: the owner's socket.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Keeps the place of a socket or stream until the connection ends.
    pub fn stay(&mut self, place: Permit) {
        self._stays = Some(Arc::new(place));
    }
}

/// A source of connections.
pub enum Listener {
    /// From the network.
    Tcp(TcpListener, Option<Tls>),
    /// From the store's owner on this machine.
    Unix(UnixListener),
}

enum ClientStream {
    Tcp(TcpStream, Option<Tls>),
    Unix(UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<(ClientStream, Option<IpAddr>)> {
        Ok(match self {
            Listener::Tcp(listener, tls) => {
                let (stream, peer) = listener.accept().await?;
                // Entries are small, and subscribers want them without delay.
                stream.set_nodelay(true)?;
                // Otherwise the system buffers megabytes for a client that does not read.
                #[cfg(any(target_os = "linux", target_os = "android"))]
                SockRef::from(&stream).set_tcp_notsent_lowat(limits::UNSENT_BYTES_MAX)?;
                (ClientStream::Tcp(stream, tls.clone()), Some(peer.ip()))
            }
            Listener::Unix(listener) => (ClientStream::Unix(listener.accept().await?.0), None),
        })
    }
}

/// What all listeners share.
#[derive(Clone)]
pub struct Acceptor {
    /// Room for connections.
    pub room: Arc<Semaphore>,
    /// The open connections.
    pub open: TaskTracker,
    /// When cancelled, no more connections are accepted, and idle ones end.
    pub stop: CancellationToken,
    /// Places for the connections of each address.
    addresses: Arc<Places>,
    /// Permits for connections that get an error answer because their address has too many.
    turned_away: Arc<Semaphore>,
    bounds: ServerLimits,
}

impl Acceptor {
    /// An acceptor without connections.
    #[must_use]
    pub fn new(stop: CancellationToken, bounds: ServerLimits) -> Acceptor {
        Acceptor {
            room: Arc::new(Semaphore::new(bounds.connections)),
            addresses: Places::new(bounds.connections),
            turned_away: Arc::new(Semaphore::new(limits::TURNED_AWAY_AT_ONCE_MAX)),
            bounds,
            open: TaskTracker::new(),
            stop,
        }
    }

    /// Accepts connections until the server stops.
    pub async fn accept(self, listener: Listener, router: Router) {
        loop {
            let accepted = async {
                let room = Arc::clone(&self.room).acquire_owned().await;
                (room, listener.accept().await)
            };
            let (room, stream) = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = accepted => accepted,
            };
            match (room, stream) {
                (Ok(room), Ok((stream, address))) => {
                    match self.addresses.free(&Client::at(address)) {
                        Ok(place) => {
                            let guest = ConnectionGuard {
                                address,
                                _room: Some(Arc::new((room, place))),
                                _stays: None,
                                _counted: Some(self.open.token()),
                            };
                            tokio::spawn(serve(stream, router.clone(), guest, self.clone()));
                        }
                        Err(full) => self.turn_away(stream, full),
                    }
                }
                (_, Err(error)) => {
                    // Probably out of file descriptors: wait until other connections have ended.
                    tracing::warn!(
                        event = "accept_failed",
                        "a connection could not be accepted: {error}"
                    );
                    sleep(Duration::from_millis(100)).await;
                }
                (Err(_), _) => return,
            }
        }
    }
}

impl Acceptor {
    /// Answers with the reason for the refusal. It uses no regular place. If too many refusals are in progress, it
    /// only closes.
    fn turn_away(&self, stream: ClientStream, full: Full) {
        let Ok(place) = Arc::clone(&self.turned_away).try_acquire_owned() else {
            return;
        };
        let house = self.clone();
        let answer = async move || {
            let close = [(header::CONNECTION, "close")];
            (close, full.fault("connections")).into_response()
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move {
            let served = serve(stream, router, ConnectionGuard::default(), house);
            let _ = timeout(HEAD_MAX, served).await;
            drop(place);
        });
    }
}

const HEAD_MAX: Duration = Duration::from_millis(limits::REQUEST_HEAD_MS_MAX);

async fn serve(stream: ClientStream, router: Router, guest: ConnectionGuard, house: Acceptor) {
    match stream {
        ClientStream::Unix(stream) => talk(stream, router, guest, house).await,
        ClientStream::Tcp(stream, None) => talk(stream, router, guest, house).await,
        ClientStream::Tcp(stream, Some(tls)) => match timeout(HEAD_MAX, tls.greet(stream)).await {
            Ok(Ok(Greeted::Tls(stream))) => talk(stream, router, guest, house).await,
            Ok(Ok(Greeted::Plain(stream))) => talk(stream, speak_tls(), guest, house).await,
            Ok(Err(error)) => tracing::debug!(event = "no_tls", "no TLS: {error}"),
            Err(_) => tracing::debug!(event = "no_tls", "no TLS: the handshake took too long"),
        },
    }
}

/// Answers plain HTTP on a TLS port with an error.
fn speak_tls() -> Router {
    let what = "this port speaks TLS: begin the URL with https:// or wss://";
    Router::new().fallback(async || ApiError::Bad(what.into()))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    guest: ConnectionGuard,
    house: Acceptor,
) {
    let Acceptor { stop, bounds, .. } = house;
    // Twice the limit, so that code with its own write timeout (sockets) gives up first.
    let stream = Impatient::new(stream, bounds.request.saturating_mul(2));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(guest.clone());
        router.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(limits::REQUEST_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let done = tokio::select! {
        done = connection.as_mut() => done,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(event = "broke_off", "a connection broke off: {error}");
    }
}
