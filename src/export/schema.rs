//! The columns of every answer, in one place: CSV is written by it, and `rollbook schema` shows it. In JSON the fields have
//! the same names and order, but for what the answer's own comment says.

use serde::{Deserialize, Serialize};

/// What a column's cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, missing_docs)]
pub enum ColumnKind {
    Text,
    Integer,
    Number,
    Boolean,
    /// RFC 3339 in UTC with milliseconds, where it is text.
    Time,
    /// JSON as text.
    Json,
}

impl ColumnKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ColumnKind::Text => "text",
            ColumnKind::Integer => "integer",
            ColumnKind::Number => "number",
            ColumnKind::Boolean => "boolean",
            ColumnKind::Time => "time",
            ColumnKind::Json => "json",
        }
    }
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSchema {
    /// Its name.
    pub name: &'static str,
    /// What its cells are.
    pub kind: ColumnKind,
    /// Whether a cell can be empty; the field is `null` then.
    pub nullable: bool,
    /// What it says.
    pub meaning: &'static str,
}

/// The columns of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSchema {
    /// The command that gives it.
    pub name: &'static str,
    /// What a row is.
    pub row: &'static str,
    /// The columns, in their order.
    pub columns: &'static [ColumnSchema],
}

/// `schema`: one column of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRow {
    /// The command that gives the answer.
    pub answer: String,
    /// The column of its CSV; the field of its JSON.
    pub field: String,
    /// The kind of its values.
    pub kind: String,
    /// Whether it can be empty.
    pub nullable: bool,
    /// What it says.
    pub meaning: String,
}

impl TableSchema {
    /// Its columns as rows.
    pub fn rows(&self) -> impl Iterator<Item = SchemaRow> {
        self.columns.iter().map(|column| SchemaRow {
            answer: self.name.to_owned(),
            field: column.name.to_owned(),
            kind: column.kind.name().to_owned(),
            nullable: column.nullable,
            meaning: column.meaning.to_owned(),
        })
    }
}

/// Declares tables; `?` behind a kind: a cell can be empty.
macro_rules! tables {
    ($($table:ident $name:literal $row:literal { $($column:ident $kind:ident $($null:literal)?: $meaning:literal;)* })*) => {
        $(#[doc = concat!("The columns of `", $name, "`.")]
        pub static $table: TableSchema = TableSchema {
            name: $name,
            row: $row,
            columns: &[$(ColumnSchema {
                name: stringify!($column),
                kind: tables!(@kind $kind),
                nullable: tables!(@null $($null)?),
                meaning: $meaning,
            }),*],
        };)*
        /// All tables.
        pub static TABLES: &[&TableSchema] = &[$(&$table),*];
    };
    (@kind text) => { ColumnKind::Text };
    (@kind integer) => { ColumnKind::Integer };
    (@kind number) => { ColumnKind::Number };
    (@kind boolean) => { ColumnKind::Boolean };
    (@kind time) => { ColumnKind::Time };
    (@kind json) => { ColumnKind::Json };
    (@null) => { false };
    (@null $null:literal) => { true };
}

