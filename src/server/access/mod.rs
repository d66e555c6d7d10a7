//! Who may send requests, and from which pages.
//!
//! | file | what |
//! | --- | --- |
//! | [`auth`] | tokens, what they allow, and the policy of a listener |
//! | `guard` | checks each request before its handler runs |
//! | `observe` | counts requests, and writes what the operator should know of them |
//! | `origin` | the origins of pages, and the headers for browsers |
//!
//! Nothing here calls the store, or knows what a request asks for, beyond the scope of its route and the channel in its
//! address. No token is written anywhere.

pub mod auth;
pub(super) mod guard;
pub(super) mod observe;
pub(super) mod origin;
