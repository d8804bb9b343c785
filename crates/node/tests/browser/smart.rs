//! SMART App Launch with a client that others wrote: `fhirclient` from npm runs in Chromium on
//! pages of an app's own and completes standalone launch and EHR launch against a node, as a public
//! and as a confidential client with keys.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::browser::{Browser, Driver};
use crate::demo::{Account, Demo};

/// The version that is fetched.
pub const PINNED: &str = "fhirclient@2.6.3";
const PATIENCE: Duration = Duration::from_secs(30);

/// The script of the client; `None` where npm cannot fetch it. The package brings a
/// script for browsers that needs nothing else, so its dependencies stay where they are.
pub fn client() -> Option<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smart");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}.tgz", PINNED.replace('@', "-")));
    if !file.exists() {
        let npm = Command::new("npm").args(["pack", PINNED]).current_dir(&folder).output();
        if !npm.is_ok_and(|done| done.status.success()) {
            return None;
        }
    }
    let packed = flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap());
    let mut archive = tar::Archive::new(packed);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().ends_with("build/fhir-client.min.js") {
            let mut script = String::new();
            entry.read_to_string(&mut script).unwrap();
            return Some(script);
        }
    }
    panic!("{PINNED} has no script for browsers")
}

/// A pair of keys as Node.js makes it: the private key, and the set with the public one.
fn keys() -> (String, String) {
    let script = "const c=require('crypto');\
        const k=c.generateKeyPairSync('ec',{namedCurve:'P-384'});\
        const extra={kid:'one',alg:'ES384',ext:true};\
        console.log(JSON.stringify({...k.privateKey.export({format:'jwk'}),...extra,key_ops:['sign']}));\
        console.log(JSON.stringify({keys:[{...k.publicKey.export({format:'jwk'}),kid:'one',alg:'ES384'}]}));";
    let made = Command::new("node").args(["-e", script]).output().unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
}

