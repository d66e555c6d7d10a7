//! Requests for the store's owner only: verification, exports, replays, retries of rejects. An answer may read the
//! whole log, so neither it nor its reader has a time limit: the owner's programs are trusted. It is sent as it is
//! found, so its size needs no memory.

use super::api_error::ApiError;
use super::app::App;
use super::net::crowd::Client;
use super::query_params::QueryParams;
use super::read::queries::{QueryResult, SharedApp};
use crate::care::VerifyDepth;
use crate::domain::entry::Rules;
use crate::feed::{Settings, TimeUnit};
use crate::ingest::{IngestError, IngestOptions, ProgressListener, retry as take_again};
use crate::limits;
use crate::query::owner::{OwnerFailure, Piece, ReplayRow, Retried, RetryRow};
use crate::query::params::{
    HistoryParams, NoParams, ReplayParams, RetryParams, SessionsParams, VerifyParams,
};
use crate::query::time::When;
use crate::replay::{LineShape, LineSink, PlayedLine, ReplayFilter, SkippedEntry};
use crate::store::{Clamped, DifferingRetry, RefusedLine, Store};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The approximate size of a message; it holds several pieces.
const BYTES_TOGETHER: usize = 32 << 10;
/// The number of messages that may wait for the reader.
const WAITING_MAX: usize = 4;

/// `GET /v1/verify`.
pub async fn verify(
    State(app): SharedApp,
    QueryParams(VerifyParams { deep }): QueryParams<VerifyParams>,
) -> QueryResult {
    let depth = match deep {
        true => VerifyDepth::Deep,
        false => VerifyDepth::Form,
    };
    let verify = move |store: &Store, pieces: &mut OwnerPieces| {
        store
            .verify(depth, |entries| {
                // `verify` cannot be stopped: it reads the log to its end even without a reader.
                let _ = pieces.read(entries);
            })
            .map_err(OwnerFailure::from)
    };
    app.pieces(verify).await
}

/// `GET /v1/export/entries`.
pub async fn entries(
    State(app): SharedApp,
    QueryParams(params): QueryParams<HistoryParams>,
) -> QueryResult {
    let filter = params.filter(app.now())?;
    let read = move |store: &Store, pieces: &mut OwnerPieces| {
        for row in store.entry_rows(&filter)? {
            if !pieces.row(&row?) {
                break;
            }
        }
        Ok(())
    };
    app.pieces(read).await
}

/// `GET /v1/export/sessions`.
pub async fn sessions(
    State(app): SharedApp,
    QueryParams(params): QueryParams<SessionsParams>,
) -> QueryResult {
    let filter = params.filter(app.now())?;
    let read = move |store: &Store, pieces: &mut OwnerPieces| {
        for session in store.sessions(&filter)? {
            if !pieces.row(&session?) {
                break;
            }
        }
        Ok(())
    };
    app.pieces(read).await
}

/// `GET /v1/replay`.
pub async fn replay(
    State(app): SharedApp,
    QueryParams(params): QueryParams<ReplayParams>,
) -> QueryResult {
    let now = app.now();
    // The command has read local times already.
    let resolve = |at: Option<When>| {
        let at = at.map(|at| at.resolve(now, None)).transpose();
        at.map_err(|error| ApiError::Bad(error.to_string()))
    };
    let filter = ReplayFilter {
        channel: params.channel,
        from: resolve(params.from)?,
        to: resolve(params.to)?,
        from_seq: params.from_seq,
        to_seq: params.to_seq,
        standing: true,
    };
    let shape = match params.rollbook {
        true => LineShape::Rollbook,
        false => LineShape::Agora,
    };
    let read = move |store: &Store, pieces: &mut OwnerPieces| {
        store
            .play(&filter, shape, pieces)
            .map_err(OwnerFailure::from)
    };
    app.pieces(read).await
}

/// `POST /v1/rejects/retry`.
pub async fn retry(
    State(app): SharedApp,
    QueryParams(params): QueryParams<RetryParams>,
) -> QueryResult {
    let how = how(params)?;
    let again = move |store: &Store, pieces: &mut OwnerPieces| {
        let outcome = take_again(store, &how, pieces).map_err(|error| match error {
            IngestError::Store(error) => OwnerFailure::from(error),
            other => OwnerFailure::Other(other.to_string()),
        })?;
        let (lines, tally) = (outcome.lines, outcome.tally);
        Ok(Retried { lines, tally })
    };
    app.pieces(again).await
}

/// `POST /v1/step-aside`: for a command that needs the store alone for a moment.
pub async fn step_aside(
    State(app): SharedApp,
    QueryParams(NoParams {}): QueryParams<NoParams>,
) -> QueryResult {
    let Some(step_aside) = app.step_aside.clone() else {
        let what = "this process does not step aside: end it first";
        return Err(ApiError::Bad(what.to_owned()));
    };
    // It ends once this is answered.
    let asked = move |_: &Store, _: &mut OwnerPieces| {
        step_aside.cancel();
        Ok(())
    };
    app.pieces(asked).await
}

