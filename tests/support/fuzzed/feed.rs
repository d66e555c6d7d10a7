//! Any bytes as a feed. Nothing may panic, every line is recorded or rejected, and recorded lines are written and
//! read again.

use flate2::{Compression, write::GzEncoder};
use rollbook::care::VerifyDepth;
use rollbook::domain::event::{Event, EventPayload};
use rollbook::feed::{Defaults, Settings, TimeUnit, parse};
use rollbook::ingest::source::Source;
use rollbook::ingest::{IngestOptions, IngestOutcome, ingest, retry};
use rollbook::query::HistoryFilter;
use rollbook::replay::{LineShape, PlayedLine, ReplayFilter, lines_of};
use rollbook::{Options, Store};
use std::io::{Cursor, Write};

/// The first byte chooses how the other bytes are ingested.
pub fn feed(bytes: &[u8]) {
    let Some((&how, text)) = bytes.split_first() else {
        return;
    };
    let settings = Settings::USUAL.time_unit(match how >> 3 & 3 {
        1 => TimeUnit::Seconds,
        2 => TimeUnit::Micros,
        _ => TimeUnit::Millis,
    });
    for line in text.split(|&byte| byte == b'\n') {
        line_is_written_again(line, &settings);
    }
    let mut options = IngestOptions::default()
        .settings(settings)
        .keep_recorded(how & 0x20 != 0);
    options.at = (how & 0x40 != 0).then(|| "/data/event".parse().unwrap());
    options.reorder_ms = (how & 0x80 != 0).then_some(1_000);
    let store = store();
    let rejected = take(&store, packed(bytes[0] & 7, text), &options);
    let kept = store.rejects().unwrap().map(Result::unwrap).count() as u64;
    assert_eq!(kept, rejected, "rejects kept");
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:?}", verified.problems);
    is_played_again(&store);
    retry(&store, &options, &mut ()).unwrap();
}

fn store() -> Store {
    let options = Options::default().clock(|| 1_800_000_000_000);
    Store::in_memory(options).unwrap()
}

/// The text as a file of some kind, for example compressed.
fn packed(kind: u8, text: &[u8]) -> Vec<u8> {
    let wide = |mark: [u8; 2], of: fn(u16) -> [u8; 2]| {
        let text = String::from_utf8_lossy(text);
        let units = text.encode_utf16().flat_map(of);
        mark.into_iter().chain(units).collect()
    };
    match kind {
        1 => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        2 => zstd::encode_all(text, 1).unwrap(),
        3 => wide([0xff, 0xfe], u16::to_le_bytes),
        4 => wide([0xfe, 0xff], u16::to_be_bytes),
        // An odd number of bytes, and single halves of surrogate pairs.
        5 => [&[0xff, 0xfe], text].concat(),
        _ => text.to_vec(),
    }
}

/// Ingests a text; returns how many lines were rejected.
fn take(store: &Store, text: Vec<u8>, how: &IngestOptions) -> u64 {
    let source = Source::from_reader("fuzz", Cursor::new(text)).unwrap();
    source.unpack_at_most(4 << 20);
    let outcome: IngestOutcome = match ingest(store, source, how, &mut ()) {
        Ok(outcome) => outcome,
        Err(unfinished) => unfinished.outcome,
    };
    let tally = &outcome.tally;
    assert!(tally.rejected <= outcome.lines, "{outcome:?}");
    let head = store.head();
    assert_eq!(tally.entries, head, "{outcome:?}");
    tally.rejected
}

/// An event that is written as lines must be read as the same event.
fn line_is_written_again(line: &[u8], settings: &Settings) {
    let defaults = Defaults::of("default").settings(*settings);
    let Ok(event) = parse(line, &defaults) else {
        return;
    };
    for shape in [LineShape::Rollbook, LineShape::Agora] {
        let lines = lines_of(&event, shape).unwrap();
        if shape == LineShape::Rollbook && lines.len() > 1 {
            panic!("more than one line of Rollbook's own: {lines:?}");
        }
        let mut again = lines.iter().map(|line| {
            let defaults = Defaults::of("default");
            let said = parse(line.as_bytes(), &defaults);
            said.unwrap_or_else(|refusal| panic!("{refusal}: {line}"))
        });
        // Agora's shape cannot express all of an event, but the lines must be valid.
        if shape == LineShape::Rollbook
            && let Some(said) = again.next()
        {
            assert_eq!(plain(said), plain(event.clone()), "{lines:?}");
        }
        again.for_each(drop);
    }
}

/// The event without a flag that means nothing: `together` does not matter for a single change.
fn plain(mut event: Event<'_>) -> Event<'_> {
    if let EventPayload::Changes {
        changes, together, ..
    } = &mut event.payload
    {
        *together &= changes.len() > 1;
    }
    event
}

/// A log that is played and ingested with its recorded times must give the same log.
fn is_played_again(store: &Store) {
    let mut lines = Vec::new();
    let mut each = |line: &PlayedLine<'_>| {
        lines.extend_from_slice(line.text.as_bytes());
        lines.push(b'\n');
        true
    };
    let all = ReplayFilter::default();
    store.play(&all, LineShape::Rollbook, &mut each).unwrap();
    let again = self::store();
    let how = IngestOptions::default().keep_recorded(true);
    let said = String::from_utf8_lossy(&lines).into_owned();
    assert_eq!(take(&again, lines, &how), 0, "{said}");
    assert_eq!(history(&again), history(store), "{said}");
    assert_eq!(described(&again), described(store), "{said}");
}

fn history(store: &Store) -> Vec<String> {
    let entries = store
        .history(&HistoryFilter::default())
        .unwrap()
        .map(Result::unwrap);
    entries
        .map(|entry| serde_json::to_string(&entry).unwrap())
        .collect()
}

fn described(store: &Store) -> String {
    store.described().unwrap()
}
