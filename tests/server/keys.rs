//! Keys: tokens that another service signed, and TLS. The keys in this file were made for these tests only.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rollbook::server::auth::TokenVerifier;
use rollbook::server::tls::Tls;
use rollbook::server::{Config, Listener, serve};
use rollbook::{Options, Store};
use rollbook_support::certificates::Authority;
use rollbook_support::server::{NOW, Served, Set, ask, soon};
use serde_json::json;
use std::io::Write;
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const SIGNER: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIOmeNjjaAzMpH9ZKV4OKT/6NqvXjlg7ZXjZnddLTIr5a
-----END PRIVATE KEY-----";
const SIGNER_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJIdQKmnVKyAA6Zr7Xs6VIfFr1C5A+apXoQohf9FBMMU=
-----END PUBLIC KEY-----";
fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn store() -> Store {
    Store::in_memory(Options::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_public_key_lets_in_what_the_private_one_has_signed() {
    let config = Config::default()
        .tokens(TokenVerifier::of_public_key(file(SIGNER_PUBLIC).path()).unwrap())
        .clock(Set::at(NOW));
    let served = Served::start(store(), config).await;
    let claims = |scope: serde_json::Value| json!({ "exp": NOW / 1_000 + 60, "scope": scope, "aud": "others", "sub": "x" });
    let key = EncodingKey::from_ed_pem(SIGNER.as_bytes()).unwrap();
    let sign = |claims| encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap();
    let get = async |token: String| {
        served
            .get(&format!("/v1/channels?access_token={token}"))
            .await
            .status
    };
    // Scopes as in RFC 8693, with commas, or as a list. Unknown scopes of later versions are ignored.
    for scope in [json!("ingest read"), json!("read,later"), json!(["read"])] {
        assert_eq!(get(sign(claims(scope))).await, 200);
    }
    assert_eq!(get(sign(claims(json!("ingest")))).await, 403);
    assert_eq!(
        get(sign(json!({ "scope": "read" }))).await,
        401,
        "it would never expire"
    );
    assert_eq!(
        get(sign(
            json!({ "scope": "read", "exp": NOW / 1_000 + 60, "nbf": NOW / 1_000 + 1 })
        ))
        .await,
        401
    );
    // The public key is no secret: a token that uses it as a shared secret must be refused.
    let forged = EncodingKey::from_secret(SIGNER_PUBLIC.as_bytes());
    let forged = encode(
        &Header::new(Algorithm::HS256),
        &claims(json!("read")),
        &forged,
    )
    .unwrap();
    assert_eq!(get(forged).await, 401);
    // `crit` names header fields that the server must understand. It knows none, so it refuses the token.
    let header = Header {
        crit: Some(vec!["exp".into()]),
        ..Header::new(Algorithm::EdDSA)
    };
    let critical = encode(&header, &claims(json!("read")), &key).unwrap();
    assert_eq!(get(critical).await, 401);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_tls() {
    let authority = Authority::new("ours");
    let issued = authority.issues("localhost");
    let tls = Tls::read(file(&issued.certificate).path(), file(&issued.key).path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let listeners = vec![Listener::Tcp(listener, Some(tls))];
        let stopped = async { drop(stopped.await) };
        serve(Arc::new(store()), listeners, Config::default(), stopped)
            .await
            .unwrap();
    });
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    // A silent client does not block others.
    let silent = TcpStream::connect(address).await.unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = soon(connector.connect("localhost".try_into().unwrap(), stream))
        .await
        .unwrap();
    soon(ask(stream, "GET", "/v1/channels", &[], ""))
        .await
        .expect(200);
    // A client without TLS receives an error that names `https://`.
    let plain = TcpStream::connect(address).await.unwrap();
    let told = soon(ask(plain, "GET", "/v1/channels", &[], "")).await;
    assert!(told.expect(400).error().contains("https://"));
    drop(silent);
    stop.send(()).unwrap();
    soon(serving).await.unwrap();
}
