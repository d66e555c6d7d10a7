//! `serve`, or another command that serves, as a child process on its own port.

use super::program::{DEADLINE, Folder, end, said};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// A field of a process's status, in bytes.
pub fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let kib = lines.find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"));
    kib.unwrap().trim().parse::<u64>().unwrap() << 10
}

/// Its resident size, in bytes.
pub fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// A running server.
pub struct Serving {
    child: Child,
    command: Command,
    says: Receiver<String>,
    /// Its address.
    pub url: String,
}

impl Serving {
    /// Serves the folder's store.
    pub fn start(folder: &Folder, options: &[&str]) -> Serving {
        Serving::at(folder, "127.0.0.1:0", options)
    }

    /// Serves the folder's store at an address.
    pub fn at(folder: &Folder, address: &str, options: &[&str]) -> Serving {
        Serving::by(folder, &[&["serve", "--listen", address], options].concat())
    }

    /// Plays the folder's store.
    pub fn playing(folder: &Folder, options: &[&str]) -> Serving {
        Serving::by(
            folder,
            &[&["replay", "--serve", "127.0.0.1:0"], options].concat(),
        )
    }

    fn by(folder: &Folder, args: &[&str]) -> Serving {
        Serving::of(folder.program(args)).unwrap_or_else(|said| panic!("{said:?}"))
    }

    /// Starts a server by a command, perhaps under strace. Returns the lines that it wrote if it ended before it
    /// listened.
    pub fn of(mut command: Command) -> Result<Serving, Vec<String>> {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let says = said(child.stderr.take().unwrap());
        let mut before = Vec::new();
        let url = loop {
            match says.recv_timeout(DEADLINE) {
                Ok(line) => match line.split_once("listening on ") {
                    Some((_, url)) => break url.to_owned(),
                    None => before.push(line),
                },
                Err(RecvTimeoutError::Disconnected) => {
                    end(&mut child, DEADLINE, &command);
                    return Err(before);
                }
                Err(RecvTimeoutError::Timeout) => panic!("it does not listen: {before:?}"),
            }
        };
        Ok(Serving {
            child,
            command,
            says,
            url,
        })
    }

    /// Its address with the WebSocket scheme and this path.
    pub fn socket(&self, path: &str) -> String {
        format!("{}{path}", self.url.replacen("http", "ws", 1))
    }

    /// Its address without the scheme.
    pub fn address(&self) -> String {
        self.url.replacen("http://", "", 1)
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The id of the server's own process, also under strace.
    pub fn server(&self) -> u32 {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let child = children.split_whitespace().next();
        child.map_or(pid, |child| child.parse().unwrap())
    }

    /// Stops it, and asserts success.
    pub fn stop(self) {
        let (status, said) = self.end_in_order();
        assert_eq!(status.code(), Some(0), "{said:?}");
    }

    /// Stops it if it still runs; returns how it ended and the lines that it wrote.
    pub fn end_in_order(mut self) -> (ExitStatus, Vec<String>) {
        let mut kill = Command::new("kill");
        kill.args(["-TERM", &self.server().to_string()]);
        // It may have ended already.
        drop(kill.stderr(Stdio::null()).status());
        let status = end(&mut self.child, DEADLINE, &self.command);
        (status, self.says.iter().collect())
    }

    /// Ends it as a power cut would.
    pub fn kill(self) {
        // Dropping kills it.
        drop(self);
    }
}

impl Drop for Serving {
    /// Kills the server, so that a failed test leaves no process behind.
    fn drop(&mut self) {
        // It may have ended already.
        let server = self.server();
        if server != self.child.id() {
            // When a tracer is killed, the traced process continues.
            let mut kill = Command::new("kill");
            let kill = kill.args(["-KILL", &server.to_string()]);
            drop(kill.stderr(Stdio::null()).status());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
