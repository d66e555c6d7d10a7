//! The lines that could not be taken, as long as they have not been taken after all.

use super::Store;
use super::error::StoreError;
use super::scan::{Flow, Scope, Visitor};
use crate::log::Reject;
use crate::log::frame::FrameHeader;
use std::collections::HashSet;

impl Store {
    /// Gives each reject that is not settled, with its number among all rejects of the log, from 1, to `each`; stops
    /// when that returns `false`.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn kept_rejects(&self, each: impl FnMut(u64, &Reject) -> bool) -> Result<(), StoreError> {
        let mut settled = Settled::default();
        self.visit(&Scope::default(), &mut settled)?;
        let settled = settled.0;
        let mut kept = Kept {
            each,
            settled,
            n: 0,
        };
        self.visit(&Scope::default(), &mut kept).map(drop)
    }
}

/// Which are settled: told after the rejects themselves.
#[derive(Default)]
struct Settled(HashSet<u64>);

impl Visitor for Settled {
    fn wants(&mut self, header: &FrameHeader) -> bool {
        header.rejects > 0
    }

    fn settled(&mut self, reject: u64) {
        self.0.insert(reject);
    }
}

struct Kept<F> {
    each: F,
    settled: HashSet<u64>,
    n: u64,
}

impl<F: FnMut(u64, &Reject) -> bool> Visitor for Kept<F> {
    fn wants(&mut self, header: &FrameHeader) -> bool {
        header.rejects > 0
    }

    fn reject(&mut self, reject: &Reject) -> Flow {
        self.n += 1;
        if self.settled.contains(&self.n) || (self.each)(self.n, reject) {
            Flow::Skip
        } else {
            Flow::Stop
        }
    }
}
