//! Metrics for Prometheus, in the OpenMetrics text format. The store's threads update the counters as they work;
//! gauges are read on each request. `exposition` has the other format.

use super::api_error::ApiError;
use super::events::SampledEvents;
use super::process::{DiskFigures, ProcessFigures};
use super::refusal::TokenRefusal;
use crate::domain::time::Millis;
use crate::store::{Gauges, LineCounts, Meter, RefusedLine, StoreError, Unsealed};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A label and its value.
type Label = [(&'static str, &'static str); 1];
/// The labels of an answer: its route and its code.
type AnswerLabels = [(&'static str, String); 2];

/// All metrics.
pub struct Metrics {
    registry: Registry,
    appended: Counter,
    inferred: Family<Label, Counter>,
    rejected: Counter,
    forbidden: Counter,
    retries: Counter,
    stale: Counter,
    collected: Counter,
    reconcile: Histogram,
    sync: Histogram,
    batch: Histogram,
    checkpoints_failed: Counter,
    answers: Family<AnswerLabels, Counter>,
    refusals: Family<Label, Counter>,
    standing: StoreGauges,
    events: SampledEvents,
    /// Subscribers that were closed for being too slow.
    pub too_slow: Counter,
}

/// The gauges: the current state.
#[derive(Default)]
struct StoreGauges {
    head: Gauge,
    queue: Gauge,
    bytes: Gauge,
    channels: Gauge,
    present: Gauge,
    gaps: Gauge,
    resyncs: Gauge,
    observers: Gauge,
    connected: Gauge,
    subscribers: Gauge,
    lag: Gauge,
    clients: Gauge,
    poisoned: Gauge,
}

impl Metrics {
    /// Creates metrics at zero. They are also the [`Meter`] of the served store.
    #[must_use]
    pub fn new() -> Arc<Metrics> {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("rollbook"),
            appended: Counter::default(),
            inferred: Family::default(),
            rejected: Counter::default(),
            forbidden: Counter::default(),
            retries: Counter::default(),
            stale: Counter::default(),
            collected: Counter::default(),
            reconcile: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            sync: Histogram::new(exponential_buckets(0.000_02, 2.0, 16)),
            batch: Histogram::new(exponential_buckets(1.0, 4.0, 9)),
            checkpoints_failed: Counter::default(),
            answers: Family::default(),
            refusals: Family::default(),
            standing: StoreGauges::default(),
            events: SampledEvents::default(),
            too_slow: Counter::default(),
        };
        metrics.register();
        Arc::new(metrics)
    }

    /// Registers all metrics, in the order in which they are shown.
    fn register(&mut self) {
        self.register_counters();
        self.register_histograms();
        self.standing.register(&mut self.registry);
    }

    fn register_counters(&mut self) {
        let all = &mut self.registry;
        all.register(
            "entries_appended",
            "Entries appended to the log",
            self.appended.clone(),
        );
        all.register(
            "entries_inferred",
            "Entries inferred, by kind",
            self.inferred.clone(),
        );
        all.register(
            "entries_stale",
            "Entries recorded as stale",
            self.stale.clone(),
        );
        all.register(
            "entries_collected",
            "Differences that sources sent after a lost link",
            self.collected.clone(),
        );
        all.register(
            "lines_rejected",
            "Lines that could not be taken",
            self.rejected.clone(),
        );
        all.register(
            "lines_forbidden",
            "Lines that a token did not allow",
            self.forbidden.clone(),
        );
        all.register(
            "checkpoints_failed",
            "Checkpoints that could not be saved; nothing is lost by it",
            self.checkpoints_failed.clone(),
        );
        all.register(
            "lines_retried",
            "Lines known by their id",
            self.retries.clone(),
        );
        all.register(
            "subscribers_too_slow",
            "Subscribers closed with 4408",
            self.too_slow.clone(),
        );
        all.register(
            "requests",
            "Requests that were answered, by route and HTTP status",
            self.answers.clone(),
        );
        all.register(
            "tokens_refused",
            "Tokens that did not let a request in, by reason",
            self.refusals.clone(),
        );
        for word in TokenRefusal::WORDS {
            // From the start, so that the first one is an increase.
            drop(self.refusals.get_or_create(&[("reason", word)]));
        }
        let build = Family::<Label, Gauge>::default();
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        build.get_or_create(&version).set(1);
        all.register("build_info", "The version of the program", build);
    }

    fn register_histograms(&mut self) {
        let all = &mut self.registry;
        let (reconcile, sync) = (self.reconcile.clone(), self.sync.clone());
        let seconds = || Unit::Seconds;
        all.register_with_unit(
            "reconcile",
            "How long a snapshot took",
            seconds(),
            reconcile,
        );
        all.register_with_unit("sync", "How long a sync took", seconds(), sync);
        all.register(
            "sync_entries",
            "Entries that one sync made durable",
            self.batch.clone(),
        );
    }

    /// A request was answered.
    pub(super) fn answered(&self, route: &'static str, status: u16) {
        let labels = [("route", route.to_owned()), ("code", status.to_string())];
        self.answers.get_or_create(&labels).inc();
    }

    /// A token was refused.
    pub(super) fn refused(&self, why: TokenRefusal, route: &'static str, address: Option<IpAddr>) {
        self.refusals.get_or_create(&[("reason", why.word())]).inc();
        self.events.refused(why, route, address);
    }

    /// All figures, as Prometheus reads them.
    ///
    /// # Errors
    /// [`ApiError::Failed`], which does not happen: text can always be written.
    pub(super) fn text(&self, gauges: &Gauges, live: &LiveFigures) -> Result<String, ApiError> {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        let of = &self.standing;
        for (gauge, value) in [
            (&of.head, gauges.head),
            (&of.queue, gauges.waiting),
            (&of.bytes, gauges.bytes),
            (&of.channels, gauges.channels),
            (&of.present, gauges.present),
            (&of.gaps, gauges.gaps_open),
            (&of.resyncs, gauges.resyncs_open),
            (&of.observers, gauges.observers),
            (&of.connected, gauges.connected),
            (&of.subscribers, live.subscribers),
            (&of.lag, live.lag),
            (&of.clients, live.clients),
            (&of.poisoned, u64::from(live.poisoned)),
        ] {
            set(gauge, value);
        }
        let mut text = String::new();
        let encoded = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &live.registry()))
            .and_then(|()| encode_eof(&mut text));
        encoded.map_err(|error| ApiError::Failed(error.to_string()))?;
        Ok(text)
    }
}

