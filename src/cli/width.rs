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

/// The columns that a text takes.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The widest word.
#[must_use]
pub fn widest_word(text: &str) -> usize {
    text.split(' ').map(columns).max().unwrap_or_default()
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
    let text = format!("{}{cut}{}", part(0, front), part(behind, clusters.len()));
    balanced(&text)
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
    if columns(text) <= most {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let word = cut(word, most, at);
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

/// A text in which each isolate that begins also ends.
fn balanced(text: &str) -> String {
    balance(vec![text.to_owned()]).concat()
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
