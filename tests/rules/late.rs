//! Late news (contract 2.5.14), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::Store;
use rollbook::query::WhoWhen;
use serde_json::Value;
use told::{entries, ms, store, sure};

/// The windows of observed changes, such as `leave a 5..20`.
fn observed(text: &str) -> Vec<String> {
    let with_window =
        |entry: &Value| entry["origin"] == "observed" && !entry["not_after"].is_null();
    let words = |entry: Value| {
        let [from, to] = ["not_before", "not_after"].map(|field| ms(&entry[field]).unwrap());
        let [kind, user] = ["type", "user"].map(|field| entry[field].as_str().unwrap().to_owned());
        format!("{kind} {user} {from}..{to}")
    };
    let all = entries(&store(text)).into_iter();
    all.filter(with_window).map(words).collect()
}

fn stays(store: &Store) -> Vec<(String, Option<i64>, i64, Option<i64>)> {
    let mut stays = Vec::new();
    for stay in store.sessions(&Default::default()).unwrap() {
        let stay = stay.unwrap();
        let left = stay.left_not_before.map(|time| time.0);
        stays.push((stay.user, left, stay.min_ms, stay.max_ms));
    }
    stays
}

#[test]
fn it_happened_at_most_so_long_before() {
    assert_eq!(observed("100 join a :late=30"), ["join a 70..100"]);
    assert_eq!(
        observed("100 join a\n150 leave a :late=30"),
        ["leave a 120..150"]
    );
    assert_eq!(
        observed("100 join a=1\n150 update a=2 :late=30"),
        ["update a 120..150"]
    );
    assert_eq!(observed("100 join a :late=0"), [""; 0]);
}

#[test]
fn or_since_the_members_last_change_if_that_is_later() {
    assert_eq!(
        observed("100 join a\n120 leave a :late=30"),
        ["leave a 100..120"]
    );
    // If that change has a window, the beginning of the window counts.
    assert_eq!(
        observed("100 join a :late=30\n120 leave a :late=100"),
        ["join a 70..100", "leave a 70..120"]
    );
    // A duplicate or a snapshot that shows the same is no proof: the source had not noticed the leave.
    assert_eq!(
        observed("100 join a\n190 join a\n200 leave a :late=50"),
        ["leave a 150..200"]
    );
    assert_eq!(
        observed("100 join a\n190 snap a\n200 leave a :late=50"),
        ["leave a 150..200"]
    );
    // The last change of a member of the first snapshot is unknown.
    assert_eq!(
        observed("100 snap a\n120 leave a :late=50"),
        ["leave a 70..120"]
    );
}

#[test]
fn one_that_changes_nothing_has_no_window() {
    assert_eq!(
        observed("100 join a\n120 join a :late=50\n110 leave a :late=50"),
        [""; 0]
    );
    assert_eq!(observed("100 leave a :late=50"), [""; 0]);
}

#[test]
fn within_its_window_nobody_is_certain() {
    let store = store("1 snap\n100 join a\n150 leave a :late=30\n200 join b");
    assert_eq!(sure(&store, WhoWhen::At(119)), "complete: a");
    assert_eq!(sure(&store, WhoWhen::At(120)), "complete: a?");
    assert_eq!(sure(&store, WhoWhen::At(150)), "complete:");
}

#[test]
fn stays_have_its_bounds() {
    let store = store("1 snap\n100 join a\n150 leave a :late=30");
    assert_eq!(stays(&store), [("a".to_owned(), Some(120), 20, Some(50))]);
}
