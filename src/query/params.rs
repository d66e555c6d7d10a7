//! What a question asks, in the words of the HTTP interface: one struct a route, read from a query string by the server
//! and written into one by the client. What the words mean is the filters' business; a relative time is worked out
//! against the clock of the process that answers.

use super::answer::{EntryType, OriginAnswer};
use super::time::{Span, When};
use super::{HistoryFilter, MissedFilter, SessionFilter, StatsFilter, WhoFilter, WhoWhen};
use crate::domain::time::Millis;
use serde::de::value::StrDeserializer;
use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::str::FromStr;

/// The header in which a server says what kind of feed its `/v1/feed` is.
pub const FEED_HEADER: &str = "rollbook-feed";
/// It is played, not live: the same lines for every client, and then an end (close code 1000). No link is lost in it but
/// those that it tells of.
pub const FEED_PLAYED: &str = "played";
/// It is live, and its token can be renewed on the connection (`{"t":"renew","token":…}`).
pub const FEED_LIVE: &str = "live";

/// Declares structs of parameters: strict, so that a misspelt one is told and not ignored.
macro_rules! params {
    ($($(#[$of_struct:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$of_struct])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
        }
    )*};
}

params! {
    /// `who`.
    WhoParams {
        /// The channel.
        channel: String,
        /// Only this topic.
        topic: Option<String>,
        /// At this moment.
        at: Option<When>,
        /// As if the log ended with this entry; not together with `at`.
        seq: Option<u64>,
        /// As the log was known at this moment.
        known_at: Option<When>,
        /// Leave out those who were only possibly there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        certain: bool,
    }

    /// `history`.
    HistoryParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only this topic.
        topic: Option<String>,
        /// Only this user.
        user: Option<String>,
        /// Only what takes effect at or after this moment.
        from: Option<When>,
        /// Only what takes effect before this moment.
        to: Option<When>,
        /// Only entries of these types, with commas between them.
        #[serde(rename = "type", default, skip_serializing_if = "Types::is_empty")]
        types: Types,
        /// Only what a feed said, or only what was inferred.
        origin: Option<OriginAnswer>,
        /// Only entries after this one.
        #[serde(default)]
        after_seq: u64,
        /// At most so many entries.
        limit: Option<u64>,
    }

    /// `subscribe` and `stream`: entries after a position, and then those to come.
    SubscribeParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only this topic.
        topic: Option<String>,
        /// Only this user.
        user: Option<String>,
        /// Only entries of these types, with commas between them.
        #[serde(rename = "type", default, skip_serializing_if = "Types::is_empty")]
        types: Types,
        /// Only what a feed said, or only what was inferred.
        origin: Option<OriginAnswer>,
        /// Only entries after this one.
        #[serde(default)]
        after_seq: u64,
    }

    /// `missed`.
    MissedParams {
        /// The channel.
        channel: String,
        /// Only this gap.
        gap: Option<u32>,
        /// Only gaps that were open at this moment, or later.
        since: Option<When>,
        /// As the log was known at this moment.
        known_at: Option<When>,
        /// With windows, and the topics that vanished.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        detail: bool,
    }

    /// `sessions`.
    SessionsParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only this topic.
        topic: Option<String>,
        /// Only this user.
        user: Option<String>,
        /// Only stays that were not over at this moment.
        from: Option<When>,
        /// Only stays that had begun before this moment.
        to: Option<When>,
        /// As the log was known at this moment.
        known_at: Option<When>,
    }

    /// `stats`.
    StatsParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only this topic.
        topic: Option<String>,
        /// From this moment.
        from: Option<When>,
        /// Up to this moment.
        to: Option<When>,
        /// A line for each such stretch.
        every: Option<Span>,
        /// As the log was known at this moment.
        known_at: Option<When>,
    }

    /// `gaps` and `feed`: one channel.
    ChannelParams {
        /// The channel.
        channel: String,
    }

    /// `channels` and `rejects`: nothing to be said.
    NoParams {}

    /// `ingest` and `events`: whose lines these are.
    IngestParams {
        /// Who watched, for lines that do not say.
        observer: Option<String>,
        /// The observer's own user id, for lines that do not say: a snapshot never infers that he left.
        #[serde(rename = "self")]
        self_user: Option<String>,
        /// An id that the client made up for one unbroken connection to the source, to go on with after a break (only
        /// `ingest`).
        feed: Option<String>,
    }

    /// `verify`.
    VerifyParams {
        /// Decide everything again, and compare.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deep: bool,
    }

    /// `replay`.
    ReplayParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only what takes effect at or after this moment.
        from: Option<When>,
        /// Only what takes effect before this moment.
        to: Option<When>,
        /// Only this entry and those behind it.
        from_seq: Option<u64>,
        /// Only this entry and those before it.
        to_seq: Option<u64>,
        /// Lines in Rollbook's own shape; else in Agora's.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rollbook: bool,
    }

    /// `rejects --retry`: by whom and how the lines are read and taken this time.
    RetryParams {
        /// Who watched, for lines that do not say.
        observer: String,
        /// The observer's own user id, for lines that do not say.
        #[serde(rename = "self")]
        self_user: Option<String>,
        /// Lateness that is forgiven.
        skew_tolerance: Span,
        /// How far a source's time may be ahead of the recording.
        max_ahead: Span,
        /// By how much windows begin earlier.
        slack: Span,
        /// The source may drop or reorder single events.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lossy: bool,
        /// How long a source may take to send what was missed as differences.
        resync: Span,
        /// What a number counts where a line gives a time: `s`, `ms` or `us`.
        time_unit: String,
        /// How late a time-out may be told of.
        presence_timeout: Span,
        /// How long a change may wait in Agora's interval mode.
        presence_interval: Span,
        /// How long Agora holds a leave back.
        presence_debounce: Span,
    }
}

