//! The simulator: with every mix, the store's answers agree with the truth; and the score can fail.
#![allow(clippy::unwrap_used, clippy::panic)]

use rollbook::domain::entry::Rules;
use rollbook::sim::{
    Depth, MIXES, Mix, Score, SimRun, score_another, simulate, simulate_as, simulate_many,
};
use std::ops::Range;

/// Seeds of each mix in a short run: well over a thousand in all.
const SEEDS: u64 = 25;
/// Seeds of each mix in a long run (`ROLLBOOK_LONG`).
const SEEDS_LONG: u64 = 4_000;

fn mix(name: &str) -> &'static Mix {
    Mix::named(name).unwrap_or_else(|| panic!("no mix {name}"))
}

fn holds(mix: &'static Mix, seeds: Range<u64>, depth: Depth) {
    let tally = simulate_many(mix, seeds, depth).unwrap();
    let Some(seed) = tally.first_wrong else {
        return;
    };
    let described = tally.score.described.join("\n");
    panic!("mix {}, seed {seed}:\n{described}", mix.name);
}

#[test]
fn what_is_said_holds_whatever_the_link_does() {
    for mix in MIXES {
        holds(mix, 1..SEEDS + 1, Depth::Every);
    }
}

#[test]
fn what_is_said_holds_over_many_seeds() {
    if std::env::var_os("ROLLBOOK_LONG").is_none() {
        return;
    }
    for mix in MIXES {
        holds(mix, 1_000..1_000 + SEEDS_LONG, Depth::Some);
    }
}

#[test]
fn a_seed_is_one_run() {
    for mix in MIXES {
        let (once, again) = (SimRun::new(mix, 11), SimRun::new(mix, 11));
        assert_eq!(once.feed(), again.feed());
        assert_eq!(once.truth(), again.truth());
        assert_ne!(once.truth(), SimRun::new(mix, 12).truth());
        let score = || simulate(mix, 11, Depth::Every).unwrap();
        assert_eq!(score(), score());
    }
}

/// A mix that tests nothing would pass as well, so each mix must make something to infer.
#[test]
fn each_mix_has_something_to_infer() {
    for mix in MIXES {
        let score = simulate_many(mix, 1..21, Depth::Some).unwrap().score;
        assert!(score.true_events > 200, "{}: {score:?}", mix.name);
        assert!(score.inferred > 20, "{}: {score:?}", mix.name);
        assert!(score.lines > 200, "{}: {score:?}", mix.name);
    }
}

/// The score of a mix whose source is ingested with the wrong rules.
fn wrongly(name: &str, rules: Rules) -> Score {
    let mut all = Score::default();
    for seed in 1..41 {
        all.add(&simulate_as(mix(name), seed, Depth::Every, rules).unwrap());
    }
    all
}

/// The options are needed, and the score notices when they are missing.
#[test]
fn a_source_that_is_trusted_too_much_is_found_out() {
    let trusted = Rules::default().max_ahead_ms(600_000);
    let lossy = wrongly("lossy", trusted);
    assert!(lossy.wrong_windows > 0, "{lossy:?}");
    assert!(lossy.wrong_certain > 0, "{lossy:?}");
    let late = wrongly("late", trusted);
    assert!(late.wrong_windows + late.wrong_certain > 0, "{late:?}");
    let debounced = wrongly("debounced", trusted);
    assert!(debounced.wrong_windows > 0, "{debounced:?}");
    let stamped_late = wrongly("stamped-late", trusted);
    assert!(stamped_late.missed > 0, "{stamped_late:?}");
    let skewed = wrongly("skewed-clocks", Rules::default());
    assert!(skewed.wrong() > 0, "{skewed:?}");
}

/// Differences that are taken as live events get the time of sending instead of the time of the change.
#[test]
fn differences_that_are_taken_for_live_events_are_found_out() {
    let live = Rules::default().resync_ms(0);
    let differences = wrongly("differences", live);
    assert!(differences.invented > 0, "{differences:?}");
    assert!(differences.missed > 0, "{differences:?}");
    assert!(differences.wrong_certain > 0, "{differences:?}");
    assert!(differences.wrong_gaps > 0, "{differences:?}");
}

/// The link may be lost before the presence service notices a change: such changes need slack.
#[test]
fn late_news_of_a_link_that_is_lost_needs_slack() {
    let lost = wrongly("presence-lost", Rules::default());
    assert!(lost.wrong_windows > 0, "{lost:?}");
    assert!(lost.wrong_certain > 0, "{lost:?}");
}

/// A store that recorded another world must fail against this truth.
#[test]
fn another_truth_is_found_out() {
    let mut all = Score::default();
    for seed in 1..11 {
        let told = mix("told");
        let (truth, other) = (SimRun::new(told, seed), SimRun::new(told, seed + 100));
        all.add(&score_another(&truth, &other, Depth::Every).unwrap());
    }
    assert!(all.invented > 0, "{all:?}");
    assert!(all.missed > 0, "{all:?}");
    assert!(all.wrong_certain > 0, "{all:?}");
}

/// Seeds that once showed rules to be unsound. The rules were corrected.
#[test]
fn seeds_that_were_wrong_once_hold() {
    // An update of an unknown member is a join, but no proof that the member joined then.
    let came_before: &[(&str, u64)] = &[("told", 3), ("positions", 3), ("connections", 3)];
    // Only incomplete snapshots had come: there was no proof, so no gap, but nothing was certain either.
    let never_whole: &[(&str, u64)] = &[("incomplete", 41), ("incomplete-silent", 15)];
    // Pages show the time of their begin. They may come after a gap, or be given up because of one.
    let pages: &[(&str, u64)] = &[("paged-silent", 1), ("paged-silent", 2), ("paged-lossy", 4)];
    // One observer was down without a report, while the other one was coming back.
    let two: &[(&str, u64)] = &[
        ("two-observers", 7),
        ("two-observers", 10),
        ("two-observers", 53),
        ("two-silent", 2),
        ("two-silent", 14),
        ("two-silent", 10_910),
    ];
    // Without any proof no presence is certain. An observer that does not watch yet does not see a join.
    let unproven: &[(&str, u64)] = &[
        ("incomplete", 12_933),
        ("incomplete-silent", 10_181),
        ("two-observers", 10_590),
    ];
    // One observer reported late what another's snapshot already implied. A stale leave still leaves a doubt.
    let passed_over: &[(&str, u64)] = &[
        ("two-silent", 10_227),
        ("two-silent", 10_463),
        ("two-silent", 13_448),
    ];
    // The first line of a channel creates an own list. A report newer than the observer's snapshot stays in it.
    let own_lists: &[(&str, u64)] = &[
        ("differences-quiet", 1),
        ("differences-quiet", 29),
        ("differences", 94),
        ("differences-two", 2),
        ("differences-two", 94),
        ("differences-synced", 31),
        ("differences-falling", 122),
        ("differences-synced", 3595),
        ("differences-two", 3595),
        ("differences-two", 4454),
    ];
    // A snapshot that ends a collecting also proves the times of the collected events, but only in its channel.
    let worked_in: &[(&str, u64)] = &[("differences-falling", 24), ("differences-quiet", 52)];
    let all = [
        came_before,
        never_whole,
        pages,
        two,
        unproven,
        passed_over,
        own_lists,
        worked_in,
    ];
    for &(name, seed) in all.concat().iter() {
        holds(mix(name), seed..seed + 1, Depth::Every);
    }
}
