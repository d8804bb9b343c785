//! The check list of HL7 UDAP Security STU2 (FAST Security), clause by clause: each test names what
//! it shows, at a node whose operator trusts one community.

#[path = "udap_tiered.rs"]
mod tiered;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::RsaKey;
use crypto::chain::Anchors;
use identity::{NewAccount, Password, Role};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::task::block_in_place;

use crate::app_client::{App, new};
use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, run, shared};

const COMMUNITY: &str = "urn:example:community";

/// An authority that certifies programs.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2090, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn certificate(&self, uri: &str, serial: u64, until_year: i32, key: &KeyPair) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until_year, 1, 1);
        params.serial_number = Some(SerialNumber::from(serial));
        params.use_authority_key_identifier_extension = true;
        params.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }

    fn list(&self, revoked: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(revoked),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 2),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
        .pem()
        .unwrap()
    }

    /// A program with a certificate.
    fn program(&self, uri: &str, serial: u64, until_year: i32) -> Program {
        let key = KeyPair::generate().unwrap();
        let chain = vec![self.certificate(uri, serial, until_year, &key)];
        Program { uri: uri.to_owned(), key, chain }
    }
}

/// A program of a community.
struct Program {
    uri: String,
    key: KeyPair,
    chain: Vec<Vec<u8>>,
}

impl Program {
    fn sign(&self, claims: &Value) -> String {
        let chain: Vec<String> = self.chain.iter().map(|der| STANDARD.encode(der)).collect();
        self.sign_under(&json!({"alg": "ES256", "x5c": chain}), claims)
    }

