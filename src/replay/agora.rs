//! Entries as lines in the shape of Agora's JavaScript SDK, one line a commit.

use super::ReplayFilter;
use crate::domain::claims;
use crate::domain::entry::{Change, Entry, Link, Rules, Snapshot, Text, Token, What, Whole};
use crate::domain::event::{Kind, TokenState};
use crate::domain::names::{Name, Names};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::store::{At, Flow, StoreError, Visitor};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopicEvent<'a> {
    event_type: &'static str,
    channel_name: &'a str,
    publisher: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
    total_topics: usize,
    topic_infos: Vec<TopicInfo<'a>>,
    #[serde(flatten)]
    line: LineFields<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopicInfo<'a> {
    topic_name: &'a str,
    total_publisher: usize,
    publishers: Vec<Publisher<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Publisher<'a> {
    publisher_user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher_meta: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkState<'a> {
    event: &'static str,
    current_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_type: Option<&'static str>,
    affected_channels: Vec<&'a str>,
    unrestored_channels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
    #[serde(flatten)]
    line: LineFields<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenEvent<'a> {
    event: &'static str,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
    #[serde(flatten)]
    line: LineFields<'a>,
}

/// A token's state that Agora has no word for, in Rollbook's own.
#[derive(Serialize)]
struct OwnToken<'a> {
    t: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<Millis>,
    #[serde(flatten)]
    line: LineFields<'a>,
}

/// What every line may have.
#[derive(Serialize)]
struct LineFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    observer: Option<&'a str>,
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    self_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pos: Option<[i64; 2]>,
}

impl<'a> LineFields<'a> {
    fn of(entry: &'a Entry, self_user: Option<Name>, names: &'a Names) -> Self {
        LineFields {
            observer: Some(names.text(entry.observer)).filter(|name| *name != "default"),
            self_user: self_user.map(|user| names.text(user)),
            id: entry.id.as_deref(),
            pos: entry.stamp.pos,
        }
    }
}

/// Plays commits as lines.
pub(super) struct Player<'a, F> {
    filter: &'a ReplayFilter,
    each: F,
    stopped: bool,
}

impl<'a, F: FnMut(&str) -> bool> Player<'a, F> {
    pub fn new(filter: &'a ReplayFilter, each: F) -> Self {
        Player {
            filter,
            each,
            stopped: false,
        }
    }

    fn wanted(&self, entry: &Entry, state: &State, names: &Names) -> bool {
        let at = At { state, names };
        let filter = self.filter;
        let of_channel = || match &filter.channel {
            None => true,
            Some(wanted) => match at.channel_of(entry) {
                Some(channel) => names.text(channel) == wanted,
                None => at.is_shown_in(entry, names.find(wanted)),
            },
        };
        filter.from.is_none_or(|from| entry.effective_at >= from)
            && filter.to.is_none_or(|to| entry.effective_at < to)
            && of_channel()
    }

    fn say(&mut self, line: &impl Serialize) -> Result<(), StoreError> {
        let line = serde_json::to_string(line)
            .map_err(|error| StoreError::Stopped(format!("an entry cannot be played: {error}")))?;
        self.stopped |= !(self.each)(&line);
        Ok(())
    }

