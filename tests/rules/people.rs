//! The answers about people: united stays, and figures of users (guide: semantics, people). First the three
//! complaints behind them: a reconnect that counts twice, who came first and left last, and minutes per local day.

use crate::told::store;
use rollbook::Store;
use rollbook::query::answer::{PresenceFigures, Session, UserStats};
use rollbook::query::{SessionFilter, StatsFilter, StaysPer, Zone};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

fn per(store: &Store, per: StaysPer) -> Vec<Session> {
    let sessions = store.sessions(&SessionFilter::default().per(per)).unwrap();
    sessions.collect::<Result<_, _>>().unwrap()
}

/// From when until when, and how long at least and at most.
fn spans(stays: &[Session]) -> Vec<(i64, Option<i64>, i64, Option<i64>)> {
    let span = |stay: &Session| {
        let left = stay.left_at.map(|at| at.0);
        (stay.joined_at.0, left, stay.min_ms, stay.max_ms)
    };
    stays.iter().map(span).collect()
}

fn whole(store: &Store, user: &str) -> PresenceFigures {
    let users = store.stats_by_user(&StatsFilter::default()).unwrap();
    let mut of_user = users
        .iter()
        .filter(|line| line.topic.is_none() && line.user == user);
    of_user.next().unwrap().presence
}

fn days(store: &Store, zone: &str) -> Vec<UserStats> {
    let filter = StatsFilter::default()
        .every_ms(24 * HOUR)
        .zone(zone.parse().unwrap());
    let mut users = store.stats_by_user(&filter).unwrap();
    users.retain(|line| line.topic.is_none());
    users
}

#[test]
fn a_reconnect_over_a_second_connection_counts_once() {
    let store = store("1000 join a#1\n5000 join a#2\n6000 leave a#1\n9000 leave a#2\n9500 join b");
    assert_eq!(per(&store, StaysPer::Member).len(), 3);
    for scale in [StaysPer::Topic, StaysPer::Channel] {
        let stays = per(&store, scale);
        assert_eq!(spans(&stays)[0], (1_000, Some(9_000), 8_000, Some(8_000)));
        assert_eq!((stays[0].connection.as_deref(), stays.len()), (None, 2));
    }
    assert_eq!(
        (whole(&store, "a").stays, whole(&store, "a").min_ms),
        (1, 8_000)
    );
    // The members' time still counts both.
    assert_eq!(
        store.stats(&StatsFilter::default()).unwrap()[0].presence_ms,
        9_000
    );
}

#[test]
fn topics_are_united_in_the_channel_alone() {
    let store = store(
        "1000 join x/a\n2000 join y/a\n3000 leave x/a\n7000 join x/a\n8000 leave x/a\n9000 leave y/a",
    );
    assert_eq!(
        spans(&per(&store, StaysPer::Channel)),
        [(1_000, Some(9_000), 8_000, Some(8_000))]
    );
    let topics = per(&store, StaysPer::Topic);
    let named: Vec<_> = topics
        .iter()
        .map(|stay| (stay.topic.as_deref().unwrap(), stay.min_ms))
        .collect();
    assert_eq!(named, [("x", 2_000), ("x", 1_000), ("y", 7_000)]);
}

#[test]
fn a_reconnect_with_a_pause_is_two_stays_and_one_at_the_same_moment_is_one() {
    let paused = store("1000 join a#1\n5000 leave a#1\n5001 join a#2\n9000 leave a#2");
    assert_eq!(whole(&paused, "a").stays, 2);
    let store = store("1000 join a#1\n5000 leave a#1\n5000 join a#2\n9000 leave a#2\n9900 join b");
    assert_eq!(
        spans(&per(&store, StaysPer::Topic))[0],
        (1_000, Some(9_000), 8_000, Some(8_000))
    );
}

