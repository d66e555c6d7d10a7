//! Why a request fails, as an HTTP status and a sentence in JSON. The sentence is for the caller: it reveals nothing
//! about the machine, and about a token only what it lacks.

use super::refusal::TokenRefusal;
use crate::domain::time::Millis;
use crate::query::answer::{Time, past_retention};
use crate::query::params::{PAST_RETENTION, ParamError};
use crate::store::{RecordError, StoreError};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The request is wrong; the text names the parameter.
    #[error("{0}")]
    Bad(String),
    /// There is no valid token; names the scope that the request needs.
    #[error("a valid token with the scope \"{0}\" is needed: {1}")]
    Unknown(&'static str, TokenRefusal),
    /// The token is valid and does not allow it; the text says what it lacks.
    #[error("the token {1}")]
    Lacks(TokenRefusal, String),
    /// The origin of the request does not allow it, or the token not all of its lines.
    #[error("{0}")]
    Forbidden(String),
    /// The requested thing does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The question is about what was pruned.
    #[error("{}", past_retention(*.seq, *.retained_from))]
    PastRetention {
        /// The last entry that was pruned.
        seq: u64,
        /// The earliest moment that can be asked about, Unix ms.
        retained_from: Millis,
    },
    /// The path exists, but not with this method.
    #[error("not by this method; /openapi.json says by which")]
    Method,
    /// The request's body is too large.
    #[error("{0}")]
    TooLarge(String),
    /// The request arrived too slowly, or the answer took too long.
    #[error("{0}")]
    Late(&'static str),
    /// The client has used its whole share of a limited resource.
    #[error("{0}")]
    Crowded(String),
    /// The store no longer writes, or all places are taken.
    #[error("{0}")]
    Unavailable(String),
    /// The server failed.
    #[error("{0}")]
    Failed(String),
}

/// An error as a program reads it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct ErrorBody {
    /// What happened, and what to do.
    pub error: String,
    /// `past_retention`: the question is about what was pruned. Other errors have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The earliest moment that can be asked about, where earlier ones were pruned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retained_from: Option<Time>,
}

impl ApiError {
    /// The HTTP status of the error.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            ApiError::Bad(_) => StatusCode::BAD_REQUEST,
            ApiError::Unknown(..) => StatusCode::UNAUTHORIZED,
            ApiError::Forbidden(_) | ApiError::Lacks(..) => StatusCode::FORBIDDEN,
            ApiError::NotFound(_) | ApiError::PastRetention { .. } => StatusCode::NOT_FOUND,
            ApiError::Method => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::Late(_) => StatusCode::REQUEST_TIMEOUT,
            ApiError::Crowded(_) => StatusCode::TOO_MANY_REQUESTS,
            ApiError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::NoSuchChannel(channel) => {
                ApiError::NotFound(format!("there is no channel \"{channel}\""))
            }
            StoreError::PastRetention { seq, retained_from } => {
                ApiError::PastRetention { seq, retained_from }
            }
            StoreError::TooManyBuckets => ApiError::Bad(format!("every: {error}")),
            StoreError::Poisoned(_) => ApiError::Unavailable(error.to_string()),
            other => ApiError::Failed(other.to_string()),
        }
    }
}

impl From<ParamError> for ApiError {
    fn from(error: ParamError) -> ApiError {
        ApiError::Bad(error.to_string())
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> ApiError {
        StoreError::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let ApiError::Failed(what) = &self {
            tracing::error!(event = "request_failed", "{what}");
        }
        let retained_from = match self {
            ApiError::PastRetention { retained_from, .. } => Some(Time(retained_from)),
            _ => None,
        };
        let sentence = ErrorBody {
            error: self.to_string(),
            code: retained_from.map(|_| PAST_RETENTION),
            retained_from,
        };
        let mut response = (self.status(), Json(sentence)).into_response();
        if let ApiError::Unknown(_, why) = self {
            // RFC 6750, 3: a request without a token gets no error code.
            let bearer = HeaderValue::from_static(match why {
                TokenRefusal::Missing => "Bearer",
                _ => "Bearer error=\"invalid_token\"",
            });
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        if let ApiError::Unknown(_, why) | ApiError::Lacks(why, _) = self {
            // For who counts it.
            response.extensions_mut().insert(why);
        }
        if matches!(self, ApiError::Crowded(_)) {
            let seconds = HeaderValue::from_static(RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// The value of `Retry-After` for a client that has used its share, in seconds.
const RETRY_AFTER: &str = "1";
