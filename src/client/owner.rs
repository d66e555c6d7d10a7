//! What the owner of a store asks of the process that has it open, each question a call: `remote` carries it out.

use super::remote::{RemoteError, ServerClient};
use crate::query::answer::{Session, Verified};
use crate::query::owner::{EntryRow, ReplayRow, Retried, RetryRow};
use crate::query::params::{
    HistoryParams, ReplayParams, RetryParams, SessionsParams, VerifyParams,
};
use hyper::Method;

/// What an answer goes to.
pub struct PieceReader<'a, T> {
    /// Whether no more is wanted; looked at while an answer is waited for.
    pub stop: &'a dyn Fn() -> bool,
    /// Each row; `false`: no more is wanted.
    pub each: &'a mut dyn FnMut(T) -> bool,
}

/// Declares questions whose rows are all that is asked for.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident $route:literal $params:ty => $row:ty;)*) => {
        impl ServerClient {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`RemoteError`]; the rows given before are good.
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
    /// Whether the log is whole. `read` hears how many entries have been read.
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

    /// Has the rejects taken in again; `None`: it was stopped, and those left are as they were.
    ///
    /// # Errors
    /// [`RemoteError`]; what was taken before is recorded.
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
