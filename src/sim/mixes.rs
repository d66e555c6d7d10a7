//! The table of mixes. What its columns mean stands in `mix`.

use super::mix::{Link, Mix, Reconnection, Shape, Source, Stamps};
use crate::domain::entry::Rules;
use crate::domain::time::Millis;

const STEADY: Source = Source {
    shape: Shape::Either,
    observers: 1,
    channels: 0,
    link: Link::Steady,
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

const TOLD: Source = Source {
    link: Link::Told,
    ..STEADY
};

const SILENT: Source = Source {
    link: Link::Silent,
    refreshed: 300,
    ..STEADY
};

/// Four channels, each with a link of its own, whose losses are noticed late; each comes back with a snapshot.
const APART: Reconnection = Reconnection {
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

/// Sessions are resumed, and differences told.
const RESUMING: Reconnection = Reconnection {
    resuming: 2,
    resumed: 750,
    shared: 300,
    ..APART
};

const CLIENT: Source = Source {
    channels: 4,
    pace_ms: 2_500,
    link: Link::Client(APART),
    ..STEADY
};

const DIFFERENCES: Source = Source {
    channels: 2,
    refreshed: 150,
    overtaken: 500,
    link: Link::Client(RESUMING),
    ..CLIENT
};

const PLAIN: Rules = Rules {
    skew_tolerance_ms: 0,
    max_ahead_ms: 60_000,
    slack_ms: 0,
    lossy: false,
};

const LOSSY: Rules = Rules {
    lossy: true,
    ..PLAIN
};

/// How much a source that is not exact may delay.
const DELAY_MS: Millis = 700;
/// How far a clock may be off.
const CLOCKS_OFF_MS: Millis = 300_000;

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
];
