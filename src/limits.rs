//! Every limit of Rollbook, in one place. Nothing else belongs here.
//!
//! A limit that a person can meet is named in the error that it causes. Sizes are bytes unless the name says otherwise.

/// Longest line that is read; a longer one is rejected (contract 2.8).
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// Longest channel, topic, user, connection, observer or sync name.
pub const NAME_BYTES_MAX: usize = 1024;
/// Longest `id` of a line.
pub const ID_BYTES_MAX: usize = 128;
/// Longest `reason`.
pub const REASON_BYTES_MAX: usize = 4096;
/// Longest metadata of a member, in its canonical form.
pub const META_BYTES_MAX: usize = 256 << 10;
/// Latest that a source may say it has noticed something after it happened, ms: a year.
pub const LATE_MS_MAX: i64 = 366 * 86_400_000;
/// A source of which every time lies before this one (1973, Unix ms) may have counted seconds.
pub const SECONDS_SUSPECTED_MS: i64 = 94_694_400_000;
/// Deepest nesting of JSON in a line.
pub const JSON_DEPTH_MAX: usize = 128;
/// Earliest source time that can be printed as RFC 3339: 0001-01-01, Unix ms.
pub const TIME_MS_MIN: i64 = -62_135_596_800_000;
/// Latest source time that can be printed as RFC 3339: 9999-12-31, Unix ms.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// Tombstones kept for one channel.
pub const TOMBSTONES_PER_CHANNEL_MAX: usize = 65_536;
/// Tombstones kept in all.
pub const TOMBSTONES_MAX: usize = 1_000_000;
/// Observers of one channel.
pub const OBSERVERS_PER_CHANNEL_MAX: usize = 1_024;
/// Members and topics held by the unfinished paged snapshots of one channel.
pub const OPEN_PAGE_MEMBERS_MAX: usize = 4_000_000;
/// Ended stretches of watching that a channel remembers; dropping the oldest only widens windows.
pub const ENDED_STRETCHES_MAX: usize = 64;
/// Topics of one channel for which an incomplete snapshot's cover is remembered.
pub const TOPIC_COVERS_MAX: usize = 65_536;

/// Retry ids remembered in all (contract 2.5.8).
pub const RETRY_IDS_MAX: usize = 1_000_000;
/// Retry ids kept for each observer heard lately, however many the others send.
pub const RETRY_IDS_PER_OBSERVER_MIN: usize = 10_000;
/// Observers whose ids are so protected.
pub const RETRY_OBSERVERS_MAX: usize = 64;

/// Names and members that are kept in memory though nobody present, no tombstone and no observer needs them; or half as
/// many as are needed, if that is more.
pub const SPARE_NAMES_MIN: usize = 65_536;

/// Stretches of one series of `stats --every`.
pub const STATS_BUCKETS_MAX: usize = 100_000;

/// Bytes of a rejected line that are kept.
pub const REJECT_TEXT_BYTES_MAX: usize = 64 << 10;
/// Bytes of rejected lines kept in all; beyond it lengths and checksums are.
pub const REJECTS_BYTES_MAX: u64 = 256 << 20;
/// Rejects kept of one source while the store is open; beyond it they are only counted. A file or body with more of
/// them is not read on.
pub const REJECTS_PER_SOURCE_MAX: u64 = 100_000;
/// Bytes of rejected lines kept of one source while the store is open.
pub const REJECTS_PER_SOURCE_BYTES_MAX: u64 = 64 << 20;
/// Rejects kept in all; beyond it they are only counted.
pub const REJECTS_MAX: u64 = 1_000_000;
/// Sources whose rejects are counted one by one.
pub const REJECT_SOURCES_MAX: usize = 10_000;
/// Rejects that are only counted stand for so many, at least, in one record.
pub const REJECTS_MERGED_MIN: u64 = 1_024;
/// What a packed text may be larger than its packed form, times, beyond [`UNPACKED_BYTES_FREE`].
pub const UNPACKED_RATIO_MAX: u64 = 200;
/// Bytes that may come out of a packed text, however small that is.
pub const UNPACKED_BYTES_FREE: u64 = 64 << 20;
/// Bytes that may come out of a packed body.
pub const UNPACKED_BODY_BYTES_MAX: u64 = 1 << 30;
/// Rejects named on standard error in one run; after them only a count.
pub const REJECTS_SHOWN_MAX: usize = 10;
/// Clamped entries named on standard error in one run.
pub const CLAMPED_SHOWN_MAX: usize = 10;
/// Entries that cannot be told, and are named in one run.
pub const UNTOLD_SHOWN_MAX: usize = 10;
/// Retries that differ from what was recorded, and are named in one run.
pub const DIFFERING_SHOWN_MAX: usize = 10;
/// How far an effective time may lie behind its `occurred_at` before the entry is named as clamped.
pub const CLAMPED_MS: i64 = 60_000;

