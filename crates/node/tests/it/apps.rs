//! Apps from the first request to the last token: SMART App Launch 2.2 as its check lists have it.

use app::apps::register::{Proof, withdraw};
use crypto::jwk::{Algorithm, KeySet, verify};
use identity::Role;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::app_client::{App, REDIRECT, new};
use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, run, shared};

/// A patient known at the first hospital alone.
fn someone(hospitals: &Hospitals, number: usize) -> String {
    let hospital = &hospitals.all[0];
    let here = |person: &&&synthetic::Person| person.at.contains_key(&hospital.org);
    let all: Vec<_> = hospitals.world.persons.iter().collect();
    let here: Vec<_> = all.iter().filter(here).collect();
    here[number].at[&hospital.org].patient_id.clone()
}

async fn clinician(hospital: &Hospital) -> Client {
    hospital.signed_in(Role::Clinician).await
}

/// SMART App Launch 2.2, conformance: discovery.
#[test]
fn discovery_says_what_is_there() {
    run(async {
        let hospital = &shared().await.all[0];
        let anybody = hospital.stranger();
        let kind = [("accept", "text/html")];
        let answer = anybody
            .send(reqwest::Method::GET, "/fhir/.well-known/smart-configuration", None, &kind)
            .await
            .expect(200);
        assert!(answer.header("content-type").starts_with("application/json"));
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let told = answer.json();
        for name in ["issuer", "jwks_uri", "authorization_endpoint", "token_endpoint"] {
            assert!(text(&told[name]).starts_with(&hospital.base), "{name} is absolute");
        }
        assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
        let capabilities = told["capabilities"].as_array().unwrap();
        for name in ["launch-ehr", "launch-standalone", "client-public", "permission-v2"] {
            assert!(capabilities.contains(&json!(name)), "{name}");
        }
        let statement = anybody.get("/fhir/metadata").await.expect(200).json();
        let uris = &statement["rest"][0]["security"]["extension"][0]["extension"];
        let uri = |name: &str| {
            let all = uris.as_array().unwrap();
            all.iter().find(|one| one["url"] == name).unwrap()["valueUri"].clone()
        };
        assert_eq!(uri("authorize"), told["authorization_endpoint"]);
        assert_eq!(uri("token"), told["token_endpoint"]);
        let openid = anybody.get("/.well-known/openid-configuration").await.expect(200).json();
        assert_eq!(openid["issuer"], told["issuer"]);
        // What is named is there: a wrong request is told so, and not that there is no such page.
        for name in ["token_endpoint", "introspection_endpoint", "revocation_endpoint"] {
            anybody.post(&text(&told[name]), &json!({})).await.expect(400);
        }
    });
}

/// Patient access for standalone apps, with a public client, OpenID and a refresh token.
#[test]
fn a_patient_allows_an_app_and_sees_it() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let (own, other) = (someone(hospitals, 1), someone(hospitals, 2));
        let patient = hospital.patient(&own).await;
        let app =
            App::public(hospital, "openid fhirUser offline_access launch/patient patient/*.rs");
        let scope = "launch/patient patient/*.read patient/Observation.cruds openid fhirUser offline_access";
        let code = app.code(&patient, scope).await;
        let reply = app.post("token", &app.exchange(&code)).await.expect(200);
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert_eq!(reply.headers["pragma"], "no-cache");
        let tokens = reply.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["patient"], own);
        assert_eq!(tokens["need_patient_banner"], true);
        assert_eq!(tokens["expires_in"], 3600);
        // Version 1 is answered in version 1; what goes beyond the registration is not granted.
        assert_eq!(
            tokens["scope"],
            "launch/patient patient/*.read patient/Observation.rs openid fhirUser offline_access"
        );
        let program = app.holding(&tokens);
        program.get(&format!("/fhir/Patient/{own}")).await.expect(200);
        program.get(&format!("/fhir/Patient/{other}")).await.expect(404);
        assert_eq!(program.found("Patient").await, std::slice::from_ref(&own));

        let keys = hospital.stranger().get("/oauth/keys").await.expect(200);
        let keys = KeySet::parse(&keys.text).unwrap();
        let claims: Value = verify(&text(&tokens["id_token"]), &keys, &[Algorithm::Rs256]).unwrap();
        assert_eq!(claims["iss"], hospital.base);
        assert_eq!(claims["aud"], app.id());
        assert_eq!(claims["fhirUser"], format!("{}/fhir/Patient/{own}", hospital.base));
        assert!(claims["amr"].as_array().unwrap().contains(&json!("mfa")));

        // The patient finds the app, and ends it.
        let page = app.page(&patient, "/apps").await.expect(200);
        assert!(page.text.contains("Growth chart") && page.text.contains("Example Ltd"));
        let grant = page.text.split("name=\"grant\" value=\"").nth(1).unwrap();
        let grant = grant.split('"').next().unwrap().to_owned();
        let stranger = hospital.patient(&other).await;
        app.form(&stranger, "/apps", &[("grant", &grant)]).await.expect(404);
        program.get(&format!("/fhir/Patient/{own}")).await.expect(200);
        app.form(&patient, "/apps", &[("grant", &grant)]).await.expect(303);
        program.get(&format!("/fhir/Patient/{own}")).await.expect(401);
        let refreshed = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        assert_eq!(refreshed.expect(400).error(), "invalid_grant");
    });
}

