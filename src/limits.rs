//! Every limit of Rollbook, in one place. Nothing else belongs here.
//!
//! A limit that a user can meet is named in the error that it causes. Sizes are bytes unless the name says otherwise.

/// Longest line that is read; a longer one is rejected ([guide](crate::guide::files#rejects)).
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// Longest channel, topic, user, connection, observer or sync name.
pub const NAME_BYTES_MAX: usize = 1024;
/// Longest `id` of a line.
pub const ID_BYTES_MAX: usize = 128;
/// Longest `reason`.
pub const REASON_BYTES_MAX: usize = 4096;
/// Longest metadata of a member, in its canonical form.
pub const META_BYTES_MAX: usize = 256 << 10;
/// Largest delay after a change that a source may report, ms: a year.
pub const LATE_MS_MAX: i64 = 366 * 86_400_000;
/// A source whose times all lie before this one (1973, Unix ms) may have counted seconds.
pub const SECONDS_SUSPECTED_MS: i64 = 94_694_400_000;
/// Deepest nesting of JSON in a line.
pub const JSON_DEPTH_MAX: usize = 128;
/// Earliest source time that can be printed as RFC 3339: 0001-01-01, Unix ms.
pub const TIME_MS_MIN: i64 = -62_135_596_800_000;
/// Latest source time that can be printed as RFC 3339: 9999-12-31, Unix ms.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// Tombstones kept for one channel, of those with a stamp and of those without one each.
pub const TOMBSTONES_PER_CHANNEL_MAX: usize = 65_536;
/// Tombstones kept in all, of each of these two kinds.
pub const TOMBSTONES_MAX: usize = 1_000_000;
/// Observers of one channel.
pub const OBSERVERS_PER_CHANNEL_MAX: usize = 1_024;
/// Members and topics held by the unfinished paged snapshots of one channel.
pub const OPEN_PAGE_MEMBERS_MAX: usize = 4_000_000;
/// Ended intervals that a channel keeps; dropping the oldest only widens windows.
pub const ENDED_STRETCHES_MAX: usize = 64;
/// Members of one channel of which an observer's last own report is remembered, where several observers report; or as many
/// as are present, if that is more. A snapshot that more of them have overtaken leaves its observer's list unsure.
pub const OWN_REPORTS_MIN: usize = 1_024;
/// Topics of one channel for which the cover of an incomplete snapshot is kept.
pub const TOPIC_COVERS_MAX: usize = 65_536;

/// Retry ids kept in all ([guide](crate::guide::semantics#retries)).
pub const RETRY_IDS_MAX: usize = 1_000_000;
/// Retry ids kept for each recently active observer, however many the others send.
pub const RETRY_IDS_PER_OBSERVER_MIN: usize = 10_000;
/// Observers whose ids are protected in this way.
pub const RETRY_OBSERVERS_MAX: usize = 64;
/// How long a retry id outlives its entry, at least, if that is pruned: counted from its recording.
pub const RETRY_IDS_PRUNED_MS: i64 = 7 * 86_400_000;

/// Names and members that are kept in memory though no present member, tombstone or observer needs them; or half as
/// many as are needed, if that is more.
pub const SPARE_NAMES_MIN: usize = 65_536;

/// Rows of a row group of an exported Parquet file: so many are in memory.
pub const PARQUET_ROWS: usize = 131_072;
/// Bytes of their texts, at which a row group ends earlier.
pub const PARQUET_BYTES_MAX: usize = 32 << 20;

/// Buckets of one series of `stats --every`.
pub const STATS_BUCKETS_MAX: usize = 100_000;
/// Lines of one answer about people: a line for each user in each interval.
pub const PEOPLE_LINES_MAX: usize = 1_000_000;
/// Appointments of one question about attendance.
pub const APPOINTMENTS_MAX: usize = 1_000;

