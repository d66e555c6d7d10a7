//! `serve --check`: looks at everything that serving needs, and changes nothing. It prints the settings in effect, and
//! names each problem.

use super::failure;
use super::listen_args::ListenArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::cli::settings::SettingRow;
use crate::cli::tables::SettingsTable;
use crate::cli::text::shown;
use crate::store::{FolderState, look};
use rustix::fs::{Access, access};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

/// Prints the settings, and fails with the first problem; the others are named before.
///
/// # Errors
/// The first problem that would keep the server from starting.
pub(super) fn run(
    data: &Path,
    (doors, listen): (&ListenArgs, &str),
    (settings, log): (&[SettingRow], Option<Failure>),
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut list = output.list(SettingsTable::default());
    for row in settings {
        list.row(row)?;
    }
    list.finish()?;
    let state = look(data).map_err(|error| failure(data, error));
    let in_use = matches!(state, Ok(FolderState::InUse(_)));
    let mut problems = doors.problems("--listen", listen);
    if problems.is_empty() {
        problems.extend(unbound(listen, in_use));
    }
    problems.extend(unusable(data, state));
    problems.extend(log);
    let mut problems = problems.into_iter();
    let Some(first) = problems.next() else {
        say("the server can be started with these settings");
        return Ok(());
    };
    problems.for_each(|problem| say(&problem.to_string()));
    Err(first)
}

/// Why the address cannot be opened. While another server has the store, it may have the address, too: to look at new
/// settings beside it is what the check is for.
fn unbound(address: &str, in_use: bool) -> Option<Failure> {
    let error = TcpListener::bind(address).err()?;
    if in_use && error.kind() == ErrorKind::AddrInUse {
        say(&format!("{}: it is in use now", shown(address)));
        return None;
    }
    let what = format!("--listen {}: {error}", shown(address));
    Some(Failure::new(Exit::Failed, what))
}

/// Why the data directory cannot be used.
fn unusable(data: &Path, state: Result<FolderState, Failure>) -> Option<Failure> {
    let state = match state {
        Ok(state) => state,
        Err(failure) => return Some(failure),
    };
    let name = shown(&data.to_string_lossy()).into_owned();
    match state {
        FolderState::InUse(holder) => say(&format!(
            "the store in {name} is in use now by {}",
            shown(&holder)
        )),
        FolderState::Absent => say(&format!("there is no store in {name}: it will be made")),
        _ => {}
    }
    // Of a folder that will be made, the nearest that there is.
    let whole = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let there = whole.ancestors().find(|folder| folder.exists())?;
    let error = access(there, Access::WRITE_OK | Access::EXEC_OK).err()?;
    let what = format!(
        "{} cannot be written: {error}",
        shown(&there.to_string_lossy())
    );
    Some(Failure::new(Exit::Failed, what))
}
