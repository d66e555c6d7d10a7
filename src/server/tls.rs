//! TLS: certificate and key out of PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// What greets a client in TLS. Clones share it.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<TlsAcceptor>>);

/// What the client turned out to speak.
pub enum Greeted {
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// Something else, of which nothing is read yet.
    Plain(TcpStream),
}

/// With this byte every conversation in TLS begins (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file holds no certificate, or no key.
    #[error("{}: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The two do not fit each other, or what is spoken today.
    #[error("the certificate and its key cannot be used: {0}")]
    Unfit(String),
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its key.
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

    /// Greets the next clients with the certificate of a newer one, for all clones.
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

    /// Does the handshake.
    ///
    /// # Errors
    /// Where it fails.
    pub async fn greet(&self, stream: TcpStream) -> io::Result<Greeted> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
            return Ok(Greeted::Plain(stream));
        }
        let stream = self.acceptor().accept(stream).await?;
        Ok(Greeted::Tls(Box::new(stream)))
    }
}
