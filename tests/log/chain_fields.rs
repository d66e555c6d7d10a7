//! The chain covers every field of snapshots, links and tokens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use crate::chain::{all_different, entry_of};
use crate::frames::member;
use rollbook::domain::entry::*;
use rollbook::domain::event::{Connection, LinkState, Service, TokenState};
use rollbook::domain::names::Names;
use rollbook::domain::order::Stamp;
use std::sync::Arc;

#[test]
fn the_chain_covers_every_field_of_a_snapshot() {
    fn of(entry: &mut Entry) -> &mut Snapshot {
        match &mut entry.payload {
            Payload::Snapshot(snapshot) => snapshot,
            _ => panic!("a snapshot"),
        }
    }
    fn whole(entry: &mut Entry, whole: FullListing) {
        of(entry).claims = Listing::Whole(whole);
    }
    fn claim(entry: &mut Entry, names: &mut Names, claim: Option<ListedMember>) {
        let member = member(names, "bert");
        of(entry).claims = Listing::Residue(vec![ListingDelta { member, claim }]);
    }
    let mut names = Names::new();
    let plain = Snapshot {
        channel: names.intern("channel"),
        self_user: None,
        origin: SnapshotOrigin::Listed,
        stale: false,
        complete: false,
        listed: 3,
        claims: Listing::Residue(Vec::new()),
        held: Vec::new(),
        begin: None,
        gap: None,
        count: 4,
        digest: [0; 32],
    };
    let plain = entry_of(Payload::Snapshot(Box::new(plain)), &mut names);
    all_different(
        &plain,
        &mut names,
        vec![
            ("channel", |e, n| of(e).channel = n.intern("else")),
            ("self_user", |e, n| {
                of(e).self_user = Some(n.intern("channel"));
            }),
            ("differences", |e, _| {
                of(e).origin = SnapshotOrigin::Differences;
            }),
            ("occupancy", |e, _| of(e).origin = SnapshotOrigin::Occupancy),
            ("stale", |e, _| of(e).stale = true),
            ("complete", |e, _| of(e).complete = true),
            ("listed", |e, _| of(e).listed = 4),
            ("count", |e, _| of(e).count = 3),
            ("digest", |e, _| of(e).digest[31] = 1),
            ("held", |e, n| of(e).held.push(member(n, "anna"))),
            ("residue", |e, n| claim(e, n, None)),
            ("claim", |e, n| claim(e, n, Some(ListedMember::default()))),
            ("claim meta", |e, n| {
                let meta = Some(Arc::from("1"));
                claim(
                    e,
                    n,
                    Some(ListedMember {
                        meta,
                        ..ListedMember::default()
                    }),
                );
            }),
            ("claim pos", |e, n| {
                let stamp = Stamp {
                    pos: Some([0, 0]),
                    ts: None,
                };
                claim(e, n, Some(ListedMember { meta: None, stamp }));
            }),
            ("claim ts", |e, n| {
                let stamp = Stamp {
                    pos: None,
                    ts: Some(0),
                };
                claim(e, n, Some(ListedMember { meta: None, stamp }));
            }),
            ("whole", |e, _| whole(e, FullListing::default())),
            ("incomplete", |e, _| {
                whole(
                    e,
                    FullListing {
                        incomplete: true,
                        ..FullListing::default()
                    },
                );
            }),
            ("topics_missing", |e, _| {
                whole(
                    e,
                    FullListing {
                        topics_missing: true,
                        ..FullListing::default()
                    },
                );
            }),
            ("topic", |e, n| {
                let topics = vec![(n.intern("topic"), false)];
                whole(
                    e,
                    FullListing {
                        topics,
                        ..FullListing::default()
                    },
                );
            }),
            ("topic missing some", |e, n| {
                let topics = vec![(n.intern("topic"), true)];
                whole(
                    e,
                    FullListing {
                        topics,
                        ..FullListing::default()
                    },
                );
            }),
            ("listed member", |e, n| {
                let members = vec![(member(n, "bert"), ListedMember::default())];
                whole(
                    e,
                    FullListing {
                        members,
                        ..FullListing::default()
                    },
                );
            }),
            ("begin", |e, _| {
                let (stamp, occurred_at) = (Stamp::NONE, 5);
                of(e).begin = Some(SnapshotBegin { stamp, occurred_at });
            }),
            ("begin time", |e, _| {
                let (stamp, occurred_at) = (Stamp::NONE, 6);
                of(e).begin = Some(SnapshotBegin { stamp, occurred_at });
            }),
            ("begin stamp", |e, _| {
                let stamp = Stamp {
                    pos: Some([1, 2]),
                    ts: None,
                };
                of(e).begin = Some(SnapshotBegin {
                    stamp,
                    occurred_at: 5,
                });
            }),
            ("gap", |e, _| {
                of(e).gap = Some(SnapshotGap {
                    gap: 1,
                    opened: None,
                    closed: None,
                });
            }),
            ("gap number", |e, _| {
                of(e).gap = Some(SnapshotGap {
                    gap: 2,
                    opened: None,
                    closed: None,
                });
            }),
            ("gap opened", |e, _| {
                of(e).gap = Some(SnapshotGap {
                    gap: 1,
                    opened: Some(0),
                    closed: None,
                });
            }),
            ("gap closed", |e, _| {
                of(e).gap = Some(SnapshotGap {
                    gap: 1,
                    opened: None,
                    closed: Some(0),
                });
            }),
        ],
    );
}

