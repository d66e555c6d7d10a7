//! Any bytes as requests to a server. The server must answer without an internal failure, and its store must stay
//! intact.

use rollbook::care::VerifyDepth;
use rollbook::ingest::{IngestOptions, ingest, source::Source};
use rollbook::server::{Config, Listener, serve};
use rollbook::{Options, Store};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().unwrap()
});
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());

/// Separates the requests.
const NEXT: &[u8] = b"\n%%\n";
/// A server that has sent nothing for this long waits for more of the request, or for new entries.
const IDLE: Duration = Duration::from_millis(50);
/// Longer than any request takes.
const DEADLINE: Duration = Duration::from_secs(8);

const LINES: &str = r#"{"t":"snapshot","channel":"a","topics":{"t":[{"user":"ann","meta":{"k":1}},{"user":"bob"}]},"ts":1000,"id":"1"}
{"t":"link","state":"down","ts":1300}
{"t":"snapshot","channel":"a","topics":{"t":[{"user":"cy"}]},"ts":1500}
{"t":"leave","channel":"a","topic":"t","user":"cy","ts":1600}
{"t":"join","channel":"b","topic":"t","user":"ann","ts":1700}
no line
"#;

/// Requests in a hand-written form: a request line without the version, header lines, an empty line, the body. The
/// first byte chooses where they arrive: the owner's socket, or the network.
pub fn bodies(bytes: &[u8]) {
    let Some((&door, requests)) = bytes.split_first() else {
        return;
    };
    let options = Options::default().clock(|| 1_800_000_000_000);
    let store = Arc::new(Store::in_memory(options).unwrap());
    let source = Source::from_reader("lines", Cursor::new(LINES)).unwrap();
    ingest(&store, source, &IngestOptions::default(), &mut ()).unwrap();
    RUNTIME.block_on(async {
        let (listener, at) = Door::open(door & 1 == 1).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let serving = serve(
            Arc::clone(&store),
            vec![listener],
            Config::default(),
            stopped,
        );
        let served = tokio::spawn(serving);
        for request in split(requests) {
            let request = whole(request);
            let answer = match &at {
                Door::Owner(path) => ask(UnixStream::connect(path).await.unwrap(), &request).await,
                Door::Network(port) => {
                    let stream = TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
                    ask(stream, &request).await
                }
            };
            let failed = answer.starts_with(b"HTTP/1.1 500");
            assert!(!failed, "{}", String::from_utf8_lossy(&answer));
        }
        stop.send(()).unwrap();
        let ended = timeout(DEADLINE, served).await;
        ended.expect("the server does not end").unwrap().unwrap();
        if let Door::Owner(path) = at {
            std::fs::remove_file(path).unwrap();
        }
    });
    assert!(store.failure().is_none(), "{:?}", store.failure());
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:?}", verified.problems);
}

enum Door {
    Owner(PathBuf),
    Network(u16),
}

impl Door {
    async fn open(network: bool) -> (Listener, Door) {
        if network {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            return (Listener::Tcp(listener, None), Door::Network(port));
        }
        let path = FOLDER.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        (Listener::Unix(listener), Door::Owner(path))
    }
}

fn split(mut requests: &[u8]) -> Vec<&[u8]> {
    let mut each = Vec::new();
    while let Some(at) = requests.windows(NEXT.len()).position(|here| here == NEXT) {
        each.push(&requests[..at]);
        requests = &requests[at + NEXT.len()..];
    }
    each.push(requests);
    each.truncate(8);
    each
}

/// Completes a request with what HTTP requires and the short form omits: the version, the host, the body's length.
fn whole(request: &[u8]) -> Vec<u8> {
    let end = request.windows(2).position(|here| here == b"\n\n");
    let (head, body) = match end {
        Some(at) => (&request[..at], &request[at + 2..]),
        None => (request, &[][..]),
    };
    let mut lines = head.split(|&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut whole = [first, b" HTTP/1.1\r\nhost: localhost\r\n"].concat();
    let mut framed = false;
    for line in lines {
        whole.extend_from_slice(line);
        whole.extend_from_slice(b"\r\n");
        let line = line.to_ascii_lowercase();
        framed |= ["content-length", "transfer-encoding", "upgrade"]
            .iter()
            .any(|name| line.starts_with(name.as_bytes()));
    }
    if !framed {
        let length = format!("content-length: {}\r\nconnection: close\r\n", body.len());
        whole.extend_from_slice(length.as_bytes());
    }
    whole.extend_from_slice(b"\r\n");
    whole.extend_from_slice(body);
    whole
}

/// Sends the whole request, and reads the answer until the server closes the connection or waits for more.
async fn ask(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    request: &[u8],
) -> Vec<u8> {
    // A server that has read enough may close the connection earlier.
    let _ = timeout(DEADLINE, stream.write_all(request)).await;
    let mut answer = Vec::new();
    let mut ended = false;
    loop {
        let patience = if ended { DEADLINE } else { IDLE };
        match timeout(patience, stream.read_buf(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return answer,
            Ok(Ok(_)) => {}
            // If unread bytes are buffered, hyper notices the client's end of sending only at its next write; on a
            // stream, that is the next heartbeat. This client does not wait for it.
            Err(_) if ended => return answer,
            Err(_) => {
                ended = true;
                let _ = stream.shutdown().await;
            }
        }
    }
}
