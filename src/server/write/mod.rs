//! Lines in: from a request or a socket to the store's writer, and the outcome back.
//!
//! | file | what |
//! | --- | --- |
//! | `ingest` | lines of a WebSocket, with acknowledgements |
//! | `events` | lines of a body, with one answer |
//! | `observers` | one connection for each observer, the newest |
//!
//! What a line means is not decided here: [`feed`](crate::feed) reads it, and the [store](crate::store) decides.
//! Rejects that the owner has taken in again are not here either: `owner`, above, has them.

pub(super) mod events;
pub(super) mod ingest;
pub(super) mod observers;
