//! Apps of people who act for a patient: EHR launch, standalone launch, the choice of the patient on
//! the way, somebody who acts for two, and the end of it all.

use std::sync::atomic::Ordering;

use crypto::jwk::{Algorithm, KeySet, verify};
use identity::Role;
use serde_json::{Value, json};

use crate::app_client::App;
use crate::client::{Client, text};
use crate::hospitals::Hospital;
use crate::hospitals::run;
use crate::proxies::{
    MINUTE_MS, Someone, acts, born, hospital, invited, may_act_as, recorded, seen, signed_in,
    sorted,
};

const ALL: &str = "openid fhirUser launch launch/patient patient/*.rs offline_access";

/// Opens the app from a record; what the app is started with.
async fn opened(app: &App<'_>, person: &Client, patient: &str) -> String {
    let path = format!("/patients/{patient}/apps/{}", app.id());
    let (_, params) = app.page(person, &path).await.expect(303).sent_to();
    assert_eq!(params["iss"], app.address("/fhir"));
    params["launch"].clone()
}

/// The request of an app that was opened so, as it waits.
async fn launched(app: &App<'_>, launch: &str) -> String {
    let mut request = app.request("openid fhirUser launch patient/*.rs offline_access");
    request.insert("launch", launch.to_owned());
    App::waiting(app.authorize(&request).await)
}

async fn exchanged(app: &App<'_>, code: &str) -> Value {
    app.post("token", &app.exchange(code)).await.expect(200).json()
}

/// Who the user of an ID token is, as a resource.
async fn fhir_user(hospital: &Hospital, tokens: &Value) -> String {
    let keys = hospital.stranger().get("/oauth/keys").await.expect(200);
    let keys = KeySet::parse(&keys.text).unwrap();
    let claims: Value = verify(&text(&tokens["id_token"]), &keys, &[Algorithm::Rs256]).unwrap();
    text(&claims["fhirUser"])
}

/// An app that a mother opens from her daughter's record is about the daughter, as far as she may
/// see it; it sees less on the day the daughter is twelve, and nothing once the officer ends it.
#[test]
fn an_app_opened_by_a_mother_is_about_her_daughter() {
    run(async {
        let (hospitals, ahead) = hospital().await;
        let hospital = &hospitals.all[0];
        let child = Someone::known_at(hospital, "Ada", &born(hospital, 12)).await;
        let app = App::with_keys(hospital, ALL);
        let account = hospital.account(Role::Proxy, None);
        recorded(hospital, &app, &child.id, (&account, "MTH", "parent")).await.expect(303);
        let mother = signed_in(hospital, &account).await;
        // Before she says for whom, she opens nothing.
        let path = format!("/patients/{}/apps/{}", child.id, app.id());
        app.page(&mother, &path).await.expect(403);
        let related = acts(&mother).await;
        let offered = app.page(&mother, "/apps").await.expect(200);
        assert!(offered.text.contains("Growth chart"), "{}", offered.text);

        let waiting = launched(&app, &opened(&app, &mother, &child.id).await).await;
        let page = app.page(&mother, &format!("/oauth/consent?request={waiting}")).await;
        assert!(page.expect(200).text.contains("Ada Okoro"));
        let tokens = exchanged(&app, &app.code_of(&mother, &waiting).await).await;
        assert_eq!(tokens["patient"], child.id);
        let own = format!("{}/fhir/RelatedPerson/{related}", hospital.base);
        assert_eq!(fhir_user(hospital, &tokens).await, own);
        let program = app.holding(&tokens);
        program.get(&format!("/fhir/RelatedPerson/{related}")).await.expect(200);
        assert_eq!(seen(&program, &child.id).await.len(), 4);

        ahead.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
        let ordinary = sorted(&[&child.cough, &child.glucose]);
        assert_eq!(seen(&program, &child.id).await, ordinary);
        program.get(&format!("/fhir/Condition/{}", child.depression)).await.expect(404);
        let renewed = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        let tokens = renewed.expect(200).json();
        assert_eq!(tokens["patient"], child.id);
        let program = app.holding(&tokens);
        assert_eq!(seen(&program, &child.id).await, ordinary);

        // One more launch is under way when it ends.
        let launch = opened(&app, &mother, &child.id).await;
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let end = [("patient", &*child.id)];
        app.form(&officer, &format!("/proxies/{related}/end"), &end).await.expect(303);
        program.get(&format!("/fhir/Patient/{}", child.id)).await.expect(401);
        let again = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        assert_eq!(again.expect(400).error(), "invalid_grant");
        let mut asked = app.proof();
        asked.push(("token", text(&tokens["access_token"])));
        let told = app.post("introspect", &asked).await.expect(200).json();
        assert_eq!(told["active"], false);
        let waiting = launched(&app, &launch).await;
        let path = format!("/oauth/consent?request={waiting}");
        let (to, _) = app.page(&mother, &path).await.expect(303).sent_to();
        assert_eq!(to, "/acting");
        let decision = [("request", &*waiting), ("decision", "allow"), ("scope-0", "yes")];
        let (to, params) =
            app.form(&mother, "/oauth/consent", &decision).await.expect(303).sent_to();
        assert_eq!((to.as_str(), params["next"].as_str()), ("/acting", path.as_str()));
        hospitals.stop().await;
    });
}

