//! `attendance` from the outside: schedules, and figures as columns.

use rollbook_support::program::{Folder, folder};

/// A lesson at 21:00 in Berlin: ana in time, ben late, cem only before, and a recorder; dora is away.
fn evening() -> Folder {
    let folder = folder!();
    let line = |clock: &str, what: &str, user: &str, meta: &str| {
        let ts = format!("2026-05-14T{clock}:00+02:00");
        format!(
            "{{\"t\":\"{what}\",\"channel\":\"class\",\"topic\":\"chat\",\"user\":\"{user}\",\"meta\":{meta},\"ts\":\"{ts}\"}}\n"
        )
    };
    let guest = "\"role=guest\"";
    let lines = [
        line("20:00", "join", "bot", "{\"role\":\"bot\"}"),
        line("20:10", "join", "cem", guest),
        line("20:50", "leave", "cem", guest),
        line("20:55", "join", "ana", guest),
        line("21:12", "join", "ben", guest),
        line("22:30", "leave", "ana", guest),
        line("22:31", "leave", "ben", guest),
        line("23:00", "join", "night owl", guest),
    ];
    folder.ingest(lines.concat(), &[]);
    folder
}

const LESSON: [&str; 4] = ["attendance", "class", "--zone", "Europe/Berlin"];

#[test]
fn a_schedule_says_who_was_late_and_who_did_not_come() {
    let folder = evening();
    // As a spreadsheet in Germany writes it.
    let schedule = "\u{feff}user;starts_at;ends_at;room\n\
        ana;2026-05-14 21:00;2026-05-14 22:30;7\n\
        ben;2026-05-14 21:00;2026-05-14 22:30;7\n\
        dora;2026-05-14 21:00;2026-05-14 22:30;7\n";
    let schedule = folder.file("lessons.csv", schedule);
    let ask = [&LESSON[..], &["--schedule", &schedule, "--grace", "5m"]].concat();
    let people = folder.ask(&[&ask[..], &["--without-meta", "role=bot"]].concat());
    let told: Vec<String> = people
        .iter()
        .map(|line| {
            format!(
                "{} {} {} {} {}",
                line["user"], line["expected"], line["late"], line["left_early"], line["min_ms"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "\"ana\" true false false 5400000",
            "\"ben\" true true false 4680000",
            "\"dora\" true null null 0"
        ]
    );
    let table = [&ask[..], &["--format", "table"]].concat();
    let table = folder.run(&table).ok().out;
    let expected = "class · 2026-05-14 21:00 – 22:30 (Europe/Berlin)
who   first in  last out  minutes  share  note
──────────────────────────────────────────────────────
ana   21:00:00  22:30:00       90  100 %
ben   21:12:00  22:30:00       78   87 %  late
bot   21:00:00  22:30:00       90  100 %  not expected
dora  –         –               0    0 %  absent
";
    assert_eq!(table, expected, "\n{table}");
    // Without names everybody may come; only lessons that begin in the time asked for are.
    let open = "starts_at,ends_at,channel\n2026-05-14 21:00,2026-05-14T20:30:00Z,\n2026-05-14 20:00,2026-05-14 20:45,class\n\
        2026-05-14 20:00,2026-05-14 20:45,other\n2026-05-15 21:00,2026-05-15 22:00,class\n";
    let open = folder.file("open.csv", open);
    let ask = [
        &LESSON[..],
        &[
            "--schedule",
            &open,
            "--from",
            "2026-05-14",
            "--to",
            "2026-05-15",
        ],
    ]
    .concat();
    let people = folder.ask(&ask);
    let told: Vec<_> = people
        .iter()
        .map(|line| line["user"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["bot", "cem", "ana", "ben", "bot"]);
    assert!(people.iter().all(|line| line["expected"].is_null()));
}

#[test]
fn a_mistake_in_a_schedule_is_named_with_its_line() {
    let folder = evening();
    for (schedule, says) in [
        ("starts_at,user\n", "s.csv:1: there is no column ends_at"),
        ("", "s.csv:1: there is no column starts_at"),
        (
            "starts_at,ends_at\n2026-05-14 21:00,2026-05-14 22:00\n2026-05-14 21:00,25:00\n",
            "s.csv:3: ends_at \"25:00\": write",
        ),
        (
            "starts_at,ends_at\n2026-05-14 21:00,2026-05-14 21:00\n",
            "s.csv:2: ends_at is not behind starts_at",
        ),
        ("starts_at,ends_at\n\n2026-05-14 21:00\n", "s.csv:3: "),
    ] {
        let file = folder.file("s.csv", schedule);
        let failed = folder
            .run(&[&LESSON[..], &["--schedule", &file]].concat())
            .fails(1);
        assert!(failed.err.contains(says), "{failed:?}");
    }
    let file = folder.file(
        "s.csv",
        "starts_at,ends_at\n2026-05-14 21:00,2026-05-14 22:00\n",
    );
    let failed = folder
        .run(&["attendance", "class", "--schedule", &file])
        .fails(1);
    assert!(
        failed
            .err
            .contains("s.csv:2: starts_at: 2026-05-14 21:00:00 needs a zone"),
        "{failed:?}"
    );
    let failed = folder
        .run(&[&LESSON[..], &["--schedule", "nowhere.csv"]].concat())
        .fails(1);
    assert!(failed.err.contains("nowhere.csv"), "{failed:?}");
    folder
        .run(&[&LESSON[..], &["--from", "today", "--to", "yesterday"]].concat())
        .fails(2);
    folder
        .run(&["attendance", "nobody", "--from", "@0", "--to", "@1"])
        .fails(3);
}

#[test]
fn nobody_there_is_an_empty_list_in_every_format() {
    let folder = evening();
    let ask = |format: &str| {
        let ask = [
            "--from",
            "2026-05-13",
            "--to",
            "2026-05-14",
            "--format",
            format,
        ];
        folder.run(&[&LESSON[..], &ask].concat()).ok().out
    };
    assert_eq!((ask("json").as_str(), ask("jsonl").as_str()), ("[]\n", ""));
    assert!(ask("csv").starts_with("channel,user,starts_at,ends_at,expected,first_in,"));
    assert_eq!(ask("table"), "class · nobody\n");
}

#[test]
fn figures_are_columns() {
    let folder = evening();
    let stats = folder.run(&["stats", "class", "--format", "csv"]).ok().out;
    assert_eq!(
        stats.lines().next().unwrap(),
        "channel,topic,distinct_users,joins,leaves,inferred_joins,inferred_leaves,peak,peak_at,presence_ms,present_now,from,to"
    );
    assert!(
        stats
            .lines()
            .nth(1)
            .unwrap()
            .contains(",3,2026-05-14T19:12:00.000Z,"),
        "{stats}"
    );
    let columns = folder.run(&["schema", "--format", "csv"]).ok().out;
    assert!(columns.contains("\nstats,peak,integer,true,"), "{columns}");
    let csv = folder
        .run(&[
            "attendance",
            "class",
            "--from",
            "@0",
            "--to",
            "@1",
            "--format",
            "csv",
        ])
        .ok()
        .out;
    let of_attendance = folder.ask(&["schema", "attendance"]);
    let named: Vec<_> = of_attendance
        .iter()
        .map(|row| row["field"].as_str().unwrap())
        .collect();
    assert_eq!(csv.lines().next().unwrap(), named.join(","));
    let failed = folder.run(&["schema", "nothing"]).fails(2);
    assert!(failed.err.contains("attendance"), "{failed:?}");
}
