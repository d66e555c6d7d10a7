//! `attendance`: who was at an appointment in a channel, from when until when, how long at least and at most, and for how
//! much of it nobody watched.

use super::answer::{Attendance, Gap, PresenceFigures, Time};
use super::intervals::{IntervalSet, TimeInterval};
use super::meta_filter::MetaFilter;
use super::people::{People, PersonPresence};
use super::stays::StayScope;
use super::united::{Scale, StayUnion, UnitedStay, UserPlace};
use crate::domain::time::Millis;
use crate::limits::{APPOINTMENTS_MAX, PEOPLE_LINES_MAX};
use crate::store::{Store, StoreError, heard_of};
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// A time at which people meet, Unix ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_structs)]
pub struct Appointment {
    /// Its begin.
    pub starts_at: Millis,
    /// Its end, which does not belong to it.
    pub ends_at: Millis,
}

impl Appointment {
    fn interval(self) -> TimeInterval {
        TimeInterval::new(self.starts_at, self.ends_at)
    }
}

/// Several appointments, as text: `1778788800000/1778792400000`, with commas between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Appointments(pub Vec<Appointment>);

impl Appointments {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text does not name appointments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppointmentsError {
    /// One is written wrongly.
    #[error(
        "\"{0}\" is no appointment: write begin and end as Unix ms, as in 1778788800000/1778792400000"
    )]
    Form(String),
    /// One ends before it begins.
    #[error("\"{0}\": an appointment ends after its begin")]
    Order(String),
    /// There are too many.
    #[error("at most {APPOINTMENTS_MAX} appointments can be asked about at once")]
    TooMany,
}

impl FromStr for Appointments {
    type Err = AppointmentsError;

    fn from_str(text: &str) -> Result<Appointments, AppointmentsError> {
        let read = |part: &str| {
            let ends = part.split_once('/');
            let ends = ends.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            let (starts_at, ends_at) =
                ends.ok_or_else(|| AppointmentsError::Form(part.to_owned()))?;
            if ends_at <= starts_at {
                return Err(AppointmentsError::Order(part.to_owned()));
            }
            Ok(Appointment { starts_at, ends_at })
        };
        let parts = text.split(',').filter(|part| !part.is_empty());
        let all: Vec<Appointment> = parts.map(read).collect::<Result<_, _>>()?;
        if all.len() > APPOINTMENTS_MAX {
            return Err(AppointmentsError::TooMany);
        }
        Ok(Appointments(all))
    }
}

impl Display for Appointments {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (at, appointment) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let Appointment { starts_at, ends_at } = appointment;
            write!(f, "{comma}{starts_at}/{ends_at}")?;
        }
        Ok(())
    }
}

/// What is asked about attendance.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AttendanceFilter {
    /// Only in this topic.
    pub topic: Option<String>,
    /// When: the times that people are expected at. If there are none, the time from `from` to `to`.
    pub appointments: Vec<Appointment>,
    /// From this moment, Unix ms; by default from the channel's first entry.
    pub from: Option<Millis>,
    /// Up to (not including) this moment, Unix ms; by default to the channel's last effective time.
    pub to: Option<Millis>,
    /// People were expected at these times, so that they can be late or leave early.
    pub scheduled: bool,
    /// How much later than the begin, or earlier than the end, is in time, ms.
    pub grace_ms: Millis,
    /// Members with such metadata are left out: they are machines.
    pub without_meta: MetaFilter,
    /// The answer as of this recording time, Unix ms.
    pub known_at: Option<Millis>,
}

impl AttendanceFilter {
    /// The people in a time; nobody can be late or leave early.
    #[must_use]
    pub fn between(starts_at: Millis, ends_at: Millis) -> AttendanceFilter {
        AttendanceFilter {
            from: Some(starts_at),
            to: Some(ends_at),
            ..AttendanceFilter::default()
        }
    }

    /// The people at appointments.
    #[must_use]
    pub fn at(appointments: impl IntoIterator<Item = Appointment>) -> AttendanceFilter {
        AttendanceFilter {
            appointments: appointments.into_iter().collect(),
            scheduled: true,
            ..AttendanceFilter::default()
        }
    }

    /// Only in this topic. Default: in the whole channel.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// How much later than the begin, or earlier than the end, is in time, ms. Default: 0.
    #[must_use]
    pub fn grace_ms(mut self, ms: Millis) -> Self {
        self.grace_ms = ms;
        self
    }

    /// Members with such metadata are left out. Default: nobody is.
    #[must_use]
    pub fn without_meta(mut self, pattern: MetaFilter) -> Self {
        self.without_meta = pattern;
        self
    }

