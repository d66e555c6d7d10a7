//! Lists as answers: JSON lines, CSV or Parquet, whichever the client asks for, compressed if it can read that, and sent as they are
//! found. What a row looks like is the business of `export`; what is asked for, of `queries`.

use crate::export::record::ExportRow;
use crate::export::{ExportError, ExportFormat, ExportTarget, FileCompression, RowFormat};
use crate::server::api_error::ApiError;
use crate::server::app::{App, TOO_LONG};
use crate::server::net::crowd::{Client, Permit, Places};
use crate::server::net::patience::Patience;
use crate::server::server_limits::ServerLimits;
use crate::store::{Store, StoreError};
use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout};

/// The approximate size of the pieces in which lists are sent.
const PIECE_BYTES: usize = 32 << 10;
/// The number of pieces that may wait for the reader.
const PIECES_AHEAD: usize = 8;
const BROKE_OFF: &str = "the answer broke off";

/// The media types of lists, each with its format. The first is sent to who accepts anything.
pub const LIST_TYPES: &[(&str, RowFormat)] = &[
    ("application/x-ndjson", RowFormat::Jsonl),
    ("text/csv", RowFormat::CSV),
    #[cfg(feature = "parquet")]
    ("application/vnd.apache.parquet", RowFormat::Parquet),
];

const ENCODINGS: &[(&str, FileCompression)] = &[
    ("zstd", FileCompression::Zstd),
    ("gzip", FileCompression::Gzip),
];

/// The form in which a client wants a list.
#[derive(Debug, Clone, Copy)]
pub struct ListForm {
    format: ExportFormat,
    media_type: &'static str,
    encoding: Option<&'static str>,
}

impl<S: Sync> FromRequestParts<S> for ListForm {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(ListForm::of(&parts.headers))
    }
}

impl ListForm {
    /// The form that the headers of a request ask for. A client that accepts none of them gets JSON lines, as one that says
    /// nothing does.
    fn of(headers: &HeaderMap) -> ListForm {
        let types = LIST_TYPES.iter().copied();
        let (media_type, rows) = preferred(headers, header::ACCEPT, types)
            .unwrap_or(("application/x-ndjson", RowFormat::Jsonl));
        let encodings = ENCODINGS.iter().copied();
        let encoding = match rows {
            // Its columns are compressed already.
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => None,
            _ => preferred(headers, header::ACCEPT_ENCODING, encodings),
        };
        let compression = encoding.map_or(FileCompression::Plain, |(_, how)| how);
        ListForm {
            format: ExportFormat { rows, compression },
            media_type,
            encoding: encoding.map(|(name, _)| name),
        }
    }

    /// Whether it has rows and columns.
    pub fn is_rows(&self) -> bool {
        self.format.rows != RowFormat::Jsonl
    }
}

