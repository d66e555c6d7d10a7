//! Queries a running server over HTTP: on the network, or through the Unix socket in its data directory. The requests
//! and answers are types of `query`; this file only transports them.

use super::token::{TokenError, TokenSource};
use super::transport::{Address, AddressError, ConnectError};
use crate::limits;
use crate::query::answer::Time;
use crate::query::owner::{OwnerFailure, Piece};
use crate::query::params::{PAST_RETENTION, RETAINED_HEADER};
use crate::store::OWNER_SOCKET;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};

/// Why a server did not answer a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is no token for the request.
    #[error("no token: {0}")]
    NoToken(TokenError),
    /// The server cannot be reached, or stopped answering.
    #[error("{address} does not answer: {why}")]
    Away {
        /// The server's address.
        address: String,
        /// What happened.
        why: String,
    },
    /// The server is not trusted, or does not speak the protocol of its URL.
    #[error("{address} is not asked: {why}")]
    Untrusted {
        /// The server's address.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// What the request asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What the request asked about was pruned.
    #[error("{0}")]
    PastRetention(String),
    /// The server does not allow the request.
    #[error("{address} does not allow it: {why}")]
    Refused {
        /// The server's address.
        address: String,
        /// The reason from the server.
        why: String,
    },
    /// The server answered with another error.
    #[error("{address} answers {status}: {why}")]
    Failed {
        /// The server's address.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The reason from the server.
        why: String,
    },
    /// The reason from the server why an owner's answer is incomplete.
    #[error(transparent)]
    Owner(#[from] OwnerFailure),
    /// The answer is not in a known format.
    #[error("{address} answers something else than a Rollbook does: {why}")]
    Strange {
        /// The server's address.
        address: String,
        /// What is wrong with the answer.
        why: String,
    },
}

/// A client for the queries of one server.
pub struct ServerClient {
    address: Address,
    tokens: TokenSource,
    runtime: Runtime,
    /// From when on the server's store is retained, by its last answer.
    retained: Mutex<Option<Time>>,
}

/// The body of an error answer.
#[derive(Deserialize)]
struct ServerSentence {
    error: String,
    code: Option<String>,
}

impl ServerClient {
    /// A client for the server at an address. Nothing is sent yet.
    ///
    /// # Errors
    /// When the system cannot create the runtime.
    pub fn new(address: Address, tokens: TokenSource) -> io::Result<ServerClient> {
        Ok(ServerClient {
            address,
            tokens,
            runtime: Builder::new_current_thread().enable_all().build()?,
            retained: Mutex::default(),
        })
    }

    /// The server that has a data directory open; `None` if none listens on the socket there.
    #[doc(hidden)]
    #[must_use]
    pub fn owner_of(data: &Path) -> Option<ServerClient> {
        let remote =
            ServerClient::new(Address::unix(data.join(OWNER_SOCKET)), TokenSource::None).ok()?;
        // A socket file can remain after its server has died.
        let connected = remote.runtime.block_on(remote.address.connect());
        connected.is_ok().then_some(remote)
    }

    /// The address in a form that is safe to show.
    #[must_use]
    pub fn shown(&self) -> String {
        self.address.to_string()
    }

    /// The server's address, for requests whose answer has no end.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where the token of each request comes from.
    #[must_use]
    pub fn tokens(&self) -> &TokenSource {
        &self.tokens
    }

    /// From when on the server's store is retained, if older entries were pruned; by its last answer.
    #[must_use]
    pub fn retained(&self) -> Option<Time> {
        *self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime on which requests run.
    #[doc(hidden)]
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Sends a request, and passes the answer line by line to `each`, until `each` returns `false`. A single object
    /// arrives as one line.
    ///
    /// # Errors
    /// [`RemoteError`]; the lines passed on before the error are valid.
    pub fn ask<T: DeserializeOwned>(
        &self,
        route: &str,
        params: &impl Serialize,
        mut each: impl FnMut(T) -> bool,
    ) -> Result<(), RemoteError> {
        let mut lines = self.lines(Method::GET, route, params)?;
        while let Some(line) = lines.next(&|| false)? {
            if !each(self.read(&line)?) {
                break;
            }
        }
        Ok(())
    }

    /// Sends a request, and passes the bytes of the answer to `each` as they come, until `each` returns `false`. `stop` is
    /// checked while waiting for them.
    ///
    /// # Errors
    /// [`RemoteError`]; the bytes passed on before the error are the answer's first.
    pub fn download(
        &self,
        route: &str,
        params: &impl Serialize,
        stop: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), RemoteError> {
        let path = question(route, params);
        let answered = self.send(Method::GET, &path);
        let mut body = self.runtime.block_on(answered)?.into_body();
        while let Some(bytes) = self.runtime.block_on(next(&mut body, stop)) {
            let bytes = bytes.map_err(|error| self.away(&*error))?;
            if !each(&bytes) {
                break;
            }
        }
        Ok(())
    }

    /// Asks whether the server records and answers (`/readyz`), for at most so long.
    ///
    /// # Errors
    /// [`RemoteError`] says why it does not.
    pub fn ready(&self, most: Duration) -> Result<(), RemoteError> {
        let answered = async { timeout(most, self.send(Method::GET, "/readyz")).await };
        let answered = self.runtime.block_on(answered);
        let answered = answered.map_err(|_| self.away(&"no answer in time"))?;
        answered.map(drop)
    }

    /// Sends a request that only the owner may send. Passes the rows of the answer to `each`, until `each` returns
    /// `false`, and the number of entries read so far to `read`. `stop` is checked while waiting for the answer.
    /// `None`: `each` or `stop` ended the answer.
    ///
    /// # Errors
    /// [`RemoteError`]; the rows passed on before the error are valid.
    #[doc(hidden)]
    pub fn ask_owner<T: DeserializeOwned, D: DeserializeOwned>(
        &self,
        (method, route): (Method, &str),
        params: &impl Serialize,
        stop: &dyn Fn() -> bool,
        each: &mut dyn FnMut(T) -> bool,
        read: &mut dyn FnMut(u64),
    ) -> Result<Option<D>, RemoteError> {
        let mut lines = self.lines(method, route, params)?;
        while let Some(line) = lines.next(stop)? {
            if line.is_empty() {
                continue;
            }
            match self.read(&line)? {
                Piece::Row(row) => {
                    if !each(row) {
                        return Ok(None);
                    }
                }
                Piece::Read(entries) => read(entries),
                Piece::Done(done) => return Ok(Some(done)),
                Piece::Failed(failure) => return Err(RemoteError::Owner(failure)),
            }
        }
        if stop() {
            return Ok(None);
        }
        Err(self.broke_off())
    }

    /// Sends a request, and waits for the head of the answer.
    fn lines(
        &self,
        method: Method,
        route: &str,
        params: &impl Serialize,
    ) -> Result<Lines<'_>, RemoteError> {
        let path = question(route, params);
        let answered = self.send(method, &path);
        Ok(Lines {
            remote: self,
            body: Some(self.runtime.block_on(answered)?.into_body()),
            held: Vec::new(),
            given: 0,
        })
    }

    /// Sends a request for a path, and waits for the head of the answer.
    async fn send(&self, method: Method, path: &str) -> Result<Response<Incoming>, RemoteError> {
        let token = self.tokens.take().await.map_err(RemoteError::NoToken)?;
        let asked = self.address.under("http", path)?;
        let most = Duration::from_millis(limits::CONNECT_MS_MAX);
        let stream = timeout(most, asked.connect()).await;
        let stream = stream.map_err(|_| self.away(&"no connection in time"))?;
        let stream = stream.map_err(|error| match error {
            ConnectError::Away(error) => self.away(&error),
            wrong => self.untrusted(&wrong),
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.away(&error))?;
        // The reader of the answer gets the connection's errors, too.
        tokio::spawn(async move { drop(connection.await) });
        let uri = asked.uri();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.authority().map_or("localhost", |host| host.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(ACCEPT, "application/json, application/x-ndjson");
        if let Some(token) = &token
            && let Ok(mut bearer) = HeaderValue::from_str(&token.bearer())
        {
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|error| self.away(&error))?;
        let answered = timeout(
            Duration::from_millis(limits::ANSWER_MS_MAX),
            sender.send_request(request),
        );
        let answered = answered
            .await
            .map_err(|_| self.away(&"no answer in time"))?;
        let response = answered.map_err(|error| self.away(&error))?;
        if response.status().is_success() {
            let retained = response.headers().get(RETAINED_HEADER);
            let retained = retained.and_then(|at| at.to_str().ok());
            let retained = retained.and_then(|at| serde_json::from_value(at.into()).ok());
            *self.retained.lock().unwrap_or_else(PoisonError::into_inner) = retained;
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    async fn refusal(&self, response: Response<Incoming>) -> RemoteError {
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::CONTROL_BYTES_MAX);
        let body = body.collect().await.map(|body| body.to_bytes());
        let body = body.unwrap_or_default();
        let sentence: Option<ServerSentence> = serde_json::from_slice(&body).ok();
        let is_past = |sentence: &ServerSentence| sentence.code.as_deref() == Some(PAST_RETENTION);
        let past = sentence.as_ref().is_some_and(is_past);
        let why = sentence.map(|sentence| sentence.error);
        let address = self.shown();
        match (status, why) {
            (StatusCode::NOT_FOUND, Some(why)) if past => RemoteError::PastRetention(why),
            (StatusCode::NOT_FOUND, Some(why)) => RemoteError::NotFound(why),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(why)) => {
                RemoteError::Refused { address, why }
            }
            (status, why) => RemoteError::Failed {
                address,
                status: status.as_u16(),
                why: why.unwrap_or_else(|| "it does not say why".to_owned()),
            },
        }
    }

    fn read<T: DeserializeOwned>(&self, json: &[u8]) -> Result<T, RemoteError> {
        serde_json::from_slice(json).map_err(|error| self.strange(&error.to_string()))
    }

    /// The answer ended before it was complete.
    pub(super) fn broke_off(&self) -> RemoteError {
        self.away(&"the answer broke off")
    }

    fn away(&self, why: &(impl std::fmt::Display + ?Sized)) -> RemoteError {
        let (address, why) = (self.shown(), why.to_string());
        RemoteError::Away { address, why }
    }

    fn untrusted(&self, why: &ConnectError) -> RemoteError {
        let (address, why) = (self.shown(), why.to_string());
        RemoteError::Untrusted { address, why }
    }

    fn strange(&self, why: &str) -> RemoteError {
        let (address, why) = (self.shown(), why.to_owned());
        RemoteError::Strange { address, why }
    }
}

/// The path of a request: its route, and its parameters as a query.
pub(super) fn question(route: &str, params: &impl Serialize) -> String {
    // All parameters are plain fields, so this encoding cannot fail.
    match serde_urlencoded::to_string(params) {
        Ok(query) if !query.is_empty() => format!("/v1/{route}?{query}"),
        _ => format!("/v1/{route}"),
    }
}

/// The lines of an answer, as they arrive.
struct Lines<'r> {
    remote: &'r ServerClient,
    /// `None` after its end.
    body: Option<Incoming>,
    held: Vec<u8>,
    /// The number of bytes of `held` that were already returned.
    given: usize,
}

impl Lines<'_> {
    /// The next line without its newline; `None` at the end, or when stopped. If the answer breaks off, the body
    /// returns an error.
    fn next(&mut self, stop: &dyn Fn() -> bool) -> Result<Option<Vec<u8>>, RemoteError> {
        let mut seen = self.given;
        loop {
            let fresh = self.held.get(seen..).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', fresh).map(|at| seen + at) {
                let line = self.held.get(self.given..end).map(<[u8]>::to_vec);
                self.given = end + 1;
                return Ok(line);
            }
            self.held.drain(..self.given);
            self.given = 0;
            seen = self.held.len();
            if seen > limits::ANSWER_BYTES_MAX {
                return Err(self.remote.strange("a line that is too long"));
            }
            let Some(body) = &mut self.body else {
                let rest = std::mem::take(&mut self.held);
                return Ok((!rest.is_empty()).then_some(rest));
            };
            match self.remote.runtime.block_on(next(body, stop)) {
                Some(Ok(bytes)) => self.held.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(self.remote.away(&*error)),
                None if stop() => return Ok(None),
                None => self.body = None,
            }
        }
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// How often `stop` is checked.
const LOOK: Duration = Duration::from_millis(100);

/// The next chunk of a body; `None` at its end, or when stopped. Fails if the server is silent for too long.
async fn next(body: &mut Incoming, stop: &dyn Fn() -> bool) -> Option<Result<Bytes, Cause>> {
    let most = Duration::from_millis(limits::ANSWER_MS_MAX);
    let began = Instant::now();
    loop {
        return match timeout(LOOK, body.frame()).await {
            _ if stop() => None,
            Err(_) if began.elapsed() < most => continue,
            Err(_) => Some(Err("it has fallen silent".into())),
            Ok(None) => None,
            Ok(Some(Err(error))) => Some(Err(error.into())),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => Some(Ok(bytes)),
                Err(_) => continue,
            },
        };
    }
}
