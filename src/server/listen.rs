//! Connections, one by one: accepted while there is room, greeted in TLS where it is spoken, served, and ended when the
//! server stops.

use super::fault::Fault;
use super::tls::{Greeted, Tls};
use crate::limits;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
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

/// A connection that is open: while any clone of this lives it counts, and the server waits for it before it ends.
#[derive(Clone)]
pub struct Guest {
    _room: Arc<OwnedSemaphorePermit>,
    _counted: TaskTrackerToken,
}

/// Where connections come in.
pub enum Listener {
    /// From the network.
    Tcp(TcpListener, Option<Tls>),
    /// From this machine's owner of the store.
    Unix(UnixListener),
}

enum Stream {
    Tcp(TcpStream, Option<Tls>),
    Unix(UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<Stream> {
        Ok(match self {
            Listener::Tcp(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                // Entries are small, and waited for.
                stream.set_nodelay(true)?;
                Stream::Tcp(stream, tls.clone())
            }
            Listener::Unix(listener) => Stream::Unix(listener.accept().await?.0),
        })
    }
}

/// What all listeners share.
#[derive(Clone)]
pub struct House {
    /// Room for connections.
    pub room: Arc<Semaphore>,
    /// Those that are open.
    pub open: TaskTracker,
    /// No more are accepted, and those that are idle end.
    pub stop: CancellationToken,
}

impl House {
    /// An empty one, with room for so many.
    #[must_use]
    pub fn new(stop: CancellationToken, connections: usize) -> House {
        House {
            room: Arc::new(Semaphore::new(connections)),
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
                (Ok(room), Ok(stream)) => {
                    let guest = Guest {
                        _room: Arc::new(room),
                        _counted: self.open.token(),
                    };
                    tokio::spawn(serve(stream, router.clone(), guest, self.stop.clone()));
                }
                (_, Err(error)) => {
                    // Out of files, most likely: others must end before it gets better.
                    tracing::warn!("a connection could not be accepted: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
                (Err(_), _) => return,
            }
        }
    }
}

const HEAD_MAX: Duration = Duration::from_millis(limits::REQUEST_HEAD_MS_MAX);

async fn serve(stream: Stream, router: Router, guest: Guest, stop: CancellationToken) {
    match stream {
        Stream::Unix(stream) => talk(stream, router, guest, stop).await,
        Stream::Tcp(stream, None) => talk(stream, router, guest, stop).await,
        Stream::Tcp(stream, Some(tls)) => match timeout(HEAD_MAX, tls.greet(stream)).await {
            Ok(Ok(Greeted::Tls(stream))) => talk(stream, router, guest, stop).await,
            Ok(Ok(Greeted::Plain(stream))) => talk(stream, speak_tls(), guest, stop).await,
            Ok(Err(error)) => tracing::debug!("no TLS: {error}"),
            Err(_) => tracing::debug!("no TLS: the handshake took too long"),
        },
    }
}

/// For those who have not: they hear why they are not served.
fn speak_tls() -> Router {
    let what = "this port speaks TLS: begin the URL with https:// or wss://";
    Router::new().fallback(async || Fault::Bad(what.into()))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    guest: Guest,
    stop: CancellationToken,
) {
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
        tracing::debug!("a connection broke off: {error}");
    }
}