    /// The answer as of this recording time, Unix ms. Default: now.
    #[must_use]
    pub fn known_at(mut self, ms: Millis) -> Self {
        self.known_at = Some(ms);
        self
    }
}

impl Store {
    /// Who was in a channel at appointments, or may have been: a line for each, by appointment and then by user in
    /// bytewise order.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rollbook::Event;
    /// use rollbook::query::{Appointment, AttendanceFilter};
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// store.record(&[
    ///     Event::join("room", "chat", "tony").at(1_000),
    ///     Event::leave("room", "chat", "tony").at(4_000),
    /// ])?;
    /// let lesson = Appointment { starts_at: 0, ends_at: 4_000 };
    /// let people = store.attendance("room", &AttendanceFilter::at([lesson]))?;
    /// assert_eq!((people[0].presence.min_ms, people[0].min_share), (3_000, 0.75));
    /// assert_eq!((people[0].late, people[0].left_early), (Some(true), Some(false)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel; [`StoreError::PastRetention`] if the end of
    /// all appointments was pruned; [`StoreError::TooManyBuckets`] if there are too many lines.
    pub fn attendance(
        &self,
        channel: &str,
        filter: &AttendanceFilter,
    ) -> Result<Vec<Attendance>, StoreError> {
        let last = filter.appointments.iter().map(|it| it.ends_at).max();
        self.expect_end(last.or(filter.to))?;
        let whole;
        let appointments = match filter.appointments.as_slice() {
            [] => {
                whole = [self.whole_time(channel, filter)?];
                &whole
            }
            appointments => appointments,
        };
        let mut stays = self.stays(StayScope {
            channel: Some(channel.to_owned()),
            topic: filter.topic.clone(),
            without: filter.without_meta.clone(),
            known_at: filter.known_at,
            ..StayScope::default()
        })?;
        let times = AppointmentTimes::of(appointments);
        let mut union = StayUnion::new(Scale::Channel);
        let mut people = People::default();
        loop {
            let step = stays.step()?;
            union.take(step.as_ref(), stays.names());
            while let Some(stay) = union.pop() {
                let touched = times.touched_by(&stay);
                people.add(stay, touched);
                if people.lines() > PEOPLE_LINES_MAX {
                    return Err(StoreError::TooManyBuckets);
                }
            }
            if step.is_none() {
                break;
            }
        }
        let unwatched = self.unwatched(channel, filter.known_at)?;
        let mut answers: BTreeMap<TimeInterval, Vec<Attendance>> = BTreeMap::new();
        for (place, person) in people.each() {
            for interval in person.intervals() {
                let line = line(&place, &person, interval, &unwatched, filter);
                answers.entry(interval).or_default().push(line);
            }
        }
        Ok(answers.into_values().flatten().collect())
    }

    /// The time asked for, where there are no appointments.
    fn whole_time(
        &self,
        channel: &str,
        filter: &AttendanceFilter,
    ) -> Result<Appointment, StoreError> {
        let (first, last) =
            self.as_of_channel(channel, filter.known_at, None, |state, names| {
                let name = heard_of(channel, state, names)?;
                let known = state.channel(name);
                let first = known.map_or(0, |known| known.tally().first_at);
                Ok::<_, StoreError>((first, known.map_or(0, |known| known.effective_at())))
            })??;
        Ok(Appointment {
            starts_at: filter.from.unwrap_or(first),
            // The last moment belongs to it.
            ends_at: filter.to.unwrap_or(last.saturating_add(1)),
        })
    }

    /// The gaps of a channel, without those in which nothing was missed.
    fn unwatched(
        &self,
        channel: &str,
        known_at: Option<Millis>,
    ) -> Result<Vec<TimeInterval>, StoreError> {
        let gaps = self.gap_times(channel, known_at)?.into_iter();
        let gaps = gaps.map(|(from, to)| TimeInterval::new(from, to.unwrap_or(Millis::MAX)));
        Ok(gaps.collect())
    }
}

/// Appointments in the order of their begins.
struct AppointmentTimes {
    sorted: Vec<TimeInterval>,
    /// The longest of them, ms.
    longest: Millis,
}

