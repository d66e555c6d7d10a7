//! TLS with certificate and key from PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// Does TLS handshakes. Clones share the certificate.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<TlsAcceptor>>);

/// The protocol that the client speaks.
pub enum Greeted {
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// Another protocol; nothing was read yet.
    Plain(TcpStream),
}

/// The first byte of every TLS connection (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file has no valid certificate or key.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Certificate and key do not match, or are not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Unfit(String),
}

impl Tls {
    /// Reads a certificate chain, the server's own certificate first, and its key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn read(chain: &Path, key: &Path) -> Result<Tls, TlsError> {
        let file = |path: &Path, what: String| TlsError::File {
            path: path.to_owned(),
            what,
        };
        let certificates = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| file(chain, error.to_string()))?;
        if certificates.is_empty() {
            return Err(file(chain, "no certificate in PEM".into()));
        }
        let key_der =
            PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, error.to_string()))?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(certificates, key_der)
            .map_err(|error| TlsError::Unfit(error.to_string()))?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Tls(Arc::new(RwLock::new(acceptor))))
    }

    /// Uses the certificate of `newer` for new connections, for all clones.
    pub fn replace(&self, newer: &Tls) {
        let newer = newer.acceptor();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = newer;
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Does the handshake, unless the client does not speak TLS.
    ///
    /// # Errors
    /// When the handshake fails.
    #[doc(hidden)]
    pub async fn greet(&self, stream: TcpStream) -> io::Result<Greeted> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
            return Ok(Greeted::Plain(stream));
        }
        let stream = self.acceptor().accept(stream).await?;
        Ok(Greeted::Tls(Box::new(stream)))
    }
}
