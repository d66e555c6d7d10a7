//! Settings of the commands that run for long (`serve`, `record`) from the environment and from a file (`--config`). The
//! options themselves are the list: each has a variable and a key by its long name, so that no second list can fall out of
//! step. What is typed has priority over a variable, and that over the file.
//!
//! The file's settings are put on the command line before it is parsed. So every rule of the options holds for them, too.

use crate::export::record::ExportRow;
use crate::export::schema::{self, TableSchema};
use clap::builder::{BoolishValueParser, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The commands that have settings.
pub const COMMANDS: [&str; 2] = ["serve", "record"];
/// Options that are no settings: they say where settings are, or what to do instead of serving, or are of questions alone.
const NO_SETTINGS: [&str; 5] = ["config", "check", "url", "help", "version"];

/// Where settings are.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// A file of settings (TOML): its keys are the options' long names. What is typed has priority over variables of the
    /// environment, and those over the file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A setting in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    /// The option's long name, which is the key in the file.
    pub setting: String,
    /// Its value; `None`: it has none.
    pub value: Option<String>,
    /// Where the value comes from: `command line`, a variable, a file with the line, or `default`.
    pub source: String,
}

impl ExportRow for SettingRow {
    const TABLE: &'static TableSchema = &schema::SETTINGS;
}

/// The key of an option in the file, if it is a setting.
#[must_use]
pub fn key(option: &Arg) -> Option<&str> {
    let name = option.get_long().or(match option.is_positional() {
        true => Some(option.get_id().as_str()),
        false => None,
    })?;
    (!NO_SETTINGS.contains(&name)).then_some(name)
}

/// The environment variable of a long name.
fn variable(name: &str) -> String {
    format!("ROLLBOOK_{}", name.to_uppercase().replace('-', "_"))
}

/// Gives the options of [`COMMANDS`] their variables.
#[must_use]
pub fn with_variables(command: Command) -> Command {
    let named = |option: Arg| {
        let name = match option.get_id().as_str() {
            "config" => Some("config"),
            _ => key(&option),
        };
        let Some(name) = name.map(variable) else {
            return option;
        };
        // A variable that is empty counts as unset: there is no other way to unset one in some files of containers.
        if std::env::var_os(&name).is_some_and(|value| value.is_empty()) {
            return option;
        }
        let option = option.env(name).hide_env_values(true);
        match option.get_action() {
            ArgAction::SetTrue => option.value_parser(ValueParser::new(BoolishValueParser::new())),
            _ => option,
        }
    };
    COMMANDS.iter().fold(command, |command, name| {
        match command.find_subcommand(name) {
            Some(_) => command.mut_subcommand(name, |command| command.mut_args(named)),
            None => command,
        }
    })
}

/// A setting of a file.
struct FileSetting {
    line: usize,
    values: Vec<FileValue>,
}

/// A value of a setting of a file.
enum FileValue {
    Text(String),
    Flag(bool),
    Count(u8),
}

/// The command line with what variables and files add to it.
pub struct FilledLine {
    /// To be parsed.
    pub args: Vec<OsString>,
    /// The command with settings that it names, if any.
    command: Option<&'static str>,
    /// Where each setting comes from that is neither typed nor a default, by its key.
    sources: BTreeMap<String, String>,
}

/// Adds the settings of files, and lists of variables, to a command line.
///
/// # Errors
/// When the file cannot be read or understood, or names what is no setting of the command.
pub fn fill(command: &Command, typed: Vec<OsString>) -> Result<FilledLine, Error> {
    let mut filled = FilledLine {
        args: typed,
        command: None,
        sources: BTreeMap::new(),
    };
    // What is wrong with the line is said when it is parsed as a whole.
    let lenient = command.clone().ignore_errors(true);
    let Ok(matches) = lenient.try_get_matches_from(filled.args.clone()) else {
        return Ok(filled);
    };
    let Some((name, matches)) = matches.subcommand() else {
        return Ok(filled);
    };
    let Some(name) = COMMANDS.into_iter().find(|known| *known == name) else {
        return Ok(filled);
    };
    filled.command = Some(name);
    let mut whole = command.clone();
    whole.build();
    let Some(options) = whole.find_subcommand(name) else {
        return Ok(filled);
    };
    let path = matches.get_one::<PathBuf>("config");
    let mut file = path.map_or(Ok(BTreeMap::new()), |path| {
        read(path).map_err(|what| wrong(command, &what))
    })?;
    let mut added = Vec::new();
    for option in options.get_arguments() {
        let Some(key) = key(option) else { continue };
        let of_file = file.remove(key);
        if matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine) {
            continue;
        }
        if let Some(value) = of_env(option) {
            let name = variable(key);
            if let ArgAction::Append = option.get_action() {
                let values = value.to_string_lossy();
                let values = values.split(',').map(|value| pair(key, value.trim()));
                added.extend(values);
            }
            filled.sources.insert(key.to_owned(), name);
        } else if let (Some(setting), Some(path)) = (of_file, path) {
            let at = format!("{}:{}", path.display(), setting.line);
            let args = arguments(option, key, &setting);
            added.extend(args.map_err(|what| wrong(command, &format!("{at}: {what}")))?);
            filled.sources.insert(key.to_owned(), at);
        }
    }
    if let (Some((key, setting)), Some(path)) = (file.first_key_value(), path) {
        let (path, line) = (path.display(), setting.line);
        let what = format!(
            "{path}:{line}: \"{key}\" is no setting of `rollbook {name}`; its --help lists the options, whose names are the keys"
        );
        return Err(wrong(command, &what));
    }
    // What stands behind `--` are no options.
    let end = filled.args.iter().position(|arg| arg == "--");
    let end = end.unwrap_or(filled.args.len());
    filled.args.splice(end..end, added);
    Ok(filled)
}

