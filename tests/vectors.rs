//! Reconciliation cases from the test suites of other presence systems, each through the whole store. They are not
//! part of the repository: `ROLLBOOK_VECTORS` names the folder with `vectors.json`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use rollbook::query::{WhoFilter, WhoWhen};
use serde_json::{Value, json};

#[test]
fn every_vector_gives_its_history_roster_and_answers() {
    let Some(folder) = support::shared("ROLLBOOK_VECTORS") else {
        println!("ROLLBOOK_VECTORS is not set: 0 vectors ran");
        return;
    };
    let text = std::fs::read_to_string(folder.join("vectors.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let vectors = all["vectors"].as_array().unwrap();
    assert!(!vectors.is_empty());
    let failed: Vec<String> = vectors
        .iter()
        .filter_map(|vector| check(vector).err())
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {}:\n{}",
        failed.len(),
        vectors.len(),
        failed.join("\n")
    );
    println!("{} vectors ran", vectors.len());
}

fn check(vector: &Value) -> Result<(), String> {
    let lines: Vec<String> = vector["feed"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    let store = support::store_of("");
    let outcome = support::take(&store, &lines.join("\n"), &Default::default());
    let history: Vec<Value> = support::history(&store)
        .iter()
        .map(|entry| serde_json::to_value(entry).unwrap())
        .filter(|entry| ["join", "leave", "update"].contains(&entry["type"].as_str().unwrap()))
        .skip(usize::try_from(vector["initial_entries"].as_u64().unwrap()).unwrap())
        .collect();
    let id = &vector["id"];
    let expected = vector["expected_history"].as_array().unwrap();
    if history.len() != expected.len() {
        return Err(format!(
            "{id}: {} entries, not {}",
            history.len(),
            expected.len()
        ));
    }
    for (got, wanted) in history.iter().zip(expected) {
        for (field, value) in wanted.as_object().unwrap() {
            if field == "reason" && value.is_null() {
                continue;
            }
            if got[field] != *value {
                return Err(format!("{id}: {field} is {}, not {value}", got[field]));
            }
        }
    }
    let count = |field: &str| vector[field].as_u64().unwrap_or(0);
    let counts = (outcome.tally.rejected, outcome.tally.retries);
    if counts != (count("expected_rejected"), count("expected_retries")) {
        return Err(format!("{id}: rejected and retries are {counts:?}"));
    }
    let who = serde_json::to_value(store.who("room-1", &WhoFilter::default()).unwrap()).unwrap();
    if roster(&who) != vector["expected_roster"] {
        return Err(format!("{id}: the roster is {}", roster(&who)));
    }
    for query in vector["queries"].as_array().into_iter().flatten() {
        let when = match (&query["at"], &query["seq"]) {
            (Value::String(at), _) => WhoWhen::At(millis(at)),
            (_, Value::Number(seq)) => WhoWhen::Seq(seq.as_u64().unwrap()),
            _ => WhoWhen::Head,
        };
        let who = store
            .who(
                "room-1",
                &WhoFilter {
                    when,
                    ..WhoFilter::default()
                },
            )
            .unwrap();
        let mut users: Vec<&str> = who
            .topics
            .iter()
            .flat_map(|topic| {
                topic
                    .publishers
                    .iter()
                    .map(|publisher| publisher.user.as_str())
            })
            .collect();
        users.sort_unstable();
        let right = query["users"]
            .as_array()
            .is_none_or(|wanted| json!(users) == json!(wanted))
            && query["count"]
                .as_u64()
                .is_none_or(|wanted| users.len() as u64 == wanted);
        if !right {
            return Err(format!("{id}: {query} gives {users:?}"));
        }
    }
    Ok(())
}

/// Topic → publishers, without `since` and `certainty`.
fn roster(who: &Value) -> Value {
    let mut topics = serde_json::Map::new();
    for topic in who["topics"].as_array().unwrap() {
        let publishers: Vec<Value> = topic["publishers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| {
                json!({"user": member["user"], "connection": member["connection"], "meta": member["meta"]})
            })
            .collect();
        topics.insert(
            topic["topic"].as_str().unwrap().to_owned(),
            Value::Array(publishers),
        );
    }
    Value::Object(topics)
}

fn millis(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time)
        .unwrap()
        .timestamp_millis()
}