impl AppointmentTimes {
    fn of(appointments: &[Appointment]) -> AppointmentTimes {
        let mut sorted: Vec<TimeInterval> = appointments.iter().map(|it| it.interval()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let longest = sorted.iter().filter_map(|it| it.length()).max();
        AppointmentTimes {
            sorted,
            longest: longest.unwrap_or_default(),
        }
    }

    /// Those that a stay may touch.
    fn touched_by(&self, stay: &UnitedStay) -> Vec<TimeInterval> {
        let around = stay
            .most
            .within(TimeInterval::ALL)
            .fold(stay.present, TimeInterval::hull);
        let earliest = around.from.saturating_sub(self.longest);
        let first = self.sorted.partition_point(|it| it.from < earliest);
        let begun = self.sorted.iter().skip(first);
        begun
            .take_while(|it| it.from <= around.to)
            .copied()
            .collect()
    }
}

fn line(
    place: &UserPlace,
    person: &PersonPresence,
    interval: TimeInterval,
    unwatched: &[TimeInterval],
    filter: &AttendanceFilter,
) -> Attendance {
    let presence = person.figures(interval);
    let (gaps, unwatched_ms) = unwatched_in(interval, unwatched);
    let judged = |verdict: Option<bool>| verdict.filter(|_| filter.scheduled);
    Attendance {
        channel: place.channel.clone(),
        user: place.user.clone(),
        starts_at: Time(interval.from),
        ends_at: Time(interval.to),
        expected: None,
        presence,
        min_share: share(presence.min_ms, interval),
        max_share: share(presence.max_ms.unwrap_or(Millis::MAX), interval),
        late: judged(late(person, interval, filter.grace_ms)),
        left_early: judged(left_early(person, interval, filter.grace_ms)),
        gaps,
        unwatched_ms,
    }
}

/// How many gaps there are in an interval, and how long they last in it.
fn unwatched_in(interval: TimeInterval, unwatched: &[TimeInterval]) -> (u64, Millis) {
    let (mut count, mut parts) = (0, IntervalSet::default());
    for part in unwatched.iter().map(|gap| gap.within(interval)) {
        count += u64::from(!part.is_empty());
        parts.insert(part);
    }
    (count, parts.length_within(interval).unwrap_or_default())
}

impl Attendance {
    /// The line of a user who was expected and of whom nothing is known. `gaps` are those of the channel.
    #[must_use]
    pub fn absent(channel: &str, user: &str, appointment: Appointment, gaps: &[Gap]) -> Attendance {
        let missed = gaps.iter().filter(|gap| !gap.resumed);
        let unwatched =
            missed.map(|gap| TimeInterval::new(gap.from.0, gap.to.map_or(Millis::MAX, |to| to.0)));
        let (gaps, unwatched_ms) =
            unwatched_in(appointment.interval(), &unwatched.collect::<Vec<_>>());
        Attendance {
            channel: channel.to_owned(),
            user: user.to_owned(),
            starts_at: Time(appointment.starts_at),
            ends_at: Time(appointment.ends_at),
            expected: Some(true),
            presence: PresenceFigures::NONE,
            min_share: 0.0,
            max_share: 0.0,
            late: None,
            left_early: None,
            gaps,
            unwatched_ms,
        }
    }
}

/// A part of an interval, to four places.
fn share(ms: Millis, whole: TimeInterval) -> f64 {
    /// Numbers of milliseconds are exact as floating-point numbers for 285,000 years.
    #[allow(clippy::cast_precision_loss)]
    fn exact(ms: Millis) -> f64 {
        ms as f64
    }
    let length = whole.length().unwrap_or_default().max(1);
    (exact(ms.min(length)) / exact(length) * 10_000.0).round() / 10_000.0
}

/// Whether a person came after the begin. Who was surely there in time is not late, and who cannot have been is.
fn late(person: &PersonPresence, interval: TimeInterval, grace_ms: Millis) -> Option<bool> {
    let in_time = interval.from.saturating_add(grace_ms);
    let sure = person.sure().within(interval).next();
    let most = person.most().within(interval).next();
    match (sure, most) {
        (Some(sure), _) if sure.from <= in_time => Some(false),
        (_, Some(most)) if most.from > in_time => Some(true),
        _ => None,
    }
}

/// Whether a person left before the end. Likewise; nobody knows it of one who is still there where the log ends.
fn left_early(person: &PersonPresence, interval: TimeInterval, grace_ms: Millis) -> Option<bool> {
    let in_time = interval.to.saturating_sub(grace_ms);
    let sure = person.sure().within(interval).next_back();
    let most = person.most().within(interval).next_back();
    match (sure, most) {
        (Some(sure), _) if sure.to >= in_time => Some(false),
        (_, Some(most)) if most.to < in_time && !person.goes_on(interval) => Some(true),
        _ => None,
    }
}
