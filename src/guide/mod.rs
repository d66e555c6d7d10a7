//! The guide, page by page. Each page is a Markdown file beside this one, so that it reads the same in the repository
//! and in the documentation of the crate.
//!
//! | page | what it answers |
//! | --- | --- |
//! | [`semantics`] | What does each input mean, and what follows from it? |
//! | [`files`] | Which files can be read, and what becomes of a bad line? |
//! | [`recipes`] | How do DuckDB, Polars and pandas answer questions from an export? |
//! | [`server`] | What does `rollbook serve` offer, and what are its limits? |
//! | [`operating`] | How is a server kept running: settings, log, metrics, backups? |
//! | [`architecture`] | How is the program built, and where is it changed? |
//! | [`evidence`] | What was tried, what was measured, and what was decided where the sources say nothing? |

#[doc = include_str!("semantics.md")]
pub mod semantics {}

#[doc = include_str!("files.md")]
pub mod files {}

#[doc = include_str!("recipes.md")]
pub mod recipes {}

#[doc = include_str!("server.md")]
pub mod server {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("evidence.md")]
pub mod evidence {}
