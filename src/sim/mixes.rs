//! The table of mixes. What its columns mean stands in `mix`.

use super::mix::{Events, Link, Mix, Reconnection, Shape, Source, Stamps};
use super::sources::{
    CLIENT, CLOCKS_OFF_MS, DELAY_MS, DIFFERENCES, LOSSY, PLAIN, PRESENCE, PRESENCE_LOST,
    PRESENCE_RULES, RESUMING, SILENT, STEADY, TOLD,
};
use crate::domain::entry::Rules;

/// All of them.
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
        source: Source {
            shape: Shape::Own,
            stamps: Stamps::TimesAndPositions,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "unstamped",
        about: "the source gives no times; those of the recording are as exact as the way is long",
        source: Source {
            shape: Shape::Own,
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
        source: Source {
            overtaken: 500,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "lossy",
        about: "single events and bursts of them are lost though the link is up",
        source: Source {
            lost: 200,
            refreshed: 600,
            ..TOLD
        },
        rules: LOSSY,
    },
    Mix {
        name: "late",
        about: "lines come late and in another order, known by their times",
        source: Source {
            late: 250,
            refreshed: 300,
            ..TOLD
        },
        rules: LOSSY,
    },
    Mix {
        name: "late-minute",
        about: "lines come late, stamped by the minute, known by their positions",
        source: Source {
            shape: Shape::Own,
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
        source: Source { twice: 300, ..TOLD },
        rules: PLAIN,
    },
    Mix {
        name: "retried",
        about: "lines come twice, and bear ids; the source gives no times",
        source: Source {
            shape: Shape::Own,
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
        source: Source {
            grain_ms: 1_000,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "minute",
        about: "times cut to the minute; silent",
        source: Source {
            grain_ms: 60_000,
            pace_ms: 25_000,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "incomplete",
        about: "snapshots that do not show everything; told",
        source: Source {
            incomplete: 400,
            refreshed: 500,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "incomplete-silent",
        about: "snapshots that do not show everything; silent",
        source: Source {
            incomplete: 400,
            refreshed: 500,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "paged",
        about: "snapshots in pages, live events between them; told",
        source: Source {
            shape: Shape::Own,
            paged: 700,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "paged-silent",
        about: "snapshots in pages; silent",
        source: Source {
            shape: Shape::Own,
            paged: 700,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "paged-lossy",
        about: "snapshots in pages, from a source that loses events",
        source: Source {
            shape: Shape::Own,
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
        source: Source {
            expired: 700,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "two-observers",
        about: "two observers, each with a link of its own; told",
        source: Source {
            observers: 2,
            refreshed: 200,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "two-silent",
        about: "two observers, each with a link of its own; silent",
        source: Source {
            observers: 2,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "connections",
        about: "users with several connections that move between them; diffs",
        source: Source {
            shape: Shape::Own,
            connections: true,
            together: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "served",
        about: "connections to a server that break off; a new one begins with a snapshot",
        source: Source {
            link: Link::Served,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "served-two",
        about: "two observers, each with a connection to the server of its own",
        source: Source {
            observers: 2,
            link: Link::Served,
            ..SILENT
        },
        rules: PLAIN,
    },
    Mix {
        name: "resumed",
        about: "connections to a server that break off and go on where they were; links told as well",
        source: Source {
            resumed: 100,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "resumed-two",
        about: "two observers, connections that go on where they were, links told as well",
        source: Source {
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
        source: Source {
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
        source: Source {
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
        source: Source {
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
        source: Source {
            bare: 1_000,
            refreshed: 300,
            ..TOLD
        },
        rules: PLAIN,
    },
    Mix {
        name: "everything",
        about: "all of it at once, with positions",
        source: Source {
            shape: Shape::Own,
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
        source: Source {
            link: Link::Client(Reconnection {
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
        source: Source {
            observers: 2,
            link: Link::Client(Reconnection {
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
        source: Source {
            channels: 3,
            pace_ms: 15_000,
            ..DIFFERENCES
        },
        rules: PLAIN,
    },
    Mix {
        name: "differences-falling",
        about: "differences of links that are lost again before all is told",
        source: Source {
            link: Link::Client(Reconnection {
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
        source: Source {
            events: Events::Presence { intervals: true },
            ..PRESENCE
        },
        rules: PLAIN,
    },
    Mix {
        name: "presence-lost",
        about: "presence, at times once an interval; a link that is lost comes back with a snapshot",
        source: Source {
            events: Events::Presence { intervals: true },
            link: Link::Client(PRESENCE_LOST),
            ..PRESENCE
        },
        rules: PRESENCE_RULES,
    },
    Mix {
        name: "presence-differences",
        about: "the same; a link that is lost mostly comes back with differences",
        source: Source {
            events: Events::Presence { intervals: true },
            link: Link::Client(Reconnection {
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
