//! `backup`: all that is durable as one file, while lines are recorded; and whether such a file is whole.

use super::{failure, now};
use crate::cli::answers::QueryBackend;
#[cfg(feature = "client")]
use crate::cli::answers::unanswered;
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::holding::Holding;
use crate::cli::interrupt::interrupted;
use crate::cli::progress::{FileProgress, say};
#[cfg(feature = "client")]
use crate::cli::text::shown;
use crate::cli::text::{count, many};
#[cfg(feature = "client")]
use crate::client::remote::RemoteError;
use crate::log::archive::ArchiveError;
use crate::query::answer::Time;
use crate::store::{Backup, BackupError, BackupPlace, note_backup};
use clap::Args;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tempfile::NamedTempFile;

/// `backup`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook backup monday.backup
  rollbook backup tuesday.backup --since monday.backup     only what came behind it
  rollbook backup /mnt/backups                             a name is made up
  rollbook --url https://rolls.example backup - | aws s3 cp - s3://backups/rolls
  rollbook backup --verify monday.backup tuesday.backup    are they whole?
", after_help = "Lines are recorded meanwhile: the backup has what was durable when it began. It has the store's secrets, so keep \
it as safe as the store. `rollbook restore` makes a store of it again.")]
pub struct BackupArgs {
    /// The file, or a folder in which it gets a name; `-` is standard output
    #[arg(value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Continue this earlier backup: only what came behind it. To restore, both are needed
    #[arg(long, value_name = "EARLIER", conflicts_with = "verify")]
    pub since: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, conflicts_with = "verify")]
    pub force: bool,
    /// Make none: read these, and say whether they are whole
    #[arg(long)]
    pub verify: bool,
}

pub(in crate::cli) fn run(everywhere: &GlobalArgs, args: &BackupArgs) -> Result<(), Failure> {
    if args.verify {
        return verify(&args.files);
    }
    let [target] = args.files.as_slice() else {
        let what = "one backup is made at a time: name one file";
        return Err(Failure::new(Exit::Usage, what.to_owned()));
    };
    let since = args.since.as_deref().map(read).transpose()?;
    let since = since.map(|earlier| earlier.end);
    let backend = QueryBackend::of(everywhere)?;
    if target == Path::new("-") {
        return write(backend, since.as_ref(), &mut io::stdout().lock());
    }
    let folder = match target.parent() {
        _ if target.is_dir() => target,
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if target.is_file() && !args.force {
        return Err(is_there(target));
    }
    let failed =
        |error: io::Error| Failure::new(Exit::Failed, format!("{}: {error}", target.display()));
    // It is private, as the store is.
    let mut beside = NamedTempFile::with_prefix_in(".rollbook-backup-", folder).map_err(failed)?;
    write(backend, since.as_ref(), beside.as_file_mut())?;
    beside.as_file().sync_all().map_err(failed)?;
    // What came over a network, or lies on a bad disk, is found now and not when it is needed.
    let made = read(beside.path())?;
    let file = match target.is_dir() {
        true => target.join(format!("rollbook-{}.backup", made.end.seq)),
        false => target.clone(),
    };
    let named = match args.force {
        true => beside.persist(&file),
        false => beside.persist_noclobber(&file),
    };
    let bytes = named.map_err(|failure| match failure.error.kind() {
        io::ErrorKind::AlreadyExists => is_there(&file),
        _ => failed(failure.error),
    })?;
    let bytes = bytes.metadata().map_or(0, |known| known.len());
    // The file is whole; only its name may be lost in a power cut.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    say(&format!(
        "{}: {}, {} bytes",
        file.display(),
        summary(&made),
        count(bytes)
    ));
    Ok(())
}

