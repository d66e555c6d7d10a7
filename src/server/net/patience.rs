//! Time limits for slow clients: for a body, for an answer, and for each write to a connection. The contents are not
//! known here.

use super::crowd::Permit;
use crate::server::server_limits::ServerLimits;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// The time limits for one body or answer of a client.
pub struct Patience {
    bounds: ServerLimits,
    waited: Duration,
    bytes: u64,
}

impl Patience {
    /// Limits for a client that has not sent or taken anything yet.
    #[must_use]
    pub fn new(bounds: ServerLimits) -> Patience {
        Patience {
            bounds,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Counts bytes that the client has sent or taken.
    pub fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// The total wait allowed so far.
    fn allowed(&self) -> Duration {
        let by_rate =
            Duration::from_millis(self.bytes.saturating_mul(1_000) / self.bounds.rate.max(1));
        let ServerLimits { request, whole, .. } = self.bounds;
        request.saturating_add(by_rate).min(whole)
    }

    /// Waits for one piece. `None`: the client is too slow for one piece, for all of them, or while others want its
    /// place.
    pub async fn wait<T>(&mut self, what: impl Future<Output = T>, place: &Permit) -> Option<T> {
        let mut what = pin!(what);
        let mut here = Duration::ZERO;
        loop {
            let left = self.allowed().checked_sub(self.waited)?;
            let left = left.min(self.bounds.request.saturating_sub(here));
            let began = Instant::now();
            let come = timeout(left.min(self.bounds.crowded), &mut what).await;
            let took = began.elapsed();
            self.waited += took;
            here += took;
            if let Ok(come) = come {
                return Some(come);
            }
            if here >= self.bounds.request || place.is_wanted() {
                return None;
            }
        }
    }
}

/// A connection with a limit for each write: it breaks off when the client takes nothing for that time. This also
/// covers answers whose writing no other code supervises.
pub struct Impatient<S> {
    stream: S,
    patience: Duration,
    /// When the pending write times out.
    given_up: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// Wraps a stream with no pending write.
    pub fn new(stream: S, patience: Duration) -> Impatient<S> {
        Impatient {
            stream,
            patience,
            given_up: None,
        }
    }

    fn wrote<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.given_up = None;
            return wrote;
        }
        let patience = self.patience;
        let given_up = self
            .given_up
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(given_up.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A flush also writes what TLS has buffered.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.wrote(cx, shut)
    }
}
