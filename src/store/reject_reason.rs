//! The reason that is kept with a rejected line, and what it says about a retry.

use crate::log::Reject;
use std::sync::Arc;

/// The end of a kept reason, if the sender of the line may write to some channels only.
const LIMITED: &str = "; its sender may write to some channels only, so no retry takes it";
/// The start of a kept reason, if an earlier version kept a line that its sender had no right to write.
const FORBIDDEN: &str = "the token does not allow ";

/// The reason that is kept with a line; `limited`: its sender may write to some channels only.
pub(super) fn kept_reason(reason: &str, limited: bool) -> Arc<str> {
    let mark = if limited { LIMITED } else { "" };
    Arc::from(format!("{reason}{mark}"))
}

/// Whether a retry may accept a reject: not if its sender had no right to write it, or possibly had none.
#[must_use]
pub fn may_be_retried(reject: &Reject) -> bool {
    !reject.reason.ends_with(LIMITED) && !reject.reason.starts_with(FORBIDDEN)
}
