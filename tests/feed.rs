//! The feed: each shape, each rule of what a line says, each sentence of refusal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use rollbook::domain::event::*;
use rollbook::domain::order::Stamp;
use rollbook::feed::{Defaults, parse};
use std::borrow::Cow;

const DEFAULTS: Defaults<'static> = Defaults {
    observer: "default",
    self_user: None,
};

fn event(line: &str) -> Event<'_> {
    parse(line.as_bytes(), &DEFAULTS).unwrap_or_else(|refusal| panic!("{line}: {refusal}"))
}

fn said(line: &str) -> Said<'_> {
    event(line).said
}

fn refused(line: impl AsRef<[u8]>) -> String {
    parse(line.as_ref(), &DEFAULTS)
        .expect_err(&String::from_utf8_lossy(line.as_ref()))
        .to_string()
}

fn who<'a>(user: &'a str, meta: Option<&'a str>) -> MemberSaid<'a> {
    MemberSaid {
        user: user.into(),
        conn: "".into(),
        meta: meta.map(Into::into),
        stamp: Stamp::NONE,
        reason: None,
    }
}

/// `kind topic user` of each change.
fn changes(line: &str) -> Vec<String> {
    match said(line) {
        Said::Changes { changes, .. } => changes
            .iter()
            .map(|c| format!("{:?} {} {}", c.kind, c.topic, c.who.user))
            .collect(),
        Said::Nothing => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn shown(line: &str) -> Shown<'_> {
    match said(line) {
        Said::Snapshot { shown, .. } | Said::SnapshotPage { shown, .. } => shown,
        other => panic!("{other:?}"),
    }
}

fn js(kind: &str, publisher: &str, topics: &str) -> String {
    format!(
        r#"{{"channelType":"STREAM","channelName":"c","eventType":"{kind}","publisher":"{publisher}","timestamp":7,"topicInfos":{topics}}}"#
    )
}

#[test]
fn agora_js_live() {
    let line = js(
        "REMOTE_JOIN",
        "ann",
        r#"[{"topicName":"t","totalPublisher":1,"publishers":[{"publisherUserId":"ann","publisherMeta":"{\"a\":1}"}]}]"#,
    );
    let event = event(&line);
    assert_eq!(event.observer, "default");
    assert_eq!((event.id, event.self_user), (None, None));
    assert_eq!(
        event.stamp,
        Stamp {
            pos: None,
            ts: Some(7)
        }
    );
    assert_eq!(
        event.said,
        Said::Changes {
            channel: "c".into(),
            changes: vec![ChangeSaid {
                kind: Kind::Join,
                topic: "t".into(),
                who: who("ann", Some(r#""{\"a\":1}""#)),
            }],
            together: false,
        }
    );
}

#[test]
fn agora_live_concerns_the_publisher_only() {
    let both = r#"[{"topicName":"t","publishers":[{"publisherUserId":"ann"},{"publisherUserId":"bob"}]},{"topicName":"u","publishers":[]}]"#;
    assert_eq!(
        changes(&js("REMOTE_LEAVE", "ann", both)),
        ["Leave t ann", "Leave u ann"]
    );
    assert_eq!(
        changes(&js("REMOTE_JOIN", "", both)),
        ["Join t ann", "Join t bob"]
    );
    let without = js("REMOTE_JOIN", "", both).replace(r#""publisher":"","#, "");
    assert_eq!(changes(&without), ["Join t ann", "Join t bob"]);
    let null = js("REMOTE_JOIN", "", both).replace(r#""publisher":"""#, r#""publisher":null"#);
    assert_eq!(changes(&null), ["Join t ann", "Join t bob"]);
    let others = r#"[{"topicName":"t","publishers":[{"publisherUserId":"bob"}]}]"#;
    assert_eq!(said(&js("REMOTE_JOIN", "ann", others)), Said::Nothing);
    assert_eq!(said(&js("REMOTE_JOIN", "ann", "[]")), Said::Nothing);
    let empty = r#"[{"topicName":"t","publishers":[]}]"#;
    assert_eq!(said(&js("REMOTE_JOIN", "", empty)), Said::Nothing);
    assert_eq!(
        said(r#"{"eventType":"NONE","channelName":"c"}"#),
        Said::Nothing
    );
}

#[test]
fn agora_live_that_says_nothing_is_still_checked() {
    let total = r#"[{"topicName":"t","totalPublisher":"1","publishers":[]}]"#;
    assert_eq!(
        refused(js("NONE", "", total)),
        "totalPublisher is not a whole number of 0 or more"
    );
    assert_eq!(
        refused(r#"{"eventType":"NONE","channelName":"c","totalTopics":-1}"#),
        "totalTopics is not a whole number of 0 or more"
    );
}

#[test]
fn agora_js_snapshot() {
    let line = r#"{"eventType":"SNAPSHOT","channelName":"c","publisher":"","totalTopics":2.0,"topicInfos":[
        {"topicName":"t","totalPublisher":3,"publishers":[{"publisherUserId":"ann","publisherMeta":null},{"publisherUserId":"bob","publisherMeta":{"b":1,"a":2}}]},
        {"topicName":"t","publishers":[]}]}"#;
    assert_eq!(
        shown(line),
        Shown {
            topics: vec![
                TopicShown {
                    topic: "t".into(),
                    total: Some(3),
                    members: vec![
                        who("ann", Some("null")),
                        who("bob", Some(r#"{"a":2,"b":1}"#))
                    ],
                },
                TopicShown {
                    topic: "t".into(),
                    total: None,
                    members: vec![]
                },
            ],
            total_topics: Some(2),
            incomplete: false,
        }
    );
    assert_eq!(shown(&js("SNAPSHOT", "", "[]")), Shown::default());
}

#[test]
fn agora_native() {
    let line = |number: &str| {
        format!(
            r#"{{"type":{number},"channelName":"c","publisher":"ann","timestamp":7,"topicInfoCount":1,"topicInfos":[{{"topic":"t","publisherCount":1,"publishers":[{{"publisherUserId":"ann","publisherMeta":"m"}}]}}]}}"#
        )
    };
    assert_eq!(said(&line("0")), Said::Nothing);
    assert_eq!(shown(&line("1")).total_topics, Some(1));
    assert_eq!(shown(&line("1.0")).topics[0].total, Some(1));
    assert_eq!(changes(&line("2")), ["Join t ann"]);
    assert_eq!(changes(&line("3")), ["Leave t ann"]);
    assert_eq!(refused(line("4")), "type is 4, which is not known");
    assert_eq!(refused(line("1.5")), "type is not a whole number");
    assert_eq!(
        refused(line("1").replace("\"topic\":", "\"topicName\":")),
        "topic is missing"
    );
    assert_eq!(
        refused(line("2").replace("\"publisherCount\":1", "\"publisherCount\":true")),
        "publisherCount is not a whole number of 0 or more"
    );
    assert_eq!(
        refused(line("2").replace("topicInfos", "other")),
        "topicInfos is missing"
    );
}

#[test]
fn agora_refusals() {
    let cases = [
        (
            r#"{"eventType":"SNAPSHOT","topicInfos":[]}"#,
            "channelName is missing",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c"}"#,
            "topicInfos is missing",
        ),
        (
            r#"{"eventType":"REMOTE_LEAVE","channelName":"c","publisher":"a"}"#,
            "topicInfos is missing",
        ),
        (
            r#"{"eventType":"REMOTE_JOIN","channelName":"c","topicInfos":null}"#,
            "topicInfos is missing",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","topicInfos":{}}"#,
            "topicInfos is not a list",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","topicInfos":[1]}"#,
            "topicInfos has an element that is not an object",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","topicInfos":[{"publishers":[]}]}"#,
            "topicName is missing",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","topicInfos":[{"topicName":"t"}]}"#,
            "publishers is missing",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","topicInfos":[{"topicName":"t","publishers":[{}]}]}"#,
            "publisherUserId is missing",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","topicInfos":[{"topicName":"t","publishers":[{"publisherUserId":1}]}]}"#,
            "publisherUserId is not a string",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":1,"topicInfos":[]}"#,
            "channelName is not a string",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"","topicInfos":[]}"#,
            "channelName is empty",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","publisher":5,"topicInfos":[]}"#,
            "publisher is not a string",
        ),
        (
            r#"{"eventType":"REMOTE_STATE_CHANGED","channelName":"c","topicInfos":[]}"#,
            "eventType is \"REMOTE_STATE_CHANGED\", which is not known",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","totalTopics":1.5,"topicInfos":[]}"#,
            "totalTopics is not a whole number of 0 or more",
        ),
        (
            r#"{"event":"presence","channelName":"c"}"#,
            "event is \"presence\", which is not known",
        ),
        (r#"{"event":"linkState"}"#, "currentState is missing"),
        (
            r#"{"event":"linkState","currentState":"CONNECTEDISH"}"#,
            "currentState is \"CONNECTEDISH\", which is not known",
        ),
        (
            r#"{"event":"linkState","currentState":"CONNECTED","affectedChannels":"c"}"#,
            "affectedChannels is not a list",
        ),
        (
            r#"{"event":"linkState","currentState":"CONNECTED","affectedChannels":[null]}"#,
            "affectedChannels has an element that is not a string",
        ),
        (
            r#"{"event":"linkState","currentState":"CONNECTED","unrestoredChannels":[""]}"#,
            "unrestoredChannels is empty",
        ),
        (
            r#"{"event":"linkState","currentState":"FAILED","reasonCode":3}"#,
            "reasonCode is not a string",
        ),
        (
            r#"{"event":"token","eventType":"X"}"#,
            "eventType is \"X\", which is not known",
        ),
        (r#"{"event":"token"}"#, "eventType is missing"),
    ];
    for (line, sentence) in cases {
        assert_eq!(refused(line), sentence, "{line}");
    }
}

#[test]
fn agora_link_and_token() {
    let link = |line| match said(line) {
        Said::Link(link) => link,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        link(
            r#"{"event":"linkState","currentState":"CONNECTED","previousState":"CONNECTING","reasonCode":"LOGIN_SUCCESS","affectedChannels":["a","b"],"unrestoredChannels":["b"],"isResumed":false,"timestamp":1}"#
        ),
        LinkSaid {
            up: true,
            channels: vec!["a".into(), "b".into()],
            unrestored: vec!["b".into()],
            elsewhere: false,
            reason: Some("LOGIN_SUCCESS".into()),
        }
    );
    for state in ["IDLE", "CONNECTING", "DISCONNECTED", "SUSPENDED", "FAILED"] {
        let line =
            format!(r#"{{"event":"linkState","currentState":"{state}","serviceType":"STREAM"}}"#);
        assert_eq!(
            said(&line),
            Said::Link(LinkSaid {
                up: false,
                channels: vec![],
                unrestored: vec![],
                elsewhere: false,
                reason: None
            })
        );
    }
    assert!(
        link(r#"{"event":"linkState","currentState":"FAILED","serviceType":"MESSAGE"}"#).elsewhere
    );

    let token = |line| match said(line) {
        Said::Token(token) => (
            token.state,
            token.channel.map(Cow::into_owned),
            token.reason.map(Cow::into_owned),
        ),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        token(r#"{"event":"token","eventType":"WILL_EXPIRE"}"#),
        (TokenState::WillExpire, None, None)
    );
    assert_eq!(
        token(r#"{"event":"token","eventType":"READ_PERMISSION_REVOKED","channelName":"c"}"#),
        (
            TokenState::Revoked,
            Some("c".into()),
            Some("READ_PERMISSION_REVOKED".into())
        )
    );
    assert_eq!(
        token(r#"{"event":"tokenPrivilegeWillExpire","channelName":"c"}"#),
        (TokenState::WillExpire, Some("c".into()), None)
    );
    assert_eq!(
        token(r#"{"event":"tokenPrivilegeWillExpire","channelName":""}"#),
        (TokenState::WillExpire, None, None)
    );
    let topic = js("SNAPSHOT", "", "[]").replacen('{', r#"{"event":"topic","#, 1);
    assert_eq!(shown(&topic), Shown::default());
}

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
            said: Said::Changes {
                channel: "c".into(),
                changes: vec![ChangeSaid {
                    kind: Kind::Leave,
                    topic: "t".into(),
                    who: MemberSaid {
                        conn: "x".into(),
                        reason: Some("r".into()),
                        ..who("u", Some(r#"{"a":null,"b":1}"#))
                    },
                }],
                together: false,
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
    let Said::Changes {
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
        Said::Nothing
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
        Said::SnapshotBegin {
            channel: "c".into(),
            sync: "s".into(),
            incomplete: false
        }
    );
    assert_eq!(
        said(r#"{"t":"snapshot_end","channel":"c","sync":"s","incomplete":true}"#),
        Said::SnapshotEnd {
            channel: "c".into(),
            sync: "s".into(),
            incomplete: true
        }
    );
    assert_eq!(
        said(r#"{"t":"snapshot_page","channel":"c","sync":"s","topics":{}}"#),
        Said::SnapshotPage {
            channel: "c".into(),
            sync: "s".into(),
            shown: Shown::default()
        }
    );
}

#[test]
fn own_link_and_token() {
    assert_eq!(
        said(r#"{"t":"link","state":"down","channels":["a"],"reason":"r"}"#),
        Said::Link(LinkSaid {
            up: false,
            channels: vec!["a".into()],
            unrestored: vec![],
            elsewhere: false,
            reason: Some("r".into())
        })
    );
    assert!(matches!(
        said(r#"{"t":"link","state":"up"}"#),
        Said::Link(LinkSaid { up: true, .. })
    ));
    for (state, wanted) in [
        ("will_expire", TokenState::WillExpire),
        ("expired", TokenState::Expired),
        ("renewed", TokenState::Renewed),
        ("revoked", TokenState::Revoked),
    ] {
        let line = format!(r#"{{"t":"token","state":"{state}","channel":"c"}}"#);
        assert!(
            matches!(said(&line), Said::Token(t) if t.state == wanted && t.channel.as_deref() == Some("c"))
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
            r#"{"t":"snapshot","channel":"c","topics":{"t":null}}"#,
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
            "ts is not a whole number of milliseconds",
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
        (r#""ts":1.5"#, "ts is not a whole number of milliseconds"),
        (r#""ts":"1000""#, "ts is not a whole number of milliseconds"),
        (r#""ts":true"#, "ts is not a whole number of milliseconds"),
        (
            r#""ts":253402300800000"#,
            "ts is outside the years 1 to 9999",
        ),
        (
            r#""ts":-62135596800001"#,
            "ts is outside the years 1 to 9999",
        ),
        (r#""ts":1e99"#, "ts is outside the years 1 to 9999"),
        (
            r#""ts":1e-99999999999"#,
            "ts is not a whole number of milliseconds",
        ),
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
        (r#""self":[]"#, "self is not a string"),
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
    // Agora's time, and the one that every line may have.
    let agora = r#"{"eventType":"NONE","channelName":"c","timestamp":5,"ts":6}"#;
    assert_eq!(event(agora).stamp.ts, Some(6));
    assert_eq!(event(&agora.replace(":6", ":null")).stamp.ts, Some(5));
    assert_eq!(
        refused(agora.replace(":5", ":\"5\"")),
        "timestamp is not a whole number of milliseconds"
    );
    let defaults = Defaults {
        observer: "d",
        self_user: Some("me"),
    };
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
    assert_eq!(
        refused(join(
            "u",
            &format!(r#","meta":"{}""#, "m".repeat((256 << 10) - 1))
        )),
        "meta is 262145 bytes long; at most 262144 are allowed"
    );
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
        let Said::Snapshot { channel, shown } = said(&line) else {
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

#[test]
fn the_first_recogniser_wins() {
    // `t`, then `event`, then `eventType`, then `type`; one of another type recognises nothing.
    assert!(matches!(
        said(
            r#"{"type":1,"eventType":"SNAPSHOT","event":"linkState","currentState":"FAILED","t":"link","state":"up"}"#
        ),
        Said::Link(LinkSaid { up: true, .. })
    ));
    assert!(matches!(
        said(
            r#"{"type":1,"eventType":"SNAPSHOT","event":"linkState","currentState":"FAILED","t":1}"#
        ),
        Said::Link(LinkSaid { up: false, .. })
    ));
    let both = js("NONE", "", "[]").replacen('{', r#"{"type":1,"#, 1);
    assert_eq!(said(&both), Said::Nothing);
    // Fields of other shapes are not looked at.
    event(&js("NONE", "", "[]").replacen(
        '{',
        r#"{"topics":5,"user":[],"state":{},"topicInfoCount":"x","#,
        1,
    ));
}