tables! {
    WHO "who" "a publisher; in JSON one object, with publishers within topics" {
        channel text: "the channel";
        at time "": "the moment asked for";
        seq integer: "the last entry that the answer takes into account";
        coverage text: "complete, partial or blind";
        topic text: "the topic";
        user text: "the user";
        connection text: "the connection; an empty text if the source allows one a user";
        meta json "": "metadata";
        since time "": "when the join took effect; empty if that is later";
        certainty text: "certain, assumed or possible";
    }
    HISTORY "history" "an entry of the log" {
        seq integer: "its number, from 1";
        channel text "": "the channel; empty: all of the observer";
        type text: "join, leave, update, snapshot, link or token";
        topic text "": "the topic";
        user text "": "the user";
        connection text "": "the connection";
        meta json "": "metadata after the entry; what the line said if it changed nothing";
        occurred_at time: "the time of the source, or of recording";
        recorded_at time: "when it was recorded";
        effective_at time: "when it took effect";
        observer text: "who watched";
        state text "": "of a link or token entry: up, synced, down, will_expire, expired, renewed, revoked";
        origin text: "observed or inferred";
        disposition text: "applied, duplicate, stale, unknown or collected";
        snapshot_seq integer "": "the snapshot from which it was inferred";
        not_before time "": "it happened at or after this";
        not_after time "": "it happened at or before this";
        baseline boolean: "the member was there when the channel was first seen";
        reason text "": "the reason that the source gave";
        id text "": "the id of the line";
        pos json "": "the position of the line: [serial, index]";
        source_ts time "": "the time of the line as the source gave it";
        members integer "": "how many members a snapshot listed";
        complete boolean "": "whether a snapshot showed the whole channel";
    }
    MISSED "missed" "a member who joined, left or changed in a gap, or a gap in which nobody did; in JSON a gap, with lists joined, left, updated" {
        gap integer: "the number of the gap in its channel, from 1";
        channel text: "the channel";
        from time: "the last proof before the gap";
        to time "": "its end; empty while it is open";
        evidence text: "link or snapshot";
        closed_by text "": "snapshot, differences or resumed";
        happened text "": "joined, left or updated";
        topic text "": "the topic";
        user text "": "the user";
        connection text "": "the connection";
        meta json "": "metadata after the change; of a leave the last known ones";
        not_before time "": "it happened at or after this";
        not_after time "": "it happened at or before this";
    }
    SESSIONS "sessions" "a stay of a member; with --per the stays of a user that overlap or touch" {
        channel text: "the channel";
        topic text "": "the topic; empty with --per channel";
        user text: "the user";
        connection text "": "the connection; empty with --per";
        joined_at time: "when the join took effect";
        joined_not_before time "": "an inferred join happened at or after this";
        left_at time "": "when the leave took effect; empty while present";
        left_not_before time "": "an inferred leave happened at or after this";
        join_origin text: "observed or inferred";
        leave_origin text "": "observed or inferred; empty while present, or where --clip ends the stay";
        baseline boolean: "it had begun when the channel was first seen";
        min_ms integer: "it lasted at least this long";
        max_ms integer "": "it lasted at most this long; empty if nobody can say";
    }
    STATS "stats" "a channel, or a topic of it; with --every an interval of one" {
        channel text: "the channel";
        topic text "": "the topic; empty for the channel as a whole";
        distinct_users integer: "users ever present";
        joins integer: "joins observed";
        leaves integer: "leaves observed";
        inferred_joins integer: "joins inferred";
        inferred_leaves integer: "leaves inferred";
        peak integer "": "the largest roster; in JSON an object with count and at";
        peak_at time "": "when that was first reached; in JSON the at of peak";
        presence_ms integer: "the time that members were present, added up";
        present_now integer: "members present at the head of the log";
        from time "": "the begin of the interval; only with --every";
        to time "": "its end; only with --every";
    }
    USERS "stats-by-user" "of stats --by user: a user in a channel, or in a topic of it; with --every an interval of one" {
        channel text: "the channel";
        topic text "": "the topic; empty for the channel as a whole";
        user text: "the user";
        starts_at time "": "the begin of the interval";
        ends_at time "": "its end";
        first_in time "": "when the user first came; the begin of the interval if the user was there already";
        first_in_not_before time "": "if that was inferred: the user came at or after this";
        last_out time "": "when the user last left; the end of the interval if the user stayed, empty while still there";
        last_out_not_before time "": "if that was inferred: the user left at or after this";
        stays integer: "how many stays; those that overlap or touch are one";
        min_ms integer: "the user was there at least this long";
        max_ms integer "": "the user was there at most this long; empty if nobody can say";
    }
    ATTENDANCE "attendance" "a person at an appointment, or in the time asked for" {
        channel text: "the channel";
        user text: "the user";
        starts_at time: "when it begins";
        ends_at time: "when it ends";
        expected boolean "": "whether the schedule names the user; empty if it names nobody";
        first_in time "": "when the user first came; the begin if the user was there already";
        first_in_not_before time "": "if that was inferred: the user came at or after this";
        last_out time "": "when the user last left; the end if the user stayed, empty while still there";
        last_out_not_before time "": "if that was inferred: the user left at or after this";
        stays integer: "how many stays; those that overlap or touch are one";
        min_ms integer: "the user was there at least this long";
        max_ms integer: "the user was there at most this long";
        min_share number: "the part of the whole for which the user was there at least, from 0 to 1";
        max_share number: "the same at most";
        late boolean "": "whether the user came after the begin; empty if nobody can say or nothing was scheduled";
        left_early boolean "": "whether the user left before the end; empty likewise";
        gaps integer: "how many gaps there were in it, in which nobody watched";
        unwatched_ms integer: "how long nobody watched: nothing is known of absences in that time";
    }
    GAPS "gaps" "a gap of a channel" {
        gap integer: "its number in the channel, from 1";
        channel text: "the channel";
        from time: "the last proof before it";
        to time "": "its end; empty while it is open";
        evidence text: "link or snapshot";
        closed_by text "": "snapshot, differences or resumed";
        resumed boolean: "the feed went on where it had stopped: nothing was missed";
        joined integer: "how many members joined in it";
        left integer: "how many left";
        updated integer: "how many changed";
    }
    CHANNELS "channels" "a channel" {
        channel text: "the channel";
        topics integer: "topics that have members now";
        present_now integer: "members now";
        entries integer: "entries that history shows for it";
        first_at time "": "when the first of them took effect";
        last_at time "": "when the last of them took effect";
        coverage text: "complete, partial or blind";
    }
    REJECTS "rejects" "a line that could not be taken" {
        n integer: "its number, from 1";
        source text: "the file as it was named; - for standard input";
        line integer: "the line, from 1";
        byte integer: "the byte at which it starts";
        reason text: "what is wrong with it";
        text text "": "the kept part of it";
    }
    FORGOTTEN "forget" "a time at which somebody was forgotten (--list)" {
        at time: "when";
        stand_in text: "what stands for their name";
        channel text "": "the only channel in which they were forgotten";
        changes integer: "their joins, leaves and updates";
        texts integer: "their texts that were erased";
        rejects integer: "rejected lines that were blanked";
    }
    INGEST "ingest" "one run" {
        lines integer: "lines read";
        events integer: "events observed";
        entries integer: "entries appended";
        joins integer: "joins observed and applied";
        leaves integer: "leaves observed and applied";
        updates integer: "updates observed and applied";
        snapshots integer: "snapshots";
        inferred_joins integer: "joins inferred";
        inferred_leaves integer: "leaves inferred";
        inferred_updates integer: "updates inferred";
        baseline_joins integer: "the part of inferred_joins who were there when first seen";
        duplicates integer: "events that said what was known";
        stale integer: "events that came too late";
        unknown integer: "leaves of members who were not there";
        collected integer: "differences that a snapshot stands for";
        retries integer: "lines that had been taken before";
        retries_differing integer: "retries that say something else than the first time";
        rejected integer: "lines that could not be taken";
        clamped integer: "entries that took effect more than a minute after they occurred";
        first_seq integer "": "the first entry";
        last_seq integer "": "the last entry";
        elapsed_ms integer: "how long it took";
    }
    VERIFY "verify" "one run" {
        ok boolean: "nothing is wrong";
        entries integer: "entries read";
        commits integer: "commits read";
        problems json: "what is wrong: seq, kind, detail";
    }
    REPAIR "verify --repair" "one run" {
        ok boolean: "nothing is missing";
        entries integer: "entries of the new store";
        same_up_to integer: "the last entry up to which the new store is as the damaged one was";
        redecided integer: "entries behind it, which were decided again";
        missing json: "what is missing: first_seq, last_seq, recorded_from, recorded_to, channels, behind";
        unreadable json: "parts of files: file, from_byte, to_byte, what";
        left_out json: "entries that rest on what is missing: first_seq, last_seq, why";
        weakened integer: "snapshots that were taken in part";
    }
    SIMULATE "simulate" "a mix of weak-network workloads" {
        mix text: "the mix";
        seeds integer: "worlds that were simulated";
        true_events integer: "what really happened in them";
        lines integer: "lines that the sources sent";
        inferred integer: "entries that were inferred";
        moments integer: "moments at which answers were compared with the truth";
        wrong_windows integer: "windows without the true moment";
        wrong_certain integer: "members who were certain and not there, or the other way round";
        missed integer: "changes that no answer has";
        invented integer: "changes that did not happen";
        wrong_sessions integer: "stays with wrong bounds";
        wrong_known_at integer: "answers about what was known that differ from those of then";
        first_wrong integer "": "the lowest seed with a fault";
    }
    BENCH "bench" "a figure" {
        work text: "what was measured";
        unit text: "what was counted";
        count integer: "how many";
        per_second number "": "how many a second";
        bare_per_second number "": "the same with a bare file";
        latency json "": "percentiles, in microseconds";
        bare_latency json "": "the same with a bare file";
        bytes_each number "": "bytes that each has on the disk afterwards";
        durability text: "what an acknowledged line survives";
        version text: "the version of the program";
        optimised boolean: "whether the build is optimised";
        machine json: "the machine";
    }
    SETTINGS "serve-check" "a setting in effect (`serve --check`)" {
        setting text: "the long name of the option; the key in a file";
        value text "": "its value; of a command that prints tokens only that it is set";
        source text: "command line, an environment variable, FILE:LINE, or default";
    }
    SCHEMA "schema" "a column of an answer" {
        answer text: "the command that gives the answer";
        field text: "the column of its CSV; the field of its JSON";
        kind text: "text, integer, number, boolean, time (RFC 3339, UTC, with milliseconds), or json as text";
        nullable boolean: "whether a cell can be empty; the field is null then";
        meaning text: "what it says";
    }
}
