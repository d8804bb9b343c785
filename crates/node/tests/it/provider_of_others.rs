//! Signing in through a provider that others wrote, `oidc-provider` from npm, over HTTP with its own
//! pages: discovery, PKCE, each way in which a node proves itself, ID tokens by each algorithm that
//! is taken, back-channel logout.
//!
//! Skipped aloud where npm cannot fetch it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use consilium_node::config;
use identity::Role;
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Method, header};

use crate::client::Client;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::outside::Browser;

/// The version that this test was made with.
const PINNED: &str = "oidc-provider@8.8.1";

/// What separates parts and means something in forms and headers.
const SECRET: &str = "s3cret+/=&%: ~\"'?#";

/// How the node proves itself at a provider, and by what the provider signs.
const WAYS: [[&str; 4]; 5] = [
    ["others", "private_key_jwt", "key", "RS256"],
    ["basic", "client_secret_basic", "secret-basic", "PS256"],
    ["post", "client_secret_post", "secret-post", "ES256"],
    ["curve", "client_secret_basic", "secret-basic", "ES384"],
    ["edwards", "none", "none", "EdDSA"],
];

/// The provider with this node as its only client. It prints its issuer and serves until it is ended.
const SCRIPT: &str = r#"
import http from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';
const [base, id, method, alg, secret] = process.argv.slice(2);
const pair = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};
const key = { ...pair[alg]().privateKey.export({ format: 'jwk' }), alg, use: 'sig' };
const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const here = `${base}/sign-in/outside/${id}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'north',
      token_endpoint_auth_method: method,
      ...(method === 'private_key_jwt'
        ? { token_endpoint_auth_signing_alg: 'RS256', jwks_uri: `${base}/oauth/keys` } : {}),
      ...(method.startsWith('client_secret') ? { client_secret: secret } : {}),
      id_token_signed_response_alg: alg,
      redirect_uris: [`${here}/callback`],
      post_logout_redirect_uris: [`${base}/sign-in`],
      backchannel_logout_uri: `${here}/ended`,
      backchannel_logout_session_required: true,
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }],
    clientAuthMethods: [method],
    jwks: { keys: [key] },
    enabledJWA: { idTokenSigningAlgValues: [alg] },
    pkce: { required: () => true, methods: ['S256'] },
    features: { backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    cookies: { keys: ['one'] },
    async findAccount(ctx, id) { return { accountId: id, claims: () => ({ sub: id }) }; },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
"#;

/// The folder with the package; `None` where npm cannot fetch it.
fn package() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oidc-provider");
    std::fs::create_dir_all(&folder).unwrap();
    if !folder.join("node_modules/oidc-provider/package.json").exists() {
        let arguments =
            ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", ".", PINNED];
        let npm = Command::new("npm").args(arguments).current_dir(&folder).output();
        if !npm.is_ok_and(|done| done.status.success()) {
            return None;
        }
    }
    std::fs::write(folder.join("provider.mjs"), SCRIPT).unwrap();
    Some(folder)
}

/// The provider as it runs, and what it says, which it must be able to; it ends with this.
struct Running(Child, BufReader<ChildStdout>);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, base: &str, [id, method, _, algorithm]: [&str; 4]) -> (Running, String) {
    let child = Command::new("node")
        .args(["provider.mjs", base, id, method, algorithm, SECRET])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let mut running = Running(child, said);
    let mut issuer = String::new();
    running.1.read_line(&mut issuer).unwrap();
    (running, issuer.trim().to_owned())
}

/// The person's browser at the provider.
struct Person {
    http: reqwest::Client,
    issuer: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Person {
    async fn send(&self, method: Method, url: &str, body: Option<String>) -> (String, String) {
        let url = match url.starts_with('/') {
            true => format!("{}{url}", self.issuer),
            false => url.to_owned(),
        };
        let cookies: Vec<String> =
            self.cookies.lock().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method, url).header(header::COOKIE, cookies.join("; "));
        if let Some(body) = body {
            let kind = "application/x-www-form-urlencoded";
            request = request.header(header::CONTENT_TYPE, kind).body(body);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = value.split(';').next().unwrap().to_owned();
            self.cookies.lock().insert(name.to_owned(), value);
        }
        let to = answer.headers().get(header::LOCATION);
        let to = to.map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        (to, answer.text().await.unwrap())
    }

    /// Goes where the provider leads, signs in and agrees; the query that leads back to the node.
    async fn signs_in(&self, request: &str, name: &str) -> String {
        let mut next = request.to_owned();
        for _ in 0..10 {
            let (to, page) = self.send(Method::GET, &next, None).await;
            if let Some((_, query)) = to.split_once("/callback?") {
                return query.to_owned();
            }
            next = match to.is_empty() {
                false => to,
                true => {
                    let prompt = if page.contains("name=\"login\"") { "login" } else { "consent" };
                    let body = format!("prompt={prompt}&login={name}&password=x");
                    self.send(Method::POST, &next, Some(body)).await.0
                }
            };
        }
        panic!("the provider leads nowhere: {next}");
    }

    /// Signs out there, of everything.
    async fn signs_out(&self, address: &str) {
        let (_, page) = self.send(Method::GET, address, None).await;
        let xsrf = page.split("name=\"xsrf\" value=\"").nth(1).expect("a form");
        let body = format!("xsrf={}&logout=yes", xsrf.split('"').next().unwrap());
        self.send(Method::POST, "/session/end/confirm", Some(body)).await;
    }
}

#[test]
fn a_provider_that_others_wrote_signs_people_in_and_out() {
    let Some(folder) = package() else {
        println!("skipped: npm cannot fetch {PINNED}");
        return;
    };
    run(async {
        let started: Mutex<Vec<(Running, String)>> = Mutex::default();
        let prepared = |home: &Path, base: &str| {
            let file = home.join(config::FILE);
            let mut text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(home.join("provider.secret"), SECRET).unwrap();
            for way in WAYS {
                let (running, issuer) = start(&folder, base, way);
                let [id, _, authentication, _] = way;
                let _ = write!(
                    text,
                    "\n[[sign_in]]\nid = \"{id}\"\nlabel = \"{id}\"\nissuer = \"{issuer}\"\n\
                     client_id = \"north\"\nsign_out = true\n\
                     authentication = \"{authentication}\"\n"
                );
                if authentication.starts_with("secret") {
                    text.push_str("secret_file = \"provider.secret\"\n");
                }
                started.lock().push((running, issuer));
            }
            std::fs::write(file, text).unwrap();
        };
        let setup =
            Setup { hospitals: 1, patients: 2, prepared: Some(&prepared), ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let started = std::mem::take(&mut *started.lock());
        // The provider closes connections that are idle for five seconds.
        let http = reqwest::Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0);
        let http = http.build().unwrap();
        for ((_, issuer), [id, .., algorithm]) in started.iter().zip(WAYS) {
            println!("{id} signs with {algorithm}");
            let person =
                Person { http: http.clone(), issuer: issuer.clone(), cookies: Mutex::default() };
            in_and_out(hospital, &person, id).await;
        }
    });
}

/// Somebody links an account of the node to one at a provider, comes in through it, and is out here
/// when out there.
async fn in_and_out(hospital: &Hospital, person: &Person, id: &str) {
    // The account is linked by its owner, who signs in there for that.
    let account = hospital.account(Role::Clinician, None);
    let now = hospital.app.now_ms();
    let owner = Client::sign_in(&hospital.base, &account, Some(now)).await;
    let browser = Browser::holding(hospital, &owner);
    let request = browser.goes(&format!("/account/providers/{id}"), "").await;
    let back = person.signs_in(&request, "ada").await;
    let done = browser.comes_back(id, &back).await;
    assert_eq!(done.to, "/account?notice=provider-linked", "{}", done.text);

    // Somebody who is signed in there is signed in here with one click.
    let browser = Browser::new(hospital);
    let request = browser.goes_to_sign_in(id, "/patients").await;
    let back = person.signs_in(&request, "nobody else").await;
    let done = browser.comes_back(id, &back).await;
    assert_eq!((done.status, done.to.as_str()), (303, "/patients"), "{}", done.text);
    browser.client().get("/fhir/Patient?_count=1").await.expect(200);

    // Signing out there ends the session here, told by the back channel; the other stays.
    let way = format!("{}/session/end?client_id=north", person.issuer);
    person.signs_out(&way).await;
    browser.client().get("/fhir/Patient?_count=1").await.expect(401);
    owner.get("/fhir/Patient?_count=1").await.expect(200);
}
