//! Signing in through an outside OpenID provider: linking, signing in, proving presence, being told
//! of the end; and a provider, or somebody between, who lies. Clauses are of OpenID Connect Core 1.0
//! unless they say otherwise.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use app::session::outside;
use consilium_node::config;
use identity::Role;
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::client::{Account, Client};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run};
use crate::keys::{fails, works};
use crate::openid_provider::{CLIENT, Provider, Signing};

/// At an address where passkeys can be had; only operators must have one.
const CONFIG: &[(&str, &str)] = &[
    ("base_url = \"http://127.0.0.1", "base_url = \"http://localhost"),
    (
        "passkey_roles = [\"operator\", \"privacy-officer\", \"registrar\", \"council-member\"]",
        "passkey_roles = [\"operator\"]",
    ),
];

/// A browser as far as it matters here: cookies, forms, and no redirects of its own.
pub struct Browser<'a> {
    http: reqwest::Client,
    hospital: &'a Hospital,
    cookies: Mutex<BTreeMap<String, String>>,
}

pub struct Page {
    pub status: u16,
    pub to: String,
    pub text: String,
}

impl<'a> Browser<'a> {
    pub fn new(hospital: &'a Hospital) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, hospital, cookies: Mutex::default() }
    }

    pub fn holding(hospital: &'a Hospital, client: &Client) -> Self {
        let browser = Self::new(hospital);
        let token = client.token().to_owned();
        browser.cookies.lock().insert("consilium_session".into(), token);
        browser
    }

    fn cookie(&self, name: &str) -> String {
        self.cookies.lock().get(name).cloned().unwrap_or_default()
    }

    /// The program that has this browser's session.
    pub fn client(&self) -> Client {
        self.hospital.stranger().holding(&self.cookie("consilium_session"))
    }

    /// Who is signed in.
    fn user(&self) -> app::User {
        let token = self.cookie("consilium_session");
        block_in_place(|| app::session::user(&self.hospital.app, &token).unwrap())
    }

    async fn send(&self, method: Method, path: &str, fields: Option<&[(&str, &str)]>) -> Page {
        let mut request = self.http.request(method, format!("{}{path}", self.hospital.base));
        let cookies: Vec<String> =
            self.cookies.lock().iter().map(|(name, value)| format!("{name}={value}")).collect();
        request = request.header(header::COOKIE, cookies.join("; "));
        if let Some(fields) = fields {
            let root = match self.cookie("consilium_session").as_str() {
                "" => self.cookie("consilium_visit"),
                session => session.to_owned(),
            };
            let csrf = identity::csrf(&root);
            let body = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .append_pair("csrf", &csrf)
                .finish();
            let kind = "application/x-www-form-urlencoded";
            request = request.header(header::CONTENT_TYPE, kind).body(body);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = value.split(';').next().unwrap();
            match value {
                "" => self.cookies.lock().remove(name),
                value => self.cookies.lock().insert(name.to_owned(), value.to_owned()),
            };
        }
        let to = answer.headers().get(header::LOCATION);
        Page {
            status: answer.status().as_u16(),
            to: to.map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default(),
            text: answer.text().await.unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, Some(fields)).await
    }

    /// Presses the button of a provider; the address there.
    pub async fn goes(&self, path: &str, next: &str) -> String {
        self.post(path, &[("next", next)]).await.on()
    }

    /// Opens the sign-in page and presses the button of a provider there.
    pub async fn goes_to_sign_in(&self, provider: &str, next: &str) -> String {
        let door = self.get("/sign-in").await;
        assert!(door.text.contains(&format!("/sign-in/outside/{provider}")), "{}", door.text);
        self.goes(&format!("/sign-in/outside/{provider}"), next).await
    }

    /// Comes back from a provider: by the page of the callback, as browsers must.
    pub async fn comes_back(&self, provider: &str, query: &str) -> Page {
        let callback = self.get(&format!("/sign-in/outside/{provider}/callback?{query}")).await;
        let way = callback.on();
        assert!(way.starts_with(&format!("/sign-in/outside/{provider}/return?")), "{way}");
        self.get(&way).await
    }
}

