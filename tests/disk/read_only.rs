//! Stores that cannot be written: queries work, and nothing in the store changes.

use crate::{joins, with_entries};
use rollbook_support::program::{Folder, copy, program, run};
use rollbook_support::traced::has;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const ENTRIES: u64 = 200;

/// Every file below a folder, with its bytes and its time of change.
fn all(folder: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let changed = fs::metadata(&path).unwrap().modified().unwrap();
                found.push((path.clone(), fs::read(path).unwrap(), changed));
            }
        }
    }
    found.sort();
    found
}

/// Runs a query on a store as a user who may read it but not write it.
fn as_nobody(folder: &Folder, args: &[&str]) -> Command {
    let own = program!();
    let binary = folder.path("rollbook");
    if !binary.exists() {
        fs::copy(own.get_program(), &binary).unwrap();
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(binary)
        .args(args)
        .env("ROLLBOOK_DATA", folder.path("store"));
    command
}

#[cfg(unix)]
#[test]
fn somebody_else_s_store_can_be_asked_and_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let mut probe = Command::new("setpriv");
    probe.args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "true",
    ]);
    if !has("setpriv") || !probe.status().is_ok_and(|status| status.success()) {
        println!("not tried: this user cannot become another one");
        return;
    }
    let folder = with_entries(ENTRIES);
    let mut left = vec![folder.path("."), folder.path("store")];
    while let Some(path) = left.pop() {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if path.is_dir() && path.starts_with(folder.path("store")) {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|item| item.unwrap().path()),
            );
        }
    }
    let before = all(&folder.path("store"));
    let asked: [&[&str]; 7] = [
        &["who", "c"],
        &["channels"],
        &["history", "--limit", "5"],
        &["sessions"],
        &["stats"],
        &["verify", "--deep"],
        &["replay", "--speed", "max"],
    ];
    for args in asked {
        let ran = run(as_nobody(&folder, args)).ok();
        assert!(ran.err.contains("read from a copy"), "{args:?}: {ran:?}");
        assert!(!ran.out.is_empty(), "{args:?}");
    }
    let file = folder.file("more.jsonl", joins(900, 901));
    let refused = run(as_nobody(&folder, &["ingest", &file])).fails(1);
    assert!(refused.err.contains("ermission denied"), "{refused:?}");
    assert_eq!(all(&folder.path("store")), before);
}

#[test]
fn a_store_is_read_from_a_copy_and_takes_nothing() {
    let folder = with_entries(ENTRIES);
    let before = all(&folder.path("store"));
    let store = rollbook::Store::open_read_only(folder.path("store")).unwrap();
    assert_eq!(store.head(), ENTRIES);
    assert!(store.record(&[]).is_err());
    store.close().unwrap();
    drop(store);
    assert_eq!(all(&folder.path("store")), before);
    // It cannot be opened while a writer has it.
    let owner = rollbook::Store::open(folder.path("store"), rollbook::Options::default()).unwrap();
    let refused = rollbook::Store::open_read_only(folder.path("store"));
    assert!(matches!(refused, Err(rollbook::StoreError::InUse { .. })));
    drop(owner);
    // A damaged store is reported by its own path.
    copy(&folder.path("store"), &folder.path("cut"));
    fs::write(folder.path("cut/log/db"), "").unwrap();
    let damaged = rollbook::Store::open_read_only(folder.path("cut"))
        .err()
        .unwrap();
    assert!(damaged.is_damage());
    assert!(
        damaged
            .to_string()
            .contains(folder.path("cut").to_str().unwrap()),
        "{damaged}"
    );
}
