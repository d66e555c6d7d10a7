//! `POST /v1/events`: ingests a body of lines, and answers with the outcome when they are durable. The body is read
//! as it arrives, by the same code as a file.

use super::ingest::IngestIdentity;
use crate::ingest::source::{Source, SourceError};
use crate::ingest::{
    IngestError, IngestOptions, IngestOutcome, IngestSummary, ProgressListener, Unfinished, ingest,
};
use crate::limits;
use crate::query::params::IngestParams;
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::app::{App, broken};
use crate::server::net::crowd::{Full, Permit};
use crate::server::net::patience::Patience;
use crate::server::query_params::QueryParams;
use crate::server::server_limits::ServerLimits;
use crate::store::{DifferingRetry, RefusedLine, Store};
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tokio_util::sync::CancellationToken;

/// `POST /v1/events`.
pub async fn events(
    State(app): State<Arc<App>>,
    Extension(pass): Extension<AuthContext>,
    QueryParams(params): QueryParams<IngestParams>,
    body: Body,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let who = IngestIdentity::of(params)?;
    pass.access.demand_observer(&who.observer)?;
    let how = IngestOptions {
        observer: who.observer,
        self_user: who.self_user,
        settings: app.settings,
        rules: app.rules,
        reach: pass.access.reach().clone(),
        ..IngestOptions::default()
    };
    let bounds = app.net.bounds;
    let client = &pass.client;
    let start = app.starts.take(client, bounds.request).await;
    let mut pieces = Pieces::of(body, bounds, start.map_err(too_many)?);
    let begun = pieces.start().await;
    let room = app.bodies.take(client, bounds.request).await;
    let room = Arc::new(room.map_err(too_many)?);
    // Replacing it also releases the place for reading the start.
    pieces.place = Arc::clone(&room);
    let reader = pieces.reader(begun);
    // When the client disconnects, this future is dropped, and its guard cancels `gone`.
    let gone = CancellationToken::new();
    let _gone = gone.clone().drop_guard();
    let taken = tokio::task::spawn_blocking(move || {
        let _room = room;
        take_in(&app.store, reader, &how, gone)
    });
    let taken = taken.await.map_err(broken)?;
    let taken = taken.map_err(|error| fault(error.into(), 0, bounds))?;
    Ok(taken.answer(started, bounds))
}

/// Records the lines of a body, until its end or until `gone` is cancelled.
fn take_in(
    store: &Store,
    reader: impl Read + Send + 'static,
    how: &IngestOptions,
    gone: CancellationToken,
) -> Result<TakenBody, SourceError> {
    let name = format!("events of {}", how.observer);
    let spoken = Arc::new(AtomicBool::new(false));
    let filled = Filled {
        reader,
        spoken: Arc::clone(&spoken),
    };
    let mut source = Source::from_reader(&name, filled)?;
    source.read_start();
    source.unpack_at_most(limits::UNPACKED_BODY_BYTES_MAX);
    let mut refusals = RefusalList {
        gone,
        ..RefusalList::default()
    };
    let taken = ingest(store, source, how, &mut refusals);
    Ok(TakenBody {
        taken,
        refusals,
        spoken: spoken.load(Ordering::Relaxed),
    })
}

/// A body of which everything is recorded that will be.
struct TakenBody {
    taken: Result<IngestOutcome, Box<Unfinished>>,
    refusals: RefusalList,
    /// Anything other than white space has arrived.
    spoken: bool,
}

