//! Attendance (guide: semantics, people): who was at an appointment, how long at least and at most, late or not.

use crate::told::{store, store_by};
use rollbook::domain::entry::Rules;
use rollbook::query::answer::{Attendance, PresenceFigures, Session};
use rollbook::query::{Appointment, AttendanceFilter, SessionFilter, StatsFilter};
use rollbook::{Store, StoreError};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
/// Midnight in Berlin, 2026-03-29: three hours later its clocks are put forward.
const SUNDAY: i64 = 1_774_738_800_000;

fn lesson(starts_at: i64, ends_at: i64) -> AttendanceFilter {
    AttendanceFilter::at([Appointment { starts_at, ends_at }])
}

fn attended(store: &Store, filter: &AttendanceFilter) -> Vec<Attendance> {
    store.attendance("c", filter).unwrap()
}

/// User, late, left early.
fn verdicts(people: &[Attendance]) -> Vec<(&str, Option<bool>, Option<bool>)> {
    let people = people.iter();
    people
        .map(|line| (line.user.as_str(), line.late, line.left_early))
        .collect()
}

#[test]
fn a_join_that_was_reported_in_a_gap_is_bounded_by_its_begin() {
    let store = store(
        "500 snap b\n2000 join x\n5000 down\n8000 up\n8500 join a\n9000 snap a b\n12000 leave a",
    );
    let a = store.sessions(&SessionFilter::default().user("a")).unwrap();
    let a: Session = a.map(Result::unwrap).next().unwrap();
    assert_eq!((a.min_ms, a.max_ms), (3_500, None));
    // Who is absent at the last proof came behind it.
    let people = attended(&store, &lesson(1_000, 12_000));
    let a = people.iter().find(|line| line.user == "a").unwrap();
    assert_eq!(
        (a.presence.min_ms, a.presence.max_ms),
        (3_500, Some(10_000))
    );
}

#[test]
fn late_and_early_leavers() {
    let store = store(
        "500 snap early\n100000 join late\n200000 join short\n300000 leave short\n\
         310000 join again\n320000 leave early\n400000 join end\n700000 leave late\n800000 join x",
    );
    let people = attended(&store, &lesson(60_000, 600_000));
    assert_eq!(
        verdicts(&people),
        [
            ("again", Some(true), Some(false)),
            ("early", Some(false), Some(true)),
            ("end", Some(true), Some(false)),
            ("late", Some(true), Some(false)),
            ("short", Some(true), Some(true)),
        ]
    );
    let graced = attended(&store, &lesson(60_000, 600_000).grace_ms(40_000));
    assert_eq!(verdicts(&graced)[3], ("late", Some(false), Some(false)));
    let short = &people[4];
    assert_eq!(
        (short.presence.min_ms, short.min_share, short.max_share),
        (100_000, 0.1852, 0.1852)
    );
    assert_eq!(
        (short.starts_at.0, short.ends_at.0, short.expected),
        (60_000, 600_000, None)
    );
    // Where nothing is scheduled nobody is late.
    let between = attended(&store, &AttendanceFilter::between(60_000, 600_000));
    assert!(
        between
            .iter()
            .all(|line| (line.late, line.left_early) == (None, None))
    );
    assert_eq!(between[0].presence, people[0].presence);
}

#[test]
fn a_night_over_midnight_is_one_appointment() {
    let (begin, end) = (SUNDAY - 3 * HOUR, SUNDAY + 4 * HOUR); // 21:00 to 05:00, on clocks that are put forward
    let store = store(&format!(
        "{} join a\n{} join b\n{} leave b\n{} leave a\n{} join z",
        begin - HOUR,
        begin + HOUR,
        end - HOUR,
        end,
        end + HOUR
    ));
    let people = attended(&store, &lesson(begin, end));
    let minutes: Vec<_> = people
        .iter()
        .map(|line| (line.user.as_str(), line.presence.min_ms / MINUTE))
        .collect();
    assert_eq!(minutes, [("a", 7 * 60), ("b", 5 * 60)]);
    assert_eq!(
        verdicts(&people),
        [
            ("a", Some(false), Some(false)),
            ("b", Some(true), Some(true))
        ]
    );
    assert_eq!(
        (people[0].min_share, people[0].presence.first_in.unwrap().0),
        (1.0, begin)
    );
}

#[test]
fn machines_are_left_out() {
    let store = store(
        r#"1000 join a="role=guest"
        1000 join bot1="role=bot"
        1000 join bot2="lang=de;role=bot"
        1000 join bot3={"role":"bot"}
        1000 join bot4={"bot":true}
        1000 join none
        2000 join later={"role":"guest"}
        3000 update later={"role":"bot"}
        4000 join x/bot1
        9000 join z"#,
    );
    let users = |pattern: &str| {
        let filter = AttendanceFilter::between(0, 8_000).without_meta(pattern.parse().unwrap());
        attended(&store, &filter)
            .into_iter()
            .map(|line| line.user)
            .collect::<Vec<_>>()
    };
    // A machine is a member: what its user does elsewhere without such metadata counts.
    assert_eq!(users("role=bot"), ["a", "bot1", "bot4", "none"]);
    assert_eq!(users("role=bot,bot"), ["a", "bot1", "none"]);
    assert_eq!(users("role=nobody").len(), 7);
    assert_eq!(
        users("bot=true"),
        ["a", "bot1", "bot2", "bot3", "later", "none"]
    );
    assert!("".parse::<rollbook::query::MetaFilter>().is_err());
}

