//! The reference for the laws: `decide` and `apply` in a loop, and a map of ids. No log, no batches, no threads.

use super::feeds::{DEFAULTS, Heard, NOW, Tape, connection};
use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Entry, Rules};
use rollbook::domain::event::{Connection, Event, EventPayload, ReportedConnection};
use rollbook::domain::names::Names;
use rollbook::domain::order::Stamp;
use rollbook::domain::resolve::{ResolvedEvent, resolve};
use rollbook::domain::resync::{occupancy_behind, resyncs_before};
use rollbook::domain::state::State;
use rollbook::feed::parse;
use std::collections::HashMap;

/// The result of the lines.
#[derive(Default)]
pub struct Reference {
    pub names: Names,
    pub state: State,
    pub entries: Vec<Entry>,
    /// The state as text after each entry, before the pages that follow it.
    pub described: Vec<String>,
    pub rejected: usize,
    pub retries: usize,
    /// The first entry of each (observer, id).
    pub ids: HashMap<(String, String), u64>,
}

impl Reference {
    /// The result of all lines of a tape.
    pub fn of(tape: &Tape) -> Reference {
        let mut reference = Reference::default();
        for heard in &tape.lines {
            reference.line(heard, &tape.rules);
        }
        reference
    }

    /// The `restart` lines with which opening the store again ends the connections that are up.
    pub fn restarts(&self) -> Vec<Heard> {
        let up = self
            .state
            .observers()
            .filter(|(_, observer)| observer.is_connected());
        let mut up: Vec<&str> = up.map(|(name, _)| self.names.text(name)).collect();
        up.sort_unstable();
        let line = |observer: &&str| Heard {
            now: NOW,
            text: format!("^restart {observer}"),
        };
        up.iter().map(line).collect()
    }

    /// Takes one line.
    pub fn line(&mut self, heard: &Heard, rules: &Rules) {
        let event = match connection(&heard.text) {
            Some((observer, what)) => connection_event(observer, what),
            None => match parse(heard.text.as_bytes(), &DEFAULTS) {
                Ok(event) => event,
                Err(_) => {
                    self.rejected += 1;
                    return;
                }
            },
        };
        let id = event.id.as_ref();
        let id = id.map(|id| (event.observer.to_string(), id.to_string()));
        if id.as_ref().is_some_and(|id| self.ids.contains_key(id)) {
            self.retries += 1;
            return;
        }
        let resolved = resolve(&event, &mut self.names);
        for resync in resyncs_before(&self.state, &self.names, &resolved, rules, heard.now) {
            self.decide(&resync, None, rules, heard.now);
        }
        self.decide(&resolved, id, rules, heard.now);
        if let Some(occupancy) = occupancy_behind(&resolved) {
            self.decide(&occupancy, None, rules, heard.now);
        }
    }

    fn decide(
        &mut self,
        event: &ResolvedEvent<'_>,
        id: Option<(String, String)>,
        rules: &Rules,
        now: i64,
    ) {
        match decide(&self.state, &self.names, event, rules, now) {
            Ok(Commit::Entries(entries)) => {
                if let (Some(id), Some(first)) = (id, entries.first()) {
                    self.ids.insert(id, first.seq);
                }
                for entry in entries {
                    self.state.apply(&entry, &self.names);
                    self.described.push(self.state.describe(&self.names));
                    self.entries.push(entry);
                }
            }
            Ok(Commit::Page(page)) => self.state.apply_page(&page),
            Ok(Commit::Closed(closed)) => self.state.apply_closed(&closed),
            Ok(Commit::Nothing) => {}
            Err(_) => self.rejected += 1,
        }
    }
}

fn connection_event(observer: String, what: Connection) -> Event<'static> {
    Event {
        observer: observer.into(),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        payload: EventPayload::Connection(ReportedConnection { what, at: None }),
    }
}
