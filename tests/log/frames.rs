//! Small frames, made by hand.

use rollbook::domain::entry::*;
use rollbook::domain::event::{ChangeKind, Connection, LinkState, Service};
use rollbook::domain::names::{MemberKey, Names};
use rollbook::domain::order::Stamp;
use rollbook::log::Record;
use rollbook::log::frame::{Encoded, Encoder, FramePosition, Packing};
use rollbook::log::salts::Salts;
use std::sync::Arc;

pub const SEED: [u8; 32] = [42; 32];

pub fn encoder(packing: Packing) -> Encoder {
    Encoder::new(Salts::from_seed(SEED), packing)
}

pub fn encode(records: &[Record], names: &Names) -> Encoded {
    encoder(Packing::Plain)
        .encode(FramePosition::FIRST, records, names)
        .unwrap()
}

pub fn member(names: &mut Names, user: &str) -> rollbook::domain::names::MemberId {
    let key = MemberKey {
        channel: names.intern("channel"),
        topic: names.intern("topic"),
        user: names.intern(user),
        conn: names.intern(""),
    };
    names.member(key)
}

/// An observed join with a source time and no other optional field.
pub fn join(names: &mut Names, seq: u64, user: &str) -> Entry {
    let at = 1_700_000_000_000 + 40 * seq as i64;
    Entry {
        seq,
        recorded_at: at + 90,
        occurred_at: at,
        effective_at: at,
        observer: names.intern("default"),
        id: None,
        stamp: Stamp {
            pos: None,
            ts: Some(at),
        },
        lossy: false,
        payload: Payload::Change(Change {
            member: member(names, user),
            kind: ChangeKind::Join,
            reported: ChangeKind::Join,
            disposition: Disposition::Applied,
            meta: None,
            reason: None,
            origin: Origin::Observed,
            late: None,
        }),
    }
}

pub fn single(entry: Entry) -> Record {
    Record::Commit {
        rules: Rules::default(),
        entries: vec![entry],
    }
}

/// A small frame of several kinds of records.
pub fn small(names: &mut Names) -> Vec<Record> {
    let mut leave = join(names, 2, "anna");
    if let Payload::Change(change) = &mut leave.payload {
        change.kind = ChangeKind::Leave;
        change.reported = ChangeKind::Leave;
        change.meta = Some(Arc::from("{\"a\":1}"));
        change.origin = Origin::Inferred(Inference {
            snapshot_seq: 1,
            not_before: Some(1_600_000_000_000),
            baseline: false,
        });
    }
    let link = Entry {
        payload: Payload::Link(Box::new(LinkChange {
            channel: None,
            state: LinkState::Down,
            service: Service::All,
            except: Vec::new(),
            reason: Some(Arc::from("INTERRUPTED")),
            gaps: vec![GapChange {
                channel: names.intern("other"),
                gap: 1,
                at: 1_699_999_999_999,
                opens: true,
            }],
            connection: Some(Connection::Lost),
        })),
        ..join(names, 3, "anna")
    };
    let first = join(names, 1, "anna");
    vec![
        single(first),
        Record::Commit {
            rules: Rules::default().lossy(true),
            entries: vec![leave, link],
        },
        Record::Closed(ConnectionEnd {
            observer: names.intern("anna"),
            recorded_at: 6,
        }),
        Record::Reject(rollbook::log::Reject {
            recorded_at: 5,
            source: Arc::from("feed.jsonl"),
            line: 7,
            byte: 99,
            reason: Arc::from("no JSON"),
            text: Some(b"\xff{".to_vec()),
            length: 2,
            blake3: [3; 32],
        }),
        Record::Progress(rollbook::log::Progress {
            source: [9; 32],
            hashed_len: 64,
            byte: 101,
            line: 8,
            path: Arc::from("feed.jsonl"),
        }),
    ]
}

/// Corrects a value's checksums, for a body that is one value.
pub fn restamp(value: &mut [u8]) {
    let body = crc32c::crc32c(&value[36..]);
    value[28..32].copy_from_slice(&body.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&value[..32]), &value[36..]);
    value[32..36].copy_from_slice(&crc.to_le_bytes());
}