impl StoreGauges {
    fn register(&self, all: &mut Registry) {
        for (name, help, gauge) in [
            ("head_seq", "The last durable entry", &self.head),
            ("queue_lines", "Lines that wait for the writer", &self.queue),
            ("store_bytes", "Bytes of the store's files", &self.bytes),
            ("channels", "Channels heard of", &self.channels),
            (
                "members_present",
                "Members present in all channels",
                &self.present,
            ),
            ("gaps_open", "Gaps that are open", &self.gaps),
            (
                "resyncs_open",
                "Channels of which a source is sending what was missed as differences",
                &self.resyncs,
            ),
            ("observers", "Observers heard of", &self.observers),
            (
                "observers_connected",
                "Observers with an ingest connection",
                &self.connected,
            ),
            (
                "subscribers",
                "Subscribers that follow new entries",
                &self.subscribers,
            ),
            (
                "subscriber_lag_entries",
                "Entries that the subscriber furthest behind has not taken, at most",
                &self.lag,
            ),
            (
                "socket_clients",
                "Clients that have sockets or streams open",
                &self.clients,
            ),
            (
                "writer_poisoned",
                "1 where an earlier write failed and nothing more is written",
                &self.poisoned,
            ),
        ] {
            all.register(name, help, gauge.clone());
        }
    }
}

/// Figures of the server that the store does not have.
pub struct LiveFigures {
    /// Subscribers that follow the log live.
    pub subscribers: u64,
    /// Entries that the slowest of them has not taken.
    pub lag: u64,
    /// Clients that have a socket or a stream.
    pub clients: u64,
    /// An earlier write failed, and nothing more is written.
    pub poisoned: bool,
    /// What is in no sealed block.
    pub unsealed: Unsealed,
    /// When the last backup was handed over, Unix ms.
    pub last_backup: Option<Millis>,
    /// Figures of the process.
    pub process: ProcessFigures,
    /// Figures of the disk with the store, if it is on one.
    pub disk: Option<DiskFigures>,
}