impl FilledLine {
    /// An error of the whole line, with the place of the setting that it is about.
    #[must_use]
    pub fn explain(&self, command: &Command, error: Error) -> Error {
        let about = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(about)) => about.clone(),
            Some(ContextValue::Strings(about)) => about.join(" "),
            _ => return error,
        };
        let about = about.trim_start_matches("--");
        let name = about.split([' ', '=', '[']).next().unwrap_or_default();
        let Some(source) = self.sources.get(name) else {
            return error;
        };
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        wrong_as(command, error.kind(), &format!("{source}: {text}"))
    }

    /// The settings in effect, in the order of the options; none for a command without settings.
    #[must_use]
    pub fn in_effect(&self, command: &Command, matches: &ArgMatches) -> Vec<SettingRow> {
        let Some((name, matches)) = matches.subcommand() else {
            return Vec::new();
        };
        let mut whole = command.clone();
        whole.build();
        let options = self.command.and_then(|_| whole.find_subcommand(name));
        let options = options.into_iter().flat_map(Command::get_arguments);
        let row = |option: &Arg| {
            let key = key(option)?;
            let id = option.get_id().as_str();
            let source = match (self.sources.get(key), matches.value_source(id)) {
                (Some(source), _) => source.clone(),
                (None, Some(ValueSource::CommandLine)) => "command line".to_owned(),
                (None, Some(ValueSource::EnvVariable)) => variable(key),
                (None, _) => "default".to_owned(),
            };
            let value = match option.get_action() {
                ArgAction::Count => Some(matches.get_count(id).to_string()),
                ArgAction::SetTrue => Some(matches.get_flag(id).to_string()),
                _ => matches.get_raw(id).map(|values| {
                    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                    values.join(", ")
                }),
            };
            // A command may have a secret in it.
            let value = match id.ends_with("token_command") {
                true => value.map(|_| "set".to_owned()),
                false => value,
            };
            Some(SettingRow {
                setting: key.to_owned(),
                value,
                source,
            })
        };
        options.filter_map(row).collect()
    }
}

/// The value of an option's variable.
fn of_env(option: &Arg) -> Option<OsString> {
    let name = option.get_env()?;
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn wrong(command: &Command, what: &str) -> Error {
    wrong_as(command, ErrorKind::InvalidValue, what)
}

fn wrong_as(command: &Command, kind: ErrorKind, what: &str) -> Error {
    command
        .clone()
        .error(kind, format!("{}\n", what.trim_end()))
}

fn pair(key: &str, value: &str) -> OsString {
    format!("--{key}={value}").into()
}

/// The arguments for a setting of a file.
fn arguments(option: &Arg, key: &str, setting: &FileSetting) -> Result<Vec<OsString>, String> {
    let flag = || OsString::from(format!("--{key}"));
    let action = option.get_action();
    if let (ArgAction::Set, [_, _, ..]) = (action, setting.values.as_slice()) {
        return Err(format!("\"{key}\" has one value"));
    }
    let mut args = Vec::new();
    for value in &setting.values {
        match (action, value) {
            (ArgAction::SetTrue, FileValue::Flag(true)) => args.push(flag()),
            (ArgAction::SetTrue, FileValue::Flag(false)) => {}
            (ArgAction::SetTrue, _) => return Err(format!("\"{key}\" is true or false")),
            (ArgAction::Count, FileValue::Count(times)) => {
                for _ in 0..*times {
                    args.push(flag());
                }
            }
            (ArgAction::Count, _) => return Err(format!("\"{key}\" is a number from 0")),
            (_, FileValue::Flag(_)) => return Err(format!("\"{key}\" is no flag: it has a value")),
            (_, FileValue::Text(text)) if option.is_positional() => args.push(text.into()),
            (_, FileValue::Text(text)) => args.push(pair(key, text)),
            (_, FileValue::Count(number)) => args.push(pair(key, &number.to_string())),
        }
    }
    Ok(args)
}

/// Reads a file of settings.
fn read(path: &Path) -> Result<BTreeMap<String, FileSetting>, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("--config {shown}: {error}"))?;
    let line = |at: usize| {
        let before = text.get(..at).unwrap_or(&text);
        before.matches('\n').count() + 1
    };
    let table = DeTable::parse(&text).map_err(|error| {
        let line = line(error.span().map_or(0, |span| span.start));
        format!("{shown}:{line}: {}", error.message())
    })?;
    let mut settings = BTreeMap::new();
    for (key, value) in table.into_inner() {
        let line = line(key.span().start);
        let values = match value.into_inner() {
            DeValue::Array(array) => array.into_iter().map(Spanned::into_inner).collect(),
            value => vec![value],
        };
        let values: Option<Vec<FileValue>> = values.iter().map(one).collect();
        let key = key.into_inner().into_owned();
        let Some(values) = values else {
            return Err(format!(
                "{shown}:{line}: \"{key}\" is a text, a number, true or false, or a list of texts"
            ));
        };
        settings.insert(key, FileSetting { line, values });
    }
    Ok(settings)
}

/// A value as the command line has it.
fn one(value: &DeValue<'_>) -> Option<FileValue> {
    Some(match value {
        DeValue::String(text) => FileValue::Text(text.to_string()),
        DeValue::Boolean(flag) => FileValue::Flag(*flag),
        DeValue::Integer(number) => match number.to_string().parse() {
            Ok(small) => FileValue::Count(small),
            Err(_) => FileValue::Text(number.to_string()),
        },
        DeValue::Float(number) => FileValue::Text(number.to_string()),
        _ => return None,
    })
}
