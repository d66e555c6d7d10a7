//! Laws of the session of a recorded feed, for any order of events. No clock, no network, no tokens.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use rollbook::client::session::{
    LoginRefusal, SessionAction, SessionEnd, SessionInput, SessionMachine,
};

const REST_MAX: i64 = 30_000;

/// Any event of a session. `Started` comes by itself, once.
fn happened() -> impl Strategy<Value = SessionInput> {
    prop_oneof![
        1 => (0..4_u64).prop_map(SessionInput::Token),
        1 => Just(SessionInput::NoToken),
        3 => any::<bool>().prop_map(|renews| SessionInput::LoggedIn { renews }),
        1 => Just(SessionInput::Renewed),
        1 => Just(SessionInput::RenewalRefused),
        1 => Just(SessionInput::Playing),
        1 => Just(SessionInput::Refused(LoginRefusal::Token)),
        1 => Just(SessionInput::Refused(LoginRefusal::Away)),
        1 => Just(SessionInput::Refused(LoginRefusal::Wrong)),
        3 => Just(SessionInput::Spoke),
        1 => proptest::option::of(-5..60_000_i64).prop_map(SessionInput::WillExpire),
        1 => Just(SessionInput::Expired),
        1 => Just(SessionInput::Ended(SessionEnd::Expired)),
        1 => Just(SessionInput::Ended(SessionEnd::Done)),
        1 => Just(SessionInput::Ended(SessionEnd::Lost)),
        3 => Just(SessionInput::Woke),
        1 => Just(SessionInput::Stopped),
    ]
}

/// What the code that carries out the actions is waiting for.
#[derive(Debug, Default)]
struct World {
    taking: bool,
    logging_in: bool,
    resting: Option<i64>,
    inside: bool,
    /// The connection plays a recording.
    playing: bool,
    link_up: bool,
    over: bool,
}

impl World {
    /// Whether the event can happen in this state.
    fn allows(&self, happened: SessionInput) -> bool {
        match happened {
            SessionInput::Started => false,
            SessionInput::Token(_) | SessionInput::NoToken => self.taking,
            SessionInput::LoggedIn { .. } | SessionInput::Playing | SessionInput::Refused(_) => {
                self.logging_in
            }
            SessionInput::Woke => self.resting.is_some(),
            SessionInput::Stopped => true,
            SessionInput::Spoke
            | SessionInput::WillExpire(_)
            | SessionInput::Renewed
            | SessionInput::RenewalRefused
            | SessionInput::Expired
            | SessionInput::Ended(_) => self.inside,
        }
    }

    fn happens(&mut self, happened: SessionInput) {
        match happened {
            SessionInput::Token(_) | SessionInput::NoToken => self.taking = false,
            SessionInput::LoggedIn { .. } => (self.logging_in, self.inside) = (false, true),
            SessionInput::Playing => {
                (self.logging_in, self.inside, self.playing) = (false, true, true);
            }
            SessionInput::Refused(_) => self.logging_in = false,
            SessionInput::Woke => self.resting = None,
            SessionInput::Ended(_) => self.inside = false,
            _ => {}
        }
    }

