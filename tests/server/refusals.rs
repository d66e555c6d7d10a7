//! Why a token is refused: the answer says it, the metrics count it, and neither has anything of the token.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rollbook::server::Config;
use rollbook::server::auth::{Secret, TokenVerifier};
use rollbook::{Options, Store};
use rollbook_support::server::{NOW, Served, Set};
use serde_json::{Value, json};
use std::io::Write;

const SECRETS: [&str; 2] = [
    "the first secret, of thirty-two bytes or more",
    "the second secret, of thirty-two bytes or more",
];

fn verifier() -> TokenVerifier {
    let secrets = SECRETS.map(|text| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Secret::read(file.path()).unwrap()
    });
    TokenVerifier::of_secrets(&secrets)
}

fn signed(secret: &str, header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_which_it_was() {
    let config = Config::default().tokens(verifier()).clock(Set::at(NOW));
    let store = Store::in_memory(Options::default()).unwrap();
    let served = Served::start(store, config).await;
    let at = |seconds: i64| NOW / 1_000 + seconds;
    let plain = Header::new(Algorithm::HS256);
    let by = |secret: &str, claims: Value| signed(secret, &plain, &claims);
    let read = |seconds: i64| json!({"exp": at(seconds), "scope": "read", "sub": "dora"});
    let critical = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..plain.clone()
    };
    let none = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoicmVhZCJ9.";
    for (reason, status, says, token) in [
        (
            "expired",
            401,
            "this one expired 4 s ago",
            by(SECRETS[1], read(-4)),
        ),
        (
            "expired",
            401,
            "this one expired 15 min ago",
            by(SECRETS[0], read(-900)),
        ),
        (
            "expired",
            401,
            "this one expired 3 days ago",
            by(SECRETS[0], read(-300_000)),
        ),
        (
            "not_yet",
            401,
            "this one is not good before 10 s from now",
            by(
                SECRETS[0],
                json!({"exp": at(60), "nbf": at(10), "scope": "read"}),
            ),
        ),
        (
            "signature",
            401,
            "the signature of this one is by none of the server's keys",
            by("another secret of thirty-two bytes or more", read(60)),
        ),
        (
            "algorithm",
            401,
            "signed by an algorithm that is not the server's",
            signed(SECRETS[0], &Header::new(Algorithm::HS512), &read(60)),
        ),
        ("malformed", 401, "this one is no JWT", none.to_owned()),
        ("malformed", 401, "this one is no JWT", "dora".to_owned()),
        (
            "critical",
            401,
            "a critical extension",
            signed(SECRETS[0], &critical, &read(60)),
        ),
        (
            "claims",
            401,
            "the claims of this one cannot be read",
            by(SECRETS[0], json!({"scope": "read", "sub": "dora"})),
        ),
        (
            "claims",
            401,
            "the claims of this one cannot be read",
            by(SECRETS[1], json!({"exp": "dora", "scope": "read"})),
        ),
        (
            "scope",
            403,
            "the token lacks the scope \"read\"",
            by(SECRETS[0], json!({"exp": at(60), "scope": "ingest"})),
        ),
        (
            "channel",
            403,
            "the token does not allow the channel \"room\"",
            by(
                SECRETS[0],
                json!({"exp": at(60), "scope": "read", "channels": ["dora"]}),
            ),
        ),
    ] {
        let bearer = format!("Bearer {token}");
        let head = [("authorization", &*bearer)];
        let got = served.ask("GET", "/v1/who?channel=room", &head, "").await;
        assert_eq!(got.status, status, "{reason}: {}", got.body);
        let error = got.error();
        assert!(error.contains(says), "{reason}: {error}");
        assert!(!error.contains("dora"), "{error}");
    }
    served.get("/v1/who?channel=room").await.expect(401);
    served.stop().await;
}