#[test]
fn what_happened_in_a_gap_is_possible_and_the_gap_is_named() {
    let store = store(
        "500 snap a b\n100000 join c\n110000 down\n190000 up\n200000 snap a c d\n300000 leave a\n400000 join z",
    );
    let people = attended(&store, &lesson(50_000, 250_000));
    for line in &people {
        assert_eq!((line.gaps, line.unwatched_ms), (1, 100_000));
    }
    assert_eq!(
        verdicts(&people),
        [
            ("a", Some(false), Some(false)),
            ("b", Some(false), Some(true)),
            ("c", Some(true), Some(false)),
            ("d", Some(true), Some(false)),
        ]
    );
    let [b, d] = [1, 3].map(|at: usize| people[at].presence);
    assert_eq!(
        (b.min_ms, b.max_ms, b.last_out_not_before.map(|at| at.0)),
        (50_000, Some(150_000), Some(100_000))
    );
    assert_eq!(
        (d.min_ms, d.max_ms, d.first_in_not_before.map(|at| at.0)),
        (50_000, Some(150_000), Some(100_000))
    );
    // Whether d was late depends on when in the gap d came.
    let during = attended(&store, &lesson(150_000, 250_000));
    assert_eq!(verdicts(&during)[3..], [("d", None, Some(false))]);
    let possible = during.iter().find(|line| line.user == "b").unwrap();
    assert_eq!(
        (possible.presence.min_ms, possible.presence.max_ms),
        (0, Some(50_000))
    );
}

#[test]
fn a_baseline_was_there_for_an_unknown_time() {
    let store = store("500000 snap old\n600000 join z");
    let old = attended(&store, &lesson(100_000, 600_000)).remove(0);
    assert_eq!(
        (old.presence.min_ms, old.presence.max_ms, old.late),
        (100_000, Some(500_000), None)
    );
    let users = store.stats_by_user(&StatsFilter::default()).unwrap();
    let unbounded: PresenceFigures = users[0].presence;
    assert_eq!((users[0].user.as_str(), unbounded.max_ms), ("old", None));
    // Before it was seen, it was possibly there.
    let before = attended(&store, &lesson(100_000, 200_000)).remove(0);
    assert_eq!((before.presence.stays, before.presence.first_in), (0, None));
    assert_eq!(
        (before.presence.min_ms, before.presence.max_ms),
        (0, Some(100_000))
    );
}

#[test]
fn of_one_who_is_still_there_nobody_knows_when_they_leave() {
    let store = store("1000 join a\n2000 join b\n5000 leave b");
    let people = attended(&store, &lesson(0, 9_000));
    assert_eq!(
        verdicts(&people),
        [("a", Some(true), None), ("b", Some(true), Some(true))]
    );
    assert_eq!(people[0].presence.last_out, None);
    assert_eq!(
        (people[0].presence.min_ms, people[0].presence.max_ms),
        (4_000, Some(4_000))
    );
    // Where the appointment is over before the log is, a stayed to its end.
    let over = attended(&store, &lesson(0, 5_000)).remove(0);
    assert_eq!(
        (over.presence.last_out.map(|at| at.0), over.left_early),
        (Some(5_000), Some(false))
    );
}

#[test]
fn a_source_that_loses_events_makes_nothing_sure() {
    let store = store_by(
        Rules::default().lossy(true),
        "1000 join a\n5000 leave a\n9000 join b",
    );
    let people = attended(&store, &lesson(0, 6_000));
    // Only those who were seen then have a line.
    assert_eq!(verdicts(&people), [("a", None, None)]);
    assert_eq!(
        (people[0].presence.min_ms, people[0].presence.max_ms),
        (0, Some(6_000))
    );
}

#[test]
fn several_appointments_are_asked_about_at_once() {
    let store = store("1000 join a\n4000 leave a\n5000 join b\n8000 leave b\n9000 join z");
    let appointments = [
        (5_000, 8_000),
        (1_000, 4_500),
        (2_000, 6_000),
        (1_000, 4_500),
    ];
    let appointments = appointments.map(|(starts_at, ends_at)| Appointment { starts_at, ends_at });
    let people = attended(&store, &AttendanceFilter::at(appointments));
    let lines: Vec<_> = people
        .iter()
        .map(|line| (line.starts_at.0, line.user.as_str(), line.presence.min_ms))
        .collect();
    assert_eq!(
        lines,
        [
            (1_000, "a", 3_000),
            (2_000, "a", 2_000),
            (2_000, "b", 1_000),
            (5_000, "b", 3_000)
        ]
    );
    let nobody = store.attendance("d", &lesson(0, 1));
    assert!(matches!(nobody, Err(StoreError::NoSuchChannel(_))));
}
