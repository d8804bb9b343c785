//! The hospitals, who is at them, and what the first of them holds.

use std::collections::BTreeSet;

use app::records::import::Import;
use identity::{NewAccount, Password, Role, base32};
use policy::Purpose;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::task::block_in_place;

use crate::app_client::{App, Key, backend};
use crate::client::{self, Client};
use crate::consents::{self, CALLERS, Caller, PROGRAM, consent, forbidden};
use crate::generated::{Asker, Generated};
use crate::hospitals::{Hospital, Hospitals, Setup};
use crate::network;
use crate::world::{self, Item};

/// What the app of the first caller may read.
const APPS: [&str; 3] = ["Patient", "Observation", "Encounter"];

/// A clinician, who signs in when first needed: a second factor is fresh for five minutes.
pub struct Somebody {
    base: String,
    account: client::Account,
    /// The id of the account.
    pub id: String,
    client: OnceCell<Client>,
}

impl Somebody {
    pub async fn client(&self) -> &Client {
        let sign_in = || Client::with_second_factor(&self.base, &self.account);
        self.client.get_or_init(sign_in).await
    }
}

pub struct Scene {
    hospitals: Hospitals,
    /// The callers of fixed form, in their order.
    pub staff: Vec<Somebody>,
    /// Another account of the first of them: a second factor is fresh for five minutes.
    pub double: Somebody,
    /// One from whom no consent withholds anything but what is withheld from everybody.
    pub unconcerned: Somebody,
    /// At the other hospital: whom consents name, and one whom none does.
    pub abroad: Vec<Somebody>,
    pub generated: Generated,
    pub items: Vec<Item>,
}

/// A hospital that holds something else than the first: without what is withheld, or without what
/// withholds it.
pub struct Twin {
    pub client: Client,
    pub hospitals: Hospitals,
}

/// Two hospitals, and one at the second who asks.
pub struct Pair {
    pub client: Client,
    pub hospitals: Hospitals,
}

/// Where an asker may not learn that anything is withheld, and where it is not.
const HIDDEN: &[(&str, &str)] = &[("withheld = \"stated\"", "withheld = \"hidden\"")];
/// The same where nothing is withheld that a hospital holds.
const SHARED: &[(&str, &str)] = &[
    ("withheld = \"stated\"", "withheld = \"hidden\""),
    ("consent_default = \"permit-treatment\"", "consent_default = \"permit-all\""),
    ("sensitive_default = \"withhold\"", "sensitive_default = \"share\""),
];

/// Two hospitals of which the first holds generated patients with their consents and may not say
/// that it withholds something, and two of which the first never held what the other withholds.
pub struct Twins {
    pub here: Pair,
    pub twin: Pair,
    pub open: Pair,
    pub generated: Generated,
    /// Marks of what is withheld.
    pub withheld: BTreeSet<String>,
}

impl Twins {
    pub async fn new(seed: u64) -> Self {
        let pair = async |config| {
            let setup = Setup { hospitals: 2, patients: 0, config, ..Setup::default() };
            Hospitals::start(setup).await
        };
        let (real, twin, open) = (pair(HIDDEN).await, pair(SHARED).await, pair(SHARED).await);
        let asker = clinician(&real.all[1], "weber", None);
        let names = [("weber", asker.id.clone())];
        let generated = Generated::new(seed, (&real.all[0].app, &real.all[1].org), &names);
        let asking = Asker::treating(&real.all[1].org, &asker.id, None);
        let withheld = generated.withheld(&asking, real.all[0].app.now_ms());
        let held = generated.items.iter().map(|item| &item.json);
        fill(&real.all[0], generated.beside().chain(held));
        let known = network::known_here(&generated);
        fill(&real.all[1], known.iter());
        let without = async |hospitals: Hospitals, keeps: &dyn Fn(&Item) -> bool| {
            let beside = generated.beside().filter(|one| one["resourceType"] != "Consent");
            let kept = generated.items.iter().filter(|item| keeps(item)).map(|item| &item.json);
            fill(&hospitals.all[0], beside.chain(kept));
            fill(&hospitals.all[1], known.iter());
            let client = clinician(&hospitals.all[1], "weber", None).client().await.clone();
            Pair { client, hospitals }
        };
        let twin = without(twin, &|item| !withheld.contains(&item.mark)).await;
        let open = without(open, &|_| true).await;
        let here = Pair { client: asker.client().await.clone(), hospitals: real };
        Self { here, twin, open, generated, withheld }
    }

