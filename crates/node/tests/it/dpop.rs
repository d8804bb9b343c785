//! Tokens bound to a key (RFC 9449): each clause that a server has, through the real door.

use app::apps::register::Proof;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::app_client::{App, Reply, new};
use crate::client::{Answer, Client, text};
use crate::hospitals::{Hospitals, Setup, clock, run, shared};

/// The key of an app in a browser: P-256.
pub struct Holder {
    pair: EcdsaKeyPair,
}

impl Holder {
    pub fn new() -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
    }

    /// RFC 7638, written out for a key of this kind.
    fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let (x, y) = (text(&jwk["x"]), text(&jwk["y"]));
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(crypto::sha256(canonical.as_bytes()))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A proof with its claims.
    fn proof(&self, claims: &Value) -> String {
        self.sign(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()}), claims)
    }
}

/// Claims of a proof for a request now.
fn claims(app: &App<'_>, method: &str, address: &str, nonce: &str) -> Value {
    json!({
        "htm": method, "htu": address, "nonce": nonce, "jti": app.hospital.app.new_token(),
        "iat": app.hospital.app.now_ms() / 1000,
    })
}

/// Posts a form to the token endpoint with a proof.
async fn asked(app: &App<'_>, form: &[(&str, String)], proof: &str) -> Reply {
    app.post_with("token", form, &[("dpop", proof)]).await
}

/// The nonce of an answer.
fn nonce(headers: &header::HeaderMap) -> String {
    headers.get("dpop-nonce").expect("a nonce").to_str().unwrap().to_owned()
}

/// Tokens for a form, as a client comes by them: the first answer says the nonce.
async fn bound(app: &App<'_>, holder: &Holder, form: &[(&str, String)]) -> (Value, String) {
    let address = app.address("/oauth/token");
    let first = asked(app, form, &holder.proof(&claims(app, "POST", &address, ""))).await;
    // Section 8: `use_dpop_nonce`, with the nonce beside it; the code is not spent by this.
    assert_eq!(first.status, 400, "{}", first.text);
    let nonce = nonce(&first.headers);
    assert_eq!(first.error(), "use_dpop_nonce");
    let proof = holder.proof(&claims(app, "POST", &address, &nonce));
    let tokens = asked(app, form, &proof).await.expect(200);
    (tokens.json(), nonce)
}

