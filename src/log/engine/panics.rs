//! Calls of an engine that panics on damaged files, and on disks that fail, instead of giving an error.

use super::JournalError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls what may panic. A panic that speaks of an error of the system is one; any other is damage.
pub(super) fn guarded<T>(
    call: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        let said = said.unwrap_or("no reason given");
        Err(match of_system(said) {
            Some(error) => JournalError::Engine(Box::new(error)),
            None => JournalError::Unreadable(said.into()),
        })
    })
}

/// The system's error in a text that was made from its debug form.
pub(super) fn of_system(text: &str) -> Option<io::Error> {
    let (_, rest) = text.split_once("Os { code: ")?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    let code = rest.get(..end)?.parse().ok()?;
    Some(io::Error::from_raw_os_error(code))
}