    /// Those who are sent whole: where the Patient is withheld and something else is not, there is
    /// no hospital that holds the one without the other.
    pub fn patients(&self) -> Vec<String> {
        let is_told = |id: &&str| {
            let own = || self.generated.items.iter().filter(|item| item.patient == **id);
            let is_open = |item: &Item| !self.withheld.contains(&item.mark);
            own().all(|item| !is_open(item))
                || own().any(|item| item.kind == "Patient" && is_open(item))
        };
        self.generated.patients().filter(is_told).map(str::to_owned).collect()
    }
}

/// Whether a caller may use every door.
pub fn is_staff(name: &str) -> bool {
    CALLERS.iter().any(|caller| caller.name == name)
}

impl Scene {
    pub async fn new(seed: u64) -> Self {
        let setup = Setup { hospitals: 2, patients: 0, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let (here, there) = (&hospitals.all[0], &hospitals.all[1]);
        let mut staff = Vec::new();
        for caller in CALLERS {
            staff.push(clinician(here, caller.name, caller.practitioner));
        }
        let double = clinician(here, "double", CALLERS[0].practitioner);
        let unconcerned = clinician(here, "unconcerned", Some("Practitioner/98"));
        let abroad = vec![clinician(there, "weber", None), clinician(there, "nobody", None)];
        let names = [("eight", &staff[1].id), ("weber", &abroad[0].id)];
        let names = names.map(|(name, id)| (name, id.clone()));
        let generated = Generated::new(seed, (&here.app, &there.org), &names);
        let fixed = fixed();
        let consents = (0..consents::FORMS).filter_map(consent);
        let beside: Vec<Value> = generated.beside().cloned().chain(consents).collect();
        let mut items: Vec<Item> = fixed.into_iter().chain(generated.items.clone()).collect();
        let carried = world::carried(&mut items);
        items.extend(carried);
        items.push(every(&items));
        let more: Vec<Value> = places().chain([group()]).collect();
        fill(here, beside.iter().chain(&more).chain(items.iter().map(|item| &item.json)));
        fill(there, network::known_here(&generated).iter());
        Self { hospitals, staff, double, unconcerned, abroad, generated, items }
    }

    /// The first hospital.
    pub fn here(&self) -> &Hospital {
        &self.hospitals.all[0]
    }

    /// Marks of what is withheld from one of the staff.
    pub fn withheld_from(&self, number: usize) -> BTreeSet<String> {
        self.withheld(&self.asker(number), &CALLERS[number])
    }

    fn asker(&self, number: usize) -> Asker<'_> {
        Asker::treating(&self.here().org, &self.staff[number].id, CALLERS[number].practitioner)
    }

    fn withheld(&self, asker: &Asker<'_>, caller: &Caller) -> BTreeSet<String> {
        let mut withheld = self.generated.withheld(asker, self.here().app.now_ms());
        let fixed =
            self.items.iter().filter(|item| consents::is_fixed(item) && item.with.is_none());
        withheld.extend(fixed.filter(|item| forbidden(item, caller)).map(|item| item.mark.clone()));
        let beside = self
            .items
            .iter()
            .filter(|item| item.with.as_ref().is_some_and(|of| withheld.contains(of)));
        let beside: Vec<String> = beside.map(|item| item.mark.clone()).collect();
        withheld.extend(beside);
        withheld
    }

    /// The same for somebody of the other hospital.
    pub fn withheld_abroad(&self, account: &str, purpose: Purpose) -> BTreeSet<String> {
        let there = &self.hospitals.all[1];
        let asker = Asker { purpose, ..Asker::treating(&there.org, account, None) };
        self.generated.withheld(&asker, self.here().app.now_ms())
    }