/// Pages of the apps, by path.
type Pages = Arc<Mutex<HashMap<String, (&'static str, String)>>>;

async fn page(State(pages): State<Pages>, uri: Uri) -> Response {
    let found = pages.lock().unwrap().get(uri.path()).cloned();
    match found {
        Some((kind, text)) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Serves the pages of the apps on a port of its own and returns their origin.
async fn serve(pages: Pages) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(page).with_state(pages);
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

/// An app's own pages: one that begins, and one that comes back and shows what it has.
fn pages_of(pages: &Pages, name: &str, id: &str, scope: &str, key: Option<&str>, base: &str) {
    let key = key.map(|key| format!(",clientPrivateJwk:{key}")).unwrap_or_default();
    let script = "<!doctype html><script src=\"/client.js\"></script>";
    let begin = |iss: &str| {
        format!(
            "{script}<pre id=out></pre><script>FHIR.oauth2.authorize({{clientId:'{id}',\
             scope:'{scope}',redirectUri:'/{name}/after'{iss}{key}}}).catch(e=>\
             document.getElementById('out').textContent='FAULT '+e)</script>"
        )
    };
    let after = format!(
        "{script}<pre id=out></pre><script>(async()=>{{\
         const client=await FHIR.oauth2.ready();\
         const patient=await client.patient.read();\
         const found=await client.request('Observation?_count=1');\
         const before=client.state.tokenResponse.access_token;\
         if(!client.state.clientPrivateJwk)await client.refresh();\
         const again=await client.request('Patient/'+client.patient.id);\
         let refused=0;try{{await client.request('Encounter?_count=1')}}catch(e){{refused=e.statusCode||e.status||-1}}\
         document.getElementById('out').textContent='DONE '+JSON.stringify({{\
         patient:patient.id,again:again.id,total:found.total,\
         user:client.user.fhirUser,\
         refreshed:before!==client.state.tokenResponse.access_token,refused}})}})()\
         .catch(e=>document.getElementById('out').textContent='FAULT '+e)</script>"
    );
    let html = "text/html; charset=utf-8";
    let mut pages = pages.lock().unwrap();
    pages.insert(format!("/{name}/launch"), (html, begin("")));
    pages.insert(format!("/{name}/alone"), (html, begin(&format!(",iss:'{base}/fhir'"))));
    pages.insert(format!("/{name}/after"), (html, after));
}

/// The operator registers an app on their page; its id.
async fn register(operator: &Browser, node: &str, fields: &[(&str, &str)], keys: bool) -> String {
    operator.go(&format!("{node}/operator/apps")).await;
    for (name, value) in fields {
        operator.fill(name, value).await;
    }
    if keys {
        operator.press("select[name=proof] option[value=keys]").await;
    }
    operator.press("form[action='/operator/apps'] .actions .button").await;
    operator.text("#made-id").await
}

async fn sign_in(driver: &Driver, account: &Account) -> Browser {
    let browser = Browser::open(driver).await;
    browser.go(&account.base).await;
    sign(&browser, account).await;
    browser.see("header", "Sign out", PATIENCE).await;
    browser
}

async fn sign(browser: &Browser, account: &Account) {
    browser.fill("username", &account.username).await;
    browser.fill("password", &account.password).await;
    browser.press("main form .button").await;
}

/// What the app shows in the end.
async fn shown(browser: &Browser) -> Value {
    browser.see("#out", "DONE", PATIENCE).await;
    let text = browser.text("#out").await;
    serde_json::from_str(text.trim_start_matches("DONE ")).unwrap()
}

/// Standalone and EHR launch, public and with keys, by a patient and by a clinician.
pub async fn story(driver: &Driver, demo: &Demo, client: String) {
    let pages: Pages = Arc::default();
    let script = "text/javascript; charset=utf-8";
    pages.lock().unwrap().insert("/client.js".into(), (script, client));
    let origin = serve(pages.clone()).await;
    let operator = demo.account("north", "operator");
    let node = operator.base.clone();
    let window = sign_in(driver, &operator).await;
    let (private, set) = keys();
    let scope = "launch launch/patient openid fhirUser offline_access patient/Patient.rs \
                 patient/Observation.rs";
    for (name, keys) in [("public", None), ("keys", Some(set.as_str()))] {
        let (after, launch) = (format!("{origin}/{name}/after"), format!("{origin}/{name}/launch"));
        let mut fields = vec![
            ("name", name),
            ("publisher", "Example Ltd"),
            ("redirects", after.as_str()),
            ("launch", launch.as_str()),
            ("scopes", scope),
        ];
        fields.extend(keys.map(|keys| ("keys", keys)));
        let id = register(&window, &node, &fields, keys.is_some()).await;
        let alone = "launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs";
        let key = keys.map(|_| private.as_str());
        pages_of(&pages, name, &id, alone, key, &node);
        let alone = pages.lock().unwrap().get(&format!("/{name}/launch")).cloned();
        let (kind, alone) = alone.unwrap();
        let launch = alone.replace("scope:'launch/patient ", "scope:'launch ");
        pages.lock().unwrap().insert(format!("/{name}/launch"), (kind, launch));
    }
    patients_way(driver, demo, &origin).await;
    clinicians_way(driver, demo, &origin, &node).await;
}

/// A patient begins at the app, signs in at the hospital, and allows it.
async fn patients_way(driver: &Driver, demo: &Demo, origin: &str) {
    let patient = demo.account("north", "patient");
    let own = patient.patient.clone().unwrap();
    for name in ["public", "keys"] {
        let browser = Browser::open(driver).await;
        browser.go(&format!("{origin}/{name}/alone")).await;
        sign(&browser, &patient).await;
        browser.see("main", "asks for access", PATIENCE).await;
        browser.see("main", "test results and measurements", PATIENCE).await;
        browser.picture(&format!("consent-{name}")).await;
        browser.press("button[value=allow]").await;
        let told = shown(&browser).await;
        assert_eq!(told["patient"], json!(own), "{told}");
        assert_eq!(told["again"], json!(own), "{told}");
        assert!(told["user"].as_str().unwrap().ends_with(&format!("Patient/{own}")), "{told}");
        // The client signs for a code, but not for a refresh token.
        assert_eq!(told["refreshed"], name == "public", "{told}");
        assert_eq!(told["refused"], 403, "what was not asked for is refused: {told}");
    }
    // Both stand in the patient's list, and are ended there.
    let browser = sign_in(driver, &patient).await;
    browser.go(&format!("{}/apps", patient.base)).await;
    for name in ["public", "keys"] {
        browser.press_in("li.permission", name, "button").await;
        browser.see("main", "no access any more", PATIENCE).await;
    }
    browser.see("main", "You have allowed no app", PATIENCE).await;
}

/// A clinician opens the app from a patient's record, and begins at the app for another.
async fn clinicians_way(driver: &Driver, demo: &Demo, origin: &str, node: &str) {
    let clinician = demo.account("north", "clinician");
    let patient = demo.account("north", "patient").patient.unwrap();
    let browser = sign_in(driver, &clinician).await;
    for name in ["public", "keys"] {
        browser.go(&format!("{node}/patients/{patient}/apps")).await;
        browser.press_in("li.card", name, "a").await;
        // Nobody signs in again: the session is there although the app is another site.
        browser.see("main", "asks for access", PATIENCE).await;
        browser.press("button[value=allow]").await;
        let told = shown(&browser).await;
        assert_eq!(told["patient"], json!(patient), "{told}");
        // The client signs for a code, but not for a refresh token.
        assert_eq!(told["refreshed"], name == "public", "{told}");

        browser.go(&format!("{origin}/{name}/alone")).await;
        browser.see("main", "Which patient is it about?", PATIENCE).await;
        browser.fill("q", "Thistlewood").await;
        browser.press("form[role=search] .button").await;
        browser.press("main li button").await;
        browser.see("main", "asks for access", PATIENCE).await;
        browser.picture("consent-clinician").await;
        browser.press("button[value=allow]").await;
        let told = shown(&browser).await;
        assert!(told["patient"].is_string() && told["refused"] == 403, "{told}");
    }
}
