//! A WebSocket server whose behaviour a test decides, connection by connection.
#![allow(clippy::result_large_err)] // the library requires this type

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
    /// Starts it on its own port.
    pub fn start() -> Mock {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Mock(listener)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("ws://{}/feed", self.0.local_addr().unwrap())
    }

    /// The next connection, before the handshake.
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

    /// Accepts the next connection.
    pub fn accept(&self) -> Guest {
        self.accept_with(None)
    }

    /// Accepts the next connection, and offers to play a recording.
    pub fn accept_to_play(&self) -> Guest {
        self.accept_with(Some("played"))
    }

    /// Accepts the next connection as a Rollbook does.
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

    /// Answers the next connection's plain HTTP request with this body.
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

    /// Refuses the next connection with this status.
    pub fn refuse(&self, status: u16) {
        let refuse = |_: &Request, _: Response| {
            let mut response = ErrorResponse::new(Some("no".to_owned()));
            *response.status_mut() = status.try_into().unwrap();
            Err(response)
        };
        assert!(accept_hdr(self.knock(), refuse).is_err());
    }
}

/// A client that was accepted.
pub struct Guest {
    socket: WebSocket<TcpStream>,
    /// The token of its `Authorization` header.
    pub token: Option<String>,
    /// The path that it requested.
    pub path: String,
}

impl Guest {
    /// Sends a text message.
    pub fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// Sends a binary message.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    /// The client's next text message; `None` if it closes the connection.
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

    /// Waits until the client has read all messages that were sent to it.
    pub fn heard(&mut self) {
        self.socket.send(Message::Ping("?".into())).unwrap();
        while !matches!(self.socket.read().unwrap(), Message::Pong(_)) {}
    }

    /// Waits until the client closes the connection, and returns the code.
    pub fn leaves(mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => {
                    // The answer to its close frame.
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