/// Uses a token at a resource with whatever proof.
async fn used(app: &App<'_>, scheme: &str, token: &str, path: &str, proof: Option<&str>) -> Answer {
    let authorization = format!("{scheme} {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(proof.map(|proof| ("dpop", proof)));
    Client::stranger(&app.hospital.base).send(Method::GET, path, None, &headers).await
}

fn hash_of(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(crypto::sha256(token.as_bytes()))
}

#[test]
fn a_bound_token_is_of_use_with_its_key_alone() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let own = hospitals.story().at[&hospital.org].patient_id.clone();
        let patient = hospital.patient(&own).await;
        let scope = "launch/patient patient/*.rs offline_access openid";
        let app = App::public(hospital, scope);
        let holder = Holder::new();
        let code = app.code(&patient, scope).await;
        let (tokens, nonce) = bound(&app, &holder, &app.exchange(&code)).await;
        // Section 5: the type of the token says it.
        assert_eq!(tokens["token_type"], "DPoP");
        let token = text(&tokens["access_token"]);
        let path = format!("/fhir/Patient/{own}");
        let address = app.address(&path);
        let with = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims(&app, "GET", &address, &nonce);
            claims["ath"] = json!(hash_of(&token));
            change(&mut claims);
            claims
        };
        let right = holder.proof(&with(&|_| {}));
        let answer = used(&app, "DPoP", &token, &path, Some(&right)).await.expect(200);
        assert!(answer.headers.contains_key("dpop-nonce"));
        // A query does not count (section 4.3, step 9).
        let proof = holder.proof(&with(&|_| {}));
        used(&app, "dpop", &token, &format!("{path}?_summary=true"), Some(&proof))
            .await
            .expect(200);
        // Section 11.1: a proof is used once.
        let again = used(&app, "DPoP", &token, &path, Some(&right)).await.expect(401);
        assert!(again.header("www-authenticate").contains("invalid_dpop_proof"));
        // Section 7.2: as a bearer token it is refused.
        let bearer = used(&app, "Bearer", &token, &path, Some(&holder.proof(&with(&|_| {})))).await;
        let bearer = bearer.expect(401);
        assert!(bearer.header("www-authenticate").contains("invalid_token"));
        // Sections 4.3 and 7.1, clause by clause.
        let now_s = hospital.app.now_ms() / 1000;
        for (what, claims, error) in [
            ("htm", with(&|c| c["htm"] = json!("POST")), "invalid_dpop_proof"),
            (
                "htu",
                with(&|c| c["htu"] = json!(app.address("/fhir/Patient"))),
                "invalid_dpop_proof",
            ),
            ("old", with(&|c| c["iat"] = json!(now_s - 120)), "invalid_dpop_proof"),
            ("early", with(&|c| c["iat"] = json!(now_s + 120)), "invalid_dpop_proof"),
            ("no iat", with(&|c| c["iat"] = json!(null)), "invalid_dpop_proof"),
            ("no jti", with(&|c| c["jti"] = json!("")), "invalid_dpop_proof"),
            ("no ath", with(&|c| c["ath"] = json!(null)), "invalid_dpop_proof"),
            ("ath", with(&|c| c["ath"] = json!(hash_of("other"))), "invalid_dpop_proof"),
            ("nonce", with(&|c| c["nonce"] = json!("other")), "use_dpop_nonce"),
        ] {
            let answer = used(&app, "DPoP", &token, &path, Some(&holder.proof(&claims))).await;
            let challenge = answer.expect(401).header("www-authenticate").to_owned();
            assert!(
                challenge.starts_with("DPoP ") && challenge.contains(error),
                "{what}: {challenge}"
            );
            assert!(challenge.contains("algs=\"ES256"), "{challenge}");
        }
        let sound = with(&|_| {});
        let mut private = holder.jwk();
        private["d"] = json!("AAAA");
        for header in [
            json!({"typ": "JWT", "alg": "ES256", "jwk": holder.jwk()}),
            json!({"typ": "dpop+jwt", "alg": "none", "jwk": holder.jwk()}),
            json!({"typ": "dpop+jwt", "alg": "ES256"}),
            json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": private}),
            json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": Holder::new().jwk()}),
        ] {
            let proof = holder.sign(&header, &sound);
            used(&app, "DPoP", &token, &path, Some(&proof)).await.expect(401);
        }
        used(&app, "DPoP", &token, &path, None).await.expect(401);
        // Another key with a proof of its own.
        let stolen = Holder::new().proof(&with(&|_| {}));
        let answer = used(&app, "DPoP", &token, &path, Some(&stolen)).await.expect(401);
        assert!(answer.header("www-authenticate").contains("invalid_token"));
        // And a session's token is no bound token.
        let session = patient.token().to_owned();
        let mut claims = claims(&app, "GET", &address, &nonce);
        claims["ath"] = json!(hash_of(&session));
        used(&app, "DPoP", &session, &path, Some(&holder.proof(&claims))).await.expect(401);
        // What lies beyond the scopes is refused in the scheme that was used.
        let path = format!("{path}/$longitudinal-record");
        let mut claims = self::claims(&app, "GET", &app.address(&path), &nonce);
        claims["ath"] = json!(hash_of(&token));
        let answer = used(&app, "DPoP", &token, &path, Some(&holder.proof(&claims))).await;
        let challenge = answer.expect(403).header("www-authenticate").to_owned();
        assert_eq!(challenge, "DPoP error=\"insufficient_scope\"");
    });
}

