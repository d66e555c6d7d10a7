//! The table of mixes. `mix` explains its fields.

use super::mix::{Events, FeedShape, LinkKind, Mix, Reconnection, SourceModel, Stamps};
use super::sources::{
    CLIENT, CLOCKS_OFF_MS, DELAY_MS, DIFFERENCES, LOSSY, PLAIN, PRESENCE, PRESENCE_LOST,
    PRESENCE_RULES, RESUMING, SILENT, STEADY, TOLD,
};
use crate::domain::entry::Rules;

/// All mixes.
pub const MIXES: &[Mix] = &[
    Mix {
        name: "steady",
        about: "the link holds",
        source: STEADY,
        rules: PLAIN,
    },
    Mix {
        name: "told",
        about: "short and long disconnections, told by link lines",
        source: TOLD,
        rules: PLAIN,
    },
    Mix {
        name: "silent",
        about: "disconnections that nothing tells of; snapshots also without any",
        source: SILENT,
        rules: PLAIN,
    },
    Mix {
        name: "positions",
        about: "as told, with the source's own positions",
        source: SourceModel {
            shape: FeedShape::Own,
            stamps: Stamps::TimesAndPositions,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "unstamped",
        about: "the source gives no times; those of the recording are as exact as the way is long",
        source: SourceModel {
            shape: FeedShape::Own,
            stamps: Stamps::None,
            ..TOLD
        },
        rules: Rules {
            slack_ms: STEADY.latency_ms,
            ..PLAIN
        },
    },
    Mix {
        name: "overtaken",
        about: "snapshots arrive behind live events that are newer",
        source: SourceModel {
            overtaken: 500,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "lossy",
        about: "single events and bursts of them are lost though the link is up",
        source: SourceModel {
            lost: 200,
            refreshed: 600,
            ..TOLD
        },
        rules: LOSSY,
    },
    Mix {
        name: "late",
        about: "lines come late and in another order, known by their times",
        source: SourceModel {
            late: 250,
            refreshed: 300,
            ..TOLD
        },
        rules: LOSSY,
    },
    Mix {
        name: "late-minute",
        about: "lines come late, stamped by the minute, known by their positions",
        source: SourceModel {
            shape: FeedShape::Own,
            stamps: Stamps::TimesAndPositions,
            grain_ms: 60_000,
            pace_ms: 25_000,
            late: 250,
            refreshed: 300,
            ..TOLD
        },
        rules: LOSSY,
    },
    Mix {
        name: "duplicated",
        about: "lines come twice, at once or much later",
        source: SourceModel { twice: 300, ..TOLD },
        rules: PLAIN,
    },
    Mix {
        name: "retried",
        about: "lines come twice, and bear ids; the source gives no times",
        source: SourceModel {
            shape: FeedShape::Own,
            stamps: Stamps::None,
            twice: 300,
            ids: true,
            ..TOLD
        },
        rules: Rules {
            slack_ms: STEADY.latency_ms,
            ..PLAIN
        },
    },
    Mix {
        name: "second",
        about: "times cut to the second; told",
        source: SourceModel {
            grain_ms: 1_000,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "minute",
        about: "times cut to the minute; silent",
        source: SourceModel {
            grain_ms: 60_000,
            pace_ms: 25_000,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "incomplete",
        about: "snapshots that do not show everything; told",
        source: SourceModel {
            incomplete: 400,
            refreshed: 500,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "incomplete-silent",
        about: "snapshots that do not show everything; silent",
        source: SourceModel {
            incomplete: 400,
            refreshed: 500,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "paged",
        about: "snapshots in pages, live events between them; told",
        source: SourceModel {
            shape: FeedShape::Own,
            paged: 700,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "paged-silent",
        about: "snapshots in pages; silent",
        source: SourceModel {
            shape: FeedShape::Own,
            paged: 700,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "paged-lossy",
        about: "snapshots in pages, from a source that loses events",
        source: SourceModel {
            shape: FeedShape::Own,
            stamps: Stamps::TimesAndPositions,
            paged: 700,
            refreshed: 600,
            lost: 200,
            ..TOLD
        },
        rules: LOSSY,
    },
    Mix {
        name: "tokens",
        about: "links lost because the token expired, renewed tokens, warnings",
        source: SourceModel {
            expired: 700,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "two-observers",
        about: "two observers, each with a link of its own; told",
        source: SourceModel {
            observers: 2,
            refreshed: 200,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "two-silent",
        about: "two observers, each with a link of its own; silent",
        source: SourceModel {
            observers: 2,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "connections",
        about: "users with several connections that move between them; diffs",
        source: SourceModel {
            shape: FeedShape::Own,
            connections: true,
            together: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "served",
        about: "connections to a server that break off; a new one begins with a snapshot",
        source: SourceModel {
            link: LinkKind::Served,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "served-two",
        about: "two observers, each with a connection to the server of its own",
        source: SourceModel {
            observers: 2,
            link: LinkKind::Served,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "resumed",
        about: "connections to a server that break off and go on where they were; links told as well",
        source: SourceModel {
            resumed: 100,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "resumed-two",
        about: "two observers, connections that go on where they were, links told as well",
        source: SourceModel {
            observers: 2,
            resumed: 100,
            refreshed: 200,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "skewed-clocks",
        about: "the clocks of observers and of the recording are off by minutes",
        source: SourceModel {
            clocks_off_ms: CLOCKS_OFF_MS,
            ..TOLD
        },
        rules: Rules {
            max_ahead_ms: CLOCKS_OFF_MS + 60_000,
            ..PLAIN
        },
    },
    Mix {
        name: "debounced",
        about: "the source notices late, and stamps what it noticed",
        source: SourceModel {
            notice_ms: DELAY_MS,
            ..TOLD
        },
        rules: Rules {
            slack_ms: DELAY_MS,
            ..PLAIN
        },
    },
    Mix {
        name: "stamped-late",
        about: "snapshots are stamped later than they are read",
        source: SourceModel {
            stamped_late_ms: DELAY_MS,
            refreshed: 300,
            ..TOLD
        },
        rules: Rules {
            skew_tolerance_ms: DELAY_MS,
            slack_ms: DELAY_MS,
            ..PLAIN
        },
    },
    Mix {
        name: "bare",
        about: "no line says anything of metadata",
        source: SourceModel {
            bare: 1_000,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "everything",
        about: "all of it at once, with positions",
        source: SourceModel {
            shape: FeedShape::Own,
            observers: 2,
            stamps: Stamps::TimesAndPositions,
            connections: true,
            clocks_off_ms: CLOCKS_OFF_MS,
            lost: 100,
            late: 100,
            twice: 100,
            ids: true,
            incomplete: 200,
            overtaken: 200,
            refreshed: 500,
            together: 200,
            expired: 300,
            notice_ms: DELAY_MS,
            ..TOLD
        },
        rules: Rules {
            max_ahead_ms: CLOCKS_OFF_MS + 60_000,
            slack_ms: DELAY_MS,
            ..LOSSY
        },
    },
    Mix {
        name: "links-apart",
        about: "four channels, each with a link of its own, whose losses are noticed late",
        source: CLIENT,
        rules: PLAIN,
    },
    Mix {
        name: "differences",
        about: "sessions that are resumed: differences are told instead of a snapshot",
        source: DIFFERENCES,
        rules: PLAIN,
    },
    Mix {
        name: "differences-synced",
        about: "the same, and a line says when all differences have been told",
        source: SourceModel {
            link: LinkKind::Client(Reconnection {
                synced: 700,
                ..RESUMING
            }),
            ..DIFFERENCES
        },
        rules: PLAIN,
    },
    Mix {
        name: "differences-two",
        about: "two observers: one tells differences, the other one gives snapshots",
        source: SourceModel {
            observers: 2,
            link: LinkKind::Client(Reconnection {
                resuming: 1,
                synced: 200,
                ..RESUMING
            }),
            ..DIFFERENCES
        },
        rules: PLAIN,
    },
    Mix {
        name: "differences-quiet",
        about: "differences of channels in which little happens",
        source: SourceModel {
            channels: 3,
            pace_ms: 15_000,
            ..DIFFERENCES
        },
        rules: PLAIN,
    },
    Mix {
        name: "differences-falling",
        about: "differences of links that are lost again before all is told",
        source: SourceModel {
            link: LinkKind::Client(Reconnection {
                resumed: 850,
                falls_again: 700,
                synced: 200,
                ..RESUMING
            }),
            ..DIFFERENCES
        },
        rules: PLAIN,
    },
    Mix {
        name: "presence",
        about: "presence of a channel: leaves and time-outs are noticed late",
        source: PRESENCE,
        rules: PLAIN,
    },
    Mix {
        name: "presence-interval",
        about: "presence that is told once an interval for a part of the time",
        source: SourceModel {
            events: Events::Presence { intervals: true },
            ..PRESENCE
        },
        rules: PLAIN,
    },
    Mix {
        name: "presence-lost",
        about: "presence, at times once an interval; a link that is lost comes back with a snapshot",
        source: SourceModel {
            events: Events::Presence { intervals: true },
            link: LinkKind::Client(PRESENCE_LOST),
            ..PRESENCE
        },
        rules: PRESENCE_RULES,
    },
    Mix {
        name: "presence-differences",
        about: "the same; a link that is lost mostly comes back with differences",
        source: SourceModel {
            events: Events::Presence { intervals: true },
            link: LinkKind::Client(Reconnection {
                resuming: 1,
                resumed: 750,
                synced: 300,
                ..PRESENCE_LOST
            }),
            ..PRESENCE
        },
        rules: PRESENCE_RULES,
    },
];

impl Mix {
    /// The mix of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Mix> {
        MIXES.iter().find(|mix| mix.name == name)
    }
}
