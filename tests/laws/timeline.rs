//! The lanes of `timeline` against `who`, `sessions` and `gaps`: a column says what `who` says of its middle, at every moment
//! of the column if nothing changes in it; and nothing is left out because it is short.

use proptest::prelude::*;
use rollbook::Store;
use rollbook::cli::timeline::lanes::{LaneCell, LaneKey, Lanes};
use rollbook::cli::timeline::span::TimelineSpan;
use rollbook::query::answer::{Certainty, Missed, Session, Who};
use rollbook::query::{SessionFilter, WhoFilter};
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{NOW, Shape, Tape, cases, tape};
use std::collections::{BTreeMap, BTreeSet};

type Answer = BTreeMap<LaneKey, Certainty>;

fn answer(who: &Who) -> Answer {
    let of_topic = |topic: &rollbook::query::answer::TopicAnswer| {
        let lane = |user: &str, connection: &str| LaneKey {
            topic: topic.topic.clone(),
            user: user.to_owned(),
            connection: connection.to_owned(),
        };
        let members = topic.publishers.iter();
        let members = members.map(|it| (lane(&it.user, &it.connection), it.certainty));
        members.collect::<Vec<_>>()
    };
    who.topics.iter().flat_map(of_topic).collect()
}

fn shown(lanes: &Lanes, column: usize) -> Answer {
    let cells = lanes
        .lanes()
        .filter_map(|(lane, cells)| match cells[column] {
            LaneCell::Present(certainty) => Some((lane.clone(), certainty)),
            LaneCell::Short | LaneCell::Absent => None,
        });
    cells.collect()
}

struct Drawn {
    lanes: Lanes,
    stays: Vec<Session>,
    gaps: Vec<Missed>,
}

/// The lanes of a channel, as the command draws them.
fn drawn(store: &Store, channel: &str, span: TimelineSpan) -> Drawn {
    let gaps = store.missed(channel, &Default::default()).unwrap();
    let stays = SessionFilter::default().channel(channel);
    let stays: Result<Vec<_>, _> = store.sessions(&stays).unwrap().collect();
    let stays = stays.unwrap();
    let mut lanes = Lanes::new(span, None);
    gaps.iter().for_each(|gap| lanes.gap(gap));
    stays.iter().for_each(|stay| lanes.stay(stay));
    for column in 0..span.columns() {
        let at = WhoFilter::at(span.middle(column));
        lanes.who(column, &store.who(channel, &at).unwrap());
    }
    Drawn { lanes, stays, gaps }
}

/// The moments at which an answer about a channel may change.
fn changes(store: &Store, drawn: &Drawn, channel: &str) -> BTreeSet<i64> {
    let mut moments = BTreeSet::new();
    for entry in store.history(&Default::default()).unwrap() {
        let entry = entry.unwrap();
        moments.extend([
            entry.occurred_at.0,
            entry.effective_at.0,
            entry.recorded_at.0,
        ]);
        moments.extend(entry.not_before.map(|at| at.0));
    }
    for gap in &drawn.gaps {
        moments.insert(gap.from.0);
        moments.extend(gap.to.map(|to| to.0));
    }
    let head = store.who(channel, &WhoFilter::default()).unwrap();
    moments.extend(head.last_proof.map(|at| at.0));
    moments
}

fn agree(tape: &Tape, columns: usize, samples: &[f64]) {
    let desk = Desk::of(tape);
    let store = &desk.store;
    for channel in store.channels().unwrap() {
        let (Some(first), Some(last)) = (channel.first_at, channel.last_at) else {
            continue;
        };
        let channel = channel.channel;
        // What lies far off is left out, or all else would be in one column.
        let (first, last) = (first.0.max(NOW - 200_000_000), last.0.min(first.0 + 20_000));
        let Some(span) = TimelineSpan::new(first - 150, last.max(first) + 500, columns) else {
            continue;
        };
        let drawn = drawn(store, &channel, span);
        let changes = changes(store, &drawn, &channel);
        let length = (span.to() - span.from()) as f64;
        for sample in samples {
            let at = span.from() + (length * sample) as i64;
            let column = span.column(at);
            let (begin, end) = (span.begin(column), span.begin(column + 1));
            assert!((begin..end).contains(&at));
            if changes.range(begin + 1..end).next().is_none() {
                let who = store.who(&channel, &WhoFilter::at(at)).unwrap();
                assert_eq!(shown(&drawn.lanes, column), answer(&who), "at {at}");
            }
        }
        nothing_is_left_out(&drawn, span);
    }
}

