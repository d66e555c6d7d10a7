//! Arbitrary feeds for the laws: sequences of lines in every shape, with so few names that they often coincide.

use super::shapes::{Body, bodies};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use rollbook::domain::entry::Rules;
use rollbook::domain::event::Connection;
use rollbook::feed::{Defaults, parse};
use rollbook::store::{Batch, BatchEvent, BatchLine, BatchText, FeedLine};
use std::fmt;

/// Where source times begin.
pub const START: i64 = 1_800_000_000_000;
/// The time of recording where the clock stands still.
pub const NOW: i64 = START + 10_000;

/// A line with its time of recording.
#[derive(Clone)]
pub struct Heard {
    /// The clock at its recording.
    pub now: i64,
    /// The line.
    pub text: String,
}

/// A feed, and the rules for ingesting it.
#[derive(Clone)]
pub struct Tape {
    /// The rules.
    pub rules: Rules,
    /// The lines.
    pub lines: Vec<Heard>,
}

impl fmt::Debug for Tape {
    // As lines that can be ingested by hand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.rules)?;
        for heard in &self.lines {
            writeln!(f, "at NOW{:+}: {}", heard.now - NOW, heard.text)?;
        }
        Ok(())
    }
}

impl Tape {
    /// A tape of a file's lines; the clock stands still.
    pub fn of_text(text: &str) -> Tape {
        let lines: Vec<&str> = text.lines().collect();
        Tape::of(Rules::default(), &lines)
    }

    /// A tape of hand-written lines; the clock stands still.
    pub fn of(rules: Rules, lines: &[&str]) -> Tape {
        let heard = |line: &&str| Heard {
            now: NOW,
            text: (*line).to_owned(),
        };
        Tape {
            rules,
            lines: lines.iter().map(heard).collect(),
        }
    }

    /// A batch of these lines.
    pub fn batch(&self, lines: &[Heard]) -> Batch {
        self.batch_with(lines, Vec::new())
    }

    /// A batch of these lines, followed by other lines.
    pub fn batch_with(&self, lines: &[Heard], others: Vec<BatchLine<'static>>) -> Batch {
        let texts: Vec<&str> = lines.iter().map(|heard| &*heard.text).collect();
        let text = BatchText {
            bytes: texts.concat().into_bytes(),
            ..BatchText::default()
        };
        Batch::read(text, self.rules, |text| {
            let mut rest = &text.bytes[..];
            let mut next = |of: &&str| rest.split_off(..of.len()).unwrap();
            let lines = texts.iter().map(|text| line(next(text)));
            lines.chain(others).collect()
        })
    }
}

/// Defaults for lines that name no observer.
pub const DEFAULTS: Defaults<'static> = Defaults::of("default");

/// Parses a line that stands for an event of an ingest connection: `^WHAT [OBSERVER]`.
pub fn connection(text: &str) -> Option<(String, Connection)> {
    let (what, observer) = text.strip_prefix('^')?.split_once(' ')?;
    let what = match what {
        "up" => Connection::Up,
        "resumed" => Connection::Resumed,
        "lost" => Connection::Lost,
        "restart" => Connection::Restart,
        "missing" => Connection::Missing,
        "closed" => Connection::Closed,
        other => panic!("no such line: {other}"),
    };
    Some((observer.to_owned(), what))
}

/// One line, parsed for the writer.
fn line(text: &[u8]) -> BatchLine<'_> {
    if let Some((observer, what)) = std::str::from_utf8(text).ok().and_then(connection) {
        let at = None;
        return BatchLine::Connection { observer, what, at };
    }
    let line = FeedLine {
        source: "tape",
        text,
        ..FeedLine::default()
    };
    match parse(text, &DEFAULTS) {
        Ok(event) => BatchLine::Event(BatchEvent {
            line: Some(line),
            ..event.into()
        }),
        Err(error) => BatchLine::Rejected(line, error.to_string()),
    }
}

/// The laws that a feed is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Every shape, several observers; the clock advances, and now and then goes back.
    Any,
    /// Lines of contract 2.1 to 2.3 of one observer; the clock stands still.
    Agora,
}

/// A feed of up to `most` steps, each of one line or a few that belong together.
pub fn tape(shape: Shape, most: usize) -> impl Strategy<Value = Tape> {
    let step = (moment(), bodies(shape), extras(shape), connections(shape));
    (rules(), vec(step, 1..most)).prop_map(move |(rules, steps)| {
        let mut hours = Hours::default();
        let mut lines = Vec::new();
        for (moment, bodies, extras, connection) in steps {
            lines.extend(connection.map(|text| hours.at_once(text)));
            let several = bodies.len() > 1;
            for (at, body) in bodies.into_iter().enumerate() {
                // An id names one occurrence, so only one line of a group has it.
                let id = !several || at == 0;
                lines.push(hours.line(shape, moment, &body, &extras, id));
            }
        }
        Tape { rules, lines }
    })
}