/// Scopes: what is granted may be less than what was asked for, and is always told.
#[test]
fn what_a_person_takes_away_is_not_granted() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&someone(hospitals, 1)).await;
        let app = App::public(hospital, "patient/*.rs offline_access");
        let scope = "patient/Condition.rs patient/Observation.rs offline_access";
        let waiting = App::waiting(app.authorize_by_post(&app.request(scope)).await);
        let keep = |words: &str| words.contains("diagnoses");
        let (_, params) = app.allow(&patient, &waiting, keep).await.expect(303).sent_to();
        let tokens = app.post("token", &app.exchange(&params["code"])).await.expect(200).json();
        assert_eq!(tokens["scope"], "patient/Condition.rs");
        assert!(tokens.get("refresh_token").is_none());
        let program = app.holding(&tokens);
        program.get("/fhir/Condition").await.expect(200);
        let refused = program.get("/fhir/Observation").await.expect(403);
        assert_eq!(refused.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");

        // Nothing allowed, or the request refused, is told as such; and a request is answered once.
        for fields in [vec![("decision", "allow")], vec![("decision", "deny"), ("scope-0", "yes")]]
        {
            let waiting = App::waiting(app.authorize(&app.request(scope)).await);
            let mut fields = fields.clone();
            fields.push(("request", &waiting));
            let (to, params) =
                app.form(&patient, "/oauth/consent", &fields).await.expect(303).sent_to();
            assert_eq!((to.as_str(), params["error"].as_str()), (REDIRECT, "access_denied"));
            assert_eq!(params["state"], "as it came");
            app.form(&patient, "/oauth/consent", &fields).await.expect(400);
        }
    });
}

/// What is allowed is what the page said: another patient in another tab is asked about again.
#[test]
fn an_answer_is_about_the_patient_who_was_shown() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let (shown, other) = (someone(hospitals, 1), someone(hospitals, 2));
        let doctor = clinician(hospital).await;
        let app = App::public(hospital, "launch/patient patient/*.rs");
        let scope = "launch/patient patient/*.rs";
        let waiting = App::waiting(app.authorize(&app.request(scope)).await);
        let path = format!("/oauth/consent?request={waiting}");
        app.page(&doctor, &path).await.expect(200);
        let choose = async |patient: &str| {
            let choice = [("request", waiting.as_str()), ("patient", patient)];
            app.form(&doctor, "/oauth/patient", &choice).await.expect(303);
        };
        choose(&shown).await;
        app.page(&doctor, &path).await.expect(200);
        choose(&other).await;
        let allow = [
            ("request", waiting.as_str()),
            ("decision", "allow"),
            ("scope-0", "yes"),
            ("scope-1", "yes"),
        ];
        let back = app.form(&doctor, "/oauth/consent", &allow).await.expect(303);
        let back = back.headers["location"].to_str().unwrap();
        assert!(back.starts_with("/oauth/consent"), "{back}");
        app.page(&doctor, &path).await.expect(200);
        let (_, params) = app.form(&doctor, "/oauth/consent", &allow).await.expect(303).sent_to();
        let tokens = app.post("token", &app.exchange(&params["code"])).await.expect(200).json();
        assert_eq!(tokens["patient"], json!(other));
    });
}

