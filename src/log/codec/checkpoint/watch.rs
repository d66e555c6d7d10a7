//! How one observer watches a channel.

use super::CodecError;
use super::erase::PartEraser;
use super::part_table::{PartNames, PartTable};
use crate::domain::entry::{ListedMember, SnapshotBegin, Text};
use crate::domain::interval::ObservedInterval;
use crate::domain::names::{MemberId, NumberMap};
use crate::domain::order::Stamp;
use crate::domain::own_list::{Collected, Collecting, OwnList};
use crate::domain::own_reports::{OwnReport, OwnReports, ReportOrder};
use crate::domain::watch::{PagedSnapshot, PendingLoss, Watch};
use crate::log::codec::derive::fields;
use bincode::{Decode, Encode};

fields!(PendingLoss { seq, proof, gaps });
fields!(ListedMember { meta, stamp });
fields!(OwnReport { order, present });
fields!(ReportOrder { seq, stamp });
fields!(Collected {
    present,
    meta,
    stamp,
    at
});

#[derive(Encode, Decode)]
pub(super) struct WatchBody {
    observer: u32,
    since_seq: u64,
    up: bool,
    given: bool,
    muted: bool,
    hold: Option<u64>,
    interval: Option<IntervalBody>,
    paged: Option<PagedBody>,
    lost: Option<PendingLoss>,
    own_list: Option<OwnListBody>,
    collecting: Option<CollectingBody>,
    reports: Option<OwnReportsBody>,
}

impl WatchBody {
    pub(super) fn of(watch: &Watch, table: &mut PartTable<'_>) -> WatchBody {
        WatchBody {
            observer: table.name(watch.observer),
            since_seq: watch.since_seq,
            up: watch.up,
            given: watch.given,
            muted: watch.muted,
            hold: watch.hold,
            interval: watch.stretch.as_ref().map(|it| IntervalBody::of(it, table)),
            paged: watch.sync.as_deref().map(|it| PagedBody::of(it, table)),
            lost: watch.lost,
            own_list: watch
                .own_list
                .as_deref()
                .map(|it| OwnListBody::of(it, table)),
            collecting: watch
                .collecting
                .as_deref()
                .map(|it| CollectingBody::of(it, table)),
            reports: watch
                .reports
                .as_deref()
                .map(|it| OwnReportsBody::of(it, table)),
        }
    }

    pub(super) fn watch(self, names: &PartNames) -> Result<Watch, CodecError> {
        let (interval, paged) = (self.interval, self.paged);
        Ok(Watch {
            observer: names.name(self.observer)?,
            since_seq: self.since_seq,
            up: self.up,
            given: self.given,
            muted: self.muted,
            hold: self.hold,
            stretch: interval.map(|it| it.interval(names)).transpose()?,
            sync: paged.map(|it| it.paged(names).map(Box::new)).transpose()?,
            lost: self.lost,
            own_list: self
                .own_list
                .map(|it| it.own_list(names).map(Box::new))
                .transpose()?,
            collecting: self
                .collecting
                .map(|it| it.collecting(names).map(Box::new))
                .transpose()?,
            reports: self
                .reports
                .map(|it| it.reports(names).map(Box::new))
                .transpose()?,
        })
    }
}

impl WatchBody {
    pub(super) fn erase(&mut self, part: &mut PartEraser<'_>) -> Result<(), CodecError> {
        if let Some(paged) = &mut self.paged {
            paged.erase(self.observer, part)?;
        }
        part.observer(&mut self.observer)?;
        if let Some(interval) = &mut self.interval {
            interval.erase(part)?;
        }
        if let Some(list) = &mut self.own_list {
            part.self_user_if(&mut list.self_user)?;
        }
        if let Some(collecting) = &mut self.collecting {
            erase_collected(&mut collecting.members, part);
        }
        Ok(())
    }
}

#[derive(Encode, Decode)]
pub(super) struct IntervalBody {
    observer: u32,
    since: i64,
    from_seq: u64,
    to_seq: u64,
    proof: Option<i64>,
}

impl IntervalBody {
    pub(super) fn of(interval: &ObservedInterval, table: &mut PartTable<'_>) -> IntervalBody {
        IntervalBody {
            observer: table.name(interval.observer),
            since: interval.since,
            from_seq: interval.from_seq,
            to_seq: interval.to_seq,
            proof: interval.proof,
        }
    }

    pub(super) fn erase(&mut self, part: &mut PartEraser<'_>) -> Result<(), CodecError> {
        part.observer(&mut self.observer)
    }

    pub(super) fn interval(&self, names: &PartNames) -> Result<ObservedInterval, CodecError> {
        Ok(ObservedInterval {
            observer: names.name(self.observer)?,
            since: self.since,
            from_seq: self.from_seq,
            to_seq: self.to_seq,
            proof: self.proof,
        })
    }
}

/// An unfinished paged snapshot.
#[derive(Encode, Decode)]
struct PagedBody {
    name: Text,
    begin: SnapshotBegin,
    self_user: Option<u32>,
    incomplete: bool,
    id: Option<Text>,
    head: u64,
    proofs: Vec<IntervalBody>,
    channel_proof: Option<i64>,
    topics: Vec<u32>,
    members: Vec<(u32, ListedMember)>,
    collected: Vec<(u32, Collected)>,
}

