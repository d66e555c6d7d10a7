//! The model's log: the entries as `history` prints them, and facts from the lines that history does not show.

use crate::feeds::Heard;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// One entry, read back from its JSON.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    pub seq: u64,
    pub channel: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub topic: Option<String>,
    pub user: Option<String>,
    pub connection: Option<String>,
    pub meta: Value,
    #[serde(deserialize_with = "ms")]
    pub occurred_at: i64,
    #[serde(deserialize_with = "ms")]
    pub recorded_at: i64,
    #[serde(deserialize_with = "ms")]
    pub effective_at: i64,
    pub observer: String,
    pub state: Option<String>,
    pub origin: String,
    pub disposition: String,
    pub snapshot_seq: Option<u64>,
    #[serde(deserialize_with = "maybe_ms")]
    pub not_before: Option<i64>,
    #[serde(deserialize_with = "maybe_ms")]
    pub not_after: Option<i64>,
    pub baseline: bool,
    pub complete: Option<bool>,
    pub members: Option<u64>,
    pub reason: Option<String>,
    pub id: Value,
    pub pos: Value,
    pub source_ts: Value,
}

/// Topic, user, connection.
pub type Member = (String, String, String);

impl Entry {
    pub fn inferred(&self) -> bool {
        self.origin == "inferred"
    }

    /// Whether it has a window instead of an exact time.
    pub fn has_window(&self) -> bool {
        self.inferred() || self.not_before.is_some()
    }

    /// Whether it is an observer's own list, taken as a snapshot because all differences had been sent.
    pub fn resync(&self) -> bool {
        self.kind == "snapshot" && self.reason.as_deref() == Some("resync")
    }

    pub fn collected(&self) -> bool {
        self.disposition == "collected"
    }

    pub fn applied(&self) -> bool {
        self.disposition == "applied"
    }

    /// Whether it is a link or token entry, not an entry of the channel itself.
    pub fn of_link(&self) -> bool {
        self.kind == "link" || self.kind == "token"
    }

    /// The member of the entry.
    pub fn member(&self) -> Option<Member> {
        Some((
            self.topic.clone()?,
            self.user.clone()?,
            self.connection.clone()?,
        ))
    }

    /// Whether a member joined or left by it.
    pub fn moves(&self) -> bool {
        self.applied() && (self.kind == "join" || self.kind == "leave")
    }

    /// The earliest time at which it can have happened; `None` if that is unknown.
    pub fn earliest(&self) -> Option<i64> {
        match (self.has_window(), self.baseline) {
            (false, _) => Some(self.occurred_at),
            (true, true) => None,
            (true, false) => self.not_before,
        }
    }

    /// The latest time at which it can have happened.
    pub fn latest(&self) -> i64 {
        if self.has_window() {
            self.not_after.unwrap()
        } else {
            self.occurred_at
        }
    }

    /// Whether it may have happened by a moment at which it had not taken effect yet.
    pub fn may_have_happened(&self, at: i64) -> bool {
        let begun = self.earliest().map_or(!self.baseline, |from| from <= at);
        self.moves() && begun && at < self.effective_at
    }
}

fn ms<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    Ok(millis(&String::deserialize(from)?))
}

fn maybe_ms<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(|text| millis(&text)))
}

fn millis(text: &str) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(text).unwrap();
    time.timestamp_millis()
}

/// A moment as answers write it.
pub fn time(ms: i64) -> Value {
    let time = chrono::DateTime::<chrono::Utc>::from_timestamp_millis(ms).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
        .into()
}

/// A line about a channel that has made no entry yet: a paged snapshot begins or continues.
#[derive(Debug, Clone)]
pub struct Page {
    pub observer: String,
    pub channel: String,
    pub begins: bool,
    /// The name of the paged snapshot, and the line's id. A repeated begin with the same id has no effect.
    pub name: (String, Option<String>),
    recorded_at: i64,
}

