//! Sealed blocks: they say what their frames said, and a reader can begin at any frame.

use crate::frames::encoder;
use crate::records::{dictionary, number, record};
use proptest::collection::vec;
use proptest::prelude::*;
use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Payload, Rules};
use rollbook::domain::event::Event;
use rollbook::domain::names::Names;
use rollbook::domain::resolve::resolve;
use rollbook::domain::state::State;
use rollbook::log::Record;
use rollbook::log::block::{BlockBuilder, BlockError, Blocks};
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::{FolderObjects, MemoryObjects, ObjectStore};
use rollbook::log::engine::{Journal, JournalError};
use rollbook::log::frame::{
    Check, DecodedRecord, Encoded, Encoder, FramePosition, Packing, ReadScope,
};
use rollbook::log::read::Log;
use rollbook::log::salts::Salts;
use std::sync::Arc;

/// Frames of these records, one behind another. Every other frame has other salts, as after a restart.
fn frames(written: &mut [Vec<Record>], names: &Names) -> Vec<Encoded> {
    let mut place = FramePosition::FIRST;
    let mut again = Encoder::new(Salts::from_seed([1; 32]), Packing::Plain);
    let mut first = encoder(Packing::Zstd);
    let mut all = Vec::new();
    for (n, records) in written.iter_mut().enumerate() {
        number(records, place.first_seq);
        let encoder = if n % 2 == 0 { &mut first } else { &mut again };
        let frame = encoder.encode(place, records, names).unwrap();
        place = FramePosition::after(&frame.header);
        all.push(frame);
    }
    all
}

/// The log of these frames, of which the first `sealed` are in a block.
fn log_of(frames: &[Encoded], sealed: usize) -> Log {
    let journal = MemoryJournal::new();
    let mut builder = BlockBuilder::default();
    for (n, frame) in frames.iter().enumerate() {
        let position = journal.head() + 1;
        if n < sealed {
            builder.add(position, &frame.values).unwrap();
        }
        journal.append(position - 1, &frame.values).unwrap();
    }
    let objects = MemoryObjects::default();
    if let Some((block, bytes)) = builder.finish(None).unwrap() {
        assert_eq!(block.bytes(), bytes.len());
        objects.put(block.position, &bytes).unwrap();
    }
    Log::open(Box::new(journal), Blocks::open(Box::new(objects)).unwrap()).unwrap()
}

