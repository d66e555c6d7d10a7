//! `record`, as a child process.

use super::mock::Guest;
use super::program::{DEADLINE, Folder, Ran, end, said};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

/// A running `record`.
pub struct Recording {
    child: Child,
    command: Command,
    out: Receiver<String>,
    err: Receiver<String>,
    heard: std::cell::RefCell<String>,
}

impl Recording {
    pub fn start(folder: &Folder, url: &str, options: &[&str]) -> Recording {
        let mut command = folder.program(&[&["record", url], options].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = said(child.stdout.take().unwrap());
        let err = said(child.stderr.take().unwrap());
        Recording {
            child,
            command,
            out,
            err,
            heard: Default::default(),
        }
    }

    /// Waits until it writes a line that contains `what`.
    pub fn says(&self, what: &str) {
        loop {
            let line = self.err.recv_timeout(DEADLINE).unwrap();
            self.heard.borrow_mut().push_str(&format!("{line}\n"));
            if line.contains(what) {
                return;
            }
        }
    }

    pub fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        kill.args([signal, &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    pub fn end(mut self) -> Ran {
        let status = end(&mut self.child, DEADLINE, &self.command).code();
        let lines =
            |lines: Receiver<String>| lines.iter().map(|line| line + "\n").collect::<String>();
        Ran {
            status,
            out: lines(self.out),
            err: self.heard.take() + &lines(self.err),
        }
    }

    /// Stops it, as a supervisor does.
    pub fn terminate(self) -> Ran {
        self.signal("-TERM");
        self.end().ok()
    }

    /// Stops it, and checks that it closes the connection to the source properly.
    pub fn stop(self, mut last: Guest) -> Ran {
        last.heard();
        self.signal("-TERM");
        assert_eq!(last.leaves(), 1000);
        self.end().ok()
    }
}
