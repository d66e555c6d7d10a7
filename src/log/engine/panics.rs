//! Calls to an engine that panics, instead of returning an error, on damaged files and failing disks.

use super::JournalError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a call that may panic. A panic message with a system error becomes that error; any other panic counts as
/// damage.
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

/// The system's error in a text that contains its debug form.
pub(super) fn of_system(text: &str) -> Option<io::Error> {
    let (_, rest) = text.split_once("Os { code: ")?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    let code = rest.get(..end)?.parse().ok()?;
    Some(io::Error::from_raw_os_error(code))
}
