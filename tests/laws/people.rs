//! Laws of the answers about people: a union is never more than the sum, what is sure never more than what is possible,
//! and parts of time add up to the whole.

use proptest::collection::vec;
use proptest::prelude::*;
use rollbook::query::answer::{Session, UserStats};
use rollbook::query::{Appointment, AttendanceFilter, SessionFilter, StatsFilter, StaysPer, Zone};
use rollbook::{Event, Options, Store};
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{START, Shape, cases, tape};
use rollbook_support::parts::Parts;
use std::collections::BTreeMap;

/// Channel and user.
type Who = (String, String);

fn sessions(store: &Store, filter: SessionFilter) -> Vec<Session> {
    let sessions = store.sessions(&filter).unwrap();
    sessions.collect::<Result<_, _>>().unwrap()
}

/// Sums by channel and user; `None` if one is not known.
fn sums(sessions: &[Session]) -> BTreeMap<Who, (i64, Option<i64>)> {
    let mut sums = BTreeMap::new();
    for stay in sessions {
        let who = (stay.channel.clone(), stay.user.clone());
        let (min, max) = sums.entry(who).or_insert((0, Some(0)));
        *min += stay.min_ms;
        *max = max.zip(stay.max_ms).map(|(sum, ms)| sum + ms);
    }
    sums
}

/// Whether a length that may not be known is at most another.
fn at_most(least: Option<i64>, most: Option<i64>) -> bool {
    most.is_none_or(|most| least.is_some_and(|least| least <= most))
}

/// Of one user, whether no stay begins where another ends.
fn are_apart(stays: &[&Session]) -> bool {
    let ends: Vec<_> = stays.iter().filter_map(|stay| stay.left_at).collect();
    stays.iter().all(|stay| !ends.contains(&stay.joined_at))
}

fn of_channels(users: &[UserStats]) -> impl Iterator<Item = &UserStats> {
    users.iter().filter(|line| line.topic.is_none())
}

fn of(store: &Store) -> Result<(), TestCaseError> {
    let [stays, in_topics, in_channels] = [StaysPer::Member, StaysPer::Topic, StaysPer::Channel]
        .map(|per| sessions(store, SessionFilter::default().per(per)));
    let [single, topics, channels] = [&stays, &in_topics, &in_channels].map(|all| sums(all));
    for (who, (min, max)) in &channels {
        prop_assert!(
            *min <= topics[who].0 && topics[who].0 <= single[who].0,
            "{who:?}"
        );
        prop_assert!(at_most(*max, topics[who].1) && at_most(topics[who].1, single[who].1));
    }
    prop_assert_eq!(channels.len(), single.len());
    for stay in in_topics.iter().chain(&in_channels) {
        prop_assert!(at_most(Some(stay.min_ms), stay.max_ms), "{stay:?}");
        prop_assert!(stay.left_at.is_none_or(|left| stay.joined_at <= left));
    }
    // Who has one connection in one topic has the same stays in the channel.
    for who in single.keys() {
        let of_user = |stay: &&Session| (&stay.channel, &stay.user) == (&who.0, &who.1);
        let own: Vec<&Session> = stays.iter().filter(of_user).collect();
        let member = |stay: &Session| (stay.topic.clone(), stay.connection.clone());
        let one = own.iter().all(|stay| member(stay) == member(own[0]));
        if !one || !are_apart(&own) {
            continue;
        }
        let united: Vec<&Session> = in_channels.iter().filter(of_user).collect();
        prop_assert_eq!(own.len(), united.len());
        for (stay, united) in own.iter().zip(united) {
            let mut as_one = (*stay).clone();
            (as_one.topic, as_one.connection) = (None, None);
            prop_assert_eq!(
                serde_json::to_string(&as_one).unwrap(),
                serde_json::to_string(united).unwrap()
            );
        }
    }
    let users = store.stats_by_user(&StatsFilter::default()).unwrap();
    for line in of_channels(&users) {
        let presence = line.presence;
        prop_assert!(at_most(Some(presence.min_ms), presence.max_ms), "{line:?}");
        let who = (line.channel.clone(), line.user.clone());
        prop_assert!(presence.min_ms <= channels[&who].0);
        let count = in_channels
            .iter()
            .filter(|stay| (&stay.channel, &stay.user) == (&line.channel, &line.user));
        prop_assert_eq!(presence.stays, count.count() as u64);
    }
    Ok(())
}