/// Known as one behind the gap, though nobody saw the change of connections in it.
#[test]
fn a_reconnect_in_a_gap_counts_once_and_its_bounds_say_what_is_unsure() {
    let store = store(
        "500 snap b\n1000 join a#1\n4000 join b#2\n5000 down\n8000 up\n9000 snap a#2 b\n20000 leave a#2",
    );
    let stays = per(&store, StaysPer::Channel);
    let of_a: Vec<Session> = stays.into_iter().filter(|stay| stay.user == "a").collect();
    assert_eq!(
        spans(&of_a),
        [(1_000, Some(20_000), 3_000 + 11_000, Some(19_000))]
    );
}

#[test]
fn who_came_first_and_left_last() {
    let store = store(
        "1000 join x/a\n2000 join b\n3000 leave x/a\n6000 join y/a\n8000 leave y/a\n9000 snap b\n9500 leave b",
    );
    let a = whole(&store, "a");
    assert_eq!(
        (a.first_in.unwrap().0, a.last_out.unwrap().0),
        (1_000, 8_000)
    );
    assert_eq!((a.stays, a.min_ms, a.max_ms), (2, 4_000, Some(4_000)));
    let b = whole(&store, "b");
    assert_eq!(
        (b.first_in.unwrap().0, b.last_out.map(|at| at.0), b.stays),
        (2_000, Some(9_500), 1)
    );
    // Each topic has its own line, behind those of the channel.
    let users = store.stats_by_user(&StatsFilter::default()).unwrap();
    let lines: Vec<_> = users
        .iter()
        .map(|line| (line.topic.as_deref(), line.user.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (None, "a"),
            (None, "b"),
            (Some("t"), "b"),
            (Some("x"), "a"),
            (Some("y"), "a")
        ]
    );
    let topic = store
        .stats_by_user(&StatsFilter::default().topic("t"))
        .unwrap();
    assert_eq!(topic.len(), 1);
}

/// 2026-03-28 21:30 UTC, a night before Berlin's clocks are put forward.
const SPRING: i64 = 1_774_733_400_000;
/// Midnight in Berlin, 2026-03-29.
const SUNDAY: i64 = 1_774_738_800_000;

#[test]
fn minutes_per_local_day() {
    let store = store(&format!("{SPRING} join a\n{} leave a", SPRING + 30 * HOUR));
    let lines = days(&store, "Europe/Berlin");
    let of_days: Vec<_> = lines
        .iter()
        .map(|day| (day.starts_at.unwrap().0, day.presence.min_ms / MINUTE))
        .collect();
    assert_eq!(
        of_days,
        [
            (SUNDAY - 24 * HOUR, 90),
            (SUNDAY, 23 * 60),
            (SUNDAY + 23 * HOUR, 330)
        ]
    );
    let sunday = lines[1].presence;
    assert_eq!(
        (sunday.first_in.unwrap().0, sunday.last_out.unwrap().0),
        (SUNDAY, SUNDAY + 23 * HOUR)
    );
    // In UTC the same night has other days.
    assert_eq!(
        days(&store, "UTC")
            .iter()
            .map(|day| day.presence.min_ms / MINUTE)
            .collect::<Vec<_>>(),
        [150, 24 * 60, 210]
    );
}

#[test]
fn days_have_as_many_hours_as_their_clocks_show() {
    for (zone, midnight, hours) in [
        ("Europe/Berlin", SUNDAY, 23),
        ("Europe/Berlin", 1_792_879_200_000, 25),
        ("America/New_York", 1_772_946_000_000, 23),
        ("America/New_York", 1_793_505_600_000, 25),
        ("Asia/Kolkata", 1_779_993_000_000, 24),
    ] {
        let (begin, end) = (midnight - 2 * HOUR, midnight + 30 * HOUR);
        let store = store(&format!("{begin} join a\n{end} leave a"));
        let day = days(&store, zone).remove(1);
        assert_eq!(day.presence.min_ms, hours * HOUR, "{zone}");
        assert_eq!(
            day.ends_at.unwrap().0 - day.starts_at.unwrap().0,
            hours * HOUR
        );
        // The series of `stats` has the same days, and shorter intervals end with the day.
        let zone: Zone = zone.parse().unwrap();
        let stats = |every| {
            let filter = StatsFilter::default().every_ms(every).zone(zone).topic("t");
            store.stats(&filter).unwrap()
        };
        assert_eq!(stats(24 * HOUR)[1].presence_ms, hours * HOUR);
        let parts = stats(5 * HOUR);
        assert!(parts.iter().any(|part| part.to.unwrap().0 == midnight));
        assert!(parts.iter().any(|part| part.from.unwrap().0 == midnight));
        let sum: i64 = parts.iter().map(|part| part.presence_ms).sum();
        assert_eq!(sum, end - begin);
    }
}

