//! Where the lines of a feed go: into a store, or to another server.

use super::forwarder::Forwarder;
use super::recorder::Recorder;
use crate::store::BatchLine;

/// A place for lines.
pub enum FeedSink {
    /// A store of this machine.
    Store(Recorder),
    /// Another server.
    Server(Forwarder),
}

impl FeedSink {
    /// Takes a line, read and as it came; waits while too many are on the way. `false`: nothing more is taken.
    pub(super) async fn line(&self, line: BatchLine, text: &[u8]) -> bool {
        match self {
            FeedSink::Store(recorder) => recorder.line(line, text.len()).await,
            // What is no UTF-8 is no line that could be taken there, either, and is kept as far as it can be said.
            FeedSink::Server(forwarder) => forwarder.line(&String::from_utf8_lossy(text)).await,
        }
    }

    /// What follows comes from a new connection to the source.
    pub(super) fn new_feed(&self) {
        if let FeedSink::Server(forwarder) = self {
            forwarder.new_feed();
        }
    }
}
