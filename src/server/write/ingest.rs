//! `WS /v1/ingest`: receives lines, sends acknowledgements. Several batches can be in progress. A line is
//! acknowledged only when it is durable. If too many lines are unacknowledged, no more are read.

use super::observers::ObserverLease;
use crate::domain::event::Connection;
use crate::domain::time::Millis;
use crate::ingest::source::LineText;
use crate::ingest::{Batcher, IngestOptions, LineLocation};
use crate::limits;
use crate::log::Progress;
use crate::query::params::IngestParams;
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::app::{App, broken};
use crate::server::net::crowd::Client;
use crate::server::net::listen::ConnectionGuard;
use crate::server::net::session::{PeerLost, SocketEvent, SocketOutcome, SocketSession, code};
use crate::server::net::upgrade::{Speaker, Upgrade};
use crate::server::query_params::QueryParams;
use crate::store::{Batch, BatchLine, BatchOutcome, RecordError, RefusedLine};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::Utf8Bytes;
use axum::response::Response;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A message of the server about lines.
#[derive(Serialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum IngestMessage<'a> {
    Resume { line: u64 },
    Ack { line: u64, seq: u64 },
    Reject { line: u64, reason: &'a str },
}

/// `WS /v1/ingest`.
pub async fn ingest(
    State(app): State<Arc<App>>,
    Extension(pass): Extension<AuthContext>,
    Extension(guest): Extension<ConnectionGuard>,
    QueryParams(params): QueryParams<IngestParams>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let who = IngestIdentity::of(params)?;
    pass.access.demand_observer(&who.observer)?;
    Ok(upgrade.with(Speaker::Client, async move |socket| {
        let place = app.observers.take(&who.observer).await;
        let client = pass.client.clone();
        let session =
            SocketSession::new(socket, Arc::clone(&app.net), pass, guest).until(place.over.clone());
        match SocketIngest::begin(app, client, who).await {
            Ok(intake) => intake.run(session, place).await,
            Err(fault) => {
                tracing::error!(event = "request_failed", "{fault}");
                session.close(code::FAILED, "the log cannot be read").await;
            }
        }
    }))
}

/// Whose lines a request contains.
pub struct IngestIdentity {
    /// The observer for lines that name none.
    pub observer: String,
    /// The observer's own user, for lines that name none.
    pub self_user: Option<String>,
    feed: Option<String>,
}

impl IngestIdentity {
    /// # Errors
    /// [`ApiError::Bad`] when a name is empty or too long.
    pub fn of(params: IngestParams) -> Result<IngestIdentity, ApiError> {
        let who = IngestIdentity {
            observer: params.observer.unwrap_or_else(|| "default".to_owned()),
            self_user: params.self_user,
            feed: params.feed,
        };
        let observer = ("observer", Some(&who.observer));
        let named = [
            observer,
            ("self", who.self_user.as_ref()),
            ("feed", who.feed.as_ref()),
        ];
        for (parameter, name) in named {
            let most = limits::NAME_BYTES_MAX;
            if name.is_some_and(|name| name.is_empty() || name.len() > most) {
                return Err(ApiError::Bad(format!(
                    "{parameter}: a name has 1 to {most} bytes"
                )));
            }
        }
        Ok(who)
    }
}

struct SocketIngest {
    app: Arc<App>,
    client: Client,
    feed: Option<String>,
    how: IngestOptions,
    batcher: Batcher,
    source: Arc<str>,
    /// Lines received on this connection; with a feed, plus those that were durable before.
    lines: u64,
    /// Bytes received on this connection.
    bytes: u64,
    /// How its start is recorded: as a resumption, if lines of the feed were durable when it started.
    opening: Connection,
    /// Its first event has been submitted.
    spoken: bool,
    waiting: VecDeque<PendingBatch>,
    waiting_bytes: usize,
    /// The last entry made from its lines, or a later one.
    seq: u64,
}

/// A submitted batch.
struct PendingBatch {
    done: oneshot::Receiver<BatchOutcome>,
    /// The number of its last line.
    line: u64,
    bytes: usize,
}

