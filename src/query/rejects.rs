//! `rejects`: the rejected lines that no retry has accepted yet.

use super::answer::RejectAnswer;
use crate::store::{Store, StoreError};

impl Store {
    /// Calls `each` with the rejected lines that are not settled, in the order of the log. Stops when it returns
    /// `false`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), concat!(
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"tony"}]},"ts":1000}"#, "\n",
    /// #     r#"{"t":"link","state":"down","ts":2000}"#, "\n",
    /// #     r#"{"t":"link","state":"up","ts":8000}"#, "\n",
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"lily"}]},"ts":9000}"#, "\n",
    /// #     "nonsense\n",
    /// # ))?;
    /// # let source = rollbook::ingest::source::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// store.rejects(|reject| {
    ///     assert_eq!((reject.line, reject.text.as_deref()), (5, Some("nonsense")));
    ///     true
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn rejects(&self, mut each: impl FnMut(RejectAnswer) -> bool) -> Result<(), StoreError> {
        self.kept_rejects(|n, reject| {
            let text = reject.text.as_deref();
            each(RejectAnswer {
                n,
                source: reject.source.to_string(),
                line: reject.line,
                byte: reject.byte,
                reason: reject.reason.to_string(),
                text: text.map(|text| String::from_utf8_lossy(text).into_owned()),
            })
        })
    }
}
