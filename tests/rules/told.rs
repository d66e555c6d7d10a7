//! A short notation for feeds and for the resulting entries and answers.
//!
//! A line is `TS VERB MEMBER… :option=value…`, or JSON as it is:
//!
//! | part | is |
//! | --- | --- |
//! | `TS` | source time, Unix ms; `-`: none |
//! | `VERB` | `join` `leave` `update`; `diff` (members `+m` `-m`) |
//! | | `snap`; `part` (an incomplete snapshot); `begin` `page` `end` (their first word is the sync) |
//! | | `up` `down` `synced`; `resync` (a link up with differences); `token` (its first word is the state) |
//! | `MEMBER` | `topic/user#conn=meta@ts!serial.index`, all but the user optional; the topic is `t` |
//! | options | `:ch` channel (`c`), `:chs` channels, `:obs` observer, `:self`, `:id`, `:pos`, `:why` reason |

use rollbook::domain::entry::Rules;
use rollbook::ingest::IngestOptions;
use rollbook::query::{HistoryFilter, MissedFilter, WhoFilter, WhoWhen};
use rollbook::{Options, Store, StoreError};
use rollbook_support as support;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The lines, as JSON.
pub fn feed(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|l| line(l) + "\n")
        .collect()
}

/// The store that has ingested a feed.
pub fn store(text: &str) -> Store {
    support::store_of(&feed(text))
}

/// The same with other rules.
pub fn store_by(rules: Rules, text: &str) -> Store {
    let store = Store::in_memory(support::options()).unwrap();
    support::take(&store, &feed(text), &IngestOptions::default().rules(rules));
    store
}

/// The same with other options, for example another clock.
pub fn store_on(options: Options, text: &str) -> Store {
    let store = Store::in_memory(options).unwrap();
    support::take(&store, &feed(text), &IngestOptions::default());
    store
}

fn line(text: &str) -> String {
    if text.starts_with('{') {
        return text.to_owned();
    }
    let (options, words): (Vec<&str>, Vec<&str>) = text
        .split_whitespace()
        .partition(|word| word.starts_with(':'));
    let (ts, verb, rest) = (words[0], words[1], &words[2..]);
    let mut out = Map::new();
    let kind = match verb {
        "snap" | "part" => "snapshot",
        "begin" | "page" | "end" => &format!("snapshot_{verb}"),
        "up" | "down" | "synced" | "resync" => "link",
        other => other,
    };
    out.insert("t".into(), json!(kind));
    if kind != "link" && verb != "token" {
        out.insert("channel".into(), json!("c"));
    }
    if ts != "-" {
        out.insert("ts".into(), json!(ts.parse::<i64>().unwrap()));
    }
    match verb {
        "join" | "leave" | "update" => {
            let (topic, who) = member(rest[0]);
            out.insert("topic".into(), json!(topic));
            out.extend(who.as_object().unwrap().clone());
        }
        "diff" => {
            let of = |sign: char| topics(rest.iter().filter_map(|word| word.strip_prefix(sign)));
            out.insert("joins".into(), of('+'));
            out.insert("leaves".into(), of('-'));
        }
        "snap" | "part" => {
            out.insert("topics".into(), topics(rest.iter().copied()));
            if verb == "part" {
                out.insert("incomplete".into(), json!(true));
            }
        }
        "begin" | "page" | "end" => {
            out.insert("sync".into(), json!(rest[0]));
            if verb == "page" {
                out.insert("topics".into(), topics(rest[1..].iter().copied()));
            }
        }
        "up" | "down" | "synced" => drop(out.insert("state".into(), json!(verb))),
        "resync" => {
            out.insert("state".into(), json!("up"));
            out.insert("resync".into(), json!("differences"));
        }
        "token" => drop(out.insert("state".into(), json!(rest[0]))),
        other => panic!("no such verb: {other}"),
    }
    for option in options {
        let (name, value) = option[1..].split_once('=').unwrap();
        let (name, value) = match name {
            "ch" => ("channel", json!(value)),
            "chs" => ("channels", json!(value.split(',').collect::<Vec<_>>())),
            "obs" => ("observer", json!(value)),
            "why" => ("reason", json!(value)),
            "pos" => ("pos", pos(value)),
            "late" => ("late_ms", json!(value.parse::<i64>().unwrap())),
            other => (other, json!(value)),
        };
        out.insert(name.into(), value);
    }
    Value::Object(out).to_string()
}

fn topics<'a>(members: impl Iterator<Item = &'a str>) -> Value {
    let mut topics = Map::new();
    for text in members {
        let (topic, who) = member(text);
        let list = topics.entry(topic).or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().push(who);
    }
    Value::Object(topics)
}

fn pos(text: &str) -> Value {
    let (serial, index) = text.split_once('.').unwrap_or((text, "0"));
    json!([
        serial.parse::<i64>().unwrap(),
        index.parse::<i64>().unwrap()
    ])
}