    /// Carries out an action, and panics if it makes no sense.
    fn does(&mut self, deed: SessionAction) {
        assert!(!self.over, "{deed:?} after the end");
        // Besides the connection there is only one pending action: a new one replaces the old one.
        match deed {
            SessionAction::Take => {
                assert!(!self.logging_in);
                (self.taking, self.resting) = (true, None);
            }
            SessionAction::LogIn => {
                assert!(!self.inside && !self.link_up, "two clients at once");
                assert!(!self.playing, "it would begin anew");
                (self.taking, self.logging_in, self.resting) = (false, true, None);
            }
            SessionAction::Renew => assert!(self.inside && !self.playing, "renewed to nobody"),
            SessionAction::LogOut => {
                assert!(self.inside, "out of nowhere");
                self.inside = false;
            }
            SessionAction::Rest(ms) => {
                assert!((0..=REST_MAX).contains(&ms), "{ms}");
                (self.taking, self.resting) = (false, Some(ms));
            }
            SessionAction::Say(note) => {
                assert!(!self.playing, "{note:?}: a recording has no link");
                if let Some(up) = note.is_up() {
                    assert_ne!(up, self.link_up, "the link comes up and goes down by turns");
                    assert_eq!(up, self.inside, "the log says what is so");
                    self.link_up = up;
                }
            }
            SessionAction::End(_) => {
                assert!(!self.inside && !self.link_up, "an end without goodbye");
                self.over = true;
            }
            SessionAction::BreakOff => {
                assert!(self.playing && !self.inside, "nothing broke off");
                self.over = true;
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_log_says_what_is_so_and_something_comes_next(
        renewable: bool,
        seed: u64,
        events in proptest::collection::vec((happened(), 0..20_000_i64), 0..200),
    ) {
        let mut life = SessionMachine::new(renewable, REST_MAX, seed);
        let mut world = World::default();
        let mut now = 1_000_000;
        for deed in life.step(now, SessionInput::Started) {
            world.does(deed);
        }
        for (event, passes) in events {
            now += passes;
            if !world.allows(event) || world.over {
                continue;
            }
            world.happens(event);
            for deed in life.step(now, event) {
                world.does(deed);
            }
            let goes_on = world.taking || world.logging_in || world.resting.is_some() || world.inside;
            prop_assert!(goes_on || world.over, "{event:?} leads nowhere: {world:?}");
        }
        if !world.over {
            for deed in life.step(now, SessionInput::Stopped) {
                world.does(deed);
            }
        }
        prop_assert!(world.over);
        prop_assert_eq!(life.step(now, SessionInput::Woke), vec![]);
    }

    #[test]
    fn what_cannot_happen_changes_nothing_and_breaks_nothing(
        renewable: bool,
        events in proptest::collection::vec(happened(), 0..100),
    ) {
        let mut life = SessionMachine::new(renewable, REST_MAX, 1);
        for event in events {
            life.step(0, event);
        }
    }

    #[test]
    fn rests_grow_to_their_limit_and_differ(seed: u64) {
        let mut life = SessionMachine::new(false, REST_MAX, seed);
        let mut rests = Vec::new();
        let mut deeds = life.step(0, SessionInput::Started);
        for _ in 0..40 {
            prop_assert_eq!(&deeds, &vec![SessionAction::LogIn]);
            let rested = life.step(0, SessionInput::Refused(LoginRefusal::Away));
            let [SessionAction::Rest(ms)] = rested[..] else { panic!("{rested:?}") };
            rests.push(ms);
            deeds = life.step(0, SessionInput::Woke);
        }
        for (at, rest) in rests.iter().enumerate() {
            let most = (250 << (at + 1).min(20)).min(REST_MAX);
            prop_assert!(*rest <= most, "{rests:?}");
        }
        // Full jitter: so many rests include short and long ones.
        prop_assert!(rests[8..].iter().any(|rest| *rest < REST_MAX / 2), "{rests:?}");
        prop_assert!(rests[8..].iter().any(|rest| *rest > REST_MAX / 2), "{rests:?}");
    }
}

fn line(deed: &SessionAction) -> String {
    match deed {
        SessionAction::Say(note) => serde_json::to_string(note).unwrap(),
        deed => format!("{deed:?}"),
    }
}

fn lines(deeds: &[SessionAction]) -> Vec<String> {
    deeds.iter().map(line).collect()
}

/// A session that is logged in with token 1.
fn inside() -> SessionMachine {
    let mut life = SessionMachine::new(true, REST_MAX, 1);
    life.step(0, SessionInput::Started);
    life.step(0, SessionInput::Token(1));
    life.step(0, SessionInput::LoggedIn { renews: false });
    life.step(0, SessionInput::Spoke);
    life
}

#[test]
fn a_token_that_will_expire_is_waited_out_until_there_is_a_new_one() {
    let mut life = inside();
    assert_eq!(
        life.step(100_000, SessionInput::WillExpire(Some(30_000))),
        [SessionAction::Take]
    );
    // The same token again, and then none; the connection continues meanwhile.
    assert_eq!(
        life.step(100_010, SessionInput::Token(1)),
        [SessionAction::Rest(1_000)]
    );
    assert_eq!(
        life.step(101_010, SessionInput::Woke),
        [SessionAction::Take]
    );
    assert_eq!(
        life.step(101_020, SessionInput::NoToken),
        [SessionAction::Rest(1_000)]
    );
    assert_eq!(
        life.step(102_020, SessionInput::Woke),
        [SessionAction::Take]
    );
    let deeds = lines(&life.step(102_030, SessionInput::Token(2)));
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_WILL_EXPIRE","ts":102030}"#;
    assert_eq!(deeds, ["LogOut", down, "LogIn"]);
    let deeds = lines(&life.step(102_050, SessionInput::LoggedIn { renews: false }));
    let renewed = r#"{"t":"token","state":"renewed","ts":102050}"#;
    assert_eq!(deeds, [renewed, r#"{"t":"link","state":"up","ts":102050}"#]);
}

/// A session whose source renews tokens on the open connection, and has just reported that its token will expire.
fn renewing() -> SessionMachine {
    let mut life = SessionMachine::new(true, REST_MAX, 1);
    life.step(0, SessionInput::Started);
    life.step(0, SessionInput::Token(1));
    life.step(0, SessionInput::LoggedIn { renews: true });
    life.step(0, SessionInput::Spoke);
    let deeds = life.step(100_000, SessionInput::WillExpire(Some(30_000)));
    assert_eq!(deeds, [SessionAction::Take]);
    life
}

#[test]
fn a_token_is_renewed_on_the_connection_that_there_is_where_the_source_takes_it() {
    let mut life = renewing();
    let deeds = life.step(100_010, SessionInput::Token(2));
    assert_eq!(deeds, [SessionAction::Renew, SessionAction::Rest(5_000)]);
    assert_eq!(life.step(100_020, SessionInput::Renewed), []);
    // The rest is over, and nothing is left to do. The next warning starts again.
    assert_eq!(life.step(105_010, SessionInput::Woke), []);
    let deeds = life.step(200_000, SessionInput::WillExpire(Some(30_000)));
    assert_eq!(deeds, [SessionAction::Take]);
    assert_eq!(
        life.step(200_010, SessionInput::Token(3)),
        [SessionAction::Renew, SessionAction::Rest(5_000)]
    );
    // A later loss is handled as usual, and the next login uses the latest token.
    let deeds = lines(&life.step(200_020, SessionInput::Ended(SessionEnd::Lost)));
    let down = r#"{"t":"link","state":"down","reason":"connection_lost","ts":200020}"#;
    assert_eq!(deeds[0], down);
}

#[test]
fn a_source_that_does_not_answer_to_a_renewal_gets_a_new_client() {
    let mut life = renewing();
    life.step(128_000, SessionInput::Token(1));
    let deeds = life.step(128_500, SessionInput::Token(2));
    assert_eq!(deeds, [SessionAction::Renew, SessionAction::Rest(1_500)]);
    let deeds = lines(&life.step(130_000, SessionInput::Woke));
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_WILL_EXPIRE","ts":130000}"#;
    assert_eq!(deeds, ["LogOut", down, "LogIn"]);
}

#[test]
fn a_renewal_that_is_refused_waits_for_another_token_until_the_old_one_expires() {
    let mut life = renewing();
    life.step(100_010, SessionInput::Token(2));
    let deeds = life.step(100_020, SessionInput::RenewalRefused);
    assert_eq!(deeds, [SessionAction::Rest(1_000)]);
    assert_eq!(
        life.step(101_020, SessionInput::Woke),
        [SessionAction::Take]
    );
    // The same token is not used again.
    assert_eq!(
        life.step(101_030, SessionInput::Token(2)),
        [SessionAction::Rest(1_000)]
    );
    assert_eq!(
        life.step(102_030, SessionInput::Woke),
        [SessionAction::Take]
    );
    let deeds = life.step(102_040, SessionInput::Token(3));
    assert_eq!(deeds, [SessionAction::Renew, SessionAction::Rest(5_000)]);
    life.step(102_050, SessionInput::RenewalRefused);
    let deeds = life.step(130_000, SessionInput::Woke);
    let expired = r#"{"t":"token","state":"expired","ts":130000}"#;
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_EXPIRED","ts":130000}"#;
    assert_eq!(lines(&deeds[..3]), ["LogOut", expired, down]);
}

#[test]
fn tokens_that_are_about_to_expire_from_the_start_are_not_used_up_in_a_hurry() {
    let mut life = SessionMachine::new(true, REST_MAX, 1);
    let (mut now, mut token, mut logins) = (0, 0, 0);
    let mut deeds = life.step(now, SessionInput::Started);
    while now < 60_000 {
        let mut next = Vec::new();
        for deed in deeds {
            now += 1;
            match deed {
                SessionAction::Take => {
                    token += 1;
                    next.extend(life.step(now, SessionInput::Token(token)));
                }
                SessionAction::LogIn => {
                    logins += 1;
                    next.extend(life.step(now, SessionInput::LoggedIn { renews: false }));
                    life.step(now, SessionInput::Spoke);
                    next.extend(life.step(now, SessionInput::WillExpire(Some(5_000))));
                }
                SessionAction::Rest(ms) => {
                    now += ms;
                    next.extend(life.step(now, SessionInput::Woke));
                }
                _ => {}
            }
        }
        deeds = next;
    }
    assert!((30..=60).contains(&logins), "{logins}");
}

#[test]
fn where_no_new_token_comes_in_time_it_logs_out_when_the_old_one_expires() {
    let mut life = inside();
    life.step(100_000, SessionInput::WillExpire(Some(1_500)));
    assert_eq!(
        life.step(100_010, SessionInput::Token(1)),
        [SessionAction::Rest(1_000)]
    );
    life.step(101_010, SessionInput::Woke);
    assert_eq!(
        life.step(101_020, SessionInput::Token(1)),
        [SessionAction::Rest(480)]
    );
    let deeds = life.step(101_500, SessionInput::Woke);
    let expired = r#"{"t":"token","state":"expired","ts":101500}"#;
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_EXPIRED","ts":101500}"#;
    assert_eq!(lines(&deeds[..3]), ["LogOut", expired, down]);
    assert!(matches!(deeds[3..], [SessionAction::Rest(_)]));
}

#[test]
fn an_expiry_is_said_once() {
    let mut life = inside();
    // The source's own line about the expiry is in the log already.
    let deeds = life.step(1, SessionInput::Expired);
    assert!(
        matches!(
            deeds[..],
            [
                SessionAction::LogOut,
                SessionAction::Say(_),
                SessionAction::Rest(_)
            ]
        ),
        "{deeds:?}"
    );
    life.step(2, SessionInput::Woke);
    life.step(3, SessionInput::Token(2));
    // A login that fails with another token for the same reason is not reported again.
    assert!(matches!(
        life.step(4, SessionInput::Refused(LoginRefusal::Token))[..],
        [SessionAction::Rest(_)]
    ));
}

#[test]
fn logins_that_are_let_in_and_thrown_out_again_are_not_hurried() {
    let mut life = inside();
    let mut most = 0;
    for _ in 0..20 {
        let deeds = life.step(0, SessionInput::Ended(SessionEnd::Expired));
        let Some(SessionAction::Rest(ms)) = deeds.last() else {
            panic!("{deeds:?}")
        };
        most = most.max(*ms);
        life.step(0, SessionInput::Woke);
        // Always the same token, and always a message before the end.
        life.step(0, SessionInput::Token(1));
        life.step(0, SessionInput::LoggedIn { renews: false });
        life.step(0, SessionInput::Spoke);
    }
    assert!(most > REST_MAX / 4, "{most}");
}

#[test]
fn a_refusal_is_final_only_where_asking_again_cannot_help() {
    // Without a source of new tokens, a refused token stays refused.
    let mut life = SessionMachine::new(false, REST_MAX, 1);
    assert_eq!(life.step(0, SessionInput::Started), [SessionAction::LogIn]);
    let refused = SessionInput::Refused(LoginRefusal::Token);
    assert_eq!(
        life.step(0, refused),
        [SessionAction::End(Some(LoginRefusal::Token))]
    );
    // A wrong address is reported at once. But an address that was right once may be right again.
    let mut life = SessionMachine::new(true, REST_MAX, 1);
    life.step(0, SessionInput::Started);
    life.step(0, SessionInput::Token(1));
    let refused = SessionInput::Refused(LoginRefusal::Wrong);
    assert_eq!(
        life.step(0, refused),
        [SessionAction::End(Some(LoginRefusal::Wrong))]
    );
    let mut life = inside();
    life.step(0, SessionInput::Ended(SessionEnd::Lost));
    life.step(0, SessionInput::Woke);
    life.step(0, SessionInput::Token(1));
    assert!(matches!(
        life.step(0, refused)[..],
        [SessionAction::Rest(_)]
    ));
}
