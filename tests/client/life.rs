//! The laws of a recorded feed's life: whatever happens, in whatever order. No clock, no network, no tokens.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use rollbook::client::life::{Deed, Ending, Happened, Life, Refusal};

const REST_MAX: i64 = 30_000;

/// What may happen to a feed, at each moment. `Started` comes by itself, once.
fn happened() -> impl Strategy<Value = Happened> {
    prop_oneof![
        1 => (0..4_u64).prop_map(Happened::Token),
        1 => Just(Happened::NoToken),
        3 => any::<bool>().prop_map(|renews| Happened::LoggedIn { renews }),
        1 => Just(Happened::Renewed),
        1 => Just(Happened::RenewalRefused),
        1 => Just(Happened::Playing),
        1 => Just(Happened::Refused(Refusal::Token)),
        1 => Just(Happened::Refused(Refusal::Away)),
        1 => Just(Happened::Refused(Refusal::Wrong)),
        3 => Just(Happened::Spoke),
        1 => proptest::option::of(-5..60_000_i64).prop_map(Happened::WillExpire),
        1 => Just(Happened::Expired),
        1 => Just(Happened::Ended(Ending::Expired)),
        1 => Just(Happened::Ended(Ending::Done)),
        1 => Just(Happened::Ended(Ending::Lost)),
        3 => Just(Happened::Woke),
        1 => Just(Happened::Stopped),
    ]
}

/// What is awaited by whoever carries out the deeds.
#[derive(Debug, Default)]
struct World {
    taking: bool,
    logging_in: bool,
    resting: Option<i64>,
    inside: bool,
    /// What is inside is played.
    playing: bool,
    link_up: bool,
    over: bool,
}

impl World {
    /// Whether it can happen in this world.
    fn allows(&self, happened: Happened) -> bool {
        match happened {
            Happened::Started => false,
            Happened::Token(_) | Happened::NoToken => self.taking,
            Happened::LoggedIn { .. } | Happened::Playing | Happened::Refused(_) => self.logging_in,
            Happened::Woke => self.resting.is_some(),
            Happened::Stopped => true,
            Happened::Spoke
            | Happened::WillExpire(_)
            | Happened::Renewed
            | Happened::RenewalRefused
            | Happened::Expired
            | Happened::Ended(_) => self.inside,
        }
    }

    fn happens(&mut self, happened: Happened) {
        match happened {
            Happened::Token(_) | Happened::NoToken => self.taking = false,
            Happened::LoggedIn { .. } => (self.logging_in, self.inside) = (false, true),
            Happened::Playing => {
                (self.logging_in, self.inside, self.playing) = (false, true, true);
            }
            Happened::Refused(_) => self.logging_in = false,
            Happened::Woke => self.resting = None,
            Happened::Ended(_) => self.inside = false,
            _ => {}
        }
    }

