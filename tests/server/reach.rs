//! What a token for some channels or observers may write, and that it can be used for nothing else.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::ingest::{IngestOptions, retry};
use rollbook::server::Metrics;
use rollbook::server::auth::TokenScope;
use rollbook::{Options, Store};
use rollbook_support::reliability::row;
use rollbook_support::server::{Served, Tokens, join};
use serde_json::{Value, json};
use std::sync::Arc;

const NOT_ROOM: &str = "the token does not allow the channel \"room\"";

/// A server, and the path with a token that may write to these channels.
async fn limited(channels: &[&str]) -> (Served, Tokens, String) {
    let tokens = Tokens::new();
    let metrics = Metrics::new();
    let options = Options::default().meter(Arc::<Metrics>::clone(&metrics));
    let config = tokens.config().metrics(metrics);
    let served = Served::start(Store::in_memory(options).unwrap(), config).await;
    let all = tokens.make(&[TokenScope::Ingest], None, 60_000);
    let known = [
        join("room", "tony", 1_000),
        join("attic", "lily", 2_000),
        join("message:room", "tony", 1_000),
        join("stream:room", "tony", 1_000),
        join("message:attic", "lily", 2_000),
    ];
    let path = format!("/v1/events?access_token={all}");
    served.post(&path, &known.join("\n")).await.expect(200);
    let token = tokens.make(&[TokenScope::Ingest], Some(channels), 60_000);
    let path = format!("/v1/events?access_token={token}");
    (served, tokens, path)
}

/// The entries after the first five, with which each test begins.
fn written(store: &Store) -> Vec<Value> {
    let mut entries = Vec::new();
    for entry in store.history(&Default::default()).unwrap() {
        let entry = entry.unwrap();
        entries.push(serde_json::to_value(entry).unwrap());
    }
    entries.split_off(5)
}

fn kept_rejects(store: &Store) -> usize {
    let kept = store.kept_rejects().unwrap();
    kept.map(Result::unwrap).count()
}

