//! Lines on their way into the store: where they come from, what becomes of those that cannot be read, where to go on.
//! What a line says is `feed`'s business, what follows from it the domain's.

pub mod source;
