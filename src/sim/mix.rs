//! The table of mixes: what a source does wrong, and how the contract says that such a source is to be taken in.
//!
//! A mix is data. `link` reads what the source does, `run` how it is ingested, `score` what must hold.

use crate::domain::entry::Rules;
use crate::domain::time::Millis;

/// A kind of source, and the options that it needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Its name, for `--mix`.
    pub name: &'static str,
    /// What the source does, in a sentence.
    pub about: &'static str,
    /// What the source does.
    pub(super) source: Source,
    /// How it is ingested.
    pub rules: Rules,
}

/// In whose shape lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Own,
    /// One of them, as the seed has it.
    Either,
}

/// What becomes of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It holds.
    Steady,
    /// It is lost now and then, and link lines say so.
    Told,
    /// It is lost now and then, and nothing says so: after it the source begins with a snapshot.
    Silent,
    /// It is the observer's connection to the store: a server sees it come up and break off, and after it a new source
    /// begins with a snapshot.
    Served,
}

/// What the source says of the place of a line in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamps {
    /// Nothing: the time is that of the recording.
    None,
    Times,
    TimesAndPositions,
}

/// What a source does. Rates are per mille, times ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Source {
    pub shape: Shape,
    pub observers: usize,
    pub link: Link,
    pub stamps: Stamps,
    /// To what its times are cut.
    pub grain_ms: Millis,
    /// Between two changes, about.
    pub pace_ms: Millis,
    /// A user may be there several times.
    pub connections: bool,
    /// How long it may take to notice a change.
    pub notice_ms: Millis,
    /// How much later than it is read a snapshot may be stamped.
    pub stamped_late_ms: Millis,
    /// How long a line may be on its way.
    pub latency_ms: Millis,
    /// How far the clocks of observers and of the recording may be off.
    pub clocks_off_ms: Millis,
    /// Live events that are lost though the link is up.
    pub lost: u32,
    /// Lines that come much later than others that were sent behind them.
    pub late: u32,
    /// Lines that come twice, the second time perhaps much later.
    pub twice: u32,
    /// Lines bear an id.
    pub ids: bool,
    /// Snapshots that do not show everything.
    pub incomplete: u32,
    /// Snapshots that come in pages.
    pub paged: u32,
    /// Snapshots that live events overtake.
    pub overtaken: u32,
    /// Stretches of watching in which snapshots come though the link was up.
    pub refreshed: u32,
    /// Live events that come together in a `diff`.
    pub together: u32,
    /// Lines without metadata.
    pub bare: u32,
    /// Links that are lost because the token has expired.
    pub expired: u32,
    /// Lines at which the observer's connection to the store breaks off, and then goes on where it was. Not for a source
    /// that can lose its own link meanwhile and says nothing: where link entries tell of some gaps they must tell of all.
    pub resumed: u32,
}

const STEADY: Source = Source {
    shape: Shape::Either,
    observers: 1,
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
];

impl Mix {
    /// The mix of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Mix> {
        MIXES.iter().find(|mix| mix.name == name)
    }

    /// Whether the lines of a seed are of Agora's shape.
    pub(super) fn speaks_agora(&self, seed: u64) -> bool {
        self.source.shape == Shape::Either && seed.is_multiple_of(2)
    }

    /// Whether a server hears its observers, and sees their connections.
    pub(super) fn is_served(&self) -> bool {
        self.source.link == Link::Served || self.source.resumed > 0
    }

    /// A moment as the source stamps it.
    pub(super) fn stamped(&self, at: Millis) -> Millis {
        at - at.rem_euclid(self.source.grain_ms)
    }

    /// How far its times may lie behind the truth.
    pub(super) fn blur_ms(&self) -> Millis {
        self.rules.slack_ms
    }
}
