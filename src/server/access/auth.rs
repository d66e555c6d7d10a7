//! Authorization: tokens, their scopes and channels, and the policy that checks them. The library compares secrets in
//! constant time. No token is ever written anywhere.

use super::origin::PageOrigin;
use crate::domain::time::Millis;
use crate::ingest::WritePermissions;
use crate::server::api_error::ApiError;
use crate::server::net::crowd::Client;
use crate::server::refusal::TokenRefusal;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

/// A kind of request that a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenScope {
    /// Record lines.
    Ingest,
    /// Query and subscribe.
    Read,
    /// Everything.
    Admin,
}

impl TokenScope {
    /// The scope's name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            TokenScope::Ingest => "ingest",
            TokenScope::Read => "read",
            TokenScope::Admin => "admin",
        }
    }
}

impl FromStr for TokenScope {
    type Err = String;

    fn from_str(word: &str) -> Result<TokenScope, String> {
        let all = [TokenScope::Ingest, TokenScope::Read, TokenScope::Admin];
        let found = all.into_iter().find(|scope| scope.word() == word);
        found.ok_or_else(|| format!("\"{word}\" is no scope: write ingest, read or admin"))
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What the caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    scopes: Vec<TokenScope>,
    reach: WritePermissions,
    /// The expiry, Unix ms; `None`: never.
    expires_at: Option<Millis>,
    /// A digest that identifies the holder: of the token's subject, or of the token itself.
    holder: Option<[u8; 32]>,
}

impl Access {
    /// All permissions without expiry, for callers that need no token.
    #[must_use]
    pub fn full() -> Access {
        Access {
            scopes: vec![TokenScope::Admin],
            reach: WritePermissions::default(),
            expires_at: None,
            holder: None,
        }
    }

    /// The client that a request from this address counts as.
    #[must_use]
    pub fn client(&self, address: Option<IpAddr>) -> Client {
        self.holder
            .map_or_else(|| Client::at(address), Client::Token)
    }

    /// The only channels that it allows; `None`: all.
    #[must_use]
    pub fn channels(&self) -> Option<&Arc<[String]>> {
        self.reach.channels.as_ref()
    }

    /// What its holder may write.
    #[must_use]
    pub fn reach(&self) -> &WritePermissions {
        &self.reach
    }

    /// The expiry, Unix ms; `None`: never.
    #[must_use]
    pub fn expires_at(&self) -> Option<Millis> {
        self.expires_at
    }

    /// Whether an entry or answer about this channel may be seen; `None`: it names no channel.
    #[must_use]
    pub fn sees(&self, channel: Option<&str>) -> bool {
        match &self.reach.channels {
            None => true,
            Some(allowed) => {
                channel.is_some_and(|channel| allowed.iter().any(|allowed| allowed == channel))
            }
        }
    }

    /// # Errors
    /// 403 when the token lacks the scope, or does not allow the channel.
    pub fn demand(&self, scope: TokenScope, channel: Option<&str>) -> Result<(), ApiError> {
        let lacks = |why, what: String| Err(ApiError::Lacks(why, what));
        if !self
            .scopes
            .iter()
            .any(|&has| has == scope || has == TokenScope::Admin)
        {
            return lacks(TokenRefusal::Scope, format!("lacks the scope \"{scope}\""));
        }
        match channel {
            Some(channel) if !self.sees(Some(channel)) => lacks(
                TokenRefusal::Channel,
                format!("does not allow the channel \"{channel}\""),
            ),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// 403 when the token does not allow this observer.
    pub fn demand_observer(&self, observer: &str) -> Result<(), ApiError> {
        let allowed = self.reach.observer(observer);
        allowed.map_err(|what| {
            ApiError::Lacks(TokenRefusal::Observer, format!("does not allow {what}"))
        })
    }

    /// # Errors
    /// 403 when the token is limited to some channels.
    pub fn demand_all_channels(&self) -> Result<(), ApiError> {
        match self.reach.channels {
            None => Ok(()),
            Some(_) => Err(ApiError::Lacks(
                TokenRefusal::Channel,
                "does not allow all channels".into(),
            )),
        }
    }
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TokenClaims {
    /// Unix seconds.
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(deserialize_with = "words")]
    scope: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    observers: Option<Vec<String>>,
    /// A valid subject is a string (RFC 7519, 4.1.2); any other value is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<serde_json::Value>,
}

/// The contents of a new token.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// What it allows.
    pub scopes: &'a [TokenScope],
    /// The only channels; `None`: all.
    pub channels: Option<&'a [String]>,
    /// The only observers for which it may write; `None`: all.
    pub observers: Option<&'a [String]>,
    /// The holder: all tokens of one subject count as one client.
    pub subject: Option<&'a str>,
    /// The expiry, Unix ms; rounded up to a second.
    pub expires_at: Millis,
}

/// Reads a list, or words separated by spaces or commas (RFC 8693 uses spaces).
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ClaimWords {
        Text(String),
        List(Vec<String>),
    }
    Ok(match ClaimWords::deserialize(deserializer)? {
        ClaimWords::List(list) => list,
        ClaimWords::Text(text) => {
            let words = text.split([' ', ',']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        }
    })
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The file is empty.
    #[error("{}: it is empty, and no secret", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is not an Ed25519 public key in PEM.
    #[error("{}: no Ed25519 public key in PEM", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A token could not be made.
    #[error("the token could not be made: {0}")]
    Unsigned(String),
}

/// The least length for HS256: the length of its hash.
const SECRET_BYTES: usize = 32;

/// A secret shared by those who issue tokens and those who verify them.
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads a secret, without the white space around it.
    ///
    /// # Errors
    /// [`KeyError::Io`], [`KeyError::Empty`].
    pub fn read(path: &Path) -> Result<Secret, KeyError> {
        let bytes = read(path)?;
        let secret = bytes.trim_ascii();
        if secret.is_empty() {
            let path = path.to_owned();
            return Err(KeyError::Empty { path });
        }
        Ok(Secret(secret.to_vec()))
    }

