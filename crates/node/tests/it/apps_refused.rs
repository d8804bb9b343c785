//! What an authorisation server must refuse, clause by clause.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use app::apps::register::Proof;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consilium_node::wiring::system_clock;
use identity::Role;
use serde_json::json;

use crate::app_client::{App, Key, REDIRECT, new};
use crate::client::text;
use crate::hospitals::{Hospitals, Setup, run, shared};

const SCOPE: &str = "patient/*.rs offline_access";

fn someone(hospitals: &Hospitals) -> String {
    let hospital = &hospitals.all[0];
    let here = hospitals.world.persons.iter().find_map(|person| person.at.get(&hospital.org));
    here.unwrap().patient_id.clone()
}

/// RFC 6749, section 4.1.2.1; SMART App Launch 2.2, obtain authorization code.
#[test]
fn a_faulty_request_goes_nowhere_or_back() {
    run(async {
        let hospital = &shared().await.all[0];
        let app = App::public(hospital, SCOPE);
        let backend = "00000000-0000-7000-8000-000000000000";
        for (name, value) in [
            ("client_id", backend),
            ("client_id", ""),
            ("redirect_uri", "https://app.example/after/"),
            ("redirect_uri", "https://app.example/after?x=1"),
            ("redirect_uri", "https://evil.example/after"),
            ("redirect_uri", ""),
        ] {
            let mut request = app.request(SCOPE);
            request.insert(name, value.to_owned());
            let reply = app.authorize(&request).await.expect(400);
            assert!(reply.headers.get("location").is_none(), "{name}={value}");
        }
        for (name, value, error) in [
            ("response_type", "token", "unsupported_response_type"),
            ("state", "", "invalid_request"),
            ("aud", "", "invalid_request"),
            ("aud", "https://evil.example/fhir", "invalid_request"),
            ("code_challenge", "", "invalid_request"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("code_challenge_method", "", "invalid_request"),
            ("scope", "system/*.rs", "invalid_scope"),
            ("scope", "user/*.cruds", "invalid_scope"),
            ("launch", "cns-launch.unknown", "invalid_request"),
            ("scope", "launch patient/*.rs", "invalid_request"),
        ] {
            let mut request = app.request(SCOPE);
            request.insert(name, value.to_owned());
            let (to, params) = app.authorize(&request).await.expect(303).sent_to();
            assert_eq!(to, REDIRECT);
            assert_eq!(params["error"], error, "{name}={value}");
            assert!(!params.contains_key("code"), "{name}={value}");
        }
    });
}

/// RFC 6749, section 4.1.3; RFC 7636, section 4.6; RFC 9700, section 2.1.1.
#[test]
fn a_code_is_for_one_client_one_address_and_one_use() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&someone(hospitals)).await;
        let app = App::public(hospital, SCOPE);
        let thief = App::public(hospital, SCOPE);
        let code = app.code(&patient, SCOPE).await;
        let stolen = thief.post("token", &thief.exchange(&code)).await;
        assert_eq!(stolen.expect(400).error(), "invalid_grant");
        for (name, value, error) in [
            ("redirect_uri", "https://app.example/other", "invalid_grant"),
            ("code", "cns-code.unknown", "invalid_grant"),
            ("code_verifier", "", "invalid_request"),
            ("grant_type", "password", "unsupported_grant_type"),
            ("grant_type", "", "invalid_request"),
            ("client_id", "nobody", "invalid_client"),
        ] {
            let mut form = app.exchange(&code);
            form.retain(|(known, _)| *known != name);
            form.push((name, value.to_owned()));
            let reply = app.post("token", &form).await;
            let status = if error == "invalid_client" { 401 } else { 400 };
            assert_eq!(reply.expect(status).error(), error, "{name}={value}");
        }
        let mut twice = app.exchange(&code);
        twice.push(("code", code.clone()));
        assert_eq!(app.post("token", &twice).await.expect(400).error(), "invalid_request");

        // Used once it gives tokens, used twice it takes them.
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        app.holding(&tokens).get("/fhir/Patient").await.expect(200);
        let again = app.post("token", &app.exchange(&code)).await;
        assert_eq!(again.expect(400).error(), "invalid_grant");
        app.holding(&tokens).get("/fhir/Patient").await.expect(401);
        let refresh = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        assert_eq!(refresh.expect(400).error(), "invalid_grant");

        // A wrong proof spends the code.
        let code = app.code(&patient, SCOPE).await;
        let mut wrong = app.exchange(&code);
        wrong.retain(|(name, _)| *name != "code_verifier");
        wrong.push(("code_verifier", "x".repeat(43)));
        assert_eq!(app.post("token", &wrong).await.expect(400).error(), "invalid_grant");
        let late = app.post("token", &app.exchange(&code)).await;
        assert_eq!(late.expect(400).error(), "invalid_grant");

        // One kind of token is not taken for another.
        let tokens = app.tokens(&patient, SCOPE).await;
        let refresh = text(&tokens["refresh_token"]);
        hospital.stranger().holding(&refresh).get("/fhir/Patient").await.expect(401);
        let access = text(&tokens["access_token"]);
        let reply = app.post("token", &app.refresh(&access)).await;
        assert_eq!(reply.expect(400).error(), "invalid_grant");
        // And an app's token opens no session of its own and no page.
        let holder = app.holding(&tokens);
        holder.post("/auth/step-up", &json!({"totp": "000000"})).await.expect(401);
        app.page(&holder, "/me/record").await.expect(303);
    });
}

