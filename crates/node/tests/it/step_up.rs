//! Step-up for apps (RFC 9470; OpenID Connect Core 1.0): what a resource asks for, and what a person
//! shows before an app gets it.

use std::sync::atomic::Ordering;

use crypto::jwk::{Algorithm, KeySet, verify};
use identity::{NewAccount, Password, Role};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;
use wire::acr::{SINGLE_FACTOR, TWO_FACTORS};

use crate::app_client::{App, REDIRECT};
use crate::client::{Account, Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run, shared};

async fn exported(program: &Client) -> crate::client::Answer {
    program
        .send(Method::GET, "/fhir/$export?_type=Practitioner", None, &[("prefer", "respond-async")])
        .await
}

/// The person's second factor, by the page that the app's request leads to.
async fn confirm(app: &App<'_>, person: &Client, account: &Account, page: &str) {
    let code = identity::code_at(&account.secret, app.hospital.app.now_ms()).unwrap();
    let next = page.split("next=").nth(1).expect("a way back");
    let next =
        form_urlencoded::parse(format!("n={next}").as_bytes()).next().unwrap().1.into_owned();
    let fields = [("code", code.as_str()), ("next", next.as_str())];
    app.form(person, "/step-up", &fields).await.expect(303);
}

/// RFC 9470, sections 3 to 6: the whole way from the challenge to a token that is enough.
#[test]
fn a_resource_asks_for_a_fresh_factor_and_the_app_gets_one() {
    run(async {
        let (clock, ahead) = clock();
        let setup = Setup { hospitals: 1, patients: 1, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Clinician, None);
        let doctor = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let scope = "openid user/*.rs";
        let app = App::with_keys(hospital, scope);
        ahead.fetch_add(400_000, Ordering::SeqCst);
        let tokens = app.tokens(&doctor, scope).await;
        // Section 3: the challenge says what is needed.
        let refused = exported(&app.holding(&tokens)).await.expect(401);
        let challenge = refused.header("www-authenticate").to_owned();
        assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
        assert!(
            challenge.contains("max_age=\"300\"") && challenge.contains(TWO_FACTORS),
            "{challenge}"
        );
        // Section 4: the app asks again with what it was told.
        let mut request = app.request(scope);
        request.insert("max_age", "300".into());
        request.insert("acr_values", format!("{TWO_FACTORS} phr"));
        let waiting = App::waiting(app.authorize(&request).await);
        let path = format!("/oauth/consent?request={waiting}");
        let (to, _) = {
            let page = app.page(&doctor, &path).await.expect(303);
            let to = page.headers["location"].to_str().unwrap().to_owned();
            (to.clone(), page)
        };
        assert!(to.starts_with("/step-up?next="), "{to}");
        // Nor is the decision taken before.
        let early = [("request", waiting.as_str()), ("decision", "allow"), ("scope-0", "yes")];
        let early = app.form(&doctor, "/oauth/consent", &early).await.expect(303);
        assert!(early.headers["location"].to_str().unwrap().starts_with("/step-up"));
        confirm(&app, &doctor, &account, &to).await;
        let code = app.code_of(&doctor, &waiting).await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        exported(&app.holding(&tokens)).await.expect(202);
        // Section 6: the ID token and introspection say how and when.
        let keys = KeySet::parse(&hospital.stranger().get("/oauth/keys").await.text).unwrap();
        let claims: Value = verify(&text(&tokens["id_token"]), &keys, &[Algorithm::Rs256]).unwrap();
        let now_s = hospital.app.now_ms() / 1000;
        let mut form = app.proof();
        form.push(("token", text(&tokens["access_token"])));
        let told = app.post("introspect", &form).await.expect(200).json();
        for told in [&claims, &told] {
            assert_eq!(told["acr"], TWO_FACTORS, "{told}");
            assert!(told["amr"].as_array().unwrap().contains(&json!("mfa")), "{told}");
            assert!((now_s - 5..=now_s).contains(&told["auth_time"].as_i64().unwrap()), "{told}");
        }
        drop(hospitals.stop().await);
    });
}

