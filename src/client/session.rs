//! The session of a recorded feed: when to log in and out, when to take a token, and what to record about it. It is a
//! pure state machine: inputs are events, outputs are actions. It reads no clock, does no I/O and never sees a token.
//! `record` executes the actions.
//!
//! ```text
//!                ┌────────────────── rest ──────────────────┐
//!                v                                          │
//! started ─> take token ─> log in ─> in ── lost, expired ───┘
//!                              ^      │ will expire: take tokens until there is a new one
//!                              └──────┘
//! ```
//!
//! If the source accepts a new token on the open connection (a Rollbook does), the token is renewed there, and
//! nothing is missed. In all other cases (another source, a source that does not answer the renewal, an expired
//! token) the feed logs out, and a new client logs in with the new token. The log reconciles the snapshot that
//! follows, as it does every snapshot.
//!
//! A source that plays a recording has no link: nothing is recorded about it, as with a file, and the recording has
//! an end. It is received once only, because the source would play it from the start again after a reconnect.

use super::backoff::Backoff;
use crate::domain::time::Millis;
use crate::limits::{LOGIN_SETTLED_MS, RENEWAL_MS_MAX, TOKEN_POLL_MS, TOKEN_WARNING_MS};
use serde::Serialize;

/// An event for the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionInput {
    /// The program wants the feed to be followed.
    Started,
    /// A token was taken. The same number means the same token.
    Token(u64),
    /// No token could be taken.
    NoToken,
    /// The login was accepted.
    LoggedIn {
        /// Whether the source accepts new tokens on this connection.
        renews: bool,
    },
    /// The login was accepted; the source plays a recording.
    Playing,
    /// The login failed.
    Refused(LoginRefusal),
    /// The source has sent something.
    Spoke,
    /// The source reports that the token will expire, and perhaps in how many milliseconds.
    WillExpire(Option<Millis>),
    /// The source reports that the token was renewed.
    Renewed,
    /// The source refused the new token on this connection.
    RenewalRefused,
    /// The source reports that the token has expired.
    Expired,
    /// The connection ended.
    Ended(SessionEnd),
    /// The rest is over.
    Woke,
    /// The program has to end.
    Stopped,
}

/// Why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The token was not accepted.
    Token,
    /// The request is wrong or not allowed; trying again will not help.
    Wrong,
    /// The server is not trusted, or does not speak the protocol of its URL; trying again will not help.
    Untrusted,
    /// No answer, or none at the moment.
    Away,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The source closed it because the token has expired.
    Expired,
    /// The source closed it normally (1000): the recording is complete.
    Done,
    /// It was closed or lost for another reason.
    Lost,
}

/// An action for `record`, to be executed in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAction {
    /// Take a token from the token source, and report its number.
    Take,
    /// Create a new client, and log in with the token that was taken last.
    LogIn,
    /// Send the token that was taken last to the source, on the open connection.
    Renew,
    /// Close the connection. Lines that still arrive are recorded, but not reported to the state machine.
    LogOut,
    /// Record this line.
    Say(Note),
    /// Wake after this many milliseconds.
    Rest(Millis),
    /// The session is over: as requested, because all was received, or because it cannot continue.
    End(Option<LoginRefusal>),
    /// The session is over, but not all of the recording was received.
    BreakOff,
}

/// A line about the feed itself, in Rollbook's own format ([guide](crate::guide::semantics#own-format)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Note {
    t: &'static str,
    /// The new state of the link or the token.
    pub state: &'static str,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The time, Unix ms.
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
/// The other side closed the connection, or the connection broke.
pub const CONNECTION_LOST: &str = "connection_lost";
/// The program was asked to stop.
pub const STOPPED: &str = "stopped";

/// The state machine of one feed.
#[derive(Debug)]
pub struct SessionMachine {
    state: SessionState,
    /// New tokens can be taken.
    renewable: bool,
    /// The token of the last login, or the last one the source accepted since.
    token: Option<u64>,
    /// The last login used a different token than before.
    fresh: bool,
    /// The token will expire or has expired, and the log knows that.
    lapsing: Option<Lapse>,
    /// A login has succeeded before.
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
    /// The time at which the token will expire, if that was reported.
    until: Option<Millis>,
    /// Whether the source accepts new tokens on this connection.
    renews: bool,
    /// The time of the last login or renewal.
    token_since: Millis,
    /// The token sent to the source for renewal, and the source's answer.
    given: Option<(u64, Given)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// No answer yet.
    Pending,
    /// The source refused this token.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lapse {
    Soon,
    Done,
}

impl SessionMachine {
    /// The state of a feed that has not started. `renewable`: new tokens can be taken. No rest is longer than
    /// `rest_max` ms; `seed` decides their jitter.
    ///
    /// ```
    /// use rollbook::client::session::{SessionAction, SessionInput, SessionMachine};
    /// let mut session = SessionMachine::new(true, 30_000, 7);
    /// assert_eq!(session.step(0, SessionInput::Started), [SessionAction::Take]);
    /// assert_eq!(session.step(5, SessionInput::Token(1)), [SessionAction::LogIn]);
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

