//! A line as the peers keep it: one row of plain columns. Rollbook's own lines and Agora's (JavaScript SDK) are read,
//! each with one change; a snapshot becomes one row that has the whole of it. Nothing is compared or inferred.

use crate::Outcome;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A publisher came.
    Join,
    /// A publisher's metadata changed.
    Update,
    /// A publisher went.
    Leave,
    /// A whole channel.
    Snapshot,
}

impl Kind {
    fn of(word: &str) -> Outcome<Kind> {
        match word {
            "join" | "REMOTE_JOIN" => Ok(Kind::Join),
            "update" => Ok(Kind::Update),
            "leave" | "REMOTE_LEAVE" => Ok(Kind::Leave),
            "snapshot" | "SNAPSHOT" => Ok(Kind::Snapshot),
            _ => Err(format!("a line of the kind {word} is not expected here").into()),
        }
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Join => "join",
            Kind::Update => "update",
            Kind::Leave => "leave",
            Kind::Snapshot => "snapshot",
        }
    }
}

/// One line in columns. Its text is borrowed from the line.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// What it says.
    pub kind: Kind,
    /// Source time, Unix ms.
    pub ts: i64,
    /// The channel.
    pub channel: Cow<'a, str>,
    /// The topic; empty for a snapshot.
    pub topic: Cow<'a, str>,
    /// The user; empty for a snapshot.
    pub user: Cow<'a, str>,
    /// Metadata as JSON; of a snapshot, all that it lists. Empty: none.
    pub meta: Cow<'a, str>,
}

#[derive(Deserialize)]
struct OwnLine<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow, default)]
    topic: Cow<'a, str>,
    #[serde(borrow, default)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    #[serde(borrow)]
    topics: Option<&'a RawValue>,
    ts: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgoraLine<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    channel_name: Cow<'a, str>,
    #[serde(borrow)]
    publisher: Cow<'a, str>,
    timestamp: i64,
    #[serde(borrow)]
    topic_infos: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgoraTopic<'a> {
    #[serde(borrow)]
    topic_name: Cow<'a, str>,
    #[serde(borrow)]
    publishers: Vec<AgoraPublisher<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgoraPublisher<'a> {
    #[serde(borrow)]
    publisher_meta: Option<&'a RawValue>,
}

impl<'a> Row<'a> {
    /// Reads a line.
    pub fn of(line: &'a str) -> Outcome<Row<'a>> {
        if line.starts_with(r#"{"t":"#) {
            return Row::of_own(serde_json::from_str(line)?);
        }
        Row::of_agora(&serde_json::from_str(line)?)
    }

    fn of_own(line: OwnLine<'a>) -> Outcome<Row<'a>> {
        let meta = line.topics.or(line.meta);
        Ok(Row {
            kind: Kind::of(&line.t)?,
            ts: line.ts,
            channel: line.channel,
            topic: line.topic,
            user: line.user,
            meta: meta.map_or("", RawValue::get).into(),
        })
    }

    fn of_agora(line: &AgoraLine<'a>) -> Outcome<Row<'a>> {
        let kind = Kind::of(&line.event_type)?;
        let mut row = Row {
            kind,
            ts: line.timestamp,
            channel: line.channel_name.clone(),
            topic: "".into(),
            user: line.publisher.clone(),
            meta: line.topic_infos.get().into(),
        };
        if kind == Kind::Snapshot {
            return Ok(row);
        }
        let topics: Vec<AgoraTopic<'a>> = serde_json::from_str(line.topic_infos.get())?;
        let [topic] = <[_; 1]>::try_from(topics).map_err(|_| "a line with several topics")?;
        let [publisher] =
            <[_; 1]>::try_from(topic.publishers).map_err(|_| "a line with several publishers")?;
        row.topic = topic.topic_name;
        row.meta = publisher.publisher_meta.map_or("", RawValue::get).into();
        Ok(row)
    }

    /// The row in few bytes, as the value of a key: kind, time, and each text behind its length.
    pub fn value(&self) -> Vec<u8> {
        let texts = [&self.channel, &self.topic, &self.user, &self.meta];
        let length: usize = texts.iter().map(|text| text.len() + 4).sum();
        let mut value = Vec::with_capacity(length + 9);
        value.push(self.kind as u8);
        value.extend_from_slice(&self.ts.to_le_bytes());
        for text in texts {
            // A length below 255 is one byte, as in bincode and most other forms.
            match u8::try_from(text.len()) {
                Ok(length) if length < u8::MAX => value.push(length),
                _ => {
                    value.push(u8::MAX);
                    value.extend_from_slice(&(text.len() as u32).to_le_bytes());
                }
            }
            value.extend_from_slice(text.as_bytes());
        }
        value
    }

    /// The key of its index entry: channel, topic, and its number.
    pub fn index_key(&self, number: u64) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.channel.len() + self.topic.len() + 10);
        for name in [&self.channel, &self.topic] {
            key.extend_from_slice(name.as_bytes());
            key.push(0);
        }
        key.extend_from_slice(&number.to_be_bytes());
        key
    }
}
