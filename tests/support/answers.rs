//! What a store says, as lines of text: so that two stores, or a store and what it said before, can be compared.

use super::history;
use rollbook::Store;
use rollbook::query::{SessionFilter, StatsFilter, StaysPer, WhoFilter, WhoWhen};
use serde::Serialize;
use serde_json::json;

fn line(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap()
}

/// The contents of a store: every entry, every reject, the position in each file, the present members, and all gaps.
/// The fixtures of formats hold these lines, so they stay as they are.
pub fn contents(store: &Store) -> Vec<String> {
    let mut lines: Vec<String> = history(store).iter().map(line).collect();
    for reject in store.rejects().unwrap() {
        lines.push(line(&reject.unwrap()));
    }
    for source in store.sources().unwrap() {
        lines.push(
            json!({"byte": source.byte, "line": source.line, "hashed": source.hashed_len})
                .to_string(),
        );
    }
    for channel in store.channels().unwrap() {
        let who = store.who(&channel.channel, &Default::default()).unwrap();
        lines.push(line(&who));
        for gap in store.missed(&channel.channel, &Default::default()).unwrap() {
            lines.push(line(&gap));
        }
    }
    lines
}

/// The answers to every question, by channel and for the whole store, at the head and in between.
pub fn of(store: &Store) -> Vec<String> {
    let mut lines = contents(store);
    let sessions = |filter: &SessionFilter| -> Vec<String> {
        let sessions = store.sessions(filter).unwrap();
        sessions.map(|stay| line(&stay.unwrap())).collect()
    };
    for per in [StaysPer::Member, StaysPer::Topic, StaysPer::Channel] {
        lines.extend(sessions(&SessionFilter::default().per(per)));
    }
    lines.push(line(&store.stats(&StatsFilter::default()).unwrap()));
    lines.push(line(&store.stats_by_user(&StatsFilter::default()).unwrap()));
    let mut moments: Vec<i64> = history(store)
        .iter()
        .flat_map(|entry| [entry.occurred_at.0, entry.effective_at.0 + 1])
        .collect();
    moments.sort_unstable();
    moments.dedup();
    for channel in store.channels().unwrap() {
        let name = &channel.channel;
        lines.push(line(&channel));
        lines.push(line(&store.gaps(name).unwrap()));
        lines.extend(sessions(&SessionFilter::default().channel(name.clone())));
        for &at in &moments {
            let filter = WhoFilter::default().when(WhoWhen::At(at));
            // A channel may not have been known then.
            lines.push(match store.who(name, &filter) {
                Ok(who) => line(&who),
                Err(error) => error.to_string(),
            });
        }
    }
    lines
}
