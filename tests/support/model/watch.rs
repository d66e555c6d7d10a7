//! The model of who watched: observers up and down, proofs, gaps, coverage. It follows the contract's sections 2.5
//! (9, 12), 2.6 and 2.7.

use super::log::{Entry, Log, Member};
use std::collections::{BTreeMap, BTreeSet};

/// One observer of one channel.
#[derive(Debug, Clone, Default)]
struct Watcher {
    up: bool,
    /// It has sent a complete snapshot since its link came up.
    synced: bool,
    /// Its messages are proofs for the channel.
    proves: bool,
    /// It has sent a complete snapshot, so it has an own list for differences.
    lists: bool,
    /// It is sending differences.
    collecting: bool,
    /// By member, the time of the last collected event. The snapshot that ends the collecting also proves that time.
    collected: BTreeMap<Member, i64>,
    /// It sends no link lines, and an incomplete snapshot has ended its proofs.
    ended: bool,
    /// When its messages began to be proofs, and the time of the last one.
    since: i64,
    own: Option<i64>,
    /// The channel's last proof when its unfinished paged snapshot began, and the name of that snapshot.
    began: Option<Option<i64>>,
    pages: (String, Option<String>),
    /// Its messages prove nothing until its pages have ended: they may come after a gap that no line reported.
    paging: bool,
    /// The entry at which its link was last lost. Later messages count as proofs if a link line reports a loss.
    lost_at: u64,
}

impl Watcher {
    /// Its last proof if a link line reported a loss now: any message over the link since it came up counts.
    fn told(&self, heard: &[(u64, i64)]) -> Option<i64> {
        let since = heard.iter().any(|&(seq, _)| self.lost_at < seq);
        let latest = heard.iter().map(|&(_, at)| at).max();
        latest.filter(|_| since && self.proves)
    }
}

/// A time during which no observer watched.
#[derive(Debug, Clone)]
pub struct Gap {
    pub from: i64,
    pub to: Option<i64>,
    pub evidence: &'static str,
    pub closed_by: Option<&'static str>,
    /// The snapshots in it, including the one that closed it.
    pub snapshots: BTreeSet<u64>,
}

/// What is known of one channel.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    watchers: BTreeMap<String, Watcher>,
    pub gaps: Vec<Gap>,
    /// When the first complete snapshot took effect.
    complete_at: Option<i64>,
    /// The last effective time.
    pub effective: Option<i64>,
    /// The last proof of all observers.
    pub proof: Option<i64>,
    /// The ranges of time in which an observer is proven to have watched.
    watched: Vec<(i64, Option<i64>)>,
    /// Incomplete snapshots that came while no observer's messages were proofs, outside of any known gap. A gap that
    /// is reported later may have begun before them.
    loose: Vec<(u64, i64)>,
    /// The entries that `history CHANNEL` shows.
    pub shown: Vec<u64>,
    /// Entries that came while the messages of no observer, or not yet those of their own observer, were proofs.
    pub unwatched: BTreeSet<u64>,
}

impl Watched {
    pub fn open_gap(&self) -> Option<&Gap> {
        self.gaps.last().filter(|gap| gap.to.is_none())
    }

    pub fn in_gap(&self, at: i64) -> bool {
        let not_over = |gap: &Gap| gap.to.is_none_or(|to| at < to);
        self.gaps.iter().any(|gap| gap.from <= at && not_over(gap))
    }

    /// Whether an observer is proven to have watched at a moment.
    pub fn is_watched_at(&self, at: i64) -> bool {
        let until = |proof: Option<i64>| proof.is_some_and(|proof| at < proof);
        self.watched
            .iter()
            .any(|&(since, proof)| since <= at && until(proof))
    }

