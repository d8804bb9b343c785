//! A browser window, used as a person uses it: find by sight, fill in, press, read.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use super::demo::Account;

/// A running chromedriver; ends with the test.
pub struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    /// Starts chromedriver on a free port; `None` where it is not installed.
    pub fn start() -> Option<Self> {
        let installed = ["/usr/bin/chromedriver", "/usr/bin/chromium"];
        if !installed.iter().all(|program| Path::new(program).exists()) {
            return None;
        }
        let mut child = Command::new("/usr/bin/chromedriver")
            .args(["--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut ports = lines.filter_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = ports.next().expect("chromedriver did not say its port");
        // What else it prints must not fill the pipe.
        std::thread::spawn(move || ports.count());
        Some(Self { child, url: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One window with a profile of its own.
pub struct Browser {
    client: Client,
    driver: String,
    authenticator: String,
    _profile: tempfile::TempDir,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Browser {
    /// Opens a window.
    pub async fn open(driver: &Driver) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            // Pages scroll smoothly, and what still moves cannot be pressed.
            "--force-prefers-reduced-motion",
            "--disable-dev-shm-usage",
            "--lang=en-US",
            "--window-size=1280,900",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let options = json!({"args": arguments, "binary": "/usr/bin/chromium"});
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": options,
        }) else {
            unreachable!()
        };
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.url)
            .await
            .unwrap();
        let (driver, authenticator) = (driver.url.clone(), String::new());
        Self { client, driver, authenticator, _profile: profile }
    }

    /// Builds an authenticator into the device, which checks its owner and finds passkeys by
    /// itself (WebAuthn of the Chrome DevTools protocol).
    pub async fn with_authenticator(mut self) -> Self {
        self.devtools("WebAuthn.enable", json!({"enableUI": false})).await;
        let options = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true,
            "automaticPresenceSimulation": true,
        });
        let added =
            self.devtools("WebAuthn.addVirtualAuthenticator", json!({"options": options})).await;
        self.authenticator = added["value"]["authenticatorId"].as_str().unwrap().to_owned();
        self
    }

    /// Whether the device's owner is there to answer what it is asked from now on.
    pub async fn owner_answers(&self, enabled: bool) {
        let parameters = json!({"authenticatorId": self.authenticator, "enabled": enabled});
        self.devtools("WebAuthn.setAutomaticPresenceSimulation", parameters).await;
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let session = self.client.session_id().await.unwrap().unwrap();
        let url = format!("{}/session/{session}/goog/cdp/execute", self.driver);
        let body = json!({"cmd": command, "params": parameters});
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{command}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Types into the field of this name.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("[name='{name}']")).await;
        field.send_keys(text).await.unwrap();
    }

    /// Chooses of the field of this name what has this value.
    pub async fn choose(&self, name: &str, value: &str) {
        let field = self.find(&format!("select[name='{name}']")).await;
        field.select_by_value(value).await.unwrap();
    }

    /// Signs in with password and code.
    pub async fn sign_in(&self, account: &Account) {
        self.go(&account.base).await;
        self.fill("username", &account.username).await;
        self.fill("password", &account.password).await;
        self.fill("code", &account.code()).await;
        self.press("main form .button").await;
        self.see(".me", &account.name, PATIENCE).await;
    }

    /// Where it is, without the host and what is asked there.
    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    pub async fn press(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Presses `css` inside the `list` entry that shows `text`.
    pub async fn press_in(&self, list: &str, text: &str, css: &str) {
        for entry in self.client.find_all(Locator::Css(list)).await.unwrap() {
            if entry.text().await.unwrap().contains(text) {
                return entry.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
            }
        }
        panic!("no {list} shows {text}: {}", self.text("body").await);
    }

    pub async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Keeps pictures of the page at desktop and phone width where `CONSILIUM_PICTURES` names a
    /// folder, for people to look at.
    pub async fn picture(&self, name: &str) {
        let Ok(folder) = std::env::var("CONSILIUM_PICTURES") else { return };
        for (device, width, height) in [("phone", 390, 844), ("desktop", 1280, 900)] {
            self.client.set_window_size(width, height).await.unwrap();
            let png = self.client.screenshot().await.unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}-{device}.png")), png).unwrap();
        }
    }

    /// What every element that matches shows.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.extend(element.text().await);
        }
        texts
    }

    /// Waits until `css` shows `text`, in whatever case.
    pub async fn see(&self, css: &str, text: &str, patience: Duration) {
        let started = Instant::now();
        loop {
            if self.shows(css, text).await {
                return;
            }
            assert!(
                started.elapsed() < patience,
                "{css} does not show {text}: {}",
                self.text("body").await
            );
        }
    }

    async fn shows(&self, css: &str, text: &str) -> bool {
        // Live regions replace elements, so one may go away between finding and reading it.
        match self.client.find(Locator::Css(css)).await {
            Ok(element) => element
                .text()
                .await
                .is_ok_and(|shown| shown.to_lowercase().contains(&text.to_lowercase())),
            Err(_) => false,
        }
    }

    /// Waits until there are `count` elements and none shows `pending`.
    pub async fn settle(&self, css: &str, count: usize, pending: &str, patience: Duration) {
        let started = Instant::now();
        loop {
            let mut texts = Vec::new();
            for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
                texts.push(element.text().await.unwrap_or_else(|_| pending.to_owned()));
            }
            if texts.len() == count && texts.iter().all(|text| !text.contains(pending)) {
                return;
            }
            assert!(started.elapsed() < patience, "not settled: {texts:?}");
        }
    }

    /// Loads the page again until `css` shows `text`.
    pub async fn reload_until(&self, css: &str, text: &str, patience: Duration) {
        let started = Instant::now();
        loop {
            self.client.refresh().await.unwrap();
            let loaded = Instant::now();
            while loaded.elapsed() < Duration::from_secs(5) {
                if self.shows(css, text).await {
                    return;
                }
                if !self.shows(css, "asking").await {
                    break;
                }
            }
            assert!(
                started.elapsed() < patience + Duration::from_secs(5),
                "{css} does not come to show {text}: {}",
                self.text("body").await
            );
        }
    }

    async fn find(&self, css: &str) -> fantoccini::elements::Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => {
                let body = self.client.find(Locator::Css("body")).await.unwrap();
                let url = self.client.current_url().await.unwrap();
                panic!("{css} is not on {url} ({error}): {}", body.text().await.unwrap())
            }
        }
    }
}
