//! Tokens that last seconds: a feed is recorded through many expiries, while members change all the time. If new
//! tokens come in time, they are renewed on the connection, and nothing is missed. If they do not, each expiry is in
//! the log, each gap has the right bounds, each inferred change happened within its window, and after each gap the
//! recorded roster equals the source's.

use crate::alone;
use crate::source::Source;
use chrono::DateTime;
use rollbook_support::program::{Dice, Folder, folder, long, rounds};
use rollbook_support::recording::Recording;
use rollbook_support::serving::Serving;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of users who join and leave, in each topic.
const USERS: u64 = 12;
const TOPICS: [&str; 2] = ["chat", "stage"];
/// The time between two changes.
const REST: Duration = Duration::from_millis(5);

type Member = (String, String);

/// A time of an answer in Unix ms.
fn ms(entry: &Value, field: &str) -> i64 {
    let text = entry[field].as_str().unwrap();
    DateTime::parse_from_rfc3339(text)
        .unwrap()
        .timestamp_millis()
}

fn word<'e>(entry: &'e Value, field: &str) -> &'e str {
    entry[field].as_str().unwrap_or_default()
}

fn member(entry: &Value) -> Member {
    (
        word(entry, "topic").to_owned(),
        word(entry, "user").to_owned(),
    )
}

/// Changes members until it is stopped.
async fn change(address: String, token: String, seed: u64, stop: Arc<AtomicBool>) {
    let mut source = Source::start(&address, "x", &format!("&access_token={token}")).await;
    let mut dice = Dice::new(seed);
    let (mut there, mut last) = (BTreeSet::new(), 0);
    while !stop.load(Ordering::SeqCst) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        last = (now.as_millis() as i64).max(last + 1);
        let who = (dice.below(TOPICS.len() as u64), dice.below(USERS));
        let kind = if there.remove(&who) {
            "leave"
        } else {
            there.insert(who);
            "join"
        };
        let (topic, user) = (TOPICS[who.0 as usize], who.1);
        let line = format!(
            r#"{{"t":"{kind}","channel":"room","topic":"{topic}","user":"user-{user}","ts":{last}}}"#
        );
        source.send(&[line], 1).await;
        tokio::time::sleep(REST).await;
    }
    source.end().await;
}

/// The source's log: its entries, and its rosters by the time of recording.
struct Truth {
    entries: Vec<Value>,
    rosters: Vec<(i64, BTreeSet<Member>)>,
}

impl Truth {
    fn of(far: &Folder) -> Truth {
        let entries = far.ask(&["history", "room", "--type", "join,leave"]);
        let (mut roster, mut rosters) = (BTreeSet::new(), vec![(i64::MIN, BTreeSet::new())]);
        for entry in &entries {
            apply(&mut roster, entry);
            rosters.push((ms(entry, "recorded_at"), roster.clone()));
        }
        Truth { entries, rosters }
    }

    /// Whether the source showed this roster at some moment between the two. The last recorded entry may not have
    /// been durable and shown yet; entries come one by one.
    fn was(&self, roster: &BTreeSet<Member>, from: i64, to: i64) -> bool {
        let first = self.rosters.partition_point(|(at, _)| *at < from);
        let behind = self.rosters.partition_point(|(at, _)| *at <= to);
        let between = &self.rosters[first.saturating_sub(2)..behind];
        between.iter().any(|(_, was)| was == roster)
    }

    /// Whether such a change happened within the inferred window.
    fn happened(&self, inferred: &Value) -> bool {
        let (from, to) = (ms(inferred, "not_before"), ms(inferred, "not_after"));
        let alike =
            |entry: &&Value| entry["type"] == inferred["type"] && member(entry) == member(inferred);
        let mut alike = self.entries.iter().filter(alike);
        alike.any(|entry| (from..=to).contains(&ms(entry, "recorded_at")))
    }
}

fn apply(roster: &mut BTreeSet<Member>, entry: &Value) {
    match word(entry, "type") {
        "join" => drop(roster.insert(member(entry))),
        "leave" => drop(roster.remove(&member(entry))),
        _ => {}
    }
}