/// Bytes of a rejected line that are kept.
pub const REJECT_TEXT_BYTES_MAX: usize = 64 << 10;
/// Bytes of rejected lines kept in all; beyond it, only lengths and checksums are kept.
pub const REJECTS_BYTES_MAX: u64 = 256 << 20;
/// Rejects kept of one source while the store is open; beyond it, they are only counted. A file or body with more
/// rejects is not read further.
pub const REJECTS_PER_SOURCE_MAX: u64 = 100_000;
/// Bytes of rejected lines kept of one source while the store is open.
pub const REJECTS_PER_SOURCE_BYTES_MAX: u64 = 64 << 20;
/// Rejects kept in all; beyond it, they are only counted.
pub const REJECTS_MAX: u64 = 1_000_000;
/// Sources whose rejects are counted separately.
pub const REJECT_SOURCES_MAX: usize = 10_000;
/// Rejects that are only counted are merged: one record stands for at least this many.
pub const REJECTS_MERGED_MIN: u64 = 1_024;
/// How many times larger than its packed form an unpacked text may be, beyond [`UNPACKED_BYTES_FREE`].
pub const UNPACKED_RATIO_MAX: u64 = 200;
/// Bytes that may come out of a packed text, however small it is.
pub const UNPACKED_BYTES_FREE: u64 = 64 << 20;
/// Bytes that may come out of a packed body.
pub const UNPACKED_BODY_BYTES_MAX: u64 = 1 << 30;
/// Rejects listed on standard error in one run; further ones are only counted.
pub const REJECTS_SHOWN_MAX: usize = 10;
/// Clamped entries listed on standard error in one run.
pub const CLAMPED_SHOWN_MAX: usize = 10;
/// Entries that cannot be replayed, listed in one run.
pub const UNTOLD_SHOWN_MAX: usize = 10;
/// Retries that differ from what was recorded, listed in one run.
pub const DIFFERING_SHOWN_MAX: usize = 10;
/// How far an effective time may lie after its `occurred_at` before the entry is reported as clamped.
pub const CLAMPED_MS: i64 = 60_000;

/// Lines that `ingest --reorder` holds at most; beyond it, the earliest line is released, whatever may still come.
pub const REORDER_LINES_MAX: usize = 100_000;
/// Bytes of these lines.
pub const REORDER_BYTES_MAX: usize = 64 << 20;

/// How far the clock may be ahead of the last entry's recording before a writer gets a warning.
pub const CLOCK_AHEAD_MS: i64 = 366 * 86_400_000;
/// How far the clock may be behind it.
pub const CLOCK_BEHIND_MS: i64 = 86_400_000;

/// Largest store that is copied for reading where it cannot be written.
pub const READ_COPY_BYTES_MAX: u64 = 16 << 30;
/// Largest store that is copied into memory where no disk has room.
pub const READ_COPY_MEMORY_BYTES_MAX: u64 = 512 << 20;
/// How many times a store is copied if its files change meanwhile.
pub const READ_COPIES_MAX: u32 = 3;

/// Batches that may wait for the writer.
pub const WRITER_QUEUE_MAX: usize = 8_192;
/// Bytes of lines that may be in the writer at a time, from all senders; a larger batch is sent alone.
pub const WRITER_BYTES_MAX: u64 = 64 << 20;
/// Most entries in one frame. A single commit, or the lines of a file up to its next progress, may have more.
pub const FRAME_ENTRIES_MAX: usize = 4_096;
/// Largest value in the engine of any store: as earlier versions wrote them.
pub const VALUE_BYTES_MAX: usize = 96 << 10;
/// Largest value that is written. Twenty of them must fit into a quarter of a segment (FORMAT.md).
pub const VALUE_BYTES_WRITTEN: usize = 24 << 10;
/// Largest frame, after its parts are joined and decompressed. A frame holds at least one whole commit: a snapshot of
/// millions of members is one commit.
pub const FRAME_BYTES_MAX: usize = 1 << 30;
/// Entries of a sealed block, about: a block ends at a frame, and where it can, at a checkpoint.
pub const BLOCK_ENTRIES: u64 = 65_536;
/// Bytes of a block before compression, at which it ends earlier.
pub const BLOCK_BYTES_MAX: usize = 16 << 20;
/// Bytes before compression from which on what is read of a block is decoded by a second thread, ahead of the reader. In a debug
/// build they are so few that tests read blocks in both ways.
pub const AHEAD_BYTES_MIN: u64 = if cfg!(debug_assertions) {
    1 << 10
} else {
    256 << 10
};
/// Entries that are decoded, and handed over by this thread, at a time; or those of one commit, if they are more.
pub const PIECE_ENTRIES: usize = if cfg!(debug_assertions) { 4 } else { 512 };
/// Bytes of all blocks from which on a second thread reads what they mean for rosters, ahead of the reader.
pub const ROSTERS_AHEAD_BYTES_MIN: u64 = if cfg!(debug_assertions) {
    1 << 10
} else {
    256 << 10
};
/// What so many entries mean for rosters is read at a time.
pub const ROSTER_PIECE_ENTRIES: usize = if cfg!(debug_assertions) { 4 } else { 4_096 };
/// How often it hands over before the reader takes any. With what each of both is at, the entries of a reader need 1 MiB, and
/// at most four times as much; a commit of more entries as much as they are, so many times.
pub const AHEAD_PIECES_MAX: usize = 3;
/// Entries that may be unsealed while lines wait for the writer. Beyond it, sealing takes its share of the processor.
pub const UNSEALED_ENTRIES_MAX: u64 = 1 << 20;
/// How often a server looks for entries that its retention lets go.
pub const PRUNE_EVERY_MS: u64 = 3_600_000;
/// Entries that go at a time, about, while lines may wait for the writer.
pub const PRUNED_AT_ONCE: u64 = 262_144;
/// With fewer entries than this and no whole block, a server waits a day: the base is written anew each time.
pub const PRUNED_MIN: u64 = 4_096;
/// Files whose position is remembered for `--resume`; and the same number of feeds.
pub const SOURCES_MAX: usize = 10_000;

