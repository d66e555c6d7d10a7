//! A server on its own port, and clients for it: single HTTP requests, and WebSockets line by line.

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rollbook::ingest::source::Source;
use rollbook::ingest::{IngestOptions, ingest};
use rollbook::server::auth::{Grant, Secret, TokenScope, TokenVerifier};
use rollbook::server::clock::ServerClock;
use rollbook::server::{Config, Listener, ServerLimits, serve};
use rollbook::{Options, Store};
use serde_json::Value;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Longer than any step takes on the slowest machine: a step that is not done by then hangs.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for a future, up to [`DEADLINE`].
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("this takes too long")
}

/// A server that runs in this process.
pub struct Served {
    pub address: SocketAddr,
    pub store: Arc<Store>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Served {
    /// A server over an empty store in memory, with these limits.
    pub async fn within(bounds: ServerLimits) -> Served {
        let config = Config::default().bounds(bounds);
        Served::start(Store::in_memory(Options::default()).unwrap(), config).await
    }

    /// Serves a store.
    pub async fn start(store: Store, config: Config) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Arc::new(store);
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&store);
        let ended = tokio::spawn(async move {
            let listeners = vec![Listener::Tcp(listener, None)];
            let stopped = async { drop(stopped.await) };
            serve(serving, listeners, config, stopped).await.unwrap();
        });
        Served {
            address,
            store,
            stop,
            ended,
        }
    }

    /// Serves a store without tokens on the loopback address.
    pub async fn open(store: Store) -> Served {
        Served::start(store, Config::default()).await
    }

    /// Stops it, and returns the store.
    pub async fn stop(self) -> Arc<Store> {
        self.stop.send(()).unwrap();
        soon(self.ended).await.unwrap();
        self.store
    }

    /// Records lines without the network.
    pub fn store_lines(&self, lines: &str) {
        let source = Source::from_reader("lines", std::io::Cursor::new(lines.to_owned())).unwrap();
        ingest(&self.store, source, &IngestOptions::default(), &mut ()).unwrap();
    }

    pub async fn get(&self, path: &str) -> Got {
        self.ask("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Got {
        self.ask("POST", path, &[], body).await
    }

    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        head: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Got {
        let stream = TcpStream::connect(self.address).await.unwrap();
        soon(ask(stream, method, path, head, body)).await
    }

    /// Opens a WebSocket, or returns the refusal.
    pub async fn socket(&self, path: &str) -> Result<Socket, Got> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        soon(connect(stream, path)).await
    }

    /// The same, of a client whose system holds little of what it does not read. Else it may hold tens of megabytes.
    pub async fn small_socket(&self, path: &str) -> Result<Socket, Got> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        let stream = socket.connect(self.address).await.unwrap();
        soon(connect(stream, path)).await
    }
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub kind: String,
    pub head: hyper::HeaderMap,
    pub bytes: Bytes,
    /// The same as text.
    pub body: String,
}

impl Got {
    /// Asserts this status.
    pub fn expect(self, status: u16) -> Got {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A header; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.head.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// Its one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its JSON lines.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.body.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Its error message.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

/// Sends a request over any stream.
pub async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: &str,
    path: &str,
    head: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Got {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path);
    if head.iter().all(|(name, _)| *name != "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::copy_from_slice(body.as_ref()));
    let answer = sender
        .send_request(request.body(body).unwrap())
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type");
    let kind = kind.map_or(String::new(), |kind| kind.to_str().unwrap().to_owned());
    let head = answer.headers().clone();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Got {
        status,
        kind,
        head,
        bytes,
        body,
    }
}

/// Sends a request over the owner's socket.
pub async fn ask_owner(path: &Path, what: &str) -> Got {
    let stream = UnixStream::connect(path).await.unwrap();
    soon(ask(stream, "GET", what, &[], "")).await
}

/// A connection from this local address.
pub async fn from(address: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    soon(socket.connect(to)).await.unwrap()
}

/// Opens a WebSocket over a connection, or returns the refusal.
pub async fn connect(stream: TcpStream, path: &str) -> Result<Socket, Got> {
    let address = format!("ws://localhost{path}");
    let request = address.into_client_request().unwrap();
    // A test may open thousands of them.
    let config = WebSocketConfig::default().read_buffer_size(16 << 10);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(Error::Http(refusal)) => Err(Got {
            status: refusal.status().as_u16(),
            kind: String::new(),
            head: refusal.headers().clone(),
            bytes: Bytes::new(),
            body: String::from_utf8(refusal.into_body().unwrap_or_default()).unwrap(),
        }),
        Err(error) => panic!("{error}"),
    }
}

/// A WebSocket.
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub async fn say(&mut self, text: impl Into<String>) {
        soon(self.0.send(Message::text(text.into()))).await.unwrap();
    }