/// Lines that `ingest --reorder` holds at most; beyond them the earliest goes on, whatever may still come.
pub const REORDER_LINES_MAX: usize = 100_000;
/// Bytes of them.
pub const REORDER_BYTES_MAX: usize = 64 << 20;

/// How far the clock may be ahead of the last entry's recording before who records is warned.
pub const CLOCK_AHEAD_MS: i64 = 366 * 86_400_000;
/// And how far behind it.
pub const CLOCK_BEHIND_MS: i64 = 86_400_000;

/// Largest store that is copied to be read where it cannot be written.
pub const READ_COPY_BYTES_MAX: u64 = 16 << 30;
/// Largest one that is copied into memory where no disk has room.
pub const READ_COPY_MEMORY_BYTES_MAX: u64 = 512 << 20;
/// How often a copy is made of a store whose files change meanwhile.
pub const READ_COPIES_MAX: u32 = 3;

/// Batches that may wait for the writer.
pub const WRITER_QUEUE_MAX: usize = 8_192;
/// Bytes of lines that may be on their way through the writer, of all who hand over; a larger batch goes alone.
pub const WRITER_BYTES_MAX: u64 = 64 << 20;
/// Most entries in one frame, unless a single commit has more, or the lines of a file up to its next progress.
pub const FRAME_ENTRIES_MAX: usize = 4_096;
/// Largest value given to the engine. Sixteen of them must fit into a quarter of a segment (FORMAT.md).
pub const VALUE_BYTES_MAX: usize = 96 << 10;
/// Largest frame, parts and compression undone. A frame holds at least one whole commit: a snapshot of millions of
/// members is one.
pub const FRAME_BYTES_MAX: usize = 1 << 30;
/// Files whose position is remembered for `--resume`, and as many feeds.
pub const SOURCES_MAX: usize = 10_000;

/// Connections to the server at a time, sockets among them; who comes then waits.
pub const CONNECTIONS_MAX: usize = 20_000;
/// Percent of a kind of places that one client has at most, rounded up: of connections, sockets, bodies, queries, slow
/// readers and plays. A client is a token's subject, or the token; without tokens it is an address (of IPv6, a /64).
pub const CLIENT_SHARE_PERCENT: usize = 75;
/// Sockets and streams at a time; the rest of the connections is for who asks or sends a body.
pub const SOCKETS_MAX: usize = 15_000;
/// Connections beyond an address's share that are told so at a time; more are closed without a word.
pub const TURNED_AWAY_AT_ONCE_MAX: usize = 64;
/// Bytes of an answer that the system holds for a connection and that are not on their way yet.
pub const UNSENT_BYTES_MAX: u32 = 64 << 10;
/// The head of a request.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 << 10;
/// How long a request's head, or the handshake of TLS, may take to arrive.
pub const REQUEST_HEAD_MS_MAX: u64 = 10_000;
/// How long the server waits for the next piece of a request's body, for a query's first line, and for a reader to take
/// more of an answer. A connection on which a client takes nothing for twice as long is broken off.
pub const REQUEST_MS_MAX: u64 = 30_000;
/// How long the server waits for a client in all, over a whole body or answer.
pub const WHOLE_MS_MAX: u64 = 600_000;
/// Bytes a second that a client sends of a body, or takes of an answer, at least, beyond [`REQUEST_MS_MAX`].
pub const RATE_BYTES_MIN: u64 = 1 << 10;
/// How long the server waits for the next of them while others wait for the place.
pub const CROWDED_MS_MAX: u64 = 1_000;
/// Bytes of a body that have come before it gets a place among those that are taken in, unless it is shorter.
pub const BODY_START_BYTES: usize = 64 << 10;
/// Bodies whose start is read at a time.
pub const BODY_STARTS_MAX: usize = 1_024;
/// Answers that wait for their readers at a time, beside the queries that run.
pub const SLOW_READERS_MAX: usize = 64;
/// Bytes read off the log for subscribers, in all, that are kept while they take what was read before. Beyond it they are
/// dropped, and read again when they are wanted.
pub const READ_AHEAD_BYTES_MAX: usize = 32 << 20;
/// They are counted in pieces of so many bytes.
pub const READ_AHEAD_PIECE_BYTES: usize = 64 << 10;
/// Batches of ingest sockets that are handed to the writer at a time; who comes then waits.
pub const HANDED_OVER_AT_ONCE_MAX: usize = 64;
/// The body of `POST /v1/events`, as it comes over the wire.
pub const BODY_BYTES_MAX: usize = 256 << 20;
/// Bodies that are taken in at a time; who comes then waits.
pub const BODIES_AT_ONCE_MAX: usize = 16;
/// Queries that run at a time; who comes then waits.
pub const QUERIES_AT_ONCE_MAX: usize = 16;
/// Clients to whom recorded history is played at a time, each from a thread of its own; who comes then is told so.
pub const PLAYS_AT_ONCE_MAX: usize = 64;
/// A message of an ingest socket, or of a feed that is recorded. Above [`LINE_BYTES_MAX`], so that a line that is too long is rejected by itself.
pub const MESSAGE_BYTES_MAX: usize = 20 << 20;
/// A message of any other socket, where there is little to say.
pub const CONTROL_BYTES_MAX: usize = 64 << 10;
/// Lines of one ingest socket that may wait for their acknowledgement; no more are read then.
pub const UNACKED_LINES_MAX: u64 = 65_536;
/// Bytes of them.
pub const UNACKED_BYTES_MAX: usize = 32 << 20;
/// Entries by which a subscriber may lag behind its channel.
pub const LAG_ENTRIES_MAX: usize = 4_096;
/// Entries kept for subscribers in all.
pub const LIVE_ENTRIES_MAX: usize = 65_536;
/// Bytes of them.
pub const LIVE_BYTES_MAX: usize = 64 << 20;
/// Bytes that a subscriber is given at a time.
pub const CATCH_UP_BYTES: usize = 64 << 10;
/// How long before a token expires its socket is told; of one that is shorter, at half of what is left.
pub const TOKEN_WARNING_MS: i64 = 30_000;
/// A silent socket is asked so often whether it is still there.
pub const PING_MS: u64 = 30_000;
/// And is given up after so long.
pub const SILENCE_MS_MAX: u64 = 90_000;
/// Answers that only the owner gets, at a time.
pub const OWNER_ANSWERS_MAX: usize = 16;
/// How often such an answer says that it goes on, where it has nothing else to say.
pub const STILL_READING_MS: u64 = 5_000;
/// How long a server that stops waits for what is in hand.
pub const STOP_MS_MAX: u64 = 8_000;

