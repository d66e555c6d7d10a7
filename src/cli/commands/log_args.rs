//! The operator's log of the commands that run for long: its options, and its lines on standard error, one an event.
//!
//! Only this program's events are written, whatever `RUST_LOG` says: those of its libraries have details of requests that
//! must stay private, such as addresses with tokens.

use super::now;
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::{Importance, log_with};
use crate::cli::text::shown;
use crate::query::answer::Time;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::fmt::{Debug, Write as _};
use std::io::Write;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// How the log is written.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// How the log on standard error is written, a line an event. RUST_LOG says which events (`debug`,
    /// `rollbook::server=debug,warn`)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// A form of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: time, level, event, what happened
    Text,
    /// For programs: a JSON object
    Json,
}

/// This program's events.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// The events that are written: of `RUST_LOG`, or by the number of `--verbose`.
///
/// # Errors
/// When `RUST_LOG` cannot be understood.
pub fn filter(verbose: u8) -> Result<Targets, Failure> {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    if asked.trim().is_empty() {
        return Ok(Targets::new().with_target(OWN, level));
    }
    let asked: Targets = asked.parse().map_err(|error| {
        let what = format!("RUST_LOG: {error}");
        Failure::new(Exit::Usage, what)
            .hint("write a level, or targets with levels: info, rollbook::server=debug,warn")
    })?;
    let usual = asked.default_level().unwrap_or(LevelFilter::OFF);
    let own = asked.iter().filter(|(target, _)| target.starts_with(OWN));
    Ok(Targets::new().with_target(OWN, usual).with_targets(own))
}

/// Starts the log. From now on all that is said on standard error is a line of it.
///
/// # Errors
/// When `RUST_LOG` cannot be understood.
pub fn start(format: LogFormat, verbose: u8) -> Result<(), Failure> {
    let started = tracing_subscriber::registry()
        .with(LogLines(format).with_filter(filter(verbose)?))
        .try_init();
    // A subscriber that is already installed stays, and says nothing of this program.
    if started.is_ok() {
        log_with(|importance, line| match importance {
            Importance::Notice => tracing::warn!(event = "notice", "{line}"),
            Importance::Failure => tracing::error!(event = "failed", "{line}"),
        });
    }
    Ok(())
}

/// Writes events.
struct LogLines(LogFormat);

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = LogFields::default();
        event.record(&mut fields);
        let (at, level) = (Time(now()), event.metadata().level());
        let mut line = match self.0 {
            LogFormat::Text => fields.text(&format!("{at} {level:<5}")),
            LogFormat::Json => {
                let target = event.metadata().target();
                fields.json([
                    ("time", at.to_string()),
                    ("level", level.to_string()),
                    ("target", target.to_owned()),
                ])
            }
        };
        line.push('\n');
        // Whole lines, also where threads write at once. If standard error is closed, the line is lost.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

/// The fields of an event.
#[derive(Default)]
struct LogFields {
    event: Option<String>,
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl LogFields {
    /// What the message says already is not written again.
    fn text(&self, begin: &str) -> String {
        let mut line = format!("{begin} ");
        if let Some(event) = &self.event {
            line.push_str(event);
            line.push_str(": ");
        }
        line.push_str(&shown(&self.message));
        for (name, value) in &self.others {
            let value = match value {
                Value::String(text) => shown(text).into_owned(),
                other => other.to_string(),
            };
            let is_nothing = (*name == "left_out" && value == "0") || value.is_empty();
            if is_nothing || self.message.contains(&value) {
                continue;
            }
            // Writing to a string cannot fail.
            let _ = match value.contains([' ', '=']) {
                true => write!(line, " {name}={value:?}"),
                false => write!(line, " {name}={value}"),
            };
        }
        line
    }

    fn json(self, begin: [(&str, String); 3]) -> String {
        let mut object = Map::new();
        for (name, value) in begin {
            object.insert(name.to_owned(), value.into());
        }
        if let Some(event) = self.event {
            object.insert("event".to_owned(), event.into());
        }
        object.insert("message".to_owned(), self.message.into());
        for (name, value) in self.others {
            object.insert(name.to_owned(), value);
        }
        Value::Object(object).to_string()
    }

    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("event", Value::String(text)) => self.event = Some(text),
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for LogFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }
}