/// Connections to the server at a time, sockets included; further clients wait.
pub const CONNECTIONS_MAX: usize = 20_000;
/// Percent of the permits of one kind that one client has at most, rounded up: of connections,
/// sockets, bodies, queries, slow readers and plays. A client is a token's subject, or the token;
/// without tokens it is an address (of IPv6, a /64).
pub const CLIENT_SHARE_PERCENT: usize = 75;
/// Sockets and streams at a time; the other connections are left for queries and bodies.
pub const SOCKETS_MAX: usize = 15_000;
/// Connections beyond an address's share that get an answer about it at a time; more are closed without an answer.
pub const TURNED_AWAY_AT_ONCE_MAX: usize = 64;
/// Bytes of an answer that the system holds for a connection and has not yet sent.
pub const UNSENT_BYTES_MAX: u32 = 64 << 10;
/// Largest head of a request.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 << 10;
/// How long a request's head, or the TLS handshake, may take to arrive.
pub const REQUEST_HEAD_MS_MAX: u64 = 10_000;
/// How long the server waits for the next piece of a request's body, for a query's first line, and for a reader to
/// take more of an answer. A connection on which a client takes nothing for twice this time is closed.
pub const REQUEST_MS_MAX: u64 = 30_000;
/// How long the server waits for a client in total, over a whole body or answer.
pub const WHOLE_MS_MAX: u64 = 600_000;
/// Lowest rate, in bytes per second, at which a client sends a body or takes an answer, beyond [`REQUEST_MS_MAX`].
pub const RATE_BYTES_MIN: u64 = 1 << 10;
/// How long the server waits for the next of these bytes while other clients wait for the same permit.
pub const CROWDED_MS_MAX: u64 = 1_000;
/// Bytes of a body that must have arrived before it gets a permit to be ingested, unless it is shorter.
pub const BODY_START_BYTES: usize = 64 << 10;
/// Bodies whose start is read at a time.
pub const BODY_STARTS_MAX: usize = 1_024;
/// Answers that wait for their readers at a time, in addition to the running queries.
pub const SLOW_READERS_MAX: usize = 64;
/// Bytes read ahead from the log for subscribers, in all, and kept while these take what was read before. Beyond it,
/// bytes are dropped, and read again when they are needed.
pub const READ_AHEAD_BYTES_MAX: usize = 16 << 20;
/// Read-ahead bytes are counted in pieces of this size.
pub const READ_AHEAD_PIECE_BYTES: usize = 64 << 10;
/// Batches of ingest sockets that are with the writer at a time; further ones wait.
pub const HANDED_OVER_AT_ONCE_MAX: usize = 64;
/// Largest body of `POST /v1/events`, as sent over the wire.
pub const BODY_BYTES_MAX: usize = 256 << 20;
/// Bodies that are ingested at a time; further ones wait.
pub const BODIES_AT_ONCE_MAX: usize = 16;
/// Queries that run at a time; further ones wait.
pub const QUERIES_AT_ONCE_MAX: usize = 16;
/// Pieces of history that are read for subscribers at a time; further ones wait. Each takes as much memory as the largest
/// frame needs when it is decoded.
pub const CATCHING_UP_AT_ONCE_MAX: usize = 4;
/// Clients that replay recorded history at a time, each from its own thread; further ones are refused.
pub const PLAYS_AT_ONCE_MAX: usize = 64;
/// Largest message of an ingest socket, or of a feed that is recorded. It is above [`LINE_BYTES_MAX`], so that a line
/// that is too long is rejected by itself.
pub const MESSAGE_BYTES_MAX: usize = 20 << 20;
/// Largest message of any other socket: such messages are short.
pub const CONTROL_BYTES_MAX: usize = 64 << 10;
/// Lines of one ingest socket that may wait for their acknowledgement; beyond it, no more are read.
pub const UNACKED_LINES_MAX: u64 = 65_536;
/// Bytes of these lines.
pub const UNACKED_BYTES_MAX: usize = 32 << 20;
/// Entries by which a subscriber may lag behind its channel.
pub const LAG_ENTRIES_MAX: usize = 4_096;
/// Entries kept for subscribers in all.
pub const LIVE_ENTRIES_MAX: usize = 65_536;
/// Bytes of these entries.
pub const LIVE_BYTES_MAX: usize = 64 << 20;
/// Bytes of the frame headers that a store keeps in memory, so that queries pass over frames without reading them: about
/// 30,000 frames with few channels each.
pub const FRAME_INDEX_BYTES_MAX: usize = 8 << 20;
/// Bytes of the committed frames that a server's store keeps for readers that follow the log. A reader that falls further
/// behind reads the log.
pub const RECENT_FRAMES_BYTES_MAX: usize = 4 << 20;
/// Bytes that a subscriber gets at a time.
pub const CATCH_UP_BYTES: usize = 16 << 10;
/// How long before a token expires its socket gets a warning; for a shorter token, at half of the remaining time.
pub const TOKEN_WARNING_MS: i64 = 30_000;
/// How often a silent socket gets a ping.
pub const PING_MS: u64 = 30_000;
/// After how much silence a socket is closed.
pub const SILENCE_MS_MAX: u64 = 90_000;
/// Backups that are sent at a time: each has a nameless file in the store's folder until its reader has it.
pub const BACKUPS_AT_ONCE_MAX: usize = 2;
/// Answers for the owner only, at a time.
pub const OWNER_ANSWERS_MAX: usize = 16;
/// How often such an answer sends a sign of life, where it has nothing else to send.
pub const STILL_READING_MS: u64 = 5_000;
/// How long a server that stops waits for work in progress.
pub const STOP_MS_MAX: u64 = 8_000;
/// How long a server that steps aside waits for questions that still read the store.
pub const LAST_QUESTIONS_MS: u64 = 5_000;
/// How long a server that has left the store waits for the other process, which looks for it all the time.
pub const LEFT_ALONE_MS: u64 = 2_000;