/// An app that comes before its user has said for whom they act leads to the choice and back.
#[test]
fn an_app_waits_until_it_is_said_for_whom() {
    run(async {
        let (hospitals, _) = hospital().await;
        let hospital = &hospitals.all[0];
        let ada = Someone::known_at(hospital, "Ada", &born(hospital, 8)).await;
        let zora = Someone::known_at(hospital, "Zora", &born(hospital, 6)).await;
        let app = App::public(hospital, ALL);
        let account = hospital.account(Role::Proxy, None);
        for child in [&ada, &zora] {
            recorded(hospital, &app, &child.id, (&account, "FTH", "parent")).await.expect(303);
        }
        let father = signed_in(hospital, &account).await;
        let scope = "openid fhirUser launch/patient patient/*.rs offline_access";
        let waiting = App::waiting(app.authorize(&app.request(scope)).await);
        let path = format!("/oauth/consent?request={waiting}");
        let (to, params) = app.page(&father, &path).await.expect(303).sent_to();
        assert_eq!((to.as_str(), params["next"].as_str()), ("/acting", path.as_str()));
        let choice = format!("/acting?next={}", web::paths::Encoded(&path));
        let page = app.page(&father, &choice).await.expect(200).text;
        assert!(page.contains("An app is waiting") && page.contains("Zora Okoro"), "{page}");
        let all = may_act_as(&father).await;
        assert_eq!(all.len(), 2);
        let of = |child: &Someone| format!("Patient/{}", child.id);
        let mut related = Vec::new();
        for child in [&ada, &zora] {
            let mut found = None;
            for one in &all {
                let read = hospital.signed_in(Role::Clinician).await;
                let read = read.get(&format!("/fhir/RelatedPerson/{one}")).await.expect(200);
                if read.json()["patient"]["reference"] == of(child).as_str() {
                    found = Some(one.clone());
                }
            }
            related.push(found.expect("one for each child"));
        }
        // Nowhere else does the choice lead.
        for elsewhere in ["https://evil.example", "//evil.example", "/me/permissions", ""] {
            let chosen = [("related", related[1].as_str()), ("next", elsewhere)];
            let (to, _) = app.form(&father, "/acting", &chosen).await.expect(303).sent_to();
            assert_eq!(to, "/me/record", "{elsewhere}");
        }
        let chosen = [("related", related[0].as_str()), ("next", path.as_str())];
        let (to, params) = app.form(&father, "/acting", &chosen).await.expect(303).sent_to();
        assert_eq!((to.as_str(), &params["request"]), ("/oauth/consent", &waiting));

        // He looks at what is asked of Ada, chooses Zora in another window, and allows the former.
        let page = app.page(&father, &path).await.expect(200).text;
        assert!(page.contains("Ada Okoro"), "{page}");
        let chosen = [("related", related[1].as_str())];
        app.form(&father, "/acting", &chosen).await.expect(303);
        let allow = [("request", &*waiting), ("decision", "allow"), ("scope-0", "yes")];
        let as_before = Some(related[0].as_str());
        let refused = app.form_as(&father, as_before, "/oauth/consent", &allow).await.expect(409);
        assert!(refused.text.contains("You act for somebody else now"), "{}", refused.text);
        let tokens = exchanged(&app, &app.code_of(&father, &waiting).await).await;
        assert_eq!(tokens["patient"], zora.id);
        let own = format!("{}/fhir/RelatedPerson/{}", hospital.base, related[1]);
        assert_eq!(fhir_user(hospital, &tokens).await, own);

        // Each app keeps to the child it was allowed for, whomever he acts for since.
        let of_zora = app.holding(&tokens);
        let chosen = [("related", related[0].as_str())];
        app.form(&father, "/acting", &chosen).await.expect(303);
        let of_ada = app.holding(&app.tokens(&father, scope).await);
        for (program, own, other) in [(&of_zora, &zora, &ada), (&of_ada, &ada, &zora)] {
            assert_eq!(seen(program, &own.id).await.len(), 4);
            program.get(&format!("/fhir/Patient/{}", other.id)).await.expect(404);
            let around = format!("/fhir/Condition?_id={}", other.cough);
            assert!(program.get(&around).await.expect(200).matches().is_empty());
        }
        // What was allowed for one child ends with that one.
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let end = [("patient", &*zora.id)];
        app.form(&officer, &format!("/proxies/{}/end", related[1]), &end).await.expect(303);
        of_zora.get("/fhir/Condition").await.expect(401);
        of_ada.get("/fhir/Condition").await.expect(200);
        hospitals.stop().await;
    });
}

