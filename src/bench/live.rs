//! Measures a line's way through a server, over WebSockets on this machine. Each line is sent at its own time,
//! whatever has happened to the lines before it (an open loop). It is timed from the moment when it was due, so a
//! stall counts for every line that it delays. The bare file takes turns with the server at the same pace; lines that
//! are due together are synced together.

use super::bare::Bare;
use super::clock::LatencyRecorder;
use super::load::Load;
use super::{BenchError, BenchRun, LineFlow, Work};
use crate::client::socket::{Socket, SocketInput, SocketTimeouts};
use crate::client::transport::Address;
use crate::server::{Config, Listener, Metrics, serve};
use crate::store::{Durability, Options, Store, StoreError};
use serde::Deserialize;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The number of channels of the load, and the largest number of publishers of each.
const SIZE: (usize, usize) = (100, 100);
/// How long the server is measured in one turn, and then the file.
const TURN_SECONDS: usize = 5;

/// Runs the whole measurement.
pub(super) fn all(run: &mut BenchRun<'_>, flow: &LineFlow) -> Result<(), BenchError> {
    let folder = run.folder.path();
    let mut bare = Bare::create(&folder.join("bare"), run.durability)?;
    let server = Server::start(&folder.join("store"), run.durability)?;
    let clients = Builder::new_current_thread().enable_all().build()?;
    let mut guests = clients.block_on(Guests::log_in(&server.address))?;
    let [mut acked, mut sent_on, mut of_file] = [(); 3].map(|()| LatencyRecorder::new());
    let mut load = Load::new(1, SIZE.0, SIZE.1);
    let turn = TURN_SECONDS * flow.per_second as usize;
    while guests.sent < flow.lines {
        run.begins(&format!("live, {} of {} lines", guests.sent, flow.lines))?;
        let lines = load.by_ref().take(turn.min(flow.lines - guests.sent));
        let lines = lines.enumerate();
        let lines: Vec<String> = lines
            .map(|(at, line)| with_id(&line, guests.sent + at + 1))
            .collect();
        guests.turn(&clients, &lines, flow, (&mut acked, &mut sent_on))?;
        bare_turn(&mut bare, &lines, flow, &mut of_file)?;
    }
    drop(guests);
    server.stop()?;
    let level = run.durability.name();
    for (work, clock) in [("acknowledgement", acked), ("subscriber", sent_on)] {
        let count = flow.lines as u64;
        run.measured(Work {
            work: format!("line to {work}, {} a second, {level}", flow.per_second),
            unit: "lines",
            count,
            per_second: clock.per_second(count),
            bare_per_second: Some(of_file.per_second(count)),
            latency: clock.latency(),
            bare_latency: Some(of_file.latency()),
            bytes_each: None,
        })?;
    }
    Ok(())
}

