//! Bodies of `POST /v1/events` that are bad, empty, damaged or in another form: each answer says what was recorded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use flate2::{Compression, write::GzEncoder};
use rollbook::{Options, Store};
use rollbook_support::reliability::row;
use rollbook_support::server::{Served, join};
use serde_json::{Value, json};
use std::io::Write;

async fn served() -> Served {
    Served::open(Store::in_memory(Options::default()).unwrap()).await
}

fn counts(summary: &Value) -> [u64; 3] {
    [&summary["lines"], &summary["entries"], &summary["rejected"]]
        .map(|count| count.as_u64().unwrap_or_else(|| panic!("{summary}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_one_bad_line_are_each_kept() {
    let served = served().await;
    for bad in ["{bad", "worse", "{bad"] {
        let answer = served.post("/v1/events", bad).await.expect(422).json();
        assert_eq!(counts(&answer), [1, 0, 1]);
        assert_eq!(answer["rejects"][0]["line"], 1);
    }
    assert_eq!(served.get("/v1/rejects").await.lines().len(), 3);
    let half = format!("{}\nbad", join("room", "ana", 1));
    let answer = served.post("/v1/events", &half).await.expect(200).json();
    assert_eq!(counts(&answer), [2, 1, 1]);
    served.stop().await;
    row(
        "bodies with a bad line",
        4,
        &[("kept as rejects", 4), ("good lines lost", 0)],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body_is_no_request() {
    let served = served().await;
    for empty in ["", "\n", " \r\n\n"] {
        let answer = served.post("/v1/events", empty).await.expect(400);
        assert_eq!(answer.error(), "the body is empty");
    }
    let answer = served.post("/v1/events", "[]").await.expect(200).json();
    assert_eq!(counts(&answer), [0, 0, 0]);
    served.stop().await;
    row("empty bodies", 3, &[("answered 400", 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_body_is_answered_with_what_is_recorded() {
    let served = served().await;
    let first = join("room", "ana", 1) + "\n";
    let text = format!("{first}{}", join("room", "ben", 2));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let body = &packed[..packed.len() - 4];
    let answer = served.post("/v1/events", body).await.expect(400);
    let recorded = format!("the lines up to byte {} are recorded", first.len());
    assert!(answer.error().contains(&recorded), "{answer:?}");
    assert!(
        answer.error().contains("damaged or cut short"),
        "{answer:?}"
    );
    assert_eq!(counts(&answer.json()), [1, 1, 0]);
    assert_eq!(served.get("/v1/history").await.lines().len(), 1);
    // A truncated array.
    let cut = format!("[{},\n{},", join("room", "ben", 2), join("room", "eve", 3));
    let answer = served.post("/v1/events", &cut).await.expect(400);
    assert!(answer.error().contains("within an array"), "{answer:?}");
    assert_eq!(counts(&answer.json()), [2, 2, 0]);
    served.stop().await;
    let found = [("answered with what is recorded", 2), ("lost", 0)];
    row("bodies that are damaged or cut short", 2, &found);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_be_an_array_or_spread_over_lines() {
    let served = served().await;
    let [one, two] = [1, 2]
        .map(|ts| -> Value { serde_json::from_str(&join("room", &format!("u{ts}"), ts)).unwrap() });
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    for body in [
        json!([one, two]).to_string(),
        pretty(&json!([one, two])),
        format!("{}\n{}", pretty(&one), pretty(&two)),
        format!("{one}\n{}", pretty(&two)),
    ] {
        let answer = served.post("/v1/events", &body).await.expect(200).json();
        assert_eq!(counts(&answer), [2, 2, 0], "{body}");
    }
    let refused = served
        .post("/v1/events", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        .await
        .expect(400);
    assert!(refused.error().contains("a PNG image"), "{refused:?}");
    assert_eq!(served.get("/v1/rejects").await.lines(), [Value::Null; 0]);
    served.stop().await;
}