/// How often the store's files are measured, at most, for who asks how large they are.
pub const MEASURE_MS: u64 = 10_000;

/// Slowest replay that is not paused, in times of how fast it was.
pub const SPEED_MIN: f64 = 0.001;
/// Fastest one that is paced.
pub const SPEED_MAX: f64 = 1_000_000.0;

/// Longest wait for a connection and its handshake, ms.
pub const CONNECT_MS_MAX: u64 = 10_000;
/// Longest wait for the other side's close frame, ms.
pub const CLOSE_MS_MAX: u64 = 1_000;
/// Longest rest before the first new login, ms; each login that comes to nothing doubles it.
pub const REST_BASE_MS: i64 = 250;
/// Longest rest before a login unless it is told otherwise, ms.
pub const REST_MS_MAX: i64 = 30_000;
/// A session that held so long was worth its login, ms.
pub const LOGIN_SETTLED_MS: i64 = 10_000;
/// How often a new token is looked for where the old one will expire, ms.
pub const TOKEN_POLL_MS: i64 = 1_000;
/// Longest wait for a source's answer to a new token on the connection that there is, ms; then a new client is made.
pub const RENEWAL_MS_MAX: i64 = 5_000;
/// Longest access token.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Longest run of a command that prints a token, ms.
pub const TOKEN_COMMAND_MS_MAX: u64 = 30_000;
/// Bytes of recorded lines that may wait for the store, or for a server's acknowledgement.
pub const RECORD_AHEAD_BYTES_MAX: usize = 64 << 20;
/// Longest wait for a server's answer, and for each further piece of it, ms; longer than a server itself needs to give up.
pub const ANSWER_MS_MAX: u64 = 45_000;
/// Longest rest before a server whose entries are followed is asked again, ms.
pub const FOLLOW_REST_MS_MAX: i64 = 5_000;
/// Longest single answer that is read.
pub const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Lines of a body that could not be taken and are named in its answer; all are in `rejects`.
pub const REFUSALS_NAMED_MAX: usize = 1_000;
/// Lines that may be on their way to a server's `/v1/ingest`, sent and not acknowledged.
pub const UPLINK_LINES_MAX: usize = 16_384;

/// Differences of an open gap that `missed` names, of those that a source has sent so far.
pub const MISSED_COLLECTED_SHOWN_MAX: usize = 10;