fn member(text: &str) -> (String, Value) {
    let cut = |text: &str, at: char| match text.split_once(at) {
        Some((head, tail)) => (head.to_owned(), Some(tail.to_owned())),
        None => (text.to_owned(), None),
    };
    let (topic, rest) = text.split_once('/').unwrap_or(("t", text));
    let (rest, place) = cut(rest, '!');
    let (rest, ts) = cut(&rest, '@');
    let (rest, meta) = cut(&rest, '=');
    let (user, conn) = cut(&rest, '#');
    let mut who = json!({"user": user});
    if let Some(conn) = conn {
        who["conn"] = json!(conn);
    }
    if let Some(meta) = meta {
        who["meta"] = serde_json::from_str(&meta).unwrap();
    }
    if let Some(ts) = ts {
        who["ts"] = json!(ts.parse::<i64>().unwrap());
    }
    if let Some(place) = place {
        who["pos"] = pos(&place);
    }
    (topic.to_owned(), who)
}

/// All entries, as JSON.
pub fn entries(store: &Store) -> Vec<Value> {
    support::history(store)
        .iter()
        .map(|entry| serde_json::to_value(entry).unwrap())
        .collect()
}

/// The entries that `history CHANNEL` shows, as JSON.
pub fn entries_of(store: &Store, channel: &str) -> Vec<Value> {
    let filter = HistoryFilter::default().channel(channel);
    let entries = store.history(&filter).unwrap().map(Result::unwrap);
    entries
        .map(|entry| serde_json::to_value(entry).unwrap())
        .collect()
}

fn name(topic: &Value, user: &Value, connection: &Value, meta: &Value) -> String {
    let (topic, user) = (topic.as_str().unwrap(), user.as_str().unwrap());
    let mut text = if topic == "t" {
        user.to_owned()
    } else {
        format!("{topic}/{user}")
    };
    match connection.as_str().unwrap() {
        "" => {}
        conn => text += &format!("#{conn}"),
    }
    if !meta.is_null() {
        text += &format!("={meta}");
    }
    text
}

fn member_of(entry: &Value) -> String {
    name(
        &entry["topic"],
        &entry["user"],
        &entry["connection"],
        &entry["meta"],
    )
}

/// One entry: `[~]TYPE WHAT [DISPOSITION]`; `~` is inferred, `part` an incomplete snapshot, `*` no channel.
pub fn told_entry(entry: &Value) -> String {
    let kind = entry["type"].as_str().unwrap();
    let mut words = vec![kind.to_owned()];
    if entry["origin"] == "inferred" {
        words[0].insert(0, '~');
    }
    match kind {
        "snapshot" if entry["complete"] == false => words.push("part".into()),
        "snapshot" => {}
        "link" | "token" => words.push(entry["state"].as_str().unwrap().into()),
        _ => words.push(member_of(entry)),
    }
    match entry["channel"].as_str() {
        None => words.push("*".into()),
        Some("c") => {}
        Some(other) => words.push(format!("in {other}")),
    }
    if entry["baseline"] == true {
        words.push("baseline".into());
    }
    if entry["disposition"] != "applied" {
        words.push(entry["disposition"].as_str().unwrap().into());
    }
    words.join(" ")
}

/// The whole history in the short form.
pub fn told(store: &Store) -> Vec<String> {
    entries(store).iter().map(told_entry).collect()
}

/// Asserts that a feed's history ends with these entries.
#[track_caller]
pub fn ends(text: &str, last: &[&str]) {
    let told = told(&store(text));
    let from = told.len().saturating_sub(last.len());
    assert_eq!(told[from..], *last, "of {told:#?}");
}

/// Asserts that these entries are the whole history of a feed.
#[track_caller]
pub fn tells(text: &str, all: &[&str]) {
    assert_eq!(told(&store(text)), *all);
}

/// The Unix ms of a time in an answer.
pub fn ms(value: &Value) -> Option<i64> {
    value.as_str().map(|text| {
        chrono::DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_millis()
    })
}

fn shown(time: &Value) -> String {
    ms(time).map_or("?".into(), |ms| ms.to_string())
}

/// The windows of the inferred entries, such as `leave a 5..20`; `?` stands for null.
pub fn windows(store: &Store) -> Vec<String> {
    let inferred = entries(store)
        .into_iter()
        .filter(|entry| entry["origin"] == "inferred");
    let window = |entry: Value| {
        let (from, to) = (shown(&entry["not_before"]), shown(&entry["not_after"]));
        format!(
            "{} {} {from}..{to}",
            entry["type"].as_str().unwrap(),
            member_of(&entry)
        )
    };
    inferred.map(window).collect()
}

