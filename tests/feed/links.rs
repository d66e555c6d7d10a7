//! Link events: state, service and reason, as words and as numbers of the native SDKs' enums.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use crate::parsed;
use parsed::*;
use rollbook::domain::event::*;
use std::borrow::Cow;

#[test]
fn own_links_of_a_source_that_tells_differences() {
    let link = |fields: &str| {
        let line = format!(r#"{{"t":"link",{fields}}}"#);
        match said(&line) {
            EventPayload::Link(link) => (link.state, link.service),
            other => panic!("{other:?}"),
        }
    };
    for (fields, wanted) in [
        (
            r#""state":"up","resync":"differences""#,
            LinkState::UpWithDifferences,
        ),
        (r#""state":"up","resync":null"#, LinkState::Up),
        (r#""state":"synced""#, LinkState::Synced),
    ] {
        assert_eq!(link(fields), (wanted, Service::All), "{fields}");
    }
    for (word, service) in [
        ("topics", Service::Topics),
        ("presence", Service::Presence),
        ("topics_and_presence", Service::TopicsAndPresence),
        ("other", Service::Other),
    ] {
        let fields = format!(r#""state":"down","service":"{word}""#);
        assert_eq!(link(&fields), (LinkState::Down, service));
    }
    for (fields, sentence) in [
        (
            r#""state":"up","resync":"snapshot""#,
            "resync is \"snapshot\", which is not known",
        ),
        (r#""state":"up","resync":true"#, "resync is not a string"),
        (
            r#""state":"down","resync":"differences""#,
            "resync goes only with state \"up\"",
        ),
        (
            r#""state":"synced","resync":"differences""#,
            "resync goes only with state \"up\"",
        ),
        (
            r#""state":"up","service":"mail""#,
            "service is \"mail\", which is not known",
        ),
    ] {
        assert_eq!(refused(format!(r#"{{"t":"link",{fields}}}"#)), sentence);
    }
}

#[test]
fn links_by_the_numbers_of_the_enums() {
    let link = |fields: &str| {
        let line = format!(r#"{{"event":"linkState",{fields}}}"#);
        match said(&line) {
            EventPayload::Link(link) => (
                link.state,
                link.service,
                link.reason.map(Cow::into_owned).unwrap_or_default(),
            ),
            other => panic!("{other:?}"),
        }
    };
    for (number, state) in [
        ("0", LinkState::Down),
        ("1", LinkState::Down),
        ("2", LinkState::Up),
        ("2.0", LinkState::Up),
        ("3", LinkState::Down),
        ("4", LinkState::Down),
        ("5", LinkState::Down),
        // An unknown state is not up.
        ("6", LinkState::Down),
        ("1e30", LinkState::Down),
        (r#""CONNECTEDISH""#, LinkState::Down),
        (r#""connected""#, LinkState::Down),
    ] {
        let fields = format!(r#""currentState":{number}"#);
        assert_eq!(
            link(&fields),
            (state, Service::TopicsAndPresence, String::new())
        );
    }
    for (number, service) in [
        ("0", Service::TopicsAndPresence),
        (r#""NONE""#, Service::TopicsAndPresence),
        ("1", Service::Presence),
        ("2", Service::Topics),
        ("3", Service::TopicsAndPresence),
        ("4", Service::Other),
        ("5", Service::Presence),
        ("1e30", Service::Other),
        (r#""LOCK""#, Service::Other),
    ] {
        let fields = format!(r#""currentState":3,"serviceType":{number}"#);
        assert_eq!(link(&fields), (LinkState::Down, service, String::new()));
    }
    for (fields, reason) in [
        (
            r#""reasonCode":7,"reason":"KEEP_ALIVE_TIMEOUT""#,
            "KEEP_ALIVE_TIMEOUT",
        ),
        (r#""reasonCode":7"#, "7"),
        (r#""reasonCode":-10009,"reason":null"#, "-10009"),
        (r#""reasonCode":"LOGOUT","reason":"more""#, "LOGOUT"),
        (r#""reason":"LOGOUT""#, "LOGOUT"),
    ] {
        let line = format!(r#""currentState":1,{fields}"#);
        assert_eq!(link(&line).2, reason);
    }
}

#[test]
fn a_resumed_link_tells_by_differences() {
    let state = |fields: &str| {
        let line = format!(r#"{{"event":"linkState","isResumed":true,{fields}}}"#);
        match said(&line) {
            EventPayload::Link(link) => link.state,
            other => panic!("{other:?}"),
        }
    };
    let resumed = LinkState::UpWithDifferences;
    assert_eq!(state(r#""currentState":"CONNECTED""#), resumed);
    assert_eq!(state(r#""currentState":2"#), resumed);
    assert_eq!(state(r#""currentState":"SUSPENDED""#), LinkState::Down);
}