    /// Whether it is shorter than HS256 requires (RFC 7518, 3.2). A holder of a token could then find it by guessing.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.0.len() < SECRET_BYTES
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`KeyError::Unsigned`].
    pub fn token(&self, grant: &Grant<'_>) -> Result<String, KeyError> {
        let words: Vec<&str> = grant.scopes.iter().map(|scope| scope.word()).collect();
        let mut claims = serde_json::Map::new();
        let exp = grant.expires_at.saturating_add(999).div_euclid(1_000);
        claims.insert("exp".into(), exp.into());
        claims.insert("scope".into(), words.join(" ").into());
        for (name, only) in [("channels", grant.channels), ("observers", grant.observers)] {
            if let Some(only) = only {
                claims.insert(name.into(), only.into());
            }
        }
        if let Some(subject) = grant.subject {
            claims.insert("sub".into(), subject.into());
        }
        let key = EncodingKey::from_secret(&self.0);
        encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| KeyError::Unsigned(error.to_string()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    std::fs::read(path).map_err(|cause| {
        let path = path.to_owned();
        KeyError::Io { path, cause }
    })
}

/// Verifies tokens. Clones share the keys.
#[derive(Clone)]
pub struct TokenVerifier(Arc<RwLock<Keys>>);

/// The keys; a token may be signed with any of them.
struct Keys {
    keys: Vec<DecodingKey>,
    rules: Validation,
}

impl TokenVerifier {
    /// Accepts tokens signed with one of these secrets (HS256).
    #[must_use]
    pub fn of_secrets(secrets: &[Secret]) -> TokenVerifier {
        let keys = secrets.iter();
        let keys = keys.map(|secret| DecodingKey::from_secret(&secret.0));
        TokenVerifier::new(keys.collect(), Algorithm::HS256)
    }

    /// Accepts tokens signed with the private key (EdDSA) of this public key.
    ///
    /// # Errors
    /// [`KeyError::Io`], [`KeyError::NoKey`].
    pub fn of_public_key(path: &Path) -> Result<TokenVerifier, KeyError> {
        let key = DecodingKey::from_ed_pem(&read(path)?).map_err(|_| KeyError::NoKey {
            path: path.to_owned(),
        })?;
        Ok(TokenVerifier::new(vec![key], Algorithm::EdDSA))
    }

    /// Replaces the keys by those of `newer`, for all clones.
    pub fn replace(&self, newer: TokenVerifier) {
        let newer = Arc::try_unwrap(newer.0).map(RwLock::into_inner);
        if let Ok(keys) = newer {
            let keys = keys.unwrap_or_else(PoisonError::into_inner);
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
    }

    fn new(keys: Vec<DecodingKey>, algorithm: Algorithm) -> TokenVerifier {
        let mut rules = Validation::new(algorithm);
        // `access` checks the times with the server's own clock, to the millisecond. Tokens have no audience.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        TokenVerifier(Arc::new(RwLock::new(Keys { keys, rules })))
    }

    fn access(&self, token: &str, now: Millis) -> Result<Access, TokenRefusal> {
        decode_header(token).map_err(|_| TokenRefusal::Malformed)?;
        let read = {
            let Keys { keys, rules } = &*self.0.read().unwrap_or_else(PoisonError::into_inner);
            let mut refusal = TokenRefusal::Signature;
            let mut read = keys
                .iter()
                .map(|key| decode::<TokenClaims>(token, key, rules));
            let valid = read.find_map(|read| match read {
                Ok(read) => Some(read),
                Err(error) => {
                    // With several keys, what a matching one finds counts.
                    match refused(&error) {
                        TokenRefusal::Signature => {}
                        further => refusal = further,
                    }
                    None
                }
            });
            valid.ok_or(refusal)?
        };
        // RFC 7515, 4.1.11: refuse a token with a critical extension that is not understood. None is understood here.
        if read.header.crit.is_some() {
            return Err(TokenRefusal::Critical);
        }
        let claims = read.claims;
        let expires_at = claims.exp.saturating_mul(1_000);
        let begins_at = claims.nbf.unwrap_or(0).saturating_mul(1_000);
        if now >= expires_at {
            return Err(TokenRefusal::Expired(now.saturating_sub(expires_at)));
        }
        if now < begins_at {
            return Err(TokenRefusal::NotYet(begins_at.saturating_sub(now)));
        }
        // A scope of a later version is not known here, and is ignored.
        let scopes = claims.scope.iter().filter_map(|word| word.parse().ok());
        let holder = match claims.sub.as_ref().and_then(serde_json::Value::as_str) {
            Some(subject) => blake3::keyed_hash(&SUBJECT, subject.as_bytes()),
            None => blake3::hash(token.as_bytes()),
        };
        Ok(Access {
            holder: Some(holder.into()),
            scopes: scopes.collect(),
            reach: WritePermissions {
                channels: claims.channels.map(Into::into),
                observers: claims.observers.map(Into::into),
            },
            expires_at: Some(expires_at),
        })
    }
}

/// Why a key does not accept a token whose head can be read.
fn refused(error: &Error) -> TokenRefusal {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenRefusal::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => TokenRefusal::Algorithm,
        // The claims are read only behind a signature that is right.
        ErrorKind::Json(_) | ErrorKind::MissingRequiredClaim(_) => TokenRefusal::Claims,
        _ => TokenRefusal::Malformed,
    }
}

/// The key for hashing subjects, so that the digest of a subject never equals that of a token.
const SUBJECT: [u8; 32] = *b"rollbook: the subject of a token";

/// Who may use a listener.
pub enum AuthPolicy {
    /// Anyone who may open the store's folder: the owner's socket.
    Owner,
    /// The same, while the process that has the store open only reads it: lines are refused.
    OwnerReads,
    /// Anyone on this machine. Of the pages in a browser here, only the server's own and those of these origins.
    Loopback(Arc<[PageOrigin]>),
    /// Anyone with a token.
    Tokens(TokenVerifier),
}

/// Why lines are refused.
const ONLY_READ: &str =
    "the process that has the store open only reads it: nothing is recorded before it is done";

impl AuthPolicy {
    /// Decides what a request with this token (if any) may do.
    ///
    /// # Errors
    /// 401 when no valid token was shown, 403 when the token does not allow the request.
    pub fn admit(
        &self,
        token: Option<&str>,
        scope: TokenScope,
        channel: Option<&str>,
        now: Millis,
    ) -> Result<Access, ApiError> {
        let access = match self {
            AuthPolicy::OwnerReads if scope == TokenScope::Ingest => {
                return Err(ApiError::Unavailable(ONLY_READ.into()));
            }
            AuthPolicy::Owner | AuthPolicy::OwnerReads | AuthPolicy::Loopback(_) => Access::full(),
            AuthPolicy::Tokens(keeper) => token
                .ok_or(TokenRefusal::Missing)
                .and_then(|token| keeper.access(token, now))
                .map_err(|why| ApiError::Unknown(scope.word(), why))?,
        };
        access.demand(scope, channel)?;
        Ok(access)
    }
}

/// The authorization of a request, with what is needed to check a newer token.
#[derive(Clone)]
pub struct AuthContext {
    /// What the request may do.
    pub access: Access,
    /// The client that sent it.
    pub client: Client,
    /// The policy of the listener that accepted it.
    pub door: Arc<AuthPolicy>,
    /// The scope that the request needs.
    pub scope: TokenScope,
    /// The one channel that the request is about, if any.
    pub channel: Option<String>,
    /// The observer that the request names, if any.
    pub observer: Option<String>,
    /// The path of the request's route.
    pub route: &'static str,
}

impl AuthContext {
    /// Whether an entry or answer about this channel may be seen. If the request names a channel, access to it has
    /// been checked: the whole answer may be seen, and an entry that names no channel counts as that channel's.
    #[must_use]
    pub fn sees(&self, channel: Option<&str>) -> bool {
        self.channel.is_some() || self.access.sees(channel)
    }
}
