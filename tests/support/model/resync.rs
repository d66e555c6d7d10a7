//! The model of a resync by differences (contract 2.5.13): which events are collected, when that ends, and what the
//! `resync` snapshot lists.

use super::log::{self, Entry, Log, Member};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What an observer has sent about one channel.
#[derive(Debug, Default)]
struct OwnList {
    /// The members that are surely on the list, and those whose presence depends on the order of events.
    members: BTreeSet<Member>,
    unsure: BTreeSet<Member>,
    /// The observer has sent a complete snapshot.
    exists: bool,
    /// Set after a link line or pages: the members of later events, which may be newer than the next snapshot.
    since: Option<BTreeSet<Member>>,
    /// The last live event of each member.
    heard: BTreeMap<Member, Heard>,
    /// The time of its newest complete snapshot or resync.
    as_of: Option<i64>,
    /// Times alone do not show the order of what it has sent: some of it has positions, no time, or comes in pages.
    blurred: bool,
    /// The latest time of what its pages and incomplete snapshots show, and of members that have one of their own;
    /// `i64::MAX` where there is a position.
    claimed: Option<i64>,
    /// The positions of its snapshots. A second one with the same position is the same message again.
    places: BTreeSet<String>,
    /// It has sent an incomplete snapshot: where one arrives behind it, the list may not be known any more.
    parts: bool,
}

/// A live event of a member.
#[derive(Debug, Clone, Copy)]
struct Heard {
    /// Its time; `i64::MAX` if it has its own position in the order.
    at: i64,
    /// The member was present after it.
    present: bool,
}

/// What it has sent since its link came up again.
#[derive(Debug)]
struct Collecting {
    up_at: i64,
    first: Option<i64>,
    latest: Option<i64>,
    members: BTreeSet<Member>,
}

#[derive(Default)]
struct Told {
    /// By observer and channel.
    lists: BTreeMap<(String, String), OwnList>,
    collecting: BTreeMap<(String, String), Collecting>,
    named: BTreeSet<(String, String)>,
    /// Observers that reported their whole link up. This also counts for channels that they first name later.
    up: BTreeSet<String>,
}

/// Asserts that the log collects events and ends resyncs as the lines require.
pub fn check(log: &Log) {
    if log.resync_ms == 0 {
        let none = |entry: &Entry| !entry.collected() && !entry.resync();
        assert!(log.entries.iter().all(none), "there is no resync");
        return;
    }
    let mut told = Told::default();
    for (made, line) in &log.lines {
        let made = log.entries.iter().filter(|entry| made.contains(&entry.seq));
        let made: Vec<&Entry> = made.collect();
        told.line(log, &made, line);
    }
}

fn is_live(entry: &Entry) -> bool {
    !entry.inferred() && entry.member().is_some()
}

impl Told {
    fn line(&mut self, log: &Log, made: &[&Entry], line: &Value) {
        let observer = line["observer"].as_str().unwrap_or("default");
        let resyncs: Vec<&Entry> = made.iter().copied().filter(|it| it.resync()).collect();
        let ends = self.ends(log, made, line, observer);
        let found = resyncs.iter();
        let found = found.map(|it| (it.channel.clone().unwrap(), it.occurred_at));
        assert_eq!(found.collect::<Vec<_>>(), ends, "resyncs before {line}");
        for resync in resyncs {
            self.resync(resync, made);
        }
        let key = || {
            (
                observer.to_owned(),
                line["channel"].as_str().unwrap().to_owned(),
            )
        };
        match line["t"].as_str() {
            Some("snapshot_begin") => {
                self.collecting.remove(&key());
                let list = self.list(&key());
                list.since.get_or_insert_default();
                list.claimed = list.claimed.max(latest_claim(line));
            }
            Some("snapshot_page") => {
                let list = self.list(&key());
                list.claimed = list.claimed.max(latest_claim(line));
            }
            _ if line["event"] == "linkState" || line["t"] == "link" => {
                self.link(log, made, observer);
            }
            _ => {}
        }
        for entry in made {
            let Some(channel) = entry.channel.clone() else {
                continue;
            };
            let key = (observer.to_owned(), channel);
            if is_live(entry) {
                self.live(&key, entry);
            } else if entry.kind == "token" {
                // A token line shows no watching observer. A first event after a link line may count as the up.
                self.lists.entry(key).or_insert_with(|| OwnList {
                    since: Some(BTreeSet::new()),
                    ..OwnList::default()
                });
            } else if entry.kind == "snapshot" && !entry.resync() {
                if entry.applied() {
                    self.collecting.remove(&key);
                }
                self.snapshot(&key, entry, line);
            }
        }
    }

