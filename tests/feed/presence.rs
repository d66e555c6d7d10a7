//! Agora's presence events: the event of each line, in the JavaScript SDK's shape and in the native one, and how they
//! are distinguished from topic events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use crate::parsed;
use parsed::*;
use rollbook::domain::event::*;
use rollbook::feed::{Defaults, Settings, parse};

/// An event as agora-rtm 2.3.0 makes it, with every field.
fn js_event(event_type: &str, fields: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("channelType", r#""MESSAGE""#),
        ("channelName", r#""c""#),
        ("publisher", r#""""#),
        ("stateChanged", "{}"),
        ("interval", "null"),
        ("snapshot", "[]"),
        ("timestamp", "7"),
    ];
    put(&mut all, fields);
    format!(r#"{{"eventType":"{event_type}",{}}}"#, joined(&all))
}

/// The same event as agora-react-native-rtm forwards it.
fn native_event(number: u32, fields: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("channelType", "1"),
        ("channelName", r#""c""#),
        ("publisher", r#""""#),
        ("stateItems", "[]"),
        ("stateItemCount", "0"),
        ("timestamp", "7"),
    ];
    put(&mut all, fields);
    format!(r#"{{"type":{number},{}}}"#, joined(&all))
}

fn put<'a>(all: &mut Vec<(&'a str, &'a str)>, fields: &[(&'a str, &'a str)]) {
    for &(name, value) in fields {
        all.retain(|(known, _)| *known != name);
        all.push((name, value));
    }
}

fn joined(fields: &[(&str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name:?}:{value}"));
    fields.collect::<Vec<_>>().join(",")
}

const BY_ANN: (&str, &str) = ("publisher", r#""ann""#);

fn one(kind: ChangeKind, who: ReportedMember<'static>) -> EventPayload<'static> {
    EventPayload::Changes {
        channel: "message:c".into(),
        changes: vec![change(kind, who)],
        together: false,
        occupancy: None,
    }
}

fn change(kind: ChangeKind, who: ReportedMember<'static>) -> ReportedChange<'static> {
    ReportedChange {
        kind,
        topic: "presence".into(),
        who,
    }
}

fn late(
    who: ReportedMember<'static>,
    late_ms: i64,
    reason: Option<&'static str>,
) -> ReportedMember<'static> {
    ReportedMember {
        late_ms,
        reason: reason.map(Into::into),
        ..who
    }
}

#[test]
fn live_events() {
    let states = r#"{"b":"2","a":"1"}"#;
    let items = r#"[{"key":"b","value":"2"},{"key":"a","value":"1"}]"#;
    let canonical = Some(r#"{"a":"1","b":"2"}"#);
    let cases = [
        (
            js_event("REMOTE_JOIN", &[BY_ANN]),
            native_event(3, &[BY_ANN]),
            one(ChangeKind::Join, who("ann", Some("{}"))),
        ),
        (
            js_event("REMOTE_JOIN", &[BY_ANN, ("stateChanged", states)]),
            native_event(3, &[BY_ANN, ("stateItems", items)]),
            one(ChangeKind::Join, who("ann", canonical)),
        ),
        (
            js_event("REMOTE_LEAVE", &[BY_ANN]),
            native_event(4, &[BY_ANN]),
            one(ChangeKind::Leave, late(who("ann", None), 2_000, None)),
        ),
        (
            js_event("REMOTE_TIMEOUT", &[BY_ANN]),
            native_event(5, &[BY_ANN]),
            one(
                ChangeKind::Leave,
                late(who("ann", None), 300_000, Some("timeout")),
            ),
        ),
        (
            js_event("REMOTE_STATE_CHANGED", &[BY_ANN, ("stateChanged", states)]),
            native_event(6, &[BY_ANN, ("stateItems", items)]),
            one(ChangeKind::Update, who("ann", canonical)),
        ),
        (
            js_event("NONE", &[]),
            native_event(0, &[]),
            EventPayload::Nothing,
        ),
        (
            js_event("ERROR_OUT_OF_SERVICE", &[]),
            native_event(7, &[]),
            EventPayload::Nothing,
        ),
    ];
    for (js, native, wanted) in &cases {
        for line in [js, native] {
            assert_eq!(said(line), *wanted, "{line}");
            assert_eq!(event(line).stamp.ts, Some(7));
            // In the form in which a bridge forwards it.
            let forwarded = line.replacen('{', r#"{"event":"presence","#, 1);
            assert_eq!(said(&forwarded), *wanted);
        }
    }
    // From a language in which an empty map is null.
    let none = js_event("REMOTE_STATE_CHANGED", &[BY_ANN, ("stateChanged", "null")]);
    assert_eq!(said(&none), one(ChangeKind::Update, who("ann", Some("{}"))));
}

#[test]
fn the_kind_of_channel_is_part_of_its_name() {
    let channel = |line: &str| match said(line) {
        EventPayload::Changes { channel, .. } => channel.into_owned(),
        other => panic!("{other:?}"),
    };
    for (kind, name) in [
        (r#""MESSAGE""#, "message:c"),
        (r#""STREAM""#, "stream:c"),
        ("1", "message:c"),
        ("2", "stream:c"),
    ] {
        let kind = ("channelType", kind);
        assert_eq!(channel(&js_event("REMOTE_JOIN", &[BY_ANN, kind])), name);
        assert_eq!(channel(&native_event(3, &[BY_ANN, kind])), name);
    }
    let number = ("channelName", "12345678901234567890123");
    assert_eq!(
        channel(&js_event("REMOTE_JOIN", &[BY_ANN, number])),
        "message:12345678901234567890123"
    );
    // The limit applies to the resulting name.
    let longest = format!("{:?}", "n".repeat(1016));
    channel(&js_event(
        "REMOTE_JOIN",
        &[BY_ANN, ("channelName", &longest)],
    ));
    let longer = format!("{:?}", "n".repeat(1017));
    assert_eq!(
        refused(js_event("REMOTE_JOIN", &[BY_ANN, ("channelName", &longer)])),
        "channelName is 1025 bytes long; at most 1024 are allowed"
    );
}

#[test]
fn snapshots() {
    let users = r#"[{"userId":"ann","states":{"k":"v"},"statesCount":1},{"userId":"bob","states":{},"statesCount":0},{"userId":"cid"},{"userId":"dan","states":null}]"#;
    let members = vec![
        who("ann", Some(r#"{"k":"v"}"#)),
        who("bob", Some("{}")),
        // His states are unknown.
        who("cid", None),
        who("dan", Some("{}")),
    ];
    let of = |members: Vec<ReportedMember<'static>>, total| EventPayload::Snapshot {
        channel: "message:c".into(),
        shown: ReportedListing {
            topics: vec![ReportedTopic {
                topic: "presence".into(),
                total,
                members,
            }],
            ..ReportedListing::default()
        },
    };
    assert_eq!(
        said(&js_event("SNAPSHOT", &[("snapshot", users)])),
        of(members.clone(), None)
    );
    let native = users.replace(r#"{"k":"v"}"#, r#"[{"key":"k","value":"v"}]"#);
    let native = format!(r#"{{"userStateList":{native},"userCount":4}}"#);
    assert_eq!(
        said(&native_event(1, &[("snapshot", &native)])),
        of(members, Some(4))
    );
    for empty in ["[]", "null"] {
        assert_eq!(
            said(&js_event("SNAPSHOT", &[("snapshot", empty)])),
            of(vec![], None)
        );
        let native = format!(r#"{{"userStateList":{empty},"userCount":0}}"#);
        assert_eq!(
            said(&native_event(1, &[("snapshot", &native)])),
            of(vec![], Some(0))
        );
    }
    assert_eq!(refused(native_event(1, &[])), "snapshot is missing");
}

const INTERVAL: &str = r#"{"join":{"users":["dan","cid"],"userCount":2},"leave":{"users":["ann","bob"],"userCount":2},"timeout":{"users":["bob"],"userCount":1},"userStateList":[{"userId":"eve","states":{"k":"v"},"statesCount":1}],"totalOccupancy":3}"#;

fn interval(lates: [i64; 3]) -> EventPayload<'static> {
    let [timed_out, left, others] = lates;
    EventPayload::Changes {
        channel: "message:c".into(),
        changes: vec![
            change(
                ChangeKind::Leave,
                late(who("bob", None), timed_out, Some("timeout")),
            ),
            change(ChangeKind::Leave, late(who("ann", None), left, None)),
            change(ChangeKind::Join, late(who("dan", Some("{}")), others, None)),
            change(ChangeKind::Join, late(who("cid", Some("{}")), others, None)),
            change(
                ChangeKind::Update,
                late(who("eve", Some(r#"{"k":"v"}"#)), others, None),
            ),
        ],
        together: true,
        occupancy: Some(3),
    }
}

#[test]
fn intervals() {
    // A user who timed out and was then removed from the list has left once.
    assert_eq!(
        said(&js_event("INTERVAL", &[("interval", INTERVAL)])),
        interval([330_000, 32_000, 30_000])
    );
    let native = INTERVAL
        .replace("\"join\"", "\"joinUserList\"")
        .replace("\"leave\"", "\"leaveUserList\"")
        .replace("\"timeout\"", "\"timeoutUserList\"")
        .replace(r#"{"k":"v"}"#, r#"[{"key":"k","value":"v"}]"#);
    assert_eq!(
        said(&native_event(2, &[("interval", &native)])),
        interval([330_000, 32_000, 30_000])
    );
    let nulls =
        r#"{"join":{"users":null},"leave":null,"timeout":{"users":null},"userStateList":null}"#;
    assert_eq!(
        said(&js_event("INTERVAL", &[("interval", nulls)])),
        EventPayload::Nothing
    );
    // A count alone is an event, too.
    assert_eq!(
        said(&js_event(
            "INTERVAL",
            &[("interval", r#"{"totalOccupancy":9}"#)]
        )),
        EventPayload::Changes {
            channel: "message:c".into(),
            changes: vec![],
            together: true,
            occupancy: Some(9),
        }
    );
    assert_eq!(refused(js_event("INTERVAL", &[])), "interval is missing");
}

#[test]
fn how_late_is_a_setting() {
    let defaults = Defaults::of("default").settings(
        Settings::USUAL
            .presence_timeout_ms(10_000)
            .presence_interval_ms(5_000)
            .presence_debounce_ms(0),
    );
    let said = |line: &str| {
        parse(line.as_bytes(), &defaults)
            .unwrap()
            .into_owned()
            .payload
    };
    assert_eq!(
        said(&js_event("INTERVAL", &[("interval", INTERVAL)])),
        interval([15_000, 5_000, 5_000])
    );
    assert_eq!(
        said(&js_event("REMOTE_TIMEOUT", &[BY_ANN])),
        one(
            ChangeKind::Leave,
            late(who("ann", None), 10_000, Some("timeout"))
        )
    );
    assert_eq!(
        said(&js_event("REMOTE_LEAVE", &[BY_ANN])),
        one(ChangeKind::Leave, who("ann", None))
    );
}

#[test]
fn what_is_wrong_with_a_presence_event() {
    let cases = [
        (
            js_event("REMOTE_LEFT", &[BY_ANN]),
            "eventType is \"REMOTE_LEFT\", which is not known",
        ),
        (native_event(8, &[BY_ANN]), "type is 8, which is not known"),
        (js_event("REMOTE_JOIN", &[]), "publisher is missing"),
        (
            js_event("REMOTE_JOIN", &[BY_ANN, ("channelType", r#""USER""#)]),
            "channelType is \"USER\", which is not known",
        ),
        (
            native_event(3, &[BY_ANN, ("channelType", "3")]),
            "channelType is 3, which is not known",
        ),
        (
            js_event("REMOTE_JOIN", &[BY_ANN, ("channelType", "[]")]),
            "channelType is not a string",
        ),
        (
            js_event("REMOTE_JOIN", &[BY_ANN, ("stateChanged", "\"on\"")]),
            "stateChanged is not a list",
        ),
        (
            native_event(6, &[BY_ANN, ("stateItems", r#"[{"value":"v"}]"#)]),
            "key is missing",
        ),
        (
            native_event(6, &[BY_ANN, ("stateItems", r#"[{"key":1}]"#)]),
            "key is not a string",
        ),
        (
            js_event("SNAPSHOT", &[("snapshot", r#"[{"states":{}}]"#)]),
            "userId is missing",
        ),
        (
            js_event("SNAPSHOT", &[("snapshot", "\"all\"")]),
            "snapshot is not a list",
        ),
        (
            js_event("NONE", &[("interval", "[]")]),
            "interval is not an object",
        ),
        (
            js_event("INTERVAL", &[("interval", r#"{"join":{"users":[true]}}"#)]),
            "users has an element that is not a string or a whole number",
        ),
        (
            js_event("INTERVAL", &[("interval", r#"{"totalOccupancy":-1}"#)]),
            "totalOccupancy is not a whole number of 0 or more",
        ),
    ];
    for (line, sentence) in cases {
        assert_eq!(refused(&line), sentence, "{line}");
    }
}

#[test]
fn topic_and_presence_events_are_not_mistaken_for_each_other() {
    // JavaScript: `channelType` beside `stateChanged`.
    let topic = js(
        "REMOTE_LEAVE",
        "ann",
        r#"[{"topicName":"t","publishers":[{"publisherUserId":"ann"}]}]"#,
    );
    assert_eq!(changes(&topic), ["Leave t ann"]);
    for without in [r#""channelType":"MESSAGE","#, r#""stateChanged":{},"#] {
        let line = js_event("SNAPSHOT", &[]).replace(without, "");
        assert_eq!(refused(line), "topicInfos is missing");
    }
    // Native: a topic event has no channel type. If one was added, the line still has its topics or their number.
    let native = r#"{"type":3,"channelName":"c","publisher":"ann","topicInfoCount":1,"topicInfos":[{"topic":"t","publishers":[]}]}"#;
    let added = native.replacen('{', r#"{"channelType":2,"#, 1);
    assert_eq!(changes(&added), ["Leave t ann"]);
    for line in [
        native.replace("topicInfos", "other"),
        added.replace("topicInfos", "other"),
        r#"{"type":3,"channelName":"c","publisher":"ann"}"#.to_owned(),
        r#"{"type":3,"channelType":2,"channelName":"c","publisher":"ann","topicInfos":null}"#
            .to_owned(),
    ] {
        assert_eq!(refused(line), "topicInfos is missing");
    }
    // The SDK for Flutter leaves out null fields.
    assert_eq!(
        changes(r#"{"type":3,"channelType":2,"channelName":"c","publisher":"ann"}"#),
        ["Join presence ann"]
    );
}