/// Somebody with a password and nothing else.
async fn with_password_alone(hospital: &Hospital, name: &str, patient: &str) -> (Client, Account) {
    let account = Account {
        username: name.to_owned(),
        password: "a long password for one".to_owned(),
        secret: String::new(),
    };
    let new = NewAccount {
        username: account.username.clone(),
        display_name: name.to_owned(),
        role: Role::Patient,
        patient: Some(fhir::Id::new(patient).unwrap()),
        practitioner: None,
        password: Password::plain(account.password.clone()),
        totp_secret: None,
    };
    block_in_place(|| hospital.app.identity().accounts().create(new, hospital.app.now_ms()))
        .unwrap();
    (Client::sign_in(&hospital.base, &account, None).await, account)
}

/// OpenID Connect Core, section 3.1.2.1, and unmet authentication requirements 1.0.
#[test]
fn what_a_person_cannot_show_is_told_to_the_app() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let own = hospitals.story().at[&hospital.org].patient_id.clone();
        let (person, _) = with_password_alone(hospital, "no.factor", &own).await;
        let scope = "launch/patient patient/*.rs";
        let app = App::public(hospital, scope);
        let claims = r#"{"id_token":{"acr":{"essential":true,"values":["phr"]}}}"#;
        for (name, value) in
            [("acr_values", TWO_FACTORS), ("acr_values", "phr"), ("claims", claims)]
        {
            let mut request = app.request(scope);
            request.insert(name, value.to_owned());
            let waiting = App::waiting(app.authorize(&request).await);
            let page = app.page(&person, &format!("/oauth/consent?request={waiting}")).await;
            let (to, params) = page.expect(303).sent_to();
            assert_eq!(to, REDIRECT);
            assert_eq!(params["error"], "unmet_authentication_requirements", "{name}={value}");
            assert_eq!(params["state"], "as it came");
        }
        // A passkey is asked for where the account has one alone.
        let account = hospital.account(Role::Patient, Some(&own));
        let patient = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let mut request = app.request(scope);
        request.insert("acr_values", "phr".into());
        let waiting = App::waiting(app.authorize(&request).await);
        let page = app.page(&patient, &format!("/oauth/consent?request={waiting}")).await;
        let (_, params) = page.expect(303).sent_to();
        assert_eq!(params["error"], "unmet_authentication_requirements");
        // What is weaker than what the session has is enough.
        let mut request = app.request(scope);
        request.insert("acr_values", SINGLE_FACTOR.into());
        let waiting = App::waiting(app.authorize(&request).await);
        app.page(&patient, &format!("/oauth/consent?request={waiting}")).await.expect(200);
        // And nothing that is known here is told at once.
        let mut request = app.request(scope);
        request.insert("acr_values", "urn:unheard-of".into());
        let (_, params) = app.authorize(&request).await.expect(303).sent_to();
        assert_eq!(params["error"], "unmet_authentication_requirements");
    });
}

/// `prompt=login` and `max_age=0`: whoever has only a password signs in again.
#[test]
fn a_person_signs_in_again_where_the_app_asks_for_it() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let own = hospitals.story().at[&hospital.org].patient_id.clone();
        let (mut person, account) = with_password_alone(hospital, "once.more", &own).await;
        let scope = "launch/patient patient/*.rs";
        let app = App::public(hospital, scope);
        for (name, value) in [("prompt", "login consent"), ("max_age", "0")] {
            let mut request = app.request(scope);
            request.insert(name, value.to_owned());
            let waiting = App::waiting(app.authorize(&request).await);
            let path = format!("/oauth/consent?request={waiting}");
            let page = app.page(&person, &path).await.expect(303);
            let to = page.headers["location"].to_str().unwrap().to_owned();
            assert!(to.starts_with("/sign-in?next=%2Foauth%2Fconsent"), "{to}");
            // The session has ended; the request waits still, for the same person.
            person.get("/fhir/Patient").await.expect(401);
            person = Client::sign_in(&hospital.base, &account, None).await;
            let code = app.code_of(&person, &waiting).await;
            app.post("token", &app.exchange(&code)).await.expect(200);
        }
    });
}