/// Standalone launch of a clinician: the patient is chosen, with a confidential client.
#[test]
fn a_clinician_chooses_the_patient() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let chosen = someone(hospitals, 2);
        let doctor = clinician(hospital).await;
        let app = App::with_keys(hospital, "launch/patient patient/*.rs user/Practitioner.rs");
        let scope = "launch/patient patient/*.rs";
        let waiting = App::waiting(app.authorize(&app.request(scope)).await);
        let path = format!("/oauth/consent?request={waiting}");
        let page = app.page(&doctor, &path).await.expect(200);
        assert!(page.text.contains("Which patient is it about?"), "{}", page.text);
        // Without a choice nothing is allowed.
        let early = [("request", waiting.as_str()), ("decision", "allow"), ("scope-1", "yes")];
        app.form(&doctor, "/oauth/consent", &early).await.expect(400);
        let nobody = [("request", waiting.as_str()), ("patient", "nobody")];
        app.form(&doctor, "/oauth/patient", &nobody).await.expect(404);
        let choice = [("request", waiting.as_str()), ("patient", chosen.as_str())];
        app.form(&doctor, "/oauth/patient", &choice).await.expect(303);
        // Nobody else decides what one person has begun to.
        let other = clinician(hospital).await;
        app.page(&other, &path).await.expect(403);
        let code = app.code_of(&doctor, &waiting).await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        assert_eq!(tokens["patient"], chosen);
        let program = app.holding(&tokens);
        assert_eq!(program.found("Patient").await, [chosen]);
        // Roles that treat nobody and are nobody's record allow nothing.
        let operator = hospital.signed_in(Role::Operator).await;
        let waiting = App::waiting(app.authorize(&app.request(scope)).await);
        app.page(&operator, &format!("/oauth/consent?request={waiting}")).await.expect(404);
    });
}

/// EHR launch: from the patient's record, with the context that was there.
#[test]
fn an_app_is_opened_from_a_record() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let chosen = someone(hospitals, 2);
        let doctor = clinician(hospital).await;
        let app = App::public(hospital, "launch patient/*.rs online_access");
        let page = app.page(&doctor, &format!("/patients/{chosen}/apps")).await.expect(200);
        let link = format!("/patients/{chosen}/apps/{}", app.id());
        assert!(page.text.contains(&link), "{}", page.text);
        let (to, params) = app.page(&doctor, &link).await.expect(303).sent_to();
        assert_eq!(to, "https://app.example/launch");
        assert_eq!(params["iss"], format!("{}/fhir", hospital.base));
        let launch = params["launch"].clone();
        let scope = "launch patient/*.rs online_access";
        let mut request = app.request(scope);
        request.insert("launch", launch.clone());
        let waiting = App::waiting(app.authorize(&request).await);
        // It is the launch of one person.
        let other = clinician(hospital).await;
        app.page(&other, &format!("/oauth/consent?request={waiting}")).await.expect(403);
        let code = app.code_of(&doctor, &waiting).await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        assert_eq!(tokens["patient"], chosen);
        let style = text(&tokens["smart_style_url"]);
        hospital.stranger().get(&style).await.expect(200);
        app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await.expect(200);
        // And it is used once, and by one app.
        let (_, params) = app.authorize(&request).await.expect(303).sent_to();
        assert_eq!(params["error"], "invalid_request");
        let (_, params) = app.page(&doctor, &link).await.expect(303).sent_to();
        let thief = App::public(hospital, "launch patient/*.rs");
        let mut request = thief.request(scope);
        request.insert("launch", params["launch"].clone());
        let (_, params) = thief.authorize(&request).await.expect(303).sent_to();
        assert_eq!(params["error"], "invalid_request");
        // A patient who may not be seen has no apps either.
        let own = hospital.patient(&someone(hospitals, 1)).await;
        app.page(&own, &link).await.expect(404);
    });
}

