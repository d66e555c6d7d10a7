//! Arbitrary records for property tests: every kind of entry, each optional field present or missing.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rollbook::domain::entry::*;
use rollbook::domain::event::{ChangeKind, Connection, LinkState, Service, TokenState};
use rollbook::domain::names::{MemberId, MemberKey, NameId, Names};
use rollbook::domain::order::Stamp;
use rollbook::log::{Forgotten, Progress, Record, Reject};
use std::sync::Arc;

/// The number of names in a [`dictionary`].
pub const NAMES: u32 = 12;
/// The number of members in it.
pub const MEMBERS: u32 = 20;

/// A dictionary. Another `turn` gives the same names other numbers.
pub fn dictionary() -> Names {
    let mut names = Names::new();
    for i in 0..NAMES {
        names.intern(&match i {
            0 => String::new(),
            1 => "ü\u{1F600}\"\\".into(),
            2 => "x".repeat(1024),
            i => format!("name-{i}"),
        });
    }
    for i in 0..MEMBERS {
        names.member(MemberKey {
            channel: NameId(i % 3),
            topic: NameId(i % 5),
            user: NameId(i % NAMES),
            conn: NameId(i * 7 % NAMES),
        });
    }
    assert_eq!(names.members(), MEMBERS as usize);
    names
}

fn name() -> impl Strategy<Value = NameId> {
    (0..NAMES).prop_map(NameId)
}

fn member() -> impl Strategy<Value = MemberId> {
    (0..MEMBERS).prop_map(MemberId)
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        "[a-z\"ß{}]{0,12}".prop_map(|text| Arc::from(text.as_str())),
        Just(Arc::from("long ".repeat(100))),
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 1_700_000_000_000..1_700_000_100_000i64, 1 => any::<i64>()]
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (option::of(any::<[i64; 2]>()), option::of(time())).prop_map(|(pos, ts)| Stamp { pos, ts })
}

fn kind() -> impl Strategy<Value = ChangeKind> {
    prop_oneof![
        Just(ChangeKind::Join),
        Just(ChangeKind::Update),
        Just(ChangeKind::Leave)
    ]
}

fn change() -> impl Strategy<Value = Payload> {
    let disposition = prop_oneof![
        3 => Just(Disposition::Applied),
        1 => Just(Disposition::Duplicate),
        1 => Just(Disposition::Stale),
        1 => Just(Disposition::Unknown),
        1 => Just(Disposition::Collected)
    ];
    let late = (time(), time()).prop_map(|(late_ms, not_before)| Late {
        late_ms,
        not_before,
    });
    let origin = prop_oneof![
        Just(Origin::Observed),
        (any::<u64>(), option::of(time()), any::<bool>()).prop_map(
            |(snapshot_seq, not_before, baseline)| Origin::Inferred(Inference {
                snapshot_seq,
                not_before,
                baseline,
            })
        )
    ];
    (
        member(),
        kind(),
        kind(),
        disposition,
        option::of(text()),
        option::of(text()),
        origin,
        option::of(late),
    )
        .prop_map(
            |(member, kind, said, disposition, meta, reason, origin, late)| {
                Payload::Change(Change {
                    member,
                    kind,
                    reported: said,
                    disposition,
                    meta,
                    reason,
                    origin,
                    late,
                })
            },
        )
}

fn claim() -> impl Strategy<Value = ListedMember> {
    (option::of(text()), stamp()).prop_map(|(meta, stamp)| ListedMember { meta, stamp })
}

fn whole() -> impl Strategy<Value = FullListing> {
    (
        any::<bool>(),
        any::<bool>(),
        vec((name(), any::<bool>()), 0..4),
        vec((member(), claim()), 0..6),
    )
        .prop_map(
            |(incomplete, topics_missing, topics, members)| FullListing {
                incomplete,
                topics_missing,
                topics,
                members,
            },
        )
}

fn begin() -> impl Strategy<Value = SnapshotBegin> {
    (stamp(), time()).prop_map(|(stamp, occurred_at)| SnapshotBegin { stamp, occurred_at })
}

fn snapshot() -> impl Strategy<Value = Payload> {
    let claims = prop_oneof![
        vec((member(), option::of(claim())), 0..5).prop_map(|all| Listing::Residue(
            all.into_iter()
                .map(|(member, claim)| ListingDelta { member, claim })
                .collect()
        )),
        whole().prop_map(Listing::Whole)
    ];
    let gap =
        (any::<u32>(), option::of(time()), option::of(time())).prop_map(|(gap, opened, closed)| {
            SnapshotGap {
                gap,
                opened,
                closed,
            }
        });
    (
        (
            (name(), option::of(name())),
            select(
                &[
                    SnapshotOrigin::Listed,
                    SnapshotOrigin::Differences,
                    SnapshotOrigin::Occupancy,
                ][..],
            ),
            any::<bool>(),
            any::<bool>(),
        ),
        any::<u32>(),
        claims,
        vec(member(), 0..4),
        option::of(begin()),
        option::of(gap),
        any::<u32>(),
        any::<[u8; 32]>(),
    )
        .prop_map(|(head, listed, claims, held, begin, gap, count, digest)| {
            Payload::Snapshot(Box::new(Snapshot {
                channel: head.0.0,
                self_user: head.0.1,
                origin: head.1,
                stale: head.2,
                complete: head.3,
                listed,
                claims,
                held,
                begin,
                gap,
                count,
                digest,
            }))
        })
}