#[test]
fn codes_and_refresh_tokens_of_public_apps_are_bound_too() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&hospitals.story().at[&hospital.org].patient_id).await;
        let scope = "launch/patient patient/*.rs offline_access";
        let app = App::public(hospital, scope);
        let (holder, thief) = (Holder::new(), Holder::new());
        // Section 10: a code that names its key.
        let mut request = app.request(scope);
        request.insert("dpop_jkt", holder.thumbprint());
        let waiting = App::waiting(app.authorize(&request).await);
        let code = app.code_of(&patient, &waiting).await;
        let plain = app.post("token", &app.exchange(&code)).await.expect(400);
        assert_eq!(plain.error(), "invalid_dpop_proof");
        let (tokens, nonce) = bound(&app, &holder, &app.exchange(&code)).await;
        let address = app.address("/oauth/token");
        let refresh = app.refresh(&text(&tokens["refresh_token"]));
        // Section 5: the refresh token of a public client is bound to the key.
        let plain = app.post("token", &refresh).await.expect(400);
        assert_eq!(plain.error(), "invalid_dpop_proof");
        let proof = thief.proof(&claims(&app, "POST", &address, &nonce));
        assert_eq!(asked(&app, &refresh, &proof).await.expect(400).error(), "invalid_dpop_proof");
        let proof = holder.proof(&claims(&app, "POST", &address, &nonce));
        let next = asked(&app, &refresh, &proof).await.expect(200).json();
        assert_eq!(next["token_type"], "DPoP");
        let again = app.refresh(&text(&next["refresh_token"]));
        assert_eq!(asked(&app, &again, &proof).await.expect(400).error(), "invalid_dpop_proof");
        // Two proofs are none.
        let two = [("dpop", proof.as_str()), ("dpop", proof.as_str())];
        let reply = app.post_with("token", &again, &two).await.expect(400);
        assert_eq!(reply.error(), "invalid_dpop_proof");
    });
}

#[test]
fn introspection_and_discovery_tell_of_the_binding() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&hospitals.story().at[&hospital.org].patient_id).await;
        let scope = "launch/patient patient/*.rs offline_access";
        let app = App::register(hospital, new(scope, Proof::Secret), None);
        let holder = Holder::new();
        let code = app.code(&patient, scope).await;
        let (tokens, _) = bound(&app, &holder, &app.exchange(&code)).await;
        let mut form = app.proof();
        form.push(("token", text(&tokens["access_token"])));
        let told = app.post("introspect", &form).await.expect(200).json();
        assert_eq!(told["token_type"], "DPoP");
        assert_eq!(told["cnf"], json!({"jkt": holder.thumbprint()}));
        // A confidential client proves itself, so its refresh token is bound to it and not to a key.
        let refresh = app.refresh(&text(&tokens["refresh_token"]));
        let next = app.post("token", &refresh).await.expect(200).json();
        assert_eq!(next["token_type"], "Bearer");
        for path in ["/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration"] {
            let told = hospital.stranger().get(path).await.expect(200).json();
            let algorithms = told["dpop_signing_alg_values_supported"].as_array().unwrap();
            assert!(algorithms.contains(&json!("ES256")), "{path}");
        }
    });
}

#[test]
fn nonces_end_after_ten_minutes() {
    run(async {
        let (clock, ahead) = clock();
        let setup = Setup { hospitals: 1, patients: 1, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let own = hospitals.world.persons[0].at[&hospital.org].patient_id.clone();
        let patient = hospital.patient(&own).await;
        let scope = "launch/patient patient/*.rs";
        let app = App::public(hospital, scope);
        let holder = Holder::new();
        let code = app.code(&patient, scope).await;
        let (tokens, nonce) = bound(&app, &holder, &app.exchange(&code)).await;
        let token = text(&tokens["access_token"]);
        let path = format!("/fhir/Patient/{own}");
        let proof = |nonce: &str| {
            let mut claims = claims(&app, "GET", &app.address(&path), nonce);
            claims["ath"] = json!(hash_of(&token));
            holder.proof(&claims)
        };
        used(&app, "DPoP", &token, &path, Some(&proof(&nonce))).await.expect(200);
        ahead.fetch_add(601_000, std::sync::atomic::Ordering::SeqCst);
        let answer = used(&app, "DPoP", &token, &path, Some(&proof(&nonce))).await.expect(401);
        assert!(answer.header("www-authenticate").contains("use_dpop_nonce"));
        let fresh = self::nonce(&answer.headers);
        used(&app, "DPoP", &token, &path, Some(&proof(&fresh))).await.expect(200);
        drop(hospitals.stop().await);
    });
}
