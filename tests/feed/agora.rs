//! Agora's shapes: the event of each line, and the message of each refusal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use crate::parsed;
use parsed::*;
use rollbook::domain::event::*;
use rollbook::domain::order::Stamp;
use std::borrow::Cow;

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
        event.payload,
        EventPayload::Changes {
            channel: "c".into(),
            changes: vec![ReportedChange {
                kind: ChangeKind::Join,
                topic: "t".into(),
                who: who("ann", Some(r#""{\"a\":1}""#)),
            }],
            together: false,
            occupancy: None,
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
    assert_eq!(
        said(&js("REMOTE_JOIN", "ann", others)),
        EventPayload::Nothing
    );
    assert_eq!(said(&js("REMOTE_JOIN", "ann", "[]")), EventPayload::Nothing);
    let empty = r#"[{"topicName":"t","publishers":[]}]"#;
    assert_eq!(said(&js("REMOTE_JOIN", "", empty)), EventPayload::Nothing);
    assert_eq!(
        said(r#"{"eventType":"NONE","channelName":"c"}"#),
        EventPayload::Nothing
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
        ReportedListing {
            topics: vec![
                ReportedTopic {
                    topic: "t".into(),
                    total: Some(3),
                    members: vec![
                        who("ann", Some("null")),
                        who("bob", Some(r#"{"a":2,"b":1}"#))
                    ],
                },
                ReportedTopic {
                    topic: "t".into(),
                    total: None,
                    members: vec![]
                },
            ],
            total_topics: Some(2),
            incomplete: false,
        }
    );
    assert_eq!(shown(&js("SNAPSHOT", "", "[]")), ReportedListing::default());
}

#[test]
fn agora_native() {
    let line = |number: &str| {
        format!(
            r#"{{"type":{number},"channelName":"c","publisher":"ann","timestamp":7,"topicInfoCount":1,"topicInfos":[{{"topic":"t","publisherCount":1,"publishers":[{{"publisherUserId":"ann","publisherMeta":"m"}}]}}]}}"#
        )
    };
    assert_eq!(said(&line("0")), EventPayload::Nothing);
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
            r#"{"eventType":"SNAPSHOT","channelName":"c","topicInfos":[{"topicName":"t","publishers":[{"publisherUserId":1.5}]}]}"#,
            "publisherUserId is not a string or a whole number",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":true,"topicInfos":[]}"#,
            "channelName is not a string or a whole number",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"","topicInfos":[]}"#,
            "channelName is empty",
        ),
        (
            r#"{"eventType":"SNAPSHOT","channelName":"c","publisher":[],"topicInfos":[]}"#,
            "publisher is not a string or a whole number",
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
            r#"{"event":"lock","channelName":"c"}"#,
            "event is \"lock\", which is not known",
        ),
        (r#"{"event":"linkState"}"#, "currentState is missing"),
        (
            r#"{"event":"linkState","currentState":2.5}"#,
            "currentState is not a word or a whole number",
        ),
        (
            r#"{"event":"linkState","currentState":2,"isResumed":1}"#,
            "isResumed is not true or false",
        ),
        (
            r#"{"event":"linkState","currentState":"CONNECTED","affectedChannels":"c"}"#,
            "affectedChannels is not a list",
        ),
        (
            r#"{"event":"linkState","currentState":"CONNECTED","affectedChannels":[null]}"#,
            "affectedChannels has an element that is not a string or a whole number",
        ),
        (
            r#"{"event":"linkState","currentState":"CONNECTED","unrestoredChannels":[""]}"#,
            "unrestoredChannels is empty",
        ),
        (
            r#"{"event":"linkState","currentState":"FAILED","reasonCode":3.5}"#,
            "reasonCode is not a string or a whole number",
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
        EventPayload::Link(link) => link,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        link(
            r#"{"event":"linkState","currentState":"CONNECTED","previousState":"CONNECTING","reasonCode":"LOGIN_SUCCESS","affectedChannels":["a","b"],"unrestoredChannels":["b"],"isResumed":false,"timestamp":1}"#
        ),
        ReportedLink {
            state: LinkState::Up,
            channels: vec!["a".into(), "b".into()],
            unrestored: vec!["b".into()],
            service: Service::TopicsAndPresence,
            reason: Some("LOGIN_SUCCESS".into()),
        }
    );
    for state in ["IDLE", "CONNECTING", "DISCONNECTED", "SUSPENDED", "FAILED"] {
        let line =
            format!(r#"{{"event":"linkState","currentState":"{state}","serviceType":"STREAM"}}"#);
        assert_eq!(
            said(&line),
            EventPayload::Link(ReportedLink {
                state: LinkState::Down,
                channels: vec![],
                unrestored: vec![],
                service: Service::Topics,
                reason: None
            })
        );
    }
    assert_eq!(
        link(r#"{"event":"linkState","currentState":"FAILED","serviceType":"MESSAGE"}"#).service,
        Service::Presence
    );

    let token = |line| match said(line) {
        EventPayload::Token(token) => (
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
    assert_eq!(shown(&topic), ReportedListing::default());
    let native = r#"{"event":"topic","type":3,"channelName":"c","publisher":"u","topicInfos":[{"topic":"t","publishers":[]}]}"#;
    assert_eq!(changes(native), ["Leave t u"]);
    assert_eq!(refused(r#"{"event":"topic"}"#), "eventType is missing");
}

#[test]
fn the_first_recogniser_wins() {
    // `t`, then `event`, then `eventType`, then `type`. A field of another JSON type is not considered.
    assert!(matches!(
        said(
            r#"{"type":1,"eventType":"SNAPSHOT","event":"linkState","currentState":"FAILED","t":"link","state":"up"}"#
        ),
        EventPayload::Link(ReportedLink {
            state: LinkState::Up,
            ..
        })
    ));
    assert!(matches!(
        said(
            r#"{"type":1,"eventType":"SNAPSHOT","event":"linkState","currentState":"FAILED","t":1}"#
        ),
        EventPayload::Link(ReportedLink {
            state: LinkState::Down,
            ..
        })
    ));
    let both = js("NONE", "", "[]").replacen('{', r#"{"type":1,"#, 1);
    assert_eq!(said(&both), EventPayload::Nothing);
    // Fields of other shapes are ignored.
    event(&js("NONE", "", "[]").replacen(
        '{',
        r#"{"topics":5,"user":[],"state":{},"topicInfoCount":"x","#,
        1,
    ));
}
