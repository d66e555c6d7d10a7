//! What `Store::record` refuses: events that no feed may contain (contract 2, 2.8).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::Store;
use rollbook::domain::entry::Rules;
use rollbook::domain::event::{
    ChangeKind, Connection, Event, EventPayload, LinkState, ReportedChange, ReportedLink,
    ReportedListing, ReportedMember, ReportedToken, ReportedTopic, Service, TokenState,
};
use rollbook::domain::order::Stamp;
use rollbook::ingest::IngestOptions;
use rollbook::store::{Batch, BatchLine, RecordError};
use rollbook_support as support;

fn event(said: EventPayload<'_>) -> Event<'_> {
    Event {
        observer: "default".into(),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        payload: said,
    }
}

fn join(who: ReportedMember<'_>) -> Event<'_> {
    let (kind, topic) = (ChangeKind::Join, "chat".into());
    event(EventPayload::Changes {
        channel: "room".into(),
        changes: vec![ReportedChange { kind, topic, who }],
        together: false,
        occupancy: None,
    })
}

fn snapshot<'a>(topic: &'a str, who: ReportedMember<'a>) -> EventPayload<'a> {
    let (topic, members) = (topic.into(), vec![who]);
    let shown = ReportedListing {
        topics: vec![ReportedTopic {
            topic,
            total: None,
            members,
        }],
        ..ReportedListing::default()
    };
    let channel = "room".into();
    EventPayload::Snapshot { channel, shown }
}

/// The store's error for an event. Nothing of its batch is recorded.
fn wrong(event: Event<'_>) -> String {
    let store = Store::in_memory(support::options()).unwrap();
    let error = store
        .record(&[join(ReportedMember::of("ana")), event.clone()])
        .unwrap_err();
    assert_eq!(store.head(), 0, "{error}");
    match &error {
        RecordError::Unfit { at: 2, unfit } => unfit.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn metadata_is_canonical_json() {
    let no_json = [
        "",
        "{",
        "{nonsense",
        "1 2",
        "\u{0}",
        "'a'",
        "[1,]",
        "NaN",
        "01e0",
    ];
    let other = [
        " 1",
        "1\n",
        "1.0",
        "1e3",
        "-0",
        "{\"a\": 1}",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":2}",
        "[1, 2]",
        "\"\\u0041\"",
        "\"\\/\"",
        "[{\"b\":0,\"a\":0}]",
    ];
    let meta = |text: &'static str| {
        wrong(join(ReportedMember {
            meta: Some(text.into()),
            ..ReportedMember::of("tony")
        }))
    };
    for text in no_json {
        assert_eq!(meta(text), "meta is no JSON", "{text:?}");
    }
    for text in other {
        let what = meta(text);
        let right = what.starts_with("meta is not in its canonical form");
        assert!(right, "{text:?}: {what}");
    }
    let deep: &'static str = ("[".repeat(200) + &"]".repeat(200)).leak();
    assert!(meta(deep).starts_with("meta is"), "{}", meta(deep));
    let long: &'static str = format!("\"{}\"", "x".repeat(256 << 10)).leak();
    assert_eq!(
        meta(long),
        "meta is 262146 bytes long; at most 262144 are allowed"
    );
}

#[test]
fn names_texts_and_times_are_within_their_limits() {
    let long = "n".repeat(100_000);
    let too_long = |field: &str, most: usize| {
        format!("{field} is 100000 bytes long; at most {most} are allowed")
    };
    let stamp = |ts: i64| Stamp {
        ts: Some(ts),
        ..Stamp::NONE
    };
    let ana = || join(ReportedMember::of("ana"));
    let link = |channels: Vec<&'static str>| ReportedLink {
        state: LinkState::Down,
        channels: channels.into_iter().map(Into::into).collect(),
        unrestored: vec![],
        service: Service::All,
        reason: None,
    };
    let of_channel = |channel: &'static str| EventPayload::SnapshotBegin {
        channel: channel.into(),
        sync: "s".into(),
        incomplete: false,
    };
    let token = |channel: Option<&'static str>| ReportedToken {
        state: TokenState::Expired,
        channel: channel.map(Into::into),
        reason: None,
    };
    let years = |field: &str| format!("{field} is outside the years 1 to 9999");
    let cases = [
        (
            Event {
                observer: "".into(),
                ..ana()
            },
            "observer is empty".to_owned(),
        ),
        (
            Event {
                self_user: Some("".into()),
                ..ana()
            },
            "self is empty".into(),
        ),
        (
            Event {
                id: Some(long.as_str().into()),
                ..ana()
            },
            too_long("id", 128),
        ),
        (
            Event {
                stamp: stamp(i64::MAX),
                ..ana()
            },
            years("ts"),
        ),
        (
            Event {
                stamp: stamp(i64::MIN),
                ..ana()
            },
            years("ts"),
        ),
        (join(ReportedMember::of("")), "user is empty".into()),
        (join(ReportedMember::of(&long)), too_long("user", 1024)),
        (
            join(ReportedMember {
                conn: long.as_str().into(),
                ..ReportedMember::of("u")
            }),
            too_long("conn", 1024),
        ),
        (
            join(ReportedMember {
                reason: Some(long.as_str().into()),
                ..ReportedMember::of("u")
            }),
            too_long("reason", 4096),
        ),
        (
            join(ReportedMember {
                stamp: stamp(253_402_300_800_000),
                ..ReportedMember::of("u")
            }),
            years("ts"),
        ),
        (
            join(ReportedMember {
                late_ms: -1,
                ..ReportedMember::of("u")
            }),
            "late_ms is -1: it must be from 0 to 253402300799999".into(),
        ),
        (
            event(snapshot("", ReportedMember::of("u"))),
            "topic is empty".into(),
        ),
        (
            event(snapshot("t", ReportedMember::of(""))),
            "user is empty".into(),
        ),
        (event(of_channel("")), "channel is empty".into()),
        (
            event(EventPayload::Link(link(vec!["room", ""]))),
            "channels is empty".into(),
        ),
        (
            event(EventPayload::Token(token(Some("")))),
            "channel is empty".into(),
        ),
    ];
    for (event, wanted) in cases {
        assert_eq!(wrong(event), wanted);
    }
    // An observer set for a whole run is in no line, but it must be recordable, too.
    let store = Store::in_memory(support::options()).unwrap();
    for (observer, self_user) in [("", None), (long.as_str(), None), ("o", Some(""))] {
        let mut how = IngestOptions::default().observer(observer);
        how.self_user = self_user.map(str::to_owned);
        let line = r#"{"t":"join","channel":"a","topic":"b","user":"u"}"#;
        let taken = support::take(&store, line, &how).tally;
        assert_eq!((taken.entries, taken.rejected), (0, 1));
    }
    let connection = BatchLine::Connection {
        observer: String::new(),
        what: Connection::Up,
        at: None,
    };
    let batch = Batch::new(vec![connection], Rules::default());
    assert!(matches!(
        store.submit(batch),
        Err(RecordError::Unfit { at: 1, .. })
    ));
}