    /// The resyncs that end before a line, each with its time.
    fn ends(&self, log: &Log, made: &[&Entry], line: &Value, by: &str) -> Vec<(String, i64)> {
        let of_observer = self.collecting.iter().filter(|((name, _), _)| name == by);
        let over = of_observer.filter_map(|((_, channel), collecting)| {
            let first = collecting.first.unwrap_or(i64::MIN);
            let complete = collecting.up_at.max(first) + log.resync_ms;
            if line["state"] == "synced" {
                let entries = made.iter().filter(|it| it.kind == "link");
                let covers = |it: &&&Entry| it.channel.as_ref().is_none_or(|it| it == channel);
                let at = entries.filter(covers).map(|it| it.occurred_at).max()?;
                let latest = collecting.latest.unwrap_or(i64::MIN);
                return Some((channel.clone(), at.max(collecting.up_at).max(latest)));
            }
            let live = made.iter().filter(|it| is_live(it) && !it.collected());
            let (at, of) = live
                .filter(|it| !is_taken_back(it, made))
                .filter_map(|it| Some((it.occurred_at, it.channel.as_ref()?)))
                .max()?;
            let shares = |name: &String| !self.named.contains(&(by.to_owned(), name.clone()));
            let same_link = of == channel || shares(of) && shares(channel);
            (same_link && complete <= at).then(|| (channel.clone(), complete))
        });
        over.collect()
    }

    fn resync(&mut self, entry: &Entry, made: &[&Entry]) {
        let none = [&entry.id, &entry.pos, &entry.source_ts];
        assert!(none.iter().all(|field| field.is_null()), "{entry:?}");
        let key = (entry.observer.clone(), entry.channel.clone().unwrap());
        let collecting = self.collecting.remove(&key).unwrap();
        let list = self.lists.get_mut(&key).unwrap();
        if entry.complete == Some(false) {
            // A list that is not known gives only what was just collected, and shows nobody's absence.
            assert!(list.parts, "{entry:?}: {list:?}");
            let follow = made.iter().filter(|it| it.snapshot_seq == Some(entry.seq));
            for inferred in follow {
                let collected = collecting.members.contains(&inferred.member().unwrap());
                assert!(collected && inferred.kind != "leave", "{inferred:?}");
            }
            return;
        }
        let fewest = list.members.len() as u64;
        let most = fewest + list.unsure.len() as u64;
        let listed = entry.members.unwrap();
        assert!(fewest <= listed && listed <= most, "{entry:?}: {list:?}");
        let follow = made.iter().filter(|it| it.snapshot_seq == Some(entry.seq));
        for inferred in follow {
            let member = inferred.member().unwrap();
            let sure = list.members.contains(&member);
            let may = sure || list.unsure.contains(&member);
            let right = if inferred.kind == "leave" { !sure } else { may };
            assert!(right, "{inferred:?}: {list:?}");
            // It carries only metadata that was collected.
            let collected = collecting.members.contains(&member);
            assert!(inferred.kind != "update" || collected, "{inferred:?}");
        }
        if entry.applied() {
            list.since = None;
        }
        list.as_of = list.as_of.max(Some(entry.occurred_at));
    }

