//! A pruned store over the network: what is past retention is refused with a code, and lists say where they begin.

use rollbook::{Options, Store};
use rollbook_support::server::{Served, join};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pruned_is_refused_and_the_rest_says_where_it_begins() {
    let served = Served::open(Store::in_memory(Options::default().clock(|| 50_000)).unwrap()).await;
    for n in 1..=9 {
        let line = join("room", &format!("u{n}"), n * 1_000);
        served.post("/v1/events", &line).await.expect(200);
    }
    let whole = served.get("/v1/history").await.expect(200);
    assert_eq!(whole.header("rollbook-retained-from"), "");
    let whole = whole.lines();
    let store = served.stop().await;
    assert_eq!(store.prune_some(50_001, 4).unwrap().entries, 4);
    let Ok(store) = std::sync::Arc::try_unwrap(store) else {
        panic!("it is still used");
    };
    let served = Served::open(store).await;
    for path in [
        "who?channel=room&at=@4000",
        "who?channel=room&seq=4",
        "history?after_seq=3",
        "history?to=@4001",
        "sessions?to=@2000",
        "stream?after_seq=2",
    ] {
        let got = served.get(&format!("/v1/{path}")).await.expect(404);
        let error = got.json();
        assert_eq!(error["code"], "past_retention", "{path}: {error}");
        assert_eq!(error["retained_from"], "1970-01-01T00:00:04.001Z");
        let says =
            "past retention: entries before 1970-01-01T00:00:04.001Z (up to seq 4) were pruned";
        assert!(got.error().starts_with(says), "{path}: {error}");
    }
    let refused = served
        .socket("/v1/subscribe?after_seq=3")
        .await
        .err()
        .unwrap();
    assert_eq!(refused.expect(404).json()["code"], "past_retention");
    let list = served.get("/v1/history").await.expect(200);
    assert_eq!(
        list.header("rollbook-retained-from"),
        "1970-01-01T00:00:04.001Z"
    );
    assert_eq!(list.lines(), whole[4..]);
    for after_seq in ["", "after_seq=4"] {
        let mut socket = served
            .socket(&format!("/v1/subscribe?{after_seq}"))
            .await
            .unwrap();
        let heard = socket.hear_until(|said| said["t"] == "live").await;
        assert_eq!(heard[..heard.len() - 1], whole[4..]);
        socket.close().await;
    }
    let stats = served
        .get("/v1/stats?channel=room")
        .await
        .expect(200)
        .lines();
    assert_eq!(stats[0]["retained_from"], "1970-01-01T00:00:04.001Z");
    assert_eq!(
        (&stats[0]["joins"], &stats[0]["distinct_users"]),
        (&5.into(), &9.into())
    );
    served.stop().await;
}
