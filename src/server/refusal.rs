//! Why a token is refused, in words for its holder, and as a label for the operator. Nothing of the token is in it.

use crate::domain::time::Millis;
use std::fmt;

/// Why a token does not let a request in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// There is none.
    Missing,
    /// It is no JWT.
    Malformed,
    /// It is signed by another algorithm than the server's keys are for.
    Algorithm,
    /// None of the server's keys has signed it.
    Signature,
    /// It has a critical extension, which is not understood.
    Critical,
    /// Its claims cannot be read.
    Claims,
    /// It expired so many ms ago.
    Expired(Millis),
    /// It is good from so many ms on.
    NotYet(Millis),
    /// It lacks the scope.
    Scope,
    /// It is for other channels.
    Channel,
    /// It is for other observers.
    Observer,
}

impl TokenRefusal {
    /// All labels.
    pub const WORDS: [&str; 11] = [
        "missing",
        "malformed",
        "algorithm",
        "signature",
        "critical",
        "claims",
        "expired",
        "not_yet",
        "scope",
        "channel",
        "observer",
    ];

    /// The label.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            TokenRefusal::Missing => "missing",
            TokenRefusal::Malformed => "malformed",
            TokenRefusal::Algorithm => "algorithm",
            TokenRefusal::Signature => "signature",
            TokenRefusal::Critical => "critical",
            TokenRefusal::Claims => "claims",
            TokenRefusal::Expired(_) => "expired",
            TokenRefusal::NotYet(_) => "not_yet",
            TokenRefusal::Scope => "scope",
            TokenRefusal::Channel => "channel",
            TokenRefusal::Observer => "observer",
        }
    }
}

/// A span as a reader estimates it: one unit, rounded down.
fn roughly(ms: Millis) -> String {
    let seconds = ms.max(0) / 1_000;
    match seconds {
        0 => format!("{} ms", ms.max(0)),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenRefusal::Missing => "there is none",
            TokenRefusal::Malformed => "this one is no JWT",
            TokenRefusal::Algorithm => {
                "this one is signed by an algorithm that is not the server's"
            }
            TokenRefusal::Signature => "the signature of this one is by none of the server's keys",
            TokenRefusal::Critical => "this one has a critical extension that is not understood",
            TokenRefusal::Claims => {
                "the claims of this one cannot be read: exp is a number, scope a list or words"
            }
            TokenRefusal::Expired(ago) => {
                return write!(f, "this one expired {} ago", roughly(*ago));
            }
            TokenRefusal::NotYet(ms) => {
                return write!(f, "this one is not good before {} from now", roughly(*ms));
            }
            TokenRefusal::Scope => "this one lacks the scope",
            TokenRefusal::Channel => "this one is for other channels",
            TokenRefusal::Observer => "this one is for other observers",
        })
    }
}