    /// Handles an event, and returns the actions to execute. An event that is impossible in the current state has no
    /// effect.
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
            SessionInput::WillExpire(in_ms) => self.will_expire(session, in_ms, now),
            SessionInput::Token(token)
                if let Some(until) = session.until
                    && self.token != Some(token)
                    && session.given != Some((token, Given::Refused))
                    // Otherwise tokens with a lifetime of seconds would be renewed without a pause.
                    && now.saturating_sub(session.token_since) >= TOKEN_POLL_MS =>
            {
                if !session.renews {
                    return self.log_in_anew(session, token, now);
                }
                let given = Some((token, Given::Pending));
                self.state = SessionState::In(OpenSession { given, ..session });
                // An answer is no use after the old token has expired, so the wait ends at that time at the latest.
                let answer = (until - now).clamp(0, RENEWAL_MS_MAX);
                vec![SessionAction::Renew, SessionAction::Rest(answer)]
            }
            SessionInput::Renewed => self.renewed(session, now),
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
            SessionInput::Woke => self.woken(session, now),
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
            // A live feed is followed again, even if the source closed the connection normally.
            SessionInput::Ended(SessionEnd::Lost | SessionEnd::Done) => {
                vec![down(CONNECTION_LOST, now), self.leave(session, now)]
            }
            _ => vec![],
        }
    }

    /// Takes a new token, unless that has begun.
    fn will_expire(
        &mut self,
        session: OpenSession,
        in_ms: Option<Millis>,
        now: Millis,
    ) -> Vec<SessionAction> {
        self.lapsing = Some(Lapse::Soon);
        if !self.renewable {
            return vec![];
        }
        let until = now.saturating_add(in_ms.unwrap_or(TOKEN_WARNING_MS).max(0));
        let until = Some(session.until.map_or(until, |known| known.min(until)));
        self.state = SessionState::In(OpenSession { until, ..session });
        match session.until {
            None => vec![SessionAction::Take],
            // A token is already being taken, or polled for.
            Some(_) => vec![],
        }
    }

    fn renewed(&mut self, mut session: OpenSession, now: Millis) -> Vec<SessionAction> {
        session.spoke = true;
        if let Some((token, _)) = session.given.take() {
            self.token = Some(token);
            self.lapsing = None;
            session.until = None;
            session.token_since = now;
        }
        self.state = SessionState::In(session);
        vec![]
    }

    /// A renewal was not answered in time, a new token can be looked for, or the old one has expired.
    fn woken(&mut self, session: OpenSession, now: Millis) -> Vec<SessionAction> {
        let Some(until) = session.until else {
            return vec![];
        };
        if let Some((token, Given::Pending)) = session.given {
            return self.log_in_anew(session, token, now);
        }
        if now < until {
            return vec![SessionAction::Take];
        }
        let mut deeds = vec![SessionAction::LogOut];
        deeds.extend(self.expired(now));
        deeds.push(down(TOKEN_EXPIRED, now));
        deeds.push(self.leave(session, now));
        deeds
    }

    fn log_in(&mut self, token: Option<u64>) -> Vec<SessionAction> {
        self.fresh = self.token != token;
        self.token = token;
        self.state = SessionState::LoggingIn;
        vec![SessionAction::LogIn]
    }

    /// Logs in as a new client with a new token, while the old token is still valid.
    fn log_in_anew(&mut self, session: OpenSession, token: u64, now: Millis) -> Vec<SessionAction> {
        let mut deeds = vec![SessionAction::LogOut, down(TOKEN_WILL_EXPIRE, now)];
        self.count(session, now);
        if self.rests.is_fresh() {
            deeds.extend(self.log_in(Some(token)));
        } else {
            // Logins without a useful session are delayed, whatever the source reports about its tokens.
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

    /// Records that the token has expired, unless the log knows that.
    fn expired(&mut self, now: Millis) -> Vec<SessionAction> {
        let known = self.lapsing.replace(Lapse::Done) == Some(Lapse::Done);
        let say = (!known).then(|| SessionAction::Say(Note::token("expired", now)));
        say.into_iter().collect()
    }

    fn fail(&mut self) -> Vec<SessionAction> {
        self.rests.count(false);
        vec![self.rest()]
    }

    /// Ends a session, and rests before the next one.
    fn leave(&mut self, session: OpenSession, now: Millis) -> SessionAction {
        self.count(session, now);
        self.rest()
    }

    /// A session was useful if the source sent something, and if it lasted for some time or used a new token. Without
    /// this rule, a source that closes at once would get logins without end.
    fn count(&mut self, session: OpenSession, now: Millis) {
        let held = now.saturating_sub(session.since) >= LOGIN_SETTLED_MS;
        self.rests.count(session.spoke && (held || self.fresh));
    }

    fn rest(&mut self) -> SessionAction {
        self.state = SessionState::Waiting;
        SessionAction::Rest(self.rests.draw())
    }
}

/// When to look for a new token again, while the old one is still valid.
fn poll(until: Millis, now: Millis) -> SessionAction {
    SessionAction::Rest((until - now).clamp(0, TOKEN_POLL_MS))
}

fn down(reason: &'static str, now: Millis) -> SessionAction {
    SessionAction::Say(Note::link(false, Some(reason), now))
}