impl SocketIngest {
    async fn begin(
        app: Arc<App>,
        client: Client,
        who: IngestIdentity,
    ) -> Result<SocketIngest, ApiError> {
        let durable = match who.feed.clone() {
            Some(feed) => {
                let observer = who.observer.clone();
                app.ask(&client, move |store| store.feed_position(&observer, &feed))
                    .await?
            }
            None => 0,
        };
        Ok(SocketIngest {
            source: format!("ingest of {}", who.observer).into(),
            lines: durable,
            bytes: 0,
            opening: if durable > 0 {
                Connection::Resumed
            } else {
                Connection::Up
            },
            how: IngestOptions {
                observer: who.observer,
                self_user: who.self_user,
                settings: app.settings,
                rules: app.rules,
                ..IngestOptions::default()
            },
            batcher: Batcher::default(),
            spoken: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            seq: 0,
            app,
            client,
            feed: who.feed,
        })
    }

    async fn run(mut self, mut session: SocketSession, place: ObserverLease) {
        let mut end = Ok(());
        if self.feed.is_some() {
            end = session
                .say(&IngestMessage::Resume { line: self.lines })
                .await
                .map_err(IngestEnd::from);
        }
        while end.is_ok() {
            end = self.step(&mut session).await;
        }
        let ending = end.err().unwrap_or(IngestEnd::Gone { in_order: false });
        let in_order = matches!(ending, IngestEnd::Gone { in_order: true });
        // Submitted lines are recorded in any case, and acknowledged if the peer can still receive.
        let mut hears = matches!(ending, IngestEnd::Says(..));
        while let Some(waiting) = self.waiting.pop_front() {
            let done = waiting.done.await;
            hears = hears && self.tell(&mut session, waiting.line, done).await.is_ok();
        }
        let what = if in_order {
            Connection::Closed
        } else {
            Connection::Lost
        };
        if self.spoken
            && let Err(fault) = self.record_end(what).await
        {
            tracing::error!(
                event = "request_failed",
                "the end of a connection could not be recorded: {fault}"
            );
        }
        drop(place);
        if let IngestEnd::Says(code, reason) = ending {
            session.close(code, reason).await;
        }
    }

    /// Waits for the next event, and handles it.
    async fn step(&mut self, session: &mut SocketSession) -> Result<(), IngestEnd> {
        let behind = self.waiting.back().map_or(0, |last| last.line);
        let unacknowledged = behind - self.waiting.front().map_or(behind, |first| first.line);
        let listening = unacknowledged < self.app.net.bounds.unacked_lines
            && self.waiting_bytes < self.app.net.bounds.unacked_bytes;
        let event = tokio::select! {
            biased;
            (line, bytes, done) = first_done(&mut self.waiting) => {
                self.waiting.pop_front();
                self.waiting_bytes -= bytes;
                return self.tell(session, line, done).await;
            }
            event = session.event(listening) => event,
        };
        // A message with another token ends the gathering, so all lines have the same permissions.
        self.how.reach = session.pass().access.reach().clone();
        let met = self.gather(session, event).await;
        self.send().await?;
        match met {
            SocketOutcome::Nothing | SocketOutcome::Text(_) => Ok(()),
            SocketOutcome::Gone { in_order } => Err(IngestEnd::Gone { in_order }),
            SocketOutcome::End(code, reason) => Err(IngestEnd::Says(code, reason)),
        }
    }

    /// Takes the lines of a message, and of further messages that have already arrived.
    async fn gather(&mut self, session: &mut SocketSession, event: SocketEvent) -> SocketOutcome {
        let mut met = session.meet(event).await;
        while let SocketOutcome::Text(text) = &met {
            self.take(text);
            if self.batcher.is_full() {
                break;
            }
            match session.ready() {
                Some(event) => met = session.meet(event).await,
                None => break,
            }
        }
        met
    }

    fn take(&mut self, text: &Utf8Bytes) {
        for line in text.split_inclusive('\n') {
            let byte = self.bytes;
            self.bytes += line.len() as u64;
            let line = line.trim_end_matches(['\n', '\r']).as_bytes();
            // Blank lines are ignored and not counted.
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.lines += 1;
            let at = LineLocation {
                source: &self.source,
                line: self.lines,
                byte,
            };
            self.batcher.push(at, LineText::of(line), None);
        }
    }

