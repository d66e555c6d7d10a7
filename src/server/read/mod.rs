//! Answers and entries out: queries, and those who follow.
//!
//! | file | what |
//! | --- | --- |
//! | `queries` | questions with one answer |
//! | `list` | answers that are lists: their formats, and how they are sent |
//! | `backup` | the whole store as one stream |
//! | `tailer`, `hub` | reads each new entry once, and keeps it for those who follow |
//! | `entry_stream` | the entries after a position, then new ones |
//! | `forward` | the common part of sockets on which only the server sends data |
//! | `subscribe` | entries for subscribers |
//! | `feed` | a channel as a listener of Agora's SDK sees it |
//! | `play` | recorded history, as a live feed |
//!
//! Nothing here records anything, and nobody who reads keeps the writer waiting.

pub(super) mod backup;
pub(super) mod entry_stream;
pub(super) mod feed;
pub(super) mod forward;
pub(super) mod hub;
pub(super) mod list;
pub(super) mod play;
pub(super) mod queries;
pub(super) mod subscribe;
pub(super) mod tailer;
