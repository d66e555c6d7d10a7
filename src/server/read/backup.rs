//! `GET /v1/backup`: the whole store as one stream, for those who may administer it. What is in it, the store says.

use super::queries::{QueryResult, SharedApp};
use crate::query::params::BackupParams;
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::query_params::QueryParams;
use crate::store::{BackupError, Store};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The approximate size of a message.
const BYTES_TOGETHER: usize = 64 << 10;
/// The number of messages that may wait for the reader.
const WAITING_MAX: usize = 4;

/// `GET /v1/backup`. It has the names of all channels, and the secrets of the store.
pub async fn backup(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    QueryParams(params): QueryParams<BackupParams>,
) -> QueryResult {
    pass.access.demand_all_channels()?;
    let since = params.since().map_err(|what| ApiError::Bad(what.into()))?;
    let place = app.backups.take(&pass.client, app.net.bounds.request).await;
    let place = place.map_err(|full| full.fault("backups"))?;
    let (sender, mut reader) = mpsc::channel(WAITING_MAX);
    let store = Arc::clone(&app.store);
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let pieces = BackupPieces(sender.clone());
        let written = |store: &Store| {
            let sink = BufWriter::with_capacity(BYTES_TOGETHER, pieces);
            store.backup(sink, since.as_ref(), |_| !sender.is_closed())
        };
        if let Err(error) = written(&store) {
            // Without a reader nobody waits for it.
            let _ = sender.blocking_send(Err(error));
        }
    });
    // An error before the first byte is an answer of its own.
    let first = match reader.recv().await {
        Some(Ok(bytes)) => bytes,
        Some(Err(error)) => return Err(refusal(error)),
        None => return Err(ApiError::Failed("the backup broke off".into())),
    };
    let rest = stream::unfold(reader, async |mut reader| {
        let piece = reader.recv().await?.map_err(|error| {
            tracing::error!("a backup broke off: {error}");
            io::Error::other(error)
        });
        Some((piece, reader))
    });
    let body = stream::once(async { Ok(first) });
    let body = Body::from_stream(futures_util::StreamExt::chain(body, rest));
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, body).into_response())
}

fn refusal(error: BackupError) -> ApiError {
    match error {
        BackupError::OtherStore | BackupError::InMemory => ApiError::Bad(error.to_string()),
        other => ApiError::Failed(other.to_string()),
    }
}

/// Sends what is written to the reader, and waits for it.
struct BackupPieces(mpsc::Sender<Result<Bytes, BackupError>>);

impl Write for BackupPieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
