//! Who may do what: every documented route, channels, and tokens that expire.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::server::auth::TokenScope;
use rollbook::server::document;
use rollbook::{Options, Store};
use rollbook_support::server::{Got, Served, Tokens, join};
use serde_json::json;

async fn served(tokens: &Tokens) -> Served {
    let store = Store::in_memory(Options::default()).unwrap();
    let served = Served::start(store, tokens.config()).await;
    let all = tokens.make(&[TokenScope::Ingest], None, 60_000);
    let lines = [join("room", "tony", 1_000), join("attic", "lily", 2_000)].join("\n");
    served
        .post(&format!("/v1/events?access_token={all}"), &lines)
        .await
        .expect(200);
    served
}

/// The status with which a route answers, and its error message.
async fn status(
    served: &Served,
    method: &str,
    path: &str,
    socket: bool,
    token: Option<&str>,
) -> (u16, String) {
    let got = if socket {
        let token = token.map_or(String::new(), |token| format!("&access_token={token}"));
        match served.socket(&format!("{path}{token}")).await {
            Ok(_) => return (200, String::new()),
            Err(got) => got,
        }
    } else {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let head: Vec<_> = bearer
            .iter()
            .map(|bearer| ("authorization", &**bearer))
            .collect();
        // A body must not be empty.
        served.ask(method, path, &head, "[]").await
    };
    (
        got.status,
        if got.status == 200 {
            String::new()
        } else {
            got.error()
        },
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_the_scope_that_it_says() {
    let tokens = Tokens::new();
    let served = served(&tokens).await;
    let document = document();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let url = format!("{path}?channel=room");
            let needs_channel = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one["name"] == "channel");
            let url = if needs_channel {
                url
            } else {
                format!("{path}?")
            };
            let responses = &operation["responses"];
            let socket = responses.get("101").is_some();
            let ask =
                async |token: Option<&str>| status(&served, &method, &url, socket, token).await;
            let Some(scope) = operation["security"][0]["bearer"][0].as_str() else {
                assert_eq!(ask(None).await.0, 200, "{path}");
                continue;
            };
            asked += 1;
            // A stream does not end by itself. Its sibling, the socket, shows that such a token is accepted.
            let ends = responses["200"]["content"]
                .get("text/event-stream")
                .is_none();
            let scope: TokenScope = scope.parse().unwrap();
            let other = if scope == TokenScope::Read {
                TokenScope::Ingest
            } else {
                TokenScope::Read
            };
            let unknown = |why: &str| {
                let needed = format!("a valid token with the scope \"{scope}\" is needed: {why}");
                (401, needed)
            };
            assert_eq!(ask(None).await, unknown("there is none"), "{path}");
            let no_jwt = unknown("this one is no JWT");
            assert_eq!(ask(Some("abc.def.ghi")).await, no_jwt, "{path}");
            let expired = tokens.make(&[scope], None, -4_000);
            let ago = unknown("this one expired 4 s ago");
            assert_eq!(ask(Some(&expired)).await, ago, "{path}");
            let foreign = tokens.make(&[other], None, 60_000);
            assert_eq!(
                ask(Some(&foreign)).await,
                (403, format!("the token lacks the scope \"{scope}\"")),
                "{path}"
            );
            if needs_channel {
                let elsewhere = tokens.make(&[scope], Some(&["attic"]), 60_000);
                let refusal = (
                    403,
                    "the token does not allow the channel \"room\"".to_owned(),
                );
                assert_eq!(ask(Some(&elsewhere)).await, refusal, "{path}");
            }
            // A store in memory has nothing that could be restored.
            let allowed = if path == "/v1/backup" { 400 } else { 200 };
            if ends {
                for good in [&[scope][..], &[TokenScope::Admin], &[other, scope]] {
                    assert_eq!(
                        ask(Some(&tokens.make(good, None, 60_000))).await.0,
                        allowed,
                        "{path}"
                    );
                }
            }
        }
    }
    assert!(asked >= 14, "{asked}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_some_channels_sees_those_only() {
    let tokens = Tokens::new();
    let served = served(&tokens).await;
    let token = tokens.make(&[TokenScope::Read], Some(&["attic"]), 60_000);
    let get = async |path: &str| served.get(&format!("/v1/{path}access_token={token}")).await;
    for path in [
        "history?",
        "sessions?",
        "stats?",
        "channels?",
        "history?limit=1&",
    ] {
        let heard = get(path).await.expect(200).lines();
        assert!(!heard.is_empty(), "{path}");
        assert!(
            heard.iter().all(|line| line["channel"] == "attic"),
            "{path}: {heard:?}"
        );
    }
    get("who?channel=attic&").await.expect(200);
    // Whether another channel exists is not revealed.
    assert_eq!(get("who?channel=nowhere&").await.status, 403);
    // Naming an allowed channel as well does not open another one.
    get("history?channel=room&channel=attic&").await.expect(400);
    get("history?channel=attic&channel=room&").await.expect(403);
    // Answers that cannot be split by channel need a token for all channels.
    for path in ["/v1/rejects", "/metrics"] {
        let got = served.get(&format!("{path}?access_token={token}")).await;
        let refusal = "the token does not allow all channels";
        assert_eq!(got.expect(403).error(), refusal, "{path}");
    }
    let mut socket = served
        .socket(&format!("/v1/subscribe?access_token={token}"))
        .await
        .unwrap();
    let heard = socket.hear_until(|said| said["t"] == "live").await;
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0]["channel"], "attic");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_warned_before_its_token_expires_and_may_show_another() {
    let tokens = Tokens::new();
    let served = served(&tokens).await;
    let token = tokens.make(&[TokenScope::Read], Some(&["room"]), 100_000);
    let path = format!("/v1/subscribe?channel=room&after_seq=2&access_token={token}");
    let mut socket = served.socket(&path).await.unwrap();
    socket.hear_until(|said| said["t"] == "live").await;
    tokens.clock.go_on(70_000);
    let warning = json!({"t":"token","state":"will_expire","in_ms":30_000});
    assert_eq!(socket.hear().await, Ok(warning.clone()));
    // A renewal with a smaller token is refused, and changes nothing.
    let renew = |token: String| json!({"t":"renew","token":token}).to_string();
    socket
        .say(renew(tokens.make(
            &[TokenScope::Read],
            Some(&["attic"]),
            100_000,
        )))
        .await;
    let refused = socket.hear().await.unwrap();
    assert_eq!(
        (&refused["t"], &refused["state"]),
        (&json!("token"), &json!("refused"))
    );
    socket
        .say(renew(tokens.make(&[TokenScope::Read], None, 100_000)))
        .await;
    assert_eq!(
        socket.hear().await,
        Ok(json!({"t":"token","state":"renewed"}))
    );
    tokens.clock.go_on(31_000);
    // The old token has expired, and the socket stays open.
    served
        .post(
            &format!(
                "/v1/events?access_token={}",
                tokens.make(&[TokenScope::Ingest], None, 9_000)
            ),
            &join("room", "ana", 3_000),
        )
        .await
        .expect(200);
    assert_eq!(socket.hear().await.unwrap()["user"], "ana");
    tokens.clock.go_on(39_000);
    assert_eq!(socket.hear().await, Ok(warning));
    tokens.clock.go_on(30_000);
    assert_eq!(socket.hear().await, Err(4401));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_short_of_time_is_warned_of_at_half_of_it() {
    let tokens = Tokens::new();
    let served = served(&tokens).await;
    let token = tokens.make(&[TokenScope::Ingest], None, 7_000);
    let mut socket = served
        .socket(&format!("/v1/ingest?access_token={token}"))
        .await
        .unwrap();
    tokens.clock.go_on(3_500);
    let warning = json!({"t":"token","state":"will_expire","in_ms":3_500});
    assert_eq!(socket.hear().await, Ok(warning));
    // Lines sent before the token expires are acknowledged before the socket closes. A renewal is not a line.
    socket
        .say(json!({"t":"renew","token":"none"}).to_string())
        .await;
    socket.say(join("room", "ana", 3_000)).await;
    let heard = socket.hear_until(|word| word["t"] == "ack").await;
    assert_eq!(heard.last().unwrap()["line"], 1);
    tokens.clock.go_on(3_500);
    assert_eq!(socket.hear().await, Err(4401));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_renews_a_short_token_at_each_warning_is_warned_once_for_each() {
    let tokens = Tokens::new();
    let served = served(&tokens).await;
    let token = || tokens.make(&[TokenScope::Read], None, 10_000);
    let path = format!("/v1/subscribe?after_seq=2&access_token={}", token());
    let mut socket = served.socket(&path).await.unwrap();
    socket.hear_until(|said| said["t"] == "live").await;
    let warning = json!({"t":"token","state":"will_expire","in_ms":5_000});
    let renewed = json!({"t":"token","state":"renewed"});
    for _ in 0..5 {
        tokens.clock.go_on(5_000);
        assert_eq!(socket.hear().await, Ok(warning.clone()));
        // A second renewal shows that no message was sent in between.
        for _ in 0..2 {
            let renew = json!({"t":"renew","token":token()});
            socket.say(renew.to_string()).await;
            assert_eq!(socket.hear().await, Ok(renewed.clone()));
        }
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_another_kind_are_none() {
    let tokens = Tokens::new();
    let served = served(&tokens).await;
    let good = tokens.make(&[TokenScope::Read], None, 60_000);
    let mut parts = good.split('.').map(str::to_owned).collect::<Vec<_>>();
    // `{"alg":"none"}`, first with the old signature, and below with none.
    parts[0] = "eyJhbGciOiJub25lIn0".into();
    let ask = async |token: &str| -> Got {
        served
            .get(&format!("/v1/channels?access_token={token}"))
            .await
    };
    ask(&good).await.expect(200);
    ask(&parts.join(".")).await.expect(401);
    parts[2] = String::new();
    ask(&parts.join(".")).await.expect(401);
    ask("").await.expect(401);
    served.stop().await;
}
