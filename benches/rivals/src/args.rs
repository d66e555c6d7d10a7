//! The command line: a work, and `--name value` pairs. The script `run` is its only user.

use crate::Outcome;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

/// The work, and its values by name.
pub struct Args {
    /// The first argument.
    pub work: String,
    values: BTreeMap<String, String>,
}

impl Args {
    /// Reads the process's arguments.
    pub fn read() -> Outcome<Args> {
        let mut rest = std::env::args().skip(1);
        let work = rest.next().ok_or("which work? see benches/README.md")?;
        let mut values = BTreeMap::new();
        while let Some(name) = rest.next() {
            let value = rest.next().ok_or(format!("{name} has no value"))?;
            values.insert(name, value);
        }
        Ok(Args { work, values })
    }

    /// The value of a name, if it was given.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of a name.
    pub fn text(&self, name: &str) -> Outcome<&str> {
        Ok(self.given(name).ok_or(format!("{name} is missing"))?)
    }

    /// The value of a name as a path.
    pub fn path(&self, name: &str) -> Outcome<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// The value of a name as a number.
    pub fn number<N: FromStr>(&self, name: &str) -> Outcome<N> {
        let text = self.text(name)?;
        Ok(text
            .parse()
            .map_err(|_| format!("{name} {text} is no number"))?)
    }
}