#[test]
fn a_week_begins_on_monday_and_the_time_asked_for_cuts_the_first_day() {
    let monday = 1_778_450_400_000; // 2026-05-11 in Berlin
    let store = store(&format!(
        "{} join a\n{} leave a",
        monday - HOUR,
        monday + 50 * HOUR
    ));
    let zone: Zone = "Europe/Berlin".parse().unwrap();
    let series = |filter: StatsFilter| {
        let lines = store.stats_by_user(&filter.zone(zone)).unwrap();
        let lines = lines.into_iter().filter(|line| line.topic.is_none());
        lines
            .map(|line| (line.starts_at.unwrap().0, line.ends_at.unwrap().0))
            .collect::<Vec<_>>()
    };
    let week = 7 * 24 * HOUR;
    assert_eq!(
        series(StatsFilter::default().every_ms(week)),
        [(monday - week, monday), (monday, monday + week)]
    );
    let cut = StatsFilter::default()
        .every_ms(24 * HOUR)
        .from(monday + 9 * HOUR)
        .to(monday + 30 * HOUR);
    assert_eq!(
        series(cut),
        [
            (monday + 9 * HOUR, monday + 24 * HOUR),
            (monday + 24 * HOUR, monday + 30 * HOUR)
        ]
    );
}

#[test]
fn clipped_stays_end_where_the_time_asked_for_does() {
    let store = store(
        "500 snap old\n1000 join a\n4000 join b#1\n5000 down\n9000 up\n9500 snap old b#1 c\n12000 leave b#1\n15000 join d",
    );
    let clip = |from, to| {
        let filter = SessionFilter::default().from(from).to(to).clip(true);
        let stays = store.sessions(&filter).unwrap();
        let mut stays: Vec<Session> = stays.collect::<Result<_, _>>().unwrap();
        stays.sort_by(|one, other| one.user.cmp(&other.user));
        stays
    };
    let stays = clip(2_000, 10_000);
    let named: Vec<_> = stays
        .iter()
        .map(|stay| stay.user.as_str())
        .zip(spans(&stays))
        .collect();
    assert_eq!(
        named,
        [
            // Left in the gap, of which it is not known when.
            ("a", (2_000, Some(9_500), 2_000, Some(7_500))),
            ("b", (4_000, Some(10_000), 6_000, Some(6_000))),
            ("c", (9_500, Some(10_000), 500, Some(6_000))),
            // There for an unknown time, and so for all of the time asked for at most.
            ("old", (2_000, Some(10_000), 8_000, Some(8_000))),
        ]
    );
    let b = &stays[1];
    assert_eq!((b.leave_origin, b.left_not_before), (None, None));
    assert_eq!(stays[0].joined_not_before, None);
    // Behind the last entry nothing is known: who is there still is.
    let late = clip(14_000, 20_000);
    assert_eq!(spans(&late)[2], (14_000, None, 1_000, Some(1_000)));
    // Where the time asked for has no begin, nobody can say how long one of the baseline was there.
    let open = store
        .sessions(&SessionFilter::default().user("old").to(10_000).clip(true))
        .unwrap();
    let open: Vec<Session> = open.collect::<Result<_, _>>().unwrap();
    assert_eq!((open[0].min_ms, open[0].max_ms), (9_500, None));
}
