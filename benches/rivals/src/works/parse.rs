//! Lines in memory, parsed one by one: by the project's own scanner into an event, and by others into a structure that has the
//! fields of these lines and borrows what it can. The others check nothing else: no limits, no names of fields twice, no times.

use crate::Outcome;
use crate::args::Args;
use crate::figure::Figure;
use rollbook::feed::{self, Defaults};
use serde::Deserialize;
use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

/// Runs it: `--contender`, `--events`.
pub fn run(args: &Args) -> Outcome<()> {
    let text = std::fs::read_to_string(args.path("--events")?)?;
    let lines: Vec<&str> = text.lines().collect();
    let defaults = Defaults::of("default");
    let start = Instant::now();
    match args.text("--contender")? {
        "rollbook" => each(&lines, |line| Ok(feed::parse(line.as_bytes(), &defaults)?))?,
        "serde_json" => each(&lines, |line| Ok(serde_json::from_str::<Line<'_>>(line)?))?,
        "simd-json" => simd_json_each(&lines)?,
        "sonic-rs" => each(&lines, |line| Ok(sonic_rs::from_str::<Line<'_>>(line)?))?,
        other => return Err(format!("{other} parses nothing here").into()),
    }
    let took = start.elapsed();
    Figure::of(lines.len(), vec![took], took).print()
}

fn each<'a, T>(lines: &[&'a str], parse: impl Fn(&'a str) -> Outcome<T>) -> Outcome<()> {
    for line in lines {
        black_box(parse(line)?);
    }
    Ok(())
}

/// It writes into the text, which the others need not copy. The buffers are made once.
fn simd_json_each(lines: &[&str]) -> Outcome<()> {
    let (mut bytes, mut buffers) = (Vec::new(), simd_json::Buffers::default());
    for line in lines {
        bytes.clear();
        bytes.extend_from_slice(line.as_bytes());
        let parsed =
            simd_json::serde::from_slice_with_buffers::<Line<'_>>(&mut bytes, &mut buffers);
        black_box(parsed?);
    }
    Ok(())
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(
    #[serde(borrow)]
    #[allow(dead_code)]
    Cow<'a, str>,
);

/// A line of the project's own format, or an event of Agora's JavaScript SDK.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // what is parsed is not read
struct Line<'a> {
    #[serde(borrow, default)]
    t: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel: Option<Text<'a>>,
    #[serde(borrow, default)]
    topic: Option<Text<'a>>,
    #[serde(borrow, default)]
    user: Option<Text<'a>>,
    #[serde(default)]
    ts: Option<i64>,
    #[serde(borrow, default)]
    event_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    publisher: Option<Text<'a>>,
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(borrow, default)]
    topic_infos: Vec<Topic<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Topic<'a> {
    #[serde(borrow)]
    topic_name: Text<'a>,
    #[serde(borrow, default)]
    publishers: Vec<Publisher<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Publisher<'a> {
    #[serde(borrow)]
    publisher_user_id: Text<'a>,
    #[serde(borrow, default)]
    publisher_meta: Option<Text<'a>>,
}
