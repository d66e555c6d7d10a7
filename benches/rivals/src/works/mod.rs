//! What is timed. Each file has one work.

pub mod append;
pub mod ask;
pub mod import;
pub mod parse;
pub mod reconcile;
pub mod scale;

use crate::Outcome;

/// Prints the versions that only the program knows.
pub fn versions() -> Outcome<()> {
    println!("{}", serde_json::json!({"sqlite": rusqlite::version()}));
    Ok(())
}
