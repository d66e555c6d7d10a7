//! What a snapshot said, out of its entry and the roster that stood after it.

use super::entry::{Change, Claim, Claims, Entry, Snapshot, Text, What, Whole};
use super::event::Kind;
use super::names::{Member, Name, Names, NumberMap};
use super::state::State;
use std::borrow::Cow;

/// The whole list of a snapshot, out of its entry and those that it made one infer. `state` is that before them.
#[must_use]
pub fn listed<'a>(
    snapshot: &'a Snapshot,
    entries: &[Entry],
    state: &State,
    names: &Names,
) -> Cow<'a, Whole> {
    match &snapshot.claims {
        Claims::Whole(whole) => Cow::Borrowed(whole),
        Claims::Residue(residue) => {
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
            Cow::Owned(whole(members, names))
        }
    }
}

/// The roster after a commit, as a list that claims just that. `state` is that before it.
#[must_use]
pub fn standing(channel: Name, entries: &[Entry], state: &State, names: &Names) -> Whole {
    whole(roster_after(channel, entries, state), names)
}

fn roster_after(channel: Name, entries: &[Entry], state: &State) -> NumberMap<Member, Claim> {
    let claim = |meta: Option<&Text>| Claim {
        meta: meta.cloned(),
        ..Claim::default()
    };
    let before = state
        .channel(channel)
        .map_or(&[][..], |channel| channel.roster());
    let present = before.iter().filter_map(|&member| state.present(member));
    let mut roster: NumberMap<Member, Claim> = present
        .map(|present| (present.member, claim(present.meta)))
        .collect();
    for entry in entries {
        let What::Change(Change {
            member, kind, meta, ..
        }) = &entry.what
        else {
            continue;
        };
        match kind {
            Kind::Leave => roster.remove(member),
            Kind::Join | Kind::Update => roster.insert(*member, claim(meta.as_ref())),
        };
    }
    roster
}

fn whole(members: NumberMap<Member, Claim>, names: &Names) -> Whole {
    let mut members: Vec<(Member, Claim)> = members.into_iter().collect();
    members.sort_unstable_by(|a, b| names.compare(a.0, b.0));
    let mut topics: Vec<(Name, bool)> = Vec::new();
    for (member, _) in &members {
        let topic = names.key(*member).topic;
        if topics.last().is_none_or(|&(last, _)| last != topic) {
            topics.push((topic, false));
        }
    }
    Whole {
        incomplete: false,
        topics_missing: false,
        topics,
        members,
    }
}
