//! What the parameters mean: the filters of the queries, with times resolved against a `now`.

use super::{
    AttendanceParams, HistoryParams, MissedParams, PerParam, SessionsParams, StatsParams,
    SubscribeParams, WhoParams,
};
use crate::domain::time::Millis;
use crate::query::answer::OriginAnswer;
use crate::query::calendar::{DAY_MS, NeedsZone, Zone};
use crate::query::time::{Span, When};
use crate::query::{
    AttendanceFilter, HistoryFilter, MissedFilter, SessionFilter, StatsFilter, StaysPer, WhoFilter,
    WhoWhen,
};

/// Why parameters mean nothing, with the name of the one that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// A local time, and no zone.
    #[error("{0}: {1}")]
    Zone(&'static str, NeedsZone),
    /// Intervals in a zone that are neither days nor parts of one.
    #[error(
        "every: in a zone, intervals are whole days (1d, 2d, 1w) or shorter than one (15m, 6h)"
    )]
    UnevenDays,
    /// An end that is not behind the begin.
    #[error("to: not behind from")]
    Order,
    /// Both a moment and an entry.
    #[error("seq: not together with at")]
    AtAndSeq,
}

/// Against what the times of a question are resolved.
#[derive(Clone, Copy)]
struct ParamClock {
    now: Millis,
    zone: Option<Zone>,
}

impl ParamClock {
    fn at(self, name: &'static str, when: Option<When>) -> Result<Option<Millis>, ParamError> {
        let at = when.map(|when| when.resolve(self.now, self.zone));
        at.transpose()
            .map_err(|error| ParamError::Zone(name, error))
    }
}

impl WhoParams {
    /// The filter, with times resolved against `now`.
    ///
    /// # Errors
    /// If a time needs a zone, or both a moment and an entry are given.
    pub fn filter(&self, now: Millis) -> Result<WhoFilter, ParamError> {
        let clock = ParamClock {
            now,
            zone: self.zone,
        };
        let when = match (clock.at("at", self.at)?, self.seq) {
            (Some(_), Some(_)) => return Err(ParamError::AtAndSeq),
            (Some(at), None) => WhoWhen::At(at),
            (None, Some(seq)) => WhoWhen::Seq(seq),
            (None, None) => WhoWhen::Head,
        };
        Ok(WhoFilter {
            topic: self.topic.clone(),
            when,
            known_at: clock.at("known_at", self.known_at)?,
            certain: self.certain,
        })
    }
}

impl HistoryParams {
    /// The filter, with times resolved against `now`.
    ///
    /// # Errors
    /// If a time needs a zone.
    pub fn filter(&self, now: Millis) -> Result<HistoryFilter, ParamError> {
        let clock = ParamClock {
            now,
            zone: self.zone,
        };
        Ok(HistoryFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            from: clock.at("from", self.from)?,
            to: clock.at("to", self.to)?,
            types: self.types.0.clone(),
            observed: self.origin.map(|origin| origin == OriginAnswer::Observed),
            after_seq: self.after_seq,
            limit: self.limit,
        })
    }
}

impl SubscribeParams {
    /// The filter.
    #[must_use]
    pub fn filter(&self) -> HistoryFilter {
        HistoryFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            types: self.types.0.clone(),
            observed: self.origin.map(|origin| origin == OriginAnswer::Observed),
            after_seq: self.after_seq,
            ..HistoryFilter::default()
        }
    }
}

impl MissedParams {
    /// The filter, with times resolved against `now`.
    ///
    /// # Errors
    /// If a time needs a zone.
    pub fn filter(&self, now: Millis) -> Result<MissedFilter, ParamError> {
        let clock = ParamClock {
            now,
            zone: self.zone,
        };
        Ok(MissedFilter {
            gap: self.gap,
            since: clock.at("since", self.since)?,
            known_at: clock.at("known_at", self.known_at)?,
            detail: self.detail,
        })
    }
}

impl SessionsParams {
    /// The filter, with times resolved against `now`.
    ///
    /// # Errors
    /// If a time needs a zone.
    pub fn filter(&self, now: Millis) -> Result<SessionFilter, ParamError> {
        let clock = ParamClock {
            now,
            zone: self.zone,
        };
        Ok(SessionFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            from: clock.at("from", self.from)?,
            to: clock.at("to", self.to)?,
            per: match self.per {
                None => StaysPer::Member,
                Some(PerParam::Topic) => StaysPer::Topic,
                Some(PerParam::Channel) => StaysPer::Channel,
            },
            clip: self.clip,
            known_at: clock.at("known_at", self.known_at)?,
        })
    }
}

impl StatsParams {
    /// The filter, with times resolved against `now`.
    ///
    /// # Errors
    /// If a time needs a zone, or intervals in a zone are neither days nor parts of one.
    pub fn filter(&self, now: Millis) -> Result<StatsFilter, ParamError> {
        let uneven = |every: Span| every.0 > DAY_MS && every.0 % DAY_MS != 0;
        if self.zone.is_some() && self.every.is_some_and(uneven) {
            return Err(ParamError::UnevenDays);
        }
        let clock = ParamClock {
            now,
            zone: self.zone,
        };
        Ok(StatsFilter {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            from: clock.at("from", self.from)?,
            to: clock.at("to", self.to)?,
            every_ms: self.every.map(|every| every.0),
            zone: self.zone,
            known_at: clock.at("known_at", self.known_at)?,
        })
    }
}

impl AttendanceParams {
    /// The filter, with times resolved against `now`.
    ///
    /// # Errors
    /// If a time needs a zone, or the end is not behind the begin.
    pub fn filter(&self, now: Millis) -> Result<AttendanceFilter, ParamError> {
        let clock = ParamClock {
            now,
            zone: self.zone,
        };
        let (from, to) = (clock.at("from", self.from)?, clock.at("to", self.to)?);
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(ParamError::Order);
        }
        Ok(AttendanceFilter {
            topic: self.topic.clone(),
            appointments: self.appointments.0.clone(),
            from,
            to,
            scheduled: !self.appointments.is_empty(),
            grace_ms: self.grace.unwrap_or_default().0,
            without_meta: self.without_meta.clone().unwrap_or_default(),
            known_at: clock.at("known_at", self.known_at)?,
        })
    }

    /// Whether the first appointment begins before a moment.
    #[must_use]
    pub fn begins_before(&self, moment: Millis, now: Millis) -> bool {
        let Ok(filter) = self.filter(now) else {
            return false;
        };
        let mut begins = filter.appointments.iter().map(|it| it.starts_at);
        let whole = filter.appointments.is_empty() && filter.from.is_none_or(|at| at < moment);
        whole || begins.any(|begin| begin < moment)
    }
}
