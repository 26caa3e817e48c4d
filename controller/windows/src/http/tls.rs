//! Whom to trust: authorities that the configuration names, or one certificate by its fingerprint. Never anybody, never nobody's check.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Certificates of one file of authorities; a system's whole list has some 150.
const AUTHORITIES: usize = 1_000;

/// The SHA-256 of a certificate, as `certutil` and `openssl` print it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin(pub [u8; 32]);

impl FromStr for Pin {
    type Err = TlsProblem;
    /// 64 hexadecimal digits; colons and blanks between them do not matter.
    fn from_str(text: &str) -> Result<Self, TlsProblem> {
        let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b':' | b' ' | b'-')).collect();
        let mut pin = [0; 32];
        if digits.len() != 64 {
            return Err(TlsProblem::Configuration("a fingerprint has 64 hexadecimal digits".into()));
        }
        for (byte, pair) in pin.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|p| !p.starts_with('+'));
            let value = pair.and_then(|p| u8::from_str_radix(p, 16).ok());
            *byte = value.ok_or_else(|| TlsProblem::Configuration("a fingerprint has 64 hexadecimal digits".into()))?;
        }
        Ok(Pin(pin))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Certificates of authorities, known by the hash of all of them: whole lists are neither printed nor compared.
#[derive(Clone)]
pub struct Authorities {
    certificates: Arc<[CertificateDer<'static>]>,
    print: Pin,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates {}", self.certificates.len(), self.print)
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those that these authorities signed, for the name we called.
    Authorities(Authorities),
    /// Exactly this one, whatever it says of names and dates.
    Pinned(Pin),
}

impl Trust {
    /// Authorities from a file's text in PEM form.
    pub fn authorities(pem: &[u8]) -> Result<Self, TlsProblem> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(AUTHORITIES).collect();
        match found {
            Ok(found) if !found.is_empty() => {
                let hash = found.iter().fold(Sha256::new(), |hash, one| hash.chain_update(Sha256::digest(one)));
                Ok(Trust::Authorities(Authorities { certificates: found.into(), print: Pin(hash.finalize().into()) }))
            }
            Ok(_) => Err(TlsProblem::Configuration("the file of authorities holds no certificate in PEM form".into())),
            Err(_) => Err(TlsProblem::Configuration("the file of authorities cannot be read as PEM".into())),
        }
    }
}

/// A certificate that says who we are, with its key.
pub struct ClientCertificate {
    /// The certificate first, then those that signed it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// From PEM texts, as Kubernetes names them `tls.crt` and `tls.key`.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsProblem> {
        let bad = |what: &str| TlsProblem::Configuration(format!("the client {what} cannot be read as PEM"));
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).take(10).collect();
        let chain = chain.ok().filter(|c| !c.is_empty()).ok_or_else(|| bad("certificate"))?;
        Ok(Self { chain, key: PrivateKeyDer::from_pem_slice(key).map_err(|_| bad("certificate's key"))? })
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(..)")
    }
}

impl Clone for ClientCertificate {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

/// What is wrong with a certificate, or with TLS as such.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsProblem {
    /// Past its date.
    #[error("the certificate has expired, or the controller's clock is wrong")]
    Expired,
    /// Before its date.
    #[error("the certificate is not valid yet, or the controller's clock is wrong")]
    NotYet,
    /// Signed by somebody else.
    #[error("the certificate was signed by no authority that is trusted here")]
    Issuer,
    /// For somebody else.
    #[error("the certificate is for another name than {0}")]
    Name(String),
    /// Not the pinned one.
    #[error("the certificate is not the pinned one: its SHA-256 is {seen}")]
    Pin {
        /// What was shown.
        seen: Pin,
    },
    /// Taken back by its issuer.
    #[error("the certificate was revoked")]
    Revoked,
    /// Anything else with the certificate.
    #[error("the certificate is not acceptable: {0}")]
    Certificate(String),
    /// The node refuses our certificate or our versions.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// No TLS on that port.
    #[error("the port does not speak TLS")]
    NotTls,
    /// The configuration does not serve.
    #[error("{0}")]
    Configuration(String),
}

impl TlsProblem {
    /// Reads the reason out of an I/O error of a handshake; `None` where the connection broke instead.
    pub(crate) fn of(error: &std::io::Error, name: &str) -> Option<TlsProblem> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match error {
            Error::InvalidCertificate(why) => match why {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::NotYet,
                CertificateError::UnknownIssuer => TlsProblem::Issuer,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsProblem::Name(name.to_owned()),
                CertificateError::Revoked => TlsProblem::Revoked,
                CertificateError::Other(other) => match other.0.downcast_ref::<WrongPin>() {
                    Some(wrong) => TlsProblem::Pin { seen: wrong.0 },
                    None => TlsProblem::Certificate(why.to_string()),
                },
                _ => TlsProblem::Certificate(why.to_string()),
            },
            Error::InvalidMessage(_) => TlsProblem::NotTls,
            other => TlsProblem::Handshake(other.to_string()),
        })
    }
}

#[derive(Debug)]
struct WrongPin(Pin);

impl fmt::Display for WrongPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not the pinned certificate: {}", self.0)
    }
}

impl std::error::Error for WrongPin {}

/// The settings of one handshake.
pub(crate) fn client(trust: &Trust, certificate: Option<&ClientCertificate>) -> Result<Arc<ClientConfig>, TlsProblem> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let broken = |e: Error| TlsProblem::Configuration(format!("the TLS settings do not serve: {e}"));
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(broken)?;
    let builder = match trust {
        Trust::Authorities(authorities) => {
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(authorities.certificates.iter().cloned());
            if added == 0 {
                return Err(TlsProblem::Configuration("none of the authorities' certificates can be used".into()));
            }
            builder.with_root_certificates(roots)
        }
        Trust::Pinned(pin) => builder.dangerous().with_custom_certificate_verifier(Arc::new(Pinned { pin: *pin, provider })),
    };
    let config = match certificate {
        Some(own) => builder.with_client_auth_cert(own.chain.clone(), own.key.clone_key()).map_err(broken)?,
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// Believes one certificate. Its key must sign the handshake as always.
#[derive(Debug)]
struct Pinned {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Pin(Sha256::digest(end_entity).into());
        if seen == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(WrongPin(seen))))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_paste_it() {
        let plain: Pin = "ab".repeat(32).parse().unwrap();
        assert_eq!(plain, ["AB"; 32].join(":").parse().unwrap());
        assert_eq!(plain.to_string(), "ab".repeat(32));
        for bad in ["", "ab", &"+a".repeat(32), &"zz".repeat(32), &"ab".repeat(33)] {
            assert!(bad.parse::<Pin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        assert!(Trust::authorities(b"").is_err());
        assert!(Trust::authorities(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").is_err());
    }
}
