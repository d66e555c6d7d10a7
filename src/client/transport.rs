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
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown}: {why}")]
pub struct AddressError {
    shown: String,
    why: String,
}

/// Why there is no way to a server.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// It is not there, or not now.
    #[error(transparent)]
    Away(#[from] io::Error),
    /// It is not to be trusted.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    /// It speaks something else than its URL says.
    #[error("it does not speak TLS: the URL of a server without begins with http:// or ws://")]
    Plain,
}

/// A server, and what is asked of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    place: ServerPlace,
    tls: bool,
    /// What stands in the URL: with a path and a query, and perhaps a secret in that.
    uri: Uri,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ServerPlace {
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
            place: ServerPlace::Tcp(host, port),
            tls,
            uri,
        })
    }

    /// The server behind a Unix socket.
    #[must_use]
    pub fn unix(path: PathBuf) -> Address {
        Address {
            place: ServerPlace::Unix(path),
            tls: false,
            uri: Uri::from_static("http://localhost/"),
        }
    }

    /// Whether its query has this parameter.
    #[must_use]
    pub fn has(&self, parameter: &str) -> bool {
        let query = self.uri.query().unwrap_or_default();
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(parameter))
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
    pub(super) async fn connect(&self) -> Result<Box<dyn ByteStream>, ConnectError> {
        let (host, port) = match &self.place {
            ServerPlace::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            ServerPlace::Tcp(host, port) => (host.as_str(), *port),
        };
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if !self.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(trust()?));
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(no_tls(error)),
        }
    }
}

/// As it may be shown: without its query.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, self.uri.scheme_str(), self.uri.authority()) {
            (ServerPlace::Tcp(..), Some(scheme), Some(authority)) => {
                let path = self.uri.path().trim_end_matches('/');
                write!(f, "{scheme}://{authority}{path}")
            }
            (ServerPlace::Unix(path), ..) => write!(f, "{}", path.display()),
            (ServerPlace::Tcp(host, port), ..) => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// A stream of bytes in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// What went wrong in the handshake.
fn no_tls(error: io::Error) -> ConnectError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => ConnectError::Untrusted(distrust(wrong)),
        Some(rustls::Error::InvalidMessage(_)) => ConnectError::Plain,
        _ => ConnectError::Away(error),
    }
}

/// What is wrong with a certificate. What is not named here is said in the library's words.
fn distrust(wrong: &CertificateError) -> String {
    use CertificateError as Wrong;
    match wrong {
        // The signature is bad where another authority has the name of one that is trusted.
        Wrong::UnknownIssuer | Wrong::BadSignature => {
            "nobody whom this system trusts has issued it; \
            SSL_CERT_FILE names a file with others to trust"
                .into()
        }
        Wrong::Expired | Wrong::ExpiredContext { .. } => "it has expired".into(),
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => "it is not valid yet".into(),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            "it is for another host".into()
        }
        // What `openssl req -x509` makes unless it is told otherwise.
        Wrong::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's (CA:TRUE), and not a server's".into()
        }
        other => other.to_string(),
    }
}

/// Whom the system trusts; where `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, whom that names and nobody else. Looked up
/// for each connection, since files of certificates are renewed.
fn trust() -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(ToString::to_string);
        return Err(ConnectError::Untrusted(format!(
            "this system has no certificates to trust{}",
            why.map_or(String::new(), |why| format!(" ({why})"))
        )));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