fn write(
    backend: QueryBackend<'_>,
    since: Option<&BackupPlace>,
    sink: &mut dyn Write,
) -> Result<(), Failure> {
    let interrupted = interrupted();
    let stopped = || interrupted.load(Ordering::Relaxed);
    let mut progress = FileProgress::start(None);
    let mut sink = BufWriter::new(sink);
    let written = match backend {
        QueryBackend::Store(data, store) => {
            let mut holding = Holding::read(data, *store);
            let mut going = |bytes| {
                progress.at(bytes, 0);
                !stopped()
            };
            let written = match holding.store().spool_backup(since, &mut going) {
                // Its reader may be slow, and others want the store.
                Ok(spool) => {
                    holding.close(data)?;
                    drop(holding);
                    copy(spool, &mut sink, &mut going)
                }
                // There may be no room for the file, and then a backup is wanted all the more.
                Err(BackupError::Archive(ArchiveError::Io(_))) => {
                    let store = holding.store();
                    let written = store.backup(&mut sink, since, &mut going).map(drop);
                    written.and_then(|()| Ok(store.close()?))
                }
                Err(error) => Err(error),
            };
            let noted = written.map(|()| note_backup(data, now()));
            noted.map_err(|error| unmade(data, error))
        }
        #[cfg(feature = "client")]
        QueryBackend::Server(server) => {
            let (mut bytes, mut put) = (0, Ok(()));
            let params = crate::query::params::BackupParams::of(since);
            let each = &mut |piece: &[u8]| {
                bytes += piece.len() as u64;
                progress.at(bytes, 0);
                put = sink.write_all(piece);
                put.is_ok()
            };
            let came = server.download("backup", &params, &stopped, each);
            came.map_err(unsent).and_then(|()| match put {
                _ if stopped() => Err(Failure::new(
                    Exit::Interrupted,
                    BackupError::Stopped.to_string(),
                )),
                put => put.map_err(|error| Failure::new(Exit::Failed, error.to_string())),
            })
        }
    };
    progress.finish();
    written?;
    sink.flush()
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// Copies a backup from the file in which it waits.
fn copy(
    mut spool: File,
    sink: &mut dyn Write,
    going: &mut dyn FnMut(u64) -> bool,
) -> Result<(), BackupError> {
    let (mut piece, mut bytes) = (vec![0; 64 << 10], 0);
    loop {
        let read = spool.read(&mut piece).map_err(ArchiveError::Io)?;
        let Some(piece) = piece.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok(());
        };
        sink.write_all(piece).map_err(ArchiveError::Io)?;
        bytes += read as u64;
        if !going(bytes) {
            return Err(BackupError::Stopped);
        }
    }
}

/// What a server refuses of a backup is wrong with what was asked, as it is where the store itself is read.
#[cfg(feature = "client")]
fn unsent(error: RemoteError) -> Failure {
    match error {
        RemoteError::Failed {
            status: 400, why, ..
        } => Failure::new(Exit::Usage, shown(&why)),
        other => unanswered(other),
    }
}

fn verify(files: &[PathBuf]) -> Result<(), Failure> {
    for file in files {
        let backup = read(file)?;
        say(&format!(
            "{} is whole: {}",
            file.display(),
            summary(&backup)
        ));
    }
    Ok(())
}

fn is_there(file: &Path) -> Failure {
    Failure::new(Exit::Failed, format!("{} is there already", file.display()))
        .hint("name another file, or replace it with --force")
}

/// Reads a file of a backup, and checks that it is whole.
fn read(file: &Path) -> Result<Backup, Failure> {
    let opened = File::open(file).map_err(|error| {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        Failure::new(exit, format!("{}: {error}", file.display()))
    })?;
    Backup::read(opened).map_err(|error| {
        let exit = match &error {
            BackupError::Archive(error) if error.is_damage() => Exit::Corrupt,
            _ => Exit::Failed,
        };
        Failure::new(exit, format!("{}: {error}", file.display()))
    })
}

/// What is in a backup, in words.
pub(super) fn summary(backup: &Backup) -> String {
    let entries = match backup.continues {
        true if backup.after_seq == backup.end.seq => {
            format!("nothing new since entry {}", backup.after_seq)
        }
        true => format!("entries {} to {}", backup.after_seq + 1, backup.end.seq),
        false => format!("all up to entry {}", backup.end.seq),
    };
    format!(
        "{entries}, {} and {}, begun at {}",
        many(backup.blocks, "block", "blocks"),
        many(backup.values, "value", "values"),
        Time(backup.made_at)
    )
}

fn unmade(data: &Path, error: BackupError) -> Failure {
    match error {
        BackupError::Store(error) => failure(data, error),
        BackupError::Stopped => Failure::new(Exit::Interrupted, error.to_string()),
        BackupError::OtherStore | BackupError::Forgotten => {
            Failure::new(Exit::Usage, error.to_string())
        }
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}
