//! The questions, one a file, and their answers. A question folds a scan of the log with `apply`.

pub mod answer;
