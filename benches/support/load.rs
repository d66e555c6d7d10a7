//! A load like that of a real deployment: few hot channels and many quiet ones, publishers who come, go and change
//! their metadata, and now and then a snapshot that shows what was missed.
//!
//! The same seed gives the same lines, here and everywhere: the generator is in this file.

/// SplitMix64: small, fast, and its sequence is fixed for ever.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence by its seed.
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

/// Numbers from 0, of which `n` comes up in proportion to 1/(n+1).
#[derive(Debug, Clone)]
pub struct Zipf {
    sums: Vec<u64>,
}

impl Zipf {
    /// Over `count` numbers.
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

    /// The next one.
    pub fn draw(&self, random: &mut Random) -> usize {
        let end = self.sums.last().copied().unwrap_or(1);
        let at = random.number() % end;
        self.sums.partition_point(|&sum| sum <= at)
    }
}

const TOPICS: [&str; 4] = ["audio", "chat", "gesture", "whiteboard"];

/// One who may be in a channel: whether he is, and the metadata he has.
#[derive(Debug, Clone, Copy, Default)]
struct Seat {
    there: bool,
    version: u32,
}

/// Lines without end: of 1,000 about 997 are joins, updates and leaves, and 3 are snapshots of a whole channel.
#[derive(Debug, Clone)]
pub struct Load {
    random: Random,
    zipf: Zipf,
    channels: Vec<Vec<Seat>>,
    ts: i64,
}

impl Load {
    /// The first source time, Unix ms.
    pub const FROM: i64 = 1_700_000_000_000;
    /// Lines to one snapshot.
    const SNAPSHOT_EVERY: usize = 333;

    /// Over this many channels; each has at most `seats` publishers, of whom about half are there.
    pub fn new(seed: u64, channels: usize, seats: usize) -> Self {
        Load {
            random: Random::new(seed),
            zipf: Zipf::new(channels),
            channels: vec![vec![Seat::default(); seats]; channels],
            ts: Self::FROM,
        }
    }

    /// The source time of the last line.
    pub fn now(&self) -> i64 {
        self.ts
    }

    /// The name of a channel.
    pub fn channel(number: usize) -> String {
        format!("room-{number:04}")
    }

    /// A channel's number; a hot one more likely.
    pub fn draw(&mut self) -> usize {
        self.zipf.draw(&mut self.random)
    }

    fn change(&mut self, channel: usize) -> String {
        let ts = self.ts;
        let name = Self::channel(channel);
        let seats = &mut self.channels[channel];
        let at = self.random.below(seats.len());
        let (topic, user) = publisher(channel, at);
        let seat = &mut seats[at];
        let kind = match (seat.there, self.random.below(2)) {
            (false, _) => "join",
            (true, 0) => "update",
            (true, _) => "leave",
        };
        seat.there = kind != "leave";
        seat.version += 1;
        if kind == "leave" {
            return format!(
                r#"{{"t":"leave","channel":"{name}","topic":"{topic}","user":"{user}","ts":{ts}}}"#
            );
        }
        let meta = meta(seat.version);
        format!(
            r#"{{"t":"{kind}","channel":"{name}","topic":"{topic}","user":"{user}","meta":{meta},"ts":{ts}}}"#
        )
    }

    /// The whole channel, after changes that nobody was told: one in a hundred publishers, or one.
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
            for (at, seat) in seats.iter().enumerate().filter(|(_, seat)| seat.there) {
                let (topic, user) = publisher(channel, at);
                if topic == wanted {
                    members.push(format!(
                        r#"{{"user":"{user}","meta":{}}}"#,
                        meta(seat.version)
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

fn publisher(channel: usize, seat: usize) -> (&'static str, String) {
    // Publishers are in several channels: each speaks of a window of all of them.
    (
        TOPICS[seat % TOPICS.len()],
        format!("user-{:05}", channel * 7 + seat),
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