    fn play(&mut self, entries: &[Entry], state: &State, names: &Names) -> Result<(), StoreError> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        match &first.what {
            What::Change(_) => self.changes(entries, names),
            What::Snapshot(snapshot) => {
                let inferred = entries.get(1..).unwrap_or_default();
                let whole = match snapshot.begin {
                    // Pages have no line of their own: what stood after them is what they said.
                    Some(_) => std::borrow::Cow::Owned(claims::standing(
                        snapshot.channel,
                        inferred,
                        state,
                        names,
                    )),
                    None => claims::listed(snapshot, inferred, state, names),
                };
                self.snapshot(first, snapshot, &whole, names)
            }
            What::Link(link) => self.link(first, link, entries, names),
            What::Token(token) => self.token(first, token, names),
        }
    }

    /// Live changes: one line, as long as they are of one kind and place in the source's order.
    fn changes(&mut self, entries: &[Entry], names: &Names) -> Result<(), StoreError> {
        let change = |entry: &'_ Entry| match &entry.what {
            What::Change(change) => Some(change.clone()),
            _ => None,
        };
        let said = |entry: &Entry| {
            let said = change(entry).map(|change| change.said);
            (said == Some(Kind::Leave), entry.stamp)
        };
        for run in entries.chunk_by(|a, b| said(a) == said(b)) {
            let Some(first) = run.first() else { continue };
            let changes: Vec<&Change> = run
                .iter()
                .filter_map(|entry| match &entry.what {
                    What::Change(change) => Some(change),
                    _ => None,
                })
                .collect();
            let Some(key) = changes.first().map(|change| names.key(change.member)) else {
                continue;
            };
            let one = changes
                .iter()
                .all(|change| names.key(change.member).user == key.user);
            let of_topic =
                |a: &&Change, b: &&Change| names.key(a.member).topic == names.key(b.member).topic;
            let topic_infos: Vec<TopicInfo<'_>> = changes
                .chunk_by(of_topic)
                .filter_map(|changes| {
                    let topic = names.key(changes.first()?.member).topic;
                    let publishers = changes.iter().map(|change| Publisher {
                        publisher_user_id: names.text(names.key(change.member).user),
                        publisher_meta: said_meta(change),
                    });
                    Some(TopicInfo {
                        topic_name: names.text(topic),
                        total_publisher: changes.len(),
                        publishers: publishers.collect(),
                    })
                })
                .collect();
            self.say(&TopicEvent {
                event_type: if said(first).0 {
                    "REMOTE_LEAVE"
                } else {
                    "REMOTE_JOIN"
                },
                channel_name: names.text(key.channel),
                publisher: if one { names.text(key.user) } else { "" },
                timestamp: first.stamp.ts,
                total_topics: topic_infos.len(),
                topic_infos,
                line: LineFields::of(first, None, names),
            })?;
        }
        Ok(())
    }

    fn snapshot(
        &mut self,
        entry: &Entry,
        snapshot: &Snapshot,
        whole: &Whole,
        names: &Names,
    ) -> Result<(), StoreError> {
        let mut members = whole.members.iter().peekable();
        let mut topic_infos = Vec::with_capacity(whole.topics.len());
        for &(topic, short) in &whole.topics {
            let mut publishers = Vec::new();
            while let Some((member, claim)) =
                members.next_if(|(member, _)| names.key(*member).topic == topic)
            {
                publishers.push(Publisher {
                    publisher_user_id: names.text(names.key(*member).user),
                    publisher_meta: raw(claim.meta.as_ref()),
                });
            }
            // One more than are listed makes it incomplete, as it was.
            let total_publisher = publishers.len() + usize::from(short || whole.incomplete);
            topic_infos.push(TopicInfo {
                topic_name: names.text(topic),
                total_publisher,
                publishers,
            });
        }
        let missing = usize::from(whole.topics_missing || whole.incomplete);
        self.say(&TopicEvent {
            event_type: "SNAPSHOT",
            channel_name: names.text(snapshot.channel),
            publisher: "",
            timestamp: entry.stamp.ts,
            total_topics: topic_infos.len() + missing,
            topic_infos,
            line: LineFields::of(entry, snapshot.self_user, names),
        })
    }

    fn link(
        &mut self,
        entry: &Entry,
        link: &Link,
        entries: &[Entry],
        names: &Names,
    ) -> Result<(), StoreError> {
        let channels = entries.iter().filter_map(|entry| match &entry.what {
            What::Link(link) => link.channel.map(|channel| names.text(channel)),
            _ => None,
        });
        self.say(&LinkState {
            event: "linkState",
            current_state: if link.up { "CONNECTED" } else { "DISCONNECTED" },
            reason_code: link.reason.as_deref(),
            service_type: link.elsewhere.then_some("MESSAGE"),
            affected_channels: channels.collect(),
            unrestored_channels: link
                .except
                .iter()
                .map(|&channel| names.text(channel))
                .collect(),
            timestamp: entry.stamp.ts,
            line: LineFields::of(entry, None, names),
        })
    }

    fn token(&mut self, entry: &Entry, token: &Token, names: &Names) -> Result<(), StoreError> {
        let channel = token.channel.map(|channel| names.text(channel));
        let reason = token.reason.as_deref();
        let line = LineFields::of(entry, None, names);
        let timestamp = entry.stamp.ts;
        let own = |state, line| OwnToken {
            t: "token",
            state,
            channel,
            reason,
            ts: timestamp,
            line,
        };
        let agora = |event_type, line| TokenEvent {
            event: "token",
            event_type,
            channel_name: channel,
            reason_code: reason,
            timestamp,
            line,
        };
        match token.state {
            TokenState::WillExpire => self.say(&agora("WILL_EXPIRE", line)),
            TokenState::Revoked => self.say(&agora("READ_PERMISSION_REVOKED", line)),
            TokenState::Expired => self.say(&own("expired", line)),
            TokenState::Renewed => self.say(&own("renewed", line)),
        }
    }
}

/// What the line said of a member's metadata; of an applied leave that is not known, and does not matter.
fn said_meta(change: &Change) -> Option<&RawValue> {
    let leave = change.is_applied() && change.kind == Kind::Leave;
    raw(change.meta.as_ref().filter(|_| !leave))
}

fn raw(meta: Option<&Text>) -> Option<&RawValue> {
    // Canonical JSON since it came in.
    serde_json::from_str(meta?).ok()
}

impl<F: FnMut(&str) -> bool> Visitor for Player<'_, F> {
    fn commit(
        &mut self,
        state: &State,
        names: &mut Names,
        _rules: &Rules,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        if self.stopped || !self.wanted(first, state, names) {
            return Ok(());
        }
        self.play(entries, state, names)
    }

    fn entry(&mut self, _at: At<'_>, _entry: &Entry) -> Result<Flow, StoreError> {
        Ok(if self.stopped {
            Flow::Stop
        } else {
            Flow::Apply
        })
    }
}
