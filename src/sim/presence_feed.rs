//! Presence events as lines: of Agora's shape ([guide](crate::guide::semantics#presence-events)), or of Rollbook's
//! own with `late_ms` ([guide](crate::guide::semantics#late-news)).

use super::pen::{Pen, member_line, put};
use super::told::{SimLine, SimLink, SimListing, SimPayload};
use super::world::{MetaNumber, Person, Position, WorldAction, WorldChange};
use serde_json::{Map, Value, json};

/// The channel's name as the presence service writes it.
fn plain_name(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, plain)| plain)
}

impl Pen<'_> {
    /// A presence event in Agora's shape; `None` where the line is of another kind.
    pub fn agora_presence(&self, told: &SimLine) -> Option<Value> {
        let mut line = match &told.said {
            SimPayload::Changes { of, .. } => {
                let (change, _) = self.at(*of.first()?)?;
                let kind = match (change.deed, change.vanished) {
                    (WorldAction::Came(_), _) => "REMOTE_JOIN",
                    (WorldAction::Changed(_), _) => "REMOTE_STATE_CHANGED",
                    (WorldAction::Went, true) => "REMOTE_TIMEOUT",
                    (WorldAction::Went, false) => "REMOTE_LEAVE",
                };
                self.presence_event(kind, Some(change.who), change.deed.meta())
            }
            SimPayload::Difference { who, present, read } => {
                let meta = self.world.state(*who, *read).filter(|_| *present);
                let kind = match (present, read % 3) {
                    (true, _) => "REMOTE_JOIN",
                    (false, 0) => "REMOTE_TIMEOUT",
                    (false, _) => "REMOTE_LEAVE",
                };
                self.presence_event(kind, Some(*who), meta)
            }
            SimPayload::Interval { of, .. } => {
                let mut line = self.presence_event("INTERVAL", None, None);
                put(&mut line, "interval", self.interval(of));
                line
            }
            SimPayload::Snapshot(shown) => {
                let mut line = self.presence_event("SNAPSHOT", None, None);
                put(&mut line, "snapshot", self.users_with_states(shown));
                line
            }
            _ => return None,
        };
        if let Some(stamp) = told.stamp {
            put(&mut line, "timestamp", stamp);
        }
        Some(line)
    }

    fn presence_event(&self, kind: &str, who: Option<Person>, meta: Option<MetaNumber>) -> Value {
        let channel = self
            .world
            .members
            .first()
            .map_or("", |it| it.channel_name());
        json!({
            "eventType": kind,
            "channelType": "MESSAGE",
            "channelName": plain_name(channel),
            "publisher": who.map_or("", |who| self.user(who)),
            "stateChanged": states(meta.unwrap_or(0)),
            "snapshot": null,
            "interval": null,
        })
    }

    fn user(&self, who: Person) -> &'static str {
        self.world.member(who).map_or("", |it| it.user_name())
    }

    fn interval(&self, of: &[Position]) -> Value {
        let users = |fits: &dyn Fn(&WorldChange) -> bool| -> Value {
            let changes = of
                .iter()
                .filter_map(|&position| self.world.change(position));
            let users = changes.filter(|it| fits(it)).map(|it| self.user(it.who));
            json!({"users": users.collect::<Vec<_>>()})
        };
        let changes = of
            .iter()
            .filter_map(|&position| self.world.change(position));
        let with_states = changes.filter_map(|change| match change.deed {
            WorldAction::Came(0) | WorldAction::Went => None,
            WorldAction::Came(meta) | WorldAction::Changed(meta) => {
                Some(self.user_with_states(change.who, meta))
            }
        });
        let mut interval = json!({
            "join": users(&|it| matches!(it.deed, WorldAction::Came(_))),
            "leave": users(&|it| it.deed == WorldAction::Went && !it.vanished),
            "timeout": users(&|it| it.deed == WorldAction::Went && it.vanished),
            "userStateList": with_states.collect::<Vec<_>>(),
        });
        // Some SDKs send no total.
        let last = of.last().copied().unwrap_or(0);
        if last % 3 != 0 {
            let everybody = 0..self.world.members.len();
            let there = everybody.filter(|&who| self.world.state(who, last).is_some());
            put(&mut interval, "totalOccupancy", there.count());
        }
        interval
    }

    fn user_with_states(&self, who: Person, meta: MetaNumber) -> Value {
        let states = states(meta);
        let count = states.as_object().map_or(0, Map::len);
        json!({"userId": self.user(who), "states": states, "statesCount": count})
    }

    fn users_with_states(&self, shown: &SimListing) -> Vec<Value> {
        let listed = shown.listed.iter();
        listed
            .map(|&who| {
                let meta = self.world.state(who, shown.read).unwrap_or(0);
                self.user_with_states(who, meta)
            })
            .collect()
    }

    /// The changes of an interval as a `diff` of Rollbook's own shape.
    pub fn late_diff(&self, of: &[Position]) -> Value {
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        let mut names = ("", "");
        for (change, member) in of.iter().filter_map(|&position| self.at(position)) {
            names = (member.channel_name(), member.topic_name());
            let mut listed = member_line(member);
            put(&mut listed, "late_ms", self.world.late_ms(change));
            match change.deed.meta() {
                Some(meta) => {
                    put(&mut listed, "meta", json!({"n": meta}));
                    joins.push(listed);
                }
                None => leaves.push(listed),
            }
        }
        let (channel, topic) = names;
        json!({"t": "diff", "channel": channel, "joins": {topic: joins}, "leaves": {topic: leaves}})
    }
}

/// Turns a `linkState` line into one of the presence service.
pub(super) fn of_presence(line: &mut Value, event: SimLink, channel: Option<&str>) {
    if event == SimLink::Synced {
        return;
    }
    put(line, "serviceType", "MESSAGE");
    if let Some(channel) = channel {
        put(line, "affectedChannels", json!([plain_name(channel)]));
    }
}

/// The user's states for a number; 0 stands for no states.
fn states(meta: MetaNumber) -> Value {
    match meta {
        0 => json!({}),
        meta => json!({"n": meta.to_string()}),
    }
}