/// Adds an id to a line, by which its entry can be recognised.
fn with_id(line: &str, number: usize) -> String {
    let open = line.strip_suffix('}').unwrap_or(line);
    format!(r#"{open},"id":"{number}"}}"#)
}

fn live(why: impl Display) -> BenchError {
    BenchError::Live(why.to_string())
}

/// When each line of a turn is due.
#[derive(Clone, Copy)]
struct Pace {
    start: Instant,
    every: Duration,
}

impl Pace {
    fn new(flow: &LineFlow) -> Pace {
        Pace {
            start: Instant::now(),
            every: Duration::from_secs(1) / flow.per_second.max(1),
        }
    }

    fn due(self, line: usize) -> Instant {
        self.start + self.every * u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Waits until the line is due. The runtime's own timer is too coarse for this.
    fn wait(self, line: usize) {
        std::thread::sleep(self.due(line).saturating_duration_since(Instant::now()));
    }
}

/// Appends the same lines to the bare file at the same pace.
fn bare_turn(
    bare: &mut Bare,
    lines: &[String],
    flow: &LineFlow,
    clock: &mut LatencyRecorder,
) -> Result<(), BenchError> {
    let pace = Pace::new(flow);
    let mut lines = lines.iter().enumerate().peekable();
    while let Some(&(next, _)) = lines.peek() {
        pace.wait(next);
        let (now, mut bytes, mut together) = (Instant::now(), String::new(), Vec::new());
        while let Some((at, line)) = lines.next_if(|&(at, _)| pace.due(at) <= now) {
            bytes.push_str(line);
            bytes.push('\n');
            together.push(pace.due(at));
        }
        bare.append(bytes.as_bytes())?;
        for due in together {
            clock.sample(due.elapsed());
        }
    }
    clock.spend(pace.start.elapsed());
    Ok(())
}

/// A server in this process, on its own runtime.
struct Server {
    runtime: Runtime,
    store: Arc<Store>,
    address: Address,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), StoreError>>,
}

impl Server {
    fn start(path: &Path, durability: Durability) -> Result<Server, BenchError> {
        let metrics = Metrics::new();
        let options = Options {
            durability,
            meter: Arc::<Metrics>::clone(&metrics),
            ..Options::default()
        };
        let store = Arc::new(Store::open(path, options)?);
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = format!("ws://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let config = Config {
            metrics,
            ..Config::default()
        };
        let listeners = vec![Listener::Tcp(listener, None)];
        let serving = serve(Arc::clone(&store), listeners, config, async {
            // A dropped sender means the same as a stop.
            let _ = stopped.await;
        });
        Ok(Server {
            ended: runtime.spawn(serving),
            runtime,
            store,
            address: Address::parse(&address, ["ws", "wss"]).map_err(live)?,
            stop,
        })
    }

    fn stop(self) -> Result<(), BenchError> {
        // The server may have ended already; its own result says why.
        let _ = self.stop.send(());
        self.runtime.block_on(self.ended).map_err(live)??;
        self.store.close().map_err(live)
    }
}

/// One client that sends lines, and one that subscribes to their entries.
struct Guests {
    source: Socket,
    subscriber: Socket,
    /// The number of lines sent so far.
    sent: usize,
}

/// A message of the server.
#[derive(Deserialize)]
struct ServerMessage {
    t: Option<String>,
    line: Option<usize>,
    id: Option<String>,
}

impl Guests {
    async fn log_in(server: &Address) -> Result<Guests, BenchError> {
        let socket = async |path: &str| {
            let address = server.under("ws", path).map_err(live)?;
            let socket = Socket::log_in(&address, None, SocketTimeouts::default()).await;
            socket.map_err(live)
        };
        let mut guests = Guests {
            source: socket("/v1/ingest?observer=bench").await?,
            subscriber: socket("/v1/subscribe").await?,
            sent: 0,
        };
        while hear(&mut guests.subscriber).await?.t.as_deref() != Some("live") {}
        Ok(guests)
    }

    /// Sends each line at its time, and waits until the last one is acknowledged and delivered.
    fn turn(
        &mut self,
        clients: &Runtime,
        lines: &[String],
        flow: &LineFlow,
        (acked, sent_on): (&mut LatencyRecorder, &mut LatencyRecorder),
    ) -> Result<(), BenchError> {
        let (due, is_due) = unbounded_channel();
        let before = self.sent;
        self.sent += lines.len();
        let pace = Pace::new(flow);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                (0..lines.len()).all(|line| {
                    pace.wait(line);
                    due.send(()).is_ok()
                })
            });
            clients.block_on(async {
                let talk = talk(&mut self.source, is_due, lines, before, pace, acked);
                let listen = listen(&mut self.subscriber, lines.len(), before, pace, sent_on);
                tokio::try_join!(talk, listen).map(|_| ())
            })
        })
    }
}

/// Sends the lines that are due, until all of them are acknowledged.
async fn talk(
    socket: &mut Socket,
    mut is_due: UnboundedReceiver<()>,
    lines: &[String],
    before: usize,
    pace: Pace,
    clock: &mut LatencyRecorder,
) -> Result<(), BenchError> {
    let (mut to_send, mut acked) = (lines.iter(), 0);
    while acked < lines.len() {
        tokio::select! {
            biased;
            Some(()) = is_due.recv() => {
                if let Some(line) = to_send.next() {
                    socket.send(line).await.map_err(|over| live(over.why))?;
                }
            }
            word = hear(socket) => {
                let up_to = word?.line.unwrap_or(0).saturating_sub(before);
                while acked < up_to {
                    clock.sample(pace.due(acked).elapsed());
                    acked += 1;
                }
            }
        }
    }
    clock.spend(pace.start.elapsed());
    Ok(())
}

/// Receives the entries of all lines, in order.
async fn listen(
    socket: &mut Socket,
    lines: usize,
    before: usize,
    pace: Pace,
    clock: &mut LatencyRecorder,
) -> Result<(), BenchError> {
    let mut heard = 0;
    while heard < lines {
        // Inferred entries carry no id of a line.
        let Some(id) = hear(socket).await?.id else {
            continue;
        };
        if id != (before + heard + 1).to_string() {
            return Err(live(format!("line {id} came out of order")));
        }
        clock.sample(pace.due(heard).elapsed());
        heard += 1;
    }
    clock.spend(pace.start.elapsed());
    Ok(())
}

async fn hear(socket: &mut Socket) -> Result<ServerMessage, BenchError> {
    match socket.next().await {
        SocketInput::Message(message) => serde_json::from_slice(&message).map_err(live),
        SocketInput::Over(over) => Err(live(over.why)),
    }
}
