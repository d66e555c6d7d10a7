//! Rows of the reliability table in SECURITY.md. Each row is printed as one line of the same form. The table is made
//! by searching the output of a long run for `reliability:`.

/// Prints what was tried, how often, and with what results.
pub fn row(what: &str, tried: u64, found: &[(&str, u64)]) {
    let found: Vec<String> = found
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    println!("reliability: {what} | {tried} | {}", found.join(", "));
}