impl Page {
    /// Where the page goes on to by itself.
    #[track_caller]
    pub fn on(&self) -> String {
        assert_eq!(self.status, 200, "{} {}", self.to, self.text);
        let at = self.text.split("content=\"0;url=").nth(1).expect("a way on");
        at.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
    }

    /// The page says why not.
    #[track_caller]
    fn refused(&self, words: &str) {
        assert_eq!(self.status, 400, "{}", self.text);
        assert!(self.text.contains(words), "`{words}` is not in {}", self.text);
    }
}

/// A hospital with the providers `university` and `clinic`.
async fn start(clock: app::services::Clock) -> (Hospitals, Provider, Provider) {
    let (university, clinic) = (Provider::start().await, Provider::start().await);
    let blocks = |provider: &Provider, id: &str, label: &str| {
        format!(
            "[[sign_in]]\nid = \"{id}\"\nlabel = \"{label}\"\nissuer = \"{}\"\n\
             client_id = \"{CLIENT}\"\nsecond_factor_acr = [\"urn:mfa\"]\n\
             second_factor_amr = [\"otp\"]\nsign_out = true\n",
            provider.issuer()
        )
    };
    let text = format!(
        "{}{}",
        blocks(&university, "university", "University of Northfield"),
        blocks(&clinic, "clinic", "Clinic")
    );
    let prepared = move |home: &std::path::Path, _: &str| {
        let file = home.join(config::FILE);
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{before}\n{text}")).unwrap();
    };
    let hospitals = {
        let setup = Setup {
            hospitals: 1,
            patients: 2,
            config: CONFIG,
            clock,
            prepared: Some(&prepared),
            silent: &[],
        };
        Hospitals::start(setup).await
    };
    let keys = format!("{}/oauth/keys", hospitals.all[0].base);
    university.trusts(keys.clone());
    clinic.trusts(keys);
    (hospitals, university, clinic)
}

/// A clinician who has linked the account to `sub` at the university, and the account.
async fn linked(hospital: &Hospital, provider: &Provider, sub: &str) -> (Client, Account) {
    let account = hospital.account(Role::Clinician, None);
    let client = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
    let browser = Browser::holding(hospital, &client);
    let request = browser.goes("/account/providers/university", "").await;
    let back = provider.signs_in(&request, sub, Signing::Sound, |_| ());
    let done = browser.comes_back("university", &back).await;
    assert_eq!(
        (done.status, done.to.as_str()),
        (303, "/account?notice=provider-linked"),
        "{}",
        done.text
    );
    (client, account)
}

/// Signs in through the university.
async fn signed_in<'a>(
    hospital: &'a Hospital,
    provider: &Provider,
    sub: &str,
    change: impl FnOnce(&mut Value),
) -> Browser<'a> {
    let browser = Browser::new(hospital);
    let request = browser.goes_to_sign_in("university", "/patients?q=ana").await;
    let back = provider.signs_in(&request, sub, Signing::Sound, change);
    let done = browser.comes_back("university", &back).await;
    assert_eq!((done.status, done.to.as_str()), (303, "/patients?q=ana"), "{}", done.text);
    browser
}

async fn audited(officer: &Client, words: &str) -> usize {
    let entries = officer.get("/fhir/AuditEvent?_count=1000").await.expect(200);
    entries.text.matches(words).count()
}

