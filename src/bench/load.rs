//! A load like that of a real deployment. It has few hot channels and many quiet ones. Publishers join, leave and
//! change their metadata, and now and then a snapshot shows what was missed.
//!
//! The same seed gives the same lines on every machine: the generator is in this file.
#![allow(clippy::indexing_slicing)] // nothing that is indexed is empty, and every index is drawn below its length

use crate::domain::entry::Rules;
use crate::domain::event::{Event, EventPayload, ReportedListing, ReportedMember, ReportedTopic};
use crate::domain::order::Stamp;
use crate::feed::{self, Defaults, LineError};
use crate::store::{Batch, BatchLine, BatchText};

/// SplitMix64: small and fast, and its sequence never changes.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts the sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }
}

/// Numbers from 0; the probability of `n` is proportional to 1/(n+1).
#[derive(Debug, Clone)]
pub struct Zipf {
    sums: Vec<u64>,
}

impl Zipf {
    /// Over `count` numbers.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut sum = 0;
        let sums = (1..=count as u64).map(|n| {
            sum += (1 << 40) / n;
            sum
        });
        Zipf {
            sums: sums.collect(),
        }
    }

    /// The next number.
    #[must_use]
    pub fn draw(&self, random: &mut Random) -> usize {
        let end = self.sums.last().copied().unwrap_or(1);
        let at = random.number() % end;
        self.sums.partition_point(|&sum| sum <= at)
    }
}

/// Lines as a batch that is ready to be recorded.
///
/// # Errors
/// A line is not valid.
pub fn parsed(lines: &[String]) -> Result<Batch, LineError> {
    let text = BatchText {
        bytes: lines.join("\n").into_bytes(),
        ..BatchText::default()
    };
    let defaults = Defaults::of("default");
    let mut failure = None;
    let batch = Batch::read(text, Rules::default(), |text| {
        let lines = text.bytes.split(|&byte| byte == b'\n');
        let events = lines.map(|line| feed::parse(line, &defaults));
        let events = events.map(|event| Ok(BatchLine::Event(event?.into())));
        let events = events.collect::<Result<Vec<_>, LineError>>();
        events.unwrap_or_else(|error| {
            failure = Some(error);
            Vec::new()
        })
    });
    failure.map_or(Ok(batch), Err)
}

const TOPICS: [&str; 4] = ["audio", "chat", "gesture", "whiteboard"];

/// A possible member: whether it is present, and the version of its metadata.
#[derive(Debug, Clone, Copy, Default)]
struct LoadMember {
    there: bool,
    version: u32,
}

/// An endless series of lines. About 997 in 1,000 are joins, updates and leaves; 3 are snapshots of a channel.
#[derive(Debug, Clone)]
pub struct Load {
    random: Random,
    zipf: Zipf,
    channels: Vec<Vec<LoadMember>>,
    ts: i64,
}

impl Load {
    /// The first source time, Unix ms.
    pub const FROM: i64 = 1_700_000_000_000;
    /// On average, one line in this many is a snapshot.
    const SNAPSHOT_EVERY: usize = 333;

    /// A load for this many channels. Each has at most `seats` publishers; about half of them are present.
    #[must_use]
    pub fn new(seed: u64, channels: usize, seats: usize) -> Self {
        let (channels, seats) = (channels.max(1), seats.max(1));
        Load {
            random: Random::new(seed),
            zipf: Zipf::new(channels),
            channels: vec![vec![LoadMember::default(); seats]; channels],
            ts: Self::FROM,
        }
    }

