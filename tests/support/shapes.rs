//! The lines of arbitrary feeds, shape by shape. The fields that every line may have are in `feeds`.

use super::feeds::{START, Shape};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The fields of a line, without its time, position and observer.
#[derive(Debug, Clone)]
pub struct Body {
    /// In Rollbook's own shape.
    pub own: bool,
    pub fields: String,
}

fn own(fields: String) -> Body {
    Body { own: true, fields }
}

fn foreign(fields: String) -> Body {
    Body { own: false, fields }
}

fn one(body: impl Strategy<Value = Body> + 'static) -> BoxedStrategy<Vec<Body>> {
    body.prop_map(|body| vec![body]).boxed()
}

/// One line, or a few that belong together.
pub fn bodies(shape: Shape) -> BoxedStrategy<Vec<Body>> {
    let agora = prop_oneof![
        6 => one(agora_live()),
        5 => one(agora_snapshot()),
        3 => one(agora_link()),
        1 => one(agora_token()),
    ];
    if shape == Shape::Agora {
        return agora.boxed();
    }
    prop_oneof![
        4 => agora,
        6 => one(change()),
        2 => one(diff()),
        4 => one(snapshot()),
        2 => one(page_step()),
        3 => pages(),
        2 => resync(),
        3 => one(link()),
        1 => one(token()),
        1 => one(select(&[r#""t":"join","channel":"a""#, r#""t":"who""#][..]).prop_map(|bad| own(bad.to_owned()))),
    ]
    .boxed()
}

fn channel() -> impl Strategy<Value = &'static str> {
    select(&["a", "a", "b"][..])
}

fn topic() -> impl Strategy<Value = &'static str> {
    select(&["t", "u"][..])
}

fn user() -> impl Strategy<Value = &'static str> {
    select(&["ann", "bob", "cy"][..])
}

fn conn() -> impl Strategy<Value = &'static str> {
    select(&["", "", r#","conn":"k""#][..])
}

/// Metadata: missing, `null`, or values of which some are the same in another notation.
fn meta(field: &'static str) -> impl Strategy<Value = String> {
    let value = select(
        &[
            "",
            "",
            "",
            "null",
            r#"{"a":1,"b":[2]}"#,
            r#"{ "b":[2.0], "a":10e-1 }"#,
            r#"{"a":0,"b":[2],"a":1}"#,
            r#""x""#,
            r#""\u0078""#,
            "1",
            "1.0",
        ][..],
    );
    value.prop_map(move |value| {
        if value.is_empty() {
            String::new()
        } else {
            format!(r#","{field}":{value}"#)
        }
    })
}

fn reason() -> impl Strategy<Value = &'static str> {
    select(&["", "", r#","reason":"gone""#][..])
}

/// How late the source may have noticed the change.
fn late() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "",
            "",
            "",
            "",
            r#","late_ms":0"#,
            r#","late_ms":150"#,
            r#","late_ms":30000"#,
        ][..],
    )
}

fn change() -> impl Strategy<Value = Body> {
    let kind = select(&["join", "join", "leave", "leave", "update"][..]);
    (
        kind,
        channel(),
        topic(),
        user(),
        conn(),
        meta("meta"),
        reason(),
        late(),
    )
        .prop_map(|(kind, channel, topic, user, conn, meta, reason, late)| {
            own(format!(
                r#""t":"{kind}","channel":"{channel}","topic":"{topic}","user":"{user}"{conn}{meta}{reason}{late}"#
            ))
        })
}

