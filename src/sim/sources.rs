//! Shared parts of mixes: base sources that mixes vary, and rules for ingesting them.

use super::mix::{Events, FeedShape, LinkKind, Reconnection, SourceModel, Stamps};
use super::presence;
use crate::domain::entry::Rules;
use crate::domain::time::Millis;

pub(super) const STEADY: SourceModel = SourceModel {
    shape: FeedShape::Either,
    events: Events::Topics,
    observers: 1,
    channels: 0,
    link: LinkKind::Steady,
    stamps: Stamps::Times,
    grain_ms: 1,
    pace_ms: 400,
    connections: false,
    notice_ms: 0,
    stamped_late_ms: 0,
    latency_ms: 80,
    clocks_off_ms: 0,
    lost: 0,
    late: 0,
    twice: 0,
    ids: false,
    incomplete: 0,
    paged: 0,
    overtaken: 0,
    refreshed: 0,
    together: 0,
    bare: 0,
    expired: 0,
    resumed: 0,
};

pub(super) const TOLD: SourceModel = SourceModel {
    link: LinkKind::Told,
    ..STEADY
};

pub(super) const SILENT: SourceModel = SourceModel {
    link: LinkKind::Silent,
    refreshed: 300,
    ..STEADY
};

/// Four channels, each with its own link. Losses are noticed late, and each link comes back with a snapshot.
pub(super) const APART: Reconnection = Reconnection {
    resuming: 0,
    resumed: 0,
    shared: 0,
    unnamed: 300,
    falls_again: 0,
    synced: 0,
    noticed_ms: 20_000,
    up_ms: 60_000,
    down_ms: 15_000,
};

/// Some sessions are resumed, and the client sends differences.
pub(super) const RESUMING: Reconnection = Reconnection {
    resuming: 2,
    resumed: 750,
    shared: 300,
    ..APART
};

pub(super) const CLIENT: SourceModel = SourceModel {
    channels: 4,
    pace_ms: 2_500,
    link: LinkKind::Client(APART),
    ..STEADY
};

pub(super) const DIFFERENCES: SourceModel = SourceModel {
    channels: 2,
    refreshed: 150,
    overtaken: 500,
    link: LinkKind::Client(RESUMING),
    ..CLIENT
};

/// Presence on a link that is never lost.
pub(super) const PRESENCE: SourceModel = SourceModel {
    events: Events::Presence { intervals: false },
    link: LinkKind::Client(Reconnection { up_ms: 0, ..APART }),
    ..STEADY
};

/// A link that is lost now and then, and comes back with a new subscription.
pub(super) const PRESENCE_LOST: Reconnection = Reconnection {
    shared: 500,
    unnamed: 0,
    up_ms: 15 * 60_000,
    down_ms: 3 * 60_000,
    ..APART
};

pub(super) const PRESENCE_RULES: Rules = Rules {
    slack_ms: presence::NOTICE_MS,
    ..PLAIN
};

pub(super) const PLAIN: Rules = Rules {
    skew_tolerance_ms: 0,
    max_ahead_ms: 60_000,
    slack_ms: 0,
    lossy: false,
    resync_ms: Rules::RESYNC_MS,
};

pub(super) const LOSSY: Rules = Rules {
    lossy: true,
    ..PLAIN
};

/// The longest delay of an inexact source.
pub(super) const DELAY_MS: Millis = 700;
/// The largest error of a clock.
pub(super) const CLOCKS_OFF_MS: Millis = 300_000;
