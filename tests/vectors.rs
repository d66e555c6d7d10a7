//! Reconciliation cases from the test suites of other presence systems, each through the whole store. They are not in
//! the repository: `ROLLBOOK_VECTORS` names the folder with `vectors.json`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use rollbook::ingest::IngestOptions;
use rollbook::query::{WhoFilter, WhoWhen};
use rollbook_support as support;
use serde_json::{Value, json};

#[test]
#[ignore = "needs ROLLBOOK_VECTORS"]
fn every_vector_gives_its_history_roster_and_answers() {
    every_one_of("vectors.json");
}

#[test]
#[ignore = "needs ROLLBOOK_VECTORS"]
fn every_resync_gives_its_history_gaps_and_answers() {
    every_one_of("resync.json");
}

fn every_one_of(file: &str) {
    let file = support::data("ROLLBOOK_VECTORS").join(file);
    let text = std::fs::read_to_string(file).unwrap();
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
    let outcome = support::take(&store, &lines.join("\n"), &how(&vector["options"]));
    let all: Vec<Value> = support::history(&store).iter().map(json_of).collect();
    let history: Vec<Value> = all
        .iter()
        .filter(|entry| ["join", "leave", "update"].contains(&entry["type"].as_str().unwrap()))
        .skip(usize::try_from(vector["initial_entries"].as_u64().unwrap()).unwrap())
        .cloned()
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
    let expected: Vec<Value> = expected.iter().map(without_null_reason).collect();
    same(&format!("{id}: history"), &history, &json!(expected))?;
    let of_types = |types: &[&str]| -> Vec<Value> {
        let is = |entry: &&Value| types.contains(&entry["type"].as_str().unwrap());
        all.iter().filter(is).cloned().collect()
    };
    let links = of_types(&["link", "token"]);
    same(
        &format!("{id}: links"),
        &links,
        &vector["expected_link_entries"],
    )?;
    let snapshots = of_types(&["snapshot"]);
    let wanted = &vector["expected_snapshot_entries"];
    same(&format!("{id}: snapshots"), &snapshots, wanted)?;
    let gaps: Vec<Value> = store.gaps("room-1").unwrap().iter().map(json_of).collect();
    same(&format!("{id}: gaps"), &gaps, &vector["expected_gaps"])?;
    let missed = store.missed("room-1", &Default::default()).unwrap();
    let missed: Vec<Value> = missed.iter().map(json_of).collect();
    same(
        &format!("{id}: missed"),
        &missed,
        &vector["expected_missed"],
    )?;
    let mut sessions = Vec::new();
    for session in store.sessions(&Default::default()).unwrap() {
        let session = session.unwrap();
        sessions.push(json_of(&session));
    }
    let key = |session: &Value| {
        ["topic", "user", "connection", "joined_at"]
            .map(|it| session[it].as_str().unwrap().to_owned())
    };
    sessions.sort_by_key(key);
    same(
        &format!("{id}: sessions"),
        &sessions,
        &vector["expected_sessions"],
    )?;
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
            .who("room-1", &WhoFilter::default().when(when))
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
        let answer = json_of(&who);
        for field in ["coverage", "last_proof"] {
            if query
                .get(field)
                .is_some_and(|wanted| *wanted != answer[field])
            {
                return Err(format!("{id}: {query} gives {field} {}", answer[field]));
            }
        }
        for (topic, users) in query["certainties"].as_object().into_iter().flatten() {
            for (user, certainty) in users.as_object().unwrap() {
                let of_topic = who.topics.iter().filter(|it| it.topic == *topic);
                let publishers = of_topic.flat_map(|it| &it.publishers);
                let found: Vec<Value> = publishers
                    .filter(|it| it.user == *user)
                    .map(|it| json!(it.certainty))
                    .collect();
                if found != [certainty.clone()] {
                    return Err(format!("{id}: {query}: {user} is {found:?}"));
                }
            }
        }
    }
    Ok(())
}

fn json_of(answer: &impl serde::Serialize) -> Value {
    serde_json::to_value(answer).unwrap()
}

fn without_null_reason(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if entry["reason"].is_null() {
        entry.as_object_mut().unwrap().remove("reason");
    }
    entry
}

/// Compares the fields that are wanted, in lists of the same length. Without a wanted list nothing is compared.
fn same(what: &str, got: &[Value], wanted: &Value) -> Result<(), String> {
    let Some(wanted) = wanted.as_array() else {
        return Ok(());
    };
    if got.len() != wanted.len() {
        return Err(format!(
            "{what}: {} of them, not {}: {got:?}",
            got.len(),
            wanted.len()
        ));
    }
    for (got, wanted) in got.iter().zip(wanted) {
        for (field, value) in wanted.as_object().unwrap() {
            let is_list = value.is_array() && got[field].is_array();
            if is_list {
                same(
                    &format!("{what}: {field}"),
                    got[field].as_array().unwrap(),
                    value,
                )?;
            } else if got[field] != *value {
                return Err(format!(
                    "{what}: {field} is {}, not {value}: {got}",
                    got[field]
                ));
            }
        }
    }
    Ok(())
}

/// The options of a vector, in the form of command-line options.
fn how(options: &Value) -> IngestOptions {
    let words: Vec<&str> = options
        .as_array()
        .into_iter()
        .flatten()
        .map(|word| word.as_str().unwrap())
        .collect();
    let mut how = IngestOptions::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let mut ms = || match value {
            "" => words.next().unwrap().parse().unwrap(),
            given => given.parse().unwrap(),
        };
        match name {
            "--resync" => how.rules.resync_ms = ms(),
            "--slack" => how.rules.slack_ms = ms(),
            "--skew-tolerance" => how.rules.skew_tolerance_ms = ms(),
            "--lossy-feed" => how.rules.lossy = true,
            other => panic!("{other} is no option that this test knows"),
        }
    }
    how
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
