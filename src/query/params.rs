//! The parameters of queries, as the HTTP interface names them: one struct for each route. The server reads it from a
//! query string, the client writes it into one. The filters define what the parameters mean. A relative time is
//! resolved against the clock of the process that answers.

use super::answer::{EntryType, OriginAnswer};
use super::attendance::Appointments;
use super::calendar::Zone;
use super::meta_filter::MetaFilter;
use super::time::{Span, When};
use crate::store::BackupPlace;
use serde::de::value::StrDeserializer;
use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::str::FromStr;

mod filters;

pub use filters::ParamError;

/// The header in which a server reports the kind of its `/v1/feed`.
pub const FEED_HEADER: &str = "rollbook-feed";
/// The feed is played, not live: every client gets the same lines, and then an end (close code 1000). The only link
/// losses in the feed are those that it reports.
pub const FEED_PLAYED: &str = "played";
/// The feed is live, and its token can be renewed on the connection (`{"t":"renew","token":…}`).
pub const FEED_LIVE: &str = "live";

/// The code of the error for a question about what was pruned.
pub const PAST_RETENTION: &str = "past_retention";
/// The header in which a server says from when on its store is retained, if older entries were pruned.
pub const RETAINED_HEADER: &str = "rollbook-retained-from";

/// Declares structs of parameters. They are strict, so that a misspelt parameter is an error and is not ignored.
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
        /// Leave out members who were only possibly there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        certain: bool,
        /// The zone of times without one, a name of the IANA database.
        zone: Option<Zone>,
    }

    /// `history`.
    HistoryParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only this topic.
        topic: Option<String>,
        /// Only this user.
        user: Option<String>,
        /// Only entries that take effect at or after this moment.
        from: Option<When>,
        /// Only entries that take effect before this moment.
        to: Option<When>,
        /// Only entries of these types, separated by commas.
        #[serde(rename = "type", default, skip_serializing_if = "Types::is_empty")]
        types: Types,
        /// Only observed entries, or only inferred ones.
        origin: Option<OriginAnswer>,
        /// Only entries after this one.
        #[serde(default)]
        after_seq: u64,
        /// At most this many entries.
        limit: Option<u64>,
        /// The zone of times without one, a name of the IANA database.
        zone: Option<Zone>,
    }

    /// `subscribe` and `stream`: the entries after a position, and then new ones.
    SubscribeParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only this topic.
        topic: Option<String>,
        /// Only this user.
        user: Option<String>,
        /// Only entries of these types, separated by commas.
        #[serde(rename = "type", default, skip_serializing_if = "Types::is_empty")]
        types: Types,
        /// Only observed entries, or only inferred ones.
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
        /// Include windows, and the topics that vanished.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        detail: bool,
        /// The zone of times without one, a name of the IANA database.
        zone: Option<Zone>,
    }

    /// `sessions`.
    SessionsParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only this topic.
        topic: Option<String>,
        /// Only this user.
        user: Option<String>,
        /// Only stays that had not ended at this moment.
        from: Option<When>,
        /// Only stays that had begun before this moment.
        to: Option<When>,
        /// Unite a user's overlapping stays: in a topic over connections, or in a channel over topics as well.
        per: Option<PerParam>,
        /// End stays at `from` and `to`, with all their bounds.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        clip: bool,
        /// As the log was known at this moment.
        known_at: Option<When>,
        /// The zone of times without one, a name of the IANA database.
        zone: Option<Zone>,
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
        /// One line for each interval of this length; with a zone, whole days are local days.
        every: Option<Span>,
        /// The presence of each user, in place of the figures of all.
        by: Option<ByParam>,
        /// As the log was known at this moment.
        known_at: Option<When>,
        /// The zone of times without one, a name of the IANA database.
        zone: Option<Zone>,
    }

    /// `attendance`.
    AttendanceParams {
        /// The channel.
        channel: String,
        /// Only this topic.
        topic: Option<String>,
        /// From this moment, where there are no appointments; else from the channel's first entry.
        from: Option<When>,
        /// Up to this moment; else to the channel's last effective time.
        to: Option<When>,
        /// Appointments, separated by commas, each with begin and end as Unix ms: `1778788800000/1778792400000`.
        #[serde(default, skip_serializing_if = "Appointments::is_empty")]
        appointments: Appointments,
        /// How much later than the begin, or earlier than the end, is in time.
        grace: Option<Span>,
        /// Leave out members with such metadata: `role=bot`, several separated by commas.
        without_meta: Option<MetaFilter>,
        /// As the log was known at this moment.
        known_at: Option<When>,
        /// The zone of times without one, a name of the IANA database.
        zone: Option<Zone>,
    }

    /// `gaps` and `feed`: one channel.
    ChannelParams {
        /// The channel.
        channel: String,
    }

    /// `channels` and `rejects`: no parameters.
    NoParams {}

    /// `ingest` and `events`: the source of the lines.
    IngestParams {
        /// The observer, for lines that do not name one.
        observer: Option<String>,
        /// The observer's own user id, for lines that do not name one: a snapshot never infers that this user left.
        #[serde(rename = "self")]
        self_user: Option<String>,
        /// An id that the client created for one unbroken connection to the source, to resume the feed after a break
        /// (only `ingest`).
        feed: Option<String>,
    }

    /// `verify`.
    VerifyParams {
        /// Decide all events again, and compare the results.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deep: bool,
    }

    /// `replay`.
    ReplayParams {
        /// Only this channel.
        channel: Option<String>,
        /// Only entries that take effect at or after this moment.
        from: Option<When>,
        /// Only entries that take effect before this moment.
        to: Option<When>,
        /// Only this entry and later ones.
        from_seq: Option<u64>,
        /// Only this entry and earlier ones.
        to_seq: Option<u64>,
        /// Lines in Rollbook's own format; otherwise in Agora's.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rollbook: bool,
    }

    /// `rejects --retry`: how the lines are read and recorded this time.
    RetryParams {
        /// The observer, for lines that do not name one.
        observer: String,
        /// The observer's own user id, for lines that do not name one.
        #[serde(rename = "self")]
        self_user: Option<String>,
        /// How much lateness is tolerated.
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
        /// The unit of a number that a line gives as a time: `s`, `ms` or `us`.
        time_unit: String,
        /// How late a time-out may be reported.
        presence_timeout: Span,
        /// How long a change may wait in Agora's interval mode.
        presence_interval: Span,
        /// How long Agora delays a leave.
        presence_debounce: Span,
    }
}

