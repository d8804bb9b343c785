//! A community in the making: an authority, certificates with addresses, and what is refused.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use serde_json::{Value, json};

use super::*;

/// 2026-06-01.
const NOW_S: i64 = 1_780_272_000;
const URI: &str = "https://client.example/udap";

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn certify(&self, uri: &str, serial: u64, until_year: i32) -> (Vec<u8>, KeyPair) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(until_year, 2, 1);
        params.serial_number = Some(SerialNumber::from(serial));
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().to_vec(), key)
    }

    fn list(&self, revoked: &[u64], until_year: i32) -> String {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 3, 1),
            reason_code: None,
            invalidity_date: None,
        });
        CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 2),
            next_update: date_time_ymd(until_year, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
        .pem()
        .unwrap()
    }
}

fn signed(header: &Value, key: &KeyPair) -> String {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der());
    let text = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", text(header), text(&json!({"iss": URI})));
    let signature = pair.unwrap().sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header(chain: &[&[u8]]) -> Value {
    let chain: Vec<String> = chain.iter().map(|der| STANDARD.encode(der)).collect();
    json!({"alg": "ES256", "x5c": chain})
}

#[test]
fn a_chain_leads_to_an_anchor_and_names_its_holder() {
    let (authority, other) = (Authority::new(), Authority::new());
    let anchors = Anchors::read(&authority.pem, "").unwrap();
    let (leaf, key) = authority.certify(URI, 1, 2028);
    let token = signed(&header(&[&leaf]), &key);
    let read = anchors.verify::<Value>(&token, NOW_S).unwrap();
    assert_eq!((read.uris, &read.claims["iss"]), (vec![URI.to_owned()], &json!(URI)));
    let check = |token: &str, now_s: i64, fault: ChainError| {
        assert_eq!(anchors.verify::<Value>(token, now_s).unwrap_err(), fault, "{token}");
    };
    // Another authority; a certificate that has run out; a key that is another's.
    let (strange, strange_key) = other.certify(URI, 1, 2028);
    check(&signed(&header(&[&strange]), &strange_key), NOW_S, ChainError::Untrusted);
    let (old, old_key) = authority.certify(URI, 2, 2026);
    check(&signed(&header(&[&old]), &old_key), NOW_S, ChainError::Untrusted);
    check(&token, -1, ChainError::Untrusted);
    check(&signed(&header(&[&leaf]), &strange_key), NOW_S, ChainError::Signature);
    // No certificate, base64url in its place, no signature, too many certificates.
    check(&signed(&header(&[]), &key), NOW_S, ChainError::Malformed);
    let url = json!({"alg": "ES256", "x5c": [URL_SAFE_NO_PAD.encode(&leaf)]});
    assert!(anchors.verify::<Value>(&signed(&url, &key), NOW_S).is_err());
    let mut none = header(&[&leaf]);
    none["alg"] = json!("none");
    check(&signed(&none, &key), NOW_S, ChainError::Algorithm);
    let many: Vec<&[u8]> = vec![&leaf; 9];
    check(&signed(&header(&many), &key), NOW_S, ChainError::Malformed);
    let mut critical = header(&[&leaf]);
    critical["crit"] = json!(["exp"]);
    check(&signed(&critical, &key), NOW_S, ChainError::Malformed);
}

#[test]
fn where_lists_are_given_a_certificate_must_be_covered_by_one() {
    let authority = Authority::new();
    let (leaf, key) = authority.certify(URI, 7, 2028);
    let token = signed(&header(&[&leaf]), &key);
    for (revoked, until, expected) in [
        (vec![], 2027, Ok(())),
        (vec![8], 2027, Ok(())),
        (vec![7], 2027, Err(ChainError::Revoked)),
        (vec![], 2026, Err(ChainError::Revoked)),
    ] {
        let anchors = Anchors::read(&authority.pem, &authority.list(&revoked, until)).unwrap();
        let read = anchors.verify::<Value>(&token, NOW_S).map(drop);
        assert_eq!(read, expected, "{revoked:?} until {until}");
    }
    let others = Anchors::read(&authority.pem, &Authority::new().list(&[], 2027)).unwrap();
    assert!(others.verify::<Value>(&token, NOW_S).is_err(), "another authority's list");
    assert_eq!(Anchors::read("", "").unwrap_err(), ChainError::Trusted);
    assert_eq!(
        Anchors::read("-----BEGIN CERTIFICATE-----\nx", "").unwrap_err(),
        ChainError::Trusted
    );
}
