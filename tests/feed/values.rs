//! Values in lines of every shape: names that are numbers, lists that are null, times, lateness, and metadata that is
//! too large.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use crate::parsed;
use parsed::*;
use rollbook::domain::event::*;
use rollbook::feed::{Defaults, Settings, TimeUnit, parse};

#[test]
fn whole_numbers_in_place_of_names_are_their_digits() {
    for number in ["7", "0", "-5", "-0", "12345678901234567890123"] {
        let own = format!(r#"{{"t":"join","channel":{number},"topic":{number},"user":{number}}}"#);
        let EventPayload::Changes {
            channel, changes, ..
        } = said(&own)
        else {
            panic!()
        };
        let change = &changes[0];
        assert_eq!([&*channel, &*change.topic, &*change.who.user], [number; 3]);

        let live = format!(
            r#"{{"eventType":"REMOTE_JOIN","channelName":{number},"publisher":{number},"topicInfos":[{{"topicName":{number},"publishers":[{{"publisherUserId":{number}}}]}}]}}"#
        );
        assert_eq!(parsed::changes(&live), [format!("Join {number} {number}")]);

        let link =
            format!(r#"{{"t":"link","state":"up","channels":[{number},"c"],"self":{number}}}"#);
        let heard = event(&link);
        assert_eq!(heard.self_user.as_deref(), Some(number));
        assert!(
            matches!(heard.payload, EventPayload::Link(link) if link.channels == [number, "c"])
        );

        let token = format!(r#"{{"event":"tokenPrivilegeWillExpire","channelName":{number}}}"#);
        assert!(
            matches!(said(&token), EventPayload::Token(token) if token.channel.as_deref() == Some(number))
        );
    }
    for number in ["1.0", "1e3", "1E3", "-1.5"] {
        let line = format!(r#"{{"t":"join","channel":"c","topic":"t","user":{number}}}"#);
        assert_eq!(refused(line), "user is not a string or a whole number");
        let line = format!(r#"{{"t":"link","state":"up","channels":[{number}]}}"#);
        assert_eq!(refused(line), "channels is not a string or a whole number");
    }
    let digits = "1".repeat(1025);
    assert_eq!(
        refused(format!(
            r#"{{"t":"join","channel":{digits},"topic":"t","user":"u"}}"#
        )),
        "channel is 1025 bytes long; at most 1024 are allowed"
    );
    // A field that names no user, topic or channel must be a string.
    assert_eq!(
        refused(r#"{"t":"snapshot_end","channel":"c","sync":1}"#),
        "sync is not a string"
    );
}

#[test]
fn lists_that_are_null_are_empty() {
    assert_eq!(
        shown(r#"{"t":"snapshot","channel":"c","topics":{"t":null}}"#),
        shown(r#"{"t":"snapshot","channel":"c","topics":{"t":[]}}"#)
    );
    assert_eq!(
        changes(r#"{"t":"diff","channel":"c","joins":{"t":null},"leaves":{"t":[{"user":"u"}]}}"#),
        ["Leave t u"]
    );
    assert_eq!(
        said(r#"{"t":"changes","channel":"c","changes":null}"#),
        EventPayload::Nothing
    );
    assert_eq!(
        said(r#"{"t":"link","state":"up","channels":null,"unrestored":null}"#),
        said(r#"{"t":"link","state":"up"}"#)
    );
    assert_eq!(
        said(
            r#"{"event":"linkState","currentState":2,"affectedChannels":null,"unrestoredChannels":null}"#
        ),
        said(r#"{"event":"linkState","currentState":2}"#)
    );
    let publishers = r#"[{"topicName":"t","publishers":null}]"#;
    assert_eq!(
        shown(&js("SNAPSHOT", "", publishers)),
        shown(&js("SNAPSHOT", "", &publishers.replace("null", "[]")))
    );
    // No publisher is listed, so the event is about its `publisher`.
    assert_eq!(changes(&js("REMOTE_LEAVE", "u", publishers)), ["Leave t u"]);
    let native = r#"{"type":1,"channelName":"c","topicInfoCount":1,"topicInfos":[{"topic":"t","publisherCount":0,"publishers":null}]}"#;
    assert_eq!(shown(native).topics[0].members, []);
}

#[test]
fn topic_infos_may_be_null_only_beside_a_total_of_0() {
    let empty = ReportedListing {
        total_topics: Some(0),
        ..ReportedListing::default()
    };
    let js = |total: &str| {
        format!(r#"{{"eventType":"SNAPSHOT","channelName":"c",{total}"topicInfos":null}}"#)
    };
    assert_eq!(shown(&js(r#""totalTopics":0,"#)), empty);
    let native = r#"{"type":1,"channelName":"c","topicInfoCount":0,"topicInfos":null}"#;
    assert_eq!(shown(native), empty);
    assert_eq!(said(&native.replace(":1", ":2")), EventPayload::Nothing);
    for line in [
        js(""),
        js(r#""totalTopics":1,"#),
        js(r#""totalTopics":null,"#),
        js(r#""topicInfoCount":0,"#),
        native.replace(":0", ":2"),
        native.replace(r#","topicInfos":null"#, ""),
    ] {
        assert_eq!(refused(&line), "topicInfos is missing", "{line}");
    }
}

fn time(value: &str, time_unit: TimeUnit) -> Option<i64> {
    let settings = Settings::USUAL.time_unit(time_unit);
    let defaults = Defaults::of("default").settings(settings);
    let times = ["ts", "timestamp"].map(|field| {
        let own = format!(r#"{{"t":"link","state":"up","{field}":{value}}}"#);
        let agora = format!(r#"{{"eventType":"NONE","channelName":"c","{field}":{value}}}"#);
        [own, agora].map(|line| parse(line.as_bytes(), &defaults).unwrap().stamp.ts)
    });
    let member = format!(
        r#"{{"t":"snapshot","channel":"c","topics":{{"t":[{{"user":"u","ts":{value}}}]}}}}"#
    );
    let EventPayload::Snapshot { shown, .. } = parse(member.as_bytes(), &defaults).unwrap().payload
    else {
        panic!()
    };
    let of_member = shown.topics[0].members[0].stamp.ts;
    assert_eq!(times, [[of_member; 2]; 2]);
    of_member
}

#[test]
fn times_are_numbers_of_a_unit_or_texts() {
    use TimeUnit::{Micros, Millis, Seconds};
    for (value, unit, ms) in [
        ("1778790600", Seconds, 1_778_790_600_000),
        ("-1", Seconds, -1_000),
        ("1778790600123", Millis, 1_778_790_600_123),
        ("1778790600123999", Micros, 1_778_790_600_123),
        ("-1", Micros, -1),
        (r#""2026-05-14T20:30:00Z""#, Seconds, 1_778_790_600_000),
        (r#""2026-05-14T20:30:00Z""#, Millis, 1_778_790_600_000),
        (
            r#""2026-05-14T22:30:00.1239+02:00""#,
            Micros,
            1_778_790_600_123,
        ),
        (r#""1969-12-31T23:59:59.9995Z""#, Millis, -1),
        (r#""2026-05-14T20:30:00\u005a""#, Millis, 1_778_790_600_000),
    ] {
        assert_eq!(time(value, unit), Some(ms), "{value} {unit:?}");
    }
    for value in [
        r#""2026-05-14""#,
        r#""2026-05-14T20:30:00""#,
        r#""yesterday""#,
        r#""""#,
        r#""1778790600000""#,
        "{}",
    ] {
        for field in ["ts", "timestamp"] {
            let line = format!(r#"{{"t":"link","state":"up","{field}":{value}}}"#);
            assert_eq!(
                refused(line),
                format!("{field} is not a whole number or a time such as 2026-05-14T20:30:00Z")
            );
        }
    }
    let seconds = Defaults::of("default").settings(Settings::USUAL.time_unit(Seconds));
    for beyond in [
        "253402300800",
        "9223372036854775807",
        r#""0000-01-01T00:00:00Z""#,
    ] {
        let line = format!(r#"{{"t":"link","state":"up","ts":{beyond}}}"#);
        let refusal = parse(line.as_bytes(), &seconds).unwrap_err();
        assert_eq!(refusal.to_string(), "ts is outside the years 1 to 9999");
    }
}

#[test]
fn how_late_something_was_noticed() {
    let late = |line: &str| match said(line) {
        EventPayload::Changes { changes, .. } => {
            changes.iter().map(|c| c.who.late_ms).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    for kind in ["join", "leave", "update"] {
        let line =
            |ms: &str| format!(r#"{{"t":"{kind}","channel":"c","topic":"t","user":"u"{ms}}}"#);
        assert_eq!(late(&line(r#","late_ms":2000"#)), [2_000]);
        assert_eq!(late(&line(r#","late_ms":null"#)), [0]);
        assert_eq!(late(&line("")), [0]);
        assert_eq!(late(&line(r#","late_ms":31622400000"#)), [31_622_400_000]);
        for wrong in ["-1", "1.5", "\"1\"", "31622400001", "1e99"] {
            assert_eq!(
                refused(line(&format!(r#","late_ms":{wrong}"#))),
                "late_ms is not a whole number of milliseconds, from 0 to a year"
            );
        }
    }
    assert_eq!(
        late(
            r#"{"t":"diff","channel":"c","joins":{"t":[{"user":"a","late_ms":1},{"user":"b"}]},"leaves":{"t":[{"user":"c","late_ms":3}]}}"#
        ),
        [3, 1, 0]
    );
    assert_eq!(
        late(
            r#"{"t":"changes","channel":"c","changes":[{"t":"update","topic":"t","user":"u","late_ms":5}]}"#
        ),
        [5]
    );
    // `late_ms` belongs to a change, not to the line.
    assert_eq!(
        late(r#"{"t":"diff","channel":"c","joins":{"t":[{"user":"a"}]},"late_ms":9}"#),
        [0]
    );
}

#[test]
fn changes_may_be_together_and_counted() {
    let of = |fields: &str| {
        let line = format!(r#"{{"t":"changes","channel":"c",{fields}}}"#);
        match said(&line) {
            EventPayload::Changes {
                changes,
                together,
                occupancy,
                ..
            } => (changes.len(), together, occupancy),
            other => panic!("{other:?}"),
        }
    };
    let one = r#""changes":[{"t":"join","topic":"t","user":"u"}]"#;
    assert_eq!(of(one), (1, false, None));
    assert_eq!(of(&format!(r#"{one},"together":true"#)), (1, true, None));
    assert_eq!(of(&format!(r#"{one},"occupancy":4"#)), (1, false, Some(4)));
    // A count alone is an event, too.
    assert_eq!(of(r#""changes":[],"occupancy":0"#), (0, false, Some(0)));
    assert!(matches!(
        said(r#"{"t":"diff","channel":"c","joins":{},"occupancy":2}"#),
        EventPayload::Changes {
            together: true,
            occupancy: Some(2),
            ..
        }
    ));
    assert_eq!(
        refused(format!(
            r#"{{"t":"changes","channel":"c",{one},"occupancy":-1}}"#
        )),
        "occupancy is not a whole number of 0 or more"
    );
}

#[test]
fn of_a_member_whose_metadata_is_too_large_the_rest_is_taken() {
    let large = "m".repeat((256 << 10) - 1);
    let meta = format!(r#""{large}""#);
    let says = |who: &ReportedMember<'_>| {
        let (meta, reason) = (who.meta.as_deref(), who.reason.as_deref());
        assert_eq!((meta, reason), (Some("null"), Some("meta_too_large")));
    };
    for kind in ["join", "update", "leave"] {
        let line =
            format!(r#"{{"t":"{kind}","channel":"c","topic":"t","user":"u","meta":{meta}}}"#);
        match said(&line) {
            EventPayload::Changes { changes, .. } => says(&changes[0].who),
            other => panic!("{other:?}"),
        }
    }
    // The other members of the line stay as they were.
    let own = format!(
        r#"{{"t":"snapshot","channel":"c","topics":{{"t":[{{"user":"a","meta":1}},{{"user":"b","meta":{meta}}}]}}}}"#
    );
    let agora = js(
        "SNAPSHOT",
        "",
        &format!(
            r#"[{{"topicName":"t","publishers":[{{"publisherUserId":"a","publisherMeta":1}},{{"publisherUserId":"b","publisherMeta":{meta}}}]}}]"#
        ),
    );
    for line in [own, agora] {
        let shown = shown(&line);
        let members = &shown.topics[0].members;
        assert_eq!(members[0], who("a", Some("1")));
        assert_eq!(members[1].user, "b");
        says(&members[1]);
    }
    let states = format!(
        r#"{{"eventType":"REMOTE_STATE_CHANGED","channelType":"MESSAGE","channelName":"c","publisher":"u","stateChanged":{{"k":{meta}}}}}"#
    );
    match said(&states) {
        EventPayload::Changes { changes, .. } => says(&changes[0].who),
        other => panic!("{other:?}"),
    }
    // The size of the canonical form counts.
    let spaced = format!(r#"[{}1]"#, " ".repeat(1 << 20));
    let line = format!(r#"{{"t":"join","channel":"c","topic":"t","user":"u","meta":{spaced}}}"#);
    assert!(
        matches!(said(&line), EventPayload::Changes { changes, .. } if changes[0].who.meta.as_deref() == Some("[1]"))
    );
}
