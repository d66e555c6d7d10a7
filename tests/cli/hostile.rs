//! Hostile lines: bad lines are kept with their position and the reason, good lines are recorded, nothing panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::limits;
use rollbook_support::program::{Folder, Ran, folder};
use serde_json::Value;

/// A good line of the user `u{n}`.
fn good(n: usize) -> Vec<u8> {
    format!(
        r#"{{"t":"join","channel":"a","topic":"b","user":"u{n}","ts":{}}}"#,
        n + 1
    )
    .into_bytes()
}

/// Ingests bytes as a file.
fn take(folder: &Folder, bytes: &[u8]) -> Ran {
    let file = folder.file("feed.jsonl", bytes);
    let ran = folder.run(&["ingest", &file]);
    let sum = ran.line();
    let lost = sum["lines"] != 0 && sum["lines"] == sum["rejected"];
    assert_eq!(ran.status, Some(i32::from(lost)), "{ran:?}");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    ran
}

/// Ingests bad lines between good ones, and returns their rejects. All good lines must be recorded.
fn among_good_ones(bad: &[Vec<u8>]) -> Vec<Value> {
    let folder = folder!();
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for (n, line) in bad.iter().enumerate() {
        bytes.extend([good(n), b"\n".to_vec()].concat());
        starts.push(bytes.len());
        bytes.extend([line.as_slice(), b"\n"].concat());
    }
    let ran = take(&folder, &bytes);
    let sum = ran.line();
    let history = folder.ask(&["history"]);
    let users: Vec<&str> = history
        .iter()
        .map(|entry| entry["user"].as_str().unwrap())
        .collect();
    let wanted: Vec<String> = (0..bad.len()).map(|n| format!("u{n}")).collect();
    assert_eq!(users, wanted);
    let rejects = folder.ask(&["rejects"]);
    assert_eq!(sum["rejected"], rejects.len());
    assert_eq!(rejects.len(), bad.len(), "{rejects:#?}");
    for (n, (reject, start)) in rejects.iter().zip(&starts).enumerate() {
        assert_eq!(reject["n"], n + 1);
        assert_eq!(reject["line"], 2 * n + 2);
        assert_eq!(reject["byte"], *start);
        assert_eq!(
            reject["source"],
            folder.path("feed.jsonl").to_str().unwrap()
        );
        let reason = reject["reason"].as_str().unwrap();
        assert!(!reason.is_empty());
        if n < limits::REJECTS_SHOWN_MAX {
            let notice = format!("feed.jsonl:{}: byte {start}: {reason}", 2 * n + 2);
            assert!(ran.err.contains(&notice), "{notice}\n{}", ran.err);
        }
        let kept = &bad[n][..bad[n].len().min(limits::REJECT_TEXT_BYTES_MAX)];
        assert_eq!(
            reject["text"].as_str().unwrap(),
            String::from_utf8_lossy(kept)
        );
    }
    assert_eq!(folder.verified(), bad.len() as u64);
    rejects
}

fn reasons(bad: &[&str]) -> Vec<String> {
    let bad: Vec<Vec<u8>> = bad.iter().map(|line| line.as_bytes().to_vec()).collect();
    let reason = |reject: &Value| reject["reason"].as_str().unwrap().to_owned();
    among_good_ones(&bad).iter().map(reason).collect()
}

fn join_with(field: &str, value: &str) -> String {
    let line = r#"{"t":"join","channel":"a","topic":"b","user":"x","ts":1}"#;
    let ended = &line[..line.len() - 1];
    let known = ["channel", "topic", "user", "ts"]
        .iter()
        .find(|known| **known == field);
    match known {
        Some(_) => {
            let begin = line.find(&format!("\"{field}\":")).unwrap() + field.len() + 3;
            let length = line[begin..].find([',', '}']).unwrap();
            format!("{}{value}{}", &line[..begin], &line[begin + length..])
        }
        None => format!("{ended},\"{field}\":{value}}}"),
    }
}

