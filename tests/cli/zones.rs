//! Times without a zone, and zones: on the command line as over HTTP.

use rollbook::query::Zone;
use rollbook::query::time::When;
use rollbook_support::program::folder;

/// 2026-05-14T12:00:00Z.
const NOON: i64 = 1_778_760_000_000;

fn resolve(text: &str, zone: &str) -> i64 {
    let zone: Zone = zone.parse().unwrap();
    let when: When = text.parse().unwrap();
    // What is sent to a server is read there as it was here.
    assert_eq!(when.to_string().parse::<When>().unwrap(), when);
    when.resolve(NOON, Some(zone)).unwrap()
}

fn utc(text: &str) -> i64 {
    resolve(text, "UTC")
}

#[test]
fn local_times_are_read_in_the_zone() {
    for (text, zone, wanted) in [
        ("2026-05-14", "Europe/Berlin", "2026-05-13T22:00:00Z"),
        ("2026-05-14 21:00", "Europe/Berlin", "2026-05-14T19:00:00Z"),
        (
            "2026-05-14T21:00:30.250",
            "America/New_York",
            "2026-05-15T01:00:30.250Z",
        ),
        ("21:00", "Europe/Berlin", "2026-05-14T19:00:00Z"),
        ("today", "Asia/Kolkata", "2026-05-13T18:30:00Z"),
        ("yesterday", "Europe/Berlin", "2026-05-12T22:00:00Z"),
        ("yesterday 21:00", "Europe/Berlin", "2026-05-13T19:00:00Z"),
        // It is the 15th there already.
        ("today", "Pacific/Kiritimati", "2026-05-14T10:00:00Z"),
        // A time with a zone of its own keeps it.
        (
            "2026-05-14T21:00:00Z",
            "Europe/Berlin",
            "2026-05-14T21:00:00Z",
        ),
        ("-1h", "Europe/Berlin", "2026-05-14T11:00:00Z"),
        // The hour that is skipped, and the first of the two that are the same.
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),
        (
            "2026-03-08 02:30",
            "America/New_York",
            "2026-03-08T07:30:00Z",
        ),
        // A day that was skipped as a whole, and a midnight that was.
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ] {
        assert_eq!(resolve(text, zone), utc(wanted), "{text} in {zone}");
    }
}

#[test]
fn days_follow_each_other_in_every_zone() {
    for zone in [
        "Pacific/Apia",
        "America/Sao_Paulo",
        "America/Havana",
        "America/St_Johns",
        "Asia/Gaza",
        "UTC",
    ] {
        let zone: Zone = zone.parse().unwrap();
        let mut at = utc("1986-01-01T00:00:00Z");
        let end = utc("2019-01-01T00:00:00Z");
        let mut days = 0;
        while at < end {
            let (begin, next) = (zone.days_begin(at, 1), zone.days_end(at, 1));
            assert!(begin <= at && at < next, "{zone} {at}");
            assert_eq!(zone.days_begin(next, 1), next, "{zone} {at}");
            assert_eq!(zone.days_begin(next - 1, 1), begin, "{zone} {at}");
            let hours = (next - begin) / 1_800_000;
            assert!(
                days == 0 || (44..=52).contains(&hours),
                "{zone} {at}: {hours} half hours"
            );
            (at, days) = (next, days + 1);
        }
        // One day of Samoa never was.
        let whole = 33 * 365 + 8;
        assert!((whole..=whole + 1).contains(&days), "{zone}: {days}");
    }
}

#[test]
fn a_zone_holds_for_all_times_of_a_command() {
    let folder = folder!();
    folder.ingest(
        "{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"c\",\"ts\":\"2026-05-13T23:00:00Z\"}\n",
        &[],
    );
    let entries = |args: &[&str]| folder.ask(&[&["history"], args].concat()).len();
    assert_eq!(
        entries(&["--zone", "Europe/Berlin", "--from", "2026-05-14"]),
        1
    );
    assert_eq!(entries(&["--zone", "UTC", "--from", "2026-05-14"]), 0);
    let file = folder.path("out.csv");
    let export = [
        "export",
        "--what",
        "sessions",
        "--until",
        "2026-05-14",
        "--to",
    ];
    let rows = |zone: &str| {
        let out = [
            &export[..],
            &[file.to_str().unwrap(), "--force", "--zone", zone],
        ]
        .concat();
        folder.run(&out).ok();
        std::fs::read_to_string(&file).unwrap().lines().count() - 1
    };
    assert_eq!((rows("Europe/Berlin"), rows("UTC")), (0, 1));
    let lines = folder
        .run(&["replay", "--from", "2026-05-14", "--zone", "Europe/Berlin"])
        .ok()
        .out;
    assert_eq!(lines.lines().count(), 1);
    // Without one, and with one that is none.
    for command in [
        &["history", "--from", "today"][..],
        &["who", "a", "--at", "21:00"],
        &["missed", "a", "--since", "yesterday"],
        &["sessions", "--to", "2026-05-14"],
        &["stats", "--from", "2026-05-14 21:00"],
        &["replay", "--to", "today"],
        &["prune", "--before", "2026-05-14"],
        &["export", "--from", "today", "--to", "x.csv"],
    ] {
        let failed = folder.run(command).fails(2);
        assert!(
            failed.err.contains("needs a zone") && failed.err.contains("--zone"),
            "{failed:?}"
        );
    }
    let failed = folder.run(&["history", "--zone", "Berlin"]).fails(2);
    assert!(failed.err.contains("Europe/Berlin"), "{failed:?}");
    let failed = folder
        .run(&["stats", "--every", "36h", "--zone", "Europe/Berlin"])
        .fails(2);
    assert!(failed.err.contains("whole days"), "{failed:?}");
}
