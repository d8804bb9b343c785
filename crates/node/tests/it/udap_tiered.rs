//! Tiered OAuth for User Authentication (HL7 UDAP Security STU2): the node as the holder of records
//! sends the user of a program to the identity provider that the program names.

use std::sync::Arc;

use app::session::outside::link_by_operator;
use consilium_node::config;

use super::*;
use crate::client::Account;
use crate::openid_provider::{Membership, Provider, Signing};
use crate::outside::Browser;

/// A node, the identity provider that it takes users from, and one that a stranger vouches for.
struct Tiers {
    hospitals: Hospitals,
    authority: Arc<Authority>,
    home: Provider,
    strange: Provider,
}

/// A provider with a certificate of an authority; it trusts the other one.
async fn provider(certifying: Arc<Authority>, trusting: &Authority) -> Provider {
    let sign =
        move |issuer: &str, claims: Value| certifying.program(issuer, 70, 2090).sign(&claims);
    let anchors = Anchors::read(&trusting.pem, "").unwrap();
    let registered = parking_lot::Mutex::default();
    Provider::start_in(Some(Membership { anchors, sign: Box::new(sign), registered })).await
}

async fn tiers() -> Tiers {
    let authority = Arc::new(Authority::new("Example community"));
    let strange = provider(Arc::new(Authority::new("Stranger")), &authority).await;
    let home = provider(Arc::clone(&authority), &authority).await;
    let block = |id: &str, provider: &Provider| {
        format!(
            "\n[[sign_in]]\nid = \"{id}\"\nlabel = \"{id}\"\nissuer = \"{}\"\n\
             authentication = \"udap\"\ncontact = \"mailto:it@north.example\"\n\
             logo = \"https://north.example/logo.png\"\n",
            provider.issuer()
        )
    };
    let blocks = block("home", &home) + &block("strange", &strange);
    let prepared = |folder: &std::path::Path, base: &str| {
        own_files(&authority, folder, base);
        let file = folder.join(config::FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, text + &blocks).unwrap();
    };
    let setup = Setup {
        hospitals: 1,
        patients: 2,
        config: &[
            ("udap_anchors = \"\"", "udap_anchors = \"anchors.pem\""),
            ("udap_community = \"\"", "udap_community = \"urn:example:community\""),
            ("udap_certificates = \"\"", "udap_certificates = \"own.pem\""),
            ("udap_key = \"\"", "udap_key = \"own.key\""),
        ],
        prepared: Some(&prepared),
        ..Setup::default()
    };
    let hospitals = Hospitals::start(setup).await;
    Tiers { hospitals, authority, home, strange }
}

/// A program of the community that asks people, and its requests.
struct Asking<'a> {
    driver: App<'a>,
    client: String,
}

impl<'a> Asking<'a> {
    async fn new(authority: &Authority, hospital: &'a Hospital) -> Self {
        let program = authority.program("https://app.example/tiered", 51, 2090);
        let statement = json!({
            "grant_types": ["authorization_code"], "response_types": ["code"],
            "redirect_uris": [crate::app_client::REDIRECT], "logo_uri": "https://app.example/l.png",
            "scope": "openid launch/patient patient/*.rs user/*.rs",
        });
        let made = program.register(hospital, statement).await.expect(201).json();
        let driver =
            App::register(hospital, new("openid", app::apps::register::Proof::Public), None);
        Self { driver, client: text(&made["client_id"]) }
    }

    /// Asks for a user of `idp`; where the browser is to go at the node.
    async fn asks(&self, scope: &str, idp: &str) -> crate::app_client::Reply {
        let mut request = self.driver.request(scope);
        request.insert("client_id", self.client.clone());
        request.insert("idp", idp.to_owned());
        self.driver.authorize(&request).await
    }

    /// The page of a request for a user of `idp`.
    async fn page(&self, idp: &Provider) -> (String, String) {
        let waiting = App::waiting(self.asks("user/*.rs udap", idp.issuer()).await);
        let page = format!("/oauth/consent?request={waiting}");
        (waiting, page)
    }
}

/// What the app is told at its own address.
fn told(to: &str) -> String {
    let (at, query) = to.split_once('?').expect("an answer");
    assert_eq!(at, crate::app_client::REDIRECT);
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    let pairs: std::collections::BTreeMap<String, String> = pairs.collect();
    assert!(pairs.contains_key("state") && pairs.contains_key("iss"), "{to}");
    pairs["error"].clone()
}

fn linked(hospital: &Hospital, subject: &str) -> Account {
    let account = hospital.account(Role::Clinician, None);
    block_in_place(|| link_by_operator(&hospital.app, &account.username, "home", subject)).unwrap();
    account
}

