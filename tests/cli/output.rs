//! The output of the command line: printed tables, and the shapes of JSON and CSV.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use crate::answers;
use rollbook::cli::exit::Exit;
use rollbook::cli::output::{Output, OutputFormat as Format};
use rollbook::cli::style::TerminalStyle;
use rollbook::cli::tables::{
    self, ChannelsTable, GapsTable, HistoryTable, MissedTable, RejectsTable, StatsTable,
};
use rollbook::export::record::ExportRow;
use rollbook::ingest::IngestSummary;
use rollbook::query::answer::CoverageAnswer as Coverage;
use rollbook::query::answer::*;
use serde_json::json;
use std::io;
use unicode_width::UnicodeWidthStr;

use answers::*;

#[test]
fn missed_reads_as_a_story() {
    let table = list(
        Format::Table,
        PLAIN,
        MissedTable::new("studio-7"),
        &evening(),
    );
    let expected = r#"studio-7 · 2026-05-14 (times in UTC)

Gap 1 · 20:40:52 → 20:48:33 (7 min 41 s) · link lost (evidence: link)
  chat    + joined   leo    20:40:52 – 20:48:33  "role=guest"
          - left     dev    20:40:52 – 20:48:33  "role=guest"
          - left     kim🎈  20:40:52 – 20:48:33
          ~ changed  carla  20:40:52 – 20:48:33  "role=cohost"
  screen  + joined   ivo    20:40:52 – 20:48:33  "720p"

Gap 2 · 21:13:20 → 21:31:47 (18 min 27 s) · link lost (evidence: link)
  screen (vanished)  - left  ana  21:13:20 – 21:31:47  "1080p"
                     - left  ivo  21:13:20 – 21:31:47  "720p"

Gap 3 · 22:00:00.000 → 22:00:04.250 (4 s 250 ms) · no link event (evidence: snapshot)
  nobody came or went

2026-05-15 (times in UTC)

Gap 4 · 00:01:00 → still open · link lost (evidence: link)
  not known yet: the next snapshot will show who came or went

4 gaps · 26 min 13 s unwatched · 1 still open · 2 joined, 4 left, 1 changed · who came or went in an open gap is not known yet
"#;
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn missed_with_no_gap_says_so() {
    let table = list(Format::Table, PLAIN, MissedTable::new("studio-7"), &[]);
    assert_eq!(table, "studio-7 · no gaps: nothing was missed\n");
}

#[test]
fn missed_as_json_is_the_contract_and_nothing_more() {
    let rows: Vec<_> = evening().into_iter().map(|gap| gap.plain()).collect();
    let lines = list(
        Format::Jsonl,
        PLAIN,
        MissedTable::new("studio-7"),
        &rows[1..2],
    );
    assert_eq!(
        lines,
        concat!(
            r#"{"gap":2,"channel":"studio-7","from":"2026-05-14T21:13:20.448Z","to":"2026-05-14T21:31:47.551Z","#,
            r#""evidence":"link","closed_by":null,"joined":[],"left":[{"topic":"screen","user":"ana","connection":"","meta":"1080p"},"#,
            r#"{"topic":"screen","user":"ivo","connection":"","meta":"720p"}],"updated":[]}"#,
            "\n"
        )
    );
    let array = list(Format::Json, PLAIN, MissedTable::new("studio-7"), &rows);
    let values: serde_json::Value = serde_json::from_str(&array).unwrap();
    assert_eq!(values.as_array().unwrap().len(), 4);
    assert!(array.starts_with("[\n  {\n    \"gap\": 1,\n"), "{array}");
    assert!(array.ends_with("\n  }\n]\n"), "{array}");
}

#[test]
fn who_says_moment_coverage_and_doubt_in_words() {
    let table = one(
        Format::Table,
        &roll(Coverage::Blind, Some(at("20:45:00"))),
        tables::who,
    );
    let expected = r#"studio-7 · 2026-05-14 20:45:00.000 UTC · blind: nobody was watching then
no message of a source proves anything of it by then

  chat    ana          since 20:00:02                       {"role":"guest"}
          ana · phone  since 2026-05-13 23:59:59  assumed   {"role":"guest"}
  screen  ben          takes effect later         possible  {"role":"guest"}

3 publishers (2 users) in 2 topics
assumed: known from before, and nothing says otherwise
possible: came or went at an unknown moment around then
"#;
    assert_eq!(table, expected, "\n{table}");
    let mut nobody = roll(Coverage::Partial, None);
    nobody.topics.clear();
    assert_eq!(
        one(Format::Table, &nobody, tables::who),
        "studio-7 · as of entry 41 · partial: no full snapshot yet, there may be others\nno message of a source proves anything of it by then\n\n  \
         nobody is known to have been there\n"
    );
}

#[test]
fn who_as_csv_is_a_row_a_publisher() {
    let csv = one(Format::Csv, &roll(Coverage::Blind, None), tables::who);
    assert_eq!(
        csv,
        "channel,at,seq,coverage,topic,user,connection,meta,since,certainty\n\
         studio-7,,41,blind,chat,ana,,\"{\"\"role\"\":\"\"guest\"\"}\",2026-05-14T20:00:02.118Z,certain\n\
         studio-7,,41,blind,chat,ana,phone,\"{\"\"role\"\":\"\"guest\"\"}\",2026-05-13T23:59:59.000Z,assumed\n\
         studio-7,,41,blind,screen,ben,,\"{\"\"role\"\":\"\"guest\"\"}\",,possible\n"
    );
}

#[test]
fn history_is_an_entry_a_line() {
    let table = list(Format::Table, PLAIN, HistoryTable::new(true), &entries());
    let expected = r#"2026-05-14 (times in UTC)
seq  time          what        topic  who          note             meta
────────────────────────────────────────────────────────────────────────────────
  1  20:40:52.031  + join      chat   ana                           "role=guest"
  2  20:40:52.031  + join      chat   ana          duplicate        "role=guest"
  3  20:40:52.031  link down                       NETWORK_CHANGE
  4  20:40:52.031  = snapshot                      2 members
  5  20:40:52.031  - leave     chat   a\u{1b}[2Jb  inferred by 4:   "role=guest"
                                                   after
                                                   20:31:00.000

5 entries
"#;
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn long_lists_are_drawn_in_pages_and_keep_their_widths() {
    let rows: Vec<HistoryEntry> = (1..=600)
        .map(|n| entry(n, EntryType::Join, &format!("user-{n:04}")))
        .collect();
    let table = list(Format::Table, PLAIN, HistoryTable::new(true), &rows);
    assert_eq!(
        table.lines().count(),
        1 + 2 + 600 + 2,
        "a day, a heading, the rows, a sum"
    );
    let columns: Vec<usize> = table
        .lines()
        .filter_map(|line| line.find("user-"))
        .collect();
    assert_eq!(columns.len(), 600);
    assert!(
        columns.iter().all(|at| Some(at) == columns.first()),
        "{table}"
    );
    assert!(table.ends_with("\n600 entries\n"));
}

#[test]
fn columns_are_the_fields_in_their_order() {
    fn check<T: ExportRow>(answer: &T) {
        let json = serde_json::to_string(answer).unwrap();
        let mut from = 0;
        for column in T::TABLE.columns {
            let column = column.name;
            let field = format!("\"{column}\":");
            from += json[from..]
                .find(&field)
                .unwrap_or_else(|| panic!("{column} in {json}"))
                + field.len();
        }
        let fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&json).unwrap();
        assert_eq!(fields.len(), T::TABLE.columns.len(), "{json}");
    }
    check(&entries()[0]);
    check(&person());
    check(&user());
    check(&stay());
    check(&gap());
    check(&channel());
    check(&reject());
    check(&IngestSummary::default());
    check(&whole());
}

#[test]
fn csv_quotes_what_needs_it_and_keeps_json_as_text() {
    let csv = list(Format::Csv, PLAIN, RejectsTable::default(), &[reject()]);
    assert_eq!(
        csv,
        "n,source,line,byte,reason,text\n\
         1,\"feed, odd.jsonl\",17,4096,\"not JSON: \"\"}\"\" expected\",\"{\"\"t\"\":\u{7}\"\n"
    );
    let csv = list(Format::Csv, PLAIN, HistoryTable::new(true), &entries()[..1]);
    assert!(
        csv.contains(",\"\"\"role=guest\"\"\","),
        "metadata stays JSON: {csv}"
    );
    assert!(csv.contains(",\"[7,0]\","), "{csv}");
    let none = list(Format::Csv, PLAIN, GapsTable::default(), &[]);
    assert_eq!(
        none,
        "gap,channel,from,to,evidence,closed_by,resumed,joined,left,updated\n"
    );
    assert_eq!(list(Format::Json, PLAIN, GapsTable::default(), &[]), "[]\n");
    assert_eq!(list(Format::Jsonl, PLAIN, GapsTable::default(), &[]), "");
}

#[test]
fn short_lists_have_headings_and_a_sum() {
    let mut open = gap();
    open.to = None;
    let table = list(Format::Table, PLAIN, GapsTable::default(), &[gap(), open]);
    let expected = r#"2026-05-14 (times in UTC)
gap  from      to          lasted      evidence  +  -  ~
────────────────────────────────────────────────────────
  1  20:40:52  20:48:33    7 min 41 s  link      3  0  1
  1  20:40:52  still open              link      3  0  1

2 gaps (+ joined, - left, ~ changed)
"#;
    assert_eq!(table, expected, "\n{table}");
    let table = list(Format::Table, PLAIN, ChannelsTable::default(), &[channel()]);
    let expected = r#"channel   here now  topics    entries  first             last (UTC)  coverage
─────────────────────────────────────────────────────────────────────────────
studio-7    12,345       2  1,234,567  2026-05-14 20:00              complete

1 channel
"#;
    assert_eq!(table, expected, "\n{table}");
    assert_eq!(
        list(Format::Table, PLAIN, RejectsTable::default(), &[]),
        "no rejected lines\n"
    );
}

/// Names keep their space: the common channel has no column, and only a single figure shows the time of its peak.
#[test]
fn figures_of_one_channel_fit_a_narrow_terminal() {
    let at = Time(1_700_000_002_000);
    let figures: Stats = made(json!({
        "channel": "studio-7", "topic": "night", "distinct_users": 5, "joins": 1, "leaves": 0,
        "inferred_joins": 4, "inferred_leaves": 3, "peak": {"count": 4, "at": at},
        "presence_ms": 33_000, "present_now": 2,
    }));
    let mut stretch = figures.clone();
    stretch.from = Some(at);
    stretch.to = Some(Time(1_700_003_602_000));
    let table = list(
        Format::Table,
        PLAIN,
        StatsTable::new(true, true, None),
        &[stretch.clone(), stretch],
    );
    let expected = r#"2023-11-14 (times in UTC)
topic  from      users  joins  leaves  inferred  peak  presence
───────────────────────────────────────────────────────────────
night  22:13:22      5      1       0     +4 -3     4  33 s
night  22:13:22      5      1       0     +4 -3     4  33 s

the most at once, from 2023-11-14 22:13 (UTC), 1 h a character
night  █  4
"#;
    assert_eq!(table, expected, "\n{table}");
    let table = list(
        Format::Table,
        PLAIN,
        StatsTable::new(true, false, None),
        &[figures],
    );
    let expected = r#"topic  users  joins  leaves  inferred  peak  at (UTC)          presence  now
────────────────────────────────────────────────────────────────────────────
night      5      1       0     +4 -3     4  2023-11-14 22:13  33 s        2
"#;
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn what_a_command_did_fits_a_few_lines() {
    let mut sum = IngestSummary::default();
    (sum.lines, sum.elapsed_ms) = (73, 12);
    (sum.counts.first_seq, sum.counts.last_seq) = (Some(1), Some(97));
    sum.counts.entries = 97;
    sum.counts.joins = 40;
    sum.counts.snapshots = 3;
    sum.counts.inferred_joins = 9;
    sum.counts.baseline_joins = 5;
    sum.counts.inferred_leaves = 11;
    sum.counts.duplicates = 1;
    sum.counts.rejected = 2;
    let table = one(Format::Table, &sum, tables::ingest);
    let expected = r#"73 lines → 97 entries (1 to 97) in 12 ms
  observed   40 joins, 3 snapshots
  inferred   9 joins, 11 leaves; 5 of the joins were there when first seen
  no change  1 duplicate
  rejected   2 lines
"#;
    assert_eq!(table, expected, "\n{table}");
    let json = one(Format::Json, &sum, tables::ingest);
    assert!(json.starts_with("{\n  \"lines\": 73,\n"), "{json}");
    assert_eq!(
        one(Format::Table, &whole(), tables::verify),
        "ok · 97 entries in 73 commits, nothing is wrong\n"
    );
    let mut damaged = whole();
    damaged.ok = false;
    let problem = json!({"seq": 9, "kind": "chain", "detail": "the link does not follow"});
    damaged.problems = vec![made(problem)];
    assert_eq!(
        one(Format::Table, &damaged, tables::verify),
        "damaged · 1 problem · 97 entries in 73 commits read\n  at entry 9  chain  the link does not follow\n"
    );
}

/// Names that try to break out, on a narrow terminal: no line is too wide, and no control character gets through.
#[test]
fn nothing_breaks_the_terminal() {
    let nasty = [
        "\u{1b}]0;gone\u{7}",
        "line\nbreak",
        "\0",
        "\u{202e}txt.exe",
        " padded ",
        "\u{9b}31m",
        "e\u{301}",
        &"x".repeat(1024),
    ];
    let mut row = missed(1, at("20:00:00"), Some("20:30:00"), Evidence::Link);
    row.channel = "studio\r7".into();
    let joined = nasty.map(|name| who_missed(name, name, meta("\"\u{9b}\""), None, "20:30:00"));
    row.joined = joined.into();
    let rows = [row];
    let text = list(Format::Table, PLAIN, MissedTable::new("studio\r7"), &rows);
    assert!(
        !text
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{text:?}"
    );
    for line in text.lines().skip(3) {
        assert!(line.width() <= 80, "{line}");
    }
    assert!(text.contains("studio\\r7"), "{text}");
}

#[test]
fn colour_says_nothing_that_is_not_said_without() {
    let coloured = list(
        Format::Table,
        TerminalStyle {
            colour: true,
            ..PLAIN
        },
        MissedTable::new("studio-7"),
        &evening(),
    );
    let mut bare = String::new();
    let mut parts = coloured.split('\u{1b}');
    bare.push_str(parts.next().unwrap());
    for part in parts {
        bare.push_str(part.split_once('m').unwrap().1);
    }
    let trimmed = |text: &str| {
        text.lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect::<String>()
    };
    assert_eq!(
        trimmed(&bare),
        list(
            Format::Table,
            PLAIN,
            MissedTable::new("studio-7"),
            &evening()
        )
    );
}

/// A reader that has closed the pipe.
struct Head;

impl io::Write for Head {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for format in [Format::Table, Format::Json, Format::Jsonl] {
        let mut output = Output::new(format, PLAIN, Box::new(Head));
        let mut list = output.list(GapsTable::default());
        let failure = list.row(&gap()).and_then(|()| list.finish()).unwrap_err();
        assert!(failure.is_quiet(), "{format:?}");
        assert_eq!(failure.exit, Exit::Done);
    }
}

#[test]
fn a_terminal_is_shown_what_it_would_obey() {
    let hostile = "a\u{1b}[2J\u{202e}b\u{7f}\u{9b}c\rd\u{e0001}";
    let escaped = r"a\u001b[2J\u202eb\u007f\u009bc\u000dd\udb40\udc01";
    let mut row = evening().remove(0).plain();
    row.channel = hostile.into();
    for format in [Format::Jsonl, Format::Json, Format::Csv, Format::Table] {
        let (mut shown, mut piped) = (Vec::new(), Vec::new());
        for (terminal, written) in [(true, &mut shown), (false, &mut piped)] {
            let mut output = if terminal {
                Output::on_terminal(format, PLAIN, Box::new(written))
            } else {
                Output::new(format, PLAIN, Box::new(written))
            };
            if format != Format::Table {
                let mut list = output.list(MissedTable::new("studio-7"));
                list.row(&row).unwrap();
                list.finish().unwrap();
            }
            // A line as `replay` writes it, in every format.
            output.line(hostile.as_bytes()).unwrap();
            output.finish().unwrap();
        }
        let (shown, piped) = (String::from_utf8(shown), String::from_utf8(piped));
        let (shown, piped) = (shown.unwrap(), piped.unwrap());
        let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(obeyed), "{shown:?}");
        assert!(shown.ends_with(&format!("{escaped}\n")), "{shown:?}");
        assert!(piped.ends_with(&format!("{hostile}\n")), "{piped:?}");
        // Copied from the screen, the values are the same.
        if format == Format::Jsonl {
            let value = |text: &str| {
                serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap())
            };
            assert_eq!(value(&shown).unwrap(), value(&piped).unwrap());
        }
    }
}