fn link() -> impl Strategy<Value = Payload> {
    let gap =
        (name(), any::<u32>(), time(), any::<bool>()).prop_map(|(channel, gap, at, opens)| {
            GapChange {
                channel,
                gap,
                at,
                opens,
            }
        });
    (
        option::of(name()),
        select(
            &[
                LinkState::Up,
                LinkState::UpWithDifferences,
                LinkState::Synced,
                LinkState::Down,
            ][..],
        ),
        select(
            &[
                Service::All,
                Service::Topics,
                Service::Presence,
                Service::Other,
            ][..],
        ),
        vec(name(), 0..3),
        option::of(text()),
        vec(gap, 0..3),
        option::of(connection()),
    )
        .prop_map(
            |(channel, state, service, except, reason, gaps, connection)| {
                Payload::Link(Box::new(LinkChange {
                    channel,
                    state,
                    service,
                    except,
                    reason,
                    gaps,
                    connection,
                }))
            },
        )
}

fn connection() -> impl Strategy<Value = Connection> {
    select(
        &[
            Connection::Up,
            Connection::Resumed,
            Connection::Lost,
            Connection::Restart,
            Connection::Closed,
            Connection::Missing,
        ][..],
    )
}

fn token() -> impl Strategy<Value = Payload> {
    let state = prop_oneof![
        Just(TokenState::WillExpire),
        Just(TokenState::Expired),
        Just(TokenState::Renewed),
        Just(TokenState::Revoked)
    ];
    (option::of(name()), state, option::of(text())).prop_map(|(channel, state, reason)| {
        Payload::Token(Box::new(TokenChange {
            channel,
            state,
            reason,
        }))
    })
}

/// An entry; [`number`] gives it its seq.
pub fn entry() -> impl Strategy<Value = Entry> {
    let what = prop_oneof![6 => change(), 1 => snapshot(), 1 => link(), 1 => token()];
    (
        (time(), time(), time(), any::<[bool; 3]>()),
        name(),
        option::of(text()),
        stamp(),
        any::<bool>(),
        what,
    )
        .prop_map(|(times, observer, id, stamp, lossy, what)| {
            let (recorded_at, occurred_at, effective_at, same) = times;
            let occurred_at = if same[0] { recorded_at } else { occurred_at };
            let ts = if same[2] { Some(occurred_at) } else { stamp.ts };
            Entry {
                seq: 0,
                recorded_at,
                occurred_at,
                effective_at: if same[1] { occurred_at } else { effective_at },
                observer,
                id,
                stamp: Stamp { ts, ..stamp },
                lossy,
                payload: what,
            }
        })
}

fn rules() -> impl Strategy<Value = Rules> {
    prop_oneof![
        3 => Just(Rules::default()),
        1 => (any::<[i64; 4]>(), any::<bool>()).prop_map(|(ms, lossy)| Rules::default().skew_tolerance_ms(ms[0]).max_ahead_ms(ms[1]).slack_ms(ms[2]).lossy(lossy).resync_ms(ms[3]))
    ]
}

fn page() -> impl Strategy<Value = Page> {
    let step = prop_oneof![
        (
            begin(),
            option::of(name()),
            any::<bool>(),
            option::of(text())
        )
            .prop_map(|(begin, self_user, incomplete, id)| PageStep::Begin {
                begin,
                self_user,
                incomplete,
                id,
            }),
        whole().prop_map(PageStep::Members)
    ];
    (name(), name(), text(), time(), step).prop_map(
        |(observer, channel, sync, recorded_at, step)| Page {
            observer,
            channel,
            sync,
            recorded_at,
            step,
        },
    )
}

/// A commit.
pub fn commit() -> impl Strategy<Value = Record> {
    let entries = prop_oneof![3 => vec(entry(), 1), 1 => vec(entry(), 1..5)];
    (rules(), entries).prop_map(|(rules, entries)| Record::Commit { rules, entries })
}

/// Any record.
pub fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        6 => commit(),
        1 => (rules(), page()).prop_map(|(rules, page)| Record::Page { rules, page }),
        1 => (name(), time()).prop_map(|(observer, recorded_at)| Record::Closed(ConnectionEnd { observer, recorded_at })),
        1 => (time(), text(), any::<(u64, u64, u64)>(), text(), option::of(vec(any::<u8>(), 0..50)), any::<[u8; 32]>())
            .prop_map(|(recorded_at, source, (line, byte, length), reason, text, blake3)| {
                Record::Reject(Reject { recorded_at, source, line, byte, reason, text, length, blake3 })
            }),
        1 => any::<u64>().prop_map(Record::Settled),
        1 => (any::<[u8; 32]>(), any::<(u64, u64, u64)>(), text()).prop_map(
            |(source, (hashed_len, byte, line), path)| {
                Record::Progress(Progress { source, hashed_len, byte, line, path })
            }
        ),
        1 => (time(), text(), option::of(text()), any::<(u64, u64, u64)>()).prop_map(
            |(recorded_at, stand_in, channel, (changes, texts, rejects))| {
                Record::Forgotten(Forgotten { recorded_at, stand_in, channel, changes, texts, rejects })
            }
        ),
    ]
}

/// Gives the entries of records their seqs, from `seq`.
pub fn number(records: &mut [Record], mut seq: u64) {
    for record in records {
        if let Record::Commit { entries, .. } = record {
            for entry in entries {
                entry.seq = seq;
                seq += 1;
            }
        }
    }
}