/// Tiered OAuth: the scope `udap` with `idp`; discovery, registration and proof at the provider; the
/// ID token names a user whom the operator has linked.
#[test]
fn a_user_signs_in_at_the_provider_that_the_program_names() {
    run(async {
        let Tiers { hospitals, authority, home, .. } = tiers().await;
        let hospital = &hospitals.all[0];
        let offered = hospital.stranger().get("/fhir/.well-known/udap").await.expect(200).json();
        assert!(offered["udap_profiles_supported"].as_array().unwrap().contains(&json!("udap_to")));
        assert!(offered["scopes_supported"].as_array().unwrap().contains(&json!("udap")));
        linked(hospital, "ada-7");
        let asking = Asking::new(&authority, hospital).await;
        let (waiting, page) = asking.page(&home).await;
        let browser = Browser::new(hospital);
        let request = browser.get(&page).await.on();
        let scope = request.split("scope=").nth(1).unwrap().split('&').next().unwrap();
        assert_eq!(scope, "openid+udap");
        let back = home.signs_in(&request, "ada-7", Signing::Sound, |_| ());
        let done = browser.comes_back("home", &back).await;
        assert_eq!((done.status, done.to.as_str()), (303, page.as_str()), "{}", done.text);
        // It goes on as for everybody who is signed in: the person is asked, and may say no.
        let code = asking.driver.code_of(&browser.client(), &waiting).await;
        assert!(!code.is_empty());
        // The node said of itself what it must, once; values beside the signed ones do not count.
        let statements = home.statements();
        let [statement] = statements.as_slice() else { panic!("{statements:?}") };
        assert_eq!(statement["scope"], "openid udap");
        assert_eq!(statement["grant_types"], json!(["authorization_code"]));
        assert_eq!(statement["contacts"], json!(["mailto:it@north.example"]));
        let callback = format!("{}/sign-in/outside/home/callback", hospital.base);
        assert_eq!(statement["redirect_uris"], json!([callback]));
        // Whoever is signed in otherwise is sent there all the same, and whoever came from there is not.
        let (_, page) = asking.page(&home).await;
        assert!(browser.get(&page).await.text.contains("<form"));
        let otherwise = hospital.signed_in(Role::Clinician).await;
        let otherwise = Browser::holding(hospital, &otherwise);
        assert!(otherwise.get(&page).await.on().starts_with(home.issuer()));
        assert_eq!((home.times("udap"), home.times("register")), (1, 1));
        // Without the scope `udap` the parameter means nothing.
        let waiting = App::waiting(asking.asks("user/*.rs", home.issuer()).await);
        let plain = Browser::new(hospital).get(&format!("/oauth/consent?request={waiting}")).await;
        assert!(plain.to.starts_with("/sign-in?"), "{}", plain.to);
    });
}

/// Tiered OAuth, errors: an untrusted provider is `invalid_idp`, a user who is not known here or was
/// not let in there `access_denied`, an answer that does not hold `server_error`.
#[test]
fn the_program_is_told_why_a_user_does_not_come() {
    run(async {
        let Tiers { hospitals, authority, home, strange } = tiers().await;
        let hospital = &hospitals.all[0];
        linked(hospital, "ada-7");
        let asking = Asking::new(&authority, hospital).await;
        // Not one that the operator has named, nor one that the community does not vouch for.
        let (at, query) =
            asking.asks("user/*.rs udap", "https://idp.example").await.expect(303).sent_to();
        assert_eq!((at.as_str(), &*query["error"]), (crate::app_client::REDIRECT, "invalid_idp"));
        let (_, page) = asking.page(&strange).await;
        let sent = Browser::new(hospital).get(&page).await;
        assert_eq!((sent.status, told(&sent.to).as_str()), (303, "invalid_idp"));
        assert_eq!(strange.times("register"), 0);
        type Lie = fn(&mut Value);
        let cases: [(&str, Lie, &str); 3] = [
            ("nobody-here", |_| (), "access_denied"),
            ("ada-7", |claims| claims["nonce"] = json!("another"), "server_error"),
            ("ada-7", |claims| claims["iss"] = json!("https://evil.example"), "server_error"),
        ];
        for (subject, lie, expected) in cases {
            let (_, page) = asking.page(&home).await;
            let browser = Browser::new(hospital);
            let request = browser.get(&page).await.on();
            let back = home.signs_in(&request, subject, Signing::Sound, lie);
            let sent = browser.comes_back("home", &back).await;
            assert_eq!((sent.status, told(&sent.to).as_str()), (303, expected), "{}", sent.text);
            // The request is over.
            assert_eq!(browser.get(&page).await.status, 303);
            assert!(browser.get(&page).await.to.starts_with("/sign-in?"));
        }
        let (_, page) = asking.page(&home).await;
        let browser = Browser::new(hospital);
        let request = browser.get(&page).await.on();
        let state = request.split("state=").nth(1).unwrap().split('&').next().unwrap();
        let denied = format!("error=access_denied&state={state}&iss={}", home.issuer());
        let sent = browser.comes_back("home", &denied).await;
        assert_eq!((sent.status, told(&sent.to).as_str()), (303, "access_denied"));
        // A state that the node never gave out ends at a page; no request can be told by it.
        let sent = browser.comes_back("home", "code=x&state=never").await;
        assert_eq!(sent.status, 400);
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=200").await.expect(200).text;
        assert!(log.contains("outside-untrusted") && log.contains("outside-not-linked"));
    });
}
