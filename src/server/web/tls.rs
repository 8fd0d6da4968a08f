//! TLS of the web port: the certificate and its key out of their files, read again when they were renewed. HTTP/2 is
//! agreed upon by ALPN (RFC 7301, RFC 9113 3.2); browsers speak it only here.

use super::socket::Progressing;
use crate::base::{Failure, Outcome};
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Certificates of a chain at most.
const MOST_CERTIFICATES: usize = 16;

/// Where the certificate and its key stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate and those it is signed by, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// See the module.
pub struct Tls {
    files: Files,
    current: Mutex<Arc<ServerConfig>>,
}

impl Tls {
    /// With what stands in the files now.
    ///
    /// # Errors
    /// Usage, naming the setting: a file that cannot be read, holds no certificate or key, or a key of another one.
    pub fn load(files: Files) -> Outcome<Tls> {
        let current = Mutex::new(Arc::new(read(&files)?));
        Ok(Tls { files, current })
    }

    /// Takes what stands in the files now, for connections that come from now on.
    ///
    /// # Errors
    /// As [`Tls::load`]; then everything stays as it was.
    pub fn reload(&self) -> Outcome<()> {
        let new = Arc::new(read(&self.files)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Shakes hands with a client; whether it speaks HTTP/2.
    ///
    /// # Errors
    /// It speaks no TLS, or none that we speak.
    pub async fn accept(&self, socket: Progressing) -> io::Result<(TlsStream<Progressing>, bool)> {
        let config = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stream = TlsAcceptor::from(config).accept(socket).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((stream, http2))
    }
}

fn read(files: &Files) -> Outcome<ServerConfig> {
    let cannot = |setting: &str, file: &Path, why: String| {
        Failure::usage(format!("{setting} cannot be used: {}", file.display())).why(why)
    };
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|found| found.take(MOST_CERTIFICATES).collect::<Result<Vec<_>, _>>())
        .map_err(|e| cannot("tls_cert", &files.certificate, words(&e)))?;
    if certificates.is_empty() {
        return Err(cannot("tls_cert", &files.certificate, "there is no certificate in it".into()));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|e| cannot("tls_key", &files.key, words(&e)))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::internal("cannot set TLS up").why(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|e| cannot("tls_key", &files.key, key_words(&e)))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// In words, without what the file holds.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(e) => crate::base::failure::io_words(e),
        pem::Error::NoItemsFound => "there is nothing of the kind in it, in PEM".into(),
        _ => "it is no PEM".into(),
    }
}

fn key_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "it is not the key of the certificate in tls_cert".into(),
        other => other.to_string(),
    }
}
