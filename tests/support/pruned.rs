//! Compares a pruned store with one of the same log that was not pruned: every question about what is retained has the
//! same answer, and every other one is refused.

use rollbook::Store;
use rollbook::query::answer::{Session, Stats};
use rollbook::query::{
    HistoryFilter, MissedFilter, SessionFilter, StatsFilter, WhoFilter, WhoWhen,
};
use rollbook::replay::{LineShape, PlayedLine, ReplayFilter};
use rollbook::store::{Retained, StoreError};
use serde::Serialize;
use std::collections::BTreeSet;

fn line(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap()
}

fn said<T: Serialize>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => line(&answer),
        Err(error) => format!("! {error}"),
    }
}

fn all<T: Serialize>(
    rows: Result<impl Iterator<Item = Result<T, StoreError>>, StoreError>,
) -> Vec<String> {
    match rows {
        Ok(rows) => rows.map(said).collect(),
        Err(error) => vec![format!("! {error}")],
    }
}

/// The moments that matter: of every entry of the whole log, and just after.
fn moments(whole: &Store) -> BTreeSet<i64> {
    let entries = whole.history(&HistoryFilter::default()).unwrap();
    let times = entries.flat_map(|entry| {
        let entry = entry.unwrap();
        [
            entry.occurred_at.0,
            entry.effective_at.0,
            entry.effective_at.0 + 1,
        ]
    });
    times.collect()
}

fn recorded(whole: &Store) -> BTreeSet<i64> {
    let entries = whole.history(&HistoryFilter::default()).unwrap();
    entries.map(|entry| entry.unwrap().recorded_at.0).collect()
}

/// The first of these, and some others.
fn some(all: BTreeSet<i64>) -> Vec<i64> {
    let every = all.len() / 12 + 1;
    all.into_iter().step_by(every).collect()
}

fn channels(whole: &Store) -> Vec<String> {
    let channels = whole.channels().unwrap();
    channels
        .into_iter()
        .map(|channel| channel.channel)
        .collect()
}

/// Every answer about what is retained.
fn answers(store: &Store, whole: &Store, retained: Retained) -> Vec<(String, String)> {
    let mut answers: Vec<(String, String)> = Vec::new();
    let mut add = |what: String, answer: String| answers.push((what, answer));
    let seq = retained.seq;
    let after = HistoryFilter::default().after_seq(seq);
    add("history".into(), all(store.history(&after)).join("\n"));
    add("channels".into(), said(store.channels()));
    add("sources".into(), format!("{:?}", store.sources().unwrap()));
    let late = some(moments(whole).split_off(&retained.from));
    let known = some(recorded(whole).split_off(&retained.known_from));
    let span = late
        .last()
        .zip(late.first())
        .map_or(0, |(last, first)| last - first);
    let every = span / 9 + 130;
    for &from in late.iter().take(4) {
        let filter = HistoryFilter::default().from(from);
        add(
            format!("history from {from}"),
            all(store.history(&filter)).join("\n"),
        );
        let filter = SessionFilter::default().from(from);
        add(
            format!("sessions from {from}"),
            all(store.sessions(&filter)).join("\n"),
        );
        for every in [None, Some(every)] {
            let mut filter = StatsFilter::default().from(from);
            filter.every_ms = every;
            add(
                format!("stats from {from} {every:?}"),
                stats(store.stats(&filter)),
            );
        }
    }
    for channel in &channels(whole) {
        of_channel(store, channel, retained, (&late, &known), &mut add);
    }
    plays(store, whole, &late, seq, &mut add);
    answers
}

fn of_channel(
    store: &Store,
    channel: &str,
    retained: Retained,
    (late, known): (&[i64], &[i64]),
    add: &mut impl FnMut(String, String),
) {
    let after = HistoryFilter::default()
        .channel(channel)
        .after_seq(retained.seq);
    add(
        format!("history {channel}"),
        all(store.history(&after)).join("\n"),
    );
    let mut who = |when, known_at: Option<i64>| {
        let mut filter = WhoFilter::default().when(when);
        filter.known_at = known_at;
        add(
            format!("who {channel} {when:?} {known_at:?}"),
            said(store.who(channel, &filter)),
        );
    };
    who(WhoWhen::Head, None);
    late.iter().for_each(|&at| who(WhoWhen::At(at), None));
    known
        .iter()
        .for_each(|&known| who(WhoWhen::Head, Some(known)));
    let seqs = retained.seq + 1..=store.head();
    seqs.step_by(5).for_each(|seq| who(WhoWhen::Seq(seq), None));
    for known_at in std::iter::once(None).chain(known.iter().copied().map(Some)) {
        let mut missed = MissedFilter::default().since(retained.from).detail(true);
        missed.known_at = known_at;
        add(
            format!("missed {channel} {known_at:?}"),
            said(store.missed(channel, &missed)),
        );
        let mut sessions = SessionFilter::default()
            .channel(channel)
            .from(retained.from);
        sessions.known_at = known_at;
        add(
            format!("sessions {channel} {known_at:?}"),
            all(store.sessions(&sessions)).join("\n"),
        );
        let mut filter = StatsFilter::default().channel(channel).from(retained.from);
        filter.known_at = known_at;
        add(
            format!("stats {channel} {known_at:?}"),
            stats(store.stats(&filter)),
        );
    }
}

/// Figures without the lines of topics in which nothing happened: a pruned store may not know these topics any more.
fn stats(stats: Result<Vec<Stats>, StoreError>) -> String {
    let happened = |line: &Stats| {
        line.topic.is_none()
            || line.distinct_users + line.joins + line.leaves + line.present_now > 0
            || line.inferred_joins + line.inferred_leaves > 0
    };
    said(stats.map(|lines| lines.into_iter().filter(happened).collect::<Vec<_>>()))
}

