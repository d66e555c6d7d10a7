//! A running server, asked over HTTP: on the network, or through the socket beside its data. The questions and answers
//! are `query`'s; here they only cross the wire.

use super::token::Token;
use super::transport::{Address, AddressError, ConnectError};
use crate::limits;
use crate::query::owner::{OwnerFailure, Piece};
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
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};

/// Why a server did not answer a question.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// It cannot be asked.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It does not answer.
    #[error("{address} does not answer: {why}")]
    Away {
        /// The server.
        address: String,
        /// What happened.
        why: String,
    },
    /// It is not to be trusted, or does not speak as its URL says.
    #[error("{address} is not asked: {why}")]
    Untrusted {
        /// The server.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// It does not let us.
    #[error("{address} does not allow it: {why}")]
    Refused {
        /// The server.
        address: String,
        /// What it says.
        why: String,
    },
    /// It could not answer.
    #[error("{address} answers {status}: {why}")]
    Failed {
        /// The server.
        address: String,
        /// Its status.
        status: u16,
        /// What it says.
        why: String,
    },
    /// It says why it does not give all of an answer that only the owner gets.
    #[error(transparent)]
    Owner(#[from] OwnerFailure),
    /// The answer is none that is known.
    #[error("{address} answers something else than a Rollbook does: {why}")]
    Strange {
        /// The server.
        address: String,
        /// What is strange.
        why: String,
    },
}

/// A server that answers questions.
pub struct ServerClient {
    address: Address,
    token: Option<Token>,
    runtime: Runtime,
}

/// What a server says where it does not answer.
#[derive(Deserialize)]
struct ServerSentence {
    error: String,
}

impl ServerClient {
    /// A server at an address. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the system does not let one wait for a network.
    pub fn new(address: Address, token: Option<Token>) -> io::Result<ServerClient> {
        Ok(ServerClient {
            address,
            token,
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// The server that owns a data directory, where one listens there.
    #[must_use]
    pub fn owner_of(data: &Path) -> Option<ServerClient> {
        let remote = ServerClient::new(Address::unix(data.join(OWNER_SOCKET)), None).ok()?;
        // A socket may be left of a server that is gone.
        let connected = remote.runtime.block_on(remote.address.connect());
        connected.is_ok().then_some(remote)
    }

    /// As it may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        self.address.to_string()
    }

    /// Where it is, for questions that go on.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it is asked with.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Where one may wait for it.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Asks, and gives the answer a line at a time to `each`; stops when that returns `false`. One answer is a list of
    /// one.
    ///
    /// # Errors
    /// [`RemoteError`]; what was given before is good.
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

    /// Asks what only the owner may, and gives the rows of the answer to `each`, until that returns `false`, and to
    /// `read` how many entries have been read. `stop` is looked at while the answer is waited for. `None`: it was
    /// stopped by one of them.
    ///
    /// # Errors
    /// [`RemoteError`]; what was given before is good.
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

    /// Asks, and waits for the head of the answer.
    fn lines(
        &self,
        method: Method,
        route: &str,
        params: &impl Serialize,
    ) -> Result<Lines<'_>, RemoteError> {
        let answered = self.send(method, route, params);
        Ok(Lines {
            remote: self,
            body: Some(self.runtime.block_on(answered)?.into_body()),
            held: Vec::new(),
            given: 0,
        })
    }

    /// Asks, and waits for the head of the answer.
    async fn send(
        &self,
        method: Method,
        route: &str,
        params: &impl Serialize,
    ) -> Result<Response<Incoming>, RemoteError> {
        let asked = self.address.under("http", &question(route, params))?;
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
        // What goes wrong on it the answer's reader hears, too.
        tokio::spawn(async move { drop(connection.await) });
        let uri = asked.uri();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.authority().map_or("localhost", |host| host.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(ACCEPT, "application/json, application/x-ndjson");
        if let Some(token) = &self.token
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
        let why = sentence.map(|sentence| sentence.error);
        let address = self.shown();
        match (status, why) {
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

    /// The answer has no end.
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

/// The path of a question: its route, and its parameters as a query.
pub(super) fn question(route: &str, params: &impl Serialize) -> String {
    // Parameters are plain fields, which can always be written so.
    match serde_urlencoded::to_string(params) {
        Ok(query) if !query.is_empty() => format!("/v1/{route}?{query}"),
        _ => format!("/v1/{route}"),
    }
}

/// The lines of an answer, as they come.
struct Lines<'r> {
    remote: &'r ServerClient,
    /// Until its end.
    body: Option<Incoming>,
    held: Vec<u8>,
    /// So much of it was given already.
    given: usize,
}

impl Lines<'_> {
    /// The next line, without its newline; `None` at the end, or where it was stopped. An answer that was broken off is
    /// an error of the body.
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

/// How often it is looked whether an answer is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// The next piece of a body; `None` at its end, or where it is not wanted any more. A server that falls silent within it
/// is given up.
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
