//! Forgetting a person: their strings are in no file, the chain holds, and every answer about others is as before. No test here
//! starts a program (`tests/cli/forget.rs` does): a child that is being started holds the locks of all stores that are open.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use rollbook::care::{ForgetError, VerifyDepth, forget};
use rollbook::store::{BackupError, BlockSize};
use rollbook::{Options, Store};
use rollbook_support::answers;
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{NOW, Shape, Tape, cases, tape};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

const PERSON: &str = "bob-of-the-woods";

fn opened(dir: &Path) -> Desk {
    Desk::with(|options| Store::open(dir, options))
}

/// Whether these bytes are in a file of the folder, as they are or compressed.
fn is_in(dir: &Path, wanted: &str) -> bool {
    let found = |bytes: &[u8]| memchr::memmem::find(bytes, wanted.as_bytes()).is_some();
    std::fs::read_dir(dir).unwrap().any(|item| {
        let path = item.unwrap().path();
        if path.is_dir() {
            return is_in(&path, wanted);
        }
        let bytes = std::fs::read(&path).unwrap();
        let packed = memchr::memmem::find_iter(&bytes, b"\x28\xb5\x2f\xfd").any(|at| {
            let mut plain = Vec::new();
            let decoder = zstd::Decoder::with_buffer(&bytes[at..]).unwrap();
            // Until the frame ends, or is none.
            let _ = decoder.single_frame().read_to_end(&mut plain);
            found(&plain)
        });
        packed || found(&bytes)
    })
}

/// An answer in which all that is a person's is hidden, and lists of people are sorted.
fn hidden(line: &str, is_them: &impl Fn(&str) -> bool) -> String {
    match serde_json::from_str(line) {
        Ok(mut answer) => {
            hide(&mut answer, is_them);
            answer.to_string()
        }
        Err(_) => line.to_owned(),
    }
}

