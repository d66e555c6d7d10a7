//! The program itself, as a child process in its own folder, with a deadline: for tests from the outside.

use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than any run takes on the slowest machine: a process that is still running then hangs.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The file of a folder with the certificates that its program trusts.
pub const TRUSTED: &str = "trusted.pem";

/// The result of a run of the program.
#[derive(Debug)]
pub struct Ran {
    /// `None`: ended by a signal.
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Asserts that it succeeded.
    pub fn ok(self) -> Ran {
        assert_eq!(self.status, Some(0), "{self:?}");
        self
    }

    /// Asserts that it ended with this status, and with an error message instead of a panic.
    pub fn fails(self, status: i32) -> Ran {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        assert!(!self.err.trim().is_empty(), "{self:?}");
        self
    }

    /// Its JSON lines.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// Its only JSON line.
    pub fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.remove(0)
    }
}

/// The program that cargo built for the calling test program. Its path is known only there, so this is a macro.
#[macro_export]
macro_rules! program {
    () => {
        $crate::program::command(env!("CARGO_BIN_EXE_rollbook"))
    };
}

/// A new [`Folder`] for the calling test program's program.
#[macro_export]
macro_rules! folder {
    () => {
        $crate::program::Folder::new(env!("CARGO_BIN_EXE_rollbook"))
    };
}

pub use crate::{folder, program};

/// A folder with a store in `store`, and files beside it.
pub struct Folder {
    place: TempDir,
    program: &'static str,
}

impl Folder {
    /// A folder for the program at this path: see [`folder!`](crate::folder).
    pub fn new(program: &'static str) -> Folder {
        let place = tempfile::tempdir().unwrap();
        Folder { place, program }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Writes a file, and returns its path.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Appends text to a file.
    pub fn more(&self, name: &str, text: &str) {
        let mut options = File::options();
        let mut file = options.append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// The program, on the store in `store`. It trusts the certificates in [`TRUSTED`], if there is such a file.
    pub fn program(&self, args: &[&str]) -> Command {
        let mut command = command(self.program);
        command
            .current_dir(self.place.path())
            .env("ROLLBOOK_DATA", self.path("store"))
            .args(args);
        if self.path(TRUSTED).exists() {
            command.env("SSL_CERT_FILE", self.path(TRUSTED));
        }
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        run(self.program(args))
    }

    /// Ingests a file with these lines, and returns the summary.
    pub fn ingest(&self, text: impl AsRef<[u8]>, options: &[&str]) -> Value {
        let file = self.file("feed.jsonl", text);
        let args = [&["ingest"], options, &[file.as_str()]].concat();
        self.run(&args).ok().line()
    }

    /// The answer to a query, as JSON lines.
    pub fn ask(&self, args: &[&str]) -> Vec<Value> {
        self.run(args).ok().lines()
    }

    /// Runs `verify --deep`, and returns its number of entries.
    pub fn verified(&self) -> u64 {
        let verified = self.run(&["verify", "--deep"]).ok().line();
        assert_eq!(verified["ok"], true, "{verified}");
        verified["entries"].as_u64().unwrap()
    }
}

/// The program at this path, without the environment variables of this process that would influence it: see
/// [`program!`](crate::program).
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let own = std::env::vars_os().map(|(name, _)| name);
    let own = own.filter(|name| name.to_string_lossy().starts_with("ROLLBOOK_"));
    let others = ["NO_COLOR", "COLUMNS", "RUST_LOG", "NOTIFY_SOCKET"].map(Into::into);
    for variable in own.chain(others) {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, before [`DEADLINE`].
pub fn run(command: Command) -> Ran {
    run_within(command, DEADLINE)
}

/// Runs a command to its end, before a deadline.
pub fn run_within(mut command: Command, deadline: Duration) -> Ran {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let out = reader(child.stdout.take().unwrap());
    let err = reader(child.stderr.take().unwrap());
    let status = end(&mut child, deadline, &command);
    Ran {
        status: status.code(),
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    }
}

/// Waits until a child has ended.
pub fn end(child: &mut Child, deadline: Duration, what: &Command) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{what:?} is not done after {deadline:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The lines that a child writes, as they come.
pub fn said(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (said, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(from).lines().map_while(Result::ok);
        // The receiver may have hung up.
        lines.for_each(|line| drop(said.send(line)));
    });
    lines
}

fn reader(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &to.join(item.file_name()));
        } else if item.file_type().unwrap().is_file() {
            // A killed program leaves its socket behind.
            std::fs::copy(item.path(), to.join(item.file_name())).unwrap();
        }
    }
}

/// Entries without the field that depends on the time of recording.
pub fn timeless(mut entries: Vec<Value>) -> Vec<Value> {
    for entry in &mut entries {
        entry.as_object_mut().unwrap().remove("recorded_at");
    }
    entries
}

/// Random-looking numbers that are the same in every run.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Seeded by `ROLLBOOK_SEED`, or else by the test's own number.
    pub fn new(own: u64) -> Dice {
        let seed = std::env::var("ROLLBOOK_SEED").ok();
        let seed = seed.map_or(own, |seed| seed.parse().unwrap());
        println!("ROLLBOOK_SEED={seed}");
        Dice(seed)
    }

    /// Seeded by a number that the test's own dice gave; prints no seed.
    pub fn quiet(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// `few` rounds, or `many` if `ROLLBOOK_LONG` is set.
pub fn rounds(few: usize, many: usize) -> usize {
    if long() { many } else { few }
}

/// Whether tests may take long.
pub fn long() -> bool {
    std::env::var_os("ROLLBOOK_LONG").is_some_and(|long| !long.is_empty())
}
