//! Whether a store that was just made is whole, before it takes the place of another.

use super::VerifyDepth;
use crate::store::{ForgetError, RestoreError, Store};

/// Why a store that was made must not take any place.
pub(super) struct Unsound {
    /// The last entry before the fault.
    seq: u64,
    detail: String,
}

/// Verifies a store whose last entry should be `head`. Returns how many entries it has.
pub(super) fn sound(store: &Store, head: u64) -> Result<u64, Unsound> {
    let verified = store.verify(VerifyDepth::Form, |_| {});
    let verified = verified.map_err(|error| Unsound {
        seq: 0,
        detail: error.to_string(),
    })?;
    if let Some(problem) = verified.problems.into_iter().next() {
        let (seq, detail) = (problem.seq, problem.detail);
        return Err(Unsound { seq, detail });
    }
    if store.head() != head {
        let (seq, detail) = (store.head(), format!("entries up to {head} are missing"));
        return Err(Unsound { seq, detail });
    }
    Ok(verified.entries)
}

impl From<Unsound> for RestoreError {
    fn from(Unsound { seq, detail }: Unsound) -> Self {
        RestoreError::Unsound { seq, detail }
    }
}

impl From<Unsound> for ForgetError {
    fn from(Unsound { seq, detail }: Unsound) -> Self {
        ForgetError::Unsound { seq, detail }
    }
}
