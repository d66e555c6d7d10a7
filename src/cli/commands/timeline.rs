//! `timeline`: the stays of a channel as lanes. It asks what others ask: `missed` for the gaps, `sessions` for the lanes,
//! and `who` for each column.

use super::now;
use super::picture::PictureArgs;
use crate::cli::answers::{QueryBackend, typed};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::moment::WallClock;
use crate::cli::output::{Output, OutputFormat};
use crate::cli::svg;
use crate::cli::tables::{self, LaneLabels};
use crate::cli::text::name;
use crate::cli::timeline::lanes::{LaneKey, Lanes};
use crate::cli::timeline::span::TimelineSpan;
use crate::domain::time::Millis;
use crate::limits::{TIMELINE_COLUMNS_MAX, TIMELINE_LANES_MAX};
use crate::query::answer::Missed;
use crate::query::calendar::Zone;
use crate::query::params::{MissedParams, SessionsParams, WhoParams};
use crate::query::time::When;
use clap::Args;
use std::collections::BTreeSet;

/// `timeline`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook timeline studio-7
  rollbook timeline studio-7 --from -2h --topic chat
  rollbook timeline studio-7 --svg evening.svg
  rollbook timeline studio-7 --zone Europe/Berlin --from \"2026-05-14 22:30\" --to \"2026-05-14 23:00\"
  rollbook sessions studio-7 --format csv              the same stays, as data
", after_help = "A lane is a member, a character a piece of time. It shows what `who --at` answers for the middle of that piece: \
certain, assumed or possible. It is a picture in every --format; `sessions`, `gaps` and `who` give the data.")]
pub struct TimelineArgs {
    /// The channel
    pub channel: String,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// Only this user
    #[arg(long, allow_hyphen_values = true)]
    pub user: Option<String>,
    /// From this moment; by default from the first stay
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("From this moment; by default from the first stay"))]
    pub from: Option<When>,
    /// Up to this moment; by default up to the last that is known
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
    /// Where a picture goes
    #[command(flatten)]
    pub picture: PictureArgs,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &TimelineArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let wall = WallClock(everywhere.zone);
    let svg = args.picture.svg.as_deref();
    if svg.is_none() && !matches!(everywhere.format, None | Some(OutputFormat::Table)) {
        let failure = Failure::new(
            Exit::Usage,
            "a timeline is a picture and has no other format",
        );
        return Err(
            failure.hint("`rollbook sessions CHANNEL --format csv` writes the stays that it shows")
        );
    }
    let asked = LaneQuestions::new(everywhere, args)?;
    let Some(found) = asked.found()? else {
        let channel = name(&args.channel);
        return output
            .picture(|sink, _| writeln!(sink, "{channel} · nobody is known to have been there"));
    };
    if let Some(file) = svg {
        let lanes = asked.lanes(&found, TIMELINE_COLUMNS_MAX)?;
        let picture = svg::lanes(&args.channel, &lanes, wall);
        return args.picture.write(file, &everywhere.data, &picture);
    }
    let (labels, columns) = found.labels.fit(&output.style());
    let lanes = asked.lanes(&found, columns)?;
    output.picture(|sink, view| tables::timeline(sink, view, (&args.channel, &lanes, labels, wall)))
}

/// The questions of which lanes are made.
struct LaneQuestions<'a> {
    backend: QueryBackend<'a>,
    args: &'a TimelineArgs,
    zone: Option<Zone>,
    from: Option<Millis>,
    to: Option<Millis>,
}

/// What must be known before lanes can be drawn.
struct LanesFound {
    from: Millis,
    to: Millis,
    labels: LaneLabels,
    gaps: Vec<Missed>,
}

impl<'a> LaneQuestions<'a> {
    fn new(everywhere: &'a GlobalArgs, args: &'a TimelineArgs) -> Result<Self, Failure> {
        let (now, zone) = (now(), everywhere.zone);
        Ok(LaneQuestions {
            backend: QueryBackend::of(everywhere)?,
            args,
            zone,
            from: typed("from", args.from, now, zone)?,
            to: typed("to", args.to, now, zone)?,
        })
    }