#[test]
fn an_account_is_linked_by_its_owner_and_signs_in_from_then_on() {
    run(async {
        let (clock, ahead) = clock();
        let (hospitals, university, _) = start(clock).await;
        let hospital = &hospitals.all[0];
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;

        // Nobody is let in because a name or an address there is the same.
        let browser = Browser::new(hospital);
        let request = browser.goes_to_sign_in("university", "/").await;
        let back = university.signs_in(&request, "ada-7", Signing::Sound, |claims| {
            claims["email"] = json!("clinician1@north.example");
            claims["preferred_username"] = json!("clinician1");
        });
        let page = browser.comes_back("university", &back).await;
        page.refused("no account of this hospital is linked");
        assert!(page.text.contains("ada-7"), "the owner can tell the operator whose it is");
        assert_eq!(audited(&officer, "outside-not-linked").await, 1);

        // An old second factor is not enough for linking.
        let account = hospital.account(Role::Clinician, None);
        let old = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        ahead.fetch_add(301_000, Ordering::SeqCst);
        let stale =
            Browser::holding(hospital, &old).post("/account/providers/university", &[]).await;
        assert_eq!((stale.status, stale.to.as_str()), (303, "/step-up?next=%2Faccount"));
        ahead.store(0, Ordering::SeqCst);

        let (owner, _) = linked(hospital, &university, "ada-7").await;
        assert_eq!(audited(&officer, "linked to an account at").await, 1);
        let page = Browser::holding(hospital, &owner).get("/account").await;
        assert!(page.text.contains("University of Northfield") && page.text.contains("ada-7"));

        // One account there is one account here.
        let other = hospital.signed_in(Role::Clinician).await;
        let taker = Browser::holding(hospital, &other);
        let request = taker.goes("/account/providers/university", "").await;
        let back = university.signs_in(&request, "ada-7", Signing::Sound, |_| ());
        taker.comes_back("university", &back).await.refused("linked to another account");

        carried(hospital, &university).await;
        unlinked(hospital, &university, &owner).await;
    });
}

/// What the provider states is carried by the operator's rule alone.
async fn carried(hospital: &Hospital, university: &Provider) {
    for (amr, acr, expected, class) in [
        (json!(["pwd"]), json!("phr"), json!(["pwd"]), "aal/1"),
        (json!(["pwd", "mfa", "hwk", "pop"]), Value::Null, json!(["pwd"]), "aal/1"),
        (json!(["pwd", "otp"]), Value::Null, json!(["pwd", "otp", "mfa"]), "aal/2"),
        (json!(["hwk", "face"]), json!("urn:mfa"), json!(["mfa", "face"]), "aal/2"),
    ] {
        let browser = signed_in(hospital, university, "ada-7", |claims| {
            (claims["amr"], claims["acr"]) = (amr, acr);
        })
        .await;
        let user = browser.user();
        assert_eq!((json!(user.amr), user.acr().ends_with(class)), (expected, true), "{user:?}");
        assert_eq!(user.mfa_time_ms.is_none(), class == "aal/1", "{user:?}");
        browser.client().get("/fhir/Patient?_count=1").await.expect(200);
    }

    // The moment of signing in is the provider's.
    let browser = signed_in(hospital, university, "ada-7", |claims| {
        claims["auth_time"] = json!(claims["iat"].as_i64().unwrap() - 3_600);
        claims["acr"] = json!("urn:mfa");
    })
    .await;
    let (user, now) = (browser.user(), hospital.app.now_ms());
    let hour = 3_600_000 - 60_000..3_600_000 + 60_000;
    assert!(hour.contains(&(now - user.auth_time_ms)), "{user:?}");
    assert_eq!(user.mfa_time_ms, Some(user.auth_time_ms));
    let answer = browser.post("/sign-out", &[]).await;
    assert!(answer.on().starts_with(&format!("{}/end?client_id={CLIENT}", university.issuer())));
    browser.client().get("/fhir/Patient?_count=1").await.expect(401);
}

/// Without the link, its sessions are over, and others go on.
async fn unlinked(hospital: &Hospital, university: &Provider, owner: &Client) {
    let browser = signed_in(hospital, university, "ada-7", |_| ()).await;
    let page = Browser::holding(hospital, owner).get("/account").await;
    let link = page.text.split("/account/links/").nth(1).unwrap().split('/').next().unwrap();
    let path = format!("/account/links/{link}/remove");
    let removed = Browser::holding(hospital, owner).post(&path, &[]).await;
    assert_eq!(removed.to, "/account?notice=provider-unlinked");
    browser.client().get("/fhir/Patient?_count=1").await.expect(401);
    owner.get("/fhir/Patient?_count=1").await.expect(200);
    let browser = Browser::new(hospital);
    let request = browser.goes_to_sign_in("university", "/").await;
    let back = university.signs_in(&request, "ada-7", Signing::Sound, |_| ());
    browser.comes_back("university", &back).await.refused("no account of this hospital");
}