    fn link(&mut self, log: &Log, made: &[&Entry], observer: &str) {
        for entry in made.iter().filter(|entry| entry.kind == "link") {
            if log.elsewhere.contains(&entry.seq) {
                continue;
            }
            if let Some(name) = &entry.channel {
                let key = (observer.to_owned(), name.clone());
                self.named.insert(key.clone());
                self.list(&key);
            }
            let unrestored = log.unrestored.get(&entry.seq);
            let up = entry.state.as_deref() == Some("up");
            if up && entry.channel.is_none() {
                self.up.insert(observer.to_owned());
            }
            for (key, list) in &mut self.lists {
                let named = entry.channel.as_ref().is_none_or(|name| *name == key.1);
                let stays_down = up && unrestored.is_some_and(|names| names.contains(&key.1));
                let synced = entry.state.as_deref() == Some("synced");
                if key.0 != observer || !named || stays_down || synced {
                    continue;
                }
                self.collecting.remove(key);
                list.since.get_or_insert_default();
                if list.exists && log.differences.contains(&entry.seq) {
                    let collecting = Collecting {
                        up_at: entry.occurred_at,
                        first: None,
                        latest: None,
                        members: BTreeSet::new(),
                    };
                    self.collecting.insert(key.clone(), collecting);
                }
            }
        }
    }

    /// The list of an observer and channel. If its link came up as a whole, events hold from the first on.
    fn list(&mut self, key: &(String, String)) -> &mut OwnList {
        let holds = self.up.contains(&key.0);
        let list = self.lists.entry(key.clone());
        list.or_insert_with(|| OwnList {
            since: holds.then(BTreeSet::new),
            ..OwnList::default()
        })
    }

    fn live(&mut self, key: &(String, String), entry: &Entry) {
        let collecting = self.collecting.get_mut(key);
        assert_eq!(collecting.is_some(), entry.collected(), "{entry:?}");
        let member = entry.member().unwrap();
        if let Some(collecting) = collecting {
            let at = entry.occurred_at;
            collecting.first.get_or_insert(at);
            collecting.latest = collecting.latest.max(Some(at));
            collecting.members.insert(member.clone());
        }
        let list = self.list(key);
        list.blurred |= !by_time_alone(entry);
        let behind = entry.disposition == "stale" && list.is_behind(&member, entry.occurred_at);
        let doubtful = list.blurred || list.parts;
        if behind && !doubtful {
            // It is older than what its own observer has sent, so it changes nothing.
            return;
        }
        if let Some(since) = &mut list.since {
            since.insert(member.clone());
        }
        let known = list.heard.get(&member).map_or(i64::MIN, |it| it.at);
        let heard = Heard {
            at: time_in_order(entry).max(known),
            present: entry.kind != "leave",
        };
        list.heard.insert(member.clone(), heard);
        if behind {
            list.members.remove(&member);
            list.unsure.insert(member);
        } else if list.exists {
            list.unsure.remove(&member);
            if entry.kind == "leave" {
                list.members.remove(&member);
            } else {
                list.members.insert(member);
            }
        }
    }

    fn snapshot(&mut self, key: &(String, String), entry: &Entry, line: &Value) {
        let complete = entry.complete == Some(true);
        let list = self.list(key);
        list.parts |= !complete;
        let shown = listed(line);
        list.blurred |= !by_time_alone(entry) || shown.is_none();
        let whole = complete && entry.applied();
        let again = !entry.pos.is_null() && !list.places.insert(entry.pos.to_string());
        let doubtful = again || list.claimed >= Some(entry.occurred_at);
        list.claimed = list.claimed.max(latest_claim(&line["topics"]));
        if !complete {
            list.claimed = list.claimed.max(Some(time_in_order(entry)));
        }
        if !complete && !list.exists {
            return;
        }
        list.exists = true;
        let clear = !list.blurred && !list.parts;
        if let Some(shown) = shown.as_ref().filter(|_| clear && complete && !whole) {
            list.overtaken(entry.occurred_at, shown);
            return;
        }
        if complete {
            list.as_of = list.as_of.max(Some(entry.occurred_at));
        }
        match shown {
            // Reports of other observers, or events before or after the snapshot, may be newer than it.
            Some(shown)
                if whole && !doubtful && list.since.as_ref().is_none_or(BTreeSet::is_empty) =>
            {
                list.members = shown;
                // A newer event of the same observer, by the source's order, stays.
                let newer = list.heard.iter();
                let newer = newer.filter(|(_, heard)| heard.at > entry.occurred_at);
                list.unsure = newer.map(|(member, _)| member.clone()).collect();
                list.members.retain(|member| !list.unsure.contains(member));
            }
            shown => {
                let mut all = std::mem::take(&mut list.members);
                all.extend(list.since.iter().flatten().cloned());
                let newer = list.heard.iter();
                let newer = newer.filter(|(_, heard)| heard.at > entry.occurred_at);
                all.extend(newer.map(|(member, _)| member.clone()));
                match shown {
                    Some(mut shown) if !doubtful => all.append(&mut shown),
                    _ => all.extend(everybody()),
                }
                list.unsure.append(&mut all);
            }
        }
        if whole {
            list.since = None;
        }
    }
}