#[test]
fn wrong_types_and_numbers_out_of_range() {
    let cases = [
        ("channel", "7.5", "channel"),
        ("channel", "null", "channel"),
        ("channel", "\"\"", "channel"),
        ("topic", "[\"b\"]", "topic"),
        ("user", "{}", "user"),
        ("user", "true", "user"),
        ("ts", "\"1\"", "ts"),
        ("ts", "1.5", "ts"),
        ("ts", "1e400", "ts"),
        ("ts", "NaN", "not JSON"),
        ("ts", "-Infinity", "not JSON"),
        ("ts", "99999999999999999999", "ts"),
        ("ts", "253402300800000", "ts"),
        ("ts", "-62135596800001", "ts"),
        ("ts", "01", "not JSON"),
        ("pos", "3", "pos"),
        ("pos", "[1]", "pos"),
        ("pos", "[1,2,3]", "pos"),
        ("pos", "[9223372036854775808,0]", "pos"),
        ("id", "7", "id"),
        ("id", "\"\"", "id"),
        ("observer", "7", "observer"),
        ("self", "[]", "self"),
        ("reason", "{}", "reason"),
        ("conn", "1", "conn"),
    ];
    let lines: Vec<String> = cases
        .iter()
        .map(|(field, value, _)| join_with(field, value))
        .collect();
    let reasons = reasons(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    for ((field, value, named), reason) in cases.iter().zip(reasons) {
        assert!(reason.contains(named), "{field} {value}: {reason}");
    }
}

#[test]
fn names_beyond_their_limits() {
    let name = |length: usize| format!("\"{}\"", "n".repeat(length));
    let too_long = ["channel", "topic", "user", "conn", "observer", "self"]
        .map(|field| join_with(field, &name(limits::NAME_BYTES_MAX + 1)));
    let mut lines: Vec<String> = too_long.to_vec();
    lines.push(join_with("id", &name(limits::ID_BYTES_MAX + 1)));
    lines.push(join_with("reason", &name(limits::REASON_BYTES_MAX + 1)));
    // Bytes count, not letters: 342 letters of three bytes each.
    lines.push(join_with("user", &format!("\"{}\"", "€".repeat(342))));
    for (line, reason) in lines.iter().zip(reasons(
        &lines.iter().map(String::as_str).collect::<Vec<_>>(),
    )) {
        assert!(
            reason.contains("allowed") || reason.contains("most"),
            "{}: {reason}",
            &line[..60]
        );
    }
    let folder = folder!();
    let long = [
        join_with("user", &name(limits::NAME_BYTES_MAX)),
        join_with("user", &format!("\"{}\"", "€".repeat(341))),
        join_with("conn", &name(limits::NAME_BYTES_MAX)),
        join_with("id", &name(limits::ID_BYTES_MAX)),
        join_with("meta", &name(limits::META_BYTES_MAX - 2)),
    ];
    let sum = take(&folder, long.join("\n").as_bytes()).line();
    assert_eq!(
        (&sum["rejected"], &sum["entries"]),
        (&0.into(), &5.into()),
        "{sum}"
    );
    assert_eq!(folder.verified(), 5);
}

#[test]
fn text_that_is_no_text() {
    let bad: Vec<Vec<u8>> = vec![
        b"\x00".to_vec(),
        b"\x00\x01\x02\x03PNG\r\x1a".to_vec(),
        b"\xff\xfe{\x00}\x00".to_vec(),
        b"{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"x\xc3\"}".to_vec(),
        b"{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"x\xed\xa0\x80\"}".to_vec(),
        b"{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"x\x00y\"}".to_vec(),
        b"{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"x\ty\"}".to_vec(),
        br#"{"t":"join","channel":"a","topic":"b","user":"\ud800"}"#.to_vec(),
        br#"{"t":"join","channel":"a","topic":"b","user":"\udc00\ud800"}"#.to_vec(),
        br#"{"t":"join","channel":"a","topic":"b","user":"x","meta":"\ud83d"}"#.to_vec(),
        br#"{"t":"join","channel":"a","topic":"b","user":"\x41"}"#.to_vec(),
        br#"{"t":"join","channel":"a","topic":"b","user":"\u00"}"#.to_vec(),
        b"\x1b[2J\x1b[31mred".to_vec(),
    ];
    for reject in among_good_ones(&bad) {
        // The reason must be safe for a terminal, whatever the line was.
        assert!(
            !reject["reason"]
                .as_str()
                .unwrap()
                .contains(char::is_control),
            "{reject}"
        );
    }
}

#[test]
fn json_that_is_none_or_nothing_known() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let deep_meta = join_with("meta", &deep(10_000));
    let open = "{\"a\":".repeat(10_000);
    let lines = [
        "nonsense",
        "{",
        "}",
        "[]",
        "7",
        "null",
        "\"text\"",
        "{}",
        "{\"t\":7}",
        "{\"t\":\"jion\",\"channel\":\"a\"}",
        "{\"eventType\":\"SNAPSHOT\",\"channelName\":\"a\"}",
        "{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"x\"} {}",
        "{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"x\",}",
        "{'t':'join'}",
        "{\"t\":\"snapshot_end\",\"channel\":\"a\",\"sync\":\"s\"}",
        &deep_meta,
        &open,
        &deep(10_000),
    ];
    let reasons = reasons(&lines);
    assert!(
        reasons[15..]
            .iter()
            .all(|reason| reason.contains("deeper than 128")),
        "{reasons:#?}"
    );
}

#[test]
fn an_escaped_nul_and_a_doubled_key_are_text_like_any_other() {
    let folder = folder!();
    let lines = [
        r#"{"t":"join","channel":"a","topic":"b","user":"x\u0000y","ts":1}"#,
        r#"{"t":"join","channel":"a","topic":"b","user":"x","user":"z","ts":1}"#,
        r#"{"t":"join","channel":"a","topic":"__proto__","user":"#,
    ];
    let sum = take(&folder, (lines[..2].join("\n") + "\n").as_bytes()).line();
    assert_eq!(sum["rejected"], 0, "{sum}");
    let history = folder.ask(&["history"]);
    assert_eq!(history[0]["user"], "x\u{0}y");
    assert_eq!(history[1]["user"], "z", "of a repeated key the last counts");
    let table = folder.run(&["who", "a", "--format", "table"]).ok().out;
    assert!(table.contains("x\\0y") && !table.contains('\0'), "{table}");
}