fn how(params: RetryParams) -> Result<IngestOptions, ApiError> {
    let time_unit = match params.time_unit.as_str() {
        "s" => TimeUnit::Seconds,
        "ms" => TimeUnit::Millis,
        "us" => TimeUnit::Micros,
        other => {
            let what = format!("time_unit: \"{other}\" is none: write s, ms or us");
            return Err(ApiError::Bad(what));
        }
    };
    Ok(IngestOptions {
        observer: params.observer,
        self_user: params.self_user,
        settings: Settings {
            time_unit,
            presence_timeout_ms: params.presence_timeout.0,
            presence_interval_ms: params.presence_interval.0,
            presence_debounce_ms: params.presence_debounce.0,
        },
        rules: Rules {
            skew_tolerance_ms: params.skew_tolerance.0,
            max_ahead_ms: params.max_ahead.0,
            slack_ms: params.slack.0,
            lossy: params.lossy,
            resync_ms: params.resync.0,
        },
        ..IngestOptions::default()
    })
}

impl App {
    /// Answers with the pieces that `work` produces.
    async fn pieces<D: Serialize>(
        self: &Arc<Self>,
        work: impl FnOnce(&Store, &mut OwnerPieces) -> Result<D, OwnerFailure> + Send + 'static,
    ) -> QueryResult {
        let place = self
            .owner_answers
            .take(&Client::Owner, self.net.bounds.request);
        let place = place.await.map_err(|full| full.fault("such answers"))?;
        let (sender, reader) = mpsc::channel(WAITING_MAX);
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let mut pieces = OwnerPieces {
                bytes: Vec::new(),
                sender,
            };
            let last = match work(&store, &mut pieces) {
                Ok(done) => Piece::<(), D>::Done(done),
                Err(failure) => Piece::Failed(failure),
            };
            let _ = pieces.add(&last) && pieces.send();
        });
        let body = stream::unfold(reader, async |mut reader| {
            let most = Duration::from_millis(limits::STILL_READING_MS);
            let bytes = match timeout(most, reader.recv()).await {
                Ok(bytes) => bytes?,
                Err(_) => Bytes::from_static(b"\n"),
            };
            Some((Ok::<_, std::convert::Infallible>(bytes), reader))
        });
        let body = Body::from_stream(body);
        let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
        Ok(self.with_retention((kind, body).into_response()))
    }
}

/// Sends pieces to the reader, and waits for it.
struct OwnerPieces {
    bytes: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl OwnerPieces {
    /// Adds a row; `false`: the reader wants no more.
    fn row(&mut self, row: &impl Serialize) -> bool {
        self.add(&Piece::<_, ()>::Row(row))
    }

    /// Reports the number of entries read so far, without delay.
    fn read(&mut self, entries: u64) -> bool {
        self.add(&Piece::<(), ()>::Read(entries)) && self.send()
    }

    fn add<T: Serialize, D: Serialize>(&mut self, piece: &Piece<T, D>) -> bool {
        let whole = self.bytes.len();
        if let Err(error) = serde_json::to_writer(&mut self.bytes, piece) {
            // The reader notices the missing last line.
            tracing::error!(event = "request_failed", "an answer broke off: {error}");
            self.bytes.truncate(whole);
            return false;
        }
        self.bytes.push(b'\n');
        self.bytes.len() < BYTES_TOGETHER || self.send()
    }

    fn send(&mut self) -> bool {
        let bytes = std::mem::take(&mut self.bytes);
        bytes.is_empty() || self.sender.blocking_send(bytes.into()).is_ok()
    }
}

impl LineSink for OwnerPieces {
    fn line(&mut self, line: &PlayedLine<'_>) -> bool {
        let PlayedLine { seq, at, text } = *line;
        let text = text.to_owned();
        self.row(&ReplayRow::Line { seq, at, text })
    }

    fn untold(&mut self, untold: &SkippedEntry) {
        let SkippedEntry { seq, why } = untold.clone();
        // If the reader is gone, the next line detects it.
        let _ = self.row(&ReplayRow::Untold { seq, why });
    }
}

impl ProgressListener for OwnerPieces {
    fn rejected(&mut self, refused: &RefusedLine) {
        let _ = self.row(&RetryRow::Rejected(refused.clone()));
    }

    fn clamped(&mut self, clamped: &Clamped) {
        let _ = self.row(&RetryRow::Clamped(clamped.clone()));
    }

    fn differing(&mut self, retry: &DifferingRetry) {
        let _ = self.row(&RetryRow::Differing(retry.clone()));
    }

    fn stop(&self) -> bool {
        self.sender.is_closed()
    }
}