    /// Submits lines to the writer, with the feed's new position. Before the first event, it adds that the connection
    /// is up.
    async fn send(&mut self) -> Result<(), IngestEnd> {
        if self.batcher.is_empty() {
            return Ok(());
        }
        if let Some(feed) = &self.feed {
            let progress = Progress::of_feed(&self.how.observer, feed, self.lines);
            self.batcher.reached(progress);
        }
        let bytes = self.batcher.bytes();
        let (spoken, what) = (&mut self.spoken, self.opening);
        let observer = &self.how.observer;
        let read = self.batcher.take_with(&self.how, |lines| {
            let first = |(at, line): (usize, &BatchLine<'_>)| match line {
                BatchLine::Event(event) => Some((at, event.event.stamp.ts)),
                _ => None,
            };
            if !*spoken && let Some((first, at)) = lines.iter().enumerate().find_map(first) {
                *spoken = true;
                lines.insert(first, connection(observer, what, at));
            }
        });
        let done = self.submit(read.batch).await.map_err(|fault| {
            tracing::error!(event = "request_failed", "{fault}");
            IngestEnd::Says(code::FAILED, "nothing more is written")
        })?;
        self.waiting_bytes += bytes;
        self.waiting.push_back(PendingBatch {
            done,
            line: self.lines,
            bytes,
        });
        Ok(())
    }

    async fn submit(&self, batch: Batch) -> Result<oneshot::Receiver<BatchOutcome>, ApiError> {
        let (reply, done) = oneshot::channel();
        let store = Arc::clone(&self.app.store);
        // Submitting may block on the writer. The limit keeps pool threads free for queries.
        let turn = self.app.handed_over.take(&self.client, Duration::MAX).await;
        let turn = turn.map_err(|full| full.fault("batches"))?;
        let submitted = tokio::task::spawn_blocking(move || {
            // After the connection has ended, the outcome is not needed.
            store.submit_then(batch, move |outcome| drop(reply.send(outcome)))
        });
        submitted.await.map_err(broken)??;
        drop(turn);
        Ok(done)
    }

    async fn record_end(&self, what: Connection) -> Result<(), ApiError> {
        let end = connection(&self.how.observer, what, None);
        let batch = Batch::new(vec![end], self.how.rules);
        let done = self.submit(batch).await?.await;
        done.unwrap_or_else(|_| Err(ended()))?;
        Ok(())
    }

    /// Sends the outcome of a batch: rejects, then the acknowledgement.
    async fn tell(
        &mut self,
        session: &mut SocketSession,
        line: u64,
        done: Result<BatchOutcome, oneshot::error::RecvError>,
    ) -> Result<(), IngestEnd> {
        let receipt = done.unwrap_or_else(|_| Err(ended())).map_err(|error| {
            tracing::error!(
                event = "request_failed",
                "lines could not be recorded: {error}"
            );
            IngestEnd::Says(code::FAILED, "nothing more is written")
        })?;
        let mut refused: Vec<&RefusedLine> = receipt.rejected.iter().collect();
        refused.extend(&receipt.forbidden);
        refused.sort_by_key(|refused| refused.line);
        for refused in refused {
            let (line, reason) = (refused.line, &*refused.reason);
            session.say(&IngestMessage::Reject { line, reason }).await?;
        }
        self.seq = receipt
            .tally
            .last_seq
            .unwrap_or(self.seq.max(self.app.store.head()));
        session
            .say(&IngestMessage::Ack {
                line,
                seq: self.seq,
            })
            .await?;
        Ok(())
    }
}

fn connection(observer: &str, what: Connection, at: Option<Millis>) -> BatchLine<'static> {
    BatchLine::Connection {
        observer: observer.to_owned(),
        what,
        at,
    }
}

fn ended() -> RecordError {
    RecordError::Poisoned("the writer has ended".into())
}

/// Waits for the first submitted batch; forever if there is none.
async fn first_done(
    waiting: &mut VecDeque<PendingBatch>,
) -> (u64, usize, Result<BatchOutcome, oneshot::error::RecvError>) {
    match waiting.front_mut() {
        Some(first) => {
            let done = (&mut first.done).await;
            (first.line, first.bytes, done)
        }
        None => std::future::pending().await,
    }
}

/// How a connection ends.
enum IngestEnd {
    /// The peer is gone.
    Gone { in_order: bool },
    /// The server closes it, with this code and reason.
    Says(u16, &'static str),
}

impl From<PeerLost> for IngestEnd {
    fn from(PeerLost: PeerLost) -> IngestEnd {
        IngestEnd::Gone { in_order: false }
    }
}