/// Which of the known values a header prefers; of equals the first known one.
fn preferred<T>(
    headers: &HeaderMap,
    header: header::HeaderName,
    known: impl Iterator<Item = (&'static str, T)>,
) -> Option<(&'static str, T)> {
    let asked: Vec<&str> = headers
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let weight = |name: &str| {
        let of = |asked: &&str| {
            let (value, rest) = asked.split_once(';').unwrap_or((asked, ""));
            let is_any = matches!(value.trim(), "*/*" | "*");
            let of_kind = value.trim().strip_suffix('*').filter(|_| !is_any);
            let matches = is_any
                || value.trim().eq_ignore_ascii_case(name)
                || of_kind.is_some_and(|kind| name.starts_with(kind));
            let weight = rest.split(';').find_map(|it| {
                let (key, weight) = it.split_once('=')?;
                key.trim().eq_ignore_ascii_case("q").then_some(weight)
            });
            let weight = weight.map_or(Some(1.0), |weight| weight.trim().parse().ok());
            // What is named counts before what is meant by a star.
            weight
                .filter(|_| matches)
                .map(|weight: f32| (!is_any, weight))
        };
        let best = asked.iter().filter_map(of);
        best.max_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    };
    let mut best: Option<(f32, (&'static str, T))> = None;
    for (name, value) in known {
        let Some((_, weight)) = weight(name).filter(|(_, weight)| *weight > 0.0) else {
            continue;
        };
        if best.as_ref().is_none_or(|(most, _)| weight > *most) {
            best = Some((weight, (name, value)));
        }
    }
    best.map(|(_, found)| found)
}

impl App {
    /// Answers with a list, sent as it is found. A reader that is too slow is dropped.
    ///
    /// # Errors
    /// As [`ask`](App::ask). After the first piece, an error only breaks off the answer.
    pub async fn list<T: ExportRow + 'static>(
        self: &Arc<Self>,
        client: &Client,
        form: ListForm,
        question: impl FnOnce(&Store, &mut dyn FnMut(&T) -> bool) -> Result<(), StoreError>
        + Send
        + 'static,
    ) -> Result<Response, ApiError> {
        let (pieces, mut reader) = mpsc::channel(PIECES_AHEAD);
        let began = Instant::now();
        let turn = self.turn(client).await?;
        let begun = async {
            let store = Arc::clone(&self.store);
            let pieces = PieceSink(Arc::new(Mutex::new(PieceWriter {
                piece: Vec::new(),
                pieces,
                runtime: Handle::current(),
                bounds: self.net.bounds,
                patience: Patience::new(self.net.bounds),
                turn: Some(turn),
                slow_readers: Arc::clone(&self.slow_readers),
                client: client.clone(),
                place: None,
                ended: false,
            })));
            tokio::task::spawn_blocking(move || write(&store, form.format, &pieces, question));
            let first = reader.recv().await;
            first.unwrap_or_else(|| Err(ApiError::Failed(BROKE_OFF.into())))
        };
        let first = timeout(self.left(began), begun)
            .await
            .unwrap_or(Err(TOO_LONG))?;
        let pieces = stream::unfold(Some((Some(first), reader)), async |going_on| {
            let (first, mut reader) = going_on?;
            let piece = match first {
                Some(first) => Ok(first),
                // An answer that ends without its last piece is reported as broken.
                None => reader
                    .recv()
                    .await
                    .unwrap_or_else(|| Err(ApiError::Failed(BROKE_OFF.into()))),
            };
            Some(match piece {
                Ok(AnswerPiece::More(bytes)) => (Ok(bytes), Some((None, reader))),
                Ok(AnswerPiece::Last(bytes)) => (Ok(bytes), None),
                Err(fault) => (Err(fault), None),
            })
        });
        let mut response = Body::from_stream(pieces).into_response();
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static(form.media_type);
        headers.insert(header::CONTENT_TYPE, media_type);
        if let Some(encoding) = form.encoding {
            let encoding = HeaderValue::from_static(encoding);
            headers.insert(header::CONTENT_ENCODING, encoding);
        }
        Ok(self.with_retention(response))
    }
}

/// Writes the rows of a list.
fn write<T: ExportRow>(
    store: &Store,
    format: ExportFormat,
    pieces: &PieceSink,
    question: impl FnOnce(&Store, &mut dyn FnMut(&T) -> bool) -> Result<(), StoreError>,
) {
    let target = ExportTarget::Stream(format, Box::new(pieces.clone()));
    let written = target.write(&mut |_| true, |row| {
        question(store, row).map_err(|error| {
            pieces.fail(error.into());
            ExportError::Stopped
        })
    });
    match written {
        Ok(_) => pieces.finish(),
        // If the reader is gone, or knows of the failure, there is nothing left to report.
        Err(error) => pieces.fail(ApiError::Failed(error.to_string())),
    }
}

/// A piece of an answer.
enum AnswerPiece {
    More(Bytes),
    Last(Bytes),
}

/// The pieces of one answer, as a sink.
#[derive(Clone)]
struct PieceSink(Arc<Mutex<PieceWriter>>);

impl PieceSink {
    fn held(&self) -> MutexGuard<'_, PieceWriter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the answer.
    fn finish(&self) {
        let mut writer = self.held();
        let piece = std::mem::take(&mut writer.piece);
        writer.send(Ok(AnswerPiece::Last(piece.into())));
        writer.ended = true;
    }

    /// Breaks off the answer. What is still in buffers is not sent.
    fn fail(&self, fault: ApiError) {
        let mut writer = self.held();
        writer.send(Err(fault));
        writer.ended = true;
    }
}

impl Write for PieceSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held().add(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends an answer to its reader.
struct PieceWriter {
    piece: Vec<u8>,
    pieces: mpsc::Sender<Result<AnswerPiece, ApiError>>,
    runtime: Handle,
    bounds: ServerLimits,
    /// For this reader.
    patience: Patience,
    /// Released when the writer has to wait for the reader.
    turn: Option<Permit>,
    slow_readers: Arc<Places>,
    client: Client,
    /// The place in `slow_readers`, once the writer has to wait.
    place: Option<Permit>,
    /// The answer has ended; or the reader is gone, or too slow.
    ended: bool,
}

impl PieceWriter {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            let piece = std::mem::take(&mut self.piece);
            self.send(Ok(AnswerPiece::More(piece.into())));
        }
        Ok(())
    }

    fn send(&mut self, piece: Result<AnswerPiece, ApiError>) {
        if self.ended {
            return;
        }
        if let Ok(AnswerPiece::More(bytes) | AnswerPiece::Last(bytes)) = &piece {
            self.patience.moved(bytes.len());
        }
        let sent = match self.pieces.try_send(piece) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(piece)) => self.send_slowly(piece),
        };
        self.ended |= !sent;
    }

    /// Waits for the reader, in a place that blocks no queries.
    fn send_slowly(&mut self, piece: Result<AnswerPiece, ApiError>) -> bool {
        let place = match self.place.take() {
            Some(place) => place,
            None => {
                let place = self.slow_readers.take(&self.client, self.bounds.request);
                let Ok(place) = self.runtime.block_on(place) else {
                    return false;
                };
                self.turn = None;
                place
            }
        };
        let place = self.place.insert(place);
        let sent = self.patience.wait(self.pieces.send(piece), place);
        matches!(self.runtime.block_on(sent), Some(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(
        accept: Option<&'static str>,
        encoding: Option<&'static str>,
    ) -> (&'static str, Option<&'static str>) {
        let mut headers = HeaderMap::new();
        let said = [
            (header::ACCEPT, accept),
            (header::ACCEPT_ENCODING, encoding),
        ];
        for (header, value) in said {
            if let Some(value) = value {
                headers.insert(header, HeaderValue::from_static(value));
            }
        }
        let form = ListForm::of(&headers);
        (form.media_type, form.encoding)
    }

    #[test]
    fn the_form_is_what_the_client_prefers() {
        let (lines, csv) = ("application/x-ndjson", "text/csv");
        for (accept, media_type) in [
            (None, lines),
            (Some("*/*"), lines),
            (Some("text/html, application/json"), lines),
            (Some("Text/CSV; header=present"), csv),
            (Some("*/*;q=0.1, text/csv;q=0.9"), csv),
            (Some("text/csv;q=0.2, application/x-ndjson;q=0.8"), lines),
            (Some("text/csv;Q=0, */*"), lines),
            (Some("text/*"), csv),
            (Some("text/csv;q=nonsense"), lines),
        ] {
            assert_eq!(form(accept, None), (media_type, None), "{accept:?}");
        }
        for (encoding, sent) in [
            (None, None),
            (Some("identity"), None),
            (Some("gzip, deflate, br"), Some("gzip")),
            (Some("gzip, deflate, br, zstd"), Some("zstd")),
            (Some("gzip;q=1, zstd;q=0.5"), Some("gzip")),
            (Some("gzip;q=0, *;q=0"), None),
        ] {
            assert_eq!(form(None, encoding).1, sent, "{encoding:?}");
        }
        #[cfg(feature = "parquet")]
        {
            let parquet = "application/vnd.apache.parquet";
            assert_eq!(form(Some(parquet), Some("gzip")), (parquet, None));
        }
    }
}
