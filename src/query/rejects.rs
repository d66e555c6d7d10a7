//! `rejects`: the rejected lines that no retry has accepted yet.

use super::answer::RejectAnswer;
use crate::log::Reject;
use crate::store::{KeptRejects, Store, StoreError};
use std::iter::FusedIterator;

impl Store {
    /// The rejected lines that are not settled, in the order of the log.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), "nonsense\n")?;
    /// # let source = rollbook::ingest::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// for reject in store.rejects()? {
    ///     let reject = reject?;
    ///     assert_eq!((reject.line, reject.text.as_deref()), (1, Some("nonsense")));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn rejects(&self) -> Result<Rejects<'_>, StoreError> {
        self.kept_rejects().map(Rejects)
    }
}

/// The rejected lines of [`rejects`](Store::rejects), read from the log one after another. After an error there are no
/// more.
#[must_use = "rejects are read only when they are asked for"]
pub struct Rejects<'a>(KeptRejects<'a>);

impl Iterator for Rejects<'_> {
    type Item = Result<RejectAnswer, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let kept = self.0.next()?;
        Some(kept.map(|(n, reject)| reject_answer(n, &reject)))
    }
}

impl FusedIterator for Rejects<'_> {}

fn reject_answer(n: u64, reject: &Reject) -> RejectAnswer {
    let text = reject.text.as_deref();
    RejectAnswer {
        n,
        source: reject.source.to_string(),
        line: reject.line,
        byte: reject.byte,
        reason: reject.reason.to_string(),
        text: text.map(|text| String::from_utf8_lossy(text).into_owned()),
    }
}