#[test]
fn the_operator_links_too_and_administrators_still_need_a_passkey() {
    run(async {
        let (hospitals, university, _) = start(consilium_node::wiring::system_clock()).await;
        let hospital = &hospitals.all[0];
        let (app, account) = (&hospital.app, hospital.account(Role::Clinician, None));
        block_in_place(|| {
            let link = outside::link_by_operator(app, &account.username, "university", "bea-1");
            link.unwrap();
            let twice = outside::link_by_operator(app, &account.username, "university", "bea-1");
            assert_eq!(twice.unwrap_err().rule.as_deref(), Some("outside-taken"));
            for (name, provider) in [("nobody", "university"), (&account.username, "nowhere")] {
                assert!(outside::link_by_operator(app, name, provider, "x").is_err());
            }
        });
        let browser = signed_in(hospital, &university, "bea-1", |_| ()).await;
        browser.client().get("/fhir/Patient?_count=1").await.expect(200);
        let gone = block_in_place(|| {
            outside::unlink_by_operator(app, &account.username, "university").unwrap()
        });
        assert_eq!(gone, 1);
        browser.client().get("/fhir/Patient?_count=1").await.expect(401);

        // Whatever the provider states, a role that needs a passkey of this node gets nowhere.
        let operator = hospital.account(Role::Operator, None);
        block_in_place(|| {
            outside::link_by_operator(app, &operator.username, "university", "op-1").unwrap();
        });
        let browser = Browser::new(hospital);
        let request = browser.goes_to_sign_in("university", "/operator").await;
        let back = university.signs_in(&request, "op-1", Signing::Sound, |claims| {
            (claims["acr"], claims["amr"]) = (json!("urn:mfa"), json!(["hwk", "mfa", "otp"]));
        });
        assert_eq!(browser.comes_back("university", &back).await.status, 303);
        let held = browser.client().get("/operate/figures").await.expect(403);
        assert!(held.text.contains("passkey"), "{}", held.text);
        assert_eq!(browser.get("/operator").await.to, "/account");
        browser.post("/step-up/outside/university", &[]).await.refused("needs a passkey");
    });
}

/// The operator links and unlinks at the node's folder, while the node does not run.
#[test]
fn the_operator_links_and_unlinks_by_command() {
    run(async {
        let (hospitals, university, _) = start(consilium_node::wiring::system_clock()).await;
        let hospital = &hospitals.all[0];
        let (account, other) =
            (hospital.account(Role::Clinician, None), hospital.account(Role::Clinician, None));
        let home = hospitals.home(hospital);
        let home = home.to_str().unwrap().to_owned();
        let folder = hospitals.stop().await;
        let link = |name: &str, provider: &str, subject: &str| {
            let arguments = ["account", "link", "--dir", &home, "--username", name];
            [&arguments[..], &["--provider", provider, "--subject", subject]].concat().join("\n")
        };
        let unlink = |name: &str, provider: &str| {
            let arguments = ["account", "unlink", "--dir", &home, "--username", name];
            [&arguments[..], &["--provider", provider]].concat().join("\n")
        };
        let works = |line: String| works(&line.split('\n').collect::<Vec<_>>());
        let fails = |line: String| fails(&line.split('\n').collect::<Vec<_>>());
        let (name, other) = (account.username.as_str(), other.username.as_str());
        let said = works(link(name, "university", "ada-7"));
        assert!(said.contains("through `university` as `ada-7`"), "{said}");
        // One account there is one account here; who and what must be known.
        assert!(fails(link(other, "university", "ada-7")).contains("linked to another account"));
        fails(link("nobody", "university", "ada-8"));
        fails(link(name, "nowhere", "ada-8"));
        let said = works(unlink(name, "university"));
        assert!(said.contains("1 links"), "{said}");
        assert!(works(unlink(name, university.issuer())).contains("0 links"));
        fails(unlink("nobody", "university"));
        works(link(other, "university", "ada-7"));
        // What was done is in the audit, and holds when the node comes back.
        let node = block_in_place(|| {
            let home = std::path::Path::new(&home);
            consilium_node::wiring::open(home, consilium_node::wiring::system_clock())
        });
        let node = node.expect("the node opens");
        let accounts = node.app.identity().accounts();
        let links = |name: &str| {
            let id = accounts.find(name).unwrap().unwrap().id;
            accounts.links(&id).unwrap().into_iter().map(|link| link.subject).collect::<Vec<_>>()
        };
        assert_eq!((links(name), links(other)), (vec![], vec!["ada-7".to_owned()]));
        let every = store::query::Query::every("AuditEvent");
        let snapshot = node.app.store().snapshot().unwrap();
        let entries = snapshot.find(&every, 1_000, true).unwrap();
        let texts: Vec<String> =
            snapshot.load(&entries).unwrap().into_iter().map(|entry| entry.text).collect();
        let told = |words: &str| texts.iter().filter(|text| text.contains(words)).count();
        assert_eq!(told(&format!("linked to {} by the operator", university.issuer())), 2);
        assert_eq!(told("removed by the operator"), 1);
        drop(folder);
    });
}