/// A time as metrics have it, Unix s.
fn seconds(at: Millis) -> f64 {
    // Times have fewer digits than lose precision.
    #[allow(clippy::cast_precision_loss)]
    let ms = at as f64;
    ms / 1_000.0
}

impl LiveFigures {
    /// The figures that there are on this system, and in this store.
    fn registry(&self) -> Registry {
        let mut all = Registry::default();
        let process = &self.process;
        all.register(
            "process_cpu_seconds",
            "Processor time used, in seconds",
            ConstCounter::new(process.cpu_seconds),
        );
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Memory held, in bytes",
                process.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Address space, in bytes",
                process.virtual_bytes,
            ),
            (
                "process_open_fds",
                "Open files and sockets",
                process.open_files,
            ),
            (
                "process_max_fds",
                "Files and sockets that may be open",
                process.open_files_max,
            ),
            (
                "rollbook_disk_free_bytes",
                "What may still be written on the disk with the store, in bytes",
                self.disk.map(|disk| disk.free_bytes),
            ),
            (
                "rollbook_disk_bytes",
                "The disk with the store, in bytes",
                self.disk.map(|disk| disk.bytes),
            ),
            (
                "rollbook_unsealed_entries",
                "Entries that are in no sealed block",
                Some(self.unsealed.entries),
            ),
        ] {
            if let Some(value) = value {
                all.register(name, help, ConstGauge::new(value));
            }
        }
        self.register_moments(&mut all);
        all
    }

    fn register_moments(&self, all: &mut Registry) {
        for (name, help, value) in [
            (
                "process_start_time_seconds",
                "When the process began, in Unix seconds",
                self.process.started_at,
            ),
            (
                "rollbook_oldest_unsealed_timestamp_seconds",
                "When the oldest entry that is in no sealed block was recorded, in Unix seconds",
                self.unsealed.oldest.map(seconds),
            ),
            (
                "rollbook_last_backup_timestamp_seconds",
                "When the last backup was handed over whole, in Unix seconds",
                self.last_backup.map(seconds),
            ),
        ] {
            if let Some(value) = value {
                all.register(name, help, ConstGauge::new(value));
            }
        }
    }
}

impl Meter for Metrics {
    fn committed(&self, tally: &LineCounts) {
        self.appended.inc_by(tally.entries);
        self.rejected.inc_by(tally.rejected);
        self.forbidden.inc_by(tally.forbidden);
        self.retries.inc_by(tally.retries);
        self.stale.inc_by(tally.stale);
        self.collected.inc_by(tally.collected);
        for (kind, count) in [
            ("join", tally.inferred_joins),
            ("leave", tally.inferred_leaves),
            ("update", tally.inferred_updates),
        ] {
            self.inferred.get_or_create(&[("kind", kind)]).inc_by(count);
        }
    }

    fn synced(&self, took: Duration, entries: u64) {
        self.sync.observe(took.as_secs_f64());
        // A count of entries is never large enough to lose precision.
        #[allow(clippy::cast_precision_loss)]
        self.batch.observe(entries as f64);
    }

    fn reconciled(&self, took: Duration) {
        self.reconcile.observe(took.as_secs_f64());
    }

    fn refused(&self, rejected: &[RefusedLine], forbidden: &[RefusedLine]) {
        self.events.rejected(rejected);
        self.events.forbidden(forbidden);
    }

    fn write_failed(&self, reason: &str) {
        tracing::error!(event = "write_failed", "nothing more is written: {reason}");
    }

    fn sealed(&self, entries: u64, up_to: u64) {
        tracing::info!(
            event = "sealed",
            entries,
            up_to,
            "{entries} entries are sealed into a block"
        );
    }

    fn pruned(&self, entries: u64, bytes: u64) {
        tracing::info!(
            event = "pruned",
            entries,
            bytes,
            "{entries} entries are pruned"
        );
    }

    fn sealing_failed(&self, error: &StoreError) {
        tracing::warn!(
            event = "sealing_failed",
            "older entries could not be sealed into a block, or pruned; they stay as they are: {error}"
        );
    }

    fn checkpoint_failed(&self, error: &StoreError) {
        self.checkpoints_failed.inc();
        tracing::warn!(
            event = "checkpoint_failed",
            "a checkpoint could not be saved; nothing is lost: {error}"
        );
    }
}