fn nothing_is_left_out(drawn: &Drawn, span: TimelineSpan) {
    let lanes: BTreeMap<&LaneKey, &[LaneCell]> = drawn.lanes.lanes().collect();
    for stay in &drawn.stays {
        let from = stay.joined_not_before.unwrap_or(stay.joined_at).0;
        let to = stay.left_at.map_or(i64::MAX, |at| at.0);
        if from >= span.to() || to <= span.from() {
            continue;
        }
        let lane = LaneKey {
            topic: stay.topic.clone().unwrap(),
            user: stay.user.clone(),
            connection: stay.connection.clone().unwrap(),
        };
        let cells = lanes[&lane];
        let columns = span.column(from)..=span.column(to.max(from + 1) - 1);
        assert!(
            cells[columns].iter().any(|cell| *cell != LaneCell::Absent),
            "{stay:?}"
        );
    }
    let missed = drawn.gaps.iter().filter(|gap| {
        gap.closed_by != Some(rollbook::query::answer::ClosedBy::Resumed)
            && gap.from.0 < span.to()
            && gap.to.is_none_or(|to| to.0 > span.from())
    });
    let numbers: Vec<u32> = missed.map(|gap| gap.gap).collect();
    let of_lanes: Vec<u32> = drawn.lanes.gaps().iter().map(|gap| gap.gap).collect();
    assert_eq!(of_lanes, numbers);
    assert!(drawn.lanes.gaps().iter().all(|gap| !gap.columns.is_empty()));
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_column_says_what_who_says(
        tape in tape(Shape::Any, 30), columns in 1_usize..120, samples in proptest::collection::vec(0.0..1.0, 24)
    ) {
        agree(&tape, columns, &samples);
    }

    #[test]
    fn columns_divide_the_time(from in -1_000_000_i64..1_000_000, length in 1_i64..100_000, columns in 1_usize..300) {
        let span = TimelineSpan::new(from, from + length, columns).unwrap();
        prop_assert_eq!(span.begin(0), from);
        prop_assert_eq!(span.begin(span.columns()), from + length);
        for column in 0..span.columns() {
            let (begin, end) = (span.begin(column), span.begin(column + 1));
            prop_assert!(begin < end);
            for at in [begin, span.middle(column), end - 1] {
                prop_assert_eq!(span.column(at), column);
            }
        }
    }
}

#[test]
fn the_evening_of_the_readme_agrees() {
    let samples: Vec<f64> = (0..200).map(|n| f64::from(n) / 200.0).collect();
    agree(&super::evening(), 240, &samples);
}

/// A reader with little room sees the first lanes, and how many more there are, in whatever order they come.
#[test]
fn lanes_are_bounded() {
    let desk = Desk::of(&super::evening());
    let whole = TimelineSpan::new(1_778_788_800_000, 1_778_796_000_000, 50).unwrap();
    let all = drawn(&desk.store, "studio-7", whole).lanes;
    let mut few = Lanes::new(whole, None).lanes_max(5);
    for column in (0..50).rev() {
        let at = WhoFilter::at(whole.middle(column));
        few.who(column, &desk.store.who("studio-7", &at).unwrap());
    }
    let mut stays: Vec<_> = drawn(&desk.store, "studio-7", whole).stays;
    stays.reverse();
    stays.iter().for_each(|stay| few.stay(stay));
    assert_eq!(
        few.lanes().collect::<Vec<_>>(),
        all.lanes().take(5).collect::<Vec<_>>()
    );
    assert_eq!(few.left_out(), all.lanes().len() - 5);
    assert_eq!(few.counts(), all.counts(), "who is not drawn counts");
}