#[test]
fn the_chain_covers_every_field_of_links_and_tokens() {
    fn link(entry: &mut Entry) -> &mut LinkChange {
        match &mut entry.payload {
            Payload::Link(link) => link,
            _ => panic!("a link"),
        }
    }
    fn token(entry: &mut Entry) -> &mut TokenChange {
        match &mut entry.payload {
            Payload::Token(token) => token,
            _ => panic!("a token"),
        }
    }
    fn gap(entry: &mut Entry, names: &mut Names, change: impl Fn(&mut GapChange)) {
        let mut gap = GapChange {
            channel: names.intern("channel"),
            gap: 1,
            at: 7,
            opens: false,
        };
        change(&mut gap);
        link(entry).gaps = vec![gap];
    }
    let mut names = Names::new();
    let plain = LinkChange {
        channel: None,
        state: LinkState::Down,
        service: Service::All,
        except: Vec::new(),
        reason: None,
        gaps: Vec::new(),
        connection: None,
    };
    let plain = entry_of(Payload::Link(Box::new(plain)), &mut names);
    all_different(
        &plain,
        &mut names,
        vec![
            ("channel", |e, n| {
                link(e).channel = Some(n.intern("channel"))
            }),
            ("up", |e, _| link(e).state = LinkState::Up),
            ("up with differences", |e, _| {
                link(e).state = LinkState::UpWithDifferences;
            }),
            ("synced", |e, _| link(e).state = LinkState::Synced),
            ("of topics", |e, _| link(e).service = Service::Topics),
            ("of presence", |e, _| link(e).service = Service::Presence),
            ("of another service", |e, _| {
                link(e).service = Service::Other;
            }),
            ("except", |e, n| link(e).except.push(n.intern("channel"))),
            ("reason", |e, _| link(e).reason = Some(Arc::from(""))),
            ("gap", |e, n| gap(e, n, |_| ())),
            ("gap channel", |e, n| {
                let channel = n.intern("else");
                gap(e, n, |gap| gap.channel = channel);
            }),
            ("gap number", |e, n| gap(e, n, |gap| gap.gap = 2)),
            ("gap at", |e, n| gap(e, n, |gap| gap.at = 8)),
            ("gap opens", |e, n| gap(e, n, |gap| gap.opens = true)),
            ("connection up", |e, _| {
                link(e).connection = Some(Connection::Up)
            }),
            ("connection resumed", |e, _| {
                link(e).connection = Some(Connection::Resumed)
            }),
            ("connection lost", |e, _| {
                link(e).connection = Some(Connection::Lost)
            }),
            ("connection restart", |e, _| {
                link(e).connection = Some(Connection::Restart)
            }),
            ("connection missing", |e, _| {
                link(e).connection = Some(Connection::Missing)
            }),
        ],
    );
    let plain = TokenChange {
        channel: None,
        state: TokenState::WillExpire,
        reason: None,
    };
    let plain = entry_of(Payload::Token(Box::new(plain)), &mut names);
    all_different(
        &plain,
        &mut names,
        vec![
            ("channel", |e, n| {
                token(e).channel = Some(n.intern("channel"))
            }),
            ("expired", |e, _| token(e).state = TokenState::Expired),
            ("renewed", |e, _| token(e).state = TokenState::Renewed),
            ("revoked", |e, _| token(e).state = TokenState::Revoked),
            ("reason", |e, _| token(e).reason = Some(Arc::from(""))),
        ],
    );
}
