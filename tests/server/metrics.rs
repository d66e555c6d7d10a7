//! Figures: the metrics show what is known to have happened.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::server::{Config, Metrics};
use rollbook::{Options, Store};
use rollbook_support::server::{Served, join, snapshot, soon};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

async fn served(dir: &Path) -> Served {
    let metrics = Metrics::new();
    let options = Options::default().meter(Arc::<Metrics>::clone(&metrics));
    let config = Config::default().metrics(metrics);
    Served::start(Store::open(dir, options).unwrap(), config).await
}

/// All figures, by name and labels.
async fn figures(served: &Served) -> BTreeMap<String, f64> {
    let got = served.get("/metrics").await.expect(200);
    let lines = got.body.lines().filter(|line| !line.starts_with('#'));
    let figures = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let name = name.strip_prefix("rollbook_").unwrap_or(name);
        (name.to_owned(), value.parse().unwrap())
    });
    figures.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_in_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let served = served(dir.path()).await;
    let update = r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"lily","meta":1}]},"ts":3000}"#;
    let known = r#"{"t":"join","channel":"attic","topic":"chat","user":"eve","ts":5000,"id":"x"}"#;
    let lines = [
        snapshot("room", &["tony"], 1_000),
        snapshot("room", &["lily"], 2_000),
        update.to_owned(),
        join("attic", "ana", 3_000),
        join("attic", "ana", 2_500),
        known.to_owned(),
        known.to_owned(),
        "nonsense".to_owned(),
        r#"{"t":"link","state":"down","channels":["room"],"ts":6000}"#.to_owned(),
    ];
    let summary = served.post("/v1/events", &lines.join("\n")).await;
    let entries = summary.expect(200).json()["entries"].as_f64().unwrap();
    let is = figures(&served).await;
    for (name, value) in [
        ("entries_appended_total", entries),
        ("entries_inferred_total{kind=\"join\"}", 2.0),
        ("entries_inferred_total{kind=\"leave\"}", 1.0),
        ("entries_inferred_total{kind=\"update\"}", 1.0),
        ("entries_stale_total", 1.0),
        ("lines_rejected_total", 1.0),
        ("lines_forbidden_total", 0.0),
        ("lines_retried_total", 1.0),
        ("subscribers_too_slow_total", 0.0),
        ("reconcile_seconds_count", 3.0),
        ("sync_entries_sum", entries),
        ("head_seq", entries),
        ("queue_lines", 0.0),
        ("channels", 2.0),
        ("members_present", 3.0),
        ("gaps_open", 1.0),
        ("observers", 1.0),
        ("observers_connected", 0.0),
        ("subscribers", 0.0),
        ("subscriber_lag_entries", 0.0),
        ("writer_poisoned", 0.0),
    ] {
        assert_eq!(is.get(name), Some(&value), "{name}: {is:#?}");
    }
    assert_eq!(is["sync_seconds_count"], is["sync_entries_count"]);
    assert!(is["sync_seconds_count"] >= 1.0 && is["sync_seconds_sum"] > 0.0);
    assert!(is["store_bytes"] > 0.0);
    // After something was recorded, the gauges are updated.
    let mut socket = served.socket("/v1/ingest?observer=eye").await.unwrap();
    socket.say(snapshot("room", &["lily"], 7_000)).await;
    socket.hear_until(|word| word["t"] == "ack").await;
    let is = figures(&served).await;
    assert_eq!((is["gaps_open"], is["observers_connected"]), (0.0, 1.0));
    socket.close().await;
    assert_eq!(figures(&served).await["observers_connected"], 0.0);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_is_that_of_the_subscriber_furthest_behind() {
    let dir = tempfile::tempdir().unwrap();
    let served = served(dir.path()).await;
    let mut quick = served.socket("/v1/subscribe?channel=room").await.unwrap();
    let mut slow = served.socket("/v1/subscribe?channel=room").await.unwrap();
    for socket in [&mut quick, &mut slow] {
        socket.hear_until(|said| said["t"] == "live").await;
    }
    assert_eq!(figures(&served).await["subscribers"], 2.0);
    // More than the system's own buffers hold, but fewer entries than a subscriber may lag behind.
    const ENTRIES: i64 = 3_000;
    let meta = "x".repeat(8_000);
    let line = |n: i64| {
        let line = json!({"t":"join","channel":"room","topic":"chat","user":format!("u{n}"),"meta":meta,"ts":n});
        line.to_string()
    };
    let lines: Vec<String> = (1..=ENTRIES).map(line).collect();
    let reading = tokio::spawn(async move {
        quick.hear_until(|said| said["seq"] == ENTRIES).await;
        quick
    });
    served
        .post("/v1/events", &lines.join("\n"))
        .await
        .expect(200);
    let quick = soon(reading).await.unwrap();
    let lag = figures(&served).await["subscriber_lag_entries"];
    assert!(lag > 0.0 && lag < ENTRIES as f64, "{lag}");
    slow.hear_until(|said| said["seq"] == ENTRIES).await;
    let caught_up = async {
        while figures(&served).await["subscriber_lag_entries"] > 0.0 {
            tokio::task::yield_now().await;
        }
    };
    soon(caught_up).await;
    quick.close().await;
    slow.close().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_process_disk_requests_and_upkeep() {
    let dir = tempfile::tempdir().unwrap();
    let served = served(dir.path()).await;
    let is = figures(&served).await;
    assert!(!is.contains_key("last_backup_timestamp_seconds"));
    assert!(!is.contains_key("oldest_unsealed_timestamp_seconds"));
    served
        .post("/v1/events", &join("room", "ana", 1_000))
        .await
        .expect(200);
    served.get("/v1/who?channel=attic").await.expect(404);
    served.get("/v1/who/what/ever?x=y").await.expect(404);
    served.get("/v1/backup").await.expect(200);
    let is = figures(&served).await;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(is[&format!("build_info{{version=\"{version}\"}}")], 1.0);
    for (route, code) in [("/v1/events", 200), ("/v1/who", 404), ("other", 404)] {
        let name = format!("requests_total{{route=\"{route}\",code=\"{code}\"}}");
        assert_eq!(is.get(&name), Some(&1.0), "{name}: {is:#?}");
    }
    assert_eq!(is["tokens_refused_total{reason=\"expired\"}"], 0.0);
    assert_eq!(is["unsealed_entries"], 1.0);
    assert!(is["disk_free_bytes"] > 0.0 && is["disk_free_bytes"] <= is["disk_bytes"]);
    let began = is["process_start_time_seconds"];
    for name in [
        "oldest_unsealed_timestamp_seconds",
        "last_backup_timestamp_seconds",
    ] {
        assert!(is[name] > 1.7e9, "{name}: {is:#?}");
    }
    assert!(began > 1.7e9 && began <= is["last_backup_timestamp_seconds"] + 60.0);
    assert!(is["process_cpu_seconds_total"] > 0.0);
    assert!(is["process_resident_memory_bytes"] > 1e6);
    assert!(is["process_open_fds"] >= 4.0 && is["process_open_fds"] <= is["process_max_fds"]);
    for file in ["rollbook.rules.yml", "grafana-dashboard.json"] {
        let path = format!("{}/examples/deploy/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let known = |name: &str| is.keys().any(|key| key.split('{').next() == Some(name));
        let mut seen = 0;
        for word in words {
            let of_store = word.strip_prefix("rollbook_");
            let Some(name) = of_store.or(word.starts_with("process_").then_some(word)) else {
                continue;
            };
            let there =
                known(name) || known(&format!("{}_count", name.trim_end_matches("_bucket")));
            assert!(there, "{file} has {word}, which is no metric");
            seen += 1;
        }
        assert!(seen > 10, "{file}: {seen}");
    }
    // The time of the backup outlives the server.
    drop(served.stop().await);
    let again = self::served(dir.path()).await;
    let known = figures(&again).await["last_backup_timestamp_seconds"];
    assert_eq!(known, is["last_backup_timestamp_seconds"]);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_have_the_same_figures() {
    let dir = tempfile::tempdir().unwrap();
    let served = served(dir.path()).await;
    let get = async |accept: &str| {
        served
            .ask("GET", "/metrics", &[("accept", accept)], "")
            .await
    };
    let open =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    for (accept, kind) in [
        (
            open,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "*/*",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "text/plain;q=0.9, application/openmetrics-text;q=0.2",
            "text/plain; version=0.0.4; charset=utf-8",
        ),
    ] {
        assert_eq!(get(accept).await.kind, kind, "{accept}");
    }
    let names = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
        names.collect::<Vec<_>>()
    };
    let (open, plain) = (get(open).await.body, get("text/plain").await.body);
    assert_eq!(names(&open), names(&plain));
    assert!(open.ends_with("# EOF\n") && !plain.contains("# EOF") && !plain.contains("# UNIT"));
    // Each figure of the plain format belongs to the type that stands above it.
    let mut typed = String::new();
    for line in plain.lines() {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            typed = of.split(' ').next().unwrap().to_owned();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&typed), "{line} below {typed}");
        }
    }
    assert!(
        plain.contains("# TYPE rollbook_entries_appended_total counter\n"),
        "{plain}"
    );
    served.stop().await;
}
