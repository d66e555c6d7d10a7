//! `GET /v1/backup`: the whole store as one stream, for those who may administer it. What is in it, the store says.

use super::queries::{QueryResult, SharedApp};
use crate::log::archive::ArchiveError;
use crate::query::params::BackupParams;
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::query_params::QueryParams;
use crate::store::BackupError;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use std::fs::File;
use std::io::{self, Read};
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
        // A slow reader must not keep the store from sealing.
        let spool = store.spool_backup(since.as_ref(), |_| !sender.is_closed());
        let sent = spool.and_then(|spool| send(spool, &sender));
        if sent.is_ok() {
            store.note_backup();
            tracing::info!(event = "backup_sent", "a backup was sent whole");
        }
        if let Err(error) = sent {
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
        let piece = match reader.recv().await {
            Some(Ok(bytes)) if bytes.is_empty() => return None,
            Some(piece) => piece.map_err(io::Error::other),
            // The last piece is empty: what ends without it is not whole.
            None => Err(io::Error::other("the backup broke off")),
        };
        if let Err(error) = &piece {
            tracing::error!(event = "backup_failed", "a backup broke off: {error}");
        }
        Some((piece, reader))
    });
    let body = stream::once(async { Ok(first) });
    let body = Body::from_stream(futures_util::StreamExt::chain(body, rest));
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, body).into_response())
}

fn refusal(error: BackupError) -> ApiError {
    match error {
        BackupError::OtherStore | BackupError::Forgotten | BackupError::InMemory => {
            ApiError::Bad(error.to_string())
        }
        other => ApiError::Failed(other.to_string()),
    }
}

type PieceSender = mpsc::Sender<Result<Bytes, BackupError>>;

/// Sends what was written, and behind it an empty piece.
fn send(mut spool: File, sender: &PieceSender) -> Result<(), BackupError> {
    loop {
        let mut piece = Vec::new();
        let read = (&mut spool)
            .take(BYTES_TOGETHER as u64)
            .read_to_end(&mut piece);
        let ends = read.map_err(ArchiveError::Io)? == 0;
        if sender.blocking_send(Ok(piece.into())).is_err() {
            return Err(BackupError::Stopped);
        }
        if ends {
            return Ok(());
        }
    }
}
