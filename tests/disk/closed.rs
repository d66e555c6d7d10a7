//! Disks that fail when a store is closed: an error message, and no panic.

use crate::{joins, with_entries};
use rollbook_support::program::{Folder, run};
use rollbook_support::traced::{has, traced};
use std::process::Command;

/// The program under strace, which makes some calls fail.
fn failing(folder: &Folder, args: &[&str], faults: &[&str]) -> Command {
    let mut options = vec!["-o", "/dev/null"];
    options.extend(faults.iter().flat_map(|fault| ["-e", fault]));
    traced(&folder.program(args), &options)
}

#[test]
fn a_sync_that_fails_at_the_end_is_said() {
    if !has("strace") {
        return;
    }
    let folder = with_entries(100);
    let file = folder.file("more.jsonl", joins(1_000, 1_010));
    for durability in ["power", "process", "none"] {
        let args = ["ingest", "--durability", durability, &file];
        // Opening makes a sync only with `power`.
        let first = if durability == "power" { "2" } else { "1" };
        let fault = format!("inject=fdatasync:error=EIO:when={first}+");
        let ran = run(failing(&folder, &args, &[&fault]));
        let ran = ran.fails(1);
        assert!(
            ran.err.contains("Input/output error"),
            "{durability}: {ran:?}"
        );
        assert!(folder.verified() >= 100);
    }
}

#[test]
fn the_engine_s_own_sync_at_the_end_does_not_end_the_program() {
    if !has("strace") {
        return;
    }
    let folder = with_entries(100);
    let ran = run(failing(
        &folder,
        &["who", "c"],
        &["inject=fsync:error=EIO:when=2+"],
    ));
    assert!(matches!(ran.status, Some(0 | 1)), "{ran:?}");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    assert_eq!(folder.verified(), 100);
}