    /// The source time of the last line.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.ts
    }

    /// The name of a channel.
    #[must_use]
    pub fn channel(number: usize) -> String {
        format!("room-{number:04}")
    }

    /// Draws a channel's number; hot channels are more likely.
    pub fn draw(&mut self) -> usize {
        self.zipf.draw(&mut self.random)
    }

    fn change(&mut self, channel: usize) -> String {
        let ts = self.ts;
        let name = Self::channel(channel);
        let seats = &mut self.channels[channel];
        let at = self.random.below(seats.len());
        let (topic, user) = publisher(channel, at);
        let place = &mut seats[at];
        let kind = match (place.there, self.random.below(2)) {
            (false, _) => "join",
            (true, 0) => "update",
            (true, _) => "leave",
        };
        place.there = kind != "leave";
        place.version += 1;
        if kind == "leave" {
            return format!(
                r#"{{"t":"leave","channel":"{name}","topic":"{topic}","user":"{user}","ts":{ts}}}"#
            );
        }
        let meta = meta(place.version);
        format!(
            r#"{{"t":"{kind}","channel":"{name}","topic":"{topic}","user":"{user}","meta":{meta},"ts":{ts}}}"#
        )
    }

    /// A snapshot of the whole channel, after unreported changes: about one in a hundred publishers, at least one.
    fn snapshot(&mut self, channel: usize) -> String {
        let seats = &mut self.channels[channel];
        for _ in 0..=seats.len() / 100 {
            let at = self.random.below(seats.len());
            seats[at].there = !seats[at].there;
            seats[at].version += 1;
        }
        let mut topics = Vec::new();
        for wanted in TOPICS {
            let mut members = Vec::new();
            for (at, place) in seats.iter().enumerate().filter(|(_, place)| place.there) {
                let (topic, user) = publisher(channel, at);
                if topic == wanted {
                    members.push(format!(
                        r#"{{"user":"{user}","meta":{}}}"#,
                        meta(place.version)
                    ));
                }
            }
            topics.push(format!(r#""{wanted}":[{}]"#, members.join(",")));
        }
        let (name, ts) = (Self::channel(channel), self.ts);
        format!(
            r#"{{"t":"snapshot","channel":"{name}","topics":{{{}}},"ts":{ts}}}"#,
            topics.join(",")
        )
    }
}

fn publisher(channel: usize, place: usize) -> (&'static str, String) {
    // Users publish in several channels: each channel has its own window of the user numbers.
    (
        TOPICS[place % TOPICS.len()],
        format!("user-{:05}", channel * 7 + place),
    )
}

fn meta(version: u32) -> String {
    format!(r#"{{"hand":{},"v":{version}}}"#, version.is_multiple_of(2))
}

impl Iterator for Load {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.ts += self.random.below(20) as i64;
        let channel = self.zipf.draw(&mut self.random);
        let snapshot = self.random.below(Self::SNAPSHOT_EVERY) == 0;
        Some(if snapshot {
            self.snapshot(channel)
        } else {
            self.change(channel)
        })
    }
}

/// A large channel with two snapshots, between which 1 % changes: a third each of leaves, updates and joins. Events
/// borrow their names from it, as they do from a line.
#[derive(Debug)]
pub struct Crowd {
    topics: Vec<String>,
    users: Vec<(usize, String)>,
    /// The same users in another order. Their names lie in memory in that order too, as they do in a line.
    shuffled: Vec<(usize, String)>,
    metas: [String; 2],
}

impl Crowd {
    /// A channel with this many publishers in each snapshot.
    #[must_use]
    pub fn new(publishers: usize) -> Self {
        let count = publishers + publishers / 300;
        let mut shuffled: Vec<usize> = (0..count).collect();
        let mut random = Random::new(5);
        for at in (1..count).rev() {
            shuffled.swap(at, random.below(at + 1));
        }
        let named = |n: usize| (n, format!("user-{n:06}"));
        Crowd {
            topics: (0..8).map(|n| format!("topic-{n}")).collect(),
            // The first snapshot leaves out the last users; the second snapshot leaves out the first users.
            users: (0..count).map(named).collect(),
            shuffled: shuffled.into_iter().map(named).collect(),
            metas: [
                r#"{"hand":false,"v":1}"#.into(),
                r#"{"hand":true,"v":2}"#.into(),
            ],
        }
    }

    /// How many members of each kind of change differ between the two.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.users.len() / 301
    }

    /// Makes one of the two snapshots, with its publishers in one of two orders.
    #[must_use]
    pub fn snapshot(&self, second: bool, shuffled: bool, ts: i64) -> Event<'_> {
        let changed = self.changed();
        let left = if second {
            0..changed
        } else {
            self.users.len() - changed..self.users.len()
        };
        let updated = if second { changed..2 * changed } else { 0..0 };
        let mut topics: Vec<ReportedTopic<'_>> = Vec::new();
        for topic in &self.topics {
            topics.push(ReportedTopic {
                topic: topic.into(),
                total: None,
                members: Vec::new(),
            });
        }
        let users = if shuffled {
            &self.shuffled
        } else {
            &self.users
        };
        for &(n, ref user) in users {
            if left.contains(&n) {
                continue;
            }
            let meta = &self.metas[usize::from(updated.contains(&n))];
            topics[n % self.topics.len()].members.push(ReportedMember {
                meta: Some(meta.into()),
                ..ReportedMember::of(user)
            });
        }
        Event {
            observer: "default".into(),
            self_user: None,
            id: None,
            stamp: Stamp {
                pos: None,
                ts: Some(ts),
            },
            payload: EventPayload::Snapshot {
                channel: "room".into(),
                shown: ReportedListing {
                    topics,
                    ..ReportedListing::default()
                },
            },
        }
    }
}