/// Over what a user's stays are united.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PerParam {
    /// Over connections.
    Topic,
    /// Over topics and connections.
    Channel,
}

/// Whose figures are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ByParam {
    /// Those of each user.
    User,
}

/// Types of entries, separated by commas; empty: all types.
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

/// Of `backup`: where an earlier one ended that is to be continued, all five fields of it or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackupParams {
    /// The id of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// The last entry in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The engine's position of its last value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The chain link there, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The first position that no block had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsealed: Option<u64>,
}

impl BackupParams {
    /// For a backup that continues an earlier one, or for a whole one.
    #[must_use]
    pub fn of(since: Option<&BackupPlace>) -> BackupParams {
        let since = since.cloned();
        BackupParams {
            store: since.as_ref().map(|since| since.store.clone()),
            seq: since.as_ref().map(|since| since.seq),
            position: since.as_ref().map(|since| since.position),
            unsealed: since.as_ref().map(|since| since.unsealed),
            link: since.map(|since| since.link),
        }
    }

    /// Where the earlier backup ended.
    ///
    /// # Errors
    /// A part of it is missing.
    pub fn since(self) -> Result<Option<BackupPlace>, &'static str> {
        match self {
            BackupParams {
                store: Some(store),
                seq: Some(seq),
                position: Some(position),
                link: Some(link),
                unsealed: Some(unsealed),
            } => Ok(Some(BackupPlace {
                store,
                seq,
                position,
                link,
                unsealed,
            })),
            other if other == BackupParams::default() => Ok(None),
            _ => {
                Err("store, seq, position, link and unsealed of an earlier backup belong together")
            }
        }
    }
}

/// Lets a type with a text form be used in a query string.
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

as_text!(When, Span, Zone, MetaFilter, Appointments);

fn read<T: FromStr<Err: Display>, E: Error>(text: &str) -> Result<T, E> {
    text.parse().map_err(E::custom)
}