fn connections(shape: Shape) -> impl Strategy<Value = Option<String>> {
    let what = select(&["up", "up", "lost", "lost", "resumed", "resumed", "closed"][..]);
    let line = (what, select(&["default", "default", "o2"][..]));
    let line = line.prop_map(|(what, observer)| format!("^{what} {observer}"));
    let now_and_then = proptest::option::weighted(0.2, line);
    now_and_then.prop_map(move |line| line.filter(|_| shape == Shape::Any))
}

fn rules() -> impl Strategy<Value = Rules> {
    let lossy = prop_oneof![3 => Just(false), 1 => Just(true)];
    (
        select(&[0, 0, 150][..]),
        select(&[60_000, 60_000, 5_000, 0][..]),
        select(&[0, 0, 70][..]),
        select(&[300, 300, Rules::RESYNC_MS, 0][..]),
        lossy,
    )
        .prop_map(
            |(skew_tolerance_ms, max_ahead_ms, slack_ms, resync_ms, lossy)| {
                Rules::default()
                    .resync_ms(resync_ms)
                    .skew_tolerance_ms(skew_tolerance_ms)
                    .max_ahead_ms(max_ahead_ms)
                    .slack_ms(slack_ms)
                    .lossy(lossy)
            },
        )
}

/// The time of a line by its source and by the clock.
#[derive(Debug, Clone, Copy)]
struct Moment {
    ts: When,
    pos: Option<i64>,
    now: i64,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Missing,
    Zero,
    /// This much after the line before it.
    Step(i64),
    /// This much after the fixed clock.
    Ahead(i64),
}

fn moment() -> impl Strategy<Value = Moment> {
    let ts = prop_oneof![
        10 => (0i64..4).prop_map(|n| When::Step(n * 100)),
        3 => Just(When::Missing),
        2 => (1i64..6).prop_map(|n| When::Step(-100 * n)),
        1 => select(&[4_000, 30_000, 120_000][..]).prop_map(When::Ahead),
        1 => Just(When::Zero),
    ];
    let pos =
        prop_oneof![6 => Just(None), 3 => Just(Some(1)), 1 => Just(Some(0)), 1 => Just(Some(-2))];
    let now =
        prop_oneof![4 => (0i64..3).prop_map(|n| n * 100), 1 => Just(-500i64), 1 => Just(2_000i64)];
    (ts, pos, now).prop_map(|(ts, pos, now)| Moment { ts, pos, now })
}

/// The current times on a tape.
#[derive(Default)]
struct Hours {
    ts: i64,
    now: i64,
    serial: i64,
}

impl Hours {
    fn at_once(&self, text: String) -> Heard {
        let now = NOW + self.now;
        Heard { now, text }
    }

    fn line(
        &mut self,
        shape: Shape,
        moment: Moment,
        body: &Body,
        extras: &Extras,
        id: bool,
    ) -> Heard {
        let any = shape == Shape::Any;
        self.now += moment.now;
        let now = if any { NOW + self.now } else { NOW };
        let mut text = format!("{{{}", body.fields);
        let ts = match moment.ts {
            When::Missing => None,
            When::Zero => Some(0),
            When::Step(by) => {
                self.ts += by;
                Some(START + self.ts)
            }
            When::Ahead(by) => Some(NOW + by),
        };
        if let Some(ts) = ts {
            let field = if body.own { "ts" } else { "timestamp" };
            text += &format!(r#","{field}":{ts}"#);
        }
        if let Some(step) = moment.pos.filter(|_| any) {
            self.serial += step;
            text += &format!(r#","pos":[{},0]"#, self.serial);
        }
        if let Some(observer) = extras.observer.filter(|_| any) {
            text += &format!(r#","observer":"{observer}""#);
        }
        if let Some(user) = extras.self_user {
            text += &format!(r#","self":"{user}""#);
        }
        if let Some(number) = extras.id.filter(|_| id) {
            text += &format!(r#","id":"i{number}""#);
        }
        text.push('}');
        Heard { now, text }
    }
}

#[derive(Debug, Clone)]
struct Extras {
    observer: Option<&'static str>,
    self_user: Option<&'static str>,
    id: Option<u8>,
}

fn extras(shape: Shape) -> impl Strategy<Value = Extras> {
    // Enough ids that most are new, but so few that some repeat. Retries are rare in Agora feeds.
    let ids = if shape == Shape::Any { 30u8 } else { 200 };
    let observer = prop_oneof![3 => Just(None), 1 => Just(Some("o2"))];
    let self_user = prop_oneof![4 => Just(None), 1 => Just(Some("ann"))];
    let id = prop_oneof![3 => Just(None), 1 => (0..ids).prop_map(Some)];
    (observer, self_user, id).prop_map(|(observer, self_user, id)| Extras {
        observer,
        self_user,
        id,
    })
}

/// The number of cases: `few`, scaled by `PROPTEST_CASES` relative to proptest's default of 256. Without that
/// variable the cases are the same in every run, so that every machine gives the same result; long runs look further.
pub fn cases(few: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    let rng_seed = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => usual.rng_seed,
        None => RngSeed::Fixed(13),
    };
    ProptestConfig {
        cases: (few * usual.cases / 256).max(1),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        rng_seed,
        ..usual
    }
}