fn nothing_retried(store: &Store) {
    let head = store.head();
    retry(store, &IngestOptions::default(), &mut ()).unwrap();
    assert_eq!(store.head(), head, "{:?}", written(store));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_line_is_answered_and_counted_and_no_retry_takes_it() {
    let (served, tokens, path) = limited(&["attic"]).await;
    let lines = [join("room", "ana", 3_000), join("attic", "ana", 4_000)];
    let got = served
        .post(&path, &lines.join("\n"))
        .await
        .expect(403)
        .json();
    let error = format!("line 1: {NOT_ROOM}; for such reasons 1 line is not recorded");
    assert_eq!(got["error"], error);
    assert_eq!(
        got["forbidden"],
        json!([{"line":1,"byte":0,"reason":NOT_ROOM}])
    );
    assert_eq!([&got["lines"], &got["rejected"], &got["joins"]], [2, 0, 1]);

    let token = tokens.make(&[TokenScope::Ingest], Some(&["attic"]), 60_000);
    let path = format!("/v1/ingest?observer=socket&access_token={token}");
    let mut socket = served.socket(&path).await.unwrap();
    let lines = [
        join("room", "eve", 5_000),
        "nonsense".to_owned(),
        join("room", "eve", 5_000),
        join("attic", "eve", 6_000),
    ];
    socket.say(lines.join("\n")).await;
    let heard = socket.hear_until(|word| word["t"] == "ack").await;
    let forbidden = |line: u64| json!({"t":"reject","line":line,"reason":NOT_ROOM});
    assert_eq!([&heard[0], &heard[2]], [&forbidden(1), &forbidden(3)]);
    assert_eq!([&heard[1]["line"], &heard[3]["line"]], [2, 4]);
    socket.close().await;

    let read = tokens.make(&[TokenScope::Read], None, 60_000);
    let figures = served.get(&format!("/metrics?access_token={read}")).await;
    let figures = figures.expect(200).body;
    assert!(
        figures.contains("\nrollbook_lines_forbidden_total 3\n"),
        "{figures}"
    );
    let store = served.stop().await;
    assert_eq!(kept_rejects(&store), 1);
    nothing_retried(&store);
    assert!(
        written(&store)
            .iter()
            .all(|entry| entry["channel"] != "room")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_limited_token_sent_wrong_is_kept_and_no_retry_takes_it() {
    let (served, _, path) = limited(&["attic"]).await;
    // Its time is too far off in milliseconds; in microseconds it would be valid.
    let far = join("room", "ana", 99_999_999_999_999_999);
    let got = served.post(&path, &far).await.expect(422).json();
    assert_eq!(got["rejected"], 1, "{got}");
    let store = served.stop().await;
    let mut reasons = Vec::new();
    for reject in store.kept_rejects().unwrap() {
        let (_, reject) = reject.unwrap();
        reasons.push((reject.reason.to_string(), reject.text.clone()));
    }
    assert_eq!(reasons[0].1.as_deref(), Some(far.as_bytes()));
    let mark = "; its sender may write to some channels only, so no retry takes it";
    assert!(reasons[0].0.ends_with(mark), "{reasons:?}");
    let mut how = IngestOptions::default();
    how.settings.time_unit = rollbook::feed::TimeUnit::Micros;
    let again = retry(&store, &how, &mut ()).unwrap();
    assert_eq!(
        (again.lines, again.tally.rejected, again.tally.joins),
        (1, 1, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_that_speaks_of_another_channel_is_forbidden() {
    let (served, _, path) = limited(&["attic"]).await;
    let lines = [
        r#"{"t":"leave","channel":"room","topic":"chat","user":"tony","recorded_at":1000}"#,
        r#"{"t":"snapshot","channel":"room","topics":{}}"#,
        r#"{"t":"snapshot_begin","channel":"room","sync":"s"}"#,
        r#"{"t":"snapshot_page","channel":"room","sync":"s","topics":{}}"#,
        r#"{"t":"snapshot_end","channel":"room","sync":"s"}"#,
        r#"{"t":"diff","channel":"room","joins":{},"leaves":{"chat":[{"user":"tony"}]}}"#,
        r#"{"t":"link","state":"down","channels":["attic","room"]}"#,
        r#"{"t":"token","state":"expired","channel":"room"}"#,
        r#"{"event":"tokenPrivilegeWillExpire","channelName":"room"}"#,
        r#"{"event":"linkState","currentState":"FAILED","affectedChannels":["room"]}"#,
        r#"{"eventType":"SNAPSHOT","channelName":"room","topicInfos":[]}"#,
        r#"{"type":1,"channelName":"room","topicInfos":[]}"#,
        // `message:attic` is another channel than `attic`.
        r#"{"eventType":"SNAPSHOT","channelType":"MESSAGE","channelName":"attic","stateChanged":{},"snapshot":[]}"#,
        r#"{"eventType":"INTERVAL","channelType":"MESSAGE","channelName":"attic","stateChanged":{},"interval":{"totalOccupancy":0}}"#,
    ];
    for line in lines {
        let got = served.post(&path, line).await;
        assert_eq!(got.status, 403, "{line}: {got:?}");
    }
    let store = served.stop().await;
    assert_eq!((written(&store).len(), kept_rejects(&store)), (0, 0));
    let found = [("recorded", 0), ("kept for a retry", 0)];
    row(
        "lines for a channel that the token does not name",
        lines.len() as u64,
        &found,
    );
}

/// The channels of the entries that a body writes with a token for these channels.
async fn channels_written(channels: &[&str], line: &str, status: u16) -> Vec<Value> {
    let (served, _, path) = limited(channels).await;
    let got = served.post(&path, line).await;
    assert_eq!(got.status, status, "{line}: {got:?}");
    let store = served.stop().await;
    let mut gaps = Vec::new();
    for channel in [
        "room",
        "message:room",
        "stream:room",
        "attic",
        "message:attic",
    ] {
        // An unknown channel has none.
        let found = store.gaps(channel).unwrap_or_default();
        gaps.extend(found.into_iter().map(|gap| gap.channel));
    }
    let allowed = |channel: &String| channels.contains(&channel.as_str());
    assert!(gaps.iter().all(allowed), "{line}: {gaps:?}");
    let written = written(&store);
    written
        .iter()
        .map(|entry| entry["channel"].clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_line_concerns_the_channels_of_the_token_only() {
    let down = r#"{"t":"link","state":"down","ts":6000}"#;
    let agora = |service: &str, channels: &str| {
        format!(
            r#"{{"event":"linkState","currentState":"DISCONNECTED",{service}"affectedChannels":[{channels}],"timestamp":6000}}"#
        )
    };
    let message = r#""serviceType":"MESSAGE","#;
    for (channels, line, wrote) in [
        (vec!["attic"], down.to_owned(), vec!["attic"]),
        (vec!["attic"], agora("", ""), vec!["attic"]),
        (vec!["attic"], agora("", r#""attic""#), vec!["attic"]),
        // A token for `attic` does not cover the presence channel of that name.
        (vec!["attic"], agora(message, ""), vec![]),
        (
            vec!["message:attic"],
            agora(message, ""),
            vec!["message:attic"],
        ),
        (
            vec!["message:attic"],
            agora(message, r#""attic""#),
            vec!["message:attic"],
        ),
        (
            vec!["message:attic"],
            agora(r#""serviceType":"STREAM","#, ""),
            vec![],
        ),
        (
            vec!["message:attic"],
            agora(r#""serviceType":"OTHER","#, ""),
            vec![],
        ),
    ] {
        assert_eq!(
            channels_written(&channels, &line, 200).await,
            wrote,
            "{line}"
        );
    }
    let forbidden = agora(message, r#""attic""#);
    assert!(
        channels_written(&["attic"], &forbidden, 403)
            .await
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_line_without_a_channel_needs_a_token_for_one_or_all() {
    let line = r#"{"t":"token","state":"expired","ts":6000}"#;
    assert_eq!(channels_written(&["attic"], line, 200).await, ["attic"]);
    assert!(
        channels_written(&["attic", "loft"], line, 403)
            .await
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_some_observers_speaks_for_no_other() {
    let (served, tokens, _) = limited(&[]).await;
    let token = tokens.make_for(
        &[TokenScope::Ingest],
        Some(&["attic"]),
        Some(&["b"]),
        60_000,
    );
    let refusal = "the token does not allow the observer \"default\"";
    // It can take neither the observer's connection nor the position of its feed.
    for path in ["/v1/ingest?feed=f&", "/v1/ingest?observer=default&"] {
        let refused = served.socket(&format!("{path}access_token={token}")).await;
        let refused = refused.err().unwrap().expect(403);
        assert_eq!(refused.error(), refusal, "{path}");
    }
    let path = format!("/v1/events?access_token={token}");
    assert_eq!(served.post(&path, "{}").await.expect(403).error(), refusal);
    // Nor use its ids.
    let line =
        r#"{"t":"join","channel":"attic","topic":"t","user":"u","id":"1","observer":"default"}"#;
    let path = format!("/v1/events?observer=b&access_token={token}");
    let got = served.post(&path, line).await.expect(403).json();
    assert_eq!(got["forbidden"][0]["reason"], refusal);
    served
        .post(&path, join("attic", "ana", 4_000))
        .await
        .expect(200);
    let store = served.stop().await;
    assert_eq!(written(&store).len(), 1);
}
