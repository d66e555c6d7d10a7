//! `forget` from the outside.

use rollbook_support::program::{Folder, folder};
use serde_json::json;

fn evening() -> Folder {
    let folder = folder!();
    let line = |user: &str, at: u64| {
        format!(
            "{{\"t\":\"join\",\"channel\":\"hall\",\"topic\":\"chat\",\"user\":\"{user}\",\"ts\":{at}}}\n"
        )
    };
    let lines = [
        line("lily", 1_000),
        line("tony", 2_000),
        "no line of lily\n".to_owned(),
    ];
    folder.ingest(lines.concat(), &[]);
    folder
}

#[test]
fn a_plan_changes_nothing_and_says_what_would_go() {
    let folder = evening();
    let before = folder.run(&["history"]).ok().out;
    let planned = folder.run(&["forget", "--user", "lily", "--dry-run"]).ok();
    assert!(
        planned.err.contains("1 changes, 1 texts, 1 rejected lines"),
        "{planned:?}"
    );
    assert_eq!(folder.run(&["history"]).ok().out, before);
    folder
        .run(&["forget", "--user", "nobody", "--dry-run"])
        .fails(3);
    folder.run(&["forget", "--user", ""]).fails(2);
    // A word in the path of a file is said to be one: of a file that was read, and of a rejected line.
    let planned = folder.run(&["forget", "--user", "feed", "--dry-run"]).ok();
    assert!(
        planned.err.contains("2 texts (2 paths of files)"),
        "{planned:?}"
    );
}

#[test]
fn a_person_is_gone_from_every_answer_and_the_rest_is_there() {
    let folder = evening();
    let monday = folder.path("monday").to_string_lossy().into_owned();
    folder.run(&["backup", &monday]).ok();
    let done = folder.run(&["forget", "--user", "lily"]).ok();
    assert!(done.err.contains("stands for the user now"), "{done:?}");
    assert!(done.err.contains("earlier backups"), "{done:?}");
    for question in [
        &["history"][..],
        &["who", "hall"],
        &["rejects"],
        &["sessions"],
    ] {
        let answer = folder.run(question).ok().out;
        assert!(!answer.contains("lily"), "{answer}");
    }
    assert_eq!(folder.ask(&["history"]).len(), 2);
    assert_eq!(folder.verified(), 2);
    let tuesday = folder.path("tuesday").to_string_lossy().into_owned();
    let refused = folder
        .run(&["backup", &tuesday, "--since", &monday])
        .fails(2);
    assert!(refused.err.contains("make a whole backup"), "{refused:?}");
    let list = folder.run(&["forget", "--list"]).ok();
    let (one, stand_in) = (list.line(), done.err.split(": ").nth(1).unwrap());
    let named = one["stand_in"].as_str().unwrap();
    assert!(stand_in.starts_with(named), "{list:?} {done:?}");
    assert_eq!((&one["changes"], &one["rejects"]), (&json!(1), &json!(1)));
    // They are a new person when they come again.
    folder.ingest(
        "{\"t\":\"join\",\"channel\":\"hall\",\"topic\":\"chat\",\"user\":\"lily\",\"ts\":3000}\n",
        &[],
    );
    let who = folder.run(&["who", "hall"]).ok().line();
    assert_eq!(
        who["topics"][0]["publishers"].as_array().map(Vec::len),
        Some(3)
    );
    folder
        .run(&["--data", "nowhere", "forget", "--user", "lily"])
        .fails(3);
}
