//! What pages of other sites may request, which headers a browser gets with answers, and invalid WebSocket frames.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::limits;
use rollbook::server::Config;
use rollbook::server::auth::TokenScope;
use rollbook::{Options, Store};
use rollbook_support::server::{Got, Served, Tokens, soon};
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const APP: &str = "https://app.example:8443";

fn store() -> Store {
    Store::in_memory(Options::default()).unwrap()
}

async fn naming(config: Config) -> Served {
    let origins = vec![APP.parse().unwrap()];
    Served::start(store(), config.origins(origins)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_only_its_own_pages_and_named_ones_are_served() {
    let nobody = Served::open(store()).await;
    let named = naming(Config::default()).await;
    for (head, without, with) in [
        (&[("origin", "http://localhost")][..], 200, 200),
        (
            &[
                ("origin", "http://localhost:7400"),
                ("host", "localhost:7400"),
            ],
            200,
            200,
        ),
        (
            &[("origin", "https://[::1]:1"), ("host", "[::1]:1")],
            200,
            200,
        ),
        // Another server on this machine is another site.
        (&[("origin", "http://localhost:3000")], 403, 403),
        (&[("origin", "http://127.0.0.1")], 403, 403),
        (&[("origin", "https://evil.example")], 403, 403),
        (&[("origin", "null")], 403, 403),
        (&[("origin", APP)], 403, 200),
        (&[("origin", "http://app.example:8443")], 403, 403),
        // A foreign name that leads here (DNS rebinding) is not a name of this machine.
        (&[("host", "evil.example:7400")], 403, 403),
        (&[("host", "app.example:8443"), ("origin", APP)], 403, 403),
        (&[("host", "localhost"), ("host", "localhost")], 400, 400),
    ] {
        for (served, status) in [(&nobody, without), (&named, with)] {
            let got = served.ask("GET", "/v1/channels", head, "").await;
            assert_eq!(got.status, status, "{head:?}: {got:?}");
        }
    }
    let evil = [("origin", "https://evil.example")];
    let refused = named.ask("POST", "/v1/events", &evil, "{}").await;
    assert!(refused.expect(403).error().contains("--allow-origin"));
    // Public routes stay public.
    nobody.ask("GET", "/bridge.js", &evil, "").await.expect(200);
    nobody.stop().await;
    named.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_page_may_ask_with_a_token_and_reads_the_answer() {
    let tokens = Tokens::new();
    let served = naming(tokens.config()).await;
    let first = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
        ]
    };
    let may = served.ask("OPTIONS", "/v1/events", &first(APP), "").await;
    let may = may.expect(204);
    assert_eq!(may.header("access-control-allow-origin"), APP);
    assert_eq!(may.header("access-control-allow-methods"), "GET, POST");
    let allowed = may.header("access-control-allow-headers");
    assert!(allowed.contains("authorization") && allowed.contains("content-type"));
    assert_eq!(may.header("vary"), "origin");
    let evil = first("https://evil.example");
    let not = served.ask("OPTIONS", "/v1/events", &evil, "").await;
    assert_eq!(not.expect(403).header("access-control-allow-origin"), "");

    let bearer = format!("Bearer {}", tokens.make(&[TokenScope::Read], None, 60_000));
    for (token, status) in [(bearer.as_str(), 200), ("Bearer none", 401)] {
        let head = [("origin", APP), ("authorization", token)];
        let got = served.ask("GET", "/v1/channels", &head, "").await;
        let got = got.expect(status);
        assert_eq!(got.header("access-control-allow-origin"), APP);
    }
    let head = [("origin", evil[0].1), ("authorization", &bearer)];
    let got = served.ask("GET", "/v1/channels", &head, "").await;
    assert_eq!(got.expect(200).header("access-control-allow-origin"), "");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_what_it_says_and_loads_nothing() {
    let served = Served::open(store()).await;
    for path in ["/", "/v1/channels", "/bridge.js", "/nothing"] {
        let got = served.get(path).await;
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        let policy = got.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_loads_its_own_files_and_no_others() {
    let served = naming(Tokens::new().config()).await;
    let page = served.get("/").await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self';") && policy.contains("trusted-types 'none'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    let named = page.body.split("\"dashboard/").skip(1);
    let named: BTreeSet<&str> = named.map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        let path = format!("/dashboard/{name}");
        let plain = served.get(&path).await.expect(200);
        let kind = match name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "font/woff2",
        };
        assert_eq!(plain.header("content-type"), kind, "{name}");
        assert_eq!(plain.header("cache-control"), "no-cache");
        assert_eq!(plain.header("content-encoding"), "");
        let tag = plain.header("etag");
        let head = [("if-none-match", tag)];
        let same = served.ask("GET", &path, &head, "").await.expect(304);
        assert_eq!((same.header("etag"), same.body.as_str()), (tag, ""));
        let other = [("if-none-match", "W/\"other\", \"x\"")];
        served.ask("GET", &path, &other, "").await.expect(200);
        for (accepts, packed) in [
            ("gzip, br", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
        ] {
            let head = [("accept-encoding", accepts)];
            let got = served.ask("GET", &path, &head, "").await.expect(200);
            // A font is packed already.
            let packed = packed && !name.ends_with(".woff2");
            let bytes = |got: &Got| got.header("content-length").parse::<u64>().unwrap();
            let smaller = bytes(&got) < bytes(&plain);
            let gzip = got.header("content-encoding") == "gzip";
            assert_eq!((gzip, smaller), (packed, packed), "{name}: {accepts}");
        }
    }
    for path in [
        "/dashboard/",
        "/dashboard/none.js",
        "/dashboard/../Cargo.toml",
    ] {
        served.get(path).await.expect(404);
    }
    served.stop().await;
}

#[test]
fn an_origin_is_scheme_host_and_port() {
    use rollbook::server::PageOrigin;
    for bad in [
        "*",
        "null",
        "app.example",
        "https://",
        "https://a/",
        "https://*.a",
        "https://a@b",
    ] {
        assert!(bad.parse::<PageOrigin>().is_err(), "{bad}");
    }
    let upper: PageOrigin = "HTTPS://App.Example".parse().unwrap();
    assert_eq!(upper, "https://app.example".parse().unwrap());
}

/// The code with which the server closes an ingest socket that sends this frame.
async fn closed_with(served: &Served, frame: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let ask = "GET /v1/ingest HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream.write_all(frame).await.unwrap();
    // The whole close frame, with its code.
    assert_eq!(soon(stream.read_u8()).await.unwrap(), 0x88);
    assert!(soon(stream.read_u8()).await.unwrap() >= 2);
    soon(stream.read_u16()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_breaks_the_rules_hears_which() {
    let served = Served::open(store()).await;
    let mut large = vec![0x81, 0xff];
    large.extend((limits::MESSAGE_BYTES_MAX as u64 + 1).to_be_bytes());
    large.extend([0, 0, 0, 0, b'x']);
    for (frame, code) in [
        // An unknown kind of frame; a frame without a mask.
        (&[0x83, 0x80, 0, 0, 0, 0][..], 1002),
        (&[0x81, 0x01, b'x'], 1002),
        (&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe], 1007),
        (&[0x82, 0x81, 0, 0, 0, 0, b'x'], 1003),
        (&large, 1009),
    ] {
        assert_eq!(closed_with(&served, frame).await, code, "{frame:?}");
    }
    served.stop().await;
}
