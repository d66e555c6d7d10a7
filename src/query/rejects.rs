//! `rejects`: the lines that could not be taken.

use super::answer::RejectAnswer;
use crate::log::Reject;
use crate::log::frame::FrameHeader;
use crate::store::{Flow, Scope, Store, StoreError, Visitor};

impl Store {
    /// Gives the rejected lines, in the order in which they came, to `each`; stops when that returns `false`.
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
    /// Where the log cannot be read.
    pub fn rejects(&self, each: impl FnMut(RejectAnswer) -> bool) -> Result<(), StoreError> {
        self.visit(&Scope::default(), &mut Rejects { each, n: 0 })
            .map(drop)
    }
}

struct Rejects<F> {
    each: F,
    n: u64,
}

impl<F: FnMut(RejectAnswer) -> bool> Visitor for Rejects<F> {
    fn wants(&self, header: &FrameHeader) -> bool {
        header.rejects > 0
    }

    fn reject(&mut self, reject: &Reject) -> Flow {
        self.n += 1;
        let text = reject
            .text
            .as_deref()
            .map(|text| String::from_utf8_lossy(text).into_owned());
        let answer = RejectAnswer {
            n: self.n,
            source: reject.source.to_string(),
            line: reject.line,
            byte: reject.byte,
            reason: reject.reason.to_string(),
            text,
        };
        if (self.each)(answer) {
            Flow::Skip
        } else {
            Flow::Stop
        }
    }
}
