//! The model's answers about members and gaps, as JSON: `who`, `sessions`, `missed`, `gaps`, `channels`, `history`.

use super::Model;
use super::log::{Entry, Log, Member, Part, time};
use super::watch::{Gap, Watched};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The members of a channel after the entries for which `counts` is true: each with its join and its metadata.
fn members<'a>(
    log: &'a Log,
    channel: &str,
    counts: impl Fn(&Entry) -> bool,
) -> BTreeMap<Member, (&'a Entry, &'a Value)> {
    let mut members = BTreeMap::new();
    for entry in log.entries.iter().filter(|entry| counts(entry)) {
        if entry.channel.as_deref() != Some(channel) || !entry.applied() {
            continue;
        }
        let Some(member) = entry.member() else {
            continue;
        };
        match entry.kind.as_str() {
            "leave" => drop(members.remove(&member)),
            "join" => drop(members.insert(member, (entry, &entry.meta))),
            _ => members.get_mut(&member).unwrap().1 = &entry.meta,
        }
    }
    members
}

/// `who CHANNEL`, at the head or at a moment; `None`: no such channel.
pub fn who(
    model: &Model,
    name: &str,
    at: Option<i64>,
    topic: Option<&str>,
    certain: bool,
) -> Option<Value> {
    let Model { log, channels } = model;
    let channel = channels.get(name)?;
    let in_effect = |entry: &Entry| at.is_none_or(|at| entry.effective_at <= at);
    // The entries by which members may just have joined or left.
    let open = log
        .of(name)
        .filter(|entry| at.is_some_and(|at| entry.may_have_happened(at)));
    let open: Vec<&Entry> = open.collect();
    let possible: BTreeSet<Member> = open.iter().filter_map(|entry| entry.member()).collect();
    // A stale leave still shows that the stay may have been over.
    let told_late = log.of(name).filter(|entry| {
        let stale_leave = entry.kind == "leave" && entry.disposition == "stale";
        stale_leave && at.is_some_and(|at| entry.occurred_at <= at && at < entry.effective_at)
    });
    let told_late: Vec<&Entry> = told_late.collect();
    let otherwise = if is_sure(log, channel, at) {
        "certain"
    } else {
        "assumed"
    };
    let mut listed = BTreeMap::<Member, Value>::new();
    for (member, (join, meta)) in members(log, name, in_effect) {
        let may_have_left = |leave: &&Entry| {
            leave.member().as_ref() == Some(&member) && join.effective_at <= leave.occurred_at
        };
        let certainty = if possible.contains(&member) || told_late.iter().any(may_have_left) {
            "possible"
        } else {
            otherwise
        };
        listed.insert(member, publisher(Some(join), meta, certainty));
    }
    for join in open.iter().filter(|entry| entry.kind == "join") {
        let coming = || publisher(None, &join.meta, "possible");
        listed.entry(join.member().unwrap()).or_insert_with(coming);
    }
    let mut topics = BTreeMap::<String, Vec<Value>>::new();
    for ((of_topic, user, connection), mut publisher) in listed {
        let left_out = certain && publisher["certainty"] == "possible";
        if left_out || topic.is_some_and(|topic| topic != of_topic) {
            continue;
        }
        publisher["user"] = json!(user);
        publisher["connection"] = json!(connection);
        topics.entry(of_topic).or_default().push(publisher);
    }
    let topics = topics.into_iter();
    let topics: Vec<Value> = topics
        .map(|(topic, publishers)| json!({"topic": topic, "publishers": publishers}))
        .collect();
    let of_channel = log
        .of(name)
        .filter(|entry| !entry.of_link() && in_effect(entry));
    let seq = match at {
        None => log.entries.last().map_or(0, |entry| entry.seq),
        Some(_) => of_channel.map(|entry| entry.seq).max().unwrap_or(0),
    };
    Some(
        json!({"channel": name, "at": at.map(time), "seq": seq, "coverage": channel.coverage(at), "last_proof": channel.proof.map(time), "topics": topics}),
    )
}

fn publisher(join: Option<&Entry>, meta: &Value, certainty: &str) -> Value {
    json!({"meta": meta, "since": join.map(|join| time(join.effective_at)), "certainty": certainty})
}

/// Whether an observer watched at a moment (or watches at the head) and the feed loses no events.
fn is_sure(log: &Log, channel: &Watched, at: Option<i64>) -> bool {
    let watched = match at {
        None => channel.open_gap().is_none(),
        Some(at) => !channel.in_gap(at) && channel.is_watched_at(at),
    };
    watched && !log.lossy
}

/// `sessions`: finished stays in the order of their ends, then open stays in the order of their joins.
pub fn sessions(model: &Model, part: &Part) -> Option<Vec<Value>> {
    let Model { log, channels } = model;
    if part
        .channel
        .is_some_and(|name| !channels.contains_key(name))
    {
        return None;
    }
    let mut open = BTreeMap::<(&str, Member), &Entry>::new();
    let mut stays = Vec::new();
    for entry in log.entries.iter().filter(|entry| entry.moves()) {
        let member = (entry.channel.as_deref().unwrap(), entry.member().unwrap());
        if entry.kind == "join" {
            open.insert(member, entry);
        } else {
            stays.push((open.remove(&member).unwrap(), Some(entry)));
        }
    }
    let mut still: Vec<&Entry> = open.into_values().collect();
    still.sort_by_key(|join| join.seq);
    stays.extend(still.into_iter().map(|join| (join, None)));
    stays.retain(|(join, leave)| {
        let of_channel = part
            .channel
            .is_none_or(|name| join.channel.as_deref() == Some(name));
        let (joined, left) = (join.effective_at, leave.map(|leave| leave.effective_at));
        let over = |from| left.is_some_and(|left| left <= from) && joined < from;
        of_channel
            && part.names(join)
            && part.to.is_none_or(|to| joined < to)
            && !part.from.is_some_and(over)
    });
    let stays = stays.into_iter().map(|(join, leave)| {
        stay(
            log,
            &channels[join.channel.as_deref().unwrap()],
            join,
            leave,
        )
    });
    Some(stays.collect())
}