    /// Carries out a deed; what makes no sense is found here.
    fn does(&mut self, deed: Deed) {
        assert!(!self.over, "{deed:?} after the end");
        // Only one thing is awaited beside the connection: a new one takes the place of the old one.
        match deed {
            Deed::Take => {
                assert!(!self.logging_in);
                (self.taking, self.resting) = (true, None);
            }
            Deed::LogIn => {
                assert!(!self.inside && !self.link_up, "two clients at once");
                assert!(!self.playing, "it would begin anew");
                (self.taking, self.logging_in, self.resting) = (false, true, None);
            }
            Deed::Renew => assert!(self.inside && !self.playing, "renewed to nobody"),
            Deed::LogOut => {
                assert!(self.inside, "out of nowhere");
                self.inside = false;
            }
            Deed::Rest(ms) => {
                assert!((0..=REST_MAX).contains(&ms), "{ms}");
                (self.taking, self.resting) = (false, Some(ms));
            }
            Deed::Say(note) => {
                assert!(!self.playing, "{note:?}: a recording has no link");
                if let Some(up) = note.is_up() {
                    assert_ne!(up, self.link_up, "the link comes up and goes down by turns");
                    assert_eq!(up, self.inside, "the log says what is so");
                    self.link_up = up;
                }
            }
            Deed::End(_) => {
                assert!(!self.inside && !self.link_up, "an end without goodbye");
                self.over = true;
            }
            Deed::BreakOff => {
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
        let mut life = Life::new(renewable, REST_MAX, seed);
        let mut world = World::default();
        let mut now = 1_000_000;
        for deed in life.step(now, Happened::Started) {
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
            for deed in life.step(now, Happened::Stopped) {
                world.does(deed);
            }
        }
        prop_assert!(world.over);
        prop_assert_eq!(life.step(now, Happened::Woke), vec![]);
    }

    #[test]
    fn what_cannot_happen_changes_nothing_and_breaks_nothing(
        renewable: bool,
        events in proptest::collection::vec(happened(), 0..100),
    ) {
        let mut life = Life::new(renewable, REST_MAX, 1);
        for event in events {
            life.step(0, event);
        }
    }

    #[test]
    fn rests_grow_to_their_limit_and_differ(seed: u64) {
        let mut life = Life::new(false, REST_MAX, seed);
        let mut rests = Vec::new();
        let mut deeds = life.step(0, Happened::Started);
        for _ in 0..40 {
            prop_assert_eq!(&deeds, &vec![Deed::LogIn]);
            let rested = life.step(0, Happened::Refused(Refusal::Away));
            let [Deed::Rest(ms)] = rested[..] else { panic!("{rested:?}") };
            rests.push(ms);
            deeds = life.step(0, Happened::Woke);
        }
        for (at, rest) in rests.iter().enumerate() {
            let most = (250 << (at + 1).min(20)).min(REST_MAX);
            prop_assert!(*rest <= most, "{rests:?}");
        }
        // Full jitter: over so many rests it comes to both ends.
        prop_assert!(rests[8..].iter().any(|rest| *rest < REST_MAX / 2), "{rests:?}");
        prop_assert!(rests[8..].iter().any(|rest| *rest > REST_MAX / 2), "{rests:?}");
    }
}

fn line(deed: &Deed) -> String {
    match deed {
        Deed::Say(note) => serde_json::to_string(note).unwrap(),
        deed => format!("{deed:?}"),
    }
}

fn lines(deeds: &[Deed]) -> Vec<String> {
    deeds.iter().map(line).collect()
}

/// A feed that is in, with token 1.
fn inside() -> Life {
    let mut life = Life::new(true, REST_MAX, 1);
    life.step(0, Happened::Started);
    life.step(0, Happened::Token(1));
    life.step(0, Happened::LoggedIn { renews: false });
    life.step(0, Happened::Spoke);
    life
}

#[test]
fn a_token_that_will_expire_is_waited_out_until_there_is_a_new_one() {
    let mut life = inside();
    assert_eq!(
        life.step(100_000, Happened::WillExpire(Some(30_000))),
        [Deed::Take]
    );
    // The same one, and then none: the connection goes on meanwhile.
    assert_eq!(life.step(100_010, Happened::Token(1)), [Deed::Rest(1_000)]);
    assert_eq!(life.step(101_010, Happened::Woke), [Deed::Take]);
    assert_eq!(life.step(101_020, Happened::NoToken), [Deed::Rest(1_000)]);
    assert_eq!(life.step(102_020, Happened::Woke), [Deed::Take]);
    let deeds = lines(&life.step(102_030, Happened::Token(2)));
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_WILL_EXPIRE","ts":102030}"#;
    assert_eq!(deeds, ["LogOut", down, "LogIn"]);
    let deeds = lines(&life.step(102_050, Happened::LoggedIn { renews: false }));
    let renewed = r#"{"t":"token","state":"renewed","ts":102050}"#;
    assert_eq!(deeds, [renewed, r#"{"t":"link","state":"up","ts":102050}"#]);
}

/// One whose source takes new tokens on the connection that there is, and has just said that its token will expire.
fn renewing() -> Life {
    let mut life = Life::new(true, REST_MAX, 1);
    life.step(0, Happened::Started);
    life.step(0, Happened::Token(1));
    life.step(0, Happened::LoggedIn { renews: true });
    life.step(0, Happened::Spoke);
    let deeds = life.step(100_000, Happened::WillExpire(Some(30_000)));
    assert_eq!(deeds, [Deed::Take]);
    life
}

#[test]
fn a_token_is_renewed_on_the_connection_that_there_is_where_the_source_takes_it() {
    let mut life = renewing();
    let deeds = life.step(100_010, Happened::Token(2));
    assert_eq!(deeds, [Deed::Renew, Deed::Rest(5_000)]);
    assert_eq!(life.step(100_020, Happened::Renewed), []);
    // The rest is over, and nothing is left to do; the next warning is another one.
    assert_eq!(life.step(105_010, Happened::Woke), []);
    let deeds = life.step(200_000, Happened::WillExpire(Some(30_000)));
    assert_eq!(deeds, [Deed::Take]);
    assert_eq!(
        life.step(200_010, Happened::Token(3)),
        [Deed::Renew, Deed::Rest(5_000)]
    );
    // What is lost then is lost as ever, and comes back with the token that was taken last.
    let deeds = lines(&life.step(200_020, Happened::Ended(Ending::Lost)));
    let down = r#"{"t":"link","state":"down","reason":"connection_lost","ts":200020}"#;
    assert_eq!(deeds[0], down);
}

#[test]
fn a_source_that_does_not_answer_to_a_renewal_gets_a_new_client() {
    let mut life = renewing();
    life.step(128_000, Happened::Token(1));
    let deeds = life.step(128_500, Happened::Token(2));
    assert_eq!(deeds, [Deed::Renew, Deed::Rest(1_500)]);
    let deeds = lines(&life.step(130_000, Happened::Woke));
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_WILL_EXPIRE","ts":130000}"#;
    assert_eq!(deeds, ["LogOut", down, "LogIn"]);
}

#[test]
fn a_renewal_that_is_refused_waits_for_another_token_until_the_old_one_expires() {
    let mut life = renewing();
    life.step(100_010, Happened::Token(2));
    let deeds = life.step(100_020, Happened::RenewalRefused);
    assert_eq!(deeds, [Deed::Rest(1_000)]);
    assert_eq!(life.step(101_020, Happened::Woke), [Deed::Take]);
    // Not that one again.
    assert_eq!(life.step(101_030, Happened::Token(2)), [Deed::Rest(1_000)]);
    assert_eq!(life.step(102_030, Happened::Woke), [Deed::Take]);
    let deeds = life.step(102_040, Happened::Token(3));
    assert_eq!(deeds, [Deed::Renew, Deed::Rest(5_000)]);
    life.step(102_050, Happened::RenewalRefused);
    let deeds = life.step(130_000, Happened::Woke);
    let expired = r#"{"t":"token","state":"expired","ts":130000}"#;
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_EXPIRED","ts":130000}"#;
    assert_eq!(lines(&deeds[..3]), ["LogOut", expired, down]);
}

#[test]
fn tokens_that_are_about_to_expire_from_the_start_are_not_used_up_in_a_hurry() {
    let mut life = Life::new(true, REST_MAX, 1);
    let (mut now, mut token, mut logins) = (0, 0, 0);
    let mut deeds = life.step(now, Happened::Started);
    while now < 60_000 {
        let mut next = Vec::new();
        for deed in deeds {
            now += 1;
            match deed {
                Deed::Take => {
                    token += 1;
                    next.extend(life.step(now, Happened::Token(token)));
                }
                Deed::LogIn => {
                    logins += 1;
                    next.extend(life.step(now, Happened::LoggedIn { renews: false }));
                    life.step(now, Happened::Spoke);
                    next.extend(life.step(now, Happened::WillExpire(Some(5_000))));
                }
                Deed::Rest(ms) => {
                    now += ms;
                    next.extend(life.step(now, Happened::Woke));
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
    life.step(100_000, Happened::WillExpire(Some(1_500)));
    assert_eq!(life.step(100_010, Happened::Token(1)), [Deed::Rest(1_000)]);
    life.step(101_010, Happened::Woke);
    assert_eq!(life.step(101_020, Happened::Token(1)), [Deed::Rest(480)]);
    let deeds = life.step(101_500, Happened::Woke);
    let expired = r#"{"t":"token","state":"expired","ts":101500}"#;
    let down = r#"{"t":"link","state":"down","reason":"TOKEN_EXPIRED","ts":101500}"#;
    assert_eq!(lines(&deeds[..3]), ["LogOut", expired, down]);
    assert!(matches!(deeds[3..], [Deed::Rest(_)]));
}

#[test]
fn an_expiry_is_said_once() {
    let mut life = inside();
    // The line that says it is in the log already.
    let deeds = life.step(1, Happened::Expired);
    assert!(
        matches!(deeds[..], [Deed::LogOut, Deed::Say(_), Deed::Rest(_)]),
        "{deeds:?}"
    );
    life.step(2, Happened::Woke);
    life.step(3, Happened::Token(2));
    // Nor is it news that the login with another one fails for the same reason.
    assert!(matches!(
        life.step(4, Happened::Refused(Refusal::Token))[..],
        [Deed::Rest(_)]
    ));
}

#[test]
fn logins_that_are_let_in_and_thrown_out_again_are_not_hurried() {
    let mut life = inside();
    let mut most = 0;
    for _ in 0..20 {
        let deeds = life.step(0, Happened::Ended(Ending::Expired));
        let Some(Deed::Rest(ms)) = deeds.last() else {
            panic!("{deeds:?}")
        };
        most = most.max(*ms);
        life.step(0, Happened::Woke);
        // Always the same token, and always a word before the end.
        life.step(0, Happened::Token(1));
        life.step(0, Happened::LoggedIn { renews: false });
        life.step(0, Happened::Spoke);
    }
    assert!(most > REST_MAX / 4, "{most}");
}

#[test]
fn a_refusal_is_final_only_where_asking_again_cannot_help() {
    // Without a place for new tokens a token that is refused stays refused.
    let mut life = Life::new(false, REST_MAX, 1);
    assert_eq!(life.step(0, Happened::Started), [Deed::LogIn]);
    let refused = Happened::Refused(Refusal::Token);
    assert_eq!(life.step(0, refused), [Deed::End(Some(Refusal::Token))]);
    // A wrong address is told at once; but what was right once may be right again.
    let mut life = Life::new(true, REST_MAX, 1);
    life.step(0, Happened::Started);
    life.step(0, Happened::Token(1));
    let refused = Happened::Refused(Refusal::Wrong);
    assert_eq!(life.step(0, refused), [Deed::End(Some(Refusal::Wrong))]);
    let mut life = inside();
    life.step(0, Happened::Ended(Ending::Lost));
    life.step(0, Happened::Woke);
    life.step(0, Happened::Token(1));
    assert!(matches!(life.step(0, refused)[..], [Deed::Rest(_)]));
}
