//! The sandbox's own certificate authority. Its key is part of the cloud and
//! everything else of it is fixed, so that whoever trusted it before a restart
//! trusts it afterwards.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot make the certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot use the certificate")]
    Rustls(#[from] rustls::Error),
}

pub(crate) struct Tls {
    pub acceptor: TlsAcceptor,
    /// The authority's certificate, PEM.
    pub authority: String,
    /// The authority's key, PEM.
    pub authority_key: String,
}

/// A server certificate for loopback, under the known authority or a new one.
pub(crate) fn prepare(authority_key: Option<&str>) -> Result<Tls, TlsError> {
    let key = match authority_key {
        Some(pem) => KeyPair::from_pem(pem)?,
        None => KeyPair::generate()?,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Landfall sandbox authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from(1));
    lasting(&mut params);
    let authority = params.self_signed(&key)?.pem();
    let authority_key = key.serialize_pem();
    let issuer = Issuer::new(params, key);

    let server_key = KeyPair::generate()?;
    let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = name("Landfall sandbox");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Strict verifiers want to know which key signed.
    params.use_authority_key_identifier_extension = true;
    lasting(&mut params);
    let certificate = params.signed_by(&server_key, &issuer)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(server_key.serialize_der().into()),
        )?;
    Ok(Tls {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        authority,
        authority_key,
    })
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn lasting(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
}
