//! The formats that a store has had, and the steps from each to the next. The steps themselves are in `migrations/`.

use super::manifest::Manifest;
use crate::log::engine::files::sync_folder;
use crate::store::error::StoreError;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../migrations/m0001_first_layout.rs"]
mod m0001_first_layout;
#[path = "../../../migrations/m0002_sealed_blocks.rs"]
mod m0002_sealed_blocks;

/// One step: from the previous format to its own.
pub(crate) struct Migration {
    /// The format that it produces.
    pub to: u32,
    /// What it does, for the user.
    pub title: &'static str,
    /// The files and folders that it replaces. They are copied before.
    pub replaces: &'static [&'static str],
    /// Runs the step. The folder is locked, and the files that the step replaces have been copied. The step writes
    /// the new format number last.
    pub run: fn(&Path) -> Result<(), StoreError>,
}

/// Every step, in order.
const MIGRATIONS: &[Migration] = &[
    m0001_first_layout::MIGRATION,
    m0002_sealed_blocks::MIGRATION,
];

/// The format that this program writes.
pub const FORMAT: u32 = 2;

/// The steps that a store needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationPlan {
    /// The format that the store has; 0 if there is no store yet.
    pub from: u32,
    /// The steps that are missing: their formats, and what they do.
    pub steps: Vec<(u32, &'static str)>,
    /// Bytes that are copied before, so that there is a way back.
    pub copied_bytes: u64,
}

/// The steps that [`Store::open`](crate::store::Store::open) would run on the store in `dir`.
///
/// # Errors
/// [`StoreError::NewerFormat`] if a newer program wrote the store.
pub fn plan(dir: &Path) -> Result<MigrationPlan, StoreError> {
    let from = Manifest::read(dir)?.map_or(0, |manifest| manifest.format);
    if from > FORMAT {
        return Err(StoreError::NewerFormat {
            dir: dir.to_owned(),
            found: from,
            known: FORMAT,
        });
    }
    let missing = MIGRATIONS.iter().filter(|migration| migration.to > from);
    // A store that is made now has nothing to copy, and a copy that is there already is kept.
    let copied = missing
        .clone()
        .filter(|migration| from > 0 && !kept(dir, migration).exists());
    let names = copied.flat_map(|migration| migration.replaces);
    Ok(MigrationPlan {
        from,
        copied_bytes: names.map(|name| bytes_of(&dir.join(name))).sum(),
        steps: missing
            .map(|migration| (migration.to, migration.title))
            .collect(),
    })
}

/// Where the copy of what a step replaces is kept.
fn kept(dir: &Path, migration: &Migration) -> PathBuf {
    dir.join(format!("before-format-{}", migration.to))
}

/// Bytes of a file, or of all files in a folder, as far as they can be read.
fn bytes_of(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(items) => items
            .flatten()
            .map(|item| bytes_of(&item.path()))
            .sum::<u64>(),
        Err(_) => fs::metadata(path).map_or(0, |file| file.len()),
    }
}

/// Runs the missing steps. Before each step it keeps a copy of what the step replaces.
pub(in crate::store) fn bring_up_to_date(dir: &Path) -> Result<Manifest, StoreError> {
    let plan = plan(dir)?;
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.to > plan.from)
    {
        // A store that is made now has nothing to copy.
        if plan.from > 0 {
            keep_copy(dir, migration)?;
        }
        (migration.run)(dir)?;
    }
    Manifest::read(dir)?.ok_or_else(|| StoreError::NoSuchStore(dir.to_owned()))
}

/// Copies what a step replaces to `DIR/before-format-N`, under another name until the copy is complete.
fn keep_copy(dir: &Path, migration: &Migration) -> Result<PathBuf, StoreError> {
    let kept = kept(dir, migration);
    let unfinished = dir.join(format!("before-format-{}.unfinished", migration.to));
    if kept.exists() {
        return Ok(kept);
    }
    let copied = (|| {
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(&unfinished)?;
        for name in migration.replaces {
            let (from, to) = (dir.join(name), unfinished.join(name));
            if from.is_dir() {
                copy_tree(&from, &to)?;
            } else {
                copy_file(&from, &to)?;
            }
        }
        // All of the copy is on the disk before it gets its name, and the name before the original is replaced.
        sync_folder(&unfinished)?;
        fs::rename(&unfinished, &kept)?;
        sync_folder(dir)
    })();
    copied.map_err(|error| StoreError::io(&kept, error))?;
    Ok(kept)
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for item in fs::read_dir(from)? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            copy_tree(&item.path(), &target)?;
        } else {
            copy_file(&item.path(), &target)?;
        }
    }
    sync_folder(to)
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from, to)?;
    fs::File::open(to)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_steps_lead_one_by_one_to_the_format_that_is_written() {
        let formats: Vec<u32> = MIGRATIONS.iter().map(|migration| migration.to).collect();
        assert_eq!(formats, (1..=FORMAT).collect::<Vec<_>>());
    }

    #[test]
    fn a_copy_holds_all_that_a_step_may_replace() {
        let dir = tempfile::tempdir().unwrap();
        bring_up_to_date(dir.path()).unwrap();
        fs::write(dir.path().join("log/db"), b"entries").unwrap();
        let step = Migration {
            to: 9,
            title: "",
            replaces: &["store.json", "log"],
            run: |_| Ok(()),
        };
        let kept = keep_copy(dir.path(), &step).unwrap();
        assert_eq!(fs::read(kept.join("log/db")).unwrap(), b"entries");
        assert_eq!(
            Manifest::read(&kept).unwrap(),
            Manifest::read(dir.path()).unwrap()
        );
    }
}
