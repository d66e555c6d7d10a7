//! The sources of answers: the store itself, or a server that has it open: the one that was named, or the owner of
//! the data directory. A command asks its question and does not know the source.

use super::commands::{failure, now};
use super::exit::{Exit, Failure};
use super::global_args::GlobalArgs;
use super::progress::say;
use crate::domain::time::Millis;
use crate::query::answer::{
    Attendance, ChannelAnswer, ForgottenAnswer, Gap, HistoryEntry, Missed, RejectAnswer, Session,
    Stats, Time, UserStats, Who,
};
use crate::query::calendar::Zone;
use crate::query::params::{
    AttendanceParams, ChannelParams, HistoryParams, MissedParams, ParamError, SessionsParams,
    StatsParams, WhoParams,
};
use crate::query::time::When;
use crate::store::{Options, Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

#[cfg(feature = "client")]
use crate::client::remote::{RemoteError, ServerClient};
#[cfg(feature = "client")]
use crate::client::token::TokenSource;
#[cfg(feature = "client")]
use crate::query::owner::OwnerFailure;

/// Queries and opening a store take little time, so wait this long for another process that has the store open.
const QUERY_PATIENCE: Duration = Duration::from_secs(30);
/// The interval between attempts to open the store, or to reach its owner.
#[cfg(feature = "client")]
const LOOK: Duration = Duration::from_millis(50);

/// A question that a store can answer, and a server under its route.
pub trait Question: Serialize {
    /// The route under `/v1`.
    const ROUTE: &'static str;
    /// The answer, or one item of a list.
    type Answer: DeserializeOwned + Send;

    /// Whether its parameters mean something, if it is `now`.
    ///
    /// # Errors
    /// The parameter that is wrong.
    fn check(&self, now: Millis) -> Result<(), ParamError>;

    /// Whether it asks for a list over a range that begins before this moment.
    fn begins_before(&self, moment: Millis, now: Millis) -> bool;

    /// Lets the store answer; stops when `each` returns `false`.
    ///
    /// # Errors
    /// The store's error.
    fn ask(
        &self,
        store: &Store,
        now: Millis,
        each: &mut dyn FnMut(Self::Answer) -> bool,
    ) -> Result<(), StoreError>;
}

/// Declares questions with the functions that answer them.
macro_rules! questions {
    ($($route:literal $question:ty => $answer:ty, $check:expr, $begins:expr, |$asked:pat_param, $store:pat_param, $now:pat_param, $each:pat_param| $ask:expr;)*) => {$(
        impl Question for $question {
            const ROUTE: &'static str = $route;
            type Answer = $answer;

            fn check(&self, now: Millis) -> Result<(), ParamError> {
                let check: fn(&$question, Millis) -> Result<(), ParamError> = $check;
                check(self, now)
            }

            fn begins_before(&self, moment: Millis, now: Millis) -> bool {
                let begins: fn(&$question, Millis, Millis) -> bool = $begins;
                begins(self, moment, now)
            }

            fn ask(
                &self,
                $store: &Store,
                $now: Millis,
                $each: &mut dyn FnMut($answer) -> bool,
            ) -> Result<(), StoreError> {
                let $asked = self;
                $ask
            }
        }
    )*};
}

/// `stats` by user.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct UsersQuestion(pub StatsParams);

/// `channels`.
#[derive(Debug, Serialize)]
pub struct ListChannels {}

/// `rejects`.
#[derive(Debug, Serialize)]
pub struct ListRejects {}

/// `forget --list`.
#[derive(Debug, Serialize)]
pub struct ListForgotten {}

questions! {
    "who" WhoParams => Who, |asked, now| asked.filter(now).map(drop), |_, _, _| false, |asked, store, now, each| {
        store.who(&asked.channel, &asked.filter(now).map_err(unfit)?).map(|who| all([who], each))
    };
    "history" HistoryParams => HistoryEntry, |asked, now| asked.filter(now).map(drop), |asked, moment, now| {
        asked.after_seq == 0 && begins_before((asked.from, asked.zone), moment, now)
    }, |asked, store, now, each| {
        one_by_one(store.history(&asked.filter(now).map_err(unfit)?)?, each)
    };
    "missed" MissedParams => Missed, |asked, now| asked.filter(now).map(drop), |asked, moment, now| {
        asked.gap.is_none() && begins_before((asked.since, asked.zone), moment, now)
    }, |asked, store, now, each| {
        store.missed(&asked.channel, &asked.filter(now).map_err(unfit)?).map(|gaps| all(gaps, each))
    };
    "sessions" SessionsParams => Session, |asked, now| asked.filter(now).map(drop), |asked, moment, now| {
        begins_before((asked.from, asked.zone), moment, now)
    }, |asked, store, now, each| {
        one_by_one(store.sessions(&asked.filter(now).map_err(unfit)?)?, each)
    };
    "stats" StatsParams => Stats, |asked, now| asked.filter(now).map(drop), |asked, moment, now| {
        begins_before((asked.from, asked.zone), moment, now)
    }, |asked, store, now, each| {
        store.stats(&asked.filter(now).map_err(unfit)?).map(|stats| all(stats, each))
    };
    "stats" UsersQuestion => UserStats, |asked, now| asked.0.filter(now).map(drop), |asked, moment, now| {
        begins_before((asked.0.from, asked.0.zone), moment, now)
    }, |asked, store, now, each| {
        store.stats_by_user(&asked.0.filter(now).map_err(unfit)?).map(|users| all(users, each))
    };
    "attendance" AttendanceParams => Attendance, |asked, now| asked.filter(now).map(drop), |asked, moment, now| {
        asked.begins_before(moment, now)
    }, |asked, store, now, each| {
        let filter = asked.filter(now).map_err(unfit)?;
        store.attendance(&asked.channel, &filter).map(|people| all(people, each))
    };
    "gaps" ChannelParams => Gap, |_, _| Ok(()), |_, _, _| true, |asked, store, _, each| {
        store.gaps(&asked.channel).map(|gaps| all(gaps, each))
    };
    "channels" ListChannels => ChannelAnswer, |_, _| Ok(()), |_, _, _| false, |_, store, _, each| {
        store.channels().map(|channels| all(channels, each))
    };
    "forgotten" ListForgotten => ForgottenAnswer, |_, _| Ok(()), |_, _, _| true, |_, store, _, each| {
        store.forgotten().map(|forgotten| all(forgotten, each))
    };
    "rejects" ListRejects => RejectAnswer, |_, _| Ok(()), |_, _, _| true, |_, store, _, each| one_by_one(store.rejects()?, each);
}

/// For parameters that [`Question::check`] has not seen.
fn unfit(error: ParamError) -> StoreError {
    StoreError::Stopped(error.to_string())
}

/// Passes on answers that are read from the log one after another.
fn one_by_one<T>(
    answers: impl Iterator<Item = Result<T, StoreError>>,
    each: &mut dyn FnMut(T) -> bool,
) -> Result<(), StoreError> {
    for answer in answers {
        if !each(answer?) {
            break;
        }
    }
    Ok(())
}

fn all<T>(answers: impl IntoIterator<Item = T>, each: &mut dyn FnMut(T) -> bool) {
    let _ = answers.into_iter().all(each);
}

/// Answers that one thread hands over to the other at a time.
const ANSWERS_AT_A_TIME: usize = 256;
/// How often it does so before the other takes any.
const ANSWERS_AHEAD: usize = 4;

/// Passes on what `ask` finds in a thread of its own: so the next answers are found while `each` writes these.
fn beside<T: Send>(
    ask: impl FnOnce(&mut dyn FnMut(T) -> bool) -> Result<(), StoreError> + Send,
    mut each: impl FnMut(T) -> bool,
) -> Result<(), StoreError> {
    thread::scope(|scope| {
        let (send, answers) = sync_channel(ANSWERS_AHEAD);
        let asking = scope.spawn(move || {
            let mut found = Vec::new();
            let asked = ask(&mut |answer| {
                found.push(answer);
                found.len() < ANSWERS_AT_A_TIME || send.send(std::mem::take(&mut found)).is_ok()
            });
            // If nobody wants them any more, nobody wants to know.
            let _ = send.send(found);
            asked
        });
        for found in answers {
            if !found.into_iter().all(&mut each) {
                break;
            }
        }
        asking.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// A source of answers.
pub enum QueryBackend<'a> {
    /// A data directory that no other process has open.
    Store(&'a Path, Box<Store>),
    /// A server.
    #[cfg(feature = "client")]
    Server(Box<ServerClient>),
}

impl<'a> QueryBackend<'a> {
    /// The source that the command line names.
    ///
    /// # Errors
    /// When there is no store, or another process has it open and does not answer.
    pub fn of(everywhere: &'a GlobalArgs) -> Result<QueryBackend<'a>, Failure> {
        #[cfg(feature = "client")]
        if let Some(url) = &everywhere.url {
            return Ok(QueryBackend::Server(Box::new(named(
                url,
                everywhere.tokens.source()?,
            )?)));
        }
        let data = &everywhere.data;
        Ok(match find(data, open)? {
            Found::Store(store) => QueryBackend::Store(data, store),
            #[cfg(feature = "client")]
            Found::Owner(owner) => QueryBackend::Server(owner),
        })
    }

    /// From when on nothing was pruned, where older entries were; of a server, as its last answer says.
    pub fn retained(&self) -> Option<Millis> {
        match self {
            QueryBackend::Store(_, store) => store.retained().map(|retained| retained.from),
            #[cfg(feature = "client")]
            QueryBackend::Server(server) => server.retained().map(|at| at.0),
        }
    }

    /// Passes each answer to `each`, until that fails.
    ///
    /// # Errors
    /// When there is no answer; the error of `each`.
    pub fn each<Q: Question + Sync>(
        &self,
        question: &Q,
        mut each: impl FnMut(&Q::Answer) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut done = Ok(());
        let take = |answer: Q::Answer| {
            done = each(&answer);
            done.is_ok()
        };
        let now = now();
        question.check(now).map_err(|error| misread(&error))?;
        match self {
            QueryBackend::Store(data, store) => {
                let asked = beside(|each| question.ask(store, now, each), take);
                asked.map_err(|error| failure(data, error))?;
            }
            #[cfg(feature = "client")]
            QueryBackend::Server(server) => {
                server.ask(Q::ROUTE, question, take).map_err(unanswered)?;
            }
        };
        let retained = self.retained();
        say_retained(retained.filter(|&from| question.begins_before(from, now)));
        done
    }
}

/// Says that an answer lists only what is retained.
pub fn say_retained(from: Option<Millis>) {
    if let Some(from) = from {
        say(&format!(
            "entries before {} were pruned: only what is retained is listed",
            Time(from)
        ));
    }
}

/// What --zone does, for times that need it.
pub const ZONE_HINT: &str =
    "--zone Europe/Berlin names the zone of all times of a command that have none";

/// A time as typed on the command line.
///
/// # Errors
/// If it needs a zone.
pub fn typed(
    name: &'static str,
    time: Option<When>,
    now: Millis,
    zone: Option<Zone>,
) -> Result<Option<Millis>, Failure> {
    let time = time.map(|time| time.resolve(now, zone)).transpose();
    time.map_err(|error| misread(&ParamError::Zone(name, error)))
}

/// Parameters of the command line that mean nothing.
pub fn misread(error: &ParamError) -> Failure {
    let failure = Failure::new(Exit::Usage, error.to_string());
    match error {
        ParamError::Zone(..) => failure.hint(ZONE_HINT),
        _ => failure,
    }
}

/// Whether a range without a begin, or with this one, begins before a moment.
pub fn begins_before(
    (from, zone): (Option<When>, Option<Zone>),
    moment: Millis,
    now: Millis,
) -> bool {
    from.is_none_or(|from| from.resolve(now, zone).is_ok_and(|from| from < moment))
}

/// Who can answer for the store in a folder.
pub enum Found<S> {
    /// This process: no other one has it open.
    Store(Box<S>),
    /// The process that has it open, and answers on its socket.
    #[cfg(feature = "client")]
    Owner(Box<ServerClient>),
}

/// Opens the store in a folder with `open`, or finds the process that has it open.
///
/// # Errors
/// When there is no store, or another process has it open and does not answer.
pub fn find<S>(
    data: &Path,
    open: impl Fn(&Path, Duration) -> Result<S, StoreError>,
) -> Result<Found<S>, Failure> {
    #[cfg(feature = "client")]
    for _ in 0..QUERY_PATIENCE.as_millis() / LOOK.as_millis() {
        match open(data, Duration::ZERO) {
            Err(StoreError::InUse { .. }) => {}
            Err(error) => return Err(failure(data, error)),
            Ok(store) => return Ok(Found::Store(Box::new(store))),
        }
        if let Some(owner) = ServerClient::owner_of(data) {
            return Ok(Found::Owner(Box::new(owner)));
        }
        thread::sleep(LOOK);
    }
    #[cfg(not(feature = "client"))]
    const LAST: Duration = QUERY_PATIENCE;
    #[cfg(feature = "client")]
    const LAST: Duration = Duration::ZERO;
    let store = open(data, LAST).map_err(|error| failure(data, error))?;
    Ok(Found::Store(Box::new(store)))
}

/// Opens a store for a question. A store that cannot be written is read from a copy.
///
/// # Errors
/// The store's error.
pub fn open(data: &Path, patience: Duration) -> Result<Store, StoreError> {
    let options = Options::default().create(false).patience(patience);
    match Store::open(data, options) {
        Err(error) if error.forbids_writing() => {
            let store = Store::open_read_only(data)?;
            say(&format!(
                "{} cannot be written ({error}): read from a copy, nothing is settled",
                data.display()
            ));
            Ok(store)
        }
        opened => opened,
    }
}

/// Opens the store for a command that serves it itself.
///
/// # Errors
/// When there is no store, or another process has it open.
#[cfg(feature = "server")]
pub fn open_store(data: &Path) -> Result<Store, Failure> {
    open(data, super::holding::PATIENCE).map_err(|error| failure(data, error))
}

/// A client for the server at a URL of the command line.
///
/// # Errors
/// When the URL is wrong.
#[cfg(feature = "client")]
pub fn named(url: &str, tokens: TokenSource) -> Result<ServerClient, Failure> {
    use super::text::shown;
    use crate::client::transport::Address;

    let failed = |what: String| Failure::new(Exit::Failed, what);
    let address = Address::parse(url, ["http", "https"]);
    let address = address.map_err(|error| Failure::new(Exit::Usage, shown(&error.to_string())))?;
    ServerClient::new(address, tokens).map_err(|error| failed(error.to_string()))
}

/// As [`unanswered`], for the process that has the store in `data` open.
#[cfg(feature = "client")]
pub fn unanswered_by_owner(data: &Path, error: RemoteError) -> Failure {
    match error {
        RemoteError::Owner(OwnerFailure::NoSuchChannel(channel)) => {
            Failure::no_channel(&channel, data)
        }
        RemoteError::Owner(OwnerFailure::PastRetention(what)) => Failure::past_retention(what),
        other => unanswered(other),
    }
}

/// Turns a client's error into a sentence with advice.
#[cfg(feature = "client")]
pub fn unanswered(error: RemoteError) -> Failure {
    let what = super::text::shown(&error.to_string()).into_owned();
    match error {
        RemoteError::Owner(OwnerFailure::NoSuchChannel(_)) | RemoteError::NotFound(_) => {
            Failure::new(Exit::NotFound, what)
                .hint("`rollbook channels` lists the channels that there are")
        }
        RemoteError::PastRetention(_) | RemoteError::Owner(OwnerFailure::PastRetention(_)) => {
            Failure::past_retention(what)
        }
        RemoteError::Owner(OwnerFailure::Damaged(_)) => Failure::corrupt(what),
        RemoteError::Refused { .. } => Failure::new(Exit::Failed, what)
            .hint("ROLLBOOK_TOKEN, --token-file or --token-command have the token; `rollbook token` makes one that allows it"),
        RemoteError::Away { .. } => Failure::new(Exit::Failed, what)
            .hint("`rollbook serve` starts a server; --url or ROLLBOOK_URL says where yours is"),
        _ => Failure::new(Exit::Failed, what),
    }
}
