//! `verify`: reads the whole log, and checks every frame, the chain and the digest of every roster. The deep form
//! also decides about every event again, so that a bug in `decide` is found and does not stay in the log unseen. And
//! it checks that each event can be recorded: older versions accepted others.

use crate::domain::behind::{event_behind, page_behind};
use crate::domain::decide::decide;
use crate::domain::entry::{Commit, Entry, Page, Payload, Rules, Snapshot};
use crate::domain::event::Event;
use crate::domain::names::{Names, Renumbering};
use crate::domain::resolve::resolve;
use crate::domain::state::State;
use crate::log::frame::Check;
use crate::query::answer::{Problem, Verified};
use crate::store::{Digests, ScanFlow, ScanScope, StateView, Store, StoreError, Visitor, check};

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyDepth {
    /// Frames, chain, digests.
    #[default]
    Form,
    /// And every decision.
    Deep,
}

/// The maximum of reported problems: more of them show nothing new.
const PROBLEMS_MAX: usize = 100;

impl Store {
    /// Checks whether the log is intact.
    ///
    /// ```
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// assert!(store.verify(rollbook::care::VerifyDepth::Deep, |_| {})?.ok);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// `progress` gets the number of entries read so far, from time to time.
    ///
    /// # Errors
    /// When the engine fails. Damage is not an error here: the answer reports it.
    pub fn verify(
        &self,
        depth: VerifyDepth,
        progress: impl FnMut(u64),
    ) -> Result<Verified, StoreError> {
        let mut verifier = Verifier {
            depth,
            progress,
            digests: Digests::new(self.digest_key()),
            entries: 0,
            commits: 0,
            problems: Vec::new(),
        };
        match self.scan(&ScanScope::default(), &mut verifier) {
            Ok(end) => {
                let head = self.head();
                if end.state.head() != head {
                    let detail =
                        format!("the log ends at entry {}, not at {head}", end.state.head());
                    verifier.problem(end.state.head(), "missing", detail);
                }
            }
            Err(StoreError::Corrupt { seq, detail }) => verifier.problem(seq, "damaged", detail),
            Err(other) => return Err(other),
        }
        let Verifier {
            entries,
            commits,
            problems,
            ..
        } = verifier;
        Ok(Verified {
            ok: problems.is_empty(),
            entries,
            commits,
            problems,
        })
    }
}

struct Verifier<F> {
    depth: VerifyDepth,
    progress: F,
    digests: Digests,
    entries: u64,
    commits: u64,
    problems: Vec<Problem>,
}

impl<F> Verifier<F> {
    fn problem(&mut self, seq: u64, kind: &'static str, detail: String) {
        if self.problems.len() < PROBLEMS_MAX {
            let kind = kind.to_owned();
            self.problems.push(Problem { seq, kind, detail });
        }
    }

    /// Checks that the event behind an entry, or behind a step of a paged snapshot, can be recorded.
    fn check(&mut self, seq: u64, event: &Event<'_>) {
        if let Err(unfit) = check(event) {
            self.problem(seq, "unfit", unfit.to_string());
        }
    }

    fn decide_again(&mut self, state: &State, names: &mut Names, rules: &Rules, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let Some(event) = event_behind(entries, state, names) else {
            let detail = "no event can have made these entries".to_owned();
            return self.problem(first.seq, "decision", detail);
        };
        self.check(first.seq, &event);
        let resolved = resolve(&event, names);
        let again = match decide(state, names, &resolved, rules, first.recorded_at) {
            Ok(Commit::Entries(again)) => again,
            Ok(_) => Vec::new(),
            Err(refusal) => {
                let detail = format!("decided again, the event is refused: {refusal}");
                return self.problem(first.seq, "decision", detail);
            }
        };
        let differs = entries.iter().zip(&again).find(|(a, b)| !same(a, b));
        if let Some((entry, other)) = differs {
            let detail = format!("decided again, the entry is {other:?} instead of {entry:?}");
            self.problem(entry.seq, "decision", detail);
        } else if again.len() != entries.len() {
            let detail = format!(
                "decided again, the event makes {} entries instead of {}",
                again.len(),
                entries.len()
            );
            self.problem(first.seq, "decision", detail);
        }
    }
}

/// Whether two entries are equal, except for the digest, which `decide` does not know.
fn same(entry: &Entry, again: &Entry) -> bool {
    match (&entry.payload, &again.payload) {
        (Payload::Snapshot(snapshot), Payload::Snapshot(other)) => {
            let again = Entry {
                payload: Payload::Snapshot(Box::new(Snapshot {
                    digest: snapshot.digest,
                    ..(**other).clone()
                })),
                ..again.clone()
            };
            *entry == again
        }
        _ => entry == again,
    }
}

impl<F: FnMut(u64)> Visitor for Verifier<F> {
    fn renumbers(&self) -> bool {
        true
    }

    fn renumbered(&mut self, renumbering: &Renumbering) {
        self.digests.renumber(renumbering);
    }

    fn check(&self) -> Check {
        Check::Chain
    }

    fn commit(
        &mut self,
        state: &State,
        names: &mut Names,
        rules: &Rules,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        self.commits += 1;
        if self.depth == VerifyDepth::Deep {
            self.decide_again(state, names, rules, entries);
        }
        Ok(())
    }

    fn page(
        &mut self,
        at: StateView<'_>,
        _rules: &Rules,
        page: &Page,
    ) -> Result<ScanFlow, StoreError> {
        if self.depth == VerifyDepth::Deep {
            self.check(at.state.head() + 1, &page_behind(page, at.names));
        }
        Ok(ScanFlow::Apply)
    }

    fn entry(&mut self, at: StateView<'_>, entry: &Entry) -> Result<ScanFlow, StoreError> {
        if entry.seq != at.state.head() + 1 {
            let detail = format!("entry {} follows entry {}", entry.seq, at.state.head());
            self.problem(entry.seq, "order", detail);
        }
        self.digests.before(entry, at.state, at.names);
        self.entries += 1;
        if self.entries.is_multiple_of(65_536) {
            (self.progress)(self.entries);
        }
        Ok(ScanFlow::Apply)
    }

    fn committed(&mut self, at: StateView<'_>, entries: &[Entry]) -> Result<(), StoreError> {
        let Some(Entry {
            seq,
            payload: Payload::Snapshot(snapshot),
            ..
        }) = entries.first()
        else {
            return Ok(());
        };
        if snapshot.stale {
            return Ok(());
        }
        let roster = at
            .state
            .channel(snapshot.channel)
            .map_or(0, |channel| channel.roster().len());
        if roster != snapshot.count as usize {
            let detail = format!(
                "the roster has {roster} members, the entry says {}",
                snapshot.count
            );
            self.problem(*seq, "roster", detail);
        }
        if self.digests.of(snapshot.channel, at.state, at.names) != snapshot.digest {
            let detail = "the roster's digest is not the one in the entry".to_owned();
            self.problem(*seq, "digest", detail);
        }
        Ok(())
    }
}
