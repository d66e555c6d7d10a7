//! Byte streams to a server: TCP, TLS over it, or a Unix socket. What is said on them is not known here.

use hyper::Uri;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown}: {why}")]
pub struct AddressError {
    shown: String,
    why: String,
}

/// A server, and what is asked of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    place: Place,
    tls: bool,
    /// What stands in the URL: with a path and a query, and perhaps a secret in that.
    uri: Uri,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Address {
    /// Reads a URL of one of two schemes: the plain one, and the one with TLS (`ws`, `wss`).
    ///
    /// # Errors
    /// What is wrong with it; a query, which may hold a secret, is not repeated.
    pub fn parse(url: &str, [plain, secure]: [&str; 2]) -> Result<Address, AddressError> {
        let shown = || url.split(['?', '#']).next().unwrap_or_default().to_owned();
        let wrong = |why: String| {
            let shown = shown();
            AddressError { shown, why }
        };
        let uri: Uri = url.parse().map_err(|_| wrong("this is no URL".into()))?;
        let tls = match uri.scheme_str() {
            Some(scheme) if scheme == plain => false,
            Some(scheme) if scheme == secure => true,
            _ => {
                return Err(wrong(format!(
                    "it must begin with {plain}:// or {secure}://"
                )));
            }
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("there is no host in it".into()))?;
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(wrong(
                "a user in a URL is not sent; give a token instead".into(),
            ));
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Ok(Address {
            place: Place::Tcp(host, port),
            tls,
            uri,
        })
    }

    /// The server behind a Unix socket.
    #[must_use]
    pub fn unix(path: PathBuf) -> Address {
        Address {
            place: Place::Unix(path),
            tls: false,
            uri: Uri::from_static("http://localhost/"),
        }
    }

    /// The same server, asked for another path (with its query) under that of this address. What this address has in its
    /// own query stays, unless the path's says otherwise.
    ///
    /// # Errors
    /// Where the path cannot stand in a URL.
    pub fn under(&self, scheme: &str, path: &str) -> Result<Address, AddressError> {
        let base = self.uri.path().trim_end_matches('/');
        // Who names the route has named the server, too.
        let route = path.split('?').next().unwrap_or_default();
        let base = base.strip_suffix(route).unwrap_or(base);
        let authority = self
            .uri
            .authority()
            .map_or("localhost", |name| name.as_str());
        let scheme = if self.tls {
            format!("{scheme}s")
        } else {
            scheme.to_owned()
        };
        let own = self.uri.query().unwrap_or_default().split('&');
        let (_, asked) = path.split_once('?').unwrap_or((path, ""));
        let named = |pair: &str| pair.split('=').next().map(str::to_owned);
        let kept = own.filter(|pair| {
            !pair.is_empty() && !asked.split('&').any(|other| named(other) == named(pair))
        });
        let mut path = path.to_owned();
        for pair in kept {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(pair);
        }
        let uri: Uri = format!("{scheme}://{authority}{base}{path}")
            .parse()
            .map_err(|_| {
                let (shown, why) = (
                    self.to_string(),
                    "the question is too long for a URL".into(),
                );
                AddressError { shown, why }
            })?;
        Ok(Address {
            uri,
            ..self.clone()
        })
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Connects.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let (host, port) = match &self.place {
            Place::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Place::Tcp(host, port) => (host.as_str(), *port),
        };
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if !self.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(trust()?));
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

/// As it may be shown: without its query.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, self.uri.scheme_str(), self.uri.authority()) {
            (Place::Tcp(..), Some(scheme), Some(authority)) => {
                let path = self.uri.path().trim_end_matches('/');
                write!(f, "{scheme}://{authority}{path}")
            }
            (Place::Unix(path), ..) => write!(f, "{}", path.display()),
            (Place::Tcp(host, port), ..) => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// A stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Whom the system trusts.
fn trust() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found
            .errors
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        return Err(io::Error::other(format!(
            "the system has no certificates to trust {why}"
        )));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
