//! The meaning of Agora's topic events ([guide](crate::guide::semantics#live-events)), independent of the field names
//! of each SDK.

use super::field::Field;
use super::line::{Line, Topic};
use super::line_error::LineError;
use crate::domain::event::{
    ChangeKind, EventPayload, ReportedChange, ReportedListing, ReportedMember, ReportedTopic, Str,
};

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
    let infos = line.topic_infos().field();
    let none_told = infos.is_null() && total_topics == Some(0);
    if !matches!(what, TopicEventKind::None) && !infos.is_given() && !none_told {
        return Err(infos.lacking());
    }
    match what {
        TopicEventKind::None => {
            line.topic_infos()
                .each(|topic| shown(topic, words).map(drop))?;
            Ok(EventPayload::Nothing)
        }
        TopicEventKind::Snapshot => {
            let mut listing = ReportedListing {
                total_topics,
                ..ReportedListing::default()
            };
            line.topic_infos().each(|topic| {
                listing.topics.push(shown(topic, words)?);
                Ok(())
            })?;
            Ok(EventPayload::Snapshot {
                channel,
                shown: listing,
            })
        }
        TopicEventKind::Live(kind) => {
            // Nearly all lines list one publisher in one topic.
            let mut changes = Vec::with_capacity(1);
            line.topic_infos()
                .each(|topic| live(kind, &publisher, topic, words, &mut changes))?;
            if changes.is_empty() {
                return Ok(EventPayload::Nothing);
            }
            Ok(EventPayload::Changes {
                channel,
                changes,
                together: false,
                occupancy: None,
            })
        }
    }
}

/// Reads the publishers of a topic, and gives each to `each`.
fn members<'a>(
    topic: &Topic<'a>,
    mut each: impl FnMut(ReportedMember<'a>),
) -> Result<(), LineError> {
    let publishers = topic.publishers();
    if !publishers.field().is_there() {
        return Err(publishers.field().lacking());
    }
    publishers.each(|publisher| {
        let who = ReportedMember::of(publisher.user().needed_name()?);
        each(publisher.meta().meta()?.of_member(who));
        Ok(())
    })
}

/// Reads a topic as a snapshot shows it.
fn shown<'a>(topic: &Topic<'a>, words: &FieldNames) -> Result<ReportedTopic<'a>, LineError> {
    let mut listed = Vec::with_capacity(topic.publishers().len());
    members(topic, |who| listed.push(who))?;
    Ok(ReportedTopic {
        topic: (words.topic)(topic).needed_name()?,
        total: (words.total)(topic).count()?,
        members: listed,
    })
}

/// Adds the changes of one topic of a live event. The event never shows the other members: it concerns only
/// `publisher`, or, without one, the listed ones.
fn live<'a>(
    kind: ChangeKind,
    publisher: &Str<'a>,
    topic: &Topic<'a>,
    words: &FieldNames,
    changes: &mut Vec<ReportedChange<'a>>,
) -> Result<(), LineError> {
    let name = (words.topic)(topic).needed_name();
    let mut listed = false;
    let mut add = |who| {
        let topic = name.as_ref().cloned().unwrap_or_default();
        changes.push(ReportedChange { kind, topic, who });
    };
    members(topic, |who| {
        listed = true;
        if publisher.is_empty() || who.user == *publisher {
            add(who);
        }
    })?;
    if !listed && !publisher.is_empty() {
        add(ReportedMember::of(publisher.clone()));
    }
    // An error in the publishers comes first.
    name?;
    (words.total)(topic).count()?;
    Ok(())
}