/// What a provider, or somebody between, may try; what the page says, and what the audit.
#[test]
fn a_lie_signs_nobody_in() {
    run(async {
        let (hospitals, university, clinic) = start(consilium_node::wiring::system_clock()).await;
        let hospital = &hospitals.all[0];
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        linked(hospital, &university, "ada-7").await;
        let now_s = hospital.app.now_ms() / 1000;
        type Lie = (&'static str, Signing, fn(&mut Value, i64), &'static str);
        let lies: [Lie; 15] = [
            (
                "3.1.3.7.2 iss",
                Signing::Sound,
                |c, _| c["iss"] = json!("https://evil.example"),
                "issuer",
            ),
            ("3.1.3.7.3 aud", Signing::Sound, |c, _| c["aud"] = json!("another"), "audience"),
            (
                "3.1.3.7.4 azp missing",
                Signing::Sound,
                |c, _| c["aud"] = json!([CLIENT, "another"]),
                "audience",
            ),
            ("3.1.3.7.5 azp", Signing::Sound, |c, _| c["azp"] = json!("another"), "audience"),
            ("3.1.3.7.6 another key", Signing::Forged, |_, _| (), "signature"),
            ("3.1.3.7.6 unknown key", Signing::Stranger, |_, _| (), "signature"),
            ("3.1.3.7.7 alg none", Signing::None, |_, _| (), "signature"),
            ("3.1.3.7.8 HS256 with the public key", Signing::Hs256, |_, _| (), "signature"),
            ("3.1.3.7.9 exp", Signing::Sound, |c, now| c["exp"] = json!(now - 61), "time"),
            ("3.1.3.7.10 iat", Signing::Sound, |c, now| c["iat"] = json!(now - 3_600), "time"),
            ("3.1.3.7.11 nonce", Signing::Sound, |c, _| c["nonce"] = json!("another"), "nonce"),
            ("3.1.3.7.11 no nonce", Signing::Sound, |c, _| c["nonce"] = Value::Null, "nonce"),
            (
                "3.1.3.7.13 auth_time",
                Signing::Sound,
                |c, _| c["auth_time"] = Value::Null,
                "auth-time",
            ),
            (
                "3.1.3.7.13 too old",
                Signing::Sound,
                |c, now| c["auth_time"] = json!(now - 8 * 3_600 - 120),
                "auth-time",
            ),
            (
                "3.1.3.6 at_hash",
                Signing::Sound,
                |c, _| c["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"),
                "access-token",
            ),
        ];
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for (clause, signing, lie, rule) in lies {
            let browser = Browser::new(hospital);
            let request = browser.goes_to_sign_in("university", "/").await;
            let back = university.signs_in(&request, "ada-7", signing, |c| lie(c, now_s));
            let page = browser.comes_back("university", &back).await;
            assert_eq!(page.status, 400, "{clause}: {}", page.text);
            assert_eq!(browser.cookie("consilium_session"), "", "{clause}");
            *expected.entry(rule).or_default() += 1;
            // Neither the code nor the state can be tried again.
            let again = browser.comes_back("university", &back).await;
            again.refused("belongs to no request");
        }
        for (rule, times) in expected {
            let rule = format!("outside-token-{rule}\"");
            assert!(audited(&officer, &rule).await >= times, "{rule}");
        }
        assert!(audited(&officer, "outside-expired").await >= 15);
        between(hospital, &university, &clinic, &officer).await;
    });
}

