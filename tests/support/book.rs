//! A roll book without a log: lines in, entries out, all in memory. For rules, not for storage.

use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Entry, Rules};
use rollbook::domain::names::Names;
use rollbook::domain::state::State;
use rollbook::feed::{self, Defaults};

pub struct Book {
    pub names: Names,
    pub state: State,
    pub entries: Vec<Entry>,
    pub rules: Rules,
    pub now: i64,
    pub rejected: Vec<String>,
}

impl Book {
    pub fn new() -> Self {
        Book {
            names: Names::new(),
            state: State::new(),
            entries: Vec::new(),
            rules: Rules::default(),
            now: 1_800_000_000_000,
            rejected: Vec::new(),
        }
    }

    /// Takes in one line, as the store would.
    pub fn line(&mut self, line: &str) {
        let defaults = Defaults::of("default");
        let event = match feed::parse(line.as_bytes(), &defaults) {
            Ok(event) => event,
            Err(refusal) => return self.rejected.push(refusal.to_string()),
        };
        match decide(&self.state, &mut self.names, &event, &self.rules, self.now) {
            Ok(Commit::Entries(entries)) => {
                for entry in entries {
                    self.state.apply(&entry, &self.names);
                    self.entries.push(entry);
                }
            }
            Ok(Commit::Page(page)) => self.state.apply_page(&page),
            Ok(Commit::Closed(closed)) => self.state.apply_closed(&closed),
            Ok(Commit::Nothing) => {}
            Err(refusal) => self.rejected.push(refusal.to_string()),
        }
    }
}