/// Compares the recording with the truth. Returns how often each of its token and link entries occurs.
fn check(near: &Folder, truth: &Truth) -> BTreeMap<String, usize> {
    let (mut told, mut gaps) = (BTreeMap::new(), Vec::new());
    let mut roster = BTreeSet::new();
    // The last proof; the start of the open gap; the snapshot whose inferred entries follow.
    let (mut proof, mut open, mut snapshot) = (i64::MIN, None, None);
    let mut down = i64::MIN;
    for entry in near.ask(&["history"]) {
        assert_ne!(entry["disposition"], "stale", "{entry}");
        let inferred = entry["origin"] == "inferred";
        if !inferred && let Some(at) = snapshot.take() {
            assert!(
                truth.was(&roster, down, at),
                "behind the snapshot before {entry}"
            );
        }
        match word(&entry, "type") {
            kind @ ("link" | "token") => {
                let what = format!(
                    "{kind} {} {}",
                    word(&entry, "state"),
                    word(&entry, "reason")
                );
                *told.entry(what.trim().to_owned()).or_insert(0) += 1;
                if entry["state"] == "down" {
                    down = ms(&entry, "occurred_at");
                    open = open.or(Some(proof));
                }
                continue;
            }
            "snapshot" => {
                snapshot = Some(ms(&entry, "occurred_at"));
                gaps.extend(
                    open.take()
                        .map(|from| (from, Some(ms(&entry, "effective_at")))),
                );
            }
            _ if inferred && entry["baseline"] != true => {
                assert!(truth.happened(&entry), "{entry}")
            }
            _ => {}
        }
        apply(&mut roster, &entry);
        if !inferred {
            proof = proof.max(ms(&entry, "occurred_at"));
        }
    }
    gaps.extend(open.map(|from| (from, None)));
    let shown = near.ask(&["gaps", "room"]);
    let shown = shown.iter().map(|gap| {
        assert_eq!(
            (word(gap, "evidence"), &gap["resumed"]),
            ("link", &false.into())
        );
        let to = (!gap["to"].is_null()).then(|| ms(gap, "to"));
        (ms(gap, "from"), to)
    });
    assert_eq!(shown.collect::<Vec<_>>(), gaps);
    // Nothing has changed since the last snapshot.
    assert_eq!(
        Some(&roster),
        truth.rosters.last().map(|(_, roster)| roster)
    );
    near.verified();
    told
}

#[test]
fn a_feed_is_recorded_through_many_expiries_and_the_roster_is_the_source_s() {
    let _alone = alone();
    let ttl = if long() { 5 } else { 2 };
    let expiries = rounds(1, 10);
    let far = folder!();
    let secret = far.file("secret", "0123456789abcdef0123456789abcdef");
    let serving = Serving::start(&far, &["--auth-secret-file", &secret]);
    let ask = |scope: &str, ttl: &str| {
        let program = env!("CARGO_BIN_EXE_rollbook");
        format!("{program} token --auth-secret-file {secret} --scope {scope} --ttl {ttl}")
    };
    let fresh = ask("read", &format!("{ttl}s"));
    // A command that gives no new token before the old one has expired.
    let kept = far.path("kept").to_str().unwrap().to_owned();
    let script = format!(
        "now=$(date +%s); made=$(cat {kept}.made 2>/dev/null || echo 0)\n\
         if [ $((now - made)) -gt {ttl} ]; then echo $now > {kept}.made; {fresh} > {kept}; fi\n\
         cat {kept}\n"
    );
    let late = format!("sh {}", far.file("late", script));
    let token = far.run(&["token", "--auth-secret-file", &secret, "--scope", "ingest"]);
    let token = token.ok().out.trim().to_owned();

    let stop = Arc::new(AtomicBool::new(false));
    let changing = change(serving.address(), token, 19, Arc::clone(&stop));
    let changing = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(changing);
    });
    let feed = serving.socket("/v1/feed?channel=room");
    let record = |command: &str| {
        let near = folder!();
        let options = ["--token-command", command, "--rest-max", "1s"];
        let recording = Recording::start(&near, &feed, &options);
        (near, recording)
    };
    // With the line that it writes once for each token.
    let recorded = [
        (
            record(&fresh),
            "token renewed",
            &["token will_expire", "token renewed"][..],
            &["link up", "link down stopped"][..],
        ),
        (
            record(&late),
            "token expired",
            &[
                "token will_expire",
                "token expired",
                "link down TOKEN_EXPIRED",
                "token renewed",
                "link up",
            ],
            &["link down stopped"],
        ),
    ];
    for ((_, recording), each, ..) in &recorded {
        (0..expiries).for_each(|_| recording.says(each));
    }
    stop.store(true, Ordering::SeqCst);
    changing.join().unwrap();
    for ((_, recording), each, ..) in &recorded {
        // The first one may have been in transit; after the second one nothing has changed.
        (0..2).for_each(|_| recording.says(each));
        recording.says("token renewed");
    }
    let recorded = recorded.map(|((near, recording), _, often, once)| {
        recording.terminate();
        (near, often, once)
    });
    serving.stop();
    let truth = Truth::of(&far);
    for (near, often, once) in recorded {
        let told = check(&near, &truth);
        for what in often {
            assert!(told.get(*what) >= Some(&expiries), "{what}: {told:?}");
        }
        for what in once {
            assert_eq!(told.get(*what), Some(&1), "{what}: {told:?}");
        }
        assert_eq!(told.len(), often.len() + once.len(), "{told:?}");
        println!(
            "tokens of {ttl} s, {} changes: every gap in its place, every inferred change in its window, every roster the source's; {told:?}",
            truth.entries.len()
        );
    }
}
