//! `stats`: how many, at most, how long.

use super::picture::PictureArgs;
use crate::cli::answers::{QueryBackend, UsersQuestion};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::moment::WallClock;
use crate::cli::output::Output;
use crate::cli::svg;
use crate::cli::tables::{StatsTable, UsersTable};
use crate::cli::timeline::series::PeakCharts;
use crate::limits::STATS_CHARTS_MAX;
use crate::query::params::{ByParam, StatsParams};
use crate::query::time::{Span, When};
use clap::{Args, ValueEnum};
use std::path::Path;

/// `stats`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook stats studio-7
  rollbook stats studio-7 --topic chat --from -24h --every 1h
  rollbook stats studio-7 --by user --every 1d --zone Europe/Berlin
  rollbook stats studio-7 --every 15m --svg evening.svg
  rollbook stats --format csv > figures.csv
")]
pub struct StatsArgs {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// From this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("From this moment"))]
    pub from: Option<When>,
    /// Up to this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// A line for each such stretch (90s, 15m, 1h, 1d); with --zone a day is a local day
    #[arg(long, value_name = "SPAN", value_parser = stretch)]
    pub every: Option<Span>,
    /// The presence of each user, in place of the figures of all: first in, last out, how long at least and at most
    #[arg(long, value_name = "WHOM")]
    pub by: Option<ByArg>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
    /// Where a picture goes: of how many were present in each stretch
    #[command(flatten)]
    pub picture: PictureArgs,
}

/// Whose figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ByArg {
    /// Those of each user
    User,
}

/// Parses a span of at least 1 ms.
fn stretch(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span.0 > 0 {
        Ok(span)
    } else {
        Err("a stretch lasts 1ms at least".to_owned())
    }
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &StatsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = StatsParams {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        from: args.from,
        to: args.to,
        every: args.every,
        by: args.by.map(|ByArg::User| ByParam::User),
        known_at: args.known_at,
        zone: everywhere.zone,
    };
    if let Some(file) = &args.picture.svg {
        return draw(everywhere, args, &question, file);
    }
    let (one_channel, series) = (args.channel.is_some(), args.every.is_some());
    if args.by.is_some() {
        let mut list = output.list(UsersTable::new(one_channel, series, everywhere.zone));
        let question = UsersQuestion(question);
        QueryBackend::of(everywhere)?.each(&question, |line| list.row(line))?;
        return list.finish();
    }
    let mut list = output.list(StatsTable::new(one_channel, series, everywhere.zone));
    QueryBackend::of(everywhere)?.each(&question, |line| list.row(line))?;
    list.finish()
}

/// Draws how many were present in each stretch.
fn draw(
    everywhere: &GlobalArgs,
    args: &StatsArgs,
    question: &StatsParams,
    file: &Path,
) -> Result<(), Failure> {
    let Some(every) = args.every.filter(|_| args.by.is_none()) else {
        let failure = Failure::new(Exit::Usage, "--svg draws a series of the figures of all");
        return Err(failure.hint("--every 15m names the stretches; --by user has no picture"));
    };
    let mut charts = PeakCharts::new(STATS_CHARTS_MAX);
    QueryBackend::of(everywhere)?.each(question, |row| {
        charts.add(row);
        Ok(())
    })?;
    let title = args.channel.as_deref().unwrap_or("all channels");
    let wall = WallClock(everywhere.zone);
    let picture = svg::peaks(title, every.0, &mut charts, wall);
    args.picture.write(file, &everywhere.data, &picture)
}