fn member() -> impl Strategy<Value = String> {
    let ts = prop_oneof![
        7 => Just(String::new()),
        1 => (0i64..40).prop_map(|n| format!(r#","ts":{}"#, START + n * 100)),
    ];
    let pos = prop_oneof![
        7 => Just(String::new()),
        1 => (-2i64..10, 0i64..2).prop_map(|(serial, index)| format!(r#","pos":[{serial},{index}]"#)),
    ];
    (user(), conn(), meta("meta"), ts, pos, reason(), late()).prop_map(
        |(user, conn, meta, ts, pos, reason, late)| {
            format!(r#"{{"user":"{user}"{conn}{meta}{ts}{pos}{reason}{late}}}"#)
        },
    )
}

/// `{topic: [member]}`.
fn topics() -> impl Strategy<Value = String> {
    let list = (topic(), vec(member(), 0..4));
    vec(list, 0..3).prop_map(|lists| {
        let lists: Vec<String> = lists
            .into_iter()
            .map(|(topic, members)| format!(r#""{topic}":[{}]"#, members.join(",")))
            .collect();
        format!("{{{}}}", lists.join(","))
    })
}

fn diff() -> impl Strategy<Value = Body> {
    (channel(), topics(), topics()).prop_map(|(channel, joins, leaves)| {
        own(format!(
            r#""t":"diff","channel":"{channel}","joins":{joins},"leaves":{leaves}"#
        ))
    })
}

fn incomplete() -> impl Strategy<Value = &'static str> {
    select(&["", "", "", r#","incomplete":true"#][..])
}

fn snapshot() -> impl Strategy<Value = Body> {
    (channel(), topics(), incomplete()).prop_map(|(channel, topics, incomplete)| {
        own(format!(
            r#""t":"snapshot","channel":"{channel}","topics":{topics}{incomplete}"#
        ))
    })
}

fn begin_of(channel: &str, sync: &str, incomplete: &str) -> Body {
    own(format!(
        r#""t":"snapshot_begin","channel":"{channel}","sync":"{sync}"{incomplete}"#
    ))
}

fn page_of(channel: &str, sync: &str, topics: &str) -> Body {
    own(format!(
        r#""t":"snapshot_page","channel":"{channel}","sync":"{sync}","topics":{topics}"#
    ))
}

fn end_of(channel: &str, sync: &str, incomplete: &str) -> Body {
    own(format!(
        r#""t":"snapshot_end","channel":"{channel}","sync":"{sync}"{incomplete}"#
    ))
}

/// One step of a paged snapshot, at any place of a feed.
fn page_step() -> impl Strategy<Value = Body> {
    let sync = select(&["s", "s", "r"][..]);
    (0..3, channel(), sync, topics(), incomplete()).prop_map(
        |(step, channel, sync, topics, incomplete)| match step {
            0 => begin_of(channel, sync, incomplete),
            1 => page_of(channel, sync, &topics),
            _ => end_of(channel, sync, incomplete),
        },
    )
}

/// A paged snapshot with other lines between its pages, and now and then without its end.
fn pages() -> BoxedStrategy<Vec<Body>> {
    let midst = prop_oneof![change(), agora_live(), diff(), link()];
    (
        channel(),
        vec(topics(), 0..3),
        vec(midst, 0..2),
        incomplete(),
        0..5,
    )
        .prop_map(|(channel, pages, midst, incomplete, end)| {
            let mut all = vec![begin_of(channel, "s", "")];
            let mut pages = pages.iter().map(|topics| page_of(channel, "s", topics));
            all.extend(pages.next());
            all.extend(midst);
            all.extend(pages);
            if end > 0 {
                all.push(end_of(channel, "s", incomplete));
            }
            all
        })
        .boxed()
}

/// A resync by differences, and now and then the line that ends it.
fn resync() -> BoxedStrategy<Vec<Body>> {
    let midst = prop_oneof![4 => change(), 2 => diff(), 1 => agora_live(), 1 => snapshot()];
    (channel(), channels(), topics(), vec(midst, 0..4), 0..3)
        .prop_map(|(channel, channels, topics, midst, end)| {
            let link = |state: &str| {
                own(format!(
                    r#""t":"link","state":{state},"channels":{channels}"#
                ))
            };
            let listed = format!(r#""t":"snapshot","channel":"{channel}","topics":{topics}"#);
            let mut all = vec![own(listed), link(r#""up","resync":"differences""#)];
            all.extend(midst);
            if end > 0 {
                all.push(link(r#""synced""#));
            }
            all
        })
        .boxed()
}

fn channels() -> impl Strategy<Value = &'static str> {
    select(&["[]", "[]", r#"["a"]"#, r#"["b","a"]"#, r#"["a","c","a"]"#][..])
}

fn link() -> impl Strategy<Value = Body> {
    let differences = r#"up","resync":"differences"#;
    let state = select(vec![
        "up",
        differences,
        differences,
        "synced",
        "down",
        "down",
    ]);
    (state, channels(), reason()).prop_map(|(state, channels, reason)| {
        own(format!(
            r#""t":"link","state":"{state}","channels":{channels}{reason}"#
        ))
    })
}

fn token() -> impl Strategy<Value = Body> {
    let state = select(&["will_expire", "expired", "renewed", "revoked"][..]);
    let channel = select(&["", r#","channel":"a""#, r#","channel":"c""#][..]);
    (state, channel)
        .prop_map(|(state, channel)| own(format!(r#""t":"token","state":"{state}"{channel}"#)))
}

/// The names that an SDK uses: JavaScript's, or those of the native SDKs.
#[derive(Debug, Clone, Copy)]
struct Words {
    snapshot: &'static str,
    join: &'static str,
    leave: &'static str,
    none: &'static str,
    topics: &'static str,
    topic: &'static str,
    publishers: &'static str,
}

const JS: Words = Words {
    snapshot: r#""eventType":"SNAPSHOT""#,
    join: r#""eventType":"REMOTE_JOIN""#,
    leave: r#""eventType":"REMOTE_LEAVE""#,
    none: r#""eventType":"NONE""#,
    topics: "totalTopics",
    topic: "topicName",
    publishers: "totalPublisher",
};

const NATIVE: Words = Words {
    snapshot: r#""type":1"#,
    join: r#""type":2"#,
    leave: r#""type":3"#,
    none: r#""type":0"#,
    topics: "topicInfoCount",
    topic: "topic",
    publishers: "publisherCount",
};

fn words() -> impl Strategy<Value = Words> {
    select(&[JS, JS, NATIVE][..])
}

/// By how much a count exceeds the listed publishers, if it is given.
fn total() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![5 => Just(None), 2 => Just(Some(0)), 1 => Just(Some(1))]
}

fn count(field: &str, listed: usize, more: Option<usize>) -> String {
    more.map_or_else(String::new, |more| {
        format!(r#","{field}":{}"#, listed + more)
    })
}

type Listed = Vec<(&'static str, Vec<(&'static str, String)>, Option<usize>)>;

fn topic_infos(words: Words, listed: &Listed) -> String {
    let topics: Vec<String> = listed
        .iter()
        .map(|(topic, publishers, more)| {
            let total = count(words.publishers, publishers.len(), *more);
            let publishers: Vec<String> = publishers
                .iter()
                .map(|(user, meta)| format!(r#"{{"publisherUserId":"{user}"{meta}}}"#))
                .collect();
            format!(
                r#"{{"{}":"{topic}"{total},"publishers":[{}]}}"#,
                words.topic,
                publishers.join(",")
            )
        })
        .collect();
    format!(r#""topicInfos":[{}]"#, topics.join(","))
}

fn listed() -> impl Strategy<Value = Listed> {
    vec(
        (topic(), vec((user(), meta("publisherMeta")), 0..4), total()),
        0..3,
    )
}

fn agora_live() -> impl Strategy<Value = Body> {
    let kind = prop_oneof![4 => Just(0), 4 => Just(1), 1 => Just(2)];
    (
        words(),
        kind,
        channel(),
        select(&["ann", "bob", "cy", ""][..]),
        listed(),
    )
        .prop_map(|(words, kind, channel, publisher, listed)| {
            let kind = [words.join, words.leave, words.none][kind];
            let topics = topic_infos(words, &listed);
            foreign(format!(
                r#"{kind},"channelName":"{channel}","publisher":"{publisher}",{topics}"#
            ))
        })
}

fn agora_snapshot() -> impl Strategy<Value = Body> {
    (words(), channel(), listed(), total()).prop_map(|(words, channel, listed, more)| {
        let (kind, topics) = (words.snapshot, topic_infos(words, &listed));
        let total = count(words.topics, listed.len(), more);
        foreign(format!(
            r#"{kind},"channelName":"{channel}","publisher":"",{topics}{total}"#
        ))
    })
}

fn agora_link() -> impl Strategy<Value = Body> {
    let state = select(&["CONNECTED", "CONNECTED", "DISCONNECTED", "SUSPENDED"][..]);
    let unrestored = select(&["", "", r#","unrestoredChannels":["a"]"#][..]);
    let service = select(
        &[
            "",
            "",
            r#","serviceType":"STREAM""#,
            r#","serviceType":"MESSAGE""#,
        ][..],
    );
    let reason = select(&["", r#","reasonCode":"INTERRUPTED""#][..]);
    let resumed = select(&["", r#","isResumed":false"#, r#","isResumed":true"#][..]);
    (state, channels(), unrestored, service, reason, resumed).prop_map(
        |(state, channels, unrestored, service, reason, resumed)| {
            foreign(format!(
                r#""event":"linkState","currentState":"{state}","affectedChannels":{channels}{unrestored}{service}{reason}{resumed}"#
            ))
        },
    )
}

fn agora_token() -> impl Strategy<Value = Body> {
    let kind = select(
        &[
            r#""event":"token","eventType":"WILL_EXPIRE""#,
            r#""event":"token","eventType":"READ_PERMISSION_REVOKED""#,
            r#""event":"token","eventType":"READ_PERMISSION_REVOKED","reasonCode":"R""#,
            r#""event":"tokenPrivilegeWillExpire""#,
        ][..],
    );
    let channel = select(&["", r#","channelName":"a""#, r#","channelName":"""#][..]);
    (kind, channel).prop_map(|(kind, channel)| foreign(format!("{kind}{channel}")))
}