impl WhoParams {
    /// The filter meant at `now`.
    ///
    /// # Errors
    /// Where both a moment and an entry are named.
    pub fn filter(&self, now: Millis) -> Result<WhoFilter, &'static str> {
        let when = match (self.at, self.seq) {
            (Some(_), Some(_)) => return Err("seq: not together with at"),
            (Some(at), None) => WhoWhen::At(at.resolve(now)),
            (None, Some(seq)) => WhoWhen::Seq(seq),
            (None, None) => WhoWhen::Head,
        };
        Ok(WhoFilter {
            topic: self.topic.clone(),
            when,
            known_at: self.known_at.map(|at| at.resolve(now)),
            certain: self.certain,
        })
    }
}

impl HistoryParams {
    /// The filter meant at `now`.
    #[must_use]
    pub fn filter(&self, now: Millis) -> HistoryFilter {
        HistoryFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            from: self.from.map(|at| at.resolve(now)),
            to: self.to.map(|at| at.resolve(now)),
            types: self.types.0.clone(),
            observed: self.origin.map(|origin| origin == OriginAnswer::Observed),
            after_seq: self.after_seq,
            limit: self.limit,
        }
    }
}

impl SubscribeParams {
    /// The filter meant.
    #[must_use]
    pub fn filter(&self) -> HistoryFilter {
        HistoryFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            types: self.types.0.clone(),
            observed: self.origin.map(|origin| origin == OriginAnswer::Observed),
            after_seq: self.after_seq,
            ..HistoryFilter::default()
        }
    }
}

impl MissedParams {
    /// The filter meant at `now`.
    #[must_use]
    pub fn filter(&self, now: Millis) -> MissedFilter {
        MissedFilter {
            gap: self.gap,
            since: self.since.map(|at| at.resolve(now)),
            known_at: self.known_at.map(|at| at.resolve(now)),
            detail: self.detail,
        }
    }
}

impl SessionsParams {
    /// The filter meant at `now`.
    #[must_use]
    pub fn filter(&self, now: Millis) -> SessionFilter {
        SessionFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            from: self.from.map(|at| at.resolve(now)),
            to: self.to.map(|at| at.resolve(now)),
            known_at: self.known_at.map(|at| at.resolve(now)),
        }
    }
}

impl StatsParams {
    /// The filter meant at `now`.
    #[must_use]
    pub fn filter(&self, now: Millis) -> StatsFilter {
        StatsFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            from: self.from.map(|at| at.resolve(now)),
            to: self.to.map(|at| at.resolve(now)),
            every_ms: self.every.map(|every| every.0),
            known_at: self.known_at.map(|at| at.resolve(now)),
        }
    }
}

/// Types of entries, with commas between them; none: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(transparent))]
pub struct Types(#[cfg_attr(feature = "server", schemars(with = "String"))] pub Vec<EntryType>);

impl Types {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Types {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        serializer.serialize_str(&words.join(","))
    }
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = text.split(',').filter(|word| !word.is_empty());
        let types = words.map(|word| {
            let word: StrDeserializer<'_, D::Error> = word.into_deserializer();
            EntryType::deserialize(word)
        });
        types.collect::<Result<_, _>>().map(Types)
    }
}

/// Gives what is written and read as text its place in a query string.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read(&String::deserialize(deserializer)?)
            }
        }

        #[cfg(feature = "server")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    )*};
}

as_text!(When, Span);

fn read<T: FromStr<Err: Display>, E: Error>(text: &str) -> Result<T, E> {
    text.parse().map_err(E::custom)
}
