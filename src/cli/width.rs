//! How wide text is on a terminal: measured, cut and wrapped by what people see as one character. No layout of tables.

use super::text::{ISOLATE, ISOLATE_END};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Stands for what was cut off.
const CUT: &str = "…";

/// Where a word that is too wide is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordCut {
    /// In the middle: names often differ at their ends.
    Middle,
    /// At the end.
    End,
}

/// A space at which no line ends. No name can have it: it is a control character.
const GLUE: char = '\u{1f}';

/// A text in which no line ends.
#[must_use]
pub fn glued(text: &str) -> String {
    text.replace(' ', &GLUE.to_string())
}

/// The words of a text: lines end between them. What stands behind a dot, as the connection of a member, stays with it.
fn words(text: &str) -> Vec<String> {
    let text = text.trim_end().replace(" · ", &format!(" ·{GLUE}"));
    text.split(' ').map(str::to_owned).collect()
}

/// The columns that a text takes.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The widest word.
#[must_use]
pub fn widest_word(text: &str) -> usize {
    let words = words(text).into_iter();
    words.map(|word| columns(&word)).max().unwrap_or_default()
}

/// The text in at most `most` columns.
#[must_use]
pub fn cut(text: &str, most: usize, at: WordCut) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(columns(CUT));
    let tail = match at {
        WordCut::Middle if room >= 6 => room / 3,
        _ => 0,
    };
    let clusters: Vec<&str> = text.graphemes(true).collect();
    let front = fitting(clusters.iter().copied(), room - tail);
    let behind = clusters.len() - fitting(clusters.iter().rev().copied(), tail);
    let part = |from: usize, to: usize| clusters.get(from..to).unwrap_or_default().concat();
    let cut = if most == 0 { "" } else { CUT };
    // What begins and ends isolates stays, wherever it stood.
    let marks = part(front, behind).replace(|c| c != ISOLATE && c != ISOLATE_END, "");
    format!(
        "{}{cut}{marks}{}",
        part(0, front),
        part(behind, clusters.len())
    )
}

/// How many of the characters fit.
fn fitting<'a>(clusters: impl Iterator<Item = &'a str>, room: usize) -> usize {
    let mut width = 0;
    clusters
        .take_while(|cluster| {
            width += columns(cluster);
            width <= room
        })
        .count()
}

/// The text in lines of at most `most` columns. Lines end between words; a word that is wider is cut.
#[must_use]
pub fn wrap(text: &str, most: usize, at: WordCut) -> Vec<String> {
    let text = text.trim_end();
    if columns(text) <= most {
        return vec![text.replace(GLUE, " ")];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words(text) {
        let word = cut(&word, most, at).replace(GLUE, " ");
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(&word) <= most => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    balance(lines)
}

/// Ends each isolate in the line in which it begins, and begins it again in the next.
fn balance(lines: Vec<String>) -> Vec<String> {
    let mut open = 0_usize;
    let one = |mut line: String| {
        let begun = open;
        for c in line.chars() {
            match c {
                ISOLATE => open += 1,
                ISOLATE_END => open = open.saturating_sub(1),
                _ => {}
            }
        }
        for _ in 0..begun {
            line.insert(0, ISOLATE);
        }
        for _ in 0..open {
            line.push(ISOLATE_END);
        }
        line
    };
    lines.into_iter().map(one).collect()
}
