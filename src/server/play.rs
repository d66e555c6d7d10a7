//! `WS /v1/feed` of a store that is played: a channel's recorded history as its live feed, to each client from the start.
//! Each has a player of its own, which goes by the server's clock and waits for a client that does not read (as long as a
//! socket waits at all).

use super::api_error::ApiError;
use super::app::{App, AuthContext, broken};
use super::clock::ServerClock;
use super::crowd::{Permit, Places};
use super::forward::{MessageStream, StreamEnd, forward};
use super::listen::ConnectionGuard;
use super::queries::QueryParams;
use super::session::SocketSession;
use super::sockets::{Speaker, Upgrade};
use crate::domain::time::Millis;
use crate::limits::PLAYS_AT_ONCE_MAX;
use crate::query::params::{ChannelParams, FEED_HEADER, FEED_PLAYED};
use crate::replay::{
    LineShape, PacedSink, PlaybackClock, PlaybackControl, PlayedLine, ReplayFilter, Speed,
};
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

/// What is played, and how.
///
/// ```
/// use rollbook::server::{Config, Play};
/// # fn main() -> Result<(), String> {
/// // Everything there is, ten times as fast as it was.
/// let play = Play { speed: "10".parse()?, ..Play::default() };
/// let config = Config { play: Some(play), ..Config::default() };
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Play {
    /// Which part of the log; where it names a channel, no other one is there.
    pub filter: ReplayFilter,
    /// How fast.
    pub speed: Speed,
}

/// What all clients to whom is played share.
pub struct Plays {
    play: Play,
    /// Room for players: each has a thread.
    room: Arc<Places>,
}

impl Plays {
    /// Nobody is played to.
    #[must_use]
    pub fn new(play: Play) -> Arc<Plays> {
        let room = Places::new(PLAYS_AT_ONCE_MAX);
        Arc::new(Plays { play, room })
    }

    /// What there is of a channel.
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
        let session = SocketSession::new(socket, app, pass, guest);
        forward(session, player, |_, lines| {
            lines.into_iter().map(Message::text).collect()
        })
        .await;
    });
    let headers = response.headers_mut();
    headers.insert(FEED_HEADER, HeaderValue::from_static(FEED_PLAYED));
    Ok(response)
}

/// Lines that may wait for a client; its player waits then, too.
const LINES_AHEAD: usize = 16;

/// History on its way to one client. It ends when this is dropped.
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
                clock: Arc::clone(&app.clock),
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

/// The server's clock as the time of a player, which is over as soon as nobody wants its lines.
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
        // The clock knows nothing below a millisecond.
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
