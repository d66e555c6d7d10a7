//! The life of a recorded feed: when to log in and out, when to take a token, and what the log is told of it. It is
//! pure: it hears what has happened and says what is to be done. It reads no clock, opens nothing and never sees a
//! token; `record` carries out what it says.
//!
//! ```text
//!                ┌────────────────── rest ──────────────────┐
//!                v                                          │
//! started ─> take token ─> log in ─> in ── lost, expired ───┘
//!                              ^      │ will expire: take tokens until there is a new one
//!                              └──────┘
//! ```
//!
//! Where the source takes a new token on the connection that there is (a Rollbook does), the token is renewed there, and
//! nothing is missed. Any other source, one that does not answer to that, and one whose token has expired: the feed logs
//! out, and a new client logs in with the new token. The snapshot that it then gets is reconciled by the log, like every
//! other.
//!
//! A source that plays a recording is no link: nothing is told of it, as of a file, and what it plays ends. It is heard
//! once, for it would begin anew for who comes back.

use super::backoff::Backoff;
use crate::domain::time::Millis;
use crate::limits::{LOGIN_SETTLED_MS, RENEWAL_MS_MAX, TOKEN_POLL_MS, TOKEN_WARNING_MS};
use serde::Serialize;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionInput {
    /// The program wants the feed to be followed.
    Started,
    /// A token was taken. The same number means the same token.
    Token(u64),
    /// None could be taken.
    NoToken,
    /// The login was accepted.
    LoggedIn {
        /// The source takes new tokens on this connection.
        renews: bool,
    },
    /// The login was accepted, by a source that plays a recording.
    Playing,
    /// The login failed.
    Refused(LoginRefusal),
    /// The source has said something.
    Spoke,
    /// The source says that the token will expire; in so many milliseconds, where it says when.
    WillExpire(Option<Millis>),
    /// The source says that the token was renewed.
    Renewed,
    /// The source does not take the new token on this connection.
    RenewalRefused,
    /// The source says that the token has expired.
    Expired,
    /// The connection is over.
    Ended(SessionEnd),
    /// The rest is over.
    Woke,
    /// The program is to end.
    Stopped,
}

/// Why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The token was not accepted.
    Token,
    /// What was asked for is not there, or not allowed: asking again will not help.
    Wrong,
    /// The server is not to be trusted, or does not speak as its URL says: nor will it then.
    Untrusted,
    /// Nobody answered, or not now.
    Away,
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The source closed it because the token has expired.
    Expired,
    /// The source has closed it in order (1000): what it plays is over.
    Done,
    /// It was closed or lost in any other way.
    Lost,
}

/// What is to be done, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAction {
    /// Take a token from where tokens come from, and tell which.
    Take,
    /// Make a new client and log in with the token that was taken last.
    LogIn,
    /// Give the token that was taken last to the source, on the connection that there is.
    Renew,
    /// Close the connection: what still comes is recorded, and nothing more is told of it.
    LogOut,
    /// Record this line.
    Say(Note),
    /// Wake after so many milliseconds.
    Rest(Millis),
    /// It is over: as asked for, because all was heard, or because it cannot go on.
    End(Option<LoginRefusal>),
    /// It is over, though not all of what was played was heard.
    BreakOff,
}

/// A line about the feed itself, in Rollbook's own format (contract 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Note {
    t: &'static str,
    /// What the link or the token has come to.
    pub state: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// When, Unix ms.
    pub ts: Millis,
}

impl Note {
    /// A link line.
    #[must_use]
    pub fn link(up: bool, reason: Option<&'static str>, ts: Millis) -> Note {
        let (t, state) = ("link", if up { "up" } else { "down" });
        Note {
            t,
            state,
            reason,
            ts,
        }
    }

    fn token(state: &'static str, ts: Millis) -> Note {
        let (t, reason) = ("token", None);
        Note {
            t,
            state,
            reason,
            ts,
        }
    }

