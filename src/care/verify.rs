//! `verify`: reads the whole log, and checks every frame, the chain and the digest of every roster. The deep form
//! also decides about every event again, so that a bug in `decide` is found and does not stay in the log unseen. And
//! it checks that each event can be recorded: older versions accepted others. Of people who were forgotten neither the digests nor
//! the decisions can be checked any more; the chain is, all of it.

use crate::domain::behind::{event_behind, page_behind};
use crate::domain::decide::decide;
use crate::domain::entry::{Commit, Entry, Listing, Payload, Snapshot};
use crate::domain::event::Event;
use crate::domain::names::{MemberId, Names};
use crate::domain::resolve::resolve;
use crate::domain::state::State;
use crate::log::eraser::is_stand_in;
use crate::log::frame::Check;
use crate::query::answer::{Problem, Time, Verified};
use crate::store::{
    Digests, ScanScope, ScopedCommit, ScopedRecord, StateCursor, StateView, Store, StoreError,
    check,
};

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
        match verifier.read(self) {
            Ok(end) => {
                let head = self.head();
                if end != head {
                    let detail = format!("the log ends at entry {end}, not at {head}");
                    verifier.problem(end, "missing", detail);
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
        let retained = self.retained();
        Ok(Verified {
            ok: problems.is_empty(),
            entries,
            commits,
            problems,
            pruned_seq: retained.map(|retained| retained.seq),
            retained_from: retained.map(|retained| Time(retained.from)),
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

impl<F: FnMut(u64)> Verifier<F> {
    /// Reads the whole log. Returns the last entry.
    fn read(&mut self, store: &Store) -> Result<u64, StoreError> {
        let scope = ScanScope {
            departed: self.depth == VerifyDepth::Deep,
            ..ScanScope::default()
        };
        let (mut cursor, frames) = store.scan(&scope)?;
        let mut frames = frames.with_check(Check::Chain);
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(record) = frame.next(&mut cursor)? {
                match &record {
                    ScopedRecord::Commit(commit) => self.commit(commit, &mut cursor),
                    ScopedRecord::Page { page, .. } if self.depth == VerifyDepth::Deep => {
                        let event = page_behind(page, &cursor.names);
                        self.check(cursor.state.head() + 1, &event);
                        cursor.apply(&record);
                    }
                    _ => cursor.apply(&record),
                }
            }
            if let Some(renumbering) = cursor.forget_absent() {
                self.digests.renumber(&renumbering);
            }
        }
        Ok(cursor.state.head())
    }

    fn commit(&mut self, commit: &ScopedCommit<'_>, cursor: &mut StateCursor) {
        self.commits += 1;
        if self.depth == VerifyDepth::Deep {
            self.decide_again(commit, cursor);
        }
        for entry in commit.entries {
            let head = cursor.state.head();
            if entry.seq != head + 1 {
                let detail = format!("entry {} follows entry {head}", entry.seq);
                self.problem(entry.seq, "order", detail);
            }
            self.digests.before(entry, &cursor.state, &cursor.names);
            self.entries += 1;
            if self.entries.is_multiple_of(65_536) {
                (self.progress)(self.entries);
            }
            cursor.apply_entry(entry);
        }
        if let Some(first) = commit.entries.first()
            && let Payload::Snapshot(snapshot) = &first.payload
            && !snapshot.stale
        {
            self.check_roster(first.seq, snapshot, cursor.view());
        }
    }

    /// Checks the roster after a snapshot against the snapshot's entry.
    fn check_roster(&mut self, seq: u64, snapshot: &Snapshot, after: StateView<'_>) {
        let StateView { state, names } = after;
        let channel = state.channel(snapshot.channel);
        let roster = channel.map_or(0, |channel| channel.roster().len());
        if roster != snapshot.count as usize {
            let detail = format!(
                "the roster has {roster} members, the entry says {}",
                snapshot.count
            );
            self.problem(seq, "roster", detail);
        }
        let is_it = self.digests.of(snapshot.channel, state, names) == snapshot.digest;
        // What the digest of a forgotten member was made of is gone.
        let mut roster = channel.iter().flat_map(|channel| channel.roster());
        if !is_it && !roster.any(|&member| is_forgotten(member, names)) {
            let detail = "the roster's digest is not the one in the entry".to_owned();
            self.problem(seq, "digest", detail);
        }
    }

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

    /// Decides about the event behind a commit again. `cursor` has the state before it.
    fn decide_again(&mut self, commit: &ScopedCommit<'_>, cursor: &mut StateCursor) {
        let (state, names, entries) = (&cursor.state, &mut cursor.names, commit.entries);
        let Some(first) = entries.first() else { return };
        if entries
            .iter()
            .any(|entry| is_of_forgotten(entry, state, names))
        {
            return;
        }
        let Some(event) = event_behind(entries, state, names) else {
            let detail = "no event can have made these entries".to_owned();
            return self.problem(first.seq, "decision", detail);
        };
        self.check(first.seq, &event);
        let resolved = resolve(&event, names);
        let again = match decide(state, names, &resolved, commit.rules, first.recorded_at) {
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

/// Whether a member was forgotten.
fn is_forgotten(member: MemberId, names: &Names) -> bool {
    is_stand_in(names.text(names.key(member).user))
}

/// Whether an entry is about somebody who was forgotten, or depends on them. What is listed is in the order of the names, so that
/// it cannot be decided again.
fn is_of_forgotten(entry: &Entry, state: &State, names: &Names) -> bool {
    let is_forgotten = |member: MemberId| is_forgotten(member, names);
    match &entry.payload {
        Payload::Change(change) => is_forgotten(change.member),
        Payload::Snapshot(snapshot) => {
            let channel = state.channel(snapshot.channel);
            let mut roster = channel.iter().flat_map(|channel| channel.roster());
            roster.any(|&member| is_forgotten(member))
                || snapshot.held.iter().any(|&member| is_forgotten(member))
                || match &snapshot.claims {
                    Listing::Residue(deltas) => deltas.iter().any(|it| is_forgotten(it.member)),
                    Listing::Whole(listing) => listing.members.iter().any(|it| is_forgotten(it.0)),
                }
        }
        Payload::Link(_) | Payload::Token(_) => false,
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
