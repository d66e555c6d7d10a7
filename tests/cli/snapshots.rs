//! Every table at 80 and at 120 columns, with long, Chinese, Arabic and emoji names, as files that a person has looked at.
//! `ROLLBOOK_SNAPSHOTS=write cargo test --test cli snapshots` writes them again: look at what has changed.

use crate::answers::*;
use rollbook::cli::moment::WallClock;
use rollbook::cli::output::OutputFormat;
use rollbook::cli::style::TerminalStyle;
use rollbook::cli::tables::{
    self, AttendanceTable, ChannelsTable, GapsTable, HistoryTable, LaneLabels, MissedTable,
    RejectsTable, SchemaTable, SessionsTable, StatsTable, UsersTable,
};
use rollbook::cli::timeline::lanes::Lanes;
use rollbook::cli::timeline::span::TimelineSpan;
use rollbook::export::schema::TABLES;
use rollbook::query::answer::*;
use serde_json::{Value, json};
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// The names of a snapshot.
struct Names {
    script: &'static str,
    channel: &'static str,
    topics: [&'static str; 2],
    users: [&'static str; 4],
    phone: &'static str,
}

const NAMES: [Names; 4] = [
    Names {
        script: "long",
        channel: "department-of-external-relations/room-12",
        topics: ["weekly planning and retrospective", "screen"],
        users: [
            "participant-0000000000000000001",
            "participant-0000000000000000002",
            "Maximiliane Sophie von Hohenstaufen",
            "bo",
        ],
        phone: "web-chrome-2f9c81d2-7c5b",
    },
    Names {
        script: "Chinese",
        channel: "第十二會議室",
        topics: ["週會討論與回顧", "畫面"],
        users: ["王小明", "歐陽娜娜與她的朋友們一起參加", "李 雷", "韓梅梅"],
        phone: "手機",
    },
    Names {
        script: "Arabic",
        channel: "غرفة الاجتماعات",
        topics: ["الدردشة العامة", "الشاشة"],
        users: ["سارة", "محمد بن عبد الله الخوارزمي", "דנה", "ليلى"],
        phone: "هاتف",
    },
    Names {
        script: "emoji",
        channel: "studio 🎬",
        topics: ["🎤 karaoke", "🖥️"],
        users: ["kim🎈", "👩‍👩‍👧‍👦 family", "🇩🇪 max", "é🏳️‍🌈"],
        phone: "📱",
    },
];

/// How a table is drawn.
type Draw = fn(&Names, TerminalStyle) -> String;
const DRAWN: [(&str, Draw); 14] = [
    ("attendance", attendance),
    ("channels", channels),
    ("gaps", gaps),
    ("history", history),
    ("missed", missed_table),
    ("rejects", rejects),
    ("schema", schema),
    ("sessions", sessions),
    ("stats", stats),
    ("stats-by-user", users),
    ("stats-every", series),
    ("timeline", timeline),
    ("verify", verify),
    ("who", who),
];

#[test]
fn tables_are_as_a_person_has_seen_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    let writes = std::env::var("ROLLBOOK_SNAPSHOTS").is_ok_and(|what| what == "write");
    let mut differing = Vec::new();
    for (table, draw) in DRAWN {
        let mut drawn = String::new();
        for (names, width) in NAMES.iter().flat_map(|names| [(names, 80), (names, 120)]) {
            let view = TerminalStyle {
                width,
                colour: false,
            };
            let text = draw(names, view);
            sound(table, &text, width.into());
            drawn += &format!(
                "=== {table}, {} names, {width} columns\n{text}\n",
                names.script
            );
        }
        let file = folder.join(format!("{table}.txt"));
        if writes {
            std::fs::write(&file, &drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        if kept != drawn {
            differing.push(format!("{table}:\n{drawn}"));
        }
    }
    assert!(
        differing.is_empty(),
        "ROLLBOOK_SNAPSHOTS=write writes them\n{}",
        differing.join("\n")
    );
}

fn sound(table: &str, text: &str, width: usize) {
    for line in text.lines() {
        assert!(
            !line.ends_with(' '),
            "{table}: blanks at the end of {line:?}"
        );
        // Sentences around a table, and the legend, are left to the terminal.
        let of_table = line.trim_start().contains("  ") && !line.starts_with("█ ");
        assert!(!of_table || line.width() <= width, "{table}: {line}");
        let depth = line.chars().fold(0_i32, |depth, c| {
            let depth = depth + i32::from(c == '\u{2068}') - i32::from(c == '\u{2069}');
            assert!(depth >= 0, "{table}: {line:?}");
            depth
        });
        assert_eq!(
            depth, 0,
            "{table}: an isolate is open at the end of {line:?}"
        );
    }
}

/// Narrower than anybody has it: nothing breaks, and what is missing is named.
#[test]
fn a_narrow_terminal_is_told_what_is_missing() {
    for (table, draw) in DRAWN {
        for names in &NAMES {
            let view = TerminalStyle {
                width: 40,
                colour: false,
            };
            sound(table, &draw(names, view), 40);
        }
    }
    let view = TerminalStyle {
        width: 40,
        colour: false,
    };
    let text = history(&NAMES[0], view);
    assert!(text.contains("not shown at this width: "), "{text}");
}

#[test]
fn colours_are_of_the_palette() {
    let mut codes = std::collections::BTreeSet::new();
    for (_, draw) in DRAWN {
        let view = TerminalStyle {
            width: 120,
            colour: true,
        };
        let text = draw(&NAMES[3], view);
        codes.extend(
            text.split('\u{1b}')
                .skip(1)
                .map(|code| code.split('m').next().unwrap().to_owned()),
        );
    }
    assert_eq!(
        codes.into_iter().collect::<Vec<_>>(),
        ["[0", "[1", "[2", "[31", "[32", "[33"]
    );
}

fn table<T: rollbook::export::record::ExportRow, B: tables::Table<T>>(
    view: TerminalStyle,
    table: B,
    rows: &[T],
) -> String {
    list(OutputFormat::Table, view, table, rows)
}

fn drawn_once<T>(
    view: TerminalStyle,
    answer: &T,
    draw: impl FnOnce(&mut dyn std::io::Write, &TerminalStyle, &T) -> std::io::Result<()>,
) -> String {
    let mut bytes = Vec::new();
    draw(&mut bytes, &view, answer).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn later(clock: &str) -> Time {
    Time(at(clock).0 + 86_400_000)
}

fn attendance(names: &Names, view: TerminalStyle) -> String {
    let mut rows: Vec<Attendance> = names
        .users
        .iter()
        .map(|user| {
            let mut row = person();
            (row.user, row.channel) = ((*user).to_owned(), names.channel.to_owned());
            row
        })
        .collect();
    let presence = &mut rows[1].presence;
    presence.first_in_not_before = Some(at("20:03:10"));
    presence.last_out_not_before = Some(at("20:40:52"));
    presence.min_ms = 1_500_000;
    rows[1].late = None;
    rows[2].presence.last_out = None;
    rows[2].expected = Some(false);
    rows[3].starts_at = later("20:00:00");
    rows[3].ends_at = later("21:00:00");
    table(view, AttendanceTable::new(names.channel, None), &rows)
}

fn channels(names: &Names, view: TerminalStyle) -> String {
    let rows = [names.channel, names.users[0], names.users[1]].map(|name| {
        let mut row = channel();
        row.channel = name.to_owned();
        row.last_at = Some(later("21:58:46"));
        row
    });
    table(view, ChannelsTable::default(), &rows)
}

fn gaps(_: &Names, view: TerminalStyle) -> String {
    let mut second = gap();
    (second.gap, second.from, second.to) = (2, at("23:50:00"), Some(later("00:10:00")));
    second.closed_by = Some(ClosedBy::Differences);
    let mut third = gap();
    (third.gap, third.from, third.to) = (3, later("12:00:00"), None);
    table(view, GapsTable::default(), &[gap(), second, third])
}

fn history(names: &Names, view: TerminalStyle) -> String {
    let mut rows = entries();
    rows[1].connection = Some(names.phone.to_owned());
    for (row, user) in [(0, 0), (1, 1), (4, 2)] {
        rows[row].user = Some(names.users[user].to_owned());
        rows[row].topic = Some(names.topics[user % 2].to_owned());
    }
    let mut last = entry(6, EntryType::Join, names.users[3]);
    last.topic = Some(names.topics[0].to_owned());
    last.effective_at = later("08:00:00");
    last.meta = meta(
        r#"{"role":"guest","hand":"up","client":"a client with a long description of itself"}"#,
    );
    rows.push(last);
    for row in &mut rows {
        row.channel = row.channel.as_ref().map(|_| names.channel.to_owned());
    }
    let whole = table(view, HistoryTable::new(false), &rows);
    format!("{}\n{whole}", table(view, HistoryTable::new(true), &rows))
}

fn missed_table(names: &Names, view: TerminalStyle) -> String {
    let mut rows = evening();
    let mut renamed = rows.iter_mut().flat_map(|gap| {
        gap.vanished = gap
            .vanished
            .iter()
            .map(|_| names.topics[1].to_owned())
            .collect();
        gap.joined
            .iter_mut()
            .chain(&mut gap.left)
            .chain(&mut gap.updated)
    });
    for (at, member) in (0..).zip(&mut renamed) {
        let at: usize = at;
        member.user = names.users[at % 4].to_owned();
        let of_screen = usize::from(member.topic == "screen");
        member.topic = names.topics[of_screen].to_owned();
        if at == 1 {
            member.connection = names.phone.to_owned();
        }
    }
    drop(renamed);
    table(view, MissedTable::new(names.channel), &rows)
}

fn rejects(names: &Names, view: TerminalStyle) -> String {
    let mut second = reject();
    second.n = 2;
    second.source = format!("/var/spool/feeds/{}.jsonl", names.channel);
    second.text = Some(format!(
        "{{\"event\":\"{}\",\"user\":\"{}\"}}",
        names.topics[0], names.users[1]
    ));
    second.reason = "no shape that is known: neither `t` nor `eventType` nor `event`".to_owned();
    table(view, RejectsTable::default(), &[reject(), second])
}

fn schema(_: &Names, view: TerminalStyle) -> String {
    let rows: Vec<_> = TABLES
        .iter()
        .take(2)
        .flat_map(|table| table.rows().take(6))
        .collect();
    table(view, SchemaTable::default(), &rows)
}

fn sessions(names: &Names, view: TerminalStyle) -> String {
    let rows = stays(names);
    let whole = table(view, SessionsTable::new(false, None, None), &rows);
    format!(
        "{}\n{whole}",
        table(view, SessionsTable::new(true, None, None), &rows)
    )
}

fn stays(names: &Names) -> Vec<Session> {
    let made_stay = |user: usize, topic: usize, times: Value| {
        let mut fields = json!({
            "channel": names.channel, "topic": names.topics[topic], "user": names.users[user], "connection": "",
            "join_origin": "observed", "baseline": false, "min_ms": 0,
        });
        fields
            .as_object_mut()
            .unwrap()
            .extend(times.as_object().unwrap().clone());
        made::<Session>(fields)
    };
    let mut rows = vec![
        made_stay(
            0,
            0,
            json!({"joined_at": at("20:00:02"), "left_at": at("20:11:13"), "baseline": true, "min_ms": 671_000}),
        ),
        made_stay(
            1,
            0,
            json!({
                "joined_at": at("20:48:33"), "joined_not_before": at("20:40:52"),
                "left_at": at("21:31:47"), "left_not_before": at("21:13:20"), "min_ms": 1_487_000, "max_ms": 3_055_000,
            }),
        ),
        made_stay(
            2,
            1,
            json!({"joined_at": at("23:58:00"), "left_at": later("00:04:09"), "min_ms": 369_000, "max_ms": 369_000}),
        ),
        made_stay(
            3,
            0,
            json!({"joined_at": at("20:04:09"), "min_ms": 1_000, "max_ms": 90_061_000}),
        ),
        made_stay(
            0,
            1,
            json!({"joined_at": later("07:00:00"), "min_ms": 1_000, "max_ms": 61_000}),
        ),
    ];
    rows[1].connection = Some(names.phone.to_owned());
    rows
}

fn figures(names: &Names, topic: Option<usize>) -> Stats {
    made(json!({
        "channel": names.channel, "topic": topic.map(|topic| names.topics[topic]), "distinct_users": 1_205, "joins": 14_310,
        "leaves": 14_290, "inferred_joins": 402, "inferred_leaves": 1_311, "peak": {"count": 1_100, "at": at("21:05:47")},
        "presence_ms": 86_400_000_i64 * 12, "present_now": 20,
    }))
}

fn stats(names: &Names, view: TerminalStyle) -> String {
    let rows = [None, Some(0), Some(1)].map(|topic| figures(names, topic));
    let whole = table(view, StatsTable::new(false, false, None), &rows);
    format!(
        "{}\n{whole}",
        table(view, StatsTable::new(true, false, None), &rows)
    )
}

fn series(names: &Names, view: TerminalStyle) -> String {
    let mut rows = Vec::new();
    for topic in [None, Some(0), Some(1)] {
        for (n, peak) in (0..).zip([3_u64, 0, 7, 19, 18, 12]) {
            let mut row = figures(names, topic);
            let from = at("22:00:00").0 + n * 1_800_000;
            (row.from, row.to) = (Some(Time(from)), Some(Time(from + 1_800_000)));
            row.peak = (peak > 0).then(|| made(json!({"count": peak, "at": Time(from)})));
            rows.push(row);
        }
    }
    let whole = table(view, StatsTable::new(false, true, None), &rows[..8]);
    let mut days = rows[..3].to_vec();
    for (n, row) in (0..).zip(&mut days) {
        let from = DAY + n * 86_400_000;
        (row.from, row.to) = (Some(Time(from)), Some(Time(from + 86_400_000)));
    }
    let days = table(view, StatsTable::new(true, true, None), &days);
    format!(
        "{}\n{whole}\n{days}",
        table(view, StatsTable::new(true, true, None), &rows)
    )
}

fn users(names: &Names, view: TerminalStyle) -> String {
    let rows: Vec<UserStats> = names
        .users
        .iter()
        .map(|of| {
            let mut row = user();
            (row.user, row.channel) = ((*of).to_owned(), names.channel.to_owned());
            row.topic = Some(names.topics[0].to_owned()).filter(|_| *of != names.users[0]);
            row.presence.first_in_not_before = Some(at("19:40:52"));
            row
        })
        .collect();
    let whole = table(view, UsersTable::new(false, false, None), &rows);
    format!(
        "{}\n{whole}",
        table(view, UsersTable::new(true, false, None), &rows)
    )
}

fn timeline(names: &Names, view: TerminalStyle) -> String {
    let stays = stays(names);
    let mut labels = LaneLabels::default();
    let span = TimelineSpan::new(at("20:00:00").0, later("04:00:00").0, 10).unwrap();
    let key = |lanes: &Lanes| {
        lanes
            .lanes()
            .map(|(key, _)| key.clone())
            .collect::<Vec<_>>()
    };
    let mut lanes = Lanes::new(span, None);
    stays.iter().for_each(|stay| lanes.stay(stay));
    key(&lanes).iter().for_each(|key| labels.add(key));
    let (labels, columns) = labels.fit(&view);
    let span = TimelineSpan::new(span.from(), span.to(), columns).unwrap();
    let mut lanes = Lanes::new(span, None);
    stays.iter().for_each(|stay| lanes.stay(stay));
    evening().iter().for_each(|gap| lanes.gap(gap));
    for column in 0..columns {
        let middle = span.middle(column);
        let publisher = |user: usize, certainty: Certainty| {
            json!({
                "user": names.users[user], "connection": "", "certainty": certainty,
            })
        };
        let of_bo = if middle > later("01:00:00").0 {
            Certainty::Assumed
        } else {
            Certainty::Certain
        };
        let topics = json!([
            {"topic": names.topics[0], "publishers": [publisher(3, of_bo)]},
            {"topic": names.topics[1], "publishers": [publisher(0, Certainty::Possible)]},
        ]);
        let who =
            json!({"channel": names.channel, "seq": 1, "coverage": "complete", "topics": topics});
        lanes.who(column, &made(who));
    }
    drawn_once(
        view,
        &(names.channel, &lanes, labels, WallClock::default()),
        |sink, view, picture| tables::timeline(sink, view, *picture),
    )
}

fn verify(names: &Names, view: TerminalStyle) -> String {
    let mut damaged = whole();
    damaged.ok = false;
    let detail = format!(
        "the roster of {} has {} twice",
        names.channel, names.users[1]
    );
    damaged.problems = vec![
        made(json!({"seq": 9, "kind": "chain", "detail": "the link does not follow"})),
        made(json!({"seq": 12_345, "kind": "roster", "detail": detail})),
    ];
    drawn_once(view, &damaged, tables::verify)
}

fn who(names: &Names, view: TerminalStyle) -> String {
    let mut who = roll(CoverageAnswer::Blind, Some(at("20:45:00")));
    who.channel = names.channel.to_owned();
    for (topic, name) in who.topics.iter_mut().zip(names.topics) {
        topic.topic = name.to_owned();
    }
    let [first, second] = &mut who.topics[0].publishers[..] else {
        panic!()
    };
    first.user = names.users[1].to_owned();
    (second.user, second.connection) = (names.users[0].to_owned(), names.phone.to_owned());
    who.topics[1].publishers[0].user = names.users[2].to_owned();
    drawn_once(view, &who, tables::who)
}
