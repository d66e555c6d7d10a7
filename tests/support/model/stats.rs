//! The model of `stats`: compares every member's stays with the requested range of time.

use super::Model;
use super::log::{Log, Member, Part, time};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One stay by effective times.
struct Stay {
    member: Member,
    from: i64,
    to: Option<i64>,
    /// Whether each end was inferred.
    inferred: [bool; 2],
}

fn stays(log: &Log, channel: &str) -> Vec<Stay> {
    let mut open = BTreeMap::<Member, Stay>::new();
    let mut stays = Vec::new();
    for entry in log.of(channel).filter(|entry| entry.moves()) {
        let member = entry.member().unwrap();
        if entry.kind == "join" {
            let stay = Stay {
                member: member.clone(),
                from: entry.effective_at,
                to: None,
                inferred: [entry.inferred(), false],
            };
            open.insert(member, stay);
        } else {
            let mut stay = open.remove(&member).unwrap();
            stay.to = Some(entry.effective_at);
            stay.inferred[1] = entry.inferred();
            stays.push(stay);
        }
    }
    stays.extend(open.into_values());
    stays
}

/// `stats`.
pub fn stats(model: &Model, asked: &Part) -> Option<Vec<Value>> {
    let Model { log, channels } = model;
    if asked
        .channel
        .is_some_and(|name| !channels.contains_key(name))
    {
        return None;
    }
    let mut lines = Vec::new();
    for (name, channel) in channels {
        if asked.channel.is_some_and(|asked| asked != name) {
            continue;
        }
        let stays = stays(log, name);
        let mut of_channel = log.of(name).filter(|entry| !entry.of_link());
        let first = of_channel.next().map(|entry| entry.effective_at);
        let last = channel.effective.unwrap_or(0);
        let topics: BTreeSet<&str> = stays.iter().map(|stay| stay.member.0.as_str()).collect();
        let of_topics = topics.into_iter().map(Some);
        for topic in std::iter::once(None).chain(of_topics) {
            if asked.topic.is_some() && asked.topic != topic {
                continue;
            }
            let of_topic: Vec<&Stay> = stays
                .iter()
                .filter(|stay| topic.is_none_or(|topic| topic == stay.member.0))
                .collect();
            let now = of_topic.iter().filter(|stay| stay.to.is_none()).count();
            if asked.every.is_some() && first.is_none() {
                continue;
            }
            // Without a start, the range begins at the first entry of the channel, or of the topic's members.
            let first = topic.map_or(first.unwrap_or(0), |_| {
                of_topic.iter().map(|stay| stay.from).min().unwrap()
            });
            let from = asked.from.unwrap_or(
                asked
                    .every
                    .map_or(first, |every| first - first.rem_euclid(every)),
            );
            let to = asked.to.unwrap_or(i64::MAX);
            let Some(every) = asked.every else {
                lines.push(line(name, topic, &of_topic, [from, to, last], now, false));
                continue;
            };
            let mut start = from;
            loop {
                let end = (start + every).min(to).max(start);
                lines.push(line(name, topic, &of_topic, [start, end, last], now, true));
                start += every;
                if start >= to || start > last {
                    break;
                }
            }
        }
    }
    Some(lines)
}

fn line(
    channel: &str,
    topic: Option<&str>,
    stays: &[&Stay],
    [from, to, last]: [i64; 3],
    now: usize,
    series: bool,
) -> Value {
    // What happens after the channel's last entry is unknown.
    let stretch = from < to && from <= last;
    let within = |at: i64| from <= at && at < to;
    let there = stays.iter().filter(|stay| {
        stretch
            && stay.from < to
            && stay
                .to
                .is_none_or(|to| from < to || within(to) && from <= stay.from)
    });
    let users: BTreeSet<&str> = there.map(|stay| stay.member.1.as_str()).collect();
    let joins = |inferred| {
        stays
            .iter()
            .filter(|stay| within(stay.from) && stay.inferred[0] == inferred)
            .count()
    };
    let leaves = |inferred| {
        stays
            .iter()
            .filter(|stay| stay.to.is_some_and(within) && stay.inferred[1] == inferred)
            .count()
    };
    // The change in the number of members at each moment.
    let mut turns = BTreeMap::<i64, i64>::new();
    for stay in stays {
        *turns.entry(stay.from.max(from)).or_default() += 1;
        if let Some(left) = stay.to {
            *turns.entry(left.max(from)).or_default() -= 1;
        }
    }
    let mut count = 0;
    let mut peak = None;
    for (&at, turn) in turns.range(from..) {
        count += turn;
        if stretch && at < to && count > peak.map_or(0, |(most, _)| most) {
            peak = Some((count, at));
        }
    }
    let presence = |stay: &&Stay| (stay.to.unwrap_or(last).min(to) - stay.from.max(from)).max(0);
    let mut row = json!({
        "channel": channel, "topic": topic, "distinct_users": users.len(),
        "joins": joins(false), "leaves": leaves(false), "inferred_joins": joins(true), "inferred_leaves": leaves(true),
        "peak": peak.map(|(count, at)| json!({"count": count, "at": time(at)})),
        "presence_ms": stays.iter().map(presence).sum::<i64>(),
        "present_now": now,
    });
    if series {
        (row["from"], row["to"]) = (time(from), time(to));
    }
    row
}