    /// How many ask at the first hospital.
    pub const CALLERS: usize = CALLERS.len() + 3;

    /// The number of the patient among them.
    pub const PATIENT: usize = CALLERS.len();

    /// One who asks at the first hospital, and what is withheld from them.
    pub async fn caller(&self, number: usize) -> (&'static str, Client, BTreeSet<String>) {
        if let Some(caller) = CALLERS.get(number) {
            let client = self.staff[number].client().await.clone();
            return (caller.name, client, self.withheld_from(number));
        }
        let of = |keep: &dyn Fn(&Item) -> bool| {
            let others = self.items.iter().filter(|item| !keep(item));
            others.map(|item| item.mark.clone()).collect::<BTreeSet<_>>()
        };
        match number - CALLERS.len() {
            0 => {
                let patient = self.generated.patients().next().expect("a patient");
                let own = self.here().patient(patient).await;
                ("patient", own, of(&|item| item.patient == patient))
            }
            1 => {
                let mut withheld = self.withheld_from(0);
                withheld.extend(of(&|item| APPS.contains(&item.kind)));
                ("app", self.app().await, withheld)
            }
            _ => {
                let names = vec!["Practitioner/8".to_owned()];
                let acting = Asker { names, ..self.asker(1) };
                (PROGRAM.name, self.service().await, self.withheld(&acting, &PROGRAM))
            }
        }
    }

    /// An app of the first of the staff.
    async fn app(&self) -> Client {
        let scope = APPS.map(|kind| format!("user/{kind}.rs")).join(" ");
        let app = App::public(self.here(), &scope);
        let code = app.code(self.staff[0].client().await, &scope).await;
        app.holding(&app.post("token", &app.exchange(&code)).await.expect(200).json())
    }

    /// A program of the hospital with an account of its own, which is another one than the one by
    /// which the hospital knows the Practitioner whom it acts for.
    async fn service(&self) -> Client {
        let username = PROGRAM.name;
        clinician(self.here(), username, PROGRAM.practitioner);
        let key = Key::new("one");
        let proof = app::apps::register::Proof::Keys(key.set());
        let app = App::register(self.here(), backend("system/*.rs", proof, username), Some(key));
        let mut form = app.proof();
        form.push(("grant_type", "client_credentials".to_owned()));
        form.push(("scope", "system/*.rs".to_owned()));
        app.holding(&app.post("token", &form).await.expect(200).json())
    }