/// The window of the last inferred entry of a user in topic `t`.
#[track_caller]
pub fn window(store: &Store, user: &str) -> String {
    let of = |entry: &&Value| entry["origin"] == "inferred" && entry["user"] == user;
    let entries = entries(store);
    let entry = entries
        .iter()
        .rev()
        .find(of)
        .unwrap_or_else(|| panic!("{:#?}", told(store)));
    format!(
        "{}..{}",
        shown(&entry["not_before"]),
        shown(&entry["not_after"])
    )
}

/// `who`, as JSON.
pub fn who(store: &Store, filter: &WhoFilter) -> Value {
    serde_json::to_value(store.who("c", filter).unwrap()).unwrap()
}

fn listed(who: &Value, each: impl Fn(&Value, String) -> String) -> String {
    let mut all = Vec::new();
    for topic in who["topics"].as_array().unwrap() {
        for member in topic["publishers"].as_array().unwrap() {
            let name = name(
                &topic["topic"],
                &member["user"],
                &member["connection"],
                &member["meta"],
            );
            all.push(each(member, name));
        }
    }
    all.join(" ")
}

/// The members of `c` now.
pub fn roster(store: &Store) -> String {
    listed(&who(store, &WhoFilter::default()), |_, name| name)
}

/// Asserts the members of `c` after a feed.
#[track_caller]
pub fn leaves(text: &str, members: &str) {
    let store = store(text);
    assert_eq!(roster(&store), members, "after {:#?}", told(&store));
}

/// Coverage and members, such as `complete: a b? c~`: `?` is possible, `~` assumed, `^` a member without `since`.
pub fn sure(store: &Store, when: WhoWhen) -> String {
    sure_by(store, &WhoFilter::default().when(when))
}

/// The same with other filters.
pub fn sure_by(store: &Store, filter: &WhoFilter) -> String {
    let who = who(store, filter);
    let members = listed(&who, |member, name| {
        let mark = match member["certainty"].as_str().unwrap() {
            "possible" => "?",
            "assumed" => "~",
            _ => "",
        };
        name + mark + if member["since"].is_null() { "^" } else { "" }
    });
    format!("{}: {members}", who["coverage"].as_str().unwrap())
        .trim_end()
        .to_owned()
}

/// The coverage of a channel now.
pub fn coverage(store: &Store, channel: &str) -> String {
    let who = serde_json::to_value(store.who(channel, &WhoFilter::default()).unwrap()).unwrap();
    who["coverage"].as_str().unwrap().to_owned()
}

/// The gaps of a channel, such as `1 link 5..20`; `?` while it is open.
pub fn gaps_of(store: &Store, channel: &str) -> Vec<String> {
    let gap = |gap| {
        let gap = serde_json::to_value(gap).unwrap();
        let (from, to) = (shown(&gap["from"]), shown(&gap["to"]));
        format!(
            "{} {} {from}..{to}",
            gap["gap"],
            gap["evidence"].as_str().unwrap()
        )
    };
    store.gaps(channel).unwrap().into_iter().map(gap).collect()
}

/// Asserts the gaps of `c` after a feed.
#[track_caller]
pub fn opens(text: &str, gaps: &[&str]) {
    let store = store(text);
    assert_eq!(gaps_of(&store, "c"), *gaps, "after {:#?}", told(&store));
}

/// `missed`, such as `1: joined a b; left c; updated d=2`.
pub fn missed(store: &Store, filter: &MissedFilter) -> Vec<String> {
    let missed = |missed| {
        let missed = serde_json::to_value(missed).unwrap();
        let part = |part: &str| {
            let members = missed[part].as_array().unwrap().iter().map(member_of);
            match members.collect::<Vec<_>>().join(" ") {
                none if none.is_empty() => String::new(),
                some => format!(" {part} {some}"),
            }
        };
        let [joined, left, updated] = ["joined", "left", "updated"].map(part);
        format!("{}:{joined}{left}{updated}", missed["gap"])
    };
    store
        .missed("c", filter)
        .unwrap()
        .into_iter()
        .map(missed)
        .collect()
}

/// How many lines of a feed are rejected.
pub fn rejected(text: &str) -> u64 {
    let store = support::store_of("");
    support::take(&store, &feed(text), &IngestOptions::default())
        .tally
        .rejected
}

/// Whether an answer is that there is no such channel.
pub fn not_found<T>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::NoSuchChannel(_)))
}

/// A settable clock, and options that use it.
pub fn clock() -> (Arc<AtomicI64>, Options) {
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&now);
    (
        now,
        Options::default().clock(move || clock.load(Ordering::SeqCst)),
    )
}

/// The effective times of all entries.
pub fn effective(store: &Store) -> Vec<i64> {
    entries(store)
        .iter()
        .map(|entry| ms(&entry["effective_at"]).unwrap())
        .collect()
}
