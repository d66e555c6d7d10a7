//! Reconciliation: a snapshot of a whole channel of which 1 % has changed, a third each of leaves, updates and joins,
//! from names borrowed from its line, listed in the order of the snapshot before it or in another. Looking the names up, deciding and applying are measured; nothing is stored.
//!
//! An element is a publisher that the snapshot lists: per element the time is to be the same at every size.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Entry, Rules};
use rollbook::domain::event::{Event, MemberSaid, Said, Shown, TopicShown};
use rollbook::domain::names::Names;
use rollbook::domain::order::Stamp;
use rollbook::domain::state::State;
use support::load::Random;
use support::size;

const FROM: i64 = 1_700_000_000_000;
const NOW: i64 = 1_800_000_000_000;

/// The text that the events borrow.
struct Text {
    topics: Vec<String>,
    users: Vec<(usize, String)>,
    metas: [String; 2],
    /// The same users in another order; as text in that order too, as it is in a line.
    shuffled: Vec<(usize, String)>,
}

fn user(n: usize) -> String {
    format!("user-{n:06}")
}

impl Text {
    fn new(publishers: usize) -> Self {
        let count = publishers + publishers / 300;
        let mut shuffled: Vec<usize> = (0..count).collect();
        let mut random = Random::new(5);
        for at in (1..count).rev() {
            shuffled.swap(at, random.below(at + 1));
        }
        Text {
            shuffled: shuffled.into_iter().map(|n| (n, user(n))).collect(),
            topics: (0..8).map(|n| format!("topic-{n}")).collect(),
            // Those who are only in the first snapshot, and those who are only in the second, are the last.
            users: (0..count).map(|n| (n, user(n))).collect(),
            metas: [
                r#"{"hand":false,"v":1}"#.into(),
                r#"{"hand":true,"v":2}"#.into(),
            ],
        }
    }

    /// One of two snapshots of the same channel.
    fn snapshot(&self, second: bool, shuffled: bool) -> Event<'_> {
        let changed = self.users.len() / 301;
        let left = if second {
            0..changed
        } else {
            self.users.len() - changed..self.users.len()
        };
        let updated = if second { changed..2 * changed } else { 0..0 };
        let mut topics: Vec<TopicShown<'_>> = Vec::new();
        for topic in &self.topics {
            topics.push(TopicShown {
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
            topics[n % self.topics.len()].members.push(MemberSaid {
                user: user.into(),
                conn: "".into(),
                meta: Some(meta.into()),
                stamp: Stamp::NONE,
                reason: None,
            });
        }
        Event {
            observer: "default".into(),
            self_user: None,
            id: None,
            stamp: Stamp {
                pos: None,
                ts: Some(FROM),
            },
            said: Said::Snapshot {
                channel: "room".into(),
                shown: Shown {
                    topics,
                    ..Shown::default()
                },
            },
        }
    }
}

fn decided(state: &State, names: &mut Names, event: &Event<'_>) -> Vec<Entry> {
    match decide(state, names, event, &Rules::default(), NOW).unwrap() {
        Commit::Entries(entries) => entries,
        other => panic!("a snapshot is entries: {other:?}"),
    }
}

fn take(state: &mut State, names: &mut Names, event: &Event<'_>) -> usize {
    let entries = decided(state, names, event);
    for entry in &entries {
        state.apply(entry, names);
    }
    entries.len()
}

fn reconcile(c: &mut Criterion) {
    let mut group = c.benchmark_group("reconcile");
    for publishers in [20_000, 40_000, 80_000, 100_000] {
        let publishers = size(publishers, publishers / 100);
        let text = Text::new(publishers);
        let first = text.snapshot(false, false);
        group.throughput(Throughput::Elements(publishers as u64));
        for (order, shuffled) in [("", false), (", in another order", true)] {
            let mut events = [false, true].map(|second| text.snapshot(second, shuffled));
            let (mut names, mut state) = (Names::new(), State::new());
            assert_eq!(take(&mut state, &mut names, &first), 1 + publishers);
            let mut turn = 1;
            let id = BenchmarkId::new(format!("decide and apply{order}"), publishers);
            group.bench_function(id, |b| {
                b.iter(|| {
                    // There and back: each snapshot differs from the one before it by the same 1 %.
                    let event = &mut events[turn % 2];
                    event.stamp.ts = Some(FROM + turn as i64);
                    turn += 1;
                    let entries = take(&mut state, &mut names, event);
                    assert_eq!(entries, 1 + 3 * (text.users.len() / 301));
                });
            });
        }
        group.bench_function(BenchmarkId::new("the first snapshot", publishers), |b| {
            b.iter_batched_ref(
                || (State::new(), Names::new()),
                |(state, names)| take(state, names, &first),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, reconcile);
criterion_main!(benches);