    /// The time to draw, and who is in it; `None` if nobody is.
    fn found(&self) -> Result<Option<LanesFound>, Failure> {
        let mut known: Option<(Millis, Millis)> = None;
        let mut extend = |from: Millis, to: Millis| {
            let (first, last) = known.unwrap_or((from, to));
            known = Some((first.min(from), last.max(to)));
        };
        let mut gaps = Vec::new();
        self.backend.each(&self.missed(), |gap| {
            extend(gap.from.0, gap.to.map_or(gap.from.0, |to| to.0));
            let people = [Vec::new(), Vec::new(), Vec::new()];
            let mut gap = gap.clone();
            [gap.joined, gap.left, gap.updated] = people;
            gaps.push(gap);
            Ok(())
        })?;
        let mut members: BTreeSet<LaneKey> = BTreeSet::new();
        self.backend.each(&self.sessions(self.from), |stay| {
            let begin = stay.joined_not_before.unwrap_or(stay.joined_at).0;
            extend(begin, stay.left_at.unwrap_or(stay.joined_at).0);
            members.insert(LaneKey::of(stay));
            if members.len() > TIMELINE_LANES_MAX {
                members.pop_last();
            }
            Ok(())
        })?;
        if members.is_empty() {
            return Ok(None);
        }
        self.backend.each(&self.who(None), |who| {
            if let Some(proof) = who.last_proof {
                extend(proof.0, proof.0);
            }
            Ok(())
        })?;
        let mut labels = LaneLabels::default();
        members.iter().for_each(|member| labels.add(member));
        let (first, last) = known.unwrap_or_default();
        // Nothing can be asked about what was pruned.
        let from = self
            .from
            .unwrap_or(first)
            .max(self.backend.retained().unwrap_or(Millis::MIN));
        // The last moment is shown, too.
        let to = self
            .to
            .unwrap_or_else(|| last.saturating_add(1).max(from.saturating_add(1)));
        Ok(Some(LanesFound {
            from,
            to,
            labels,
            gaps,
        }))
    }

    fn lanes(&self, found: &LanesFound, columns: usize) -> Result<Lanes, Failure> {
        let columns = columns.min(TIMELINE_COLUMNS_MAX);
        let span = TimelineSpan::new(found.from, found.to, columns)
            .ok_or_else(|| Failure::new(Exit::Usage, "to: not behind from"))?;
        let mut lanes = Lanes::new(span, self.args.user.as_deref());
        found.gaps.iter().for_each(|gap| lanes.gap(gap));
        self.backend
            .each(&self.sessions(Some(found.from)), |stay| {
                lanes.stay(stay);
                Ok(())
            })?;
        for column in 0..span.columns() {
            self.backend
                .each(&self.who(Some(span.middle(column))), |who| {
                    lanes.who(column, who);
                    Ok(())
                })?;
        }
        Ok(lanes)
    }

    fn missed(&self) -> MissedParams {
        MissedParams {
            channel: self.args.channel.clone(),
            since: self.from.map(When::At),
            known_at: self.args.known_at,
            zone: self.zone,
            ..MissedParams::default()
        }
    }

    fn sessions(&self, from: Option<Millis>) -> SessionsParams {
        SessionsParams {
            channel: Some(self.args.channel.clone()),
            topic: self.args.topic.clone(),
            user: self.args.user.clone(),
            from: from.map(When::At),
            to: self.to.map(When::At),
            known_at: self.args.known_at,
            zone: self.zone,
            ..SessionsParams::default()
        }
    }

    fn who(&self, at: Option<Millis>) -> WhoParams {
        WhoParams {
            channel: self.args.channel.clone(),
            topic: self.args.topic.clone(),
            at: at.map(When::At),
            known_at: self.args.known_at,
            zone: self.zone,
            ..WhoParams::default()
        }
    }
}
