//! The engine's files as a crash, a full disk or a bad disk leaves them. What can be opened without loss is opened;
//! the rest is reported.

use crate::with_entries;
use rollbook_support::program::{Folder, copy};
use std::fs;
use std::path::PathBuf;

const ENTRIES: u64 = 400;

/// A change of a file's bytes.
type Change = fn(&mut Vec<u8>);

/// The engine's files whose names begin with `start`.
fn named(folder: &Folder, start: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.path("store/log")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let found: Vec<_> = files
        .filter(|file| {
            file.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(start)
        })
        .collect();
    assert!(!found.is_empty(), "there is no {start}");
    found
}

/// A store with the engine's snapshot, which opening makes.
fn store() -> Folder {
    let folder = with_entries(ENTRIES);
    assert_eq!(folder.verified(), ENTRIES);
    named(&folder, "snap.");
    folder
}

#[test]
fn an_unfinished_snapshot_of_the_engine_is_no_damage() {
    let folder = store();
    for content in ["", "half of one"] {
        folder.file("store/log/snap.00000000000FFFFF.generating", content);
        assert_eq!(folder.verified(), ENTRIES);
        assert!(
            !folder
                .path("store/log/snap.00000000000FFFFF.generating")
                .exists()
        );
    }
}

#[test]
fn what_the_engine_can_make_again_is_made_again() {
    let folder = store();
    copy(&folder.path("store"), &folder.path("sound"));
    let changes: [(&str, Change); 4] = [
        ("emptied", Vec::clear),
        ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
        ("cut by a byte", |bytes| bytes.truncate(bytes.len() - 1)),
        ("a bit turned", |bytes| bytes[5] ^= 4),
    ];
    for start in ["snap.", "conf"] {
        for (what, change) in changes {
            fs::remove_dir_all(folder.path("store")).unwrap();
            copy(&folder.path("sound"), &folder.path("store"));
            for file in named(&folder, start) {
                let mut bytes = fs::read(&file).unwrap();
                change(&mut bytes);
                fs::write(&file, bytes).unwrap();
            }
            let verified = folder.run(&["verify", "--deep"]).ok().line();
            assert_eq!(verified["entries"], ENTRIES, "{start} {what}");
            folder.ingest(crate::joins(1_000, 1_010), &[]);
            assert_eq!(folder.verified(), ENTRIES + 10, "{start} {what}");
        }
        fs::remove_dir_all(folder.path("store")).unwrap();
        copy(&folder.path("sound"), &folder.path("store"));
        named(&folder, start)
            .iter()
            .for_each(|file| fs::remove_file(file).unwrap());
        assert_eq!(folder.verified(), ENTRIES, "{start} gone");
    }
}

#[cfg(unix)]
#[test]
fn a_new_store_is_its_owner_s_alone_and_an_older_one_is_spoken_of() {
    use std::os::unix::fs::PermissionsExt;
    let folder = store();
    let mut left = vec![folder.path("store")];
    while let Some(path) = left.pop() {
        let known = fs::metadata(&path).unwrap();
        let mode = known.permissions().mode() & 0o777;
        if known.is_dir() {
            assert_eq!(mode, 0o700, "{path:?}");
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|item| item.unwrap().path()),
            );
        } else {
            assert_eq!(mode, 0o600, "{path:?}");
        }
    }
    let set = |path: &str, mode| {
        fs::set_permissions(folder.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("store", 0o755);
    set("store/store.json", 0o644);
    let file = folder.file("more.jsonl", crate::joins(500, 510));
    let ran = folder.run(&["ingest", &file]).ok();
    assert!(ran.err.contains("store.json: other users"), "{ran:?}");
    assert!(ran.err.contains("chmod go="), "{ran:?}");
}