/// What somebody between the parties may try.
async fn between(hospital: &Hospital, university: &Provider, clinic: &Provider, officer: &Client) {
    let sound = |request: &str| university.signs_in(request, "ada-7", Signing::Sound, |_| ());

    // Another browser comes with the answer: the code was injected, or the victim is to be signed in
    // as somebody else (RFC 6749, section 10.12).
    let (victim, other) = (Browser::new(hospital), Browser::new(hospital));
    other.get("/sign-in").await;
    let back = sound(&victim.goes_to_sign_in("university", "/").await);
    other.comes_back("university", &back).await.refused("belongs to no request");

    // The code of another request fits neither verifier nor nonce.
    let (mine, theirs) = (Browser::new(hospital), Browser::new(hospital));
    let stolen = sound(&theirs.goes_to_sign_in("university", "/").await);
    let own = sound(&mine.goes_to_sign_in("university", "/").await);
    let part = |query: &str, name: &str| {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        pairs.into_iter().find(|(found, _)| found == name).unwrap().1
    };
    let mixed = own.replace(&part(&own, "code"), &part(&stolen, "code"));
    mine.comes_back("university", &mixed).await.refused("could not be trusted");
    assert_eq!(audited(officer, "outside-code").await, 1);

    // A mix-up: the answer of one provider for a request to the other (RFC 9207; RFC 9700, 4.4).
    let browser = Browser::new(hospital);
    let back = sound(&browser.goes_to_sign_in("university", "/").await);
    browser.comes_back("clinic", &back).await.refused("another organization than was asked");
    for change in [
        |back: &str, iss: &str, evil: &str| {
            back.replace(&format!("iss={iss}"), &format!("iss={evil}"))
        },
        |back: &str, iss: &str, _: &str| back.replace(&format!("&iss={iss}"), ""),
    ] {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let back = sound(&browser.goes_to_sign_in("university", "/").await);
        let changed = change(&back, &encode(university.issuer()), &encode(clinic.issuer()));
        assert_ne!(changed, back);
        let page = browser.comes_back("university", &changed).await;
        page.refused("another organization than was asked");
    }
    assert_eq!(audited(officer, "outside-mix-up").await, 3);

    // The provider refuses; what it says is not repeated on the page.
    let request = browser.goes_to_sign_in("university", "/").await;
    let iss = part(&sound(&request), "iss");
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("state", &part(request.split_once('?').unwrap().1, "state"))
        .append_pair("error", "access_denied")
        .append_pair("error_description", "<script>alert(1)</script>")
        .append_pair("iss", &iss)
        .finish();
    let page = browser.comes_back("university", &query).await;
    page.refused("not signed in there");
    assert!(!page.text.contains("<script>alert"));
    assert_eq!(audited(officer, "outside-denied").await, 1);

    // A form of another site begins nothing.
    let foreign = Browser::new(hospital);
    let made = foreign.send(Method::POST, "/sign-in/outside/university", Some(&[])).await;
    assert_eq!(made.to, "/sign-in?notice=session-ended");
    let nowhere = Browser::new(hospital);
    nowhere.get("/sign-in").await;
    assert_eq!(nowhere.post("/sign-in/outside/nowhere", &[]).await.status, 404);
}