impl TakenBody {
    /// The outcome for the client; its time is counted from `started`.
    fn answer(self, started: Instant, bounds: ServerLimits) -> Response {
        let TakenBody {
            taken,
            refusals,
            spoken,
        } = self;
        let (outcome, fault) = match taken {
            Ok(outcome) if !spoken => (outcome, Some(ApiError::Bad("the body is empty".into()))),
            Ok(outcome) => (outcome, refusals.fault(outcome.tally.forbidden)),
            Err(unfinished) => {
                let Unfinished {
                    outcome,
                    byte,
                    error,
                } = *unfinished;
                (outcome, Some(fault(error, byte, bounds)))
            }
        };
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = match &fault {
            Some(fault) => fault.status(),
            None if all_rejected(&outcome) => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::OK,
        };
        if let Some(ApiError::Failed(what)) = &fault {
            tracing::error!(event = "request_failed", "{what}");
        }
        let answer = IngestResponse {
            error: fault.map(|fault| fault.to_string()),
            summary: outcome.summary(elapsed_ms),
            rejects: refusals.rejects,
            forbidden: refusals.forbidden,
            differing: refusals.differing,
        };
        (status, Json(answer)).into_response()
    }
}

fn all_rejected(outcome: &IngestOutcome) -> bool {
    outcome.lines > 0 && outcome.tally.rejected == outcome.lines
}

/// What became of a body.
#[derive(Serialize, JsonSchema)]
pub struct IngestResponse {
    /// Why it was not taken in to its end, and how far it was; where it was, this is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    summary: IngestSummary,
    /// Its lines that could not be taken, the first thousand of them; where there are none, this is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejects: Vec<RefusalAnswer>,
    /// Its lines that the token did not allow, the first thousand of them: they are neither recorded nor kept; where
    /// there are none, this is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forbidden: Vec<RefusalAnswer>,
    /// Its lines whose id was recorded before with other contents, the first of them; where there are none, this is not
    /// there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differing: Vec<DifferingAnswer>,
}

/// A line that counts as a retry of another one, and says something else.
#[derive(Serialize, JsonSchema)]
struct DifferingAnswer {
    /// Which, from 1.
    line: u64,
    /// Where it starts.
    byte: u64,
    /// The id of both.
    id: String,
    /// The first entry that was recorded with that id.
    seq: u64,
}

/// A line that could not be taken.
#[derive(Serialize, JsonSchema)]
struct RefusalAnswer {
    /// Which, from 1.
    line: u64,
    /// Where it starts.
    byte: u64,
    /// What is wrong with it.
    reason: String,
}

/// Collects the refused lines for the answer.
#[derive(Default)]
struct RefusalList {
    rejects: Vec<RefusalAnswer>,
    forbidden: Vec<RefusalAnswer>,
    differing: Vec<DifferingAnswer>,
    /// Cancelled when the client no longer waits for the answer.
    gone: CancellationToken,
}

impl ProgressListener for RefusalList {
    fn stop(&self) -> bool {
        self.gone.is_cancelled()
    }

    fn differing(&mut self, retry: &DifferingRetry) {
        if self.differing.len() < limits::DIFFERING_SHOWN_MAX {
            self.differing.push(DifferingAnswer {
                line: retry.line,
                byte: retry.byte,
                id: retry.id.clone(),
                seq: retry.seq,
            });
        }
    }

    fn rejected(&mut self, refused: &RefusedLine) {
        name(&mut self.rejects, refused);
    }

    fn forbidden(&mut self, refused: &RefusedLine) {
        name(&mut self.forbidden, refused);
    }
}

fn name(list: &mut Vec<RefusalAnswer>, refused: &RefusedLine) {
    if list.len() < limits::REFUSALS_NAMED_MAX {
        list.push(RefusalAnswer {
            line: refused.line,
            byte: refused.byte,
            reason: refused.reason.clone(),
        });
    }
}

impl RefusalList {
    /// The error for the answer when the token did not allow this many lines.
    fn fault(&self, forbidden: u64) -> Option<ApiError> {
        let first = self.forbidden.first()?;
        let (line, reason) = (first.line, &first.reason);
        let lines = if forbidden == 1 {
            "line is"
        } else {
            "lines are"
        };
        Some(ApiError::Forbidden(format!(
            "line {line}: {reason}; for such reasons {forbidden} {lines} not recorded"
        )))
    }
}

