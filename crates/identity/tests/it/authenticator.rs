//! An authenticator in software: makes a passkey and signs with it as a browser's device does (Web
//! Authentication, sections 6.1 and 6.5), and lies where a test wants it to.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// One device with one passkey. What it states can be changed.
pub struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    /// The user handle that it was given, once it was.
    pub handle: Vec<u8>,
    /// Where it believes to be.
    pub origin: String,
    /// The host that it signs for.
    pub rp_id: String,
    /// The number of signatures it states; raised by each.
    pub counter: u32,
    /// Whether it checks its owner.
    pub verifies: bool,
}

impl Authenticator {
    /// A new device in a browser that shows `origin`.
    pub fn new(origin: &str) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref()).unwrap();
        let id = crypto::sha256(key.public_key().as_ref()).to_vec();
        let host = origin.split("//").nth(1).unwrap().split(':').next().unwrap();
        let (origin, rp_id) = (origin.to_owned(), host.to_owned());
        Self { key, id, handle: Vec::new(), origin, rp_id, counter: 0, verifies: true }
    }

    /// Answers the options of an enrolment.
    pub fn create(&mut self, options: &Value) -> String {
        let options = &options["publicKey"];
        assert_eq!(options["rp"]["id"], *self.rp_id, "a browser refuses another host");
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        self.handle = BASE64.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        let mut data = self.data(ATTESTED);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.id);
        data.extend_from_slice(&self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend_from_slice(&data);
        let client = self.client("webauthn.create", options);
        json!({
            "id": BASE64.encode(&self.id),
            "rawId": BASE64.encode(&self.id),
            "type": "public-key",
            "response": {
                "attestationObject": BASE64.encode(object),
                "clientDataJSON": BASE64.encode(client),
            },
            "clientExtensionResults": {},
        })
        .to_string()
    }

    /// Answers the options of a sign-in or a step-up.
    pub fn get(&mut self, options: &Value) -> String {
        let options = &options["publicKey"];
        assert_eq!(options["userVerification"], "required");
        self.counter += 1;
        let data = self.data(0);
        let client = self.client("webauthn.get", options);
        let signed = [data.as_slice(), &crypto::sha256(&client)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": BASE64.encode(&self.id),
            "rawId": BASE64.encode(&self.id),
            "type": "public-key",
            "response": {
                "authenticatorData": BASE64.encode(data),
                "clientDataJSON": BASE64.encode(client),
                "signature": BASE64.encode(signature.as_ref()),
                "userHandle": BASE64.encode(&self.handle),
            },
            "clientExtensionResults": {},
        })
        .to_string()
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let client = json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        });
        client.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { USER_VERIFIED } else { 0 };
        let mut data = crypto::sha256(self.rp_id.as_bytes()).to_vec();
        data.push(flags | USER_PRESENT | verified);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y}: a key of P-256 for ES256 (RFC 9052 and 9053).
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat()
    }
}