#[test]
fn keys_are_kept_asked_for_again_when_they_change_and_a_silent_provider_costs_nothing_else() {
    run(async {
        let (clock, ahead) = clock();
        let (hospitals, university, clinic) = start(clock).await;
        let hospital = &hospitals.all[0];
        linked(hospital, &university, "ada-7").await;
        signed_in(hospital, &university, "ada-7", |_| ()).await;
        assert_eq!((university.times("description"), university.times("keys")), (1, 1));
        // A new key is taken at once, but not asked for more often than every ten seconds.
        university.rotate();
        ahead.fetch_add(11_000, Ordering::SeqCst);
        signed_in(hospital, &university, "ada-7", |_| ()).await;
        assert_eq!(university.times("keys"), 2);
        let browser = Browser::new(hospital);
        for _ in 0..3 {
            let request = browser.goes_to_sign_in("university", "/").await;
            let back = university.signs_in(&request, "ada-7", Signing::Stranger, |_| ());
            browser.comes_back("university", &back).await.refused("could not be trusted");
        }
        assert_eq!(university.times("keys"), 2);
        // A provider that does not answer is said to be away, and what is known of it goes on.
        clinic.set_up(false);
        let page = browser.post("/sign-in/outside/clinic", &[]).await;
        page.refused("cannot be reached");
        university.set_up(false);
        ahead.fetch_add(3_600_000, Ordering::SeqCst);
        assert!(browser.goes_to_sign_in("university", "/").await.contains("/authorize?"));
        // After ten minutes, an answer is too late.
        let request = browser.goes_to_sign_in("university", "/").await;
        let back = university.signs_in(&request, "ada-7", Signing::Sound, |_| ());
        ahead.fetch_add(600_001, Ordering::SeqCst);
        browser.comes_back("university", &back).await.refused("belongs to no request");
    });
}

#[test]
fn presence_is_proved_there_where_the_operator_says_so() {
    run(async {
        let (clock, ahead) = clock();
        let (hospitals, university, _) = start(clock).await;
        let hospital = &hospitals.all[0];
        linked(hospital, &university, "ada-7").await;
        linked(hospital, &university, "bea-1").await;
        let browser = signed_in(hospital, &university, "ada-7", |_| ()).await;
        let page = browser.get("/step-up?next=/patients").await;
        assert!(page.text.contains("Confirm with University of Northfield"), "{}", page.text);
        let goes = || browser.goes("/step-up/outside/university", "/patients");
        let strong = |claims: &mut Value| claims["acr"] = json!("urn:mfa");

        let request = goes().await;
        assert!(request.contains("max_age=0&prompt=login&acr_values=urn%3Amfa"), "{request}");
        let back = university.signs_in(&request, "ada-7", Signing::Sound, |_| ());
        browser.comes_back("university", &back).await.refused("second factor");
        let back = university.signs_in(&goes().await, "bea-1", Signing::Sound, strong);
        browser.comes_back("university", &back).await.refused("Somebody else");
        // Who signed in there before the question has not proved to be present now.
        let back = university.signs_in(&goes().await, "ada-7", Signing::Sound, |claims| {
            strong(claims);
            claims["auth_time"] = json!(claims["iat"].as_i64().unwrap() - 120);
        });
        browser.comes_back("university", &back).await.refused("too long ago");
        assert_eq!(browser.user().mfa_time_ms, None);

        let back = university.signs_in(&goes().await, "ada-7", Signing::Sound, strong);
        let done = browser.comes_back("university", &back).await;
        assert_eq!((done.status, done.to.as_str()), (303, "/patients"), "{}", done.text);
        assert!(browser.user().mfa_time_ms.is_some());

        // It is as fresh as any second factor, and no fresher.
        ahead.fetch_add(301_000, Ordering::SeqCst);
        let page = browser.post("/account/one-time-codes", &[]).await;
        assert_eq!(page.to, "/step-up?next=%2Faccount");
    });
}

