//! How lines are read, recorded and stored: the options that `ingest`, `record`, `rejects --retry` and `serve` share.

use crate::cli::exit::{Exit, Failure};
use crate::cli::moment::{Fine, clock};
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::feed::{Settings, TimeUnit};
use crate::limits::{LATE_MS_MAX, NAME_BYTES_MAX, SECONDS_SUSPECTED_MS};
use crate::query::answer::Time;
use crate::query::time::Span;
use crate::store;
use clap::{Args, ValueEnum};

/// Parses the name of an observer or a user.
///
/// # Errors
/// What is wrong with it.
pub fn name(text: &str) -> Result<String, String> {
    if (1..=NAME_BYTES_MAX).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(format!("a name has 1 to {NAME_BYTES_MAX} bytes"))
    }
}

/// How lines are taken and kept.
#[derive(Debug, Args)]
pub struct WriteArgs {
    /// Lateness forgiven before an event or snapshot counts as stale, for sources that stamp snapshots later than
    /// they read them (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub skew_tolerance: Span,
    /// The source may drop or reorder single events: nothing about its channels is certain
    #[arg(long)]
    pub lossy_feed: bool,
    /// By how much windows begin earlier, for what a source may delay or debounce (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub slack: Span,
    /// How far a source's time may be ahead of the recording before it counts as missing (60000, 60s, 1m)
    #[arg(long, value_name = "MS", default_value = "60s")]
    pub max_ahead: Span,
    /// How long a source may take, after its link came up, to send what was missed as joins and leaves instead of a
    /// snapshot; 0: it never does (10000, 10s)
    #[arg(long, value_name = "MS", default_value = "10s")]
    pub resync: Span,
    /// What an acknowledged line survives
    #[arg(long, value_name = "LEVEL", default_value = "power")]
    pub durability: DurabilityArg,
    /// What a number counts where a line gives a time; RFC 3339 texts are taken as well
    #[arg(long, value_name = "UNIT", default_value = "ms")]
    pub time_unit: Unit,
    /// The presenceTimeout of the Agora clients: so late a presence event may tell of a time-out (300000, 300s, 5m)
    #[arg(long, value_name = "MS", default_value = "300s", value_parser = lateness)]
    pub presence_timeout: Span,
    /// The interval of Agora's interval mode: so late it may tell of anything (30000, 30s)
    #[arg(long, value_name = "MS", default_value = "30s", value_parser = lateness)]
    pub presence_interval: Span,
    /// How long Agora holds the leaves of presence events back (2000, 2s)
    #[arg(long, value_name = "MS", default_value = "2s", value_parser = lateness)]
    pub presence_debounce: Span,
}

/// What a number counts where a line gives a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Seconds since 1970
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
}

impl Unit {
    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Unit::S => "s",
            Unit::Ms => "ms",
            Unit::Us => "us",
        }
    }
}

fn lateness(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span.0 > LATE_MS_MAX {
        return Err("nothing is reported later than a year".to_owned());
    }
    Ok(span)
}

/// What an acknowledged line survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// A power cut
    Power,
    /// The end of the process
    Process,
    /// Nothing for sure: written when convenient
    None,
}

impl WriteArgs {
    /// The rules for recording events.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            skew_tolerance_ms: self.skew_tolerance.0,
            max_ahead_ms: self.max_ahead.0,
            slack_ms: self.slack.0,
            lossy: self.lossy_feed,
            resync_ms: self.resync.0,
        }
    }

    /// The settings for parsing lines.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            time_unit: match self.time_unit {
                Unit::S => TimeUnit::Seconds,
                Unit::Ms => TimeUnit::Millis,
                Unit::Us => TimeUnit::Micros,
            },
            presence_timeout_ms: self.presence_timeout.0,
            presence_interval_ms: self.presence_interval.0,
            presence_debounce_ms: self.presence_debounce.0,
        }
    }

    /// Checks that the settings are the defaults, for lines that are forwarded without being parsed here.
    ///
    /// # Errors
    /// When an option changed a setting.
    pub fn no_settings(&self) -> Result<(), Failure> {
        if self.settings() == Settings::USUAL {
            return Ok(());
        }
        let what = "--time-unit and --presence-… say how lines are read, and with --to-url the other server reads them";
        Err(Failure::new(Exit::Usage, what).hint("give them to its `rollbook serve`"))
    }

    /// A warning for a run whose latest time is `latest`: if that is before 1973, the unit of the times may be wrong.
    #[must_use]
    pub fn doubt_of_times(&self, latest: Option<Millis>) -> Option<String> {
        let latest = latest.filter(|&ms| ms < SECONDS_SUSPECTED_MS && ms != 0)?;
        let more = match self.time_unit {
            Unit::S => return None,
            Unit::Ms => "if they count seconds, say --time-unit s",
            Unit::Us => "if they count milliseconds, leave --time-unit away",
        };
        Some(format!(
            "all times lie before 1973, the latest at {}: {more}",
            clock(Time(latest), None, Fine::Millis)
        ))
    }

    /// What an acknowledged line survives.
    #[must_use]
    pub fn durability(&self) -> store::Durability {
        self.durability.into()
    }
}

impl From<DurabilityArg> for store::Durability {
    fn from(durability: DurabilityArg) -> Self {
        match durability {
            DurabilityArg::Power => store::Durability::Power,
            DurabilityArg::Process => store::Durability::Process,
            DurabilityArg::None => store::Durability::None,
        }
    }
}
