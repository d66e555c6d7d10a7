//! Queries over the network: the same answers as on the command line, and an error names what is wrong.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::server::document;
use rollbook::{Options, Store};
use rollbook_support::program::folder;
use rollbook_support::server::{Served, join, snapshot};
use serde_json::Value;

/// Questions over the network, and the same on the command line.
const SAME: &[(&str, &[&str])] = &[
    ("who?channel=studio-7", &["who", "studio-7"]),
    (
        "who?channel=studio-7&at=@1778790700000&certain=true",
        &["who", "studio-7", "--at", "@1778790700000", "--certain"],
    ),
    (
        "who?channel=studio-7&seq=9&topic=chat",
        &["who", "studio-7", "--seq", "9", "--topic", "chat"],
    ),
    (
        "who?channel=studio-7&known_at=2100-01-01T00:00:00Z",
        &["who", "studio-7", "--known-at", "2100-01-01T00:00:00Z"],
    ),
    ("history", &["history"]),
    (
        "history?channel=studio-7&type=join,leave&origin=inferred&after_seq=3&limit=4",
        &[
            "history",
            "studio-7",
            "--type",
            "join,leave",
            "--origin",
            "inferred",
            "--after-seq",
            "3",
            "--limit",
            "4",
        ],
    ),
    ("missed?channel=studio-7", &["missed", "studio-7"]),
    (
        "missed?channel=studio-7&gap=1&since=@0",
        &["missed", "studio-7", "--gap", "1", "--since", "@0"],
    ),
    ("sessions?channel=studio-7", &["sessions", "studio-7"]),
    (
        "sessions?user=ana&to=-1m",
        &["sessions", "--user", "ana", "--to", "-1m"],
    ),
    ("stats", &["stats"]),
    (
        "stats?channel=studio-7&every=15m",
        &["stats", "studio-7", "--every", "15m"],
    ),
    (
        "stats?channel=studio-7&every=1d&zone=Europe/Berlin",
        &[
            "stats",
            "studio-7",
            "--every",
            "1d",
            "--zone",
            "Europe/Berlin",
        ],
    ),
    (
        "stats?by=user&every=1h&from=2026-05-14&to=2026-05-15&zone=Europe/Berlin",
        &[
            "stats",
            "--by",
            "user",
            "--every",
            "1h",
            "--from",
            "2026-05-14",
            "--to",
            "2026-05-15",
            "--zone",
            "Europe/Berlin",
        ],
    ),
    (
        "sessions?per=channel&clip=true&from=2026-05-14%2023:00&zone=Europe/Berlin",
        &[
            "sessions",
            "--per",
            "channel",
            "--clip",
            "--from",
            "2026-05-14 23:00",
            "--zone",
            "Europe/Berlin",
        ],
    ),
    (
        "sessions?per=topic&user=ana",
        &["sessions", "--per", "topic", "--user", "ana"],
    ),
    (
        "attendance?channel=studio-7&from=2026-05-14&to=2026-05-15&zone=Europe/Berlin&without_meta=role=guest",
        &[
            "attendance",
            "studio-7",
            "--from",
            "2026-05-14",
            "--to",
            "2026-05-15",
            "--zone",
            "Europe/Berlin",
            "--without-meta",
            "role=guest",
        ],
    ),
    ("attendance?channel=studio-7", &["attendance", "studio-7"]),
    ("channels", &["channels"]),
    ("gaps?channel=studio-7", &["gaps", "studio-7"]),
    ("rejects", &["rejects"]),
    ("forgotten", &["forget", "--list"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_is_answered_as_on_the_command_line() {
    let folder = folder!();
    let store = Store::open(folder.path("store"), Options::default()).unwrap();
    let served = Served::open(store).await;
    let evening = include_str!("../../examples/weak-network-evening.jsonl");
    served
        .post("/v1/events?observer=e", &format!("{evening}\nnonsense\n"))
        .await
        .expect(200);
    let mut heard = Vec::new();
    for (path, _) in SAME {
        let got = served.get(&format!("/v1/{path}")).await.expect(200);
        let one = path.starts_with("who");
        assert_eq!(
            got.kind,
            if one {
                "application/json"
            } else {
                "application/x-ndjson"
            }
        );
        heard.push(got.lines());
    }
    drop(served.stop().await);
    let mut entries = 0;
    for ((path, args), heard) in SAME.iter().zip(heard) {
        assert_eq!(heard, folder.ask(args), "{path}");
        entries += heard.len();
    }
    assert!(entries > 100, "{entries}: the example says something");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_as_csv_or_parquet_and_compressed_to_who_asks_for_that() {
    let folder = folder!();
    let store = Store::open(folder.path("store"), Options::default()).unwrap();
    let served = Served::open(store).await;
    let evening = include_str!("../../examples/weak-network-evening.jsonl");
    served
        .post("/v1/events?observer=e", evening)
        .await
        .expect(200);
    let mut heard = Vec::new();
    for (path, args) in SAME.iter().filter(|(path, _)| !path.starts_with("who")) {
        let path = format!("/v1/{path}");
        let ask = async |accept: &str, encoding: &str| {
            let head = [("accept", accept), ("accept-encoding", encoding)];
            let got = served.ask("GET", &path, &head, "").await.expect(200);
            assert_eq!(got.header("vary"), "accept, accept-encoding");
            assert_eq!(got.header("content-encoding"), encoding);
            got
        };
        let csv = ask("text/csv", "").await;
        assert_eq!(csv.kind, "text/csv");
        let packed = ask("text/csv", "zstd").await.bytes;
        assert_eq!(zstd::decode_all(&packed[..]).unwrap(), csv.bytes);
        let packed = ask("text/csv", "gzip").await.bytes;
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut plain)
            .unwrap();
        assert_eq!(plain, csv.bytes);
        let parquet = ask("application/vnd.apache.parquet", "").await;
        assert!(parquet.bytes.starts_with(b"PAR1") && parquet.bytes.ends_with(b"PAR1"));
        heard.push((args, csv.body));
    }
    // An error has no form.
    let head = [("accept", "text/csv"), ("accept-encoding", "gzip")];
    let got = served
        .ask("GET", "/v1/gaps?channel=nobody", &head, "")
        .await;
    assert_eq!(got.header("vary"), "accept, accept-encoding");
    assert_eq!(got.expect(404).error(), "there is no channel \"nobody\"");
    drop(served.stop().await);
    for (args, heard) in heard {
        let printed = folder.run(&[args, &["--format", "csv"][..]].concat()).ok();
        assert_eq!(heard, printed.out, "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_by_name() {
    let served = Served::open(Store::in_memory(Options::default()).unwrap()).await;
    let lines = [join("room", "tony", 1_000), join("room", "lily", 1_000_000)];
    served
        .post("/v1/events", &lines.join("\n"))
        .await
        .expect(200);
    for (path, status, error) in [
        (
            "/v1/who?channel=nobody",
            404,
            "there is no channel \"nobody\"",
        ),
        (
            "/v1/history?channel=nobody",
            404,
            "there is no channel \"nobody\"",
        ),
        (
            "/v1/gaps?channel=nobody",
            404,
            "there is no channel \"nobody\"",
        ),
        ("/v1/who", 400, "missing field `channel`"),
        ("/v1/who?channel=room&at=soon", 400, "at: write 2026"),
        (
            "/v1/who?channel=room&at=yesterday",
            400,
            "at: yesterday needs a zone",
        ),
        (
            "/v1/who?channel=room&at=today&zone=Berlin",
            400,
            "zone: there is no zone \"Berlin\"",
        ),
        (
            "/v1/stats?every=36h&zone=Europe/Berlin",
            400,
            "every: in a zone",
        ),
        ("/v1/sessions?per=user", 400, "per: unknown variant `user`"),
        (
            "/v1/attendance?channel=room&from=@2&to=@1",
            400,
            "to: not behind from",
        ),
        (
            "/v1/attendance?channel=room&appointments=2/1",
            400,
            "appointments: \"2/1\": an appointment ends after its begin",
        ),
        (
            "/v1/attendance?channel=nobody&from=@1&to=@2",
            404,
            "there is no channel \"nobody\"",
        ),
        (
            "/v1/who?channel=room&at=@1&seq=1",
            400,
            "seq: not together with at",
        ),
        ("/v1/who?chanel=room", 400, "chanel: unknown field"),
        (
            "/v1/history?type=joined",
            400,
            "type: unknown variant `joined`",
        ),
        ("/v1/history?limit=many", 400, "limit: "),
        ("/v1/stats?every=1ms", 400, "every: the series"),
        ("/v1/subscribe", 400, "this is a WebSocket"),
        ("/v1/nothing", 404, "there is nothing here"),
        ("/v1/events", 405, "not by this method"),
    ] {
        let got = served.get(path).await.expect(status);
        assert!(got.error().starts_with(error), "{path}: {got:?}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_whole() {
    let served = Served::open(Store::in_memory(Options::default()).unwrap()).await;
    let lines: Vec<String> = (0..5_000)
        .map(|n| join("room", &format!("u{n}"), n))
        .collect();
    served
        .post("/v1/events", &lines.join("\n"))
        .await
        .expect(200);
    let heard = served.get("/v1/history").await.lines();
    let seqs: Vec<u64> = heard
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=5_000).collect::<Vec<_>>());
    served.stop().await;
}

/// Fields that may be missing: those of a step in a series or of a pruned store, and those of an error in a body.
fn left_out(path: &str) -> &[&str] {
    match path {
        "/v1/stats" => &["from", "to", "retained_from"],
        "/v1/events" => &["error", "rejects", "forbidden", "differing"],
        _ => &[],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_description_is_there_and_answers_as_it_says() {
    let served = Served::open(Store::in_memory(Options::default()).unwrap()).await;
    served
        .post("/v1/events", &snapshot("room", &["tony"], 1_000))
        .await
        .expect(200);
    let document: Value = served.get("/openapi.json").await.expect(200).json();
    assert_eq!(document, self::document());
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 18, "{:?}", paths.keys());
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().unwrap();
            assert!(
                parameters
                    .iter()
                    .all(|one| one["description"].is_string() && one["schema"].is_object()),
                "{path}"
            );
            let needs = parameters.iter().filter(|one| one["required"] == true);
            let asked: Vec<String> = needs
                .map(|one| format!("{}=room", one["name"].as_str().unwrap()))
                .collect();
            let url = format!("{path}?{}", asked.join("&"));
            let responses = operation["responses"].as_object().unwrap();
            if responses.contains_key("101") {
                served
                    .socket(&url)
                    .await
                    .unwrap_or_else(|got| panic!("{path}: {got:?}"))
                    .drop();
                continue;
            }
            let content = responses["200"]["content"].as_object().unwrap();
            let kinds = || content.keys();
            let lines = kinds().find(|kind| kind.ends_with("ndjson"));
            let kind = lines.or(kinds().next()).unwrap();
            // A stream does not end, and a store in memory has nothing that could be restored (`tests/cli/backup.rs`).
            if kind == "text/event-stream" || path == "/v1/backup" {
                continue;
            }
            // An empty body is no valid request, but a list without events is one.
            let got = served
                .ask(&method.to_uppercase(), &url, &[], "[]")
                .await
                .expect(200);
            assert!(
                got.kind.starts_with(kind),
                "{path}: {kind} and {}",
                got.kind
            );
            let schema = &content[kind]["schema"];
            // Of two answers, the one without the parameter that asks for the other.
            let schema = schema.get("anyOf").map_or(schema, |both| &both[0])["$ref"].clone();
            if let Some(schema) = schema.as_str() {
                let schema = document.pointer(schema.strip_prefix('#').unwrap()).unwrap();
                let fields = schema["properties"].as_object().unwrap().keys();
                let fields = fields.filter(|field| !left_out(path).contains(&field.as_str()));
                let mut described: Vec<&String> = fields.collect();
                described.sort();
                for line in got.lines() {
                    let mut said: Vec<&String> = line.as_object().unwrap().keys().collect();
                    said.sort();
                    assert_eq!(said, described, "{path}");
                }
            }
        }
    }
    assert_eq!(served.get("/healthz").await.expect(200).body, "ok\n");
    served.stop().await;
}