/// OpenID Connect Back-Channel Logout 1.0, sections 2.4 to 2.8.
#[test]
fn a_session_that_ends_there_ends_here() {
    run(async {
        let (hospitals, university, _) = start(consilium_node::wiring::system_clock()).await;
        let hospital = &hospitals.all[0];
        let (owner, _) = linked(hospital, &university, "ada-7").await;
        let session = |sid: &'static str| {
            signed_in(hospital, &university, "ada-7", move |claims| claims["sid"] = json!(sid))
        };
        let (one, two) = (session("s-1").await, session("s-2").await);
        let now_s = hospital.app.now_ms() / 1000;
        let event = "http://schemas.openid.net/event/backchannel-logout";
        let claims = |jti: &str| {
            json!({
                "iss": university.issuer(), "aud": CLIENT, "iat": now_s, "exp": now_s + 120,
                "jti": jti, "sub": "ada-7", "events": {event: {}},
            })
        };
        let told = async |claims: Value| {
            let body = format!("logout_token={}", university.logout_token(&claims));
            let kind = [("content-type", "application/x-www-form-urlencoded")];
            let path = "/sign-in/outside/university/ended";
            hospital.stranger().send(Method::POST, path, Some(body), &kind).await
        };
        let alive = async |browser: &Browser<'_>| {
            browser.client().get("/fhir/Patient?_count=1").await.status == 200
        };
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("aud", json!("another")),
            ("iat", json!(now_s - 3_600)),
            ("nonce", json!("n")),
            ("events", json!({})),
        ] {
            let mut lie = claims("lie");
            lie[name] = value;
            assert_eq!(told(lie).await.status, 400, "{name}");
        }
        assert!(alive(&one).await && alive(&two).await);
        let mut first = claims("one");
        first["sid"] = json!("s-1");
        told(first.clone()).await.expect(200);
        assert!(!alive(&one).await && alive(&two).await);
        told(first).await.expect(400);
        told(claims("all")).await.expect(200);
        assert!(!alive(&two).await);
        owner.get("/fhir/Patient?_count=1").await.expect(200);
    });
}

#[test]
fn one_time_codes_are_set_up_again_and_the_old_ones_hold_until_then() {
    run(async {
        let (clock, ahead) = clock();
        let (hospitals, _, _) = start(clock).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Clinician, None);
        let client = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let browser = Browser::holding(hospital, &client);
        let page = browser.post("/account/one-time-codes", &[]).await;
        assert_eq!(page.status, 200);
        let ceremony = |page: &Page| {
            let at = page.text.split("name=\"ceremony\" value=\"").nth(1).unwrap();
            at.split('"').next().unwrap().to_owned()
        };
        let shown = page.text.split("<p class=\"code\">").nth(1).unwrap();
        let secret = shown.split('<').next().unwrap().replace(' ', "");
        let code = |secret: &str| identity::code_at(secret, hospital.app.now_ms()).unwrap();

        // A code of the old secret confirms nothing, and the same secret waits on.
        ahead.fetch_add(60_000, Ordering::SeqCst);
        let first = ceremony(&page);
        let confirm = async |ceremony: &str, code: &str| {
            let fields = [("ceremony", ceremony), ("code", code)];
            browser.post("/account/one-time-codes/confirm", &fields).await
        };
        let wrong = confirm(&first, &code(&account.secret)).await;
        assert!(wrong.status == 200 && wrong.text.contains("aria-invalid"), "{}", wrong.text);
        let again = ceremony(&wrong);
        assert_ne!(again, first);
        let used = confirm(&first, &code(&secret)).await;
        assert!(used.text.contains("role=\"alert\""), "a set-up is answered once");

        // Until it is confirmed, the old one signs in.
        let now = hospital.app.now_ms();
        Client::sign_in(&hospital.base, &account, Some(now)).await;
        ahead.fetch_add(60_000, Ordering::SeqCst);
        let given = code(&secret);
        let done = confirm(&again, &given).await;
        assert_eq!((done.status, done.to.as_str()), (303, "/account?notice=one-time-codes-set"));

        let try_code = async |code: String| {
            let body = json!({
                "username": account.username, "password": account.password, "totp": code,
            });
            hospital.stranger().post("/auth/session", &body).await.status
        };
        assert_eq!(try_code(given).await, 401, "the code was used up by confirming");
        ahead.fetch_add(60_000, Ordering::SeqCst);
        assert_eq!(try_code(code(&account.secret)).await, 401, "the old phone is out");
        assert_eq!(try_code(code(&secret)).await, 200);
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        assert_eq!(audited(&officer, "one-time codes set up").await, 1);
    });
}