fn hide(answer: &mut Value, is_them: &impl Fn(&str) -> bool) {
    let names_them = |value: &Value| value.as_str().is_some_and(is_them);
    match answer {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| hide(item, is_them));
            if items.iter().any(|item| item.get("user").is_some()) {
                items.sort_by_key(Value::to_string);
            }
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| hide(field, is_them));
            let theirs: &[&str] = match fields {
                _ if fields.get("user").is_some_and(names_them) => {
                    &["user", "connection", "meta", "reason", "id"]
                }
                _ if fields.get("observer").is_some_and(names_them) && fields["user"].is_null() => {
                    &["id", "reason"]
                }
                _ if fields.get("observer").is_some_and(names_them) => &["id"],
                _ => &[],
            };
            for field in theirs.iter().chain(&["observer", "self"]) {
                match fields.get_mut(*field) {
                    Some(value) if theirs.contains(field) || names_them(value) => {
                        *value = Value::from("X");
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// What a store says of everybody, without what is this person's.
fn of_others(store: &Store, is_them: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = answers::of(store)
        .iter()
        .filter(|line| !line.contains("\"byte\""))
        .map(|line| hidden(line, &is_them))
        .collect();
    lines.sort();
    lines
}

fn rejects(store: &Store) -> Vec<(u64, Option<String>)> {
    let rejects = store.rejects().unwrap().map(Result::unwrap);
    rejects.map(|it| (it.line, it.text)).collect()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn every_answer_about_others_stays_and_the_name_is_nowhere(
        tape in tape(Shape::Any, 24),
        most in 1_u64..12,
        sealed in any::<[bool; 3]>(),
        goes in 0_u64..6,
        splits in any::<[prop::sample::Index; 2]>(),
    ) {
        let mut tape = tape;
        for heard in &mut tape.lines {
            heard.text = heard.text.replace("\"bob\"", &format!("\"{PERSON}\""));
        }
        let dir = tempfile::tempdir().unwrap();
        let here = opened(dir.path());
        let mut ends = splits.map(|split| split.index(tape.lines.len() + 1));
        ends.sort_unstable();
        let mut from = 0;
        for (turn, to) in ends.into_iter().chain([tape.lines.len()]).enumerate() {
            here.hear(&tape, &tape.lines[from..to]);
            from = to;
            if sealed[turn] {
                here.store.seal(BlockSize { least: 1, most }).unwrap();
            }
            if turn == 1 {
                here.store.prune_some(i64::MAX, goes).unwrap();
            }
        }
        drop(here);
        // A connection that is up is ended by opening the store.
        let here = opened(dir.path());
        let before = of_others(&here.store, |name| name == PERSON);
        let lines = rejects(&here.store);
        drop(here);
        let forgotten = match forget(dir.path(), (PERSON, None), NOW, false, Duration::ZERO) {
            Err(ForgetError::Empty) => {
                prop_assert!(!is_in(dir.path(), PERSON));
                return Ok(());
            }
            forgotten => forgotten.unwrap(),
        };
        prop_assert!(!is_in(dir.path(), PERSON));
        let here = opened(dir.path());
        let verified = here.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
        prop_assert!(verified.ok, "{verified:?}");
        prop_assert_eq!(of_others(&here.store, |name| name == forgotten.stand_in), before);
        for ((line, now), (same, then)) in rejects(&here.store).into_iter().zip(lines) {
            let theirs = then.as_ref().is_some_and(|then| then.contains(PERSON));
            prop_assert_eq!((line, now), (same, then.filter(|_| !theirs)));
        }
        // It goes on, and is as when it is read anew.
        here.hear(&tape, &tape.lines);
        prop_assert_eq!(here.described(), here.folded(None));
    }
}

fn who(store: &Store, channel: &str) -> Value {
    serde_json::to_value(store.who(channel, &Default::default()).unwrap()).unwrap()
}

const EVENING: &str = r#"
{"t":"join","channel":"hall","topic":"chat","user":"lily","conn":"phone-1","meta":{"card":"card-4711"},"ts":1000,"id":"l1"}
{"t":"join","channel":"hall","topic":"lily","user":"tony","meta":{"guest_of":"lily"},"ts":1100,"id":"t1"}
{"t":"join","channel":"yard","topic":"chat","user":"lily","conn":"phone-2","ts":1200,"id":"l2"}
{"t":"token","observer":"lily","state":"will_expire","reason":"secret","ts":1300,"id":"l3"}
{"t":"leave","channel":"hall","topic":"chat","user":"lily","conn":"phone-1","reason":"tired","ts":1400,"id":"leave-4"}
{"t":"snapshot","channel":"hall","observer":"door","self":"lily","ts":1450,"topics":{"chat":[{"user":"lily","conn":"phone-3","meta":"listed-1"}],"lily":[{"user":"tony","meta":{"guest_of":"lily"}}]}}
{"t":"snapshot_begin","channel":"yard","sync":"s1","observer":"door","ts":1460}
{"t":"snapshot_page","channel":"yard","sync":"s1","observer":"door","ts":1470,"topics":{"chat":[{"user":"lily","conn":"phone-2","meta":"listed-2"}]}}
{"t":"jion","channel":"hall","user":"lily","ts":1500}
{"t":"jion","channel":"hall","user":"lil\u0079","ts":1500}
"#;

fn evening(dir: &Path, sealed: bool) {
    let desk = opened(dir);
    let tape = Tape::of_text(EVENING.trim_start());
    desk.hear(&tape, &tape.lines);
    if sealed {
        desk.store.seal(BlockSize { least: 1, most: 2 }).unwrap();
    }
}

#[test]
fn what_is_theirs_goes_and_what_others_say_stays() {
    for sealed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        evening(dir.path(), sealed);
        let planned = forget(dir.path(), ("lily", None), NOW, true, Duration::ZERO).unwrap();
        assert!(is_in(dir.path(), "phone-1"), "a plan changes nothing");
        let forgotten = forget(dir.path(), ("lily", None), NOW, false, Duration::ZERO).unwrap();
        assert_eq!(forgotten.found, planned.found);
        assert!(forgotten.found.mentions > 0);
        let gone = "phone-1 phone-2 phone-3 card-4711 secret tired leave-4 listed-1 listed-2";
        for gone in gone.split(' ') {
            assert!(!is_in(dir.path(), gone), "{gone}");
        }
        let store = Store::open(dir.path(), Options::default()).unwrap();
        // A topic is not a person, and what others say is theirs.
        let hall = who(&store, "hall");
        assert_eq!(hall["topics"][1]["topic"], "lily");
        let tony = &hall["topics"][1]["publishers"][0];
        assert_eq!(
            (&tony["user"], &tony["meta"]["guest_of"]),
            (&json!("tony"), &json!("lily"))
        );
        let yard = &who(&store, "yard")["topics"][0]["publishers"][0];
        assert_eq!(yard["user"], forgotten.stand_in);
    }
}

#[test]
fn in_one_channel_they_are_known_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    evening(dir.path(), true);
    let forgotten = forget(
        dir.path(),
        ("lily", Some("hall")),
        NOW,
        false,
        Duration::ZERO,
    )
    .unwrap();
    assert_eq!(forgotten.found.rejects, 0);
    assert!(!is_in(dir.path(), "phone-1") && is_in(dir.path(), "phone-2"));
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert!(store.verify(VerifyDepth::Deep, |_| {}).unwrap().ok);
    let yard = &who(&store, "yard")["topics"][0]["publishers"][0];
    assert_eq!(yard["user"], "lily");
    drop(store);
    assert!(
        !forget(
            dir.path(),
            ("lily", Some("hall")),
            NOW,
            false,
            Duration::ZERO
        )
        .unwrap()
        .is_known
    );
}

#[test]
fn for_who_is_not_there_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    evening(dir.path(), true);
    let manifest = std::fs::read(dir.path().join("store.json")).unwrap();
    let nobody = forget(dir.path(), ("nobody", None), NOW, false, Duration::ZERO).unwrap();
    assert_eq!((nobody.is_known, nobody.found), (false, Default::default()));
    assert_eq!(
        std::fs::read(dir.path().join("store.json")).unwrap(),
        manifest
    );
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert!(store.forgotten().unwrap().is_empty());
}

