//! An event that is written as lines must be read as the same event: always in Rollbook's own shape, and in Agora's
//! where an Agora event can express it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use crate::parsed;
use parsed::*;
use rollbook::domain::event::EventPayload;
use rollbook::replay::{LineShape, lines_of};

/// Writes the event of a line as one line, which must be read as the same event.
fn again(line: &str, shape: LineShape) -> String {
    let told = event(line);
    let mut lines = lines_of(&told, shape).unwrap();
    assert_eq!(lines.len(), 1, "{line}");
    let again = lines.pop().unwrap();
    assert_eq!(event(&again), told, "{again}");
    again
}

#[test]
fn rollbooks_own_lines_say_everything() {
    for line in [
        r#"{"t":"join","channel":"c","topic":"t","user":"u","meta":{"a":1},"late_ms":7,"reason":"r","ts":5,"pos":[1,2],"id":"i","observer":"o","self":"me"}"#,
        r#"{"t":"diff","channel":"c","joins":{"t":[{"user":"b","late_ms":3}]},"leaves":{"t":[{"user":"a","reason":"r"}]},"occupancy":4,"ts":5}"#,
        r#"{"t":"changes","channel":"c","changes":[],"occupancy":0}"#,
        r#"{"t":"changes","channel":"c","changes":[{"t":"join","topic":"t","user":"u"}],"occupancy":1}"#,
        r#"{"t":"link","state":"up","resync":"differences","channels":["c"]}"#,
        r#"{"t":"link","state":"synced","service":"topics"}"#,
        r#"{"t":"link","state":"down","service":"presence","unrestored":["c"],"reason":"r"}"#,
        r#"{"event":"linkState","currentState":2,"isResumed":true,"timestamp":5}"#,
        r#"{"event":"linkState","currentState":1,"serviceType":"OTHER"}"#,
        r#"{"eventType":"REMOTE_TIMEOUT","channelType":"MESSAGE","channelName":"c","publisher":"ann","stateChanged":{},"timestamp":5}"#,
        r#"{"eventType":"INTERVAL","channelType":"STREAM","channelName":"c","stateChanged":{},"interval":{"join":{"users":["a"]},"timeout":{"users":["b"]},"totalOccupancy":3}}"#,
        r#"{"eventType":"SNAPSHOT","channelType":"STREAM","channelName":"c","stateChanged":{},"snapshot":[{"userId":"a","states":{"k":"v"}}]}"#,
    ] {
        assert!(again(line, LineShape::Rollbook).starts_with(r#"{"t":"#));
    }
}

#[test]
fn presence_events_are_written_as_such() {
    let event = |event_type: &str, rest: &str| {
        format!(
            r#"{{"eventType":"{event_type}","channelType":"MESSAGE","channelName":"c","stateChanged":{{}},"timestamp":5,"id":"i"{rest}}}"#
        )
    };
    let by = r#","publisher":"ann""#;
    let changed = r#","publisher":"ann","stateChanged":{"k":"v"}"#;
    let interval = r#","interval":{"join":{"users":["cid","dan"]},"leave":{"users":["bob"]},"timeout":{"users":["ann"]},"userStateList":[{"userId":"dan","states":{"k":"v"}},{"userId":"eve"}],"totalOccupancy":3}"#;
    for (event_type, rest) in [
        ("REMOTE_JOIN", by),
        ("REMOTE_JOIN", changed),
        ("REMOTE_LEAVE", by),
        ("REMOTE_TIMEOUT", by),
        ("REMOTE_STATE_CHANGED", changed),
        ("INTERVAL", r#","interval":{"totalOccupancy":0}"#),
        ("SNAPSHOT", r#","snapshot":[]"#),
        (
            "SNAPSHOT",
            r#","snapshot":[{"userId":"a","states":{}},{"userId":"b"}]"#,
        ),
    ] {
        let line = event(event_type, rest);
        let again = again(&line, LineShape::Agora);
        assert!(
            again.starts_with(&format!(r#"{{"eventType":"{event_type}""#)),
            "{again}"
        );
        let stream = line.replace("MESSAGE", "STREAM");
        assert!(self::again(&stream, LineShape::Agora).contains(r#""channelType":"STREAM""#));
    }
    // An interval is written in the order of its changes in the log.
    let taken = r#"{"t":"changes","channel":"message:c","together":true,"occupancy":3,"changes":[
        {"t":"leave","topic":"presence","user":"ann","reason":"timeout","late_ms":330000},
        {"t":"leave","topic":"presence","user":"bob","late_ms":32000},
        {"t":"join","topic":"presence","user":"cid","meta":{},"late_ms":30000},
        {"t":"join","topic":"presence","user":"dan","meta":{},"late_ms":30000},
        {"t":"update","topic":"presence","user":"dan","meta":{"k":"v"},"late_ms":30000},
        {"t":"update","topic":"presence","user":"eve","late_ms":30000}]}"#;
    let told = parsed::event(taken);
    let lines = lines_of(&told, LineShape::Agora).unwrap();
    let written: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    let wanted: serde_json::Value = serde_json::from_str(&event("INTERVAL", interval)).unwrap();
    assert_eq!(written["interval"], wanted["interval"]);
}

#[test]
fn what_no_event_of_agoras_says_exactly_keeps_rollbooks_words() {
    let leave =
        r#"{"t":"leave","channel":"message:c","topic":"presence","user":"u","late_ms":2000}"#;
    assert!(again(leave, LineShape::Agora).starts_with(r#"{"eventType":"REMOTE_LEAVE""#));
    for line in [
        leave.replace("2000", "2001"),
        leave.replace("2000", "2000,\"reason\":\"tired\""),
        leave.replace("\"topic\":\"presence\"", "\"topic\":\"chat\""),
        leave.replace("2000", "2000,\"conn\":\"1\""),
        leave.replace("leave", "join").replace("2000", "0"),
        leave.replace("leave", "join").replace("2000", "0,\"meta\":[]"),
        // Read as an interval, they would be one update.
        r#"{"t":"changes","channel":"message:c","changes":[{"t":"leave","topic":"presence","user":"u","late_ms":32000},{"t":"join","topic":"presence","user":"u","meta":{},"late_ms":30000}]}"#.to_owned(),
        // Read as an interval, they would change their order.
        r#"{"t":"changes","channel":"message:c","changes":[{"t":"leave","topic":"presence","user":"b","late_ms":32000},{"t":"leave","topic":"presence","user":"a","late_ms":32000}]}"#.to_owned(),
        r#"{"t":"snapshot","channel":"message:c","topics":{"presence":[]},"incomplete":true}"#.to_owned(),
        r#"{"t":"snapshot","channel":"stream:c","topics":{"chat":[],"presence":[]}}"#.to_owned(),
        r#"{"t":"snapshot","channel":"stream:c","topics":{"presence":[{"user":"a","meta":1}]}}"#.to_owned(),
        r#"{"t":"link","state":"synced","channels":["c"]}"#.to_owned(),
        r#"{"t":"link","state":"down","channels":["c","message:c"]}"#.to_owned(),
        r#"{"t":"link","state":"down","channels":["message:c"],"service":"topics"}"#.to_owned(),
        // An event of a topic cannot express either of these.
        r#"{"t":"leave","channel":"c","topic":"t","user":"u","late_ms":1}"#.to_owned(),
        r#"{"t":"join","channel":"c","topic":"t","user":"u","meta":null,"reason":"meta_too_large"}"#.to_owned(),
    ] {
        assert!(again(&line, LineShape::Agora).starts_with(r#"{"t":"#), "{line}");
    }
}

#[test]
fn links_are_written_with_their_service() {
    let line = |line: &str| {
        lines_of(&event(line), LineShape::Agora)
            .unwrap()
            .pop()
            .unwrap()
    };
    for (own, wanted) in [
        (
            r#"{"t":"link","state":"up","resync":"differences"}"#,
            r#""currentState":"CONNECTED","isResumed":true,"affected"#,
        ),
        (
            r#"{"t":"link","state":"down","service":"topics"}"#,
            r#""currentState":"DISCONNECTED","serviceType":"STREAM""#,
        ),
        (
            r#"{"t":"link","state":"down","service":"presence"}"#,
            r#""serviceType":"MESSAGE""#,
        ),
        (
            r#"{"t":"link","state":"down","service":"other"}"#,
            r#""serviceType":"OTHER""#,
        ),
        // Without a service, named channels are those of topics, whatever else has their name.
        (
            r#"{"t":"link","state":"down","channels":["c"]}"#,
            r#""serviceType":"STREAM","affectedChannels":["c"]"#,
        ),
    ] {
        assert!(line(own).contains(wanted), "{}", line(own));
    }
    let all = line(r#"{"t":"link","state":"down"}"#);
    assert!(!all.contains("serviceType") && !all.contains("isResumed"));
    assert!(matches!(said(&all), EventPayload::Link(_)));
}

/// An event of the log that no single line can express.
fn logged(said: EventPayload<'_>) -> rollbook::domain::event::Event<'_> {
    rollbook::domain::event::Event {
        payload: said,
        ..event(r#"{"t":"link","state":"up","ts":5}"#)
    }
}

#[test]
fn the_channels_of_presence_are_named_as_the_source_names_them() {
    // A link event in the log names the channels that a line of the service affected.
    let link = |service: &str| {
        let line = format!(
            r#"{{"t":"link","state":"down","channels":["message:b","message:a","stream:a"],"service":"{service}"}}"#
        );
        let told = event(&line).into_owned();
        [LineShape::Agora, LineShape::Rollbook]
            .map(|shape| lines_of(&told, shape).unwrap().concat())
    };
    let [agora, own] = link("presence");
    assert!(
        agora.contains(r#""serviceType":"MESSAGE","affectedChannels":["a","b"]"#),
        "{agora}"
    );
    assert!(
        own.contains(r#""channels":["a","b"],"service":"presence""#),
        "{own}"
    );
    let [agora, own] = link("topics");
    assert_eq!(agora, own);
    assert!(
        own.contains(r#""channels":["message:b","message:a","stream:a"]"#),
        "{own}"
    );
}

#[test]
fn a_count_that_differs_is_written_as_one() {
    let count = |channel: &'static str| {
        logged(EventPayload::Occupancy {
            channel: channel.into(),
            members: 7,
        })
    };
    for (channel, shape, begins) in [
        (
            "stream:c",
            LineShape::Agora,
            r#"{"eventType":"INTERVAL","channelType":"STREAM""#,
        ),
        ("c", LineShape::Agora, r#"{"t":"changes""#),
        ("stream:c", LineShape::Rollbook, r#"{"t":"changes""#),
    ] {
        let lines = lines_of(&count(channel), shape).unwrap();
        assert!(lines[0].starts_with(begins), "{}", lines[0]);
        let again = event(&lines[0]);
        assert_eq!(again.stamp.ts, Some(5));
        assert!(matches!(
            again.payload,
            EventPayload::Changes { channel: of, changes, occupancy: Some(7), .. } if of == channel && changes.is_empty()
        ));
    }
}