/// The presence in parts of a time adds up to that in the whole, and is the attendance in it.
fn parts_add_up(
    store: &Store,
    whole: StatsFilter,
    parts: StatsFilter,
) -> Result<(), TestCaseError> {
    let sums = |users: Vec<UserStats>| {
        let mut sums: BTreeMap<_, (i64, Option<i64>)> = BTreeMap::new();
        for line in users {
            let (min, max) = sums
                .entry((line.channel, line.topic, line.user))
                .or_insert((0, Some(0)));
            *min += line.presence.min_ms;
            *max = max.zip(line.presence.max_ms).map(|(sum, ms)| sum + ms);
        }
        sums
    };
    let by_part = store.stats_by_user(&parts).unwrap();
    for line in &by_part {
        let [from, to] = [line.starts_at, line.ends_at].map(Option::unwrap);
        for at in [line.presence.first_in, line.presence.last_out]
            .into_iter()
            .flatten()
        {
            prop_assert!(from <= at && at <= to, "{line:?}");
        }
    }
    let whole_users = store.stats_by_user(&whole).unwrap();
    prop_assert_eq!(sums(by_part), sums(whole_users.clone()));
    let attended = AttendanceFilter::between(whole.from.unwrap(), whole.to.unwrap());
    let channels: Vec<String> = store
        .channels()
        .unwrap()
        .into_iter()
        .map(|it| it.channel)
        .collect();
    for channel in channels {
        let people = store.attendance(&channel, &attended).unwrap();
        let people: BTreeMap<_, _> = people.into_iter().map(|it| (it.user.clone(), it)).collect();
        let of_channel = of_channels(&whole_users).filter(|line| line.channel == channel);
        let mut count = 0;
        for line in of_channel {
            prop_assert_eq!(line.presence, people[&line.user].presence);
            count += 1;
        }
        prop_assert_eq!(count, people.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn of_any_feed_unions_are_bounded(tape in tape(Shape::Any, 40), from in 0_i64..3_000, length in 1_i64..4_000) {
        let parts = Parts::default();
        let desk: Desk = parts.open();
        desk.hear(&tape, &tape.lines);
        of(&desk.store)?;
        let whole = StatsFilter::default().from(START + from).to(START + from + length);
        let parts = whole.clone().every_ms(700);
        // Of a lossy source only those parts have a line in which somebody was seen.
        if !tape.rules.lossy {
            parts_add_up(&desk.store, whole, parts)?;
        }
    }

    #[test]
    fn local_days_add_up_over_changes_of_the_clock(
        // User, topic, connection, begin and length in quarters of an hour.
        stays in vec((0_u8..3, 0_u8..2, 0_u8..2, 0_i64..500, 1_i64..150), 1..25),
        zone in prop::sample::select(&["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"][..]),
        every in prop::sample::select(&[86_400_000_i64, 2 * 86_400_000, 6 * 3_600_000, 5 * 3_600_000][..]),
        change in prop::sample::select(&[1_774_738_800_000_i64, 1_793_505_600_000][..]),
    ) {
        const QUARTER: i64 = 900_000;
        let begin = change - 200 * QUARTER;
        let mut events = Vec::new();
        for (user, topic, connection, from, length) in stays {
            let member = (format!("u{user}"), format!("t{topic}"), format!("c{connection}"));
            events.push((begin + from * QUARTER, 1, member.clone()));
            events.push((begin + (from + length) * QUARTER, 0, member));
        }
        events.sort();
        let store = Store::in_memory(Options::default().clock(|| 1_800_000_000_000)).unwrap();
        let events: Vec<Event> = events.iter().map(|(at, joins, (user, topic, connection))| {
            let event = match joins {
                1 => Event::join("room", topic.as_str(), user.as_str()),
                _ => Event::leave("room", topic.as_str(), user.as_str()),
            };
            event.connection(connection.as_str()).at(*at)
        }).collect();
        store.record(&events).unwrap();
        of(&store)?;
        let whole = StatsFilter::default().from(begin).to(begin + 700 * QUARTER);
        let zone: Zone = zone.parse().unwrap();
        let parts = whole.clone().every_ms(every).zone(zone);
        parts_add_up(&store, whole.clone(), parts.clone())?;
        // So do stays that are clipped.
        let clip = SessionFilter::default().per(StaysPer::Channel).clip(true);
        let clip = clip.from(whole.from.unwrap()).to(whole.to.unwrap());
        let clipped = sums(&sessions(&store, clip));
        for line in of_channels(&store.stats_by_user(&whole).unwrap()) {
            let who = (line.channel.clone(), line.user.clone());
            prop_assert_eq!((line.presence.min_ms, line.presence.max_ms), clipped[&who]);
        }
        // As the figures of all do.
        let of_all = |filter: &StatsFilter| -> i64 {
            store.stats(filter).unwrap().iter().map(|line| line.presence_ms).sum()
        };
        prop_assert_eq!(of_all(&parts), of_all(&whole));
        // Appointments that are the days give what the days give.
        let days = store.stats_by_user(&parts).unwrap();
        let appointments = of_channels(&days).map(|day| Appointment {
            starts_at: day.starts_at.unwrap().0,
            ends_at: day.ends_at.unwrap().0,
        });
        let people = store.attendance("room", &AttendanceFilter::at(appointments)).unwrap();
        for day in of_channels(&days) {
            let same = people.iter().find(|it| (&it.user, Some(it.starts_at)) == (&day.user, day.starts_at));
            prop_assert_eq!(same.map(|it| it.presence), Some(day.presence));
        }
    }
}
