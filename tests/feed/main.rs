//! From bytes to events: shapes, refusals, sources, and the laws that hold for every line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod again;
mod agora;
mod forms;
mod laws;
mod links;
mod own;
mod parsed;
mod presence;
mod source;
mod values;
