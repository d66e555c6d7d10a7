//! Everything over TLS, with the certificates of a test authority: questions, feeds, lines; and the errors when the
//! two sides do not match.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::certificates::{Authority, Issued};
use rollbook_support::mock::Mock;
use rollbook_support::program;
use rollbook_support::program::{Folder, Ran, folder};
use rollbook_support::recording::Recording;
use rollbook_support::serving::Serving;
use serde_json::json;

const SNAPSHOT: &str =
    r#"{"t":"snapshot","channel":"a","topics":{"b":[{"user":"ana"}]},"ts":1000}"#;

/// A folder in which only this authority is trusted.
fn trusting(authority: &Authority) -> Folder {
    let folder = folder!();
    folder.file(program::TRUSTED, authority.certificate());
    folder
}

/// Serves a folder's store over TLS.
fn serve(folder: &Folder, issued: &Issued) -> Serving {
    let certificate = folder.file("cert.pem", &issued.certificate);
    let key = folder.file("key.pem", &issued.key);
    Serving::start(folder, &["--tls-cert", &certificate, "--tls-key", &key])
}

#[test]
fn questions_feeds_and_lines_go_over_tls() {
    let authority = Authority::new("ours");
    let (far, near) = (trusting(&authority), trusting(&authority));
    near.ingest(SNAPSHOT, &[]);
    let serving = serve(&far, &authority.issues("127.0.0.1"));
    assert!(serving.url.starts_with("https://"), "{}", serving.url);
    // Lines from a log and from a feed.
    let played = near.run(&["replay", "a", "--to-url", &serving.socket("")]);
    assert_eq!(played.ok().line()["lines"], 1);
    let (here, source) = (trusting(&authority), Mock::start());
    let options = ["--to-url", &serving.socket("")];
    let sending = Recording::start(&here, &source.url(), &options);
    let mut guest = source.accept();
    guest.say(r#"{"t":"join","channel":"a","topic":"b","user":"tony","ts":2000}"#);
    assert_eq!(sending.stop(guest).line()["rejected"], 0);
    // Questions.
    let asked = near.ask(&["--url", &serving.url, "history", "--type", "join"]);
    let users: Vec<_> = asked.iter().map(|entry| &entry["user"]).collect();
    assert_eq!(users, [&json!("ana"), &json!("tony")]);
    let follow = ["history", "--follow", "--limit", "2"];
    let followed = near.ask(&[&["--url", &serving.url], &follow[..]].concat());
    assert_eq!(followed.len(), 2);
    // A feed.
    let feed = serving.socket("/v1/feed?channel=a");
    let recorder = trusting(&authority);
    let recording = Recording::start(&recorder, &feed, &[]);
    recording.says("connected");
    serving.stop();
    recording.says("once more");
    recording.terminate();
    let who = &recorder.ask(&["who", "a"])[0]["topics"][0]["publishers"];
    assert_eq!(
        (&who[0]["user"], &who[1]["user"]),
        (&json!("ana"), &json!("tony"))
    );
}

/// The error of each command that talks to a server: it ends at once, with status 1.
fn refusals(folder: &Folder, url: &str) -> [Ran; 3] {
    folder.ingest(SNAPSHOT, &[]);
    let socket = url.replacen("http", "ws", 1);
    let feed = format!("{socket}/v1/feed?channel=a");
    [
        folder.run(&["--url", url, "channels"]).fails(1),
        folder.run(&["record", &feed]).fails(1),
        folder.run(&["replay", "a", "--to-url", &socket]).fails(1),
    ]
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_a_sentence() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("another"));
    let namesake = Authority::new("ours");
    for (issued, what) in [
        (stranger.issues("127.0.0.1"), "SSL_CERT_FILE"),
        (namesake.issues("127.0.0.1"), "SSL_CERT_FILE"),
        (authority.issued_long_ago("127.0.0.1"), "it has expired"),
        (authority.issues("example.com"), "it is for another host"),
    ] {
        let serving = serve(&folder!(), &issued);
        for ran in refusals(&trusting(&authority), &serving.url) {
            let says = ran.err.contains("its certificate is not trusted: ");
            assert!(says && ran.err.contains(what), "{ran:?}");
        }
        serving.stop();
    }
}

#[test]
fn who_speaks_tls_on_one_side_only_is_told_so() {
    let authority = Authority::new("ours");
    let serving = serve(&folder!(), &authority.issues("127.0.0.1"));
    let plain = serving.url.replacen("https", "http", 1);
    for ran in refusals(&trusting(&authority), &plain) {
        assert!(ran.err.contains("this port speaks TLS"), "{ran:?}");
    }
    serving.stop();
    let serving = Serving::start(&folder!(), &[]);
    let secure = serving.url.replacen("http", "https", 1);
    for ran in refusals(&trusting(&authority), &secure) {
        assert!(ran.err.contains("it does not speak TLS"), "{ran:?}");
    }
    serving.stop();
}