    /// Whether the link came up (`true`) or went down; `None` for a token's line.
    #[must_use]
    pub fn is_up(&self) -> Option<bool> {
        (self.t == "link").then_some(self.state == "up")
    }
}

/// The link went down because the token had expired.
pub const TOKEN_EXPIRED: &str = "TOKEN_EXPIRED";
/// The link was taken down, to log in again before the token expires.
pub const TOKEN_WILL_EXPIRE: &str = "TOKEN_WILL_EXPIRE";
/// The connection was closed by the other side, or broke, or nobody answered.
pub const CONNECTION_LOST: &str = "connection_lost";
/// The program was told to end.
pub const STOPPED: &str = "stopped";

/// The state of one feed.
#[derive(Debug)]
pub struct SessionMachine {
    state: SessionState,
    /// There is somewhere to take new tokens from.
    renewable: bool,
    /// The token of the last login.
    token: Option<u64>,
    /// That token was not the one of the login before.
    fresh: bool,
    /// It has expired, or will, and the log knows that.
    lapsing: Option<Lapse>,
    /// It has been logged in before.
    known: bool,
    rests: Backoff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionState {
    Waiting,
    Taking,
    LoggingIn,
    In(OpenSession),
    Hearing,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OpenSession {
    since: Millis,
    spoke: bool,
    /// Where the token will expire: when.
    until: Option<Millis>,
    /// The source takes new tokens on this connection.
    renews: bool,
    /// Since when the token is this one.
    token_since: Millis,
    /// The token that was given to the source, and what became of that.
    given: Option<(u64, Given)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// It has not answered yet.
    Pending,
    /// It does not take that one.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lapse {
    Soon,
    Done,
}

impl SessionMachine {
    /// A feed that has not begun. `renewable`: tokens can be taken; no rest is longer than `rest_max` ms, and `seed`
    /// decides their jitter.
    ///
    /// ```
    /// use rollbook::client::session::{Deed, Happened, Life};
    /// let mut life = Life::new(true, 30_000, 7);
    /// assert_eq!(life.step(0, Happened::Started), [Deed::Take]);
    /// assert_eq!(life.step(5, Happened::Token(1)), [Deed::LogIn]);
    /// ```
    #[must_use]
    pub fn new(renewable: bool, rest_max: Millis, seed: u64) -> SessionMachine {
        SessionMachine {
            state: SessionState::Waiting,
            renewable,
            token: None,
            fresh: true,
            lapsing: None,
            known: false,
            rests: Backoff::new(rest_max, seed),
        }
    }

    /// What is to be done now that this has happened. What cannot happen in the state that it is in changes nothing.
    pub fn step(&mut self, now: Millis, happened: SessionInput) -> Vec<SessionAction> {
        match (self.state, happened) {
            (SessionState::Over, _) => vec![],
            (state, SessionInput::Stopped) => {
                self.state = SessionState::Over;
                let mut deeds = match state {
                    SessionState::In(_) => vec![SessionAction::LogOut, down(STOPPED, now)],
                    SessionState::Hearing => vec![SessionAction::LogOut],
                    _ => vec![],
                };
                deeds.push(SessionAction::End(None));
                deeds
            }
            (SessionState::Waiting, SessionInput::Started | SessionInput::Woke)
                if self.renewable =>
            {
                self.state = SessionState::Taking;
                vec![SessionAction::Take]
            }
            (SessionState::Waiting, SessionInput::Started | SessionInput::Woke) => {
                self.log_in(None)
            }
            (SessionState::Taking, SessionInput::Token(token)) => self.log_in(Some(token)),
            (SessionState::Taking, SessionInput::NoToken) => self.fail(),
            (SessionState::LoggingIn, SessionInput::LoggedIn { renews }) => {
                self.logged_in(renews, now)
            }
            (SessionState::LoggingIn, SessionInput::Playing) => {
                self.state = SessionState::Hearing;
                vec![]
            }
            (SessionState::LoggingIn, SessionInput::Refused(refusal)) => self.refused(refusal, now),
            (SessionState::In(session), happened) => self.inside(session, happened, now),
            (SessionState::Hearing, SessionInput::Ended(ending)) => {
                self.state = SessionState::Over;
                match ending {
                    SessionEnd::Done => vec![SessionAction::End(None)],
                    SessionEnd::Expired | SessionEnd::Lost => vec![SessionAction::BreakOff],
                }
            }
            _ => vec![],
        }
    }

    fn inside(
        &mut self,
        session: OpenSession,
        happened: SessionInput,
        now: Millis,
    ) -> Vec<SessionAction> {
        match happened {
            SessionInput::Spoke => {
                let spoke = true;
                self.state = SessionState::In(OpenSession { spoke, ..session });
                vec![]
            }
            SessionInput::WillExpire(in_ms) => {
                self.lapsing = Some(Lapse::Soon);
                let until = now.saturating_add(in_ms.unwrap_or(TOKEN_WARNING_MS).max(0));
                let sooner = session.until.map_or(until, |known| known.min(until));
                if !self.renewable {
                    return vec![];
                }
                let until = Some(sooner);
                self.state = SessionState::In(OpenSession { until, ..session });
                match session.until {
                    None => vec![SessionAction::Take],
                    // One is being taken, or waited for.
                    Some(_) => vec![],
                }
            }
            SessionInput::Token(token)
                if let Some(until) = session.until
                    && self.token != Some(token)
                    && session.given != Some((token, Given::Refused))
                    // Tokens of seconds would else be used up one after the other.
                    && now.saturating_sub(session.token_since) >= TOKEN_POLL_MS =>
            {
                if !session.renews {
                    return self.log_in_anew(session, token, now);
                }
                let given = Some((token, Given::Pending));
                self.state = SessionState::In(OpenSession { given, ..session });
                // What it does not say before the old one expires it does not say in time.
                let answer = (until - now).clamp(0, RENEWAL_MS_MAX);
                vec![SessionAction::Renew, SessionAction::Rest(answer)]
            }
            SessionInput::Renewed => {
                let mut renewed = OpenSession {
                    spoke: true,
                    ..session
                };
                if let Some((token, _)) = session.given {
                    self.token = Some(token);
                    self.lapsing = None;
                    (renewed.until, renewed.given) = (None, None);
                    renewed.token_since = now;
                }
                self.state = SessionState::In(renewed);
                vec![]
            }
            SessionInput::RenewalRefused => {
                let given = session.given.map(|(token, _)| (token, Given::Refused));
                self.state = SessionState::In(OpenSession { given, ..session });
                match session.until {
                    Some(until) if given.is_some() => vec![poll(until, now)],
                    _ => vec![],
                }
            }
            SessionInput::Token(_) | SessionInput::NoToken => match session.until {
                Some(until) => vec![poll(until, now)],
                None => vec![],
            },
            SessionInput::Woke
                if session.until.is_some()
                    && let Some((token, Given::Pending)) = session.given =>
            {
                self.log_in_anew(session, token, now)
            }
            SessionInput::Woke => match session.until {
                Some(until) if now < until => vec![SessionAction::Take],
                Some(_) => {
                    let mut deeds = vec![SessionAction::LogOut];
                    deeds.extend(self.expired(now));
                    deeds.push(down(TOKEN_EXPIRED, now));
                    deeds.push(self.leave(session, now));
                    deeds
                }
                None => vec![],
            },
            SessionInput::Expired => {
                self.lapsing = Some(Lapse::Done);
                let rest = self.leave(session, now);
                vec![SessionAction::LogOut, down(TOKEN_EXPIRED, now), rest]
            }
            SessionInput::Ended(SessionEnd::Expired) => {
                let mut deeds = self.expired(now);
                deeds.push(down(TOKEN_EXPIRED, now));
                deeds.push(self.leave(session, now));
                deeds
            }
            // Who follows what is live comes back, in whatever order it was let go.
            SessionInput::Ended(SessionEnd::Lost | SessionEnd::Done) => {
                vec![down(CONNECTION_LOST, now), self.leave(session, now)]
            }
            _ => vec![],
        }
    }

    fn log_in(&mut self, token: Option<u64>) -> Vec<SessionAction> {
        self.fresh = self.token != token;
        self.token = token;
        self.state = SessionState::LoggingIn;
        vec![SessionAction::LogIn]
    }

    /// A new client is made with a new token, while the old one is still good.
    fn log_in_anew(&mut self, session: OpenSession, token: u64, now: Millis) -> Vec<SessionAction> {
        let mut deeds = vec![SessionAction::LogOut, down(TOKEN_WILL_EXPIRE, now)];
        self.count(session, now);
        if self.rests.is_fresh() {
            deeds.extend(self.log_in(Some(token)));
        } else {
            // Logins that lead to nothing are not hurried, whatever the source says of its tokens.
            deeds.push(self.rest());
        }
        deeds
    }

    fn logged_in(&mut self, renews: bool, now: Millis) -> Vec<SessionAction> {
        self.known = true;
        self.state = SessionState::In(OpenSession {
            since: now,
            spoke: false,
            until: None,
            renews,
            token_since: now,
            given: None,
        });
        let renewed = self.lapsing.take();
        let mut deeds: Vec<SessionAction> = renewed
            .map(|_| SessionAction::Say(Note::token("renewed", now)))
            .into_iter()
            .collect();
        deeds.push(SessionAction::Say(Note::link(true, None, now)));
        deeds
    }

    fn refused(&mut self, refusal: LoginRefusal, now: Millis) -> Vec<SessionAction> {
        let hopeless = match refusal {
            LoginRefusal::Token => !self.renewable,
            LoginRefusal::Wrong | LoginRefusal::Untrusted => !self.known,
            LoginRefusal::Away => false,
        };
        if hopeless {
            self.state = SessionState::Over;
            return vec![SessionAction::End(Some(refusal))];
        }
        let mut deeds = vec![];
        if refusal == LoginRefusal::Token && self.known {
            deeds = self.expired(now);
        }
        deeds.extend(self.fail());
        deeds
    }

    /// Says that the token has expired, unless the log knows.
    fn expired(&mut self, now: Millis) -> Vec<SessionAction> {
        let known = self.lapsing.replace(Lapse::Done) == Some(Lapse::Done);
        let say = (!known).then(|| SessionAction::Say(Note::token("expired", now)));
        say.into_iter().collect()
    }

    fn fail(&mut self) -> Vec<SessionAction> {
        self.rests.count(false);
        vec![self.rest()]
    }

    /// A session is over: rest before the next one.
    fn leave(&mut self, session: OpenSession, now: Millis) -> SessionAction {
        self.count(session, now);
        self.rest()
    }

    /// A session was worth its login where the source spoke, and it held for a while or had a new token: else a source
    /// that closes at once would be asked without end.
    fn count(&mut self, session: OpenSession, now: Millis) {
        let held = now.saturating_sub(session.since) >= LOGIN_SETTLED_MS;
        self.rests.count(session.spoke && (held || self.fresh));
    }

    fn rest(&mut self) -> SessionAction {
        self.state = SessionState::Waiting;
        SessionAction::Rest(self.rests.draw())
    }
}

/// When a new token is looked for again, while the old one is still good.
fn poll(until: Millis, now: Millis) -> SessionAction {
    SessionAction::Rest((until - now).clamp(0, TOKEN_POLL_MS))
}

fn down(reason: &'static str, now: Millis) -> SessionAction {
    SessionAction::Say(Note::link(false, Some(reason), now))
}
