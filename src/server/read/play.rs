//! `WS /v1/feed` of a played store: replays a channel's history as a live feed, to each client from the start. Each
//! client has its own player. It uses the server's clock, and waits for a client that does not read, until the
//! socket's write timeout.

use super::forward::{MessageStream, StreamEnd, forward};
use crate::domain::time::Millis;
use crate::limits::PLAYS_AT_ONCE_MAX;
use crate::query::params::{ChannelParams, FEED_HEADER, FEED_PLAYED};
use crate::replay::{
    LineShape, PacedSink, PlaybackClock, PlaybackControl, PlayedLine, ReplayFilter, Speed,
};
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::app::{App, broken};
use crate::server::clock::ServerClock;
use crate::server::net::crowd::{Permit, Places};
use crate::server::net::listen::ConnectionGuard;
use crate::server::net::session::SocketSession;
use crate::server::net::upgrade::{Speaker, Upgrade};
use crate::server::query_params::QueryParams;
use crate::store::StoreError;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::Message;
use axum::http::HeaderValue;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The part of a log to play, and the speed.
///
/// ```
/// use rollbook::server::{Config, Play};
/// # fn main() -> Result<(), String> {
/// // Everything there is, ten times as fast as it was.
/// let config = Config::default().play(Play::default().speed("10".parse()?));
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Play {
    /// The part of the log. If it names a channel, only that channel exists for clients.
    pub filter: ReplayFilter,
    /// The speed.
    pub speed: Speed,
}

impl Play {
    /// The part of the log. Default: all of it.
    #[must_use]
    pub fn filter(mut self, filter: ReplayFilter) -> Self {
        self.filter = filter;
        self
    }

    /// The speed. Default: the original one.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }
}

/// The state that all played clients share.
pub struct Plays {
    play: Play,
    /// Places for players; each uses a thread.
    room: Arc<Places>,
}

impl Plays {
    /// State without players.
    #[must_use]
    pub fn new(play: Play) -> Arc<Plays> {
        let room = Places::new(PLAYS_AT_ONCE_MAX);
        Arc::new(Plays { play, room })
    }

    /// The part to play for one channel.
    fn of(&self, channel: &str) -> Result<ReplayFilter, StoreError> {
        let filter = &self.play.filter;
        match &filter.channel {
            Some(only) if only != channel => Err(StoreError::NoSuchChannel(channel.to_owned())),
            _ => Ok(ReplayFilter {
                channel: Some(channel.to_owned()),
                standing: true,
                ..filter.clone()
            }),
        }
    }
}

/// `WS /v1/feed`.
pub async fn feed(
    State(app): State<Arc<App>>,
    Extension(plays): Extension<Arc<Plays>>,
    Extension(pass): Extension<AuthContext>,
    Extension(guest): Extension<ConnectionGuard>,
    QueryParams(ChannelParams { channel }): QueryParams<ChannelParams>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let filter = plays.of(&channel)?;
    app.ask(&pass.client, move |store| store.expect_channel(&channel))
        .await?;
    let room = plays.room.free(&pass.client);
    let room = room.map_err(|full| full.fault("plays"))?;
    let mut response = upgrade.with(Speaker::Server, async move |socket| {
        let player = Playback::start(Arc::clone(&app), filter, plays.play.speed, room);
        let session = SocketSession::new(socket, Arc::clone(&app.net), pass, guest);
        forward(session, player, |_, lines| {
            lines.into_iter().map(Message::text).collect()
        })
        .await;
    });
    let headers = response.headers_mut();
    headers.insert(FEED_HEADER, HeaderValue::from_static(FEED_PLAYED));
    Ok(response)
}

/// The number of lines that may wait for a client; then its player waits.
const LINES_AHEAD: usize = 16;

/// A player for one client. It ends when this is dropped.
struct Playback {
    lines: mpsc::Receiver<String>,
    playing: JoinHandle<Result<(), StoreError>>,
}

impl Playback {
    fn start(app: Arc<App>, filter: ReplayFilter, speed: Speed, room: Permit) -> Playback {
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        let playing = tokio::task::spawn_blocking(move || {
            let _room = room;
            let time = ServersTime {
                begun: app.now(),
                clock: Arc::clone(&app.net.clock),
                lines: sender.clone(),
                runtime: Handle::current(),
            };
            let sink = |line: &PlayedLine<'_>| sender.blocking_send(line.text.to_owned()).is_ok();
            let mut paced = PacedSink::by(time, sink, speed, PlaybackControl::default());
            app.store.play(&filter, LineShape::Agora, &mut paced)
        });
        Playback { lines, playing }
    }
}

impl MessageStream for Playback {
    type Said = Vec<String>;

    async fn next(&mut self) -> Result<Vec<String>, StreamEnd> {
        let mut lines = Vec::new();
        if self.lines.recv_many(&mut lines, LINES_AHEAD).await > 0 {
            return Ok(lines);
        }
        let played = (&mut self.playing).await.map_err(broken);
        match played.and_then(|played| played.map_err(ApiError::from)) {
            Ok(()) => Err(StreamEnd::Done),
            Err(fault) => Err(StreamEnd::Failed(fault)),
        }
    }
}

/// The server's clock for a player. It stops the player when the client is gone.
struct ServersTime {
    begun: Millis,
    clock: Arc<dyn ServerClock>,
    lines: mpsc::Sender<String>,
    runtime: Handle,
}

impl PlaybackClock for ServersTime {
    fn now(&mut self) -> Duration {
        let since = self.clock.now().saturating_sub(self.begun);
        Duration::from_millis(u64::try_from(since).unwrap_or(0))
    }

    fn rest(&mut self, remote: &PlaybackControl, at_most: Duration) {
        // The clock's resolution is a millisecond.
        let ms = Millis::try_from(at_most.as_millis()).unwrap_or(Millis::MAX);
        let over = self.clock.now().saturating_add(ms.saturating_add(1));
        self.runtime.block_on(async {
            tokio::select! {
                () = self.clock.until(over) => {}
                () = self.lines.closed() => remote.stop(),
            }
        });
    }
}