/// A son who opens an app from his father's record and then turns to his own affairs allows it
/// nothing, neither of the father nor of himself; and the other way round.
#[test]
fn an_app_opened_for_one_is_not_allowed_as_another() {
    run(async {
        let (hospitals, _) = hospital().await;
        let hospital = &hospitals.all[0];
        let father_s = Someone::known_at(hospital, "Emeka", "1950-03-02").await;
        let son_s = Someone::known_at(hospital, "Chidi", "1980-07-07").await;
        let father = hospital.patient(&father_s.id).await;
        let account = hospital.account(Role::Patient, Some(&son_s.id));
        let son = signed_in(hospital, &account).await;
        let app = App::public(hospital, ALL);
        let code = invited(&app, &father, &[("relationship", "SON")]).await;
        app.form(&son, "/acting/accept", &[("code", &code)]).await.expect(303);
        let related = acts(&son).await;
        let of_father = launched(&app, &opened(&app, &son, &father_s.id).await).await;
        let own_affairs = || async { son.put("/auth/acting", &json!({})).await.expect(200) };
        own_affairs().await;
        let of_son = launched(&app, &opened(&app, &son, &son_s.id).await).await;
        let refused = |waiting: String| {
            let (app, son) = (&app, &son);
            async move {
                let path = format!("/oauth/consent?request={waiting}");
                let (to, _) = app.page(son, &path).await.expect(303).sent_to();
                assert_eq!(to, "/acting");
                let allow = [("request", &*waiting), ("decision", "allow"), ("scope-0", "yes")];
                let (to, _) = app.form(son, "/oauth/consent", &allow).await.expect(303).sent_to();
                assert_eq!(to, "/acting");
            }
        };
        refused(of_father.clone()).await;
        son.put("/auth/acting", &json!({"relatedPerson": related})).await.expect(200);
        refused(of_son.clone()).await;
        // As whom each was opened, it can be allowed.
        let tokens = exchanged(&app, &app.code_of(&son, &of_father).await).await;
        assert_eq!(tokens["patient"], father_s.id);
        own_affairs().await;
        let tokens = exchanged(&app, &app.code_of(&son, &of_son).await).await;
        assert_eq!(tokens["patient"], son_s.id);
        let own = format!("{}/fhir/Patient/{}", hospital.base, son_s.id);
        assert_eq!(fhir_user(hospital, &tokens).await, own);
        hospitals.stop().await;
    });
}