fn stay(log: &Log, channel: &Watched, join: &Entry, leave: Option<&Entry>) -> Value {
    let last = channel.effective.unwrap();
    let (ends_first, ends_last) = match leave {
        Some(leave) => (leave.earliest().unwrap_or(i64::MIN), leave.latest()),
        None => {
            // Without any proof no presence after the join is certain.
            let proof = channel.proof.unwrap_or(join.latest());
            let gap = channel.open_gap().map_or(proof, |gap| gap.from);
            (last.min(proof).min(gap), last)
        }
    };
    let min = (ends_first.saturating_sub(join.latest())).max(0);
    let unseen = channel.unwatched.contains(&join.seq) || log.changed.contains(&join.seq);
    let came_unseen = !join.inferred() && unseen;
    let max = join.earliest().filter(|_| !came_unseen && !log.lossy);
    let max = max.map(|earliest| (ends_last - earliest).max(0));
    let not_before = |end: &Entry| end.earliest().filter(|_| end.has_window()).map(time);
    let (topic, user, connection) = join.member().unwrap();
    json!({
        "channel": join.channel, "topic": topic, "user": user, "connection": connection,
        "joined_at": time(join.effective_at),
        "joined_not_before": not_before(join),
        "left_at": leave.map(|leave| time(leave.effective_at)),
        "left_not_before": leave.and_then(not_before),
        "join_origin": join.origin,
        "leave_origin": leave.map(|leave| &leave.origin),
        "baseline": join.baseline,
        "min_ms": if log.lossy { 0 } else { min },
        "max_ms": max,
    })
}

/// `missed CHANNEL`; `None`: no such channel.
pub fn missed(model: &Model, name: &str, part: &Part) -> Option<Vec<Value>> {
    let Model { log, channels } = model;
    let gaps = (1u32..).zip(&channels.get(name)?.gaps);
    let wanted = gaps.filter(|(number, gap)| {
        let not_over = |since| gap.to.is_none_or(|to| since < to);
        part.gap.is_none_or(|wanted| wanted == *number) && part.from.is_none_or(not_over)
    });
    Some(
        wanted
            .map(|(number, gap)| in_gap(log, name, number, gap))
            .collect(),
    )
}

fn in_gap(log: &Log, name: &str, number: u32, gap: &Gap) -> Value {
    let part = |kind: &str| {
        let of_kind = log
            .of(name)
            .filter(|entry| entry.inferred() && entry.kind == kind && !entry.baseline);
        let inside = of_kind.filter(|entry| gap.snapshots.contains(&entry.snapshot_seq.unwrap()));
        let members = inside.map(|entry| {
            json!({"topic": entry.topic, "user": entry.user, "connection": entry.connection, "meta": entry.meta})
        });
        members.collect::<Vec<_>>()
    };
    json!({
        "gap": number, "channel": name, "from": time(gap.from), "to": gap.to.map(time), "evidence": gap.evidence,
        "closed_by": gap.closed_by, "joined": part("join"), "left": part("leave"), "updated": part("update"),
    })
}

/// `gaps CHANNEL`.
pub fn gaps(model: &Model, name: &str) -> Option<Vec<Value>> {
    let mut gaps = missed(model, name, &Part::default())?;
    for gap in &mut gaps {
        for part in ["joined", "left", "updated"] {
            gap[part] = json!(gap[part].as_array().unwrap().len());
        }
        gap["resumed"] = json!(false);
    }
    Some(gaps)
}

/// `channels`.
pub fn channels(model: &Model) -> Vec<Value> {
    let Model { log, channels } = model;
    let each = channels.iter().map(|(name, channel)| {
        let members = members(log, name, |_| true);
        let mut topics: Vec<&String> = members.keys().map(|member| &member.0).collect();
        topics.dedup();
        let effective = |seq: Option<&u64>| {
            let entry = log.entries.iter().find(|entry| Some(&entry.seq) == seq);
            entry.map(|entry| time(entry.effective_at))
        };
        json!({
            "channel": name, "topics": topics.len(), "present_now": members.len(), "entries": channel.shown.len(),
            "first_at": effective(channel.shown.first()), "last_at": effective(channel.shown.last()),
            "coverage": channel.coverage(None),
        })
    });
    each.collect()
}

/// The seqs of the entries that `history` shows, of one channel or of all.
pub fn history(model: &Model, part: &Part) -> Option<Vec<u64>> {
    let Model { log, channels } = model;
    let shown = match part.channel {
        Some(name) => Some(&channels.get(name)?.shown),
        None => None,
    };
    let of_part = log.entries.iter().filter(|entry| {
        shown.is_none_or(|shown| shown.contains(&entry.seq))
            && part.names(entry)
            && part.from.is_none_or(|from| from <= entry.effective_at)
            && part.to.is_none_or(|to| entry.effective_at < to)
            && part.kind.is_none_or(|kind| kind == entry.kind)
            && part
                .observed
                .is_none_or(|observed| observed != entry.inferred())
            && part.after < entry.seq
    });
    let most = part.limit.map_or(usize::MAX, |limit| limit as usize);
    Some(of_part.take(most).map(|entry| entry.seq).collect())
}
