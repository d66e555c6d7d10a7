//! The figures of people in a long trace, over a change to summer time, worked out twice more: in SQL, and by counting.

use rollbook_support::program::{Dice, Folder, folder};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

/// Midnights in Berlin around the night in which clocks are put forward.
const DAYS: [(i64, i64); 4] = [
    (1_774_566_000_000, 1_774_652_400_000),
    (1_774_652_400_000, 1_774_738_800_000),
    // 23 hours.
    (1_774_738_800_000, 1_774_821_600_000),
    (1_774_821_600_000, 1_774_908_000_000),
];
const SCHEDULE: &str = "starts_at,ends_at\n2026-03-27,2026-03-28\n2026-03-28,2026-03-29\n2026-03-29,2026-03-30\n2026-03-30,2026-03-31\n";
/// When nobody watches; once over a midnight.
const GAPS: [(i64, i64); 2] = [
    (DAYS[1].0 + 40_000_000, DAYS[1].0 + 43_000_000),
    (DAYS[2].0 - 1_800_000, DAYS[2].0 + 1_800_000),
];
/// Stays of the trace.
const STAYS: usize = 100_000;

/// A trace, and when each user truly was there.
struct Trace {
    text: String,
    truth: BTreeMap<String, Vec<(i64, i64)>>,
}

/// 700 users with two topics and two connections, with an hour now and then in which nobody watches.
fn trace() -> Trace {
    let mut dice = Dice::new(2_703);
    let (begin, end) = (DAYS[0].0, DAYS[3].1);
    let span = |dice: &mut Dice, most: u64| 1 + i64::try_from(dice.below(most)).unwrap();
    let mut events: Vec<(i64, bool, [String; 3])> = Vec::new();
    let mut truth: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    let mut stays = 0;
    for number in 0..2_100 {
        let user = format!("u{:03}", number % 700);
        let member = [
            ["chat", "chat", "screen"][number / 700].to_owned(),
            user.clone(),
            ["", "phone", ""][number / 700].to_owned(),
        ];
        let mut at = begin + span(&mut dice, 9_000_000);
        while at < end && stays < STAYS {
            let left = (at + span(&mut dice, 5_000_000)).min(end);
            events.push((at, true, member.clone()));
            events.push((left, false, member.clone()));
            truth.entry(user.clone()).or_default().push((at, left));
            stays += 1;
            at = left + span(&mut dice, 8_500_000);
        }
    }
    assert!(stays > 98_000, "{stays}");
    events.sort();
    let mut text =
        format!("{{\"t\":\"snapshot\",\"channel\":\"hall\",\"topics\":{{}},\"ts\":{begin}}}\n");
    let mut roster: BTreeSet<[String; 3]> = BTreeSet::new();
    let mut gaps = GAPS.into_iter().peekable();
    let mut blind = false;
    for (at, joins, member) in events {
        while let Some(&(from, to)) = gaps.peek() {
            if !blind && at >= from {
                text += &format!("{{\"t\":\"link\",\"state\":\"down\",\"ts\":{from}}}\n");
                blind = true;
            }
            if !blind || at < to {
                break;
            }
            let mut topics: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
            for [topic, user, conn] in &roster {
                topics
                    .entry(topic)
                    .or_default()
                    .push(serde_json::json!({"user": user, "conn": conn}));
            }
            text += &format!("{{\"t\":\"link\",\"state\":\"up\",\"ts\":{to}}}\n");
            text += &format!(
                "{{\"t\":\"snapshot\",\"channel\":\"hall\",\"topics\":{},\"ts\":{to}}}\n",
                serde_json::json!(topics)
            );
            gaps.next();
            blind = false;
        }
        if !blind {
            let [topic, user, conn] = &member;
            let what = if joins { "join" } else { "leave" };
            text += &format!(
                "{{\"t\":\"{what}\",\"channel\":\"hall\",\"topic\":\"{topic}\",\"user\":\"{user}\",\"conn\":\"{conn}\",\"ts\":{at}}}\n"
            );
        }
        if joins {
            roster.insert(member);
        } else {
            roster.remove(&member);
        }
    }
    Trace { text, truth }
}

/// User, begin, first in, last out, at least, at most.
type Line = (String, i64, Option<i64>, Option<i64>, i64, i64);

fn ms(time: &Value) -> Option<i64> {
    let time = time.as_str()?;
    Some(chrono_ms(time))
}