/// SMART App Launch 2.2: codes live about a minute, access tokens an hour at most; RFC 7523: an
/// assertion expires.
#[test]
fn everything_ends_in_time() {
    run(async {
        let ahead = Arc::new(AtomicI64::new(0));
        let clock: app::services::Clock = {
            let (ahead, now) = (ahead.clone(), system_clock());
            Arc::new(move || now() + ahead.load(Ordering::Relaxed))
        };
        let pass = |seconds: i64| ahead.fetch_add(seconds * 1000, Ordering::Relaxed);
        let setup = Setup { hospitals: 1, patients: 2, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&someone(&hospitals)).await;
        let app = App::with_keys(hospital, SCOPE);
        let old = app.assertion();

        let code = app.code(&patient, SCOPE).await;
        pass(61);
        let late = app.post("token", &app.exchange(&code)).await;
        assert_eq!(late.expect(400).error(), "invalid_grant");

        let code = app.code(&patient, SCOPE).await;
        pass(300);
        let mut form = app.exchange(&code);
        form.retain(|(name, _)| *name != "client_assertion");
        form.push(("client_assertion", old));
        assert_eq!(app.post("token", &form).await.expect(401).error(), "invalid_client");

        let tokens = app.tokens(&patient, SCOPE).await;
        app.holding(&tokens).get("/fhir/Patient").await.expect(200);
        pass(3601);
        app.holding(&tokens).get("/fhir/Patient").await.expect(401);
        let again = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        let again = again.expect(200).json();
        app.holding(&again).get("/fhir/Patient").await.expect(200);

        // A request waits for a quarter of an hour.
        let waiting = App::waiting(app.authorize(&app.request(SCOPE)).await);
        pass(901);
        let patient = hospital.patient(&someone(&hospitals)).await;
        let page = app.page(&patient, &format!("/oauth/consent?request={waiting}")).await;
        assert!(page.expect(400).text.contains("fifteen minutes"));

        pass(91 * 24 * 60 * 60);
        let late = app.post("token", &app.refresh(&text(&again["refresh_token"]))).await;
        assert_eq!(late.expect(400).error(), "invalid_grant");
        hospital.app.run(app::apps::sweep).await.unwrap();
        drop(hospitals.stop().await);
    });
}