#[test]
fn a_line_beyond_16_mib_is_kept_in_part() {
    let head = "{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"meta\":\"";
    let long = head.to_owned() + &"m".repeat(17 << 20) + "\",\"user\":\"x\"}";
    let rejects = among_good_ones(&[long.clone().into_bytes(), b"short".to_vec()]);
    let reason = rejects[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains(&long.len().to_string()) && reason.contains("16777216"),
        "{reason}"
    );
    // Just short enough to be read: it is recorded without its metadata.
    let barely = head.to_owned() + &"m".repeat((16 << 20) - head.len() - 13) + "\",\"user\":\"x\"}";
    assert!(barely.len() <= limits::LINE_BYTES_MAX);
    let folder = folder!();
    assert_eq!(take(&folder, barely.as_bytes()).line()["joins"], 1);
    let entry = &folder.ask(&["history"])[0];
    assert_eq!(
        (&entry["user"], &entry["meta"]),
        (&"x".into(), &Value::Null)
    );
    assert_eq!(entry["reason"], "meta_too_large");
}

#[test]
fn a_flood_of_bad_lines_is_named_ten_times_and_counted() {
    let folder = folder!();
    let mut bytes = [good(0), b"\n".to_vec()].concat();
    (0..10_000).for_each(|n| bytes.extend(format!("bad {n}\n").into_bytes()));
    bytes.extend(good(1));
    let ran = take(&folder, &bytes);
    let said: Vec<&str> = ran.err.lines().collect();
    assert_eq!(said.len(), 12, "{}", ran.err);
    assert!(said[0].contains(":2: byte ") && said[9].contains(":11: byte "));
    assert_eq!(said[10], "… and 9,990 more; rollbook rejects lists them");
    assert!(said[11].contains("before 1973"), "{}", said[11]);
    let rejects = folder.ask(&["rejects"]);
    assert_eq!(rejects.len(), 10_000);
    for (n, reject) in rejects.iter().enumerate() {
        assert_eq!(
            (&reject["n"], &reject["line"]),
            (&(n + 1).into(), &(n + 2).into())
        );
        assert_eq!(reject["text"], format!("bad {n}"));
    }
    assert_eq!(folder.verified(), 2);
}

#[test]
fn files_of_a_strange_form() {
    let summary = |bytes: &[u8]| {
        let folder = folder!();
        let sum = take(&folder, bytes).line();
        assert_eq!(
            folder.ask(&["history"]).len() as u64,
            sum["entries"].as_u64().unwrap()
        );
        assert_eq!(
            folder.ask(&["rejects"]).len() as u64,
            sum["rejected"].as_u64().unwrap()
        );
        folder.verified();
        [&sum["lines"], &sum["entries"], &sum["rejected"]].map(|n| n.as_u64().unwrap())
    };
    assert_eq!(summary(b""), [0, 0, 0]);
    assert_eq!(summary(b"\n"), [0, 0, 0]);
    assert_eq!(summary(b"\n \r\n\t\n\r\n   "), [0, 0, 0]);
    let lines = [good(0), good(1)];
    assert_eq!(summary(&lines.join(&b"\r\n"[..])), [2, 2, 0]);
    assert_eq!(
        summary(&[b"\xef\xbb\xbf", lines.join(&b"\n"[..]).as_slice()].concat()),
        [2, 2, 0]
    );
    for mark in [
        &b"\xef\xbb\xbf"[..],
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf \n",
    ] {
        assert_eq!(
            summary(mark),
            [0, 0, 0],
            "a byte order mark alone says nothing"
        );
    }
    // Half a line at the end is kept as a reject, and the rest is recorded.
    let half = &good(2)[..20];
    assert_eq!(
        summary(&[lines.join(&b"\n"[..]).as_slice(), b"\n", half].concat()),
        [3, 2, 1]
    );
    // Input that is not text at all, also after the first bytes of a packed file.
    assert_eq!(summary(&[0x7f; 300]), [1, 0, 1]);
    let noise: Vec<u8> = (0..200_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let folder = folder!();
    let file = folder.file("noise", &noise);
    let refused = folder.run(&["ingest", &file]).fails(1);
    assert!(refused.err.contains("binary data"), "{refused:?}");
    assert_eq!(
        (&refused.line()["lines"], folder.verified()),
        (&0.into(), 0)
    );
    for magic in [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd"] {
        let folder = folder!();
        let file = folder.file("feed", [magic, &noise[..1_000]].concat());
        folder.run(&["ingest", &file]).fails(1);
        assert_eq!(folder.verified(), 0);
    }
    folder!().run(&["ingest", "/"]).fails(1);
}
