//! The terminal's width, whether it supports colour, and the colours used: of the 16 of its own palette, so that they fit
//! the user's theme.

use std::env;
use std::io::{self, IsTerminal};
use terminal_size::{Width, terminal_size_of};

/// The width if there is no terminal and no `COLUMNS`.
const WIDTH_DEFAULT: u16 = 80;
/// In fewer columns, tables would only have columns of single letters.
const WIDTH_MIN: u16 = 40;

/// How tables are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Columns of the terminal.
    pub width: u16,
    /// Whether to use colour. No information is given by colour alone.
    pub colour: bool,
}

/// A colour, by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextColor {
    /// No colour.
    Plain,
    /// A member joined.
    Joined,
    /// A member left.
    Left,
    /// A member changed, or something is uncertain.
    Changed,
    /// A headline.
    Head,
    /// Less important text.
    Faint,
}

impl TerminalStyle {
    /// The style for standard output. `NO_COLOR` (set and not empty) or `TERM=dumb` disables colour.
    #[must_use]
    pub fn of_stdout() -> TerminalStyle {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        let asked = || env::var("COLUMNS").ok()?.parse().ok();
        // Some terminals say that they have no columns: they do not know.
        let known = |width: &u16| *width > 0;
        let size = terminal_size_of(io::stdout()).map(|(Width(width), _)| width);
        let width = size.filter(known).or_else(asked);
        let width = width.filter(known);
        let width = width.unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN);
        TerminalStyle {
            width,
            colour: io::stdout().is_terminal() && !refused,
        }
    }

    /// Text in a colour, if colour is used.
    #[must_use]
    pub fn ink(&self, ink: TextColor, text: &str) -> String {
        let code = match ink {
            TextColor::Plain => return text.to_owned(),
            _ if !self.colour => return text.to_owned(),
            TextColor::Joined => "32",
            TextColor::Left => "31",
            TextColor::Changed => "33",
            TextColor::Head => "1",
            TextColor::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
