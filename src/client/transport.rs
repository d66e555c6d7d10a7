//! Byte streams to a server: TCP, TLS over TCP, or a Unix socket. The protocol on them is not known here.

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

/// Why a connection to a server failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The server cannot be reached at the moment.
    #[error(transparent)]
    Away(#[from] io::Error),
    /// The server is not trusted.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    /// The server does not speak the protocol of its URL.
    #[error("it does not speak TLS: the URL of a server without begins with http:// or ws://")]
    Plain,
}

/// A server's address, and the request to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    place: ServerPlace,
    tls: bool,
    /// The URL with its path and query. The query may hold a secret.
    uri: Uri,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ServerPlace {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Address {
    /// Parses a URL with one of two schemes: the plain one, or the one with TLS (for example `ws`, `wss`).
    ///
    /// # Errors
    /// What is wrong with the URL. The text leaves out the query, which may hold a secret.
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

    /// The address of the server behind a Unix socket.
    #[doc(hidden)]
    #[must_use]
    pub fn unix(path: PathBuf) -> Address {
        Address {
            place: ServerPlace::Unix(path),
            tls: false,
            uri: Uri::from_static("http://localhost/"),
        }
    }

    /// Whether the query has this parameter.
    #[doc(hidden)]
    #[must_use]
    pub fn has(&self, parameter: &str) -> bool {
        let query = self.uri.query().unwrap_or_default();
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(parameter))
    }

    /// The same server with another path and query; the path is appended to that of this address. Parameters of this
    /// address's own query stay, unless the new query has the same name.
    ///
    /// # Errors
    /// When the path is not valid in a URL.
    #[doc(hidden)]
    pub fn under(&self, scheme: &str, path: &str) -> Result<Address, AddressError> {
        let base = self.uri.path().trim_end_matches('/');
        // A URL that already ends with the route means the same server.
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

/// The form that is safe to show: without the query.
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

/// Classifies an error of the TLS handshake.
fn no_tls(error: io::Error) -> ConnectError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => ConnectError::Untrusted(distrust(wrong)),
        Some(rustls::Error::InvalidMessage(_)) => ConnectError::Plain,
        _ => ConnectError::Away(error),
    }
}

/// Explains what is wrong with a certificate. For other errors, the text is the library's.
fn distrust(wrong: &CertificateError) -> String {
    use CertificateError as Wrong;
    match wrong {
        // The signature is wrong when an untrusted authority has the same name as a trusted one.
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
        // `openssl req -x509` makes this kind of certificate by default.
        Wrong::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's (CA:TRUE), and not a server's".into()
        }
        other => other.to_string(),
    }
}

/// The certificates that the system trusts. If `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, only the certificates found
/// there. They are loaded for each connection, because certificate files get renewed.
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
