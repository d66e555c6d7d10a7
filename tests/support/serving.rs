//! `serve`, or another command that serves, as a child process on a port of its own.
#![allow(dead_code)] // each test uses its part

use super::program::{DEADLINE, Folder, end, said};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

/// A server.
pub struct Serving {
    child: Child,
    command: Command,
    says: Receiver<String>,
    /// Where it is.
    pub url: String,
}

impl Serving {
    /// Serves the folder's store.
    pub fn start(folder: &Folder, options: &[&str]) -> Serving {
        Serving::at(folder, "127.0.0.1:0", options)
    }

    /// Serves it at an address.
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
        let mut command = folder.program(args);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let says = said(child.stderr.take().unwrap());
        let url = loop {
            let line = says.recv_timeout(DEADLINE).unwrap();
            if let Some((_, url)) = line.split_once("listening on ") {
                break url.to_owned();
            }
        };
        Serving {
            child,
            command,
            says,
            url,
        }
    }

    /// The same place, under another scheme and path.
    pub fn socket(&self, path: &str) -> String {
        format!("{}{path}", self.url.replacen("http", "ws", 1))
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.url.replacen("http://", "", 1)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to end.
    pub fn stop(mut self) {
        let mut kill = Command::new("kill");
        kill.args(["-TERM", &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
        let status = end(&mut self.child, DEADLINE, &self.command);
        let rest: Vec<String> = self.says.try_iter().collect();
        assert_eq!(status.code(), Some(0), "{rest:?}");
    }

    /// Ends it as a power cut would.
    pub fn kill(self) {
        // That is what becomes of it when nobody holds it.
        drop(self);
    }
}

impl Drop for Serving {
    /// A test that has failed leaves none running.
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
