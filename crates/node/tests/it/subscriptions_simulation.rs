//! Nothing is lost: a subscriber's server that drops requests, loses acknowledgements and hangs,
//! and a worker that is killed at any of these points, under a clock that is turned by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use app::notify::Worker;
use app::notify::work::carry_out;
use app::records::write::create;
use app::{App, Caller, User};
use consilium_node::wiring::system_clock;
use federation::notify::{Deliver, Parcel, SendError};
use fhir::Resource;
use identity::{NewAccount, Password, Role};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::block_in_place;

use crate::hospitals::{idle, run};
use crate::receiver::Notification;

/// A receiver that fails in every way. What it got is kept by endpoint.
struct Lossy {
    chance: Mutex<StdRng>,
    reliable: Mutex<bool>,
    got: Mutex<BTreeMap<String, Vec<(u64, String)>>>,
    hung: Notify,
}

impl Lossy {
    fn keep(&self, parcel: &Parcel) {
        let Parcel::Http(request) = parcel else { panic!("only rest-hooks are asked for") };
        let body = request.body.as_ref().map(|(_, body)| body.clone()).unwrap_or_default();
        let notification = Notification(serde_json::from_str(&body).expect("a Bundle"));
        let mut got = self.got.lock();
        got.entry(request.url.clone()).or_default().extend(notification.events());
    }
}

impl Deliver for Lossy {
    async fn send(&self, parcel: Parcel, _: Duration) -> Result<(), SendError> {
        let fate = if *self.reliable.lock() { 9 } else { self.chance.lock().random_range(0..10u8) };
        if !matches!(fate, 0 | 1) {
            self.keep(&parcel);
        }
        match fate {
            // Never arrived; arrived but the acknowledgement did not; nobody will ever know.
            0 => Err(SendError::Unreachable),
            1 | 2 => {
                self.hung.notify_one();
                std::future::pending().await
            }
            3 | 4 => Err(SendError::TimedOut),
            _ => Ok(()),
        }
    }
}

struct World {
    app: App,
    clock: Arc<AtomicI64>,
    receiver: Arc<Lossy>,
    worker: Option<Worker>,
    kills: usize,
}

impl World {
    /// Follows the feed and carries out what is due; the worker dies where the receiver hangs.
    async fn round(&mut self) -> usize {
        let app = self.app.clone();
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => block_in_place(|| Worker::open(app.clone())).expect("the worker opens"),
        };
        while block_in_place(|| worker.follow()).expect("the feed is followed") {}
        let jobs = worker.jobs(4);
        let count = jobs.len();
        for job in jobs {
            let receiver = self.receiver.clone();
            tokio::select! {
                done = carry_out(app.clone(), receiver, job) => worker.settle(done),
                () = self.receiver.hung.notified() => {
                    self.kills += 1;
                    return count;
                }
            }
        }
        self.worker = Some(worker);
        count
    }

    fn forward(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }
}

pub fn caller(app: &App) -> Caller {
    let account = app.identity().accounts().create(
        NewAccount {
            username: "subscriber".into(),
            display_name: "Subscriber".into(),
            role: Role::Clinician,
            patient: None,
            practitioner: None,
            password: Password::plain("a long password".to_owned()),
            totp_secret: None,
        },
        app.now_ms(),
    );
    let account = account.expect("an account");
    Caller {
        user: User {
            id: account.id,
            role: "clinician".into(),
            name: "Subscriber".into(),
            patient: None,
            practitioner: None,
            acting: None,
            amr: Vec::new(),
            auth_time_ms: app.now_ms(),
            mfa_time_ms: None,
        },
        purpose: "TREAT".into(),
        evidence: None,
        request_id: "simulation".into(),
        address: "simulation".into(),
        granted: None,
    }
}

fn resource(value: &Value) -> Resource {
    Resource::parse(value.to_string()).expect("a resource")
}

fn subscription(code: usize, max_count: u32) -> Value {
    let backport = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
    json!({
        "resourceType": "Subscription", "status": "requested", "reason": "simulation",
        "criteria": format!("Observation?code=c{code}"),
        "channel": {
            "extension": [{"url": format!("{backport}backport-max-count"),
                           "valuePositiveInt": max_count}],
            "type": "rest-hook", "endpoint": format!("https://receiver.example/{code}"),
            "payload": "application/fhir+json",
            "_payload": {"extension": [
                {"url": format!("{backport}backport-payload-content"), "valueCode": "id-only"}]},
        },
    })
}

async fn simulate(seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let clock = Arc::new(AtomicI64::new(system_clock()()));
    let shared = clock.clone();
    let (app, _folder) = idle(Arc::new(move || shared.load(Ordering::SeqCst)));
    let receiver = Arc::new(Lossy {
        chance: Mutex::new(StdRng::seed_from_u64(seed ^ 1)),
        reliable: Mutex::new(true),
        got: Mutex::default(),
        hung: Notify::new(),
    });
    let mut world = World { app: app.clone(), clock, receiver, worker: None, kills: 0 };
    const CODES: usize = 4;
    let caller = block_in_place(|| caller(&app));
    for code in 0..CODES {
        let asked = resource(&subscription(code, 1 + code as u32 * 3));
        block_in_place(|| create(&app, &caller, "Subscription", asked, None)).expect("stored");
    }
    // The handshakes are not what is shaken here.
    while world.round().await > 0 {}
    *world.receiver.reliable.lock() = false;

    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..60 {
        for _ in 0..chance.random_range(0..6) {
            let code = chance.random_range(0..CODES + 1);
            let seen = json!({
                "resourceType": "Observation", "status": "final",
                "code": {"coding": [{"code": format!("c{code}")}]},
            });
            let written =
                block_in_place(|| create(&app, &caller, "Observation", resource(&seen), None));
            let id = written.expect("stored").key.id;
            let url = format!("https://receiver.example/{code}");
            expected.entry(url).or_default().push(format!("Observation/{id}"));
        }
        world.round().await;
        world.forward(chance.random_range(0..1_200_000));
    }
    // The receiver recovers; whatever waits arrives within the longest pause.
    *world.receiver.reliable.lock() = true;
    for _ in 0..400 {
        if world.round().await == 0 {
            world.forward(3_600_000);
            if world.round().await == 0 {
                break;
            }
        }
    }
    expected.remove(&format!("https://receiver.example/{CODES}"));
    let got = world.receiver.got.lock();
    for (url, expected) in &expected {
        let got = got.get(url).cloned().unwrap_or_default();
        let mut next = 1;
        for (number, focus) in &got {
            assert!(*number <= next, "seed {seed}: {url} skips to {number} before {next}");
            assert_eq!(*focus, expected[*number as usize - 1], "seed {seed}: {url} at {number}");
            next = next.max(number + 1);
        }
        assert_eq!(next as usize - 1, expected.len(), "seed {seed}: {url} misses events");
        assert!(got.len() >= expected.len());
    }
    assert!(world.kills > 0, "seed {seed}: no worker was killed");
    eprintln!(
        "seed {seed}: {} workers killed, {} subscriptions whole",
        world.kills,
        expected.len()
    );
}

#[test]
fn every_event_arrives_in_order_whatever_breaks() {
    run(async {
        for seed in [1, 7, 42] {
            simulate(seed).await;
        }
    });
}
