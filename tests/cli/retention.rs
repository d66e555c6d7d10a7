//! `prune`, `compact --retain`, and questions to a pruned store.

use rollbook_support::program::{Folder, folder};

/// Five members, one a run; the last one left again in the last run.
fn recorded() -> Folder {
    let folder = folder!();
    for n in 1..=5 {
        let text = format!(
            r#"{{"t":"join","channel":"c","topic":"t","user":"u{n}","ts":{}}}"#,
            n * 1_000
        );
        folder.ingest(text, &[]);
    }
    folder.ingest(
        "nonsense\n{\"t\":\"leave\",\"channel\":\"c\",\"topic\":\"t\",\"user\":\"u5\",\"ts\":9000}",
        &[],
    );
    folder
}

#[test]
fn what_is_old_goes_and_the_rest_answers_as_before() {
    let folder = recorded();
    let questions: [&[&str]; 5] = [
        &["who", "c"],
        &["who", "c", "--at", "@5001"],
        &["channels"],
        &["sessions", "--from", "@5001"],
        &["rejects"],
    ];
    let asked = |folder: &Folder| questions.map(|args| folder.run(args).ok().out);
    let before = asked(&folder);
    let all = folder.run(&["history"]).ok();
    assert_eq!(all.err, "");
    let planned = folder.run(&["prune", "--before", "-1ms", "--dry-run"]).ok();
    assert!(planned.err.contains("5 entries, 0 blocks"), "{planned:?}");
    assert!(
        planned
            .err
            .contains("would go: retained_from 1970-01-01T00:00:05.001Z"),
        "{planned:?}"
    );
    assert_eq!(
        folder.run(&["history"]).ok().out,
        all.out,
        "a plan changes nothing"
    );
    folder.run(&["prune", "--before", "@1"]).ok();
    assert_eq!(folder.run(&["history"]).ok().out, all.out);
    let pruned = folder.run(&["prune", "--before", "-1ms"]).ok();
    assert!(pruned.err.contains("5 entries, 0 blocks"), "{pruned:?}");
    assert!(pruned.err.contains("behind entry 5"), "{pruned:?}");
    assert_eq!(asked(&folder), before);
    assert_eq!(folder.verified(), 1);
    let left = folder.run(&["history"]).ok();
    assert_eq!(left.out.lines().count(), 1);
    assert!(
        left.err
            .contains("entries before 1970-01-01T00:00:05.001Z were pruned"),
        "{left:?}"
    );
    let past: [&[&str]; 6] = [
        &["who", "c", "--at", "@4000"],
        &["who", "c", "--seq", "5"],
        &["history", "--after-seq", "2"],
        &["history", "--to", "@3000"],
        &["stats", "--to", "@5001"],
        &["replay", "--from-seq", "3"],
    ];
    for args in past {
        let refused = folder.run(args).fails(3);
        assert!(refused.err.contains("past retention"), "{refused:?}");
        assert!(refused.err.contains("(up to seq 5)"), "{refused:?}");
    }
    let stats = folder.ask(&["stats", "c"]);
    assert_eq!(stats[0]["retained_from"], "1970-01-01T00:00:05.001Z");
    assert_eq!(
        (&stats[0]["joins"], &stats[0]["leaves"]),
        (&0.into(), &1.into())
    );
    let stats = folder.ask(&["stats", "c", "--from", "@5001"]);
    assert!(stats[0].get("retained_from").is_none(), "{stats:?}");
    // The rosters come first, so that what is played stands for itself.
    let played = folder.run(&["replay"]).ok().lines();
    assert_eq!(played[0]["eventType"], "SNAPSHOT");
    assert_eq!(played[0]["topicInfos"][0]["totalPublisher"], 5);
    assert_eq!(played[1]["eventType"], "REMOTE_LEAVE");
    // What comes behind is recorded as ever.
    folder.run(&["rebuild"]).ok();
    assert_eq!(asked(&folder), before);
    folder.ingest(
        r#"{"t":"leave","channel":"c","topic":"t","user":"u1","ts":9500}"#,
        &[],
    );
    let stays = folder.ask(&["sessions", "--from", "@5001"]);
    let over = stays.iter().find(|stay| stay["user"] == "u1").unwrap();
    assert_eq!(
        (&over["min_ms"], &over["max_ms"]),
        (&8_500.into(), &8_500.into())
    );
    assert_eq!(folder.verified(), 2);
}

#[test]
fn a_compaction_prunes_first_and_wrong_ages_are_refused() {
    let folder = recorded();
    let size = || {
        std::fs::metadata(folder.path("store/log/db"))
            .unwrap()
            .len()
    };
    let before = size();
    let compacted = folder.run(&["compact", "--retain", "1ms"]).ok();
    assert!(
        compacted.err.contains("5 entries, 0 blocks"),
        "{compacted:?}"
    );
    assert!(size() <= before);
    assert_eq!(folder.verified(), 1);
    let more = folder.run(&["compact", "--retain", "1ms"]).ok();
    assert!(more.err.contains("nothing is to go"), "{more:?}");
    for wrong in [
        &["compact", "--retain", "90"][..],
        &["compact", "--retain", "0d"],
        &["prune"],
        &["prune", "--before", "90"],
        &["prune", "--before", "2999-01-01T00:00:00Z"],
    ] {
        folder.run(wrong).fails(2);
    }
    let empty = folder!();
    empty.run(&["prune", "--before", "90d"]).fails(3);
}