/// SMART App Launch 2.2, client authentication: asymmetric; RFC 7523, section 3.
#[test]
fn an_assertion_must_be_the_clients_and_new() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&someone(hospitals)).await;
        let app = App::with_keys(hospital, SCOPE);
        let key = app.key.as_ref().unwrap();
        let code = app.code(&patient, SCOPE).await;
        let with = |assertion: String| {
            let mut form = app.exchange(&code);
            form.retain(|(name, _)| *name != "client_assertion");
            form.push(("client_assertion", assertion));
            form
        };
        let claims = |name: &str, value: serde_json::Value| {
            let mut claims = app.claims();
            claims[name] = value;
            key.sign(&key.header(), &claims)
        };
        let header = |name: &str, value: &str| {
            let mut header = key.header();
            header[name] = json!(value);
            key.sign(&header, &app.claims())
        };
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let none =
            format!("{}.{}.", part(json!({"alg": "none", "kid": "one"})), part(app.claims()));
        let now = hospital.app.now_ms() / 1000;
        let foreign = Key::new("one");
        for (what, assertion) in [
            ("alg none", none),
            ("another key", foreign.sign(&foreign.header(), &app.claims())),
            ("an unknown kid", header("kid", "two")),
            ("jku that is not registered", header("jku", "https://evil.example/keys")),
            ("another iss", claims("iss", json!("other"))),
            ("another aud", claims("aud", json!("https://evil.example/token"))),
            ("the base as aud", claims("aud", json!(hospital.base))),
            ("expired", claims("exp", json!(now - 60))),
            ("too long", claims("exp", json!(now + 600))),
            ("not yet", claims("nbf", json!(now + 200))),
            ("no jti", claims("jti", json!(null))),
            ("no exp", claims("exp", json!(null))),
        ] {
            let reply = app.post("token", &with(assertion)).await;
            assert_eq!(reply.expect(401).error(), "invalid_client", "{what}");
        }
        // Not a word of the refusals has spent the code; the assertion that serves, serves once.
        let assertion = app.assertion();
        app.post("token", &with(assertion.clone())).await.expect(200);
        let code = app.code(&patient, SCOPE).await;
        let mut form = app.exchange(&code);
        form.retain(|(name, _)| *name != "client_assertion");
        form.push(("client_assertion", assertion));
        let replayed = app.post("token", &form).await.expect(401);
        assert_eq!(replayed.error(), "invalid_client");
        assert!(replayed.text.contains("jti"), "{}", replayed.text);
        // Without proving itself a confidential client gets nothing.
        let mut bare = app.exchange(&code);
        bare.retain(|(name, _)| !name.starts_with("client_"));
        bare.push(("client_id", app.id().to_owned()));
        assert_eq!(app.post("token", &bare).await.expect(401).error(), "invalid_client");
    });
}

/// RFC 6749, section 2.3.1.
#[test]
fn a_secret_is_sent_in_one_way_and_must_be_right() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&someone(hospitals)).await;
        let app = App::register(hospital, new(SCOPE, Proof::Secret), None);
        let secret = app.registered.secret.as_ref().unwrap().reveal().to_owned();
        let other = App::register(hospital, new(SCOPE, Proof::Secret), None);
        let code = app.code(&patient, SCOPE).await;
        let whole = app.exchange(&code);
        let mut bare = whole.clone();
        bare.retain(|(name, _)| !name.starts_with("client_"));
        for wrong in ["", "wrong", other.registered.secret.as_ref().unwrap().reveal()] {
            let reply = app.post_basic("token", &bare, wrong).await.expect(401);
            assert_eq!(reply.error(), "invalid_client");
            assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        }
        let both = app.post_basic("token", &whole, &secret).await;
        assert_eq!(both.expect(400).error(), "invalid_request");
        app.post_basic("token", &bare, &secret).await.expect(200);
        let code = app.code(&patient, SCOPE).await;
        app.post("token", &app.exchange(&code)).await.expect(200);
        // A public client has no secret to be right.
        let public = App::public(hospital, SCOPE);
        let code = public.code(&patient, SCOPE).await;
        let mut form = public.exchange(&code);
        form.push(("client_secret", secret));
        assert_eq!(public.post("token", &form).await.expect(401).error(), "invalid_client");
    });
}

/// Pages decide for people alone, and with a token of the page.
#[test]
fn nobody_decides_in_anothers_name() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&someone(hospitals)).await;
        let app = App::public(hospital, SCOPE);
        let waiting = App::waiting(app.authorize(&app.request(SCOPE)).await);
        let path = format!("/oauth/consent?request={waiting}");
        let stranger = app.page(&hospital.stranger(), &path).await.expect(303);
        let to = stranger.headers["location"].to_str().unwrap().to_owned();
        assert!(to.starts_with("/sign-in?next="), "{to}");
        let page = app.page(&patient, &path).await.expect(200);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with("form-action 'self' https://app.example"), "{policy}");
        // A form without the page's token decides nothing.
        let cookie = format!("consilium_session={}", patient.token());
        let body = format!("request={waiting}&decision=allow&scope-0=yes&csrf=x");
        let headers =
            [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let anybody = hospital.stranger();
        let post = reqwest::Method::POST;
        anybody.send(post, "/oauth/consent", Some(body), &headers).await.expect(400);
        let clinician = hospital.signed_in(Role::Clinician).await;
        app.page(&clinician, &path).await.expect(403);
        app.code_of(&patient, &waiting).await;
    });
}
