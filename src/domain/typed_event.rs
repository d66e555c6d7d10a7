//! Events made in code rather than read from a line: constructors for the usual ones, and what they can be given.
//! Rules and checks live elsewhere: `decide` says what follows, `store::check` whether an event can be recorded.

use super::event::{
    ChangeKind, Event, EventPayload, LinkState, ReportedChange, ReportedLink, ReportedListing,
    ReportedMember, ReportedTopic, Service, Str,
};
use super::order::{Pos, Stamp};
use super::time::Millis;

/// The observer of events that name none.
const DEFAULT_OBSERVER: &str = "default";

/// Events of the observer `default`, without id, time and position; [`at`](Event::at), [`by`](Event::by) and the other
/// methods add them.
///
/// ```
/// use rollbook::{Event, domain::LinkState};
/// # fn main() -> Result<(), rollbook::StoreError> {
/// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
/// store.record(&[
///     Event::snapshot("room", [("chat", "tony")]).at(1_000),
///     Event::link(LinkState::Down).at(2_000),
///     Event::link(LinkState::Up).at(8_000),
///     Event::snapshot("room", [("chat", "lily")]).at(9_000),
///     Event::join("room", "chat", "ben").meta(r#"{"role":"guest"}"#).at(9_500),
/// ])?;
/// let missed = store.missed("room", &Default::default())?;
/// assert_eq!(missed[0].joined[0].user, "lily");
/// assert_eq!(missed[0].left[0].user, "tony");
/// assert_eq!(store.who("room", &Default::default())?.topics[0].publishers.len(), 2);
/// # Ok(())
/// # }
/// ```
impl<'a> Event<'a> {
    /// A user joins a topic.
    #[must_use]
    pub fn join(
        channel: impl Into<Str<'a>>,
        topic: impl Into<Str<'a>>,
        user: impl Into<Str<'a>>,
    ) -> Event<'a> {
        Event::change(ChangeKind::Join, channel, topic, user)
    }

    /// A user leaves a topic.
    #[must_use]
    pub fn leave(
        channel: impl Into<Str<'a>>,
        topic: impl Into<Str<'a>>,
        user: impl Into<Str<'a>>,
    ) -> Event<'a> {
        Event::change(ChangeKind::Leave, channel, topic, user)
    }

    /// A user's metadata changes; [`meta`](Event::meta) says to what.
    #[must_use]
    pub fn update(
        channel: impl Into<Str<'a>>,
        topic: impl Into<Str<'a>>,
        user: impl Into<Str<'a>>,
    ) -> Event<'a> {
        Event::change(ChangeKind::Update, channel, topic, user)
    }

    /// The whole truth of a channel: these topics and users, and no others.
    #[must_use]
    pub fn snapshot<T, U>(
        channel: impl Into<Str<'a>>,
        members: impl IntoIterator<Item = (T, U)>,
    ) -> Event<'a>
    where
        T: Into<Str<'a>>,
        U: Into<Str<'a>>,
    {
        let shown = members.into_iter().collect();
        let channel = channel.into();
        Event::of(EventPayload::Snapshot { channel, shown })
    }

    /// The observer's link as a whole changes.
    #[must_use]
    pub fn link(state: LinkState) -> Event<'a> {
        Event::of(EventPayload::Link(ReportedLink {
            state,
            channels: Vec::new(),
            unrestored: Vec::new(),
            service: Service::All,
            reason: None,
        }))
    }

    /// It happened at this time of the source, Unix ms.
    #[must_use]
    pub fn at(mut self, ts: Millis) -> Event<'a> {
        self.stamp.ts = Some(ts);
        self
    }

    /// It has this position in the source's own order.
    #[must_use]
    pub fn at_position(mut self, pos: Pos) -> Event<'a> {
        self.stamp.pos = Some(pos);
        self
    }

    /// This observer reports it.
    #[must_use]
    pub fn by(mut self, observer: impl Into<Str<'a>>) -> Event<'a> {
        self.observer = observer.into();
        self
    }

    /// Its id: sent again with the same one, it is recorded once.
    #[must_use]
    pub fn id(mut self, id: impl Into<Str<'a>>) -> Event<'a> {
        self.id = Some(id.into());
        self
    }

    /// The metadata of its member, or of all that a snapshot lists: canonical JSON text, as
    /// [`feed`](crate::feed) makes it. Other events have none.
    #[must_use]
    pub fn meta(mut self, json: impl Into<Str<'a>>) -> Event<'a> {
        let json = json.into();
        self.members_mut()
            .for_each(|member| member.meta = Some(json.clone()));
        self
    }

    /// The connection of its member, or of all that a snapshot lists, where a user may have several.
    #[must_use]
    pub fn connection(mut self, conn: impl Into<Str<'a>>) -> Event<'a> {
        let conn = conn.into();
        self.members_mut()
            .for_each(|member| member.conn = conn.clone());
        self
    }

    fn change(
        kind: ChangeKind,
        channel: impl Into<Str<'a>>,
        topic: impl Into<Str<'a>>,
        user: impl Into<Str<'a>>,
    ) -> Event<'a> {
        Event::of(EventPayload::Changes {
            channel: channel.into(),
            changes: vec![ReportedChange {
                kind,
                topic: topic.into(),
                who: ReportedMember::of(user),
            }],
            together: false,
            occupancy: None,
        })
    }

    fn of(payload: EventPayload<'a>) -> Event<'a> {
        Event {
            observer: DEFAULT_OBSERVER.into(),
            self_user: None,
            id: None,
            stamp: Stamp::NONE,
            payload,
        }
    }

    fn members_mut(&mut self) -> Box<dyn Iterator<Item = &mut ReportedMember<'a>> + '_> {
        match &mut self.payload {
            EventPayload::Changes { changes, .. } => {
                Box::new(changes.iter_mut().map(|change| &mut change.who))
            }
            EventPayload::Snapshot { shown, .. } => {
                let topics = shown.topics.iter_mut();
                Box::new(topics.flat_map(|topic| topic.members.iter_mut()))
            }
            _ => Box::new(std::iter::empty()),
        }
    }
}

impl<'a> ReportedMember<'a> {
    /// A user, of whom nothing else is reported.
    #[must_use]
    pub fn of(user: impl Into<Str<'a>>) -> ReportedMember<'a> {
        ReportedMember {
            user: user.into(),
            conn: "".into(),
            meta: None,
            stamp: Stamp::NONE,
            reason: None,
            late_ms: 0,
        }
    }
}

/// Topics and their users. Each pair is a topic of its own, which a listing may have several times.
impl<'a, T: Into<Str<'a>>, U: Into<Str<'a>>> FromIterator<(T, U)> for ReportedListing<'a> {
    fn from_iter<I: IntoIterator<Item = (T, U)>>(members: I) -> ReportedListing<'a> {
        let topics = members.into_iter().map(|(topic, user)| ReportedTopic {
            topic: topic.into(),
            total: None,
            members: vec![ReportedMember::of(user)],
        });
        ReportedListing {
            topics: topics.collect(),
            ..ReportedListing::default()
        }
    }
}