    /// Coverage at a moment, or at the head for `None`.
    pub fn coverage(&self, at: Option<i64>) -> &'static str {
        let blind = at.map_or(self.open_gap().is_some(), |at| self.in_gap(at));
        let by_then = |since| at.is_none_or(|at| since <= at);
        match (blind, self.complete_at.is_some_and(by_then)) {
            (true, _) => "blind",
            (_, true) => "complete",
            (_, false) => "partial",
        }
    }

    fn another_is_up(&self, observer: &str) -> bool {
        let others = self.watchers.iter().filter(|(name, _)| *name != observer);
        others.into_iter().any(|(_, watcher)| watcher.up)
    }

    fn is_blind(&self) -> bool {
        let nobody = self.watchers.values().all(|watcher| !watcher.proves);
        self.open_gap().is_some() || nobody && self.watchers.values().any(|watcher| watcher.ended)
    }

    fn watcher(&mut self, observer: &str) -> &mut Watcher {
        self.watchers.entry(observer.to_owned()).or_default()
    }

    fn prove(&mut self, at: i64) {
        self.proof = self.proof.max(Some(at));
    }

    /// Takes a link line, entry `seq`. `heard` is what came over the link.
    fn link(&mut self, observer: &str, state: Link, seq: u64, heard: &[(u64, i64)]) {
        let alone = !self.another_is_up(observer);
        let new = !self.watchers.contains_key(observer);
        let watcher = self.watcher(observer);
        match state {
            // The link was up already.
            Link::Synced => {
                watcher.up |= new;
                return;
            }
            Link::Up => {
                watcher.up = true;
                watcher.collecting = false;
                if watcher.began.is_none() {
                    watcher.collected.clear();
                }
                return;
            }
            // It reports a loss just before it. If the observer has a list, differences to that list follow.
            Link::Differences => {
                let lists = watcher.lists;
                self.link(observer, Link::Down, seq, heard);
                if lists {
                    self.watcher(observer).collecting = true;
                } else {
                    self.link(observer, Link::Up, seq, heard);
                }
                return;
            }
            Link::Down => {}
        }
        let lost = watcher.up;
        let told = watcher.told(heard);
        let watched = (watcher.since, watcher.own.max(told));
        let watched = watcher.proves.then_some(watched);
        *watcher = Watcher {
            ended: watcher.ended,
            lists: watcher.lists,
            lost_at: seq,
            ..Watcher::default()
        };
        self.watched.extend(watched);
        self.proof = self.proof.max(told);
        if let Some(from) = self
            .proof
            .filter(|_| lost && alone && self.open_gap().is_none())
        {
            self.open("link", from);
        }
    }

    fn open(&mut self, evidence: &'static str, from: i64) {
        let inside = self.loose.drain(..).filter(|(_, at)| from <= *at);
        let snapshots = inside.map(|(seq, _)| seq).collect();
        self.gaps.push(Gap {
            from,
            to: None,
            evidence,
            closed_by: None,
            snapshots,
        });
    }

    /// Takes a snapshot that is not stale. `begun`: the channel's last proof when its pages began, if it had any.
    fn snapshot(&mut self, entry: &Entry, linked: bool, begun: Option<Option<i64>>) {
        let complete = entry.complete == Some(true);
        let alone = !self.another_is_up(&entry.observer);
        let watcher = self.watcher(&entry.observer);
        // Pages that never ended count like a snapshot before this one.
        let unended = !linked && begun.is_none() && watcher.began.is_some();
        let again = watcher.synced || unended;
        if complete && again && alone && self.open_gap().is_none() {
            let from = begun.unwrap_or(self.proof);
            from.into_iter()
                .for_each(|from| self.open("snapshot", from.min(entry.effective_at)));
        }
        if let Some(gap) = self.gaps.last_mut().filter(|gap| gap.to.is_none()) {
            gap.snapshots.insert(entry.seq);
            gap.to = complete.then(|| entry.effective_at.max(gap.from));
            let by = if entry.resync() {
                "differences"
            } else {
                "snapshot"
            };
            gap.closed_by = complete.then_some(by);
        }
        let watcher = self.watcher(&entry.observer);
        let mut watched = None;
        let collected = watcher.collected.values().max();
        let collected = collected.map(|&at| at.min(entry.effective_at));
        let shown_at = entry.occurred_at.max(collected.unwrap_or(i64::MIN));
        if watcher.began.is_none() {
            watcher.collected.clear();
        }
        if complete {
            if again || !watcher.proves {
                watched = watcher.proves.then_some((watcher.since, watcher.own));
                (watcher.since, watcher.own) = (entry.occurred_at, None);
                watcher.paging = false;
            }
            watcher.own = watcher.own.max(Some(shown_at));
            watcher.synced = true;
            watcher.proves = true;
            watcher.ended = false;
            self.loose.clear();
            self.complete_at.get_or_insert(entry.effective_at);
        } else if !linked {
            watched = watcher.proves.then_some((watcher.since, watcher.own));
            watcher.proves = false;
            watcher.ended = true;
        } else if watcher.proves {
            watcher.own = watcher.own.max(Some(shown_at));
        }
        self.watched.extend(watched);
        if self.open_gap().is_none() && self.is_blind() {
            self.loose.push((entry.seq, entry.effective_at));
        }
        if self.watcher(&entry.observer).proves {
            self.prove(shown_at);
        }
    }
}

