//! A patient names one person, by the pages: whom they find, what it changes, what then holds.

use identity::Role;
use serde_json::json;

use crate::accountability::Browser;
use crate::hospitals::{Hospital, run, shared};
use crate::record::{CONSENT_WITHIN, ask, ask_until, newcomer};

/// The key of the person with this name on a page of people, as its form sends it back.
fn key(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<strong>{name}"))?;
    let (_, rest) = rest.split_once("name=\"person\" value=\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[test]
fn a_decision_about_one_person_of_another_hospital_is_about_nobody_else() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let ids = newcomer(&all[..2], "Brennecke", "987-64-2207").await;
        let named = all[1].account(Role::Clinician, None);
        let there =
            crate::client::Client::sign_in(&all[1].base, &named, Some(all[1].app.now_ms())).await;
        let colleague = all[1].signed_in(Role::Clinician).await;
        assert_eq!(ask(&there, &ids[1]).await.state(all[0]), "answered");

        // Whoever has asked for the record can be found, with their hospital; others there cannot.
        let browser = Browser::patient(all[0], &ids[0]).await;
        let number = named.username.trim_start_matches("clinician");
        let name = format!("clinician No. {number}, {}", all[1].name);
        let page = browser.page("/me/permissions?name=clinician").await;
        let person = key(&page, &name).expect("who asked is found");
        let nobody = browser.page("/me/permissions?name=zz").await;
        assert!(key(&nobody, &name).is_none());

        // What it changes is shown before it holds.
        let fields = [("person", person.as_str()), ("decision", "withdraw")];
        let (status, preview) = browser.sent("/me/permissions", "/me/permissions", &fields).await;
        assert_eq!(status, 200);
        assert!(preview.contains("class=\"loses\""), "{preview}");
        assert_eq!(ask(&there, &ids[1]).await.state(all[0]), "answered");
        let confirmed = [fields[0], fields[1], ("confirm", "yes")];
        assert_eq!(browser.send("/me/permissions", "/me/permissions", &confirmed).await, 303);
        ask_until(&there, &ids[1], CONSENT_WITHIN, |seen| seen.state(all[0]) == "withheld").await;
        assert_eq!(ask(&colleague, &ids[1]).await.state(all[0]), "answered");
        let page = browser.page("/me/permissions").await;
        assert!(key(&page, &name).is_some(), "the decision is on the page");

        let again = [fields[0], ("decision", "permit"), ("confirm", "yes")];
        assert_eq!(browser.send("/me/permissions", "/me/permissions", &again).await, 303);
        ask_until(&there, &ids[1], CONSENT_WITHIN, |seen| seen.state(all[0]) == "answered").await;

        // Somebody who was not found cannot be named by making up a key.
        let made_up = format!("urn:consilium:org:{}|somebody", all[1].org);
        let wrong = [("person", made_up.as_str()), ("decision", "withdraw"), ("confirm", "yes")];
        assert_eq!(browser.send("/me/permissions", "/me/permissions", &wrong).await, 400);
    });
}

#[test]
fn people_of_the_own_hospital_and_of_the_family_can_be_named_too() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let ids = newcomer(&all[..1], "Ostermann", "987-65-3308").await;
        let named = all[0].account(Role::Clinician, None);
        let here =
            crate::client::Client::sign_in(&all[0].base, &named, Some(all[0].app.now_ms())).await;
        let colleague = all[0].signed_in(Role::Clinician).await;
        let aunt = json!({
            "resourceType": "RelatedPerson", "name": [{"family": "Ostermann", "given": ["Gerda"]}],
            "patient": {"reference": format!("Patient/{}", ids[0])},
        });
        colleague.create(&aunt).await;
        let browser = Browser::patient(all[0], &ids[0]).await;
        let page = browser.page("/me/permissions?name=gerda").await;
        let person = key(&page, "Gerda Ostermann").expect("the aunt is found");
        assert!(person.starts_with("RelatedPerson/"), "{person}");

        let number = named.username.trim_start_matches("clinician");
        let found = browser.page(&format!("/me/permissions?name=clinician+No.+{number}")).await;
        let person = key(&found, &format!("clinician No. {number},")).expect("staff is found");
        let search = format!("Observation?subject=Patient/{}", ids[0]);
        assert_eq!(here.found(&search).await.len(), 1);
        let fields = [("person", person.as_str()), ("decision", "withdraw"), ("confirm", "yes")];
        assert_eq!(browser.send("/me/permissions", "/me/permissions", &fields).await, 303);
        assert_eq!(here.found(&search).await.len(), 0);
        assert_eq!(colleague.found(&search).await.len(), 1);
    });
}
