//! Where the lines of a feed go: into a store, or to another server.

use super::forwarder::Forwarder;
use super::recorder::Recorder;
use crate::ingest::LineLocation;

/// A destination for lines.
pub enum FeedSink {
    /// A store on this machine.
    Store(Recorder),
    /// Another server.
    Server(Forwarder),
}

impl FeedSink {
    /// Takes a line. Waits while too many bytes are on the way. `false`: no more lines are
    /// accepted.
    pub(super) async fn line(&self, at: LineLocation<'_>, text: &[u8]) -> bool {
        match self {
            FeedSink::Store(recorder) => recorder.line(at, text).await,
            // The server rejects a line that is not UTF-8, too. The lossy form keeps as much of it as possible.
            FeedSink::Server(forwarder) => forwarder.line(&String::from_utf8_lossy(text)).await,
        }
    }

    /// The lines after this call come from a new connection to the source.
    pub(super) fn new_feed(&self) {
        if let FeedSink::Server(forwarder) = self {
            forwarder.new_feed();
        }
    }
}
