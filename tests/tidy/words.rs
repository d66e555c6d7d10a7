//! Words that may not stand in `src`: private names that were replaced by standard terms, and words that make a
//! sentence hard to read.

use super::{files, files_of};

/// The words, in any case.
const BANNED: [&str; 15] = [
    "cemetery",
    "departures",
    "desk",
    "gist",
    "growing",
    "pour",
    "pump",
    "ration",
    "scribe",
    "shelf",
    "so-maniest",
    "told",
    "uplink",
    "whoever",
    "whosoever",
];

/// Where a word may still stand: as a name that users see, or because it is not corrected yet. None may be added; one
/// that is no longer needed must be removed.
const SPARED: [(&str, &str); 5] = [
    // A tree in every store on disk.
    ("shelf", "src/log/FORMAT.md"),
    ("shelf", "src/log/engine/sled.rs"),
    // A mix of the simulator.
    ("told", "src/cli/commands/simulate.rs"),
    ("told", "src/guide/evidence.md"),
    ("told", "src/sim/"),
];

/// Whether a line contains a word as a whole word.
fn has(line: &str, word: &str) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(part) && !behind.starts_with(part)
    })
}

#[test]
fn banned_words_stand_nowhere_in_src() {
    let mut all = files("src");
    all.extend(files_of("src", "md"));
    let mut needed = Vec::new();
    let mut complaints = Vec::new();
    for (name, text) in &all {
        for (number, line) in (1..).zip(text.to_lowercase().lines()) {
            for word in BANNED.into_iter().filter(|word| has(line, word)) {
                let spared = |(of, place): &&(&str, &str)| *of == word && name.starts_with(place);
                match SPARED.iter().find(spared) {
                    Some(spared) => needed.push(spared),
                    None => complaints.push(format!("{name}:{number}: {word}")),
                }
            }
        }
    }
    let idle = SPARED.iter().filter(|spared| !needed.contains(spared));
    complaints.extend(idle.map(|(word, place)| format!("{word} need not be spared in {place}")));
    super::assert_none(complaints);
}
