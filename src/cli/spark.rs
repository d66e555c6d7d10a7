//! Small charts of characters: a column for each value.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A column for each value, the highest for `most`. Zero is blank; what is not zero is never blank.
#[must_use]
pub fn spark(values: impl IntoIterator<Item = u64>, most: u64) -> String {
    let column = |value: u64| {
        let steps = LEVELS.len() as u64;
        let level = value.min(most).saturating_mul(steps).div_ceil(most.max(1));
        let level = usize::try_from(level)
            .ok()
            .and_then(|level| level.checked_sub(1));
        level
            .and_then(|level| LEVELS.get(level))
            .copied()
            .unwrap_or(' ')
    };
    values.into_iter().map(column).collect()
}