fn plays(
    store: &Store,
    whole: &Store,
    late: &[i64],
    seq: u64,
    add: &mut impl FnMut(String, String),
) {
    let mut play = |what: &str, filter: &ReplayFilter| {
        for shape in [LineShape::Agora, LineShape::Rollbook] {
            let mut lines = Vec::new();
            let played = store.play(filter, shape, &mut |line: &PlayedLine<'_>| {
                // The seq of a roster depends on where reading began.
                lines.push(format!("{} {}", line.at, line.text));
                true
            });
            if let Err(error) = played {
                lines.push(format!("! {error}"));
            }
            add(format!("play {what} {shape:?}"), lines.join("\n"));
        }
    };
    let wanted = channels(whole);
    for standing in [false, true] {
        for channel in std::iter::once(None).chain(wanted.iter().map(Some)) {
            let mut filter = ReplayFilter::default().standing(standing);
            filter.channel = channel.cloned();
            let behind = filter.clone().from_seq(seq + 2);
            play(&format!("{channel:?} behind {seq}, {standing}"), &behind);
            for &from in late.iter().take(3) {
                let filter = filter.clone().from(from);
                play(&format!("{channel:?} from {from}, {standing}"), &filter);
            }
        }
    }
}

/// Asserts that the pruned store answers as the whole one, and refuses the rest.
pub fn compare(pruned: &Store, whole: &Store) {
    assert_eq!(pruned.head(), whole.head());
    let Some(retained) = pruned.retained() else {
        return;
    };
    let found = answers(pruned, whole, retained);
    let expected = answers(whole, whole, retained);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "{retained:?}");
    }
    assert_eq!(found.len(), expected.len());
    lists_what_is_left(pruned, whole, retained);
    refuses_what_is_gone(pruned, whole, retained);
}

/// Lists without a range are those of the whole store, without what was over.
fn lists_what_is_left(pruned: &Store, whole: &Store, retained: Retained) {
    let stays = |store: &Store| -> Vec<Session> {
        let stays = store.sessions(&SessionFilter::default()).unwrap();
        stays.map(Result::unwrap).collect()
    };
    let left: Vec<String> = stays(pruned).iter().map(line).collect();
    let all: Vec<String> = stays(whole).iter().map(line).collect();
    let gone = all.len() - left.len();
    assert_eq!(left, all[gone..], "{retained:?}");
    let over = |stay: &Session| stay.left_at.is_some_and(|left| left.0 < retained.from);
    assert!(stays(whole)[..gone].iter().all(over));
    let rejects = |store: &Store| all_rejects(store);
    let (left, all) = (rejects(pruned), rejects(whole));
    assert!(all.ends_with(&left), "{left:?}, {all:?}");
    for channel in channels(whole) {
        let [left, all] = [pruned, whole].map(|store| store.gaps(&channel).unwrap());
        let known: BTreeSet<u32> = left.iter().map(|gap| gap.gap).collect();
        let (kept, gone): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|gap| known.contains(&gap.gap));
        assert_eq!(line(&left), line(&kept));
        for gap in gone {
            assert!(gap.to.is_some(), "{gap:?}, {retained:?}");
            let filter = MissedFilter::default().gap(gap.gap);
            let missed = pruned.missed(&channel, &filter);
            assert!(is_past(missed.err()), "{gap:?}");
        }
    }
    let figures = pruned.stats(&StatsFilter::default()).unwrap();
    for line in figures.iter().filter(|line| line.retained_from.is_some()) {
        assert_eq!(line.retained_from.map(|at| at.0), Some(retained.from));
    }
}

fn all_rejects(store: &Store) -> Vec<String> {
    let rejects = store.rejects().unwrap();
    rejects.map(|reject| line(&reject.unwrap())).collect()
}

fn is_past(error: Option<StoreError>) -> bool {
    matches!(error, Some(StoreError::PastRetention { .. }))
}

fn refuses_what_is_gone(pruned: &Store, whole: &Store, retained: Retained) {
    let Retained { seq, from, .. } = retained;
    for channel in channels(whole) {
        let who = |when| pruned.who(&channel, &WhoFilter::default().when(when)).err();
        if from > i64::MIN {
            assert!(is_past(who(WhoWhen::At(from - 1))));
        }
        for seq in [1, seq.div_ceil(2), seq] {
            assert!(is_past(who(WhoWhen::Seq(seq))));
        }
    }
    if from > i64::MIN {
        let history = HistoryFilter::default().to(from);
        assert!(is_past(pruned.history(&history).err()));
        let sessions = SessionFilter::default().to(from);
        assert!(is_past(pruned.sessions(&sessions).err()));
        assert!(is_past(
            pruned.stats(&StatsFilter::default().to(from)).err()
        ));
    }
    for seq in (1..seq).step_by(7) {
        let history = HistoryFilter::default().after_seq(seq);
        assert!(is_past(pruned.history(&history).err()), "{seq}");
        assert!(is_past(pruned.cursor(seq, None).err()), "{seq}");
    }
    for known_at in recorded(whole) {
        let filter = StatsFilter::default().known_at(known_at);
        let refused = is_past(pruned.stats(&filter).err());
        assert_eq!(refused, known_at < retained.known_from, "{known_at}");
    }
    let mut cursor = pruned.cursor(0, None).unwrap();
    let first = cursor.next_batch(pruned, 1, 1 << 20).unwrap();
    // Perhaps only pages and rejects are left.
    assert!(first.first().is_none_or(|first| first.entry.seq == seq + 1));
}
