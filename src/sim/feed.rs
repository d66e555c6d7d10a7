//! Writes the simulated lines: in Agora's shape or in Rollbook's own ([guide](crate::guide::semantics#input-shapes)).
//! The truth is written in Rollbook's own shape, too.

use super::mix::{Mix, Stamps};
use super::pen::{Pen, member_line, put};
use super::presence_feed::of_presence;
use super::told::{Extent, SimLine, SimLink, SimListing, SimPayload, SimToken};
use super::world::{
    MetaNumber, Person, Position, World, WorldAction, WorldChange, WorldMember, channel_name,
    topic_name,
};
use serde_json::{Map, Value, json};

/// The name of an observer.
pub(super) fn observer_name(observer: usize) -> String {
    format!("observer-{}", observer + 1)
}

impl<'a> Pen<'a> {
    /// A pen for the lines of this mix's observers.
    pub fn new(mix: &'a Mix, world: &'a World, seed: u64) -> Pen<'a> {
        Pen {
            world,
            stamps: mix.source.stamps,
            mix,
            agora: mix.speaks_agora(seed),
            ids: mix.source.ids,
        }
    }

    /// Writes one simulated line.
    pub fn line(&self, told: &SimLine) -> String {
        let of_connection = matches!(told.said, SimPayload::Connection(_));
        let mut line = if self.agora && !of_connection {
            self.agora_presence(told)
                .filter(|_| self.world.is_presence())
                .unwrap_or_else(|| self.agora(told))
        } else {
            self.own(told)
        };
        if let Some(fields) = line.as_object_mut() {
            fields.insert("observer".into(), observer_name(told.observer).into());
            // A connection event counts only in a log that is replayed with its times of recording.
            if self.mix.is_served() {
                fields.insert("recorded_at".into(), told.recorded.into());
            }
            if self.ids && !of_connection {
                fields.insert("id".into(), told.id.to_string().into());
            }
        }
        line.to_string()
    }

    fn own(&self, told: &SimLine) -> Value {
        let (mut line, at) = match &told.said {
            SimPayload::Changes { of, bare } => match of.as_slice() {
                [one] => (self.change(*one, *bare), Some((*one, 0))),
                several => (self.diff(several, *bare), None),
            },
            SimPayload::Interval { of, .. } => (self.late_diff(of), None),
            SimPayload::Snapshot(shown) => {
                let mut line = json!({
                    "t": "snapshot",
                    "channel": channel_name(shown.channel),
                    "topics": self.topics(shown),
                });
                if shown.extent != Extent::Whole {
                    put(&mut line, "incomplete", true);
                }
                (line, Some((shown.read, 1)))
            }
            SimPayload::Begin {
                sync,
                channel,
                read,
            } => {
                let line = json!({"t": "snapshot_begin", "channel": channel_name(*channel), "sync": sync.to_string()});
                (line, Some((*read, 1)))
            }
            SimPayload::Page { sync, shown } => {
                let line = json!({
                    "t": "snapshot_page",
                    "channel": channel_name(shown.channel),
                    "sync": sync.to_string(),
                    "topics": self.topics(shown),
                });
                (line, Some((shown.read, 1)))
            }
            SimPayload::End {
                sync,
                channel,
                read,
            } => {
                let line = json!({"t": "snapshot_end", "channel": channel_name(*channel), "sync": sync.to_string()});
                (line, Some((*read, 1)))
            }
            SimPayload::Difference { who, present, read } => {
                (self.difference(*who, *present, *read), Some((*read, 0)))
            }
            SimPayload::Link { event, channel } => (own_link(*event, *channel), None),
            SimPayload::Token(token) => {
                let state = match token {
                    SimToken::WillExpire => "will_expire",
                    SimToken::Expired => "expired",
                    SimToken::Renewed => "renewed",
                };
                (json!({"t": "token", "state": state}), None)
            }
            // In the form that `replay --as rollbook` writes.
            SimPayload::Connection(what) => {
                let state = if what.is_loss() { "down" } else { "up" };
                let line = json!({"t": "link", "state": state, "connection": what.word()});
                (line, None)
            }
        };
        if let Some(stamp) = told.stamp {
            put(&mut line, "ts", stamp);
        }
        if let Some((position, index)) = at.filter(|_| self.has_positions()) {
            put(&mut line, "pos", json!([position, index]));
        }
        line
    }

    fn has_positions(&self) -> bool {
        self.stamps == Stamps::TimesAndPositions
    }

    fn change(&self, position: Position, bare: bool) -> Value {
        let Some((change, member)) = self.at(position) else {
            return Value::Null;
        };
        let mut line = json!({
            "t": word(change.deed),
            "channel": member.channel_name(),
            "topic": member.topic_name(),
            "user": member.user_name(),
        });
        if member.connection.is_some() {
            put(&mut line, "conn", member.connection_name());
        }
        if let Some(meta) = meta_of(change.deed).filter(|_| !bare) {
            put(&mut line, "meta", json!({"n": meta}));
        }
        let late = self.world.late_ms(change);
        if late > 0 {
            put(&mut line, "late_ms", late);
        }
        line
    }

    fn difference(&self, who: Person, present: bool, read: Position) -> Value {
        let Some(member) = self.world.member(who) else {
            return Value::Null;
        };
        let mut line = json!({
            "t": if present { "join" } else { "leave" },
            "channel": member.channel_name(),
            "topic": member.topic_name(),
            "user": member.user_name(),
        });
        if let Some(meta) = self.world.state(who, read).filter(|_| present) {
            put(&mut line, "meta", json!({"n": meta}));
        }
        line
    }

    pub fn at(&self, position: Position) -> Option<(&WorldChange, WorldMember)> {
        let change = self.world.change(position)?;
        Some((change, self.world.member(change.who)?))
    }

    fn diff(&self, positions: &[Position], bare: bool) -> Value {
        let (mut joins, mut leaves) = (Map::new(), Map::new());
        let mut channel = "";
        for &position in positions {
            let Some((change, member)) = self.at(position) else {
                continue;
            };
            channel = member.channel_name();
            let meta = meta_of(change.deed).filter(|_| !bare);
            let mut listed = self.member(change.who, meta);
            if self.stamps != Stamps::None {
                put(&mut listed, "ts", self.mix.stamped(change.noticed));
            }
            if self.has_positions() {
                put(&mut listed, "pos", json!([position, 0]));
            }
            let list = match change.deed {
                WorldAction::Went => &mut leaves,
                WorldAction::Came(_) | WorldAction::Changed(_) => &mut joins,
            };
            add(list, member.topic_name(), listed);
        }
        json!({"t": "diff", "channel": channel, "joins": joins, "leaves": leaves})
    }

    fn member(&self, who: Person, meta: Option<MetaNumber>) -> Value {
        let mut listed = self
            .world
            .member(who)
            .map_or_else(|| json!({}), member_line);
        if let Some(meta) = meta {
            put(&mut listed, "meta", json!({"n": meta}));
        }
        listed
    }

    fn topics(&self, shown: &SimListing) -> Map<String, Value> {
        let mut topics = Map::new();
        for &who in &shown.listed {
            let meta = self.world.state(who, shown.read).filter(|_| !shown.bare);
            if let Some(member) = self.world.member(who) {
                add(&mut topics, member.topic_name(), self.member(who, meta));
            }
        }
        topics
    }

    fn agora(&self, told: &SimLine) -> Value {
        let mut line = match &told.said {
            SimPayload::Changes { of, bare } => self.agora_change(of, *bare),
            SimPayload::Snapshot(shown) => self.agora_snapshot(shown),
            SimPayload::Difference { who, present, read } => {
                let meta = self.world.state(*who, *read).filter(|_| *present);
                let kind = if *present {
                    "REMOTE_JOIN"
                } else {
                    "REMOTE_LEAVE"
                };
                self.agora_live(kind, *who, meta)
            }
            SimPayload::Link { event, channel } => {
                let mut line = agora_link(*event, *channel);
                let elsewhere = *event == SimLink::Elsewhere;
                if self.world.is_presence() != elsewhere {
                    of_presence(&mut line, *event, channel.map(channel_name));
                } else if elsewhere {
                    put(&mut line, "serviceType", "STREAM");
                }
                line
            }
            SimPayload::Token(SimToken::WillExpire) => {
                json!({"event": "token", "eventType": "WILL_EXPIRE"})
            }
            SimPayload::Token(_) => {
                json!({"event": "tokenPrivilegeWillExpire", "channelName": channel_name(0)})
            }
            // Agora has no pages.
            SimPayload::Interval { .. }
            | SimPayload::Begin { .. }
            | SimPayload::Page { .. }
            | SimPayload::End { .. }
            | SimPayload::Connection(_) => Value::Null,
        };
        if let Some(stamp) = told.stamp {
            put(&mut line, stamp_field(&told.said), stamp);
        }
        line
    }

    fn agora_change(&self, of: &[Position], bare: bool) -> Value {
        let Some((change, _)) = of.first().and_then(|&position| self.at(position)) else {
            return Value::Null;
        };
        let kind = match change.deed {
            WorldAction::Went => "REMOTE_LEAVE",
            WorldAction::Came(_) | WorldAction::Changed(_) => "REMOTE_JOIN",
        };
        let meta = meta_of(change.deed).filter(|_| !bare);
        self.agora_live(kind, change.who, meta)
    }

    fn agora_live(&self, kind: &str, who: Person, meta: Option<MetaNumber>) -> Value {
        let Some(member) = self.world.member(who) else {
            return Value::Null;
        };
        let publishers = vec![self.publisher(who, meta)];
        json!({
            "eventType": kind,
            "channelName": member.channel_name(),
            "publisher": member.user_name(),
            "topicInfos": [{"topicName": member.topic_name(), "publishers": publishers}],
        })
    }

    fn publisher(&self, who: Person, meta: Option<MetaNumber>) -> Value {
        let user = self
            .world
            .member(who)
            .map_or("", |member| member.user_name());
        let mut publisher = json!({"publisherUserId": user});
        if let Some(meta) = meta {
            put(&mut publisher, "publisherMeta", meta.to_string());
        }
        publisher
    }

    fn agora_snapshot(&self, shown: &SimListing) -> Value {
        let mut infos: Vec<Value> = Vec::new();
        // Agora cannot mark a snapshot as incomplete. Instead, its totals count more than it lists.
        let more = usize::from(shown.extent == Extent::Part);
        for &(topic, total) in &shown.totals {
            let of_topic = shown.listed.iter().filter(|&&who| {
                self.world
                    .member(who)
                    .is_some_and(|member| member.topic == topic)
            });
            let publishers: Vec<Value> = of_topic
                .map(|&who| {
                    let meta = self.world.state(who, shown.read);
                    self.publisher(who, meta.filter(|_| !shown.bare))
                })
                .collect();
            if shown.extent != Extent::PublishersLeftOut && publishers.is_empty() {
                continue;
            }
            let name = topic_name(topic);
            infos.push(json!({"topicName": name, "totalPublisher": total + more, "publishers": publishers}));
        }
        json!({
            "eventType": "SNAPSHOT",
            "channelName": channel_name(shown.channel),
            "publisher": "",
            "totalTopics": shown.totals.len() + more,
            "topicInfos": infos,
        })
    }
}