impl PagedBody {
    fn of(paged: &PagedSnapshot, table: &mut PartTable<'_>) -> PagedBody {
        PagedBody {
            name: paged.name.clone(),
            begin: paged.begin,
            self_user: table.name_if(paged.self_user),
            incomplete: paged.incomplete,
            id: paged.id.clone(),
            head: paged.head,
            proofs: paged
                .proofs
                .iter()
                .map(|it| IntervalBody::of(it, table))
                .collect(),
            channel_proof: paged.channel_proof,
            topics: paged
                .topics
                .keys()
                .map(|&topic| table.name(topic))
                .collect(),
            members: by_number(&paged.members, table),
            collected: by_number(&paged.collected, table),
        }
    }

    /// `observer`: whose it is, with the number that it had.
    fn erase(&mut self, observer: u32, part: &mut PartEraser<'_>) -> Result<(), CodecError> {
        part.text_of(observer, &mut self.name)?;
        if let Some(id) = &mut self.id {
            part.text_of(observer, id)?;
        }
        part.self_user_if(&mut self.self_user)?;
        let mut proofs = self.proofs.iter_mut();
        proofs.try_for_each(|proof| proof.erase(part))?;
        self.topics.iter().for_each(|&topic| part.keep(topic));
        for (member, listed) in &mut self.members {
            part.meta(*member, &mut listed.meta);
        }
        erase_collected(&mut self.collected, part);
        Ok(())
    }

    fn paged(self, names: &PartNames) -> Result<PagedSnapshot, CodecError> {
        let topic = |number| Ok((names.name(number)?, ()));
        Ok(PagedSnapshot {
            name: self.name,
            begin: self.begin,
            self_user: names.name_if(self.self_user)?,
            incomplete: self.incomplete,
            id: self.id,
            head: self.head,
            proofs: self
                .proofs
                .iter()
                .map(|it| it.interval(names))
                .collect::<Result<_, _>>()?,
            channel_proof: self.channel_proof,
            topics: self
                .topics
                .into_iter()
                .map(topic)
                .collect::<Result<_, CodecError>>()?,
            members: by_member(self.members, names)?,
            collected: by_member(self.collected, names)?,
        })
    }
}

#[derive(Encode, Decode)]
struct OwnListBody {
    self_user: Option<u32>,
    as_of: Stamp,
    unsure: bool,
    differs: Vec<u32>,
}

impl OwnListBody {
    fn of(list: &OwnList, table: &mut PartTable<'_>) -> OwnListBody {
        OwnListBody {
            self_user: table.name_if(list.self_user),
            as_of: list.as_of,
            unsure: list.unsure,
            differs: list
                .differs
                .keys()
                .map(|&member| table.member(member))
                .collect(),
        }
    }

    fn own_list(self, names: &PartNames) -> Result<OwnList, CodecError> {
        let differing = |number| Ok((names.member(number)?, ()));
        Ok(OwnList {
            self_user: names.name_if(self.self_user)?,
            as_of: self.as_of,
            unsure: self.unsure,
            differs: self
                .differs
                .into_iter()
                .map(differing)
                .collect::<Result<_, CodecError>>()?,
        })
    }
}

#[derive(Encode, Decode)]
struct CollectingBody {
    up_at: i64,
    first_at: Option<i64>,
    latest_at: Option<i64>,
    members: Vec<(u32, Collected)>,
}

impl CollectingBody {
    fn of(collecting: &Collecting, table: &mut PartTable<'_>) -> CollectingBody {
        CollectingBody {
            up_at: collecting.up_at,
            first_at: collecting.first_at,
            latest_at: collecting.latest_at,
            members: by_number(&collecting.members, table),
        }
    }

    fn collecting(self, names: &PartNames) -> Result<Collecting, CodecError> {
        Ok(Collecting {
            up_at: self.up_at,
            first_at: self.first_at,
            latest_at: self.latest_at,
            members: by_member(self.members, names)?,
        })
    }
}

#[derive(Encode, Decode)]
struct OwnReportsBody {
    last: Vec<(u32, OwnReport)>,
    forgotten: Option<ReportOrder>,
}

impl OwnReportsBody {
    fn of(reports: &OwnReports, table: &mut PartTable<'_>) -> OwnReportsBody {
        OwnReportsBody {
            last: by_number(&reports.last, table),
            forgotten: reports.forgotten,
        }
    }

    fn reports(self, names: &PartNames) -> Result<OwnReports, CodecError> {
        Ok(OwnReports {
            last: by_member(self.last, names)?,
            forgotten: self.forgotten,
        })
    }
}

fn erase_collected(members: &mut [(u32, Collected)], part: &PartEraser<'_>) {
    for (member, collected) in members {
        part.meta(*member, &mut collected.meta);
    }
}

fn by_number<T: Clone>(
    members: &NumberMap<MemberId, T>,
    table: &mut PartTable<'_>,
) -> Vec<(u32, T)> {
    let members = members.iter();
    members
        .map(|(&member, of)| (table.member(member), of.clone()))
        .collect()
}

fn by_member<T>(
    members: Vec<(u32, T)>,
    names: &PartNames,
) -> Result<NumberMap<MemberId, T>, CodecError> {
    let members = members.into_iter();
    members
        .map(|(number, of)| Ok((names.member(number)?, of)))
        .collect()
}