#[test]
fn what_the_base_of_a_pruned_store_has_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    evening(dir.path(), true);
    let store = Store::open(dir.path(), Options::default()).unwrap();
    store.prune(i64::MAX).unwrap();
    assert!(store.retained().unwrap().seq > 5);
    drop(store);
    let whom = ("tony", Some("hall"));
    let forgotten = forget(dir.path(), whom, NOW, false, Duration::ZERO).unwrap();
    // Tony's join is pruned: that he is there, and with which metadata, the base says.
    assert_eq!((forgotten.found.changes, forgotten.found.texts), (1, 1));
    // A topic is not a person.
    let whom = ("chat", Some("hall"));
    let nobody = forget(dir.path(), whom, NOW, true, Duration::ZERO).unwrap();
    assert!(!nobody.is_known, "{nobody:?}");
}

#[test]
fn no_backup_continues_one_that_still_has_them() {
    let dir = tempfile::tempdir().unwrap();
    evening(dir.path(), true);
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let before = store.backup(Vec::new(), None, |_| true).unwrap();
    drop(store);
    forget(dir.path(), ("lily", None), NOW, false, Duration::ZERO).unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let refused = store.backup(Vec::new(), Some(&before.end), |_| true);
    assert!(
        matches!(refused, Err(BackupError::Forgotten)),
        "{refused:?}"
    );
    let mut bytes = Vec::new();
    let whole = store.backup(&mut bytes, None, |_| true).unwrap();
    store
        .backup(Vec::new(), Some(&whole.end), |_| true)
        .unwrap();
    let backup = tempfile::tempdir().unwrap();
    std::fs::write(backup.path().join("backup"), bytes).unwrap();
    assert!(!is_in(backup.path(), "phone-1"));
}