fn too_many(full: Full) -> ApiError {
    match full {
        Full::Share => full.fault("bodies"),
        Full::Room => ApiError::Late("too many bodies are on their way; try again later"),
    }
}

/// The body, up to the size limit, while it keeps arriving in time.
struct Pieces {
    body: BodyDataStream,
    bounds: ServerLimits,
    patience: Patience,
    /// The place that the body holds at the moment.
    place: Arc<Permit>,
    length: usize,
}

impl Pieces {
    fn of(body: Body, bounds: ServerLimits, place: Permit) -> Pieces {
        Pieces {
            body: body.into_data_stream(),
            bounds,
            patience: Patience::new(bounds),
            place: Arc::new(place),
            length: 0,
        }
    }

    /// Reads enough of the start to expect that the rest will follow. A body that stalls here takes no place from
    /// others.
    async fn start(&mut self) -> Vec<io::Result<Bytes>> {
        let mut begun = Vec::new();
        while self.length < limits::BODY_START_BYTES {
            let Some(piece) = self.next().await else {
                break;
            };
            let broken = piece.is_err();
            begun.push(piece);
            if broken {
                break;
            }
        }
        begun
    }

    /// The body for code that blocks: its start, then the rest as it arrives.
    fn reader(self, begun: Vec<io::Result<Bytes>>) -> impl Read + Send + 'static {
        let rest = stream::unfold(self, async |mut pieces| {
            let piece = pieces.next().await?;
            Some((piece, pieces))
        });
        let body = stream::iter(begun).chain(rest);
        SyncIoBridge::new(StreamReader::new(Box::pin(body)))
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let piece = match self.patience.wait(self.body.next(), &self.place).await {
            None => Err(io::ErrorKind::TimedOut.into()),
            Some(None) => return None,
            Some(Some(piece)) => piece.map_err(io::Error::other),
        };
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.patience.moved(length);
        self.length += length;
        Some(match piece {
            Ok(_) if self.length > self.bounds.body_bytes => {
                Err(io::ErrorKind::FileTooLarge.into())
            }
            piece => piece,
        })
    }
}

/// Reads until the buffer is full. A body has an end, so its first lines need not be recorded before the rest
/// arrives.
struct Filled<R> {
    reader: R,
    /// Set when anything other than white space has arrived.
    spoken: Arc<AtomicBool>,
}

impl<R: Read> Read for Filled<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        let said = buffer.get(..filled).unwrap_or_default();
        if !said.trim_ascii().is_empty() {
            self.spoken.store(true, Ordering::Relaxed);
        }
        Ok(filled)
    }
}

/// The error for the answer; everything before `byte` is recorded.
fn fault(error: IngestError, byte: u64, bounds: ServerLimits) -> ApiError {
    let recorded = format!("the lines up to byte {byte} are recorded");
    match error {
        IngestError::Store(error) => error.into(),
        IngestError::Source(SourceError::Read { cause, .. }) => match cause.kind() {
            io::ErrorKind::TimedOut => {
                ApiError::Late("the rest of the body did not come; what came before it is recorded")
            }
            io::ErrorKind::FileTooLarge => ApiError::TooLarge(format!(
                "a body has at most {} bytes; {recorded}",
                bounds.body_bytes
            )),
            _ => ApiError::Bad(format!("the body broke off ({cause}); {recorded}")),
        },
        IngestError::Source(
            error @ (SourceError::Corrupt { .. } | SourceError::Unclosed { .. }),
        ) => ApiError::Bad(format!("{error}; {recorded}")),
        error @ (IngestError::TooManyRejects { .. }
        | IngestError::Source(SourceError::Overpacked { .. })) => {
            ApiError::TooLarge(format!("{error}; {recorded}"))
        }
        other => ApiError::Bad(other.to_string()),
    }
}
