//! A WebSocket server that does what a test tells it, connection by connection.
#![allow(clippy::result_large_err)] // the shape is the library's

use super::program::DEADLINE;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

/// The server.
pub struct Mock(TcpListener);

impl Mock {
    /// On a port of its own.
    pub fn start() -> Mock {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Mock(listener)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("ws://{}/feed", self.0.local_addr().unwrap())
    }

    /// The next connection, before a word has been said.
    pub fn knock(&self) -> TcpStream {
        let started = Instant::now();
        loop {
            match self.0.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    return stream;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    assert!(started.elapsed() < DEADLINE, "nobody comes");
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next connection, let in.
    pub fn accept(&self) -> Guest {
        self.accept_with(None)
    }

    /// The next connection, let in to hear a recording.
    pub fn accept_to_play(&self) -> Guest {
        self.accept_with(Some("played"))
    }

    /// The next connection, let in as a Rollbook does.
    pub fn accept_as_rollbook(&self) -> Guest {
        self.accept_with(Some("live"))
    }

    fn accept_with(&self, kind: Option<&'static str>) -> Guest {
        let (mut token, mut path) = (None, String::new());
        let look = |request: &Request, mut response: Response| {
            if let Some(kind) = kind {
                let kind = kind.parse().unwrap();
                response.headers_mut().insert("rollbook-feed", kind);
            }
            let header = request.headers().get("authorization");
            path = request.uri().to_string();
            token = header.map(|value| value.to_str().unwrap().to_owned());
            Ok(response)
        };
        let socket = accept_hdr(self.knock(), look).unwrap();
        Guest {
            socket,
            token,
            path,
        }
    }

    /// The next connection, which asks something in plain HTTP, and gets this answer.
    pub fn answer(&self, body: &str) {
        let mut stream = self.knock();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
    }

    /// The next connection, turned away with this status.
    pub fn refuse(&self, status: u16) {
        let refuse = |_: &Request, _: Response| {
            let mut response = ErrorResponse::new(Some("no".to_owned()));
            *response.status_mut() = status.try_into().unwrap();
            Err(response)
        };
        assert!(accept_hdr(self.knock(), refuse).is_err());
    }
}

/// Somebody who has been let in.
pub struct Guest {
    socket: WebSocket<TcpStream>,
    /// What it said in `Authorization`.
    pub token: Option<String>,
    /// What it asked for.
    pub path: String,
}

impl Guest {
    /// Says a message.
    pub fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    /// The next thing that it says: a text, or `None` where it says goodbye.
    pub fn hears(&mut self) -> Option<String> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(error) => panic!("it went without a word: {error}"),
            }
        }
    }

    /// Waits until it has read all that was said to it.
    pub fn heard(&mut self) {
        self.socket.send(Message::Ping("?".into())).unwrap();
        while !matches!(self.socket.read().unwrap(), Message::Pong(_)) {}
    }

    /// Waits for its goodbye, and gives the code.
    pub fn leaves(mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => {
                    // The answer to its goodbye.
                    let _ = self.socket.flush();
                    return frame.unwrap().code.into();
                }
                Ok(_) => {}
                Err(error) => panic!("it went without a word: {error}"),
            }
        }
    }

    /// Closes with this code, and waits for its answer.
    pub fn close(mut self, code: u16) {
        let reason = "".into();
        let code = code.into();
        self.socket
            .close(Some(CloseFrame { code, reason }))
            .unwrap();
        while self.socket.read().is_ok() {}
    }
}