    fn sign_under(&self, header: &Value, claims: &Value) -> String {
        let der = self.key.serialized_der();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).unwrap();
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A statement for a program that asks in its own name, with changes; `null` leaves out.
    fn statement(&self, hospital: &Hospital, changes: &Value) -> Value {
        let now_s = hospital.app.now_ms() / 1000;
        let mut claims = json!({
            "iss": self.uri, "sub": self.uri, "aud": format!("{}/oauth/register", hospital.base),
            "iat": now_s, "exp": now_s + 200, "jti": hospital.app.new_token(),
            "client_name": "Clinic", "contacts": ["mailto:it@clinic.example"],
            "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
            "scope": "system/Patient.rs system/Observation.rs system/Consent.cruds",
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    async fn register(&self, hospital: &Hospital, changes: Value) -> crate::client::Answer {
        let statement = self.sign(&self.statement(hospital, &changes));
        let body = json!({"software_statement": statement, "udap": "1"});
        hospital.stranger().post("/oauth/register", &body).await
    }

    async fn registered(&self, hospital: &Hospital) -> String {
        text(&self.register(hospital, json!({})).await.expect(201).json()["client_id"])
    }

    /// An assertion of a registered program with changes to its claims.
    fn assertion(&self, hospital: &Hospital, client: &str, changes: &Value) -> String {
        let now_s = hospital.app.now_ms() / 1000;
        let mut claims = json!({
            "iss": client, "sub": client, "aud": format!("{}/oauth/token", hospital.base),
            "iat": now_s, "exp": now_s + 200, "jti": hospital.app.new_token(),
            "extensions": {"hl7-b2b": asking(json!({}))},
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.sign(&claims)
    }
}

/// Who asks and what for.
fn asking(changes: Value) -> Value {
    let mut object = json!({
        "version": "1", "organization_id": "https://clinic.example/org", "organization_name": "Clinic",
        "subject_name": "Ada Ek", "subject_id": "urn:oid:2.16.840.1.113883.4.6#1234567893",
        "subject_role": "http://nucc.org/provider-taxonomy#207R00000X",
        "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
    });
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

fn form(assertion: String) -> Vec<(&'static str, String)> {
    vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_assertion_type", oauth::assertion::TYPE.to_owned()),
        ("client_assertion", assertion),
        ("udap", "1".to_owned()),
    ]
}

/// Posts a form to the token endpoint.
async fn token(hospital: &Hospital, fields: &[(&str, String)]) -> crate::client::Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    hospital.stranger().send(reqwest::Method::POST, "/oauth/token", Some(body), &kind).await
}

fn error(answer: &crate::client::Answer) -> String {
    text(&answer.json()["error"])
}

/// A node in a community, and its authority.
struct Trusting {
    hospitals: Hospitals,
    authority: Authority,
}

async fn trusting() -> &'static Trusting {
    static TRUSTING: OnceCell<Trusting> = OnceCell::const_new();
    TRUSTING
        .get_or_init(|| async {
            let authority = Authority::new("Example community");
            let setup = Setup {
                hospitals: 1,
                patients: 3,
                config: &[
                    ("udap_anchors = \"\"", "udap_anchors = \"anchors.pem\""),
                    ("udap_revoked = \"\"", "udap_revoked = \"revoked.pem\""),
                    ("udap_community = \"\"", "udap_community = \"urn:example:community\""),
                    ("udap_certificates = \"\"", "udap_certificates = \"own.pem\""),
                    ("udap_key = \"\"", "udap_key = \"own.key\""),
                    ("udap_account = \"\"", "udap_account = \"partners\""),
                ],
                prepared: Some(&|folder, base| own_files(&authority, folder, base)),
                ..Setup::default()
            };
            let hospitals = Hospitals::start(setup).await;
            let app = &hospitals.all[0].app;
            let new = NewAccount {
                username: "partners".into(),
                display_name: "Programs of partners".into(),
                role: Role::Clinician,
                patient: None,
                practitioner: None,
                password: Password::plain("a long password nobody knows"),
                totp_secret: None,
            };
            block_in_place(|| app.identity().accounts().create(new, app.now_ms())).unwrap();
            Trusting { hospitals, authority }
        })
        .await
}

/// What the operator puts into the node's folder.
fn own_files(authority: &Authority, folder: &std::path::Path, base: &str) {
    let key = RsaKey::generate().unwrap();
    let pem = key.to_pem().to_string();
    let pair = KeyPair::from_pem(&pem).unwrap();
    let leaf = authority.certificate(&format!("{base}/fhir"), 500, 2090, &pair);
    let body = STANDARD.encode(&leaf);
    let certificate = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    for (name, text) in [
        ("anchors.pem", authority.pem.clone()),
        ("revoked.pem", authority.list(66)),
        ("own.pem", certificate),
        ("own.key", pem),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// Discovery: required keys, signed metadata, `community`, and 404 where there is no UDAP.
#[test]
fn discovery_is_signed_and_knows_communities() {
    run(async {
        let Trusting { hospitals, authority } = trusting().await;
        let hospital = &hospitals.all[0];
        let anybody = hospital.stranger();
        let told = anybody.get("/fhir/.well-known/udap").await.expect(200).json();
        assert_eq!(told["udap_versions_supported"], json!(["1"]));
        for profile in ["udap_dcr", "udap_authn", "udap_authz"] {
            let profiles = told["udap_profiles_supported"].as_array().unwrap();
            assert!(profiles.contains(&json!(profile)), "{profile}");
        }
        assert_eq!(told["udap_authorization_extensions_supported"], json!(["hl7-b2b"]));
        assert_eq!(told["udap_authorization_extensions_required"], json!(["hl7-b2b"]));
        assert_eq!(told["udap_certifications_supported"], json!([]));
        assert_eq!(told["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
        for name in [
            "token_endpoint_auth_signing_alg_values_supported",
            "registration_endpoint_jwt_signing_alg_values_supported",
        ] {
            assert!(told[name].as_array().unwrap().contains(&json!("RS256")), "{name}");
        }
        assert!(!told["scopes_supported"].as_array().unwrap().is_empty());
        // The signature, the chain, the name, and that signed values are those beside them.
        let anchors = Anchors::read(&authority.pem, "").unwrap();
        let now_s = hospital.app.now_ms() / 1000;
        let signed = text(&told["signed_metadata"]);
        let read = anchors.verify::<Value>(&signed, now_s).unwrap();
        let base = format!("{}/fhir", hospital.base);
        assert_eq!(read.uris, std::slice::from_ref(&base));
        assert_eq!((&read.claims["iss"], &read.claims["sub"]), (&json!(base), &json!(base)));
        let life = read.claims["exp"].as_i64().unwrap() - read.claims["iat"].as_i64().unwrap();
        assert!((1..=365 * 24 * 3600).contains(&life) && read.claims["jti"].is_string());
        for name in ["token_endpoint", "registration_endpoint", "authorization_endpoint"] {
            assert_eq!(read.claims[name], told[name], "{name}");
            assert!(text(&told[name]).starts_with(&hospital.base), "{name} is absolute");
        }
        let path = format!("/fhir/.well-known/udap?community={COMMUNITY}");
        anybody.get(&path).await.expect(200);
        anybody.get("/fhir/.well-known/udap?community=urn:other").await.expect(204);
        // A node without anchors offers none of it.
        let without = &shared().await.all[0];
        without.stranger().get("/fhir/.well-known/udap").await.expect(404);
        let program = authority.program("https://x.example/", 1, 2090);
        let refused = program.register(without, json!({})).await.expect(400);
        assert_eq!(error(&refused), "invalid_request");
    });
}

/// Registration: 201, the same again changes, an empty list of grants cancels.
#[test]
fn a_program_registers_changes_and_cancels_itself() {
    run(async {
        let Trusting { hospitals, authority } = trusting().await;
        let hospital = &hospitals.all[0];
        let program = authority.program("https://clinic.example/one", 10, 2090);
        let made = program.register(hospital, json!({})).await.expect(201).json();
        let client = text(&made["client_id"]);
        assert_eq!(made["grant_types"], json!(["client_credentials"]));
        assert_eq!(made["token_endpoint_auth_method"], "private_key_jwt");
        // What is granted is told: no more than the operator allows.
        assert_eq!(made["scope"], "system/Patient.rs system/Observation.rs system/Consent.rs");
        for absent in ["iss", "client_secret", "redirect_uris", "exp"] {
            assert!(made.get(absent).is_none(), "{absent}");
        }
        let before = token(hospital, &form(program.assertion(hospital, &client, &json!({})))).await;
        let before = before.expect(200).json();
        let held = |tokens: &Value| hospital.stranger().holding(&text(&tokens["access_token"]));
        held(&before).get("/fhir/Patient?_id=nobody").await.expect(200);
        // The same address again, also with a new certificate: the same client, changed; what it
        // was granted before has ended.
        let renewed = authority.program("https://clinic.example/one", 11, 2090);
        let changed = renewed.register(hospital, json!({"scope": "system/Patient.rs"})).await;
        let changed = changed.expect(200).json();
        assert_eq!(
            (text(&changed["client_id"]), &changed["scope"]),
            (client.clone(), &json!("system/Patient.rs"))
        );
        held(&before).get("/fhir/Patient").await.expect(401);
        let mut wide = form(renewed.assertion(hospital, &client, &json!({})));
        wide.push(("scope", "system/Observation.rs".to_owned()));
        assert_eq!(error(&token(hospital, &wide).await.expect(400)), "invalid_scope");
        // A statement is used once.
        let statement = renewed.sign(&renewed.statement(hospital, &json!({})));
        let body = json!({"software_statement": statement, "udap": "1"});
        hospital.stranger().post("/oauth/register", &body).await.expect(200);
        let again = hospital.stranger().post("/oauth/register", &body).await.expect(400);
        assert_eq!(error(&again), "invalid_software_statement");
        // Cancelled: nothing of it holds any more.
        let tokens = token(hospital, &form(renewed.assertion(hospital, &client, &json!({})))).await;
        let tokens = tokens.expect(200).json();
        let ended = renewed.register(hospital, json!({"grant_types": []})).await.expect(200).json();
        assert_eq!(ended["grant_types"], json!([]));
        held(&tokens).get("/fhir/Patient").await.expect(401);
        let after = token(hospital, &form(renewed.assertion(hospital, &client, &json!({})))).await;
        assert_eq!(error(&after.expect(401)), "invalid_client");
        let twice = renewed.register(hospital, json!({"grant_types": []})).await.expect(400);
        assert_eq!(error(&twice), "invalid_client_metadata");
    });
}

/// Trust: anchors, expiry, revocation and the name in the certificate; and what a statement says.
#[test]
fn statements_that_do_not_hold_are_refused() {
    run(async {
        let Trusting { hospitals, authority } = trusting().await;
        let hospital = &hospitals.all[0];
        let uri = "https://clinic.example/two";
        let now_s = hospital.app.now_ms() / 1000;
        for (program, expected) in [
            (Authority::new("Another").program(uri, 20, 2090), "unapproved_software_statement"),
            (authority.program(uri, 21, 2021), "unapproved_software_statement"),
            (authority.program(uri, 66, 2090), "unapproved_software_statement"),
        ] {
            let refused = program.register(hospital, json!({})).await.expect(400);
            assert_eq!(error(&refused), expected);
        }
        let program = authority.program(uri, 22, 2090);
        for (changes, expected) in [
            // The name is compared as it stands, case and all.
            (
                json!({"iss": "https://clinic.example/TWO", "sub": "https://clinic.example/TWO"}),
                "invalid_software_statement",
            ),
            (json!({"sub": "https://clinic.example/"}), "invalid_software_statement"),
            (
                json!({"aud": format!("{}/oauth/token", hospital.base)}),
                "invalid_software_statement",
            ),
            (json!({"exp": now_s + 400}), "invalid_software_statement"),
            (json!({"iat": now_s - 400, "exp": now_s - 200}), "invalid_software_statement"),
            (json!({"jti": null}), "invalid_software_statement"),
            (json!({"client_name": null}), "invalid_client_metadata"),
            (json!({"contacts": []}), "invalid_client_metadata"),
            (
                json!({"grant_types": ["client_credentials", "authorization_code"]}),
                "invalid_client_metadata",
            ),
            (
                json!({"grant_types": ["client_credentials", "refresh_token"]}),
                "invalid_client_metadata",
            ),
            (json!({"redirect_uris": ["https://clinic.example/after"]}), "invalid_client_metadata"),
            (json!({"token_endpoint_auth_method": "none"}), "invalid_client_metadata"),
            (json!({"scope": "system/Nothing.rs"}), "invalid_client_metadata"),
            (json!({"scope": null}), "invalid_client_metadata"),
        ] {
            let refused = program.register(hospital, changes.clone()).await.expect(400);
            assert_eq!(error(&refused), expected, "{changes}");
        }
        // `x5c` is what the signature is checked with, and it is there.
        let statement = program.statement(hospital, &json!({}));
        let other = authority.program(uri, 23, 2090);
        let chain: Vec<String> = other.chain.iter().map(|der| STANDARD.encode(der)).collect();
        for header in [json!({"alg": "ES256"}), json!({"alg": "ES256", "x5c": chain})] {
            let body =
                json!({"software_statement": program.sign_under(&header, &statement), "udap": "1"});
            let refused = hospital.stranger().post("/oauth/register", &body).await.expect(400);
            assert_eq!(error(&refused), "invalid_software_statement");
        }
        let body = json!({"software_statement": program.sign(&statement)});
        let refused = hospital.stranger().post("/oauth/register", &body).await.expect(400);
        assert_eq!(error(&refused), "invalid_request");
    });
}

/// Token request by client_credentials: the authentication token, and `hl7-b2b` with its purpose.
#[test]
fn a_program_asks_for_its_organisation_and_its_purpose() {
    run(async {
        let Trusting { hospitals, authority } = trusting().await;
        let hospital = &hospitals.all[0];
        let program = authority.program("https://clinic.example/three", 30, 2090);
        let client = program.registered(hospital).await;
        let now_s = hospital.app.now_ms() / 1000;
        let ask = |changes: Value| form(program.assertion(hospital, &client, &changes));
        let given = token(hospital, &ask(json!({}))).await.expect(200);
        assert_eq!(given.header("cache-control"), "no-store");
        let tokens = given.json();
        // No scope was asked for, so it is told; at most 60 minutes; no refresh token.
        assert_eq!(tokens["scope"], "system/Patient.rs system/Observation.rs system/Consent.rs");
        assert!(tokens["expires_in"].as_i64().unwrap() <= 3600);
        assert!(tokens.get("refresh_token").is_none());
        // Clauses of the authentication token.
        let used = program.assertion(hospital, &client, &json!({}));
        token(hospital, &form(used.clone())).await.expect(200);
        assert_eq!(error(&token(hospital, &form(used)).await.expect(401)), "invalid_client");
        let stranger = authority.program("https://clinic.example/other", 31, 2090);
        let theirs = form(stranger.assertion(hospital, &client, &json!({})));
        assert_eq!(error(&token(hospital, &theirs).await.expect(401)), "invalid_client");
        let revoked = authority.program("https://clinic.example/three", 66, 2090);
        let withdrawn = form(revoked.assertion(hospital, &client, &json!({})));
        assert_eq!(error(&token(hospital, &withdrawn).await.expect(401)), "invalid_client");
        for changes in [
            json!({"iss": program.uri, "sub": program.uri}),
            json!({"aud": format!("{}/oauth/register", hospital.base)}),
            json!({"exp": now_s + 400}),
            json!({"jti": ""}),
        ] {
            let refused = token(hospital, &ask(changes.clone())).await.expect(401);
            assert_eq!(error(&refused), "invalid_client", "{changes}");
        }
        let mut without = ask(json!({}));
        without.retain(|(name, _)| *name != "udap");
        assert_eq!(error(&token(hospital, &without).await.expect(400)), "invalid_request");
        // Clauses of `hl7-b2b`.
        for object in [
            json!(null),
            asking(json!({"version": "2"})),
            asking(json!({"organization_id": "clinic"})),
            asking(json!({"purpose_of_use": []})),
            asking(json!({"purpose_of_use": ["TREAT"]})),
            asking(json!({"purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#NONSENSE"]})),
            asking(json!({"consent_reference": ["https://clinic.example/Consent/1"]})),
        ] {
            let refused = token(hospital, &ask(json!({"extensions": {"hl7-b2b": object}}))).await;
            assert_eq!(error(&refused.expect(400)), "invalid_grant", "{object}");
        }
        let refused = token(hospital, &ask(json!({"extensions": {}}))).await.expect(400);
        assert_eq!(error(&refused), "invalid_grant");
    });
}

/// B2B: a token is of use for the purpose that was signed alone, and the audit shows who and why.
#[test]
fn purpose_and_organisation_are_kept_to_and_recorded() {
    run(async {
        let Trusting { hospitals, authority } = trusting().await;
        let hospital = &hospitals.all[0];
        let program = authority.program("https://clinic.example/four", 40, 2090);
        let client = program.registered(hospital).await;
        let object = asking(json!({
            "organization_id": "https://clinic.example/org/4",
            "purpose_of_use": [
                "urn:oid:2.16.840.1.113883.5.8#COC", "urn:oid:2.16.840.1.113883.5.8#ETREAT"
            ],
        }));
        let assertion =
            program.assertion(hospital, &client, &json!({"extensions": {"hl7-b2b": object}}));
        let tokens = token(hospital, &form(assertion)).await.expect(200).json();
        let holding = hospital.stranger().holding(&text(&tokens["access_token"]));
        let own = hospitals.world.persons[0].at[&hospital.org].patient_id.clone();
        let path = format!("/fhir/Patient/{own}");
        let get = async |purpose: Option<&str>, id: &str| {
            let mut headers = vec![("x-request-id", id)];
            headers.extend(purpose.map(|purpose| ("x-purpose-of-use", purpose)));
            holding.send(reqwest::Method::GET, &path, None, &headers).await
        };
        get(None, "b2b-first").await.expect(200);
        get(Some("ETREAT"), "b2b-second").await.expect(200);
        for purpose in ["TREAT", "HRESCH", "BTG"] {
            let refused = get(Some(purpose), "b2b-third").await.expect(403);
            assert!(refused.text.contains("purpose-not-asserted"), "{}", refused.text);
        }
        // What policy forbids for a purpose stays forbidden, whatever was signed.
        let object = asking(json!({"purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#HMARKT"]}));
        let assertion =
            program.assertion(hospital, &client, &json!({"extensions": {"hl7-b2b": object}}));
        let marketing = token(hospital, &form(assertion)).await.expect(200).json();
        let marketing = hospital.stranger().holding(&text(&marketing["access_token"]));
        marketing.get(&path).await.expect(403);
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        for (id, purpose) in [("b2b-first", "COC"), ("b2b-second", "ETREAT")] {
            let found = officer
                .get("/fhir/AuditEvent?_count=200&_sort=-_lastUpdated")
                .await
                .expect(200)
                .json();
            let entries = found["entry"].as_array().unwrap();
            let entry =
                entries.iter().find(|entry| entry.to_string().contains(id)).expect("an entry");
            let entry = &entry["resource"];
            assert_eq!(entry["purposeOfEvent"][0]["coding"][0]["code"], purpose);
            let agents = entry["agent"].as_array().unwrap();
            let theirs = agents.iter().find(|agent| {
                agent["who"]["identifier"]["value"] == "https://clinic.example/org/4"
            });
            let theirs = theirs.expect("the organisation is an agent");
            assert_eq!(theirs["name"], "Ada Ek");
            assert_eq!(theirs["who"]["display"], "Clinic");
        }
        // Introspection tells the client what it has signed.
        let mut ask = form(program.assertion(hospital, &client, &json!({})));
        ask.retain(|(name, _)| *name != "grant_type");
        ask.push(("token", text(&tokens["access_token"])));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&ask).finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let told = hospital
            .stranger()
            .send(reqwest::Method::POST, "/oauth/introspect", Some(body), &kind)
            .await;
        let told = told.expect(200).json();
        assert_eq!(
            told["extensions"]["hl7-b2b"]["organization_id"],
            "https://clinic.example/org/4"
        );
    });
}

/// Recipients: of each patient a program gets what the patient leaves to the organisation for which it
/// asks, by every door, and not what this institution's own people see.
#[test]
fn patients_decide_what_another_organisation_gets() {
    run(async {
        let Trusting { hospitals, authority } = trusting().await;
        let hospital = &hospitals.all[0];
        let clinician = hospital.signed_in(Role::Clinician).await;
        let [mut open, mut closed] = [0, 1].map(|_| String::new());
        for (at, id) in [(1, &mut open), (2, &mut closed)] {
            *id = hospitals.world.persons[at].at[&hospital.org].patient_id.clone();
        }
        let coded = |patient: &str, system: &str, code: &str| {
            json!({"resourceType": "Observation", "status": "final",
                "code": {"coding": [{"system": system, "code": code}]},
                "subject": {"reference": format!("Patient/{patient}")}})
        };
        let (loinc, act) = ("http://loinc.org", "http://terminology.hl7.org/CodeSystem/v3-ActCode");
        let plain = clinician.create(&coded(&open, loinc, "8867-4")).await;
        let mut sensitive = coded(&open, loinc, "8480-6");
        sensitive["meta"] = json!({"security": [{"system": act, "code": "HIV"}]});
        let sensitive = clinician.create(&sensitive).await;
        let kept = clinician.create(&coded(&closed, loinc, "8867-4")).await;
        let nobodys = clinician
            .create(&json!({"resourceType": "Observation", "status": "final", "code": {"text": "water"}}))
            .await;
        let clinic = "https://clinic.example/fhir/Organization/north";
        let uri = json!({"system": "urn:ietf:rfc:3986", "value": clinic});
        let entry = json!({"resourceType": "Organization", "identifier": [uri]});
        let directory = clinician.create(&entry).await;
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let consent = |provision: Value| {
            json!({"resourceType": "Consent", "status": "active",
            "scope": {"coding": [{"code": "patient-privacy",
                "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": format!("Patient/{closed}")},
            "dateTime": "2024-05-01T08:00:00Z",
            "policy": [{"uri": "https://example.org/policy"}],
            "provision": provision})
        };
        let recipient = json!([{"reference": {"identifier": uri}, "role": {"coding": [{"code": "IRCP",
            "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"}]}}]);
        officer.create(&consent(json!({"type": "deny", "actor": recipient}))).await;
        // The same organisation by a reference to its entry in the directory.
        let referring = clinician.create(&json!({"resourceType": "Patient"})).await;
        let kept_too = clinician.create(&coded(&referring, loinc, "8867-4")).await;
        let mut by_reference = consent(json!({"type": "deny", "actor": [{
            "reference": {"reference": format!("Organization/{directory}")},
            "role": recipient[0]["role"]}]}));
        by_reference["patient"]["reference"] = json!(format!("Patient/{referring}"));
        officer.create(&by_reference).await;
        let program = authority.program("https://clinic.example/five", 50, 2090);
        let made = program.register(hospital, json!({"scope": "system/*.rs"})).await.expect(201);
        let client = text(&made.json()["client_id"]);
        let asking_for = async |organisation: &str| {
            let object = asking(json!({"organization_id": organisation}));
            let extensions = json!({"extensions": {"hl7-b2b": object}});
            let form = form(program.assertion(hospital, &client, &extensions));
            let tokens = token(hospital, &form).await.expect(200).json();
            hospital.stranger().holding(&text(&tokens["access_token"]))
        };
        let theirs = asking_for(clinic).await;
        let all = [&plain, &sensitive, &kept, &nobodys];
        let reads = async |client: &Client, expected: [u16; 4]| {
            for (id, status) in all.iter().zip(expected) {
                let answer = client.get(&format!("/fhir/Observation/{id}")).await;
                assert_eq!(answer.status, status, "{}", answer.text);
            }
        };
        reads(&clinician, [200; 4]).await;
        reads(&theirs, [200, 404, 404, 404]).await;
        // Somebody else is not kept out by that; and no program becomes a member of the network by
        // saying so.
        reads(&asking_for("https://clinic.example/org/6").await, [200, 404, 200, 404]).await;
        theirs.get(&format!("/fhir/Patient/{closed}")).await.expect(404);
        theirs.get(&format!("/fhir/Observation/{kept_too}")).await.expect(404);
        let unnamed = asking_for("https://clinic.example/org/6").await;
        unnamed.get(&format!("/fhir/Observation/{kept_too}")).await.expect(200);
        theirs.get(&format!("/fhir/Observation/{kept}/_history")).await.expect(404);
        let found = async |search: &str| {
            let answer = theirs.get(&format!("/fhir/{search}")).await.expect(200);
            (answer.json()["total"].as_u64(), answer.matches(), answer.included())
        };
        let mine = found(&format!("Observation?patient={open}&code=8867-4,8480-6")).await;
        assert!(mine.1.contains(&plain) && !mine.1.contains(&sensitive), "{mine:?}");
        assert_eq!(mine.0, Some(mine.1.len() as u64));
        for search in [
            format!("Observation?patient={closed}&_include=Observation:subject"),
            format!("Observation?subject=Patient/{closed}&_summary=count"),
            format!("Patient/{closed}/Observation"),
            format!("Patient?_id={closed}&_revinclude=Observation:subject"),
            format!("Patient?_id={open}&_has:Observation:subject:_id={sensitive}"),
        ] {
            assert_eq!(found(&search).await, (Some(0), vec![], vec![]), "{search}");
        }
        for search in [
            "Observation".to_owned(),
            "Patient?name=a".into(),
            format!("Observation?patient={open},{closed}"),
            "Observation?patient.name=a".into(),
            format!("/?_type=Observation,Patient&_id={kept}"),
        ] {
            let refused = theirs.get(&format!("/fhir/{}", search.trim_start_matches('/'))).await;
            assert!(refused.expect(403).text.contains("one patient at a time"), "{search}");
        }
        let graph = format!("/fhir/$graphql?query={{Observation(id:\"{kept}\"){{id}}}}");
        assert!(!theirs.get(&graph).await.text.contains(&format!("\"id\":\"{kept}\"")));
        what_was_made_for_them(&clinician, &theirs, (&plain, &kept), (&open, &closed)).await;
        theirs.get(&format!("/fhir/Patient/{closed}/$everything")).await.expect(404);
        let whole = theirs.get(&format!("/fhir/Patient/{open}/$everything?_count=500")).await;
        let whole = whole.expect(200).text;
        assert!(whole.contains(&plain) && !whole.contains(&sensitive));
    });
}

/// Files and words on who made a resource are about no patient by themselves: another organisation
/// gets them with what they were made for, and those of nothing that it gets are closed.
async fn what_was_made_for_them(
    clinician: &crate::client::Client,
    theirs: &crate::client::Client,
    (plain, kept): (&str, &str),
    (open, closed): (&str, &str),
) {
    let file = |context: Option<&str>| {
        let mut file =
            json!({"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="});
        if let Some(context) = context {
            file["securityContext"] = json!({"reference": format!("Observation/{context}")});
        }
        file
    };
    let made = |target: &str| {
        json!({"resourceType": "Provenance", "recorded": "2024-05-01T08:00:00Z",
            "target": [{"reference": format!("Observation/{target}")}],
            "agent": [{"who": {"display": "a writer"}}]})
    };
    for (resource, status) in [
        (file(Some(plain)), 200),
        (file(Some(kept)), 404),
        (file(None), 404),
        (made(plain), 200),
        (made(kept), 404),
    ] {
        let (kind, id) = (text(&resource["resourceType"]), clinician.create(&resource).await);
        let path = format!("/fhir/{kind}/{id}");
        clinician.get(&path).await.expect(200);
        theirs.get(&path).await.expect(status);
    }
    for (patient, status) in [(open, 200), (closed, 404)] {
        let id = clinician.create(&file(None)).await;
        let document = json!({"resourceType": "DocumentReference", "status": "current",
            "subject": {"reference": format!("Patient/{patient}")},
            "content": [{"attachment": {"url": format!("Binary/{id}")}}]});
        clinician.create(&document).await;
        theirs.get(&format!("/fhir/Binary/{id}")).await.expect(status);
    }
    theirs.get("/fhir/Binary?_count=10").await.expect(403);
    theirs.get("/fhir/Provenance?_count=10").await.expect(403);
}

/// authorization_code: people allow it, with PKCE and state, and the program proves itself by its
/// certificate; `hl7-b2b` is for client_credentials.
#[test]
fn an_app_of_the_community_asks_a_person() {
    run(async {
        let Trusting { hospitals, authority } = trusting().await;
        let hospital = &hospitals.all[0];
        let program = authority.program("https://app.example/udap", 50, 2090);
        let statement = json!({
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "redirect_uris": [crate::app_client::REDIRECT], "logo_uri": "https://app.example/l.png",
            "scope": "openid offline_access launch/patient patient/*.rs system/*.rs",
        });
        let made = program.register(hospital, statement.clone()).await.expect(201).json();
        assert_eq!(made["response_types"], json!(["code"]));
        assert_eq!(made["scope"], "openid offline_access launch/patient patient/*.rs");
        let client = text(&made["client_id"]);
        let own = hospitals.world.persons[0].at[&hospital.org].patient_id.clone();
        let patient = hospital.patient(&own).await;
        // The client of the tests drives the pages; its registration is another one's.
        let driver =
            App::register(hospital, new("openid", app::apps::register::Proof::Public), None);
        let mut request = driver.request("launch/patient patient/*.rs offline_access");
        request.insert("client_id", client.clone());
        let mut stateless = request.clone();
        stateless.remove("state");
        let (_, params) = driver.authorize(&stateless).await.expect(303).sent_to();
        assert_eq!(params["error"], "invalid_request");
        let waiting = App::waiting(driver.authorize(&request).await);
        let code = driver.code_of(&patient, &waiting).await;
        let exchange = |assertion: String| {
            let mut form = form(assertion);
            form.retain(|(name, _)| *name != "grant_type");
            form.extend([
                ("grant_type", "authorization_code".to_owned()),
                ("code", code.clone()),
                ("redirect_uri", crate::app_client::REDIRECT.to_owned()),
                ("code_verifier", crate::app_client::VERIFIER.to_owned()),
            ]);
            form
        };
        let assertion = program.assertion(hospital, &client, &json!({"extensions": {}}));
        let tokens = token(hospital, &exchange(assertion)).await.expect(200).json();
        assert!(tokens["refresh_token"].is_string());
        let holding = hospital.stranger().holding(&text(&tokens["access_token"]));
        holding.get(&format!("/fhir/Patient/{own}")).await.expect(200);
        // Without its picture or over plain http it is not registered.
        for changes in
            [json!({"logo_uri": null}), json!({"redirect_uris": ["http://app.example/"]})]
        {
            let mut faulty = statement.clone();
            for (name, value) in changes.as_object().unwrap() {
                faulty[name] = value.clone();
            }
            let refused = program.register(hospital, faulty).await.expect(400);
            assert_eq!(error(&refused), "invalid_client_metadata");
        }
        // A program cannot ask in a person's app's name, nor the other way round.
        let crossed = form(program.assertion(hospital, &client, &json!({})));
        assert_eq!(error(&token(hospital, &crossed).await.expect(400)), "unauthorized_client");
    });
}
