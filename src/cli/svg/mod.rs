//! Pictures for reports: SVG files that need nothing else, in the colours that the reader's system prefers. `paper` has what
//! all of them share. Nothing is asked here, and nothing is decided about cells or figures.

mod lanes;
mod paper;
mod peaks;

pub use lanes::lanes;
pub use peaks::peaks;