/// Token introspection (RFC 7662) and revocation (RFC 7009).
#[test]
fn a_confidential_app_asks_about_its_tokens_and_gives_them_back() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let own = someone(hospitals, 1);
        let patient = hospital.patient(&own).await;
        let scope = "openid fhirUser launch/patient patient/*.rs offline_access";
        let app = App::register(hospital, new(scope, Proof::Secret), None);
        let tokens = app.tokens(&patient, scope).await;
        let access = text(&tokens["access_token"]);
        let ask = |app: &App<'_>, token: &str| {
            let mut form = app.proof();
            form.push(("token", token.to_owned()));
            form
        };
        let told = app.post("introspect", &ask(&app, &access)).await.expect(200).json();
        assert_eq!(told["active"], true);
        for (name, value) in [
            ("client_id", json!(app.id())),
            ("scope", tokens["scope"].clone()),
            ("patient", json!(own)),
            ("iss", json!(hospital.base)),
            ("fhirUser", json!(format!("{}/fhir/Patient/{own}", hospital.base))),
        ] {
            assert_eq!(told[name], value, "{name}");
        }
        assert!(told["exp"].is_i64() && told["sub"].is_string());
        // Others learn nothing, public ones may not ask, and unknown tokens are not active.
        let other = App::with_keys(hospital, scope);
        for (asker, token) in [(&other, access.as_str()), (&app, "cns-at.unknown"), (&app, "")] {
            let reply = asker.post("introspect", &ask(asker, token)).await;
            match token {
                "" => assert_eq!(reply.expect(400).error(), "invalid_request"),
                _ => assert_eq!(reply.expect(200).json(), json!({"active": false})),
            }
        }
        let public = App::public(hospital, scope);
        public.post("introspect", &ask(&public, &access)).await.expect(401);

        // An access token is given back alone, a refresh token with all that came of it.
        other.post("revoke", &ask(&other, &access)).await.expect(200);
        app.holding(&tokens).get("/fhir/Patient").await.expect(200);
        app.post("revoke", &ask(&app, &access)).await.expect(200);
        app.holding(&tokens).get("/fhir/Patient").await.expect(401);
        let refresh = text(&tokens["refresh_token"]);
        let again = app.post("token", &app.refresh(&refresh)).await.expect(200).json();
        app.holding(&again).get("/fhir/Patient").await.expect(200);
        app.post("revoke", &ask(&app, &text(&again["refresh_token"]))).await.expect(200);
        app.holding(&again).get("/fhir/Patient").await.expect(401);
    });
}

/// Refresh: the new token replaces the old; fewer scopes may be asked for, never more.
#[test]
fn a_refresh_token_is_used_once() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let patient = hospital.patient(&someone(hospitals, 1)).await;
        let app = App::public(hospital, "patient/*.rs offline_access");
        let first = app.tokens(&patient, "patient/*.rs offline_access").await;
        let mut narrow = app.refresh(&text(&first["refresh_token"]));
        narrow.push(("scope", "patient/Observation.rs".to_owned()));
        let second = app.post("token", &narrow).await.expect(200).json();
        assert_eq!(second["scope"], "patient/Observation.rs");
        app.holding(&second).get("/fhir/Observation").await.expect(200);
        app.holding(&second).get("/fhir/Condition").await.expect(403);
        let mut wide = app.refresh(&text(&second["refresh_token"]));
        wide.push(("scope", "patient/*.cruds".to_owned()));
        assert_eq!(app.post("token", &wide).await.expect(400).error(), "invalid_scope");
        let third = app.post("token", &app.refresh(&text(&second["refresh_token"]))).await;
        let third = third.expect(200).json();
        assert_eq!(third["scope"], "patient/*.rs offline_access");
        // A public app need not say which it is.
        let nameless = |token: &Value| {
            let token = ("refresh_token", text(token));
            [("grant_type", "refresh_token".to_owned()), token]
        };
        let fourth = app.post("token", &nameless(&third["refresh_token"])).await;
        let third = fourth.expect(200).json();
        let unknown = app.post("token", &nameless(&json!("nothing"))).await;
        assert_eq!(unknown.expect(401).error(), "invalid_client");
        // One that can prove itself must.
        let keyed = App::with_keys(hospital, "patient/*.rs offline_access");
        let held = keyed.tokens(&patient, "patient/*.rs offline_access").await;
        let unproved = keyed.post("token", &nameless(&held["refresh_token"])).await;
        assert_eq!(unproved.expect(401).error(), "invalid_client");
        // Another app does nothing with it.
        let thief = App::public(hospital, "patient/*.rs offline_access");
        let stolen = thief.post("token", &thief.refresh(&text(&third["refresh_token"]))).await;
        assert_eq!(stolen.expect(400).error(), "invalid_grant");
        app.holding(&third).get("/fhir/Observation").await.expect(200);
        // An old one comes again: somebody has a copy, and everything ends.
        let replayed = app.post("token", &app.refresh(&text(&first["refresh_token"]))).await;
        assert_eq!(replayed.expect(400).error(), "invalid_grant");
        for tokens in [&first, &second, &third] {
            app.holding(tokens).get("/fhir/Observation").await.expect(401);
        }
        let last = app.post("token", &app.refresh(&text(&third["refresh_token"]))).await;
        assert_eq!(last.expect(400).error(), "invalid_grant");
    });
}

