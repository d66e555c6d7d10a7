//! Rebuilds the list of a snapshot from its entry and the roster after it.

use super::entry::{Change, Entry, FullListing, ListedMember, Listing, Payload, Snapshot, Text};
use super::event::ChangeKind;
use super::names::{MemberId, NameId, Names, NumberMap};
use super::state::State;
use std::borrow::Cow;

/// The whole list of a snapshot, from its entry and the entries that it inferred. `state` is the state before them.
#[must_use]
pub fn listed<'a>(
    snapshot: &'a Snapshot,
    entries: &[Entry],
    state: &State,
    names: &Names,
) -> Cow<'a, FullListing> {
    match &snapshot.claims {
        Listing::Whole(whole) => Cow::Borrowed(whole),
        Listing::Residue(residue) => {
            let mut members = roster_after(snapshot.channel, entries, state);
            for item in residue {
                match &item.claim {
                    Some(claim) => {
                        members.insert(item.member, claim.clone());
                    }
                    None => {
                        members.remove(&item.member);
                    }
                }
            }
            Cow::Owned(of_members(members, names))
        }
    }
}

/// The roster after a commit, as a list that claims exactly this roster. `state` is the state before the commit.
#[must_use]
pub fn standing(channel: NameId, entries: &[Entry], state: &State, names: &Names) -> FullListing {
    of_members(roster_after(channel, entries, state), names)
}

fn roster_after(
    channel: NameId,
    entries: &[Entry],
    state: &State,
) -> NumberMap<MemberId, ListedMember> {
    let claim = |meta: Option<&Text>| ListedMember {
        meta: meta.cloned(),
        ..ListedMember::default()
    };
    let before = state
        .channel(channel)
        .map_or(&[][..], |channel| channel.roster());
    let present = before.iter().filter_map(|&member| state.present(member));
    let mut roster: NumberMap<MemberId, ListedMember> = present
        .map(|present| (present.member, claim(present.meta)))
        .collect();
    for entry in entries {
        let Payload::Change(Change {
            member, kind, meta, ..
        }) = &entry.payload
        else {
            continue;
        };
        match kind {
            ChangeKind::Leave => roster.remove(member),
            ChangeKind::Join | ChangeKind::Update => roster.insert(*member, claim(meta.as_ref())),
        };
    }
    roster
}

/// A list of these members, each once, and of the topics that they are in.
#[must_use]
pub fn of_members(
    members: impl IntoIterator<Item = (MemberId, ListedMember)>,
    names: &Names,
) -> FullListing {
    let mut members: Vec<(MemberId, ListedMember)> = members.into_iter().collect();
    members.sort_unstable_by(|a, b| names.compare(a.0, b.0));
    let mut topics: Vec<(NameId, bool)> = Vec::new();
    for (member, _) in &members {
        let topic = names.key(*member).topic;
        if topics.last().is_none_or(|&(last, _)| last != topic) {
            topics.push((topic, false));
        }
    }
    FullListing {
        incomplete: false,
        topics_missing: false,
        topics,
        members,
    }
}
