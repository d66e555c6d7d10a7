//! `attendance`: who was there at a time, or at the appointments of a schedule. A schedule is read here; the store, or the
//! server, is asked about its appointments alone, so both give the same answer.

use super::now;
use crate::cli::answers::{QueryBackend, ZONE_HINT, typed};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::output::Output;
use crate::cli::schedule::{self, Schedule, ScheduleClock, ScheduleProblem};
use crate::cli::tables::AttendanceTable;
use crate::domain::time::Millis;
use crate::limits::APPOINTMENTS_MAX;
use crate::query::answer::{Attendance, Gap};
use crate::query::params::{AttendanceParams, ChannelParams};
use crate::query::time::{Span, When};
use crate::query::{Appointment, Appointments, MetaFilter};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `attendance`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook attendance studio-7 --zone Europe/Berlin --from \"2026-05-14 21:00\" --to \"2026-05-14 22:30\"
  rollbook attendance studio-7 --zone Europe/Berlin --schedule lessons.csv --grace 5m
  rollbook attendance studio-7 --zone Europe/Berlin --from yesterday --to today --without-meta role=bot --format csv
", after_help = "A schedule is a CSV file whose first line names its columns: starts_at and ends_at, and if need be user (a line for \
each who is expected) and channel. Their times are written as everywhere. Those who were expected and did not come have a line, too. \
Times at least count only what is sure, times at most all that is possible: `rollbook schema attendance` has every column.")]
pub struct AttendanceArgs {
    /// The channel
    pub channel: String,
    /// From this moment; with a schedule, only appointments that begin at it or later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("From this moment; with a schedule, only appointments that begin at it or later"))]
    pub from: Option<When>,
    /// Up to this moment; with a schedule, only appointments that begin before it
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Appointments, from a CSV file: who was late, who left early, who did not come
    #[arg(long, value_name = "FILE.csv")]
    pub schedule: Option<PathBuf>,
    /// How much later than the begin, or earlier than the end, is in time (5m)
    #[arg(long, value_name = "SPAN", default_value = "0s")]
    pub grace: Span,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// Leave out machines: members with such metadata (role=bot), several with commas between them
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub without_meta: Option<MetaFilter>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &AttendanceArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = AttendanceParams {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        from: args.from,
        to: args.to,
        appointments: Appointments::default(),
        grace: Some(args.grace),
        without_meta: args.without_meta.clone(),
        known_at: args.known_at,
        zone: everywhere.zone,
    };
    let schedule = args.schedule(everywhere)?;
    let mut list = output.list(AttendanceTable::new(&args.channel, everywhere.zone));
    let backend = QueryBackend::of(everywhere)?;
    match schedule {
        None => backend.each(&question, |line| list.row(line))?,
        Some(schedule) => {
            for line in scheduled(&backend, question, &schedule)? {
                list.row(&line)?;
            }
        }
    }
    list.finish()
}

impl AttendanceArgs {
    /// The appointments of the schedule that are asked for.
    fn schedule(&self, everywhere: &GlobalArgs) -> Result<Option<Schedule>, Failure> {
        let Some(path) = &self.schedule else {
            return Ok(None);
        };
        let clock = ScheduleClock {
            now: now(),
            zone: everywhere.zone,
        };
        let bound = |name, time| typed(name, time, clock.now, clock.zone);
        let (from, to) = (bound("from", self.from)?, bound("to", self.to)?);
        let mut schedule = schedule::read(path, &self.channel, clock).map_err(|error| {
            let failure = Failure::new(Exit::Failed, error.to_string());
            match error.what {
                ScheduleProblem::NoZone(..) => failure.hint(ZONE_HINT),
                _ => failure,
            }
        })?;
        let asked =
            |begin: Millis| from.is_none_or(|from| begin >= from) && to.is_none_or(|to| begin < to);
        schedule.retain(|appointment, _| asked(appointment.starts_at));
        Ok(Some(schedule))
    }
}

/// The lines of a schedule: of all who came, and of those who were expected.
fn scheduled(
    backend: &QueryBackend<'_>,
    mut question: AttendanceParams,
    schedule: &Schedule,
) -> Result<Vec<Attendance>, Failure> {
    let mut gaps: Vec<Gap> = Vec::new();
    let channel = question.channel.clone();
    backend.each(&ChannelParams { channel }, |gap| {
        gaps.push(gap.clone());
        Ok(())
    })?;
    let mut lines: BTreeMap<(Appointment, String), Attendance> = BTreeMap::new();
    for (appointment, expected) in schedule {
        for user in &expected.users {
            let absent = Attendance::absent(&question.channel, user, *appointment, &gaps);
            lines.insert((*appointment, user.clone()), absent);
        }
    }
    let appointments: Vec<Appointment> = schedule.keys().copied().collect();
    (question.from, question.to) = (None, None);
    for some in appointments.chunks(APPOINTMENTS_MAX) {
        question.appointments = Appointments(some.to_vec());
        backend.each(&question, |line| {
            let appointment = Appointment {
                starts_at: line.starts_at.0,
                ends_at: line.ends_at.0,
            };
            let expected = schedule.get(&appointment);
            let mut line = line.clone();
            line.expected = expected.and_then(|expected| {
                let named = expected.users.contains(&line.user);
                (named || !expected.anybody).then_some(named)
            });
            lines.insert((appointment, line.user.clone()), line);
            Ok(())
        })?;
    }
    Ok(lines.into_values().collect())
}
