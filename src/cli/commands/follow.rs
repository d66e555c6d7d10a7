//! `history --follow`: the existing entries, then new ones from the server that has the store open. Only the process
//! that has a data directory open can write to it. So without a server there are no new entries: the command shows
//! the existing ones, closes the store, and waits for a server.

use super::now;
use crate::cli::answers::{QueryBackend, misread, unanswered};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::interrupt;
use crate::cli::output::{ListOutput, Output};
use crate::cli::progress::say;
use crate::cli::tables::HistoryTable;
use crate::cli::text::shown;
use crate::client::backoff::{Backoff, seed};
use crate::client::follow::{FollowError, FollowItem, follow};
use crate::client::remote::ServerClient;
use crate::client::token::TokenSource;
use crate::client::transport::Address;
use crate::domain::time::Millis;
use crate::limits;
use crate::query::answer::HistoryEntry;
use crate::query::params::{HistoryParams, SubscribeParams};
use crate::store::OWNER_SOCKET;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

pub(super) fn run(
    everywhere: &GlobalArgs,
    question: HistoryParams,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut list = output.list(HistoryTable::new(question.channel.is_some()));
    let mut left = question.limit.unwrap_or(u64::MAX);
    let mut last = question.after_seq;
    let show = |entry: &HistoryEntry| {
        last = entry.seq;
        left = left.saturating_sub(1);
        list.row(entry)
    };
    let server = match QueryBackend::of(everywhere)? {
        QueryBackend::Server(server) => {
            check_channel(&server, &question)?;
            server
        }
        answers @ QueryBackend::Store(..) => {
            answers.each(&question, show)?;
            drop(answers);
            list.flush()?;
            Box::new(awaited_server(&everywhere.data)?)
        }
    };
    let filter = question.filter(now()).map_err(|error| misread(&error))?;
    let mut followed = FollowOutput {
        from: filter.from,
        to: filter.to,
        left,
        list,
        away: false,
        live: false,
    };
    let after = SubscribeParams {
        channel: question.channel,
        topic: question.topic,
        user: question.user,
        types: question.types,
        origin: question.origin,
        after_seq: last,
    };
    let mut done = Ok(());
    let mut each = |next: FollowItem<'_>| {
        done = followed.take(next);
        done.is_ok() && followed.left > 0
    };
    let interrupted = follow_until_interrupted(&server, after, &mut each);
    done?;
    followed.list.finish()?;
    match interrupted {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::new(Exit::Interrupted, "interrupted")),
        Err(what) => Err(Failure::new(Exit::Failed, shown(&what))),
    }
}

/// Checks that the channel exists before its entries are waited for.
fn check_channel(server: &ServerClient, question: &HistoryParams) -> Result<(), Failure> {
    let asked = HistoryParams {
        limit: Some(1),
        ..question.clone()
    };
    server
        .ask("history", &asked, |_: HistoryEntry| true)
        .map_err(unanswered)
}

/// The server that will own a data directory which no process has open now.
fn awaited_server(data: &Path) -> Result<ServerClient, Failure> {
    say(&format!(
        "no server owns {}: waiting for `rollbook serve`",
        shown(&data.to_string_lossy())
    ));
    ServerClient::new(Address::unix(data.join(OWNER_SOCKET)), TokenSource::None)
        .map_err(|error: std::io::Error| Failure::new(Exit::Failed, error.to_string()))
}

/// Passes on what the server sends until `each` returns `false`; returns whether SIGINT came before.
fn follow_until_interrupted(
    server: &ServerClient,
    after: SubscribeParams,
    each: &mut dyn FnMut(FollowItem<'_>) -> bool,
) -> Result<bool, String> {
    server.runtime().block_on(async {
        interrupt::is_heard();
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let rests = Backoff::new(limits::FOLLOW_REST_MS_MAX, seed());
        tokio::select! {
            followed = follow(server.address(), server.tokens(), after, rests, each) => {
                followed.map(|()| false).map_err(|error: FollowError| error.to_string())
            }
            _ = interrupt.recv() => Ok(true),
        }
    })
}

/// The rows of a followed history: those in the period that was asked for, up to its limit.
struct FollowOutput<'o> {
    from: Option<Millis>,
    to: Option<Millis>,
    left: u64,
    list: ListOutput<'o, HistoryEntry, HistoryTable>,
    /// The lost connection has been reported.
    away: bool,
    /// The existing entries have been shown.
    live: bool,
}

impl FollowOutput<'_> {
    fn take(&mut self, next: FollowItem<'_>) -> Result<(), Failure> {
        match next {
            FollowItem::Entry(entry) => self.entry(&entry),
            FollowItem::Live => {
                (self.away, self.live) = (false, true);
                self.list.flush()
            }
            FollowItem::Away(why) => {
                // Reported once, however long it takes.
                if !std::mem::replace(&mut self.away, true) && self.live {
                    say(&format!("{}: trying again", shown(why)));
                }
                Ok(())
            }
        }
    }

    fn entry(&mut self, entry: &HistoryEntry) -> Result<(), Failure> {
        let at = entry.effective_at.0;
        let wanted = self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to);
        if !wanted || self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        self.list.row(entry)?;
        if self.live { self.list.flush() } else { Ok(()) }
    }
}
