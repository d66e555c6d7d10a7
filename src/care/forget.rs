//! `forget`: makes a store again without the strings of a person, and verifies it before it takes the place of what is there.

use super::sound::sound;
use crate::domain::time::Millis;
use crate::log::eraser::Erased;
use crate::store::{ForgetError, Forgetting};
use std::path::Path;
use std::time::Duration;

/// What was forgotten of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForgottenUser {
    /// What stands for their name now.
    pub stand_in: String,
    /// What was found of them.
    pub found: Erased,
    /// Whether anything was.
    pub is_known: bool,
}

/// Forgets a user of the store in a folder: everywhere, or as a publisher in one channel. With `dry_run` it only says what
/// would go. `now` is Unix ms. Waits up to `patience` for another process to close the store.
///
/// Their name, connections, metadata, reasons and ids are gone from all files of the store; what happened when remains under
/// stand-ins. Backups that were made before still have them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::{Event, Options, Store, care::forget};
/// # let dir = tempfile::tempdir()?;
/// let store = Store::open(dir.path(), Options::default())?;
/// store.record(&[Event::join("room", "chat", "lily").at(1_000)])?;
/// drop(store);
/// let forgotten = forget(dir.path(), ("lily", None), 2_000, false, Default::default())?;
/// assert_eq!(forgotten.found.changes, 1);
/// let store = Store::open(dir.path(), Options::default())?;
/// let who = store.who("room", &Default::default())?;
/// assert_eq!(who.topics[0].publishers[0].user, forgotten.stand_in);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ForgetError`]: then what was there is as it was.
pub fn forget(
    dir: &Path,
    (user, channel): (&str, Option<&str>),
    now: Millis,
    dry_run: bool,
    patience: Duration,
) -> Result<ForgottenUser, ForgetError> {
    let forgetting = Forgetting::begin(dir, (user, channel), now, patience)?;
    let forgotten = ForgottenUser {
        stand_in: forgetting.stand_in.clone(),
        found: forgetting.found,
        is_known: forgetting.is_known,
    };
    if dry_run || !forgetting.is_needed {
        return Ok(forgotten);
    }
    let store = forgetting.staged()?;
    sound(&store, forgetting.head)?;
    store.close()?;
    drop(store);
    forgetting.take_place()?;
    Ok(forgotten)
}