/// A line of `attendance` or of `stats --by user`.
fn as_line(line: &Value) -> Line {
    let [begin, first, last] = ["starts_at", "first_in", "last_out"].map(|field| ms(&line[field]));
    let [min, max] = ["min_ms", "max_ms"].map(|field| line[field].as_i64().unwrap());
    let user = line["user"].as_str().unwrap().to_owned();
    (user, begin.unwrap(), first, last, min, max)
}

/// RFC 3339 in UTC with milliseconds, by counting days.
fn chrono_ms(time: &str) -> i64 {
    let part = |from: usize, to: usize| time[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    // Days since 1970, by the months of a year that begins in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    (((days * 24 + part(11, 13)) * 60 + part(14, 16)) * 60 + part(17, 19)) * 1_000 + part(20, 23)
}

/// How long somebody was there in a time who was there in these, each of which may overlap others: by counting up and
/// down at their ends.
fn covered(parts: &[(i64, i64)], (from, to): (i64, i64)) -> i64 {
    let parts = parts.iter().filter(|(begin, end)| begin < end);
    let mut ends: Vec<(i64, i64)> = parts
        .flat_map(|&(begin, end)| [(begin, 1), (end, -1)])
        .map(|(at, by)| (at.clamp(from, to), by))
        .collect();
    ends.sort_by_key(|&(at, by)| (at, -by));
    let (mut here, mut since, mut sum) = (0, 0, 0);
    for (at, by) in ends {
        if here > 0 {
            sum += at - since;
        }
        (here, since) = (here + by, at);
    }
    sum
}

/// The figures out of the stays that `sessions` lists.
fn counted(sessions: &[Value]) -> BTreeSet<Line> {
    type Parts = Vec<(i64, i64)>;
    let mut users: BTreeMap<&str, [Parts; 3]> = BTreeMap::new();
    for stay in sessions {
        let [joined, joined_from, left, left_from] = [
            "joined_at",
            "joined_not_before",
            "left_at",
            "left_not_before",
        ]
        .map(|field| ms(&stay[field]));
        let (joined, left) = (joined.unwrap(), left.unwrap());
        let [present, sure, most] = users.entry(stay["user"].as_str().unwrap()).or_default();
        present.push((joined, left));
        sure.push((joined, left_from.unwrap_or(left)));
        most.push((joined_from.unwrap_or(joined), left));
    }
    let mut lines = BTreeSet::new();
    for (user, [present, sure, most]) in users {
        for (from, to) in DAYS {
            let touched: Vec<_> = present
                .iter()
                .filter(|(joined, left)| *joined < to && *left > from)
                .collect();
            let first = touched.iter().map(|(joined, _)| (*joined).max(from)).min();
            let last = touched.iter().map(|(_, left)| (*left).min(to)).max();
            let line = (
                user.to_owned(),
                from,
                first,
                last,
                covered(&sure, (from, to)),
                covered(&most, (from, to)),
            );
            if first.is_some() || line.5 > 0 {
                lines.insert(line);
            }
        }
    }
    lines
}

/// The same in SQL, by Python's SQLite.
const SQL: &str = r#"
import csv, datetime, sqlite3, sys
def ms(text):
    if not text: return None
    since = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(milliseconds=1)
db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE stay (user TEXT, joined INTEGER, joined_from INTEGER, went INTEGER, went_from INTEGER)")
db.execute("CREATE TABLE day (begin INTEGER, finish INTEGER)")
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        times = [ms(row[name]) for name in ("joined_at", "joined_not_before", "left_at", "left_not_before")]
        db.execute("INSERT INTO stay VALUES (?, ?, ?, ?, ?)", [row["user"], *times])
for day in sys.argv[2:]:
    db.execute("INSERT INTO day VALUES (?, ?)", [int(end) for end in day.split("/")])
union = """
    SELECT user, begin, sum(max(0, b - max(a, coalesce(before, a)))) AS ms FROM (
        SELECT user, begin, a, b, max(b) OVER (
            PARTITION BY user, begin ORDER BY a, b ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM (
            SELECT user, begin, max(%(from)s, begin) AS a, min(%(to)s, finish) AS b
            FROM stay JOIN day ON %(from)s < finish AND %(to)s > begin AND %(from)s < %(to)s))
    GROUP BY user, begin"""
query = f"""
    WITH sure AS ({union % {"from": "joined", "to": "coalesce(went_from, went)"}}),
    most AS ({union % {"from": "coalesce(joined_from, joined)", "to": "went"}}),
    present AS (
        SELECT user, begin, max(min(joined), begin) AS first_in, min(max(went), finish) AS last_out
        FROM stay JOIN day ON joined < finish AND went > begin GROUP BY user, begin, finish)
    SELECT most.user, most.begin, first_in, last_out, coalesce(sure.ms, 0), most.ms
    FROM most LEFT JOIN sure USING (user, begin) LEFT JOIN present USING (user, begin)"""
csv.writer(sys.stdout, lineterminator="\n").writerows(db.execute(query))
"#;

fn in_sql(folder: &Folder) -> Option<BTreeSet<Line>> {
    let has = Command::new("python3")
        .args(["-c", "import sqlite3"])
        .stderr(Stdio::null())
        .status();
    if !has.is_ok_and(|status| status.success()) {
        eprintln!("not tried: there is no python3 with sqlite3");
        return None;
    }
    let stays = folder
        .run(&["sessions", "hall", "--format", "csv"])
        .ok()
        .out;
    let stays = folder.file("stays.csv", stays);
    let days = DAYS.map(|(from, to)| format!("{from}/{to}"));
    let out = Command::new("python3")
        .args(["-c", SQL, &stays])
        .args(days)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let mut rows = csv::ReaderBuilder::new();
    let mut rows = rows.has_headers(false).from_reader(&out.stdout[..]);
    let number = |text: &str| (!text.is_empty()).then(|| text.parse::<i64>().unwrap());
    let line = |row: csv::StringRecord| -> Line {
        let at = |column: usize| number(&row[column]);
        (
            row[0].to_owned(),
            at(1).unwrap(),
            at(2),
            at(3),
            at(4).unwrap(),
            at(5).unwrap(),
        )
    };
    Some(rows.records().map(|row| line(row.unwrap())).collect())
}

#[test]
fn attendance_of_a_long_trace_is_what_sql_works_out_and_holds_the_truth() {
    let folder = folder!();
    let Trace { text, truth } = trace();
    folder.ingest(text, &[]);
    let schedule = folder.file("days.csv", SCHEDULE);
    let people = folder.ask(&[
        "attendance",
        "hall",
        "--zone",
        "Europe/Berlin",
        "--schedule",
        &schedule,
    ]);
    let answered: BTreeSet<Line> = people.iter().map(as_line).collect();
    assert!(answered.len() > 2_500, "{}", answered.len());
    let sessions = folder.ask(&["sessions", "hall"]);
    assert!(sessions.len() > 90_000, "{}", sessions.len());
    let same = |other: &BTreeSet<Line>| {
        let differ: Vec<_> = answered.symmetric_difference(other).take(6).collect();
        assert!(differ.is_empty(), "{differ:#?}");
    };
    same(&counted(&sessions));
    if let Some(lines) = in_sql(&folder) {
        same(&lines);
    }
    // What is sure is true, and what is true is possible: but for what came and went within a gap.
    let mut unsure = 0;
    for (user, begin, _, _, min, max) in &answered {
        let day = *DAYS.iter().find(|(from, _)| from == begin).unwrap();
        let truly = covered(&truth[user], day);
        let parts = GAPS.map(|(from, to)| (from.max(day.0), to.min(day.1)));
        let parts = parts.into_iter().filter(|(from, to)| from < to);
        let (seen, blind) = parts.fold((truly, 0), |(seen, blind), gap| {
            (seen - covered(&truth[user], gap), blind + gap.1 - gap.0)
        });
        assert!(seen <= *max, "{user} {begin}: {seen} > {max}");
        assert!(
            *min <= seen + blind,
            "{user} {begin}: {min} > {seen} + {blind}"
        );
        unsure += usize::from(min < max);
    }
    assert!(unsure > 100, "{unsure}");
    // The same by day, as a series.
    let days = folder.ask(&[
        "stats",
        "hall",
        "--by",
        "user",
        "--every",
        "1d",
        "--zone",
        "Europe/Berlin",
    ]);
    let days: BTreeSet<Line> = days
        .iter()
        .filter(|line| line["topic"].is_null())
        .map(as_line)
        .collect();
    same(&days);
}
