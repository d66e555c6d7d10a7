//! A state as text. Two states with the same content give the same text, even if their dictionaries number differently.
//!
//! For checks only (`rebuild`, `verify`, tests): it is slow.

use super::interval::ObservedInterval;
use super::names::{MemberId, NameId, Names, NumberMap};
use super::own_list::{Collected, Collecting};
use super::roster::ChannelState;
use super::slot::{Reporters, Slot};
use super::state::State;
use super::watch::Watch;
use std::fmt::Write;

impl State {
    /// Everything in the state, one fact per line, sorted.
    #[must_use]
    pub fn describe(&self, names: &Names) -> String {
        let mut facts = vec![format!("head {} recorded {}", self.head, self.recorded_at)];
        for (&name, observer) in &self.observers {
            let mut channels: Vec<_> = observer
                .channels
                .iter()
                .map(|(&channel, link)| (names.text(channel), link.own, link.proof))
                .collect();
            channels.sort_unstable_by_key(|&(name, ..)| name);
            facts.push(format!(
                "observer {:?} channels {channels:?} linked {} up {:?} proof {:?} shared {:?} connection {:?}",
                names.text(name),
                observer.linked,
                observer.up_at,
                observer.proof,
                observer.shared,
                observer.connection,
            ));
        }
        for (&name, channel) in &self.channels {
            self.describe_channel(name, channel, names, &mut facts);
        }
        facts.sort_unstable();
        facts.join("\n")
    }

    fn describe_channel(
        &self,
        name: NameId,
        channel: &ChannelState,
        names: &Names,
        facts: &mut Vec<String>,
    ) {
        let of = names.text(name);
        let watching = &channel.watching;
        facts.push(format!(
            "channel {of:?} effective {} by {} cover {:?} listed {:?} floor {:?} lossy {} tally {:?} departed {} last proof {:?} heard {:?} gaps {} open {:?}",
            channel.effective_at,
            channel.effective_seq,
            channel.cover,
            channel.listed_cover,
            channel.floor,
            channel.lossy,
            channel.tally,
            channel.departed.len(),
            watching.last_proof,
            watching.heard_at,
            watching.gaps,
            watching.open_gap,
        ));
        for (&topic, cover) in &channel.topic_covers {
            facts.push(format!(
                "channel {of:?} topic {:?} cover {cover:?}",
                names.text(topic)
            ));
        }
        for stretch in &watching.ended {
            facts.push(format!(
                "channel {of:?} watched {}",
                stretch_words(stretch, names)
            ));
        }
        for watch in &watching.watches {
            facts.push(format!(
                "channel {of:?} watch {}",
                watch_words(watch, names)
            ));
        }
        let departed = channel
            .departed
            .iter(&self.members.slots)
            .map(|(_, member)| member);
        for member in channel.roster.iter().copied().chain(departed) {
            if let Some(slot) = self.slot(member) {
                facts.push(format!(
                    "channel {of:?} {}",
                    slot_words(member, slot, names)
                ));
            }
        }
    }
}

fn slot_words(member: MemberId, slot: &Slot, names: &Names) -> String {
    let key = names.key(member);
    let [topic, user, conn] = [key.topic, key.user, key.conn].map(|name| names.text(name));
    let word = slot.last_update();
    let Reporters { by_kind } = word.reporters;
    let heard = by_kind.map(|by| match by {
        u32::MAX => "nobody",
        by if by == u32::MAX - 1 => "several",
        by => names.text(NameId(by)),
    });
    let mut words = format!(
        "member {topic:?} {user:?} {conn:?} {:?} by {} at {} {:?} heard {heard:?} held {}",
        slot.presence,
        word.seq,
        word.time,
        word.stamp,
        slot.held_at()
    );
    // Writing to a String cannot fail.
    let _ = match slot.since() {
        Some(since) => write!(words, " since {since} meta {:?}", slot.meta),
        None => write!(words, " departed {}", slot.departed_at().unwrap_or(0)),
    };
    let _ = write!(words, " changed {:?}", slot.changed_at());
    words
}

fn stretch_words(stretch: &ObservedInterval, names: &Names) -> String {
    let ObservedInterval {
        observer,
        since,
        from_seq,
        to_seq,
        proof,
    } = *stretch;
    format!(
        "{:?} since {since}, {from_seq} to {to_seq} proof {proof:?}",
        names.text(observer)
    )
}

fn watch_words(watch: &Watch, names: &Names) -> String {
    let mut words = format!(
        "{:?} since {} up {} given {} muted {} hold {:?} lost {:?} stretch {:?}",
        names.text(watch.observer),
        watch.since_seq,
        watch.up,
        watch.given,
        watch.muted,
        watch.hold,
        watch.lost,
        watch
            .stretch
            .as_ref()
            .map(|stretch| stretch_words(stretch, names)),
    );
    let member_words = |member: MemberId| {
        let key = names.key(member);
        [key.topic, key.user, key.conn].map(|name| names.text(name))
    };
    if let Some(list) = &watch.own_list {
        let mut differs: Vec<_> = list.differs.keys().copied().map(member_words).collect();
        differs.sort_unstable();
        let user = list.self_user.map(|user| names.text(user));
        let _ = write!(
            words,
            " own list {user:?} {:?} unsure {} {differs:?}",
            list.as_of, list.unsure
        );
    }
    if let Some(reports) = &watch.reports {
        let each = reports.last.iter();
        let mut each: Vec<_> = each
            .map(|(&member, report)| format!("{:?} {report:?}", member_words(member)))
            .collect();
        each.sort_unstable();
        let (each, forgotten) = (each.join(", "), reports.forgotten);
        let _ = write!(words, " reports {each} forgotten {forgotten:?}");
    }
    let collected_words = |collected: &NumberMap<MemberId, Collected>| {
        let each = collected.iter();
        let mut each: Vec<_> = each
            .map(|(&member, collected)| format!("{:?} {collected:?}", member_words(member)))
            .collect();
        each.sort_unstable();
        each.join(", ")
    };
    if let Some(collecting) = &watch.collecting {
        let Collecting {
            up_at,
            first_at,
            latest_at,
            members,
        } = &**collecting;
        let members = collected_words(members);
        let _ = write!(
            words,
            " collecting {up_at} {first_at:?} {latest_at:?} {members}"
        );
    }
    if let Some(sync) = &watch.sync {
        let mut topics: Vec<&str> = sync.topics.keys().map(|&topic| names.text(topic)).collect();
        topics.sort_unstable();
        let mut members: Vec<String> = sync
            .members
            .iter()
            .map(|(&member, claim)| {
                let key = names.key(member);
                let names = [key.topic, key.user, key.conn].map(|name| names.text(name));
                format!("{names:?} {claim:?}")
            })
            .collect();
        members.sort_unstable();
        let _ = write!(
            words,
            " sync {:?} {:?} self {:?} incomplete {} id {:?} head {} proofs {} channel {:?} topics {topics:?} {members:?} collected {}",
            sync.name,
            sync.begin,
            sync.self_user.map(|user| names.text(user)),
            sync.incomplete,
            sync.id,
            sync.head,
            sync.proofs
                .iter()
                .map(|stretch| stretch_words(stretch, names))
                .collect::<String>(),
            sync.channel_proof,
            collected_words(&sync.collected),
        );
    }
    words
}