/// The field that holds the time of a line in Agora's shape. No SDK reports that all differences have been sent; a
/// bridge adds that line in Rollbook's own form.
fn stamp_field(said: &SimPayload) -> &'static str {
    match said {
        SimPayload::Link {
            event: SimLink::Synced,
            ..
        } => "ts",
        _ => "timestamp",
    }
}

fn own_link(event: SimLink, channel: Option<usize>) -> Value {
    let state = match event {
        SimLink::Up | SimLink::Resumed | SimLink::Elsewhere => "up",
        SimLink::Synced => "synced",
        SimLink::Down | SimLink::Expired | SimLink::Failed => "down",
    };
    let mut line = json!({"t": "link", "state": state});
    match event {
        SimLink::Resumed => put(&mut line, "resync", "differences"),
        SimLink::Expired => put(&mut line, "reason", "TOKEN_EXPIRED"),
        _ => {}
    }
    if let Some(channel) = channel {
        put(&mut line, "channels", json!([channel_name(channel)]));
    }
    line
}

fn agora_link(event: SimLink, channel: Option<usize>) -> Value {
    let (now, before) = match event {
        // The SDK has no such event; a bridge adds it.
        SimLink::Synced => return own_link(event, channel),
        SimLink::Up | SimLink::Resumed => ("CONNECTED", "CONNECTING"),
        SimLink::Down if channel.is_some() => ("CONNECTING", "CONNECTED"),
        SimLink::Down | SimLink::Expired => ("DISCONNECTED", "CONNECTED"),
        SimLink::Failed => ("FAILED", "CONNECTING"),
        SimLink::Elsewhere => ("CONNECTED", "DISCONNECTED"),
    };
    let mut line = json!({"event": "linkState", "currentState": now, "previousState": before});
    match event {
        SimLink::Resumed | SimLink::Elsewhere => {
            put(&mut line, "isResumed", true);
            put(&mut line, "reasonCode", "RECONNECT_SUCCESS");
        }
        SimLink::Expired => put(&mut line, "reasonCode", "TOKEN_EXPIRED"),
        _ => {}
    }
    if let Some(channel) = channel {
        put(
            &mut line,
            "affectedChannels",
            json!([channel_name(channel)]),
        );
        put(&mut line, "serviceType", "STREAM");
    }
    line
}

/// A true change as a line, with the time at which it happened and its position.
pub(super) fn truth(world: &World, position: Position) -> Option<String> {
    let change = world.change(position)?;
    let member = world.member(change.who)?;
    let mut line = json!({
        "t": word(change.deed),
        "channel": member.channel_name(),
        "topic": member.topic_name(),
        "user": member.user_name(),
        "conn": member.connection_name(),
        "ts": change.at,
        "pos": [position, 0],
    });
    if let Some(meta) = meta_of(change.deed) {
        put(&mut line, "meta", json!({"n": meta}));
    }
    Some(line.to_string())
}

fn word(deed: WorldAction) -> &'static str {
    match deed {
        WorldAction::Came(_) => "join",
        WorldAction::Changed(_) => "update",
        WorldAction::Went => "leave",
    }
}

fn meta_of(deed: WorldAction) -> Option<MetaNumber> {
    match deed {
        WorldAction::Came(meta) | WorldAction::Changed(meta) => Some(meta),
        WorldAction::Went => None,
    }
}

fn add(lists: &mut Map<String, Value>, topic: &str, listed: Value) {
    let list = lists.entry(topic).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(listed);
    }
}
