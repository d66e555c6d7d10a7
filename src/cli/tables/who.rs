//! `who`: the members of a channel at a moment, by topic, and how certain that is.

use super::grid::{self, PagedTable};
use crate::cli::moment::{Fine, clock, day};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{many, member, meta, name};
use crate::query::answer::{Certainty, CoverageAnswer, Publisher, Who};
use chrono::NaiveDate;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Draws the answer.
///
/// # Errors
/// When it cannot be written.
pub fn who(sink: &mut dyn Write, view: &TerminalStyle, who: &Who) -> io::Result<()> {
    let all = || who.topics.iter().flat_map(|topic| &topic.publishers);
    let known = known_day(who);
    let moment = match (who.at, known) {
        (Some(at), _) => format!("{} UTC", clock(at, None, Fine::Millis)),
        (None, Some(day)) => format!("as of entry {}, {day} (times in UTC)", who.seq),
        (None, None) => format!("as of entry {}", who.seq),
    };
    writeln!(
        sink,
        "{} · {moment} · {}",
        view.ink(TextColor::Head, &name(&who.channel)),
        coverage(who.coverage)
    )?;
    writeln!(sink, "{}", proof(who))?;
    writeln!(sink)?;
    if all().next().is_none() {
        return writeln!(sink, "  nobody is known to have been there");
    }
    let mut table = PagedTable::bare(
        vec![
            grid::text("topic"),
            grid::text("member"),
            grid::firm("since"),
            grid::firm("certainty"),
            grid::prose("metadata").gives_way(1),
        ],
        2,
    );
    for topic in &who.topics {
        let mut topic_name = name(&topic.topic).into_owned();
        for publisher in &topic.publishers {
            let (ink, sure) = certainty(publisher.certainty);
            table.add(vec![
                grid::cell(TextColor::Plain, std::mem::take(&mut topic_name)),
                grid::cell(
                    TextColor::Plain,
                    member(&publisher.user, &publisher.connection),
                ),
                grid::cell(TextColor::Plain, since(publisher, known)),
                grid::cell(ink, sure),
                grid::cell(TextColor::Faint, meta(view, publisher.meta.as_deref())),
            ]);
        }
    }
    table.finish(sink, view)?;
    let users: BTreeSet<&str> = all().map(|publisher| publisher.user.as_str()).collect();
    writeln!(
        sink,
        "\n{} ({}) in {}",
        many(all().count() as u64, "publisher", "publishers"),
        many(users.len() as u64, "user", "users"),
        many(who.topics.len() as u64, "topic", "topics"),
    )?;
    for (doubt, words) in DOUBTS {
        if all().any(|publisher| publisher.certainty == doubt) {
            writeln!(sink, "{words}")?;
        }
    }
    Ok(())
}

/// Explanations of the words beside publishers, printed once below the table.
const DOUBTS: [(Certainty, &str); 2] = [
    (
        Certainty::Assumed,
        "assumed: known from before, and nothing says otherwise",
    ),
    (
        Certainty::Possible,
        "possible: came or went at an unknown moment around then",
    ),
];

/// The day in the headline: that of the moment, or else the day on which all publishers joined.
fn known_day(who: &Who) -> Option<NaiveDate> {
    if let Some(at) = who.at {
        return day(at);
    }
    let mut since = who
        .topics
        .iter()
        .flat_map(|topic| &topic.publishers)
        .filter_map(|publisher| publisher.since);
    let first = day(since.next()?)?;
    since
        .all(|since| day(since) == Some(first))
        .then_some(first)
}

/// The coverage of the channel, in words.
fn coverage(coverage: CoverageAnswer) -> &'static str {
    match coverage {
        CoverageAnswer::Complete => "complete: watched since a full snapshot",
        CoverageAnswer::Partial => "partial: no full snapshot yet, there may be others",
        CoverageAnswer::Blind => "blind: nobody was watching then",
    }
}

/// How old the information is: the time of the last proof before the moment.
fn proof(who: &Who) -> String {
    let Some(proof) = who.last_proof else {
        return "no message of a source proves anything of it by then".to_owned();
    };
    let proof = clock(proof, None, Fine::Seconds);
    format!("last proof: a message of {proof} UTC; what came after it is not known")
}

/// The certainty in words, unless it is certain.
fn certainty(certainty: Certainty) -> (TextColor, &'static str) {
    match certainty {
        Certainty::Certain => (TextColor::Plain, ""),
        Certainty::Assumed => (TextColor::Faint, "assumed"),
        Certainty::Possible => (TextColor::Changed, "possible"),
    }
}

fn since(publisher: &Publisher, known: Option<NaiveDate>) -> String {
    match publisher.since {
        Some(since) => format!("since {}", clock(since, known, Fine::Seconds)),
        None => "takes effect later".to_owned(),
    }
}
