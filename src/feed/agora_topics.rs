//! The meaning of Agora's topic events ([guide](crate::guide::semantics#live-events)), independent of the field names
//! of each SDK.

use super::Line;
use super::field::{Field, object};
use super::line_error::LineError;
use crate::domain::event::{
    ChangeKind, EventPayload, ReportedChange, ReportedListing, ReportedMember, ReportedTopic, Str,
};

object! {
    /// One of the `topicInfos`, with the field names of all SDKs.
    Topic {
        topic_name: "topicName",
        total_publisher: "totalPublisher",
        topic: "topic",
        publisher_count: "publisherCount",
        publishers: "publishers",
    }
}

object! {
    /// One of its publishers.
    Publisher {
        user: "publisherUserId",
        meta: "publisherMeta",
    }
}

/// The kind of a topic event.
#[derive(Clone, Copy)]
pub(super) enum TopicEventKind {
    /// Nothing happened.
    None,
    /// A snapshot of the whole channel.
    Snapshot,
    /// A publisher joined or left.
    Live(ChangeKind),
}

/// The field names of an SDK.
pub(super) struct FieldNames {
    /// How many topics the channel has.
    pub(super) total_topics: for<'a> fn(&Line<'a>) -> Field<'a>,
    /// A topic's name.
    pub(super) topic: for<'a> fn(&Topic<'a>) -> Field<'a>,
    /// How many publishers it has.
    pub(super) total: for<'a> fn(&Topic<'a>) -> Field<'a>,
}

/// Reads the line. All of it is checked, even where nothing follows from it.
pub(super) fn said<'a>(
    line: &Line<'a>,
    what: TopicEventKind,
    words: &FieldNames,
) -> Result<EventPayload<'a>, LineError> {
    let channel = line.channel_name().needed_name()?;
    let publisher = line.publisher().name_or_empty()?;
    let total_topics = (words.total_topics)(line).count()?;
    // Agora's presence events have the same types, but no topics: they must not empty a channel. A null beside a
    // total of 0 is an empty list, from a language that writes empty lists as null.
    let infos = line.topic_infos();
    let none_told = infos.is_null() && total_topics == Some(0);
    if !matches!(what, TopicEventKind::None) && !infos.is_given() && !none_told {
        return Err(infos.lacking());
    }
    let topics = topics(line, words)?;
    Ok(match what {
        TopicEventKind::None => EventPayload::Nothing,
        TopicEventKind::Snapshot => EventPayload::Snapshot {
            channel,
            shown: ReportedListing {
                topics,
                total_topics,
                incomplete: false,
            },
        },
        TopicEventKind::Live(kind) => live(channel, kind, publisher, topics),
    })
}

fn topics<'a>(line: &Line<'a>, words: &FieldNames) -> Result<Vec<ReportedTopic<'a>>, LineError> {
    // Nearly all lines are live, and list one publisher in one topic.
    let mut topics = Vec::with_capacity(1);
    line.topic_infos().objects(|scanner| {
        let mut topic = Topic::default();
        topic.read(scanner)?;
        if !topic.publishers().is_there() {
            return Err(topic.publishers().lacking());
        }
        let mut members = Vec::with_capacity(1);
        topic.publishers().objects(|scanner| {
            let mut publisher = Publisher::default();
            publisher.read(scanner)?;
            let who = ReportedMember::of(publisher.user().needed_name()?);
            members.push(publisher.meta().meta()?.of_member(who));
            Ok(())
        })?;
        topics.push(ReportedTopic {
            topic: (words.topic)(&topic).needed_name()?,
            total: (words.total)(&topic).count()?,
            members,
        });
        Ok(())
    })?;
    Ok(topics)
}

/// Reads a live event. It never shows the other members: it concerns only
/// `publisher`, or, without one, the listed ones.
fn live<'a>(
    channel: Str<'a>,
    kind: ChangeKind,
    publisher: Str<'a>,
    topics: Vec<ReportedTopic<'a>>,
) -> EventPayload<'a> {
    let mut changes = Vec::with_capacity(1);
    for ReportedTopic { topic, members, .. } in topics {
        if members.is_empty() && !publisher.is_empty() {
            changes.push(ReportedChange {
                kind,
                topic,
                who: ReportedMember::of(publisher.clone()),
            });
            continue;
        }
        let concerned = |who: &ReportedMember<'_>| publisher.is_empty() || who.user == publisher;
        changes.extend(
            members
                .into_iter()
                .filter(concerned)
                .map(|who| ReportedChange {
                    kind,
                    topic: topic.clone(),
                    who,
                }),
        );
    }
    if changes.is_empty() {
        return EventPayload::Nothing;
    }
    EventPayload::Changes {
        channel,
        changes,
        together: false,
        occupancy: None,
    }
}