    /// The same hospital without what is withheld from the first of the staff, and without the
    /// consents, but for one patient of fixed form: that anything is withheld from the caller is no
    /// secret, and some doors are closed to those from whom it is.
    pub async fn twin(&self, withheld: &BTreeSet<String>) -> Twin {
        let setup = Setup { hospitals: 1, patients: 0, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let twin = &hospitals.all[0];
        let caller = clinician(twin, CALLERS[0].name, CALLERS[0].practitioner);
        let client = caller.client().await.clone();
        let beside = self.generated.beside().filter(|one| one["resourceType"] != "Consent");
        let kept = |item: &&Item| item.patient == "p1" || !withheld.contains(&item.mark);
        let kept = self.items.iter().filter(kept).map(|item| &item.json);
        let consent = consent(1).expect("a denial of everything");
        let more: Vec<Value> = places().chain([consent]).collect();
        fill(twin, beside.chain(&more).chain(kept));
        Twin { client, hospitals }
    }

    /// The same hospital with all that the first holds and no consents: every door stands open to
    /// the first of the staff.
    pub async fn unprotected(&self) -> Twin {
        let setup = Setup { hospitals: 1, patients: 0, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let open = &hospitals.all[0];
        let caller = clinician(open, CALLERS[0].name, CALLERS[0].practitioner);
        let client = caller.client().await.clone();
        let beside = self.generated.beside().filter(|one| one["resourceType"] != "Consent");
        let more: Vec<Value> = places().chain([group()]).collect();
        fill(open, beside.chain(&more).chain(self.items.iter().map(|item| &item.json)));
        Twin { client, hospitals }
    }
}

/// The patients of fixed form.
fn fixed() -> Vec<Item> {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let labels = ["HIV", "SUD"].map(|code| json!({"system": system, "code": code}));
    (0..consents::FORMS).flat_map(|number| world::patient(number, &labels)).collect()
}

/// A List that refers to every resource and is about nobody.
fn every(items: &[Item]) -> Item {
    let entry = |item: &Item| json!({"item": {"reference": item.reference()}});
    let (id, mark) = (world::EVERYTHING.to_owned(), Item::mark(400, 0));
    let json = json!({"resourceType": "List", "id": id, "status": "current", "mode": "working",
        "identifier": [{"system": world::SYSTEM, "value": mark}],
        "entry": items.iter().map(entry).collect::<Vec<_>>()});
    Item { kind: "List", id, mark, patient: "nobody".to_owned(), with: None, json }
}

fn places() -> impl Iterator<Item = Value> {
    (0..consents::FORMS).flat_map(world::places)
}

/// A Group of patients.
fn group() -> Value {
    let member = |id: &&str| json!({"entity": {"reference": format!("Patient/{id}")}});
    json!({"resourceType": "Group", "id": world::GROUP, "type": "person", "actual": true,
        "member": world::MEMBERS.iter().map(member).collect::<Vec<_>>()})
}

/// Writes a resource again as it is.
pub fn touch(hospital: &Hospital, item: &Item) {
    fill(hospital, std::iter::once(&item.json));
}

/// The number of the version that stands, and whether it is a deletion.
pub fn stands(hospital: &Hospital, item: &Item) -> Option<(u64, bool)> {
    let id = fhir::Id::new(item.id.as_str()).expect("an id");
    let key = store::Key { resource_type: item.kind, id };
    let stored = block_in_place(|| {
        let snapshot = hospital.app.store().snapshot().expect("a snapshot");
        snapshot.read(&key).expect("the store is read")
    });
    stored.map(|stored| (stored.version, stored.method == store::Method::Delete))
}

/// Takes resources out of the store of a hospital.
pub fn take_away(hospital: &Hospital, all: impl Iterator<Item = (&'static str, String)>) {
    let delete = |(resource_type, id): (&'static str, String)| {
        let id = fhir::Id::new(id).expect("an id");
        store::Write::Delete { key: store::Key { resource_type, id }, expect: store::Expect::Any }
    };
    let writes = all.map(delete).collect();
    block_in_place(|| {
        let store = hospital.app.store();
        store.commit(store::Transaction { writes, ..Default::default() }).expect("they are gone");
    });
}

/// Puts resources into the store of a hospital.
fn fill<'a>(hospital: &Hospital, resources: impl Iterator<Item = &'a Value>) {
    let lines: Vec<Vec<u8>> = resources.map(|one| one.to_string().into_bytes()).collect();
    block_in_place(|| {
        let import = Import::new(&hospital.app);
        for piece in lines.chunks(200) {
            let report = import.take_lines("test", piece.to_vec()).expect("the import is taken");
            assert_eq!(report.refused, [], "every resource is taken");
        }
    });
}

/// A clinician's account.
fn clinician(hospital: &Hospital, name: &str, practitioner: Option<&str>) -> Somebody {
    let accounts = hospital.app.identity().accounts();
    let secret = accounts.new_totp_secret().expect("a secret");
    let account = client::Account {
        username: name.to_owned(),
        password: format!("a long password of {name}"),
        secret: base32(secret.reveal()),
    };
    let new = NewAccount {
        username: account.username.clone(),
        display_name: name.to_owned(),
        role: Role::Clinician,
        patient: None,
        practitioner: practitioner.map(str::to_owned),
        password: Password::plain(account.password.clone()),
        totp_secret: Some(secret),
    };
    let made = block_in_place(|| accounts.create(new, hospital.app.now_ms()));
    let id = made.expect("the account is made").id;
    Somebody { base: hospital.base.clone(), account, id, client: OnceCell::new() }
}