/// The records from a position on, each frame checked against the chain.
fn read(log: &Log, from: u64, names: &mut Names) -> Vec<Record> {
    let mut frames = log.frames(from, log.engine().head() + 1);
    let mut records = Vec::new();
    while let Some(frame) = frames.next_frame().unwrap() {
        let position = frame.position();
        let (_, bytes) = frame.into_parts();
        let scope = ReadScope::all(Check::Chain);
        let opened = bytes.open(log.blocks(), position, scope);
        let mut frame = opened.unwrap();
        while let Some(record) = frame.next(names).unwrap() {
            records.push(record.to_record());
        }
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_block_says_what_its_frames_said(mut written in vec(vec(record(), 1..6), 2..8)) {
        let mut names = dictionary();
        let frames = frames(&mut written, &names);
        let whole: Vec<Record> = written.concat();
        for sealed in 0..frames.len() {
            let log = log_of(&frames, sealed);
            prop_assert_eq!(&read(&log, 1, &mut names), &whole, "{} sealed", sealed);
            // From each frame on, wherever it is.
            let (mut position, mut passed) = (1, 0);
            for (frame, records) in frames.iter().zip(&written) {
                prop_assert_eq!(&read(&log, position, &mut names), &whole[passed..]);
                let header = log.header_ending_before(position).unwrap();
                let expected = (frame.header.frame - 1, frame.header.link_before);
                if let Some(before) = header {
                    prop_assert_eq!((before.last_frame(), before.link_after), expected);
                }
                position += frame.values.len() as u64;
                passed += records.len();
            }
        }
    }
}

/// Joins and leaves in so many channels, by turns; each is a commit.
fn joins_and_leaves(channels: usize, each: usize, names: &mut Names) -> Vec<Record> {
    let (mut state, rules) = (State::new(), Rules::default());
    let mut records = Vec::with_capacity(channels * each);
    for at in 0..channels * each {
        let (channel, turn) = (format!("room-{}", at % channels), at / channels);
        let user = format!("user-{}", turn / 2 % 3);
        let event = match turn % 2 {
            0 => Event::join(channel, "chat", user),
            _ => Event::leave(channel, "chat", user),
        };
        let now = 1_000 + at as i64;
        let event = event.at(now);
        let resolved = resolve(&event, names);
        let Ok(Commit::Entries(entries)) = decide(&state, names, &resolved, &rules, now) else {
            panic!("{event:?} makes no entry");
        };
        entries.iter().for_each(|entry| state.apply(entry, names));
        records.push(Record::Commit { rules, entries });
    }
    records
}

#[test]
fn a_block_may_have_few_streams_or_many() {
    for (channels, version) in [(3, 3), (140, 4)] {
        let mut names = Names::new();
        let whole = joins_and_leaves(channels, 260, &mut names);
        let mut written: Vec<Vec<Record>> = whole.chunks(4_000).map(<[Record]>::to_vec).collect();
        let frames = frames(&mut written, &names);
        let mut builder = BlockBuilder::default();
        let mut position = 1;
        for frame in &frames {
            builder.add(position, &frame.values).unwrap();
            position += frame.values.len() as u64;
        }
        let (_, bytes) = builder.finish(None).unwrap().unwrap();
        assert_eq!(bytes[4], version);
        let log = log_of(&frames, frames.len() - 1);
        assert_eq!(read(&log, 1, &mut names), whole);
        // Who wants one channel gets its entries, and may get links.
        let frame = log.frames(1, 2).next_frame().unwrap().unwrap();
        let scope = ReadScope {
            channel: Some("room-1"),
            ..ReadScope::all(Check::Form)
        };
        let mut frame = frame.into_parts().1.open(log.blocks(), 1, scope).unwrap();
        let room = names.find("room-1").unwrap();
        let mut found = 0;
        while let Some(record) = frame.next(&mut names).unwrap() {
            let DecodedRecord::Commit(_, [entry]) = record else {
                panic!("{record:?}");
            };
            let Payload::Change(change) = &entry.payload else {
                panic!("{entry:?}");
            };
            let key = names.key(change.member);
            assert_eq!(key.channel, room);
            found += 1;
        }
        assert!((1..=260).contains(&found), "{found}");
    }
}

#[test]
fn frames_that_do_not_follow_make_no_block() {
    let names = dictionary();
    let mut written = vec![vec![Record::Settled(1)], vec![Record::Settled(2)]];
    let frames = frames(&mut written, &names);
    let mut builder = BlockBuilder::default();
    builder.add(2, &frames[1].values).unwrap();
    let error = builder.add(1, &frames[0].values).unwrap_err();
    assert!(matches!(error, BlockError::Frame(_)), "{error}");
    assert!(BlockBuilder::default().finish(None).unwrap().is_none());
}

/// Checks the laws on an empty store of objects.
fn laws(objects: &dyn ObjectStore) {
    assert!(objects.numbers().unwrap().is_empty());
    assert!(matches!(
        objects.read(7, 0, 1),
        Err(JournalError::NoObject(_))
    ));
    objects.remove(7).unwrap();
    objects.put(300, b"later").unwrap();
    objects.put(7, b"first").unwrap();
    objects.put(7, b"replaced").unwrap();
    assert_eq!(objects.numbers().unwrap(), [7, 300]);
    assert_eq!(objects.read(7, 0, usize::MAX).unwrap(), b"replaced");
    assert_eq!(objects.read(7, 2, 3).unwrap(), b"pla");
    assert_eq!(objects.read(7, 6, 9).unwrap(), b"ed");
    assert_eq!(objects.read(7, 99, 9).unwrap(), b"");
    objects.remove(7).unwrap();
    assert_eq!(objects.numbers().unwrap(), [300]);
}

#[test]
fn every_store_of_objects_keeps_the_laws() {
    laws(&MemoryObjects::default());
    laws(&Arc::new(MemoryObjects::default()));
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("blocks");
    laws(&FolderObjects::open(&folder).unwrap());
    // What a crash left unfinished goes, other files stay.
    std::fs::write(folder.join("00000000000000000400.block.new"), b"half").unwrap();
    std::fs::write(folder.join("notes.txt"), b"mine").unwrap();
    let again = FolderObjects::open(&folder).unwrap();
    assert_eq!(again.numbers().unwrap(), [300]);
    assert_eq!(again.read(300, 0, 99).unwrap(), b"later");
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(names.len(), 2);
}
