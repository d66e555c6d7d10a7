//! Rollbook's own format, and what holds for lines of every shape: fields, limits, names, refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use crate::parsed;
use parsed::*;
use rollbook::domain::event::*;
use rollbook::domain::order::Stamp;
use rollbook::feed::{Defaults, parse};
use std::borrow::Cow;

/// The message for a `ts` that is no time.
const NO_TIME: &str = "ts is not a whole number or a time such as 2026-05-14T20:30:00Z";

#[test]
fn own_changes() {
    let line = r#"{"t":"leave","channel":"c","topic":"t","user":"u","conn":"x","meta":{"b":1.0,"a":null},"reason":"r","pos":[3,-1],"ts":1e3,"id":"i","observer":"o","self":"me","else":[1]}"#;
    assert_eq!(
        event(line),
        Event {
            observer: "o".into(),
            self_user: Some("me".into()),
            id: Some("i".into()),
            stamp: Stamp {
                pos: Some([3, -1]),
                ts: Some(1000)
            },
            payload: EventPayload::Changes {
                channel: "c".into(),
                changes: vec![ReportedChange {
                    kind: ChangeKind::Leave,
                    topic: "t".into(),
                    who: ReportedMember {
                        conn: "x".into(),
                        reason: Some("r".into()),
                        ..who("u", Some(r#"{"a":null,"b":1}"#))
                    },
                }],
                together: false,
                occupancy: None,
            },
        }
    );
    assert_eq!(
        changes(r#"{"t":"update","channel":"c","topic":"t","user":"u","conn":""}"#),
        ["Update t u"]
    );
    assert_eq!(
        changes(r#"{"t":"join","channel":"c","topic":"t","user":"u","conn":null}"#),
        ["Join t u"]
    );
}

#[test]
fn own_diff_takes_leaves_first() {
    let line = r#"{"t":"diff","channel":"c","joins":{"z":[{"user":"1"}],"a":[{"user":"2","pos":[1,2],"ts":5,"reason":"r"}]},"leaves":{"m":[{"user":"3"},{"user":"4"}]}}"#;
    assert_eq!(
        changes(line),
        ["Leave m 3", "Leave m 4", "Join z 1", "Join a 2"]
    );
    let EventPayload::Changes {
        changes: list,
        together,
        ..
    } = said(line)
    else {
        panic!()
    };
    assert!(together);
    assert_eq!(
        list[3].who.stamp,
        Stamp {
            pos: Some([1, 2]),
            ts: Some(5)
        }
    );
    assert_eq!(list[3].who.reason.as_deref(), Some("r"));
    assert_eq!(
        changes(r#"{"t":"diff","channel":"c","leaves":{"m":[{"user":"3"}]}}"#),
        ["Leave m 3"]
    );
    assert_eq!(
        said(r#"{"t":"diff","channel":"c","joins":{},"leaves":{"a":[]}}"#),
        EventPayload::Nothing
    );
    assert_eq!(
        refused(r#"{"t":"diff","channel":"c"}"#),
        "joins (or leaves) is missing"
    );
}

#[test]
fn own_snapshots() {
    let line = r#"{"t":"snapshot","channel":"c","topics":{"t":[{"user":"u","conn":"1"}],"e":[],"t":[{"user":"v"}]},"incomplete":true}"#;
    let seen = shown(line);
    assert!(seen.incomplete);
    let users: Vec<_> = seen
        .topics
        .iter()
        .map(|t| (t.topic.as_ref(), t.members.len()))
        .collect();
    assert_eq!(users, [("e", 0), ("t", 1)]);
    assert_eq!(seen.topics[1].members[0].user, "v");
    assert_eq!(
        said(r#"{"t":"snapshot_begin","channel":"c","sync":"s","incomplete":false}"#),
        EventPayload::SnapshotBegin {
            channel: "c".into(),
            sync: "s".into(),
            incomplete: false
        }
    );
    assert_eq!(
        said(r#"{"t":"snapshot_end","channel":"c","sync":"s","incomplete":true}"#),
        EventPayload::SnapshotEnd {
            channel: "c".into(),
            sync: "s".into(),
            incomplete: true
        }
    );
    assert_eq!(
        said(r#"{"t":"snapshot_page","channel":"c","sync":"s","topics":{}}"#),
        EventPayload::SnapshotPage {
            channel: "c".into(),
            sync: "s".into(),
            shown: ReportedListing::default()
        }
    );
}

#[test]
fn own_link_and_token() {
    assert_eq!(
        said(r#"{"t":"link","state":"down","channels":["a"],"reason":"r"}"#),
        EventPayload::Link(ReportedLink {
            state: LinkState::Down,
            channels: vec!["a".into()],
            unrestored: vec![],
            service: Service::All,
            reason: Some("r".into())
        })
    );
    assert!(matches!(
        said(r#"{"t":"link","state":"up"}"#),
        EventPayload::Link(ReportedLink {
            state: LinkState::Up,
            ..
        })
    ));
    for (state, wanted) in [
        ("will_expire", TokenState::WillExpire),
        ("expired", TokenState::Expired),
        ("renewed", TokenState::Renewed),
        ("revoked", TokenState::Revoked),
    ] {
        let line = format!(r#"{{"t":"token","state":"{state}","channel":"c"}}"#);
        assert!(
            matches!(said(&line), EventPayload::Token(t) if t.state == wanted && t.channel.as_deref() == Some("c"))
        );
    }
}

#[test]
fn own_refusals() {
    let cases = [
        (r#"{"t":"who"}"#, "t is \"who\", which is not known"),
        (
            r#"{"t":"join","topic":"t","user":"u"}"#,
            "channel is missing",
        ),
        (
            r#"{"t":"join","channel":"c","user":"u"}"#,
            "topic is missing",
        ),
        (
            r#"{"t":"join","channel":"c","topic":"t"}"#,
            "user is missing",
        ),
        (
            r#"{"t":"join","channel":"c","topic":"t","user":""}"#,
            "user is empty",
        ),
        (
            r#"{"t":"join","channel":"c","topic":"t","user":"u","conn":1}"#,
            "conn is not a string",
        ),
        (
            r#"{"t":"join","channel":"c","topic":"t","user":"u","reason":[]}"#,
            "reason is not a string",
        ),
        (r#"{"t":"snapshot","channel":"c"}"#, "topics is missing"),
        (
            r#"{"t":"snapshot","channel":"c","topics":[]}"#,
            "topics is not an object",
        ),
        (
            r#"{"t":"snapshot","channel":"c","topics":{"t":{}}}"#,
            "topics has an element that is not a list",
        ),
        (
            r#"{"t":"snapshot","channel":"c","topics":{"":[]}}"#,
            "topic is empty",
        ),
        (
            r#"{"t":"snapshot","channel":"c","topics":{"\ud800":[]}}"#,
            "topic has a lone surrogate",
        ),
        (
            r#"{"t":"snapshot","channel":"c","topics":{"t":["u"]}}"#,
            "topics has an element that is not an object",
        ),
        (
            r#"{"t":"snapshot","channel":"c","topics":{"t":[{"user":"u","ts":"1"}]}}"#,
            NO_TIME,
        ),
        (
            r#"{"t":"snapshot","channel":"c","topics":{},"incomplete":1}"#,
            "incomplete is not true or false",
        ),
        (r#"{"t":"snapshot_begin","channel":"c"}"#, "sync is missing"),
        (
            r#"{"t":"snapshot_page","channel":"c","sync":"s"}"#,
            "topics is missing",
        ),
        (
            r#"{"t":"snapshot_end","channel":"c","sync":""}"#,
            "sync is empty",
        ),
        (r#"{"t":"link"}"#, "state is missing"),
        (
            r#"{"t":"link","state":"UP"}"#,
            "state is \"UP\", which is not known",
        ),
        (
            r#"{"t":"link","state":"up","channels":{}}"#,
            "channels is not a list",
        ),
        (
            r#"{"t":"token","state":"gone"}"#,
            "state is \"gone\", which is not known",
        ),
        (
            r#"{"t":"token","state":"expired","channel":""}"#,
            "channel is empty",
        ),
    ];
    for (line, sentence) in cases {
        assert_eq!(refused(line), sentence, "{line}");
    }
}

#[test]
fn line_fields() {
    let with = |fields: &str| format!(r#"{{"t":"link","state":"up",{fields}}}"#);
    let cases = [
        (r#""ts":1.5"#, NO_TIME),
        (r#""ts":"1000""#, NO_TIME),
        (r#""ts":true"#, NO_TIME),
        (
            r#""ts":253402300800000"#,
            "ts is outside the years 1 to 9999",
        ),
        (
            r#""ts":-62135596800001"#,
            "ts is outside the years 1 to 9999",
        ),
        (r#""ts":1e99"#, "ts is outside the years 1 to 9999"),
        (r#""ts":1e-99999999999"#, NO_TIME),
        (r#""pos":1"#, "pos is not a list"),
        (
            r#""pos":[1]"#,
            "pos is not a pair of whole numbers of 64 bits",
        ),
        (
            r#""pos":[1,2,3]"#,
            "pos is not a pair of whole numbers of 64 bits",
        ),
        (
            r#""pos":[1,9223372036854775808]"#,
            "pos is not a pair of whole numbers of 64 bits",
        ),
        (
            r#""pos":[1,"2"]"#,
            "pos is not a pair of whole numbers of 64 bits",
        ),
        (r#""id":1"#, "id is not a string"),
        (r#""id":"""#, "id is empty"),
        (r#""observer":"""#, "observer is empty"),
        (r#""observer":1"#, "observer is not a string"),
        (r#""self":[]"#, "self is not a string or a whole number"),
        (r#""observer":"\udc00""#, "observer has a lone surrogate"),
        (r#""reason":"\ud800x""#, "reason has a lone surrogate"),
        (r#""reason":"\ud800\ud800""#, "reason has a lone surrogate"),
    ];
    for (fields, sentence) in cases {
        assert_eq!(refused(with(fields)), sentence, "{fields}");
    }
    let stamp = |fields: &str| event(&with(fields)).stamp;
    for ts in ["1000", "1000.0", "1e3", "10000e-1", "0.1E+4"] {
        assert_eq!(stamp(&format!(r#""ts":{ts}"#)).ts, Some(1000), "{ts}");
    }
    assert_eq!(stamp(r#""ts":-0.0"#).ts, Some(0));
    assert_eq!(
        stamp(r#""ts":253402300799999"#).ts,
        Some(253_402_300_799_999)
    );
    assert_eq!(
        stamp(r#""ts":null,"pos":null,"id":null,"self":null"#),
        Stamp::NONE
    );
    assert_eq!(
        stamp(r#""pos":[9007199254740993.0,-9223372036854775808]"#).pos,
        Some([9_007_199_254_740_993, i64::MIN])
    );
    // The last of repeated keys counts, and only that one.
    assert_eq!(stamp(r#""ts":"no","ts":1,"\u0074s":2"#).ts, Some(2));
    // Agora's `timestamp`, and the `ts` that every line may have.
    let agora = r#"{"eventType":"NONE","channelName":"c","timestamp":5,"ts":6}"#;
    assert_eq!(event(agora).stamp.ts, Some(6));
    assert_eq!(event(&agora.replace(":6", ":null")).stamp.ts, Some(5));
    assert_eq!(
        refused(agora.replace(":5", ":\"5\"")),
        NO_TIME.replace("ts", "timestamp")
    );
    let defaults = Defaults::of("d").self_user("me");
    let line = with(r#""observer":"o""#);
    let event = parse(line.as_bytes(), &defaults).unwrap();
    assert_eq!(event.observer, "o");
    assert_eq!(event.self_user.as_deref(), Some("me"));
}

#[test]
fn limits() {
    let join = |user: &str, rest: &str| {
        format!(r#"{{"t":"join","channel":"c","topic":"t","user":"{user}"{rest}}}"#)
    };
    event(&join(&"u".repeat(1024), ""));
    assert_eq!(
        refused(join(&"u".repeat(1025), "")),
        "user is 1025 bytes long; at most 1024 are allowed"
    );
    assert_eq!(
        refused(join(&"é".repeat(513), "")),
        "user is 1026 bytes long; at most 1024 are allowed"
    );
    event(&join("u", &format!(r#","id":"{}""#, "i".repeat(128))));
    assert_eq!(
        refused(join("u", &format!(r#","id":"{}""#, "i".repeat(129)))),
        "id is 129 bytes long; at most 128 are allowed"
    );
    assert_eq!(
        refused(join("u", &format!(r#","reason":"{}""#, "r".repeat(4097)))),
        "reason is 4097 bytes long; at most 4096 are allowed"
    );
    assert_eq!(
        refused(join("u", &format!(r#","conn":"{}""#, "r".repeat(1025)))),
        "conn is 1025 bytes long; at most 1024 are allowed"
    );
    event(&join(
        "u",
        &format!(r#","meta":"{}""#, "m".repeat((256 << 10) - 2)),
    ));
    let nested = |depth: usize| {
        let brackets = "[".repeat(depth) + &"]".repeat(depth);
        (
            join("u", &format!(r#","meta":{brackets}"#)),
            join("u", &format!(r#","unknown":{brackets}"#)),
        )
    };
    let (known, unknown) = nested(127);
    event(&known);
    event(&unknown);
    let (known, unknown) = nested(128);
    assert!(refused(known).starts_with("not read: JSON nested deeper than 128 levels at column "));
    assert!(refused(unknown).starts_with("not read: JSON nested deeper than 128 levels"));
    assert!(refused("[".repeat(1 << 20)).starts_with("not read: JSON nested deeper"));
    let long = format!(r#"{{"t":"{}"}}"#, "é".repeat(100_000));
    assert!(refused(long).len() < 200);
}

#[test]
fn names_are_kept_byte_for_byte() {
    for (name, json) in [
        ("__proto__", "__proto__"),
        ("\0", "\\u0000"),
        ("😀", "\\uD83D\\ude00"),
        ("😀 a/b#.*", "😀 a\\/b#.*"),
        (" A ", " A "),
        ("\"\\\u{8}\u{c}\n\r\t", "\\\"\\\\\\b\\f\\n\\r\\t"),
        ("\u{7f}\u{2028}", "\u{7f}\u{2028}"),
    ] {
        let line = format!(
            r#"{{"t":"snapshot","channel":"{json}","topics":{{"{json}":[{{"user":"{json}","conn":"{json}"}}]}}}}"#
        );
        let EventPayload::Snapshot { channel, shown } = said(&line) else {
            panic!()
        };
        let topic = &shown.topics[0];
        let member = &topic.members[0];
        assert_eq!(
            [&*channel, &*topic.topic, &*member.user, &*member.conn],
            [name; 4]
        );
        assert_eq!(
            matches!(channel, Cow::Borrowed(_)),
            !json.contains('\\'),
            "{json}"
        );
    }
}

#[test]
fn not_json_and_no_shape() {
    let cases = [
        ("", "not JSON: the line ends at column 1"),
        ("{", "not JSON: the line ends at column 2"),
        (
            r#"{"t":"link","state":"up"} x"#,
            "not JSON: something follows the value at column 27",
        ),
        (
            r#"{"t":"link","state":"up",}"#,
            "not JSON: a key is expected at column 26",
        ),
        (
            r#"{"t":"link" "state"}"#,
            "not JSON: a comma or } is expected at column 13",
        ),
        (r#"{"t" 1}"#, "not JSON: a colon is expected at column 6"),
        (r#"{"t":NaN}"#, "not JSON: a value is expected at column 6"),
        (
            r#"{"t":01}"#,
            "not JSON: a comma or } is expected at column 7",
        ),
        (r#"{"t":1.}"#, "not JSON: a digit is expected at column 8"),
        (r#"{"t":-}"#, "not JSON: a digit is expected at column 7"),
        (
            r#"{"t":[1 2]}"#,
            "not JSON: a comma or ] is expected at column 9",
        ),
        (r#"{"t":"a"#, "not JSON: a string has no end at column 8"),
        (
            "{\"t\":\"a\nb\"}",
            "not JSON: a control character is not escaped at column 8",
        ),
        (r#"{"t":"\x"}"#, "not JSON: an unknown escape at column 8"),
        (
            r#"{"t":"\u12g4"}"#,
            "not JSON: four hexadecimal digits are expected at column 11",
        ),
        (r#"{"t":nul}"#, "not JSON: a value is expected at column 6"),
    ];
    for (line, sentence) in cases {
        assert_eq!(refused(line), sentence, "{line}");
    }
    for line in [
        "{}",
        "[]",
        "1",
        "null",
        "\"t\"",
        r#"{"t":1}"#,
        r#"{"type":"join"}"#,
        r#"{"eventType":1}"#,
    ] {
        assert!(refused(line).starts_with("no known shape"), "{line}");
    }
    assert_eq!(refused(b"{\"t\":\"\xff\"}"), "not UTF-8 (byte 7)");
    assert_eq!(refused(b"\xed\xa0\x80"), "not UTF-8 (byte 1)");
    event("\u{feff} {\"t\":\"link\",\"state\":\"up\"} \t\r");
    assert_eq!(
        refused("\u{feff}x"),
        "not JSON: a value is expected at column 4"
    );
}
