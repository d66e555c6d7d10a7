//! Who hears what becomes of lines while they are ingested.

use crate::store::{Clamped, DifferingRetry, Receipt, RefusedLine};

/// Receives reports about an ingest.
pub trait ProgressListener {
    /// More of the source has become durable.
    fn durable(&mut self, up_to_byte: u64, lines: u64) {
        let _ = (up_to_byte, lines);
    }

    /// A line was rejected, and is kept.
    fn rejected(&mut self, refused: &RefusedLine) {
        let _ = refused;
    }

    /// The sender has no permission to write a line: the line is neither recorded nor kept.
    fn forbidden(&mut self, refused: &RefusedLine) {
        let _ = refused;
    }

    /// An entry occurred long before the time of its channel.
    fn clamped(&mut self, clamped: &Clamped) {
        let _ = clamped;
    }

    /// A line counted as a retry, though its id was recorded with other contents.
    fn differing(&mut self, retry: &DifferingRetry) {
        let _ = retry;
    }

    /// Reports all results of a batch, which is now durable.
    fn receipt(&mut self, receipt: &Receipt) {
        for refused in &receipt.rejected {
            self.rejected(refused);
        }
        for refused in &receipt.forbidden {
            self.forbidden(refused);
        }
        for clamped in &receipt.clamped {
            self.clamped(clamped);
        }
        for retry in &receipt.differing {
            self.differing(retry);
        }
    }

    /// Whether to stop reading.
    fn stop(&self) -> bool {
        false
    }
}

/// Ignores all reports.
impl ProgressListener for () {}
