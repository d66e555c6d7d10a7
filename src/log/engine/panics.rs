//! Calls of an engine that panics on damaged files, and on disks that fail, instead of giving an error.

use super::JournalError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls what may panic. A panic that speaks of an error of the system is one; any other is damage.
pub(super) fn guarded<T>(
    call: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        let said = said.unwrap_or("no reason given");
        let system = said.split_once("Os { code: ").and_then(|(_, rest)| {
            let end = rest.find(|character: char| !character.is_ascii_digit())?;
            rest.get(..end)?.parse().ok()
        });
        Err(match system {
            Some(code) => JournalError::Engine(Box::new(std::io::Error::from_raw_os_error(code))),
            None => JournalError::Unreadable(said.into()),
        })
    })
}