/// What stands behind a token is looked at each time.
#[test]
fn a_token_ends_with_its_app_and_its_account() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let own = someone(hospitals, 1);
        let account = hospital.account(Role::Patient, Some(&own));
        let patient = Client::with_second_factor(&hospital.base, &account).await;
        let app = App::public(hospital, "patient/*.rs");
        let tokens = app.tokens(&patient, "patient/*.rs").await;
        app.holding(&tokens).get("/fhir/Patient").await.expect(200);
        let accounts = hospital.app.identity().accounts();
        let id = accounts.find(&account.username).unwrap().unwrap().id;
        let disable = |on| block_in_place(|| accounts.set_disabled(&id, on, hospital.app.now_ms()));
        disable(true).unwrap();
        app.holding(&tokens).get("/fhir/Patient").await.expect(401);
        disable(false).unwrap();
        app.holding(&tokens).get("/fhir/Patient").await.expect(401);

        let patient = hospital.patient(&own).await;
        let tokens = app.tokens(&patient, "patient/*.rs").await;
        app.holding(&tokens).get("/fhir/Patient").await.expect(200);
        block_in_place(|| withdraw(&hospital.app, None, app.id())).unwrap();
        let over = app.holding(&tokens).get("/fhir/Patient").await.expect(401);
        assert_eq!(over.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    });
}

/// The operator registers and removes apps on a page of their own.
#[test]
fn the_operator_registers_apps() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let app = App::public(hospital, "patient/*.rs");
        let operator = hospital.signed_in(Role::Operator).await;
        let fields = [
            ("name", "Diary"),
            ("publisher", "Diary Makers"),
            ("proof", "secret"),
            ("redirects", "https://diary.example/after\nhttps://diary.example/other"),
            ("scopes", "openid patient/*.rs"),
        ];
        let page = app.form(&operator, "/operator/apps", &fields).await.expect(200);
        assert!(page.text.contains("cns-secret."), "the secret is shown once");
        let listed = app.page(&operator, "/operator/apps").await.expect(200);
        assert!(listed.text.contains("Diary Makers") && !listed.text.contains("cns-secret."));
        let id = page.text.split("id=\"made-id\">").nth(1).unwrap().split('<').next().unwrap();
        let mut wrong = fields;
        wrong[3].1 = "http://diary.example/after";
        let refused = app.form(&operator, "/operator/apps", &wrong).await.expect(200);
        assert!(refused.text.contains("role=\"alert\""), "{}", refused.text);
        assert!(refused.text.contains("value=\"Diary\""), "what was typed stays");
        app.form(&operator, &format!("/operator/apps/{id}/remove"), &[]).await.expect(303);
        let listed = app.page(&operator, "/operator/apps").await.expect(200);
        assert!(!listed.text.contains("Diary Makers"));
        for role in [Role::Clinician, Role::PrivacyOfficer, Role::Registrar] {
            let other = hospital.signed_in(role).await;
            app.page(&other, "/operator/apps").await.expect(404);
            app.form(&other, "/operator/apps", &fields).await.expect(404);
            app.form(&other, &format!("/operator/apps/{}/remove", app.id()), &[]).await.expect(404);
        }
    });
}

/// BALP: the app is an agent of its own in the audit.
#[test]
fn the_audit_names_the_app() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let own = someone(hospitals, 1);
        let patient = hospital.patient(&own).await;
        let app = App::public(hospital, "patient/*.rs");
        let tokens = app.tokens(&patient, "patient/*.rs").await;
        app.holding(&tokens).get(&format!("/fhir/Patient/{own}")).await.expect(200);
        let path = format!("/fhir/AuditEvent?patient=Patient/{own}&_count=50&_sort=-date");
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get(&path).await.expect(200).json();
        let entries = log["entry"].as_array().unwrap();
        let names_app = |agent: &&Value| {
            agent["type"]["coding"][0]["code"] == "110150"
                && agent["who"]["identifier"]["value"] == app.id()
                && agent["requestor"] == false
        };
        let by_app = |subtype: &str| {
            let events = entries.iter().map(|entry| &entry["resource"]);
            let events = events.filter(|event| event["subtype"][0]["code"] == subtype);
            events
                .filter(|event| event["agent"].as_array().unwrap().iter().any(|a| names_app(&a)))
                .count()
        };
        assert_eq!(by_app("read"), 1, "the read");
        assert_eq!(by_app("110137"), 2, "the leave and the token");
        assert!(!log.to_string().contains("cns-at."), "tokens are nowhere in the audit");
    });
}
