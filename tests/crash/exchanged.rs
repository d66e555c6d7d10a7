//! Whole files of a store that are missing, empty, old copies, or from another store, in every combination. The
//! damage is reported, or has no effect. Exception: an old or foreign log together with its own card is a sound
//! store.

use crate::damaged::{answers, closed, files, is_named};
use crate::ingest::line;
use rollbook_support::program::{Dice, copy, rounds};
use rollbook_support::reliability::row;
use std::fs;
use std::path::Path;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Gone,
    Empty,
    /// An earlier copy.
    Old,
    /// From another store.
    Foreign,
}

const FATES: [Fate; 5] = [
    Fate::Kept,
    Fate::Gone,
    Fate::Empty,
    Fate::Old,
    Fate::Foreign,
];
/// The engine's snapshot has another name each time.
const FILES: [&str; 6] = [
    "log/db",
    "store.json",
    "log/synced",
    "log/synced.copy",
    "log/snap.",
    "log/conf",
];

/// Makes a copy of the store in which each file has its fate.
fn exchange(places: [&Path; 3], copied: &Path, fates: [Fate; 6]) {
    let [kept, old, foreign] = places;
    if copied.exists() {
        fs::remove_dir_all(copied).unwrap();
    }
    fs::create_dir_all(copied.join("log")).unwrap();
    for (file, fate) in FILES.iter().zip(fates) {
        let from = match fate {
            Fate::Kept | Fate::Empty => kept,
            Fate::Old => old,
            Fate::Foreign => foreign,
            Fate::Gone => continue,
        };
        let is_it = |name: &&String| match file.strip_suffix('.') {
            Some(_) => name.starts_with(file),
            None => *name == file,
        };
        for name in files(from).iter().filter(is_it) {
            if fate == Fate::Empty {
                fs::write(copied.join(name), "").unwrap();
            } else {
                fs::copy(from.join(name), copied.join(name)).unwrap();
            }
        }
    }
}

/// All combinations of one and two changed files, and some with more.
fn combinations(dice: &mut Dice) -> Vec<[Fate; 6]> {
    let fates = |n: usize| {
        let fate = |at: u32| FATES[n / 5_usize.pow(at) % 5];
        [fate(0), fate(1), fate(2), fate(3), fate(4), fate(5)]
    };
    // The settings are equal in all stores.
    let differs = |fates: &[Fate; 6]| !matches!(fates[5], Fate::Old | Fate::Foreign);
    let all = (1..5_usize.pow(6)).map(fates).filter(differs);
    let (mut few, mut many): (Vec<_>, Vec<_>) = all.partition(|fates| changed(fates) < 3);
    for (some, most) in [
        (&mut few, rounds(30, usize::MAX)),
        (&mut many, rounds(30, 2_500)),
    ] {
        while some.len() > most {
            some.swap_remove(dice.below(some.len() as u64) as usize);
        }
    }
    few.append(&mut many);
    few
}

/// The number of changed files.
fn changed(fates: &[Fate; 6]) -> usize {
    fates.iter().filter(|fate| **fate != Fate::Kept).count()
}

#[test]
fn files_in_every_combination_are_named_or_have_no_effect() {
    let (folder, other) = (closed(0), closed(100));
    let [store, old, copied] = ["store", "old", "damaged"].map(|name| folder.path(name));
    let foreign = other.path("store");
    copy(&store, &old);
    let more: String = (1..300).map(|n| line(50, n, 100)).collect();
    folder.ingest(more, &[]);
    folder.verified();
    let places = [store.as_path(), old.as_path(), foreign.as_path()];
    let known = [[Fate::Kept; 6], [Fate::Old; 6], [Fate::Foreign; 6]].map(|fates| {
        exchange(places, &copied, fates);
        answers(&copied)
    });
    // By the number of changed files.
    let (mut tried, mut named, mut same) = ([0; 7], [0; 7], [0; 7]);
    let (mut as_it_was, mut another) = (0, 0);
    let mut dice = Dice::new(23);
    for fates in combinations(&mut dice) {
        exchange(places, &copied, fates);
        let what = format!("store.json and others: {FILES:?} {fates:?}");
        let changed = changed(&fates);
        tried[changed] += 1;
        if is_named(&copied, &what) {
            named[changed] += 1;
            continue;
        }
        let found = answers(&copied);
        let [log, card, mark, other_mark, ..] = fates;
        let unmarked = mark != Fate::Kept && other_mark != Fate::Kept;
        if found == known[0] {
            same[changed] += 1;
        } else if found == known[1] && [log, card] == [Fate::Old; 2] && unmarked {
            as_it_was += 1;
        } else if found == known[2] && [log, card] == [Fate::Foreign; 2] {
            another += 1;
        } else {
            panic!("{what}: it answers otherwise, and does not say why");
        }
    }
    for files in 1..=6 {
        row(
            &format!("{files} of 6 files gone, empty, old or foreign"),
            tried[files],
            &[
                ("named", named[files]),
                ("same answers", same[files]),
                (
                    "a whole other copy",
                    tried[files] - named[files] - same[files],
                ),
                ("silent", 0),
            ],
        );
    }
    println!("whole other copies: {as_it_was} old ones, {another} of another store");
}