/// Shortest time between two measurements of the store's files, for queries about their size.
pub const MEASURE_MS: u64 = 10_000;

/// Lowest replay speed that is not a pause, as a multiple of the original speed.
pub const SPEED_MIN: f64 = 0.001;
/// Highest replay speed that is paced.
pub const SPEED_MAX: f64 = 1_000_000.0;

/// Longest wait for a connection and its handshake, ms.
pub const CONNECT_MS_MAX: u64 = 10_000;
/// Longest wait for the other side's close frame, ms.
pub const CLOSE_MS_MAX: u64 = 1_000;
/// Longest wait before the first new login, ms; each failed login doubles it.
pub const REST_BASE_MS: i64 = 250;
/// Longest wait before a login, ms, by default.
pub const REST_MS_MAX: i64 = 30_000;
/// A session that lasted this long was worth its login, ms.
pub const LOGIN_SETTLED_MS: i64 = 10_000;
/// How often the client looks for a new token when the old one will expire, ms.
pub const TOKEN_POLL_MS: i64 = 1_000;
/// Longest wait for a source's answer to a new token on the existing connection, ms; then a new client is made.
pub const RENEWAL_MS_MAX: i64 = 5_000;
/// Longest access token.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Longest run of a command that prints a token, ms.
pub const TOKEN_COMMAND_MS_MAX: u64 = 30_000;
/// Bytes of recorded lines that may wait for the store, or for a server's acknowledgement.
pub const RECORD_AHEAD_BYTES_MAX: usize = 64 << 20;
/// Longest time until the answer to a question begins before the server's log names it as slow, ms.
pub const SLOW_QUESTION_MS: u64 = 1_000;
/// Rejected lines, forbidden lines and refused tokens that the server's log names in each period, of each kind; the others are
/// counted.
pub const LOGGED_AT_ONCE_MAX: u32 = 10;
/// That period, ms.
pub const LOGGED_EVERY_MS: u64 = 10_000;
/// Longest wait of `rollbook health` for its answer where it is given no other, ms.
pub const HEALTH_MS_MAX: i64 = 5_000;
/// Longest wait for a server's answer, and for each further piece of it, ms. It is longer than a server needs to give
/// up.
pub const ANSWER_MS_MAX: u64 = 45_000;
/// Longest wait before a followed server is asked again, ms.
pub const FOLLOW_REST_MS_MAX: i64 = 5_000;
/// Longest single answer that is read.
pub const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Rejected lines of a body that are named in its answer; all of them are in `rejects`.
pub const REFUSALS_NAMED_MAX: usize = 1_000;
/// Lines that may have been sent to a server's `/v1/ingest` without an acknowledgement.
pub const UPLINK_LINES_MAX: usize = 16_384;

/// Differences of an open gap that `missed` lists, of those that a source has sent so far.
pub const MISSED_COLLECTED_SHOWN_MAX: usize = 10;

/// Lanes that `timeline` draws; it says how many more there are.
pub const TIMELINE_LANES_MAX: usize = 200;
/// Columns of a timeline: for each of them `who` is asked once.
pub const TIMELINE_COLUMNS_MAX: usize = 240;
/// Channels and topics of which `stats --every` draws a line of bars, or a chart; it says how many more there are.
pub const STATS_CHARTS_MAX: usize = 40;