/// The lines that a store recorded, and the entries that it made.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub entries: Vec<Entry>,
    /// The pages that came after an entry (0: before the first).
    pub pages: BTreeMap<u64, Vec<Page>>,
    /// The snapshots that came in pages.
    pub paged: BTreeSet<u64>,
    /// Link entries of a service other than streams.
    pub elsewhere: BTreeSet<u64>,
    /// Link entries after which differences follow.
    pub differences: BTreeSet<u64>,
    /// How long a source sends differences; 0: it sends none.
    pub resync_ms: i64,
    pub max_ahead_ms: i64,
    /// The lines, each with the entries that it made.
    pub lines: Vec<(RangeInclusive<u64>, Value)>,
    /// Channels that stay down although their observer's link is up again.
    pub unrestored: BTreeMap<u64, Vec<String>>,
    /// Entries of `update` lines. A join among them means that the member had joined before, unseen.
    pub changed: BTreeSet<u64>,
    /// Whether the feed may have lost single events.
    pub lossy: bool,
    /// When the last page or entry was recorded.
    recorded_at: i64,
}

impl Log {
    /// Notes facts of a line that its entries, `behind + 1` to `head`, do not show.
    pub fn tell(&mut self, heard: &Heard, behind: u64, head: u64) {
        let line: Value = serde_json::from_str(&heard.text).unwrap();
        let text = |field: &str| line[field].as_str().map(str::to_owned);
        let made = behind + 1..=head;
        match line["t"].as_str() {
            Some(step @ ("snapshot_begin" | "snapshot_page")) => {
                let observer = text("observer").unwrap_or_else(|| "default".into());
                let channel = text("channel").unwrap();
                let begins = step == "snapshot_begin";
                self.recorded_at = self.recorded_at.max(heard.now);
                self.pages.entry(behind).or_default().push(Page {
                    observer,
                    channel,
                    begins,
                    name: (text("sync").unwrap(), text("id")),
                    recorded_at: self.recorded_at,
                });
            }
            Some("update") => self.changed.extend(made.clone()),
            Some("snapshot_end") => self.paged.extend(made.clone().take(1)),
            _ => {}
        }
        if head > behind {
            self.recorded_at = self.recorded_at.max(heard.now);
        }
        let own = line["state"] == "up" && line["resync"] == "differences";
        let agora = line["currentState"] == "CONNECTED" && line["isResumed"] == true;
        if self.resync_ms > 0 && (own || agora) {
            self.differences.extend(made.clone());
        }
        self.lines.push((made.clone(), line.clone()));
        if line["event"] == "linkState" {
            if text("serviceType").is_some_and(|service| service != "STREAM") {
                self.elsewhere.extend(made.clone());
            }
            if let Some(channels) = line["unrestoredChannels"].as_array() {
                let channels = channels.iter().filter_map(Value::as_str);
                let channels: Vec<String> = channels.map(str::to_owned).collect();
                self.unrestored
                    .extend(made.map(|seq| (seq, channels.clone())));
            }
        }
    }

    /// The log as it was after the entry `last`.
    pub fn until(&self, last: u64) -> Log {
        let mut log = self.clone();
        log.entries.retain(|entry| entry.seq <= last);
        log.pages.retain(|&behind, _| behind < last);
        log
    }

    /// The log as it was at a moment.
    pub fn known_at(&self, at: i64) -> Log {
        let mut log = self.clone();
        log.entries.retain(|entry| entry.recorded_at <= at);
        for pages in log.pages.values_mut() {
            pages.retain(|page| page.recorded_at <= at);
        }
        log
    }

    /// The entries of a channel itself.
    pub fn of<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = &'a Entry> {
        let entries = self.entries.iter();
        entries.filter(move |entry| entry.channel.as_deref() == Some(channel))
    }
}

/// The filters of a question.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part<'a> {
    pub channel: Option<&'a str>,
    pub topic: Option<&'a str>,
    pub user: Option<&'a str>,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub every: Option<i64>,
    /// For entries only.
    pub kind: Option<&'a str>,
    pub observed: Option<bool>,
    pub after: u64,
    pub limit: Option<u64>,
    /// For gaps only.
    pub gap: Option<u32>,
    /// The time up to which the log is known; the caller passes the model of that log.
    pub known_at: Option<i64>,
}

impl Part<'_> {
    /// Whether a member's entry has the wanted names.
    pub fn names(&self, entry: &Entry) -> bool {
        let is = |wanted: Option<&str>, name: &Option<String>| {
            wanted.is_none_or(|wanted| name.as_deref() == Some(wanted))
        };
        is(self.topic, &entry.topic) && is(self.user, &entry.user)
    }
}