/// The state that a link line reports.
#[derive(Debug, Clone, Copy)]
enum Link {
    Up,
    Differences,
    Synced,
    Down,
}

/// What is known of an observer, for all channels together.
#[derive(Debug, Clone, Default)]
struct Observer {
    /// It sends link lines.
    linked: bool,
    /// The channels that its link lines have named: each has its own link. All other channels share one.
    named: BTreeSet<String>,
    /// Its member events and snapshots about each channel: the last entry, and the largest time.
    heard: BTreeMap<String, (u64, i64)>,
}

impl Observer {
    fn hear(&mut self, channel: &str, entry: &Entry) {
        let heard = self.heard.entry(channel.to_owned());
        let heard = heard.or_insert((entry.seq, entry.occurred_at));
        *heard = (entry.seq, heard.1.max(entry.occurred_at));
    }

    /// What came over the link that carries a channel.
    fn over_link_of(&self, channel: &str) -> Vec<(u64, i64)> {
        let own = self.named.contains(channel);
        let same = |name: &&String| match own {
            true => name.as_str() == channel,
            false => !self.named.contains(*name),
        };
        let heard = self.heard.iter().filter(|(name, _)| same(name));
        heard.map(|(_, &heard)| heard).collect()
    }
}

#[derive(Default)]
struct Fold {
    channels: BTreeMap<String, Watched>,
    observers: BTreeMap<String, Observer>,
}

/// Who watched the channels of a log.
pub fn watch(log: &Log) -> BTreeMap<String, Watched> {
    let mut fold = Fold::default();
    fold.pages(log, 0);
    for entry in &log.entries {
        match &entry.channel {
            _ if entry.of_link() => fold.link_or_token(log, entry),
            Some(name) => fold.of_channel(log, entry, name),
            None => panic!("{entry:?} is of no channel"),
        }
        fold.pages(log, entry.seq);
    }
    for (channel_name, channel) in &mut fold.channels {
        // Where link lines would report a loss, any message over a watcher's link is a proof.
        for (name, watcher) in &channel.watchers {
            let linked = fold.observers.get(name).filter(|known| known.linked);
            let told = linked.and_then(|known| watcher.told(&known.over_link_of(channel_name)));
            channel.proof = channel.proof.max(told);
            let proves = watcher.proves.then_some(watcher.own.max(told));
            let watched = proves.map(|proof| (watcher.since, proof));
            channel.watched.extend(watched);
        }
    }
    fold.channels
}

impl Fold {
    fn pages(&mut self, log: &Log, behind: u64) {
        for page in log.pages.get(&behind).into_iter().flatten() {
            let channel = self.channels.entry(page.channel.clone()).or_default();
            let proof = channel.proof;
            let watcher = channel.watcher(&page.observer);
            watcher.up = true;
            let again = watcher.began.is_some() && page.name.1.is_some();
            if page.begins && !(again && watcher.pages == page.name) {
                if !std::mem::take(&mut watcher.collecting) {
                    watcher.collected.clear();
                }
                let linked = self.observers.get(&page.observer);
                let linked = linked.is_some_and(|known| known.linked);
                watcher.synced |= !linked && watcher.began.is_some();
                watcher.began = Some(proof);
                watcher.pages = page.name.clone();
                watcher.paging = watcher.proves;
            }
        }
    }

