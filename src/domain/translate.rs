//! Carries what the log holds over from one dictionary to another: what was read with names of its own gets those of its
//! reader.

use super::entry::{ConnectionEnd, Entry, FullListing, Listing, Page, PageStep, Payload, Snapshot};
use super::names::{MemberId, MemberKey, NameId, NameTable, Names};

/// The numbers of one dictionary in another. Each name and member is looked up once, many together; after that it costs an
/// array access.
#[derive(Debug)]
pub struct Translation {
    from: NameTable,
    names: Vec<NameId>,
    members: Vec<MemberId>,
}

impl Translation {
    /// The numbers of a dictionary, which may still grow.
    #[must_use]
    pub fn of(from: NameTable) -> Translation {
        Translation {
            from,
            names: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Gives an entry the numbers of another dictionary: the same one for each call.
    pub fn entry(&mut self, entry: &mut Entry, to: &mut Names) {
        self.name(&mut entry.observer, to);
        match &mut entry.payload {
            Payload::Change(change) => self.member(&mut change.member, to),
            Payload::Snapshot(snapshot) => self.snapshot(snapshot, to),
            Payload::Link(link) => {
                let gaps = link.gaps.iter_mut().map(|gap| &mut gap.channel);
                let named = link.channel.iter_mut().chain(&mut link.except);
                named.chain(gaps).for_each(|name| self.name(name, to));
            }
            Payload::Token(token) => {
                token.channel.iter_mut().for_each(|it| self.name(it, to));
            }
        }
    }

    fn snapshot(&mut self, snapshot: &mut Snapshot, to: &mut Names) {
        self.name(&mut snapshot.channel, to);
        let user = snapshot.self_user.iter_mut();
        user.for_each(|user| self.name(user, to));
        let held = snapshot.held.iter_mut();
        held.for_each(|member| self.member(member, to));
        match &mut snapshot.claims {
            Listing::Whole(listing) => self.listing(listing, to),
            Listing::Residue(residue) => {
                let members = residue.iter_mut().map(|delta| &mut delta.member);
                members.for_each(|member| self.member(member, to));
            }
        }
    }

    fn listing(&mut self, listing: &mut FullListing, to: &mut Names) {
        let topics = listing.topics.iter_mut().map(|(topic, _)| topic);
        topics.for_each(|topic| self.name(topic, to));
        let members = listing.members.iter_mut().map(|(member, _)| member);
        members.for_each(|member| self.member(member, to));
    }

    /// The same for a step of a paged snapshot.
    pub fn page(&mut self, page: &mut Page, to: &mut Names) {
        self.name(&mut page.observer, to);
        self.name(&mut page.channel, to);
        match &mut page.step {
            PageStep::Begin { self_user, .. } => {
                self_user.iter_mut().for_each(|user| self.name(user, to));
            }
            PageStep::Members(listing) => self.listing(listing, to),
        }
    }

    /// The same for the end of a connection.
    pub fn end(&mut self, end: &mut ConnectionEnd, to: &mut Names) {
        self.name(&mut end.observer, to);
    }

    #[inline]
    fn name(&mut self, name: &mut NameId, to: &mut Names) {
        if name.0 as usize >= self.names.len() {
            self.learn(to);
        }
        *name = new(&self.names, name.0, *name);
    }

    #[inline]
    fn member(&mut self, member: &mut MemberId, to: &mut Names) {
        if member.0 as usize >= self.members.len() {
            self.learn(to);
        }
        *member = new(&self.members, member.0, *member);
    }

    /// Looks up all that was added since the last time.
    #[cold]
    fn learn(&mut self, to: &mut Names) {
        let Translation {
            from,
            names,
            members,
        } = self;
        // The members first: by then their names are there.
        let more_members = members.len()..from.members();
        let more_names = names.len()..from.len();
        let texts = more_names.map(|name| from.text(NameId(name as u32)));
        let texts: Vec<&str> = texts.collect();
        to.intern_all(&texts, |name| names.push(name));
        let keys = more_members.map(|member| {
            let old = from.key(MemberId(member as u32));
            MemberKey::of(old.names().map(|it| new(names, it.0, it)))
        });
        let keys: Vec<MemberKey> = keys.collect();
        to.all_members(&keys, |member| members.push(member));
    }
}

/// The new number of `old`, which is the number `at` in the old dictionary.
#[inline]
fn new<N: Copy>(numbers: &[N], at: u32, old: N) -> N {
    let new = numbers.get(at as usize);
    assert!(new.is_some(), "the dictionary has no number {at}");
    new.copied().unwrap_or(old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decide::decide;
    use crate::domain::entry::{Commit, Rules};
    use crate::domain::event::Event;
    use crate::domain::resolve::resolve;
    use crate::domain::state::State;

    /// The entries that an event makes; nothing where it makes none.
    fn recorded(event: &Event<'_>, state: &mut State, names: &mut Names) -> Option<Vec<Entry>> {
        let resolved = resolve(event, names);
        match decide(state, names, &resolved, &Rules::default(), 9_000) {
            Ok(Commit::Entries(entries)) => {
                entries.iter().for_each(|entry| state.apply(entry, names));
                Some(entries)
            }
            _ => None,
        }
    }

    #[test]
    fn the_same_history_in_another_dictionary_gives_the_same_state() {
        let (mut state, mut names) = (State::new(), Names::new());
        let (mut again, mut others) = (State::new(), Names::new());
        // So that no number is the same.
        for other in ["x", "y", "lily", "z"] {
            others.intern(other);
        }
        let mut translation = Translation::of(names.table().clone());
        for event in [
            Event::join("room", "chat", "tony").at(1_000),
            Event::snapshot("room", [("chat", "lily"), ("chat", "tony")]).at(2_000),
            Event::leave("room", "chat", "tony").at(3_000),
            Event::snapshot("room", [("audio", "ann"), ("chat", "lily")]).at(4_000),
            Event::join("hall", "chat", "lily").at(5_000),
        ] {
            let entries = recorded(&event, &mut state, &mut names);
            assert!(entries.is_some(), "{event:?}");
            for mut entry in entries.into_iter().flatten() {
                translation.entry(&mut entry, &mut others);
                again.apply(&entry, &others);
            }
        }
        assert_eq!(again.describe(&others), state.describe(&names));
    }
}
