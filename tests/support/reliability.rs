//! Rows of the reliability table in SECURITY.md, each printed as one line of one form: a long run's output is searched
//! for `reliability:`, and the table is made of what is found.

/// Prints what was tried, how often, and what came of it.
pub fn row(what: &str, tried: u64, found: &[(&str, u64)]) {
    let found: Vec<String> = found
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    println!("reliability: {what} | {tried} | {}", found.join(", "));
}
