//! `history --follow`: the existing entries, then new ones from the server that has the store open. Only the process
//! that has a data directory open can write to it. So without a server there are no new entries: the command shows
//! the existing ones, closes the store, and waits for a server.

use super::now;
use crate::cli::answers::{QueryBackend, unanswered};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::interrupt;
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::cli::tables::HistoryTable;
use crate::cli::text::shown;
use crate::client::backoff::{Backoff, seed};
use crate::client::follow::{FollowError, FollowItem, follow};
use crate::client::remote::ServerClient;
use crate::client::transport::Address;
use crate::limits;
use crate::query::answer::HistoryEntry;
use crate::query::params::{HistoryParams, SubscribeParams};
use crate::store::OWNER_SOCKET;
use tokio::signal::unix::{SignalKind, signal};

pub(super) fn run(
    everywhere: &GlobalArgs,
    question: HistoryParams,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut list = output.list(HistoryTable::new(question.channel.is_some()));
    let mut left = question.limit.unwrap_or(u64::MAX);
    let mut last = question.after_seq;
    let mut show = |entry: &HistoryEntry| {
        last = entry.seq;
        left = left.saturating_sub(1);
        list.row(entry)
    };
    let answers = QueryBackend::of(everywhere)?;
    let server = match answers {
        QueryBackend::Server(server) => {
            // Check that the channel exists before waiting for its entries.
            let limit = Some(1);
            let asked = HistoryParams {
                limit,
                ..question.clone()
            };
            server
                .ask("history", &asked, |_: HistoryEntry| true)
                .map_err(unanswered)?;
            server
        }
        QueryBackend::Store(..) => {
            answers.each(&question, &mut show)?;
            drop(answers);
            list.flush()?;
            let data = &everywhere.data;
            say(&format!(
                "no server owns {}: waiting for `rollbook serve`",
                shown(&data.to_string_lossy())
            ));
            let io = |error: std::io::Error| Failure::new(Exit::Failed, error.to_string());
            Box::new(ServerClient::new(Address::unix(data.join(OWNER_SOCKET)), None).map_err(io)?)
        }
    };
    let (from, to) = (
        question.from.map(|from| from.resolve(now())),
        question.to.map(|to| to.resolve(now())),
    );
    let after = SubscribeParams {
        channel: question.channel,
        topic: question.topic,
        user: question.user,
        types: question.types,
        origin: question.origin,
        after_seq: last,
    };
    let mut away = false;
    let mut live = false;
    let mut done = Ok(());
    let mut each = |next: FollowItem<'_>| {
        done = match next {
            FollowItem::Entry(entry) => {
                let wanted = from.is_none_or(|from| entry.effective_at.0 >= from)
                    && to.is_none_or(|to| entry.effective_at.0 < to);
                if wanted && left > 0 {
                    left -= 1;
                    let row = list.row(&entry);
                    row.and_then(|()| if live { list.flush() } else { Ok(()) })
                } else {
                    Ok(())
                }
            }
            FollowItem::Live => {
                (away, live) = (false, true);
                list.flush()
            }
            FollowItem::Away(why) => {
                // Reported once, however long it takes.
                if !std::mem::replace(&mut away, true) && live {
                    say(&format!("{}: trying again", shown(why)));
                }
                Ok(())
            }
        };
        done.is_ok() && left > 0
    };
    let interrupted = server.runtime().block_on(async {
        interrupt::is_heard();
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let rests = Backoff::new(limits::FOLLOW_REST_MS_MAX, seed());
        tokio::select! {
            followed = follow(server.address(), server.token(), after, rests, &mut each) => {
                followed.map(|()| false).map_err(|error: FollowError| error.to_string())
            }
            _ = interrupt.recv() => Ok(true),
        }
    });
    done?;
    list.finish()?;
    match interrupted {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::new(Exit::Interrupted, "interrupted")),
        Err(what) => Err(Failure::new(Exit::Failed, shown(&what))),
    }
}
