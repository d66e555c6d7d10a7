//! What every command takes: where the answers come from, and how they are written.

use super::output::OutputFormat;
#[cfg(feature = "client")]
use super::token_source_args::TokenSourceArgs;
use crate::query::calendar::Zone;
use clap::{ArgAction, Args};
use std::path::PathBuf;

/// The options of all commands.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// The data directory
    #[arg(
        long,
        value_name = "DIR",
        env = "ROLLBOOK_DATA",
        hide_env_values = true,
        default_value = "./rollbook-data",
        global = true,
        help_heading = "Everywhere"
    )]
    pub data: PathBuf,
    /// A server to ask, instead of a data directory; --token-command, --token-file or ROLLBOOK_TOKEN have its token, and
    /// SSL_CERT_FILE (for https) names certificates to trust instead of the system's
    #[cfg(feature = "client")]
    #[arg(
        long,
        value_name = "URL",
        env = "ROLLBOOK_URL",
        hide_env_values = true,
        global = true,
        help_heading = "Everywhere"
    )]
    pub url: Option<String>,
    /// Where the server's token comes from.
    #[cfg(feature = "client")]
    #[command(flatten)]
    pub tokens: TokenSourceArgs,
    /// How answers are written; a table on a terminal and JSON lines in a pipe unless given
    #[arg(
        long,
        value_name = "FORMAT",
        env = "ROLLBOOK_FORMAT",
        hide_env_values = true,
        global = true,
        help_heading = "Everywhere"
    )]
    pub format: Option<OutputFormat>,
    /// The zone of times that have none, and of local days: a name of the IANA database, such as Europe/Berlin
    #[arg(
        long,
        value_name = "ZONE",
        env = "ROLLBOOK_ZONE",
        hide_env_values = true,
        global = true,
        help_heading = "Everywhere"
    )]
    pub zone: Option<Zone>,
    /// Say more on standard error
    #[arg(
        short,
        long,
        action = ArgAction::Count,
        env = "ROLLBOOK_VERBOSE",
        hide_env_values = true,
        global = true,
        help_heading = "Everywhere"
    )]
    pub verbose: u8,
}
