//! `health`: asks a server whether it records and answers. For containers and load balancers: the exit status is the answer.

use crate::cli::answers::named;
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::text::shown;
use crate::client::remote::ServerClient;
use crate::client::token::TokenSource;
use crate::client::transport::Address;
use crate::limits;
use crate::query::time::Span;
use crate::store::OWNER_SOCKET;
use clap::Args;
use std::time::Duration;

/// `health`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook health                                  the server that has the data directory, through its socket
  rollbook --url https://rolls.example health --timeout 2s
  HEALTHCHECK CMD [\"rollbook\", \"health\"]           in a Dockerfile
", after_help = "It asks for /readyz, which needs no token. The status is 0 where the server is ready, else 1, with the reason.")]
pub struct HealthArgs {
    /// How long to wait for the answer
    #[arg(long, value_name = "SPAN", default_value_t = Span(limits::HEALTH_MS_MAX))]
    pub timeout: Span,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &HealthArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let failed = |what: String| Failure::new(Exit::Failed, shown(&what));
    let server = match &everywhere.url {
        Some(url) => named(url, TokenSource::None)?,
        None => {
            let socket = Address::unix(everywhere.data.join(OWNER_SOCKET));
            let server = ServerClient::new(socket, TokenSource::None);
            server.map_err(|error| failed(error.to_string()))?
        }
    };
    let most = Duration::from_millis(args.timeout.0.unsigned_abs());
    let ready = server.ready(most);
    ready.map_err(|error| failed(error.to_string()))?;
    output.line(b"ready")
}
