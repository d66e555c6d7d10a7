//! The rejected lines that no retry has accepted yet.

use super::Store;
use super::error::StoreError;
use super::locks::held;
use super::scan::{ScanFlow, Visitor};
use super::state_cursor::ScanScope;
use crate::log::Reject;
use crate::log::frame::FrameHeader;
use std::collections::HashSet;
use std::sync::MutexGuard;

impl Store {
    /// Waits until no other retry runs: two retries that read the same rejects would record them twice.
    pub(crate) fn retry_alone(&self) -> MutexGuard<'_, ()> {
        held(&self.retrying)
    }

    /// Calls `each` with each unsettled reject and its number among all rejects of the log, from 1. Stops when `each`
    /// returns `false`.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn kept_rejects(&self, each: impl FnMut(u64, &Reject) -> bool) -> Result<(), StoreError> {
        let mut settled = ResolvedRejects::default();
        self.scan(&ScanScope::default(), &mut settled)?;
        let settled = settled.0;
        let mut kept = OpenRejects {
            each,
            settled,
            n: 0,
        };
        self.scan(&ScanScope::default(), &mut kept).map(drop)
    }
}

/// The numbers of the settled rejects. The log has them after the rejects themselves.
#[derive(Default)]
struct ResolvedRejects(HashSet<u64>);

impl Visitor for ResolvedRejects {
    fn renumbers(&self) -> bool {
        true
    }

    fn wants(&mut self, header: &FrameHeader) -> bool {
        header.rejects > 0
    }

    fn settled(&mut self, reject: u64) {
        self.0.insert(reject);
    }
}

struct OpenRejects<F> {
    each: F,
    settled: HashSet<u64>,
    n: u64,
}

impl<F: FnMut(u64, &Reject) -> bool> Visitor for OpenRejects<F> {
    fn renumbers(&self) -> bool {
        true
    }

    fn wants(&mut self, header: &FrameHeader) -> bool {
        header.rejects > 0
    }

    fn reject(&mut self, reject: &Reject) -> ScanFlow {
        self.n += 1;
        if self.settled.contains(&self.n) || (self.each)(self.n, reject) {
            ScanFlow::Skip
        } else {
            ScanFlow::Stop
        }
    }
}
