//! The lanes of a timeline: one for each member, in columns of equal time; and series of figures over time. Pure: what the queries answer goes in, and
//! cells come out. A terminal (`tables`) and a picture (`svg`) draw them.

pub mod axis;
pub mod lanes;
pub mod series;
pub mod span;
