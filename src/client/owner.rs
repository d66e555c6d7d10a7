//! What the owner of a store asks the process that has it open, one method for each request. `remote` sends them.

use super::remote::{RemoteError, ServerClient};
use crate::query::answer::{Session, Verified};
use crate::query::owner::{EntryRow, ReplayRow, Retried, RetryRow};
use crate::query::params::{
    HistoryParams, NoParams, ReplayParams, RetryParams, SessionsParams, VerifyParams,
};
use hyper::Method;

/// The callbacks that receive an answer.
pub struct PieceReader<'a, T> {
    /// Whether to stop; checked while waiting for the answer.
    pub stop: &'a dyn Fn() -> bool,
    /// Receives each row; `false` stops the answer.
    pub each: &'a mut dyn FnMut(T) -> bool,
}

/// Declares requests whose answers consist of rows only.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident $route:literal $params:ty => $row:ty;)*) => {
        impl ServerClient {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`RemoteError`]; the rows passed on before the error are valid.
            pub fn $name(&self, params: &$params, reader: PieceReader<'_, $row>) -> Result<(), RemoteError> {
                let PieceReader { stop, each } = reader;
                let asked = (Method::GET, $route);
                self.ask_owner(asked, params, stop, each, &mut |_| {}).map(|_: Option<()>| ())
            }
        )*}
    };
}

rows! {
    /// The rows of an export of entries.
    entry_rows "export/entries" HistoryParams => EntryRow;
    /// The rows of an export of stays.
    session_rows "export/sessions" SessionsParams => Session;
    /// The lines of a replay.
    replay "replay" ReplayParams => ReplayRow;
}

impl ServerClient {
    /// Verifies that the log is intact. `read` receives the number of entries read so far.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn verify(
        &self,
        params: &VerifyParams,
        read: &mut dyn FnMut(u64),
    ) -> Result<Verified, RemoteError> {
        let asked = (Method::GET, "verify");
        let verified = self.ask_owner(asked, params, &|| false, &mut |(): ()| true, read)?;
        verified.ok_or_else(|| self.broke_off())
    }

    /// Asks the process to close the store for a moment, so that this one can have it.
    ///
    /// # Errors
    /// [`RemoteError`]; a process that does other work than serving refuses it.
    pub fn step_aside(&self) -> Result<(), RemoteError> {
        let asked = (Method::POST, "step-aside");
        let done: Option<()> = self.ask_owner(
            asked,
            &NoParams {},
            &|| false,
            &mut |(): ()| true,
            &mut |_| {},
        )?;
        done.ok_or_else(|| self.broke_off())
    }

    /// Retries the rejects. `None`: the retry was stopped, and the remaining rejects are unchanged.
    ///
    /// # Errors
    /// [`RemoteError`]; what was accepted before the error is recorded.
    pub fn retry_rejects(
        &self,
        params: &RetryParams,
        reader: PieceReader<'_, RetryRow>,
    ) -> Result<Option<Retried>, RemoteError> {
        let PieceReader { stop, each } = reader;
        let asked = (Method::POST, "rejects/retry");
        self.ask_owner(asked, params, stop, each, &mut |_| {})
    }
}