impl OwnList {
    /// Whether its observer has sent what is newer than a stale event: always, unless another observer made it stale.
    fn is_behind(&self, member: &Member, at: i64) -> bool {
        let heard = self.heard.get(member).is_some_and(|heard| at < heard.at);
        heard || self.as_of.is_some_and(|as_of| at < as_of) || self.blurred || self.parts
    }

    /// Takes a complete snapshot that another observer's made stale: it counts, except where its own observer has sent
    /// what is newer.
    fn overtaken(&mut self, at: i64, shown: &BTreeSet<Member>) {
        if self.as_of.is_some_and(|as_of| at < as_of) {
            return;
        }
        self.as_of = Some(at);
        let since = self.since.iter().flatten().cloned();
        let equal: BTreeSet<Member> = since
            .filter(|member| self.heard.get(member).is_some_and(|heard| heard.at == at))
            .collect();
        self.members = shown.clone();
        self.unsure = equal;
        for (member, heard) in self.heard.iter().filter(|(_, heard)| heard.at > at) {
            if heard.present {
                self.members.insert(member.clone());
            } else {
                self.members.remove(member);
            }
        }
        self.members.retain(|member| !self.unsure.contains(member));
    }
}

/// The latest time in a line or a part of it; `i64::MAX` if there is a position.
fn latest_claim(of: &Value) -> Option<i64> {
    match of {
        Value::Object(fields) => {
            let times = fields.iter().map(|(name, value)| match name.as_str() {
                "ts" => value.as_i64(),
                "pos" => Some(i64::MAX),
                _ => latest_claim(value),
            });
            times.max().flatten()
        }
        Value::Array(items) => items.iter().filter_map(latest_claim).max(),
        _ => None,
    }
}

/// The time of an entry; `i64::MAX` if it has its own position in the order.
fn time_in_order(entry: &Entry) -> i64 {
    if entry.pos.is_null() {
        entry.occurred_at
    } else {
        i64::MAX
    }
}

/// Whether an entry has a time by its source, which counts, and no position.
fn by_time_alone(entry: &Entry) -> bool {
    entry.pos.is_null() && entry.source_ts == log::time(entry.occurred_at)
}

/// Whether a later entry of the same line lets the member join again. The time of such a leave decides nothing.
fn is_taken_back(entry: &Entry, made: &[&Entry]) -> bool {
    let again = |it: &&&Entry| it.seq > entry.seq && it.kind != "leave" && is_live(it);
    let mut again = made.iter().filter(again);
    entry.kind == "leave" && again.any(|it| it.member() == entry.member())
}

/// The members that a snapshot lists; `None` unless its one line is all of it and no member has its own stamp.
fn listed(line: &Value) -> Option<BTreeSet<Member>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut members = BTreeSet::new();
    if let Some(topics) = line["topics"].as_object() {
        for (topic, listed) in topics {
            for member in listed.as_array()? {
                if !member["ts"].is_null() || !member["pos"].is_null() {
                    return None;
                }
                members.insert((topic.clone(), text(&member["user"]), text(&member["conn"])));
            }
        }
        return Some(members);
    }
    for info in line["topicInfos"].as_array()? {
        let topic = info.get("topicName").or_else(|| info.get("topic"))?;
        for publisher in info["publishers"].as_array()? {
            members.insert((
                text(topic),
                text(&publisher["publisherUserId"]),
                String::new(),
            ));
        }
    }
    Some(members)
}

/// All possible members of the feeds.
fn everybody() -> impl Iterator<Item = Member> {
    let topics = ["t", "u"].into_iter();
    topics.flat_map(|topic| {
        let users = ["ann", "bob", "cy"].into_iter();
        users.flat_map(move |user| {
            ["", "k"].map(|conn| (topic.to_owned(), user.to_owned(), conn.to_owned()))
        })
    })
}