    fn link_or_token(&mut self, log: &Log, entry: &Entry) {
        let counts = entry.kind == "link" && !log.elsewhere.contains(&entry.seq);
        let observer = self.observers.entry(entry.observer.clone()).or_default();
        observer.linked |= counts;
        let unrestored = log.unrestored.get(&entry.seq);
        let unrestored = |name| unrestored.is_some_and(|channels| channels.contains(name));
        let state = match entry.state.as_deref() {
            Some("up") if log.differences.contains(&entry.seq) => Link::Differences,
            Some("up") => Link::Up,
            Some("synced") => Link::Synced,
            _ => Link::Down,
        };
        let up = matches!(state, Link::Up | Link::Differences);
        let mut touched: Vec<(&String, &mut Watched)> = Vec::new();
        match &entry.channel {
            // A token line names the channel, but does not show that its observer watches it.
            Some(name) => {
                let channel = self.channels.entry(name.clone()).or_default();
                if !counts {
                    channel.watcher(&entry.observer);
                }
                channel.shown.push(entry.seq);
                touched.push((name, channel));
                if counts {
                    observer.named.insert(name.clone());
                }
            }
            None => {
                for (name, channel) in &mut self.channels {
                    if channel.watchers.contains_key(&entry.observer) {
                        channel.shown.push(entry.seq);
                        touched.extend((!up || !unrestored(name)).then_some((name, channel)));
                    }
                }
            }
        }
        for (name, channel) in touched.into_iter().filter(|_| counts) {
            let heard = observer.over_link_of(name);
            channel.link(&entry.observer, state, entry.seq, &heard);
        }
    }

    fn of_channel(&mut self, log: &Log, entry: &Entry, name: &str) {
        let channel = self.channels.entry(name.to_owned()).or_default();
        channel.shown.push(entry.seq);
        channel.effective = channel.effective.max(Some(entry.effective_at));
        let watching = channel.watchers.get(&entry.observer);
        let not_yet = channel.complete_at.is_some() && !watching.is_some_and(|it| it.proves);
        if channel.is_blind() || not_yet {
            channel.unwatched.insert(entry.seq);
        }
        if entry.collected() {
            let watcher = channel.watcher(&entry.observer);
            let member = entry.member().unwrap();
            watcher.collected.insert(member, entry.occurred_at);
        }
        if entry.inferred() || entry.collected() {
            return;
        }
        let observer = self.observers.entry(entry.observer.clone()).or_default();
        observer.hear(name, entry);
        let stale_snapshot = entry.kind == "snapshot" && !entry.applied();
        let (new, none_complete) = (
            !channel.watchers.contains_key(&entry.observer),
            channel.complete_at.is_none(),
        );
        let watcher = channel.watcher(&entry.observer);
        watcher.up |= new || !stale_snapshot || entry.resync();
        watcher.collecting &= !watcher.up;
        watcher.lists |= entry.complete == Some(true);
        if none_complete && !watcher.ended && !watcher.proves {
            watcher.proves = true;
            (watcher.since, watcher.own) = (entry.occurred_at, None);
        }
        let paged = log.paged.contains(&entry.seq);
        let began = watcher.began.take_if(|_| paged);
        watcher.paging &= !paged;
        if stale_snapshot {
            if paged && !watcher.collecting {
                watcher.collected.clear();
            }
            // It is newer than its observer's other messages: only another observer's snapshot made it stale.
            let newest = watcher.own.is_some_and(|own| own < entry.occurred_at);
            if entry.complete == Some(true) && watcher.synced && watcher.proves && newest {
                let watched = (watcher.since, watcher.own);
                watcher.proves = false;
                channel.watched.push(watched);
            }
        } else if entry.kind == "snapshot" {
            channel.snapshot(entry, observer.linked, began);
        } else if entry.kind != "snapshot" && watcher.proves && !watcher.paging {
            watcher.own = watcher.own.max(Some(entry.occurred_at));
            channel.prove(entry.occurred_at);
        }
    }
}
