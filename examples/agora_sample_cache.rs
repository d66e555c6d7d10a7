//! Shows what Agora's published sample answers, for comparison with `rollbook missed`.
//!
//! The sample, in Agora's FAQ, keeps a local cache for each channel and compares it with every SNAPSHOT. This example
//! repeats its logic, mistakes included, in code of our own:
//!
//! - it looks only at the topics that a snapshot lists, so it never notices that a topic vanished;
//! - it filters out a member that leaves, but drops the filtered list: the cache never forgets a member, neither at a
//!   REMOTE_LEAVE nor at a snapshot;
//! - it pushes a REMOTE_JOIN without a check, so a member can be in the cache twice;
//! - it keeps metadata, and never compares it.
//!
//! Run it: `cargo run --example agora_sample_cache -- examples/weak-network-evening.jsonl`

use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::{env, fs, io};

/// Topic → publishers, in the order in which they were pushed.
type Topics = BTreeMap<String, Vec<String>>;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args()
        .nth(1)
        .ok_or("which file? give a file of Agora topic events, one a line")?;
    let mut out = io::stdout().lock();
    let mut channels: BTreeMap<String, Topics> = BTreeMap::new();
    for line in BufReader::new(fs::File::open(path)?).lines() {
        let event: Value = serde_json::from_str(&line?)?;
        // Link and token events go to other listeners; the sample has none of them.
        if event.get("topicInfos").is_none() {
            continue;
        }
        let cache = channels
            .entry(text(&event, "channelName").to_owned())
            .or_default();
        match text(&event, "eventType") {
            "SNAPSHOT" => snapshot(&event, cache, &mut out)?,
            "REMOTE_JOIN" => remote_join(&event, cache),
            // Here the sample filters out the publisher, and drops the result.
            _ => {}
        }
    }
    for (channel, topics) in &channels {
        writeln!(out, "the cache of {channel} at the end")?;
        for (topic, publishers) in topics {
            writeln!(out, "  {topic:<8} {}", publishers.join(", "))?;
        }
    }
    Ok(())
}

/// Compares the listed topics one by one, and adds the new publishers.
fn snapshot(event: &Value, cache: &mut Topics, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "SNAPSHOT at {}", time_of_day(event))?;
    for info in list(event, "topicInfos") {
        let cached = cache.entry(text(info, "topicName").to_owned()).or_default();
        let listed: Vec<&str> = list(info, "publishers")
            .iter()
            .map(|who| text(who, "publisherUserId"))
            .collect();
        let left: Vec<String> = cached
            .iter()
            .filter(|user| !listed.contains(&user.as_str()))
            .cloned()
            .collect();
        let mut joined = Vec::new();
        for user in listed {
            if !cached.iter().any(|cached| cached == user) {
                cached.push(user.to_owned());
                joined.push(user.to_owned());
            }
        }
        writeln!(
            out,
            "  {:<8} joined: {}",
            text(info, "topicName"),
            names(&joined)
        )?;
        writeln!(out, "  {:<8} left:   {}", "", names(&left))?;
    }
    writeln!(out)
}

/// Pushes the publisher of the event, even if it is already in the cache.
fn remote_join(event: &Value, cache: &mut Topics) {
    let publisher = text(event, "publisher");
    for info in list(event, "topicInfos") {
        let times = list(info, "publishers")
            .iter()
            .filter(|who| text(who, "publisherUserId") == publisher)
            .count();
        let cached = cache.entry(text(info, "topicName").to_owned()).or_default();
        cached.extend(std::iter::repeat_n(publisher.to_owned(), times));
    }
}

fn names(users: &[String]) -> String {
    if users.is_empty() {
        "nobody".to_owned()
    } else {
        users.join(", ")
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn time_of_day(event: &Value) -> String {
    let ms = event
        .get("timestamp")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let s = ms / 1000;
    format!("{:02}:{:02}:{:02} UTC", s / 3600 % 24, s / 60 % 60, s % 60)
}