    /// Sends a message, however long the server takes to read it.
    pub async fn say_in_time(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    /// The next message, as JSON; or the code with which the server closed the socket.
    pub async fn hear(&mut self) -> Result<Value, u16> {
        let text = soon(self.text()).await?;
        Ok(serde_json::from_str(&text).unwrap())
    }

    /// The next message as text, however long it takes; or the code with which the server closed the socket.
    pub async fn text(&mut self) -> Result<Utf8Bytes, u16> {
        // Pings never stop, so they are skipped.
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Messages up to and including the first one that `last` accepts.
    pub async fn hear_until(&mut self, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let message = self.hear().await.unwrap();
            let done = last(&message);
            heard.push(message);
            if done {
                return heard;
            }
        }
    }

    /// Closes it properly.
    pub async fn close(self) {
        self.close_with(1000).await;
    }

    /// Closes it with this code, and waits until the server has closed it, too.
    pub async fn close_with(mut self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        soon(self.0.close(Some(frame))).await.unwrap();
        while let Some(Ok(_)) = soon(self.0.next()).await {}
    }

    /// Breaks the connection off.
    pub fn drop(self) {}
}

/// A clock that a test sets.
pub struct Set(watch::Sender<i64>);

impl Set {
    pub fn at(now: i64) -> Arc<Set> {
        Arc::new(Set(watch::Sender::new(now)))
    }

    pub fn go_on(&self, ms: i64) {
        self.0.send_modify(|now| *now += ms);
    }
}

impl ServerClock for Set {
    fn now(&self) -> i64 {
        *self.0.borrow()
    }

    fn until(&self, at: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            now.wait_for(|now| *now >= at).await.unwrap();
        })
    }
}

/// The first time of the clock in tests with tokens.
pub const NOW: i64 = 1_800_000_000_000;

/// A secret, and the tokens that are made with it.
pub struct Tokens {
    secret: Secret,
    pub clock: Arc<Set>,
}

impl Tokens {
    pub fn new() -> Tokens {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef0123456789abcdef\n").unwrap();
        Tokens {
            secret: Secret::read(file.path()).unwrap(),
            clock: Set::at(NOW),
        }
    }

    /// The configuration of a server that requires these tokens.
    pub fn config(&self) -> Config {
        Config::default()
            .tokens(TokenVerifier::of_secrets(std::slice::from_ref(
                &self.secret,
            )))
            .clock(Arc::<Set>::clone(&self.clock))
    }

    /// A token that is valid for this many ms.
    pub fn make(&self, scopes: &[TokenScope], channels: Option<&[&str]>, ms: i64) -> String {
        self.make_for(scopes, channels, None, ms)
    }

    /// A token for some observers only.
    pub fn make_for(
        &self,
        scopes: &[TokenScope],
        channels: Option<&[&str]>,
        observers: Option<&[&str]>,
        ms: i64,
    ) -> String {
        let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let (channels, observers) = (channels.map(owned), observers.map(owned));
        let grant = Grant {
            scopes,
            channels: channels.as_deref(),
            observers: observers.as_deref(),
            subject: None,
            expires_at: self.clock.now() + ms,
        };
        self.secret.token(&grant).unwrap()
    }

    /// A token of a subject.
    pub fn make_of(&self, subject: &str, scopes: &[TokenScope], ms: i64) -> String {
        let grant = Grant {
            scopes,
            channels: None,
            observers: None,
            subject: Some(subject),
            expires_at: self.clock.now() + ms,
        };
        self.secret.token(&grant).unwrap()
    }
}

/// Join lines of this many users in one channel.
pub fn lines(count: i64) -> String {
    let lines = (0..count).map(|n| join("room", &format!("u{n}"), n) + "\n");
    lines.collect()
}

/// A join line.
pub fn join(channel: &str, user: &str, ts: i64) -> String {
    format!(r#"{{"t":"join","channel":"{channel}","topic":"chat","user":"{user}","ts":{ts}}}"#)
}

/// A snapshot line of one topic.
pub fn snapshot(channel: &str, users: &[&str], ts: i64) -> String {
    let users: Vec<String> = users
        .iter()
        .map(|user| format!(r#"{{"user":"{user}"}}"#))
        .collect();
    let users = users.join(",");
    format!(r#"{{"t":"snapshot","channel":"{channel}","topics":{{"chat":[{users}]}},"ts":{ts}}}"#)
}
