//! The events: files of JSON lines. The load is that of `rollbook bench` and of the project's other benchmarks, so
//! figures can be laid side by side. Every seed is fixed.

use crate::Outcome;
use crate::args::Args;
use crate::rows::Row;
use rollbook::bench::load::{Load, Random};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The largest number of publishers of a channel.
const SEATS: usize = 100;

/// Writes a file of events: `--out`, `--count`, `--channels`, and `--kind`: `mixed` has snapshots after changes that
/// nobody was told; `changes` is the same load without its snapshots, so that SQL needs no reconciliation.
pub fn write_events(args: &Args) -> Outcome<()> {
    let mixed = args.text("--kind")? == "mixed";
    let mut out = BufWriter::new(File::create(args.path("--out")?)?);
    let lines = Load::new(1, args.number("--channels")?, SEATS);
    let wanted = lines.filter(|line| mixed || !line.starts_with(r#"{"t":"snapshot""#));
    for line in wanted.take(args.number("--count")?) {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}

/// Writes questions about the events of a file: `--events`, `--count`, `--out`. Each has the channel of a line that is
/// drawn, so that hot channels are asked about more often; and a moment that is drawn evenly.
pub fn write_questions(args: &Args) -> Outcome<()> {
    let events = std::fs::read_to_string(args.path("--events")?)?;
    let lines: Vec<&str> = events.lines().collect();
    let time = |line: Option<&&str>| Ok::<_, crate::Failure>(Row::of(line.ok_or("no events")?)?.ts);
    let (from, to) = (time(lines.first())?, time(lines.last())?);
    let span = usize::try_from(to - from)?;
    let mut random = Random::new(4);
    let mut out = BufWriter::new(File::create(args.path("--out")?)?);
    for _ in 0..args.number("--count")? {
        let line = lines.get(random.below(lines.len())).ok_or("no events")?;
        let channel = Row::of(line)?.channel;
        let at = from + random.below(span) as i64;
        writeln!(out, "{}", serde_json::json!({"channel": channel, "at": at}))?;
    }
    out.flush()?;
    Ok(())
}

/// Writes two snapshots of one topic, in the form of Agora's JavaScript SDK: `--publishers`, `--out`. Between them 1 %
/// changed: a third each left, changed their metadata, and joined.
pub fn write_snapshots(args: &Args) -> Outcome<()> {
    let publishers: usize = args.number("--publishers")?;
    let mut out = BufWriter::new(File::create(args.path("--out")?)?);
    let changed = publishers / 300;
    for second in [0, 1] {
        let left = changed * second;
        let listed = left..publishers + left;
        let listed = listed.map(|user| {
            let updated = second == 1 && user < left + changed;
            let meta = if updated { "hand=up" } else { "hand=down" };
            format!(r#"{{"publisherUserId":"user-{user:06}","publisherMeta":"{meta}"}}"#)
        });
        let listed: Vec<String> = listed.collect();
        writeln!(
            out,
            r#"{{"eventType":"SNAPSHOT","channelName":"room","publisher":"","timestamp":{},"totalTopics":1,"topicInfos":[{{"topicName":"chat","totalPublisher":{publishers},"publishers":[{}]}}]}}"#,
            Load::FROM + second as i64,
            listed.join(","),
        )?;
    }
    out.flush()?;
    Ok(())
}

/// The first lines of a file, at most `count`, in batches.
pub fn batches(path: &Path, count: usize, batch: usize) -> Outcome<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(path)?;
    let lines: Vec<String> = text.lines().take(count).map(str::to_owned).collect();
    Ok(lines.chunks(batch).map(<[String]>::to_vec).collect())
}
