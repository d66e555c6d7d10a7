//! The program's own documentation: completions for shells, and its manual.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program::folder;

#[test]
fn shells_learn_every_command() {
    let folder = folder!();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.run(&["completions", shell]).ok().out;
        for word in ["ingest", "replay", "export", "keep-recorded", "from-seq"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    folder.run(&["completions", "tcsh"]).fails(2);
    assert!(!folder.path("store").exists());
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let folder = folder!();
    let page = folder.run(&["man"]).ok().out;
    assert!(page.contains(".TH rollbook 1"), "{page}");
    let dir = folder.path("share").join("man1");
    folder.run(&["man", "--dir", dir.to_str().unwrap()]).ok();
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("rollbook.1").lines().last(), page.lines().last());
    for command in ["ingest", "who", "replay", "export", "rejects", "verify"] {
        let page = read(&format!("rollbook-{command}.1"));
        assert!(page.contains("SYNOPSIS"), "{page}");
    }
    // A manual page has the content of the help, including the examples.
    assert!(read("rollbook-replay.1").contains(r"keep\-recorded"));
    let in_the_way = folder.file("file", "");
    folder.run(&["man", "--dir", &in_the_way]).fails(1);
}
