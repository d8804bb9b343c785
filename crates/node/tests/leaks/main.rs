//! Nothing that a patient has withheld leaves by any door. A hospital holds patients whose
//! resources each carry a mark; consents, some of fixed form and most of them generated, keep some
//! of it from some callers; then every door is tried by every caller, and what comes out is compared
//! with what may. What there is of doors stands in `policies/doors.txt`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests fail and speak this way"
)]

#[path = "../it/app_client.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod app_client;
mod bulk;
#[path = "../it/client.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod client;
mod consents;
mod generated;
#[path = "../it/hospitals.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod hospitals;
mod network;
mod scene;
mod searches;
mod single;
mod told;
mod visit;
mod without;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use hospitals::{Hospital, run};
use policy::Purpose;
use scene::{Scene, Twins};
use visit::{By, Checked, Tried, Visit};

/// Fewer would show too little.
const CASES: usize = 100_000;
/// Most withheld resources that one caller asks for one by one.
const BY_ITEM: usize = 30;

/// What is looked at and can tell of nothing, whatever a hospital does, and why. By anything else a
/// leak must be shown to be found; what is shown to must leave this list.
const NOT_SHOWN: &[(&str, By, &str)] = &[
    ("count", By::Mark, "a count has no words; its number tells"),
    ("events counted", By::Mark, "the same"),
    ("stats", By::Mark, "the same"),
    ("has", By::Mark, "what is gone by is not in the answer; that something is found tells"),
    ("network: match", By::Mark, "candidates are known by who they are, which stays known"),
    ("network: match", By::Twin, "the same"),
    ("pages", By::Order, "where nothing is withheld all comes in order; the numbers tell"),
    ("without: graphql", By::Mark, "what differs from the twin tells"),
    ("without: meta", By::Mark, "the same"),
    ("without: views", By::Mark, "the same"),
];

#[test]
fn nothing_withheld_leaves_by_any_door() {
    run(async {
        let seed = generated::seed();
        let scene = Scene::new(seed).await;
        let mut found = Found::default();
        for (at, asker) in scene.abroad.iter().enumerate() {
            for purpose in [Purpose::TREAT, Purpose::BTG] {
                let since = Instant::now();
                let withheld = scene.withheld_abroad(&asker.id, purpose);
                let client = asker.client().await;
                let mut visit = Visit::new(client, &scene.generated.items, withheld);
                network::records(&mut visit, &scene.generated, purpose).await;
                found.take(&format!("abroad {at} {purpose:?}"), since, &visit);
                // Nobody sees everything; who did would be found.
                let all = scene.generated.items.iter().map(|item| item.mark.clone()).collect();
                visit.withheld = all;
                network::records(&mut visit, &scene.generated, purpose).await;
                found.leaking.extend(visit.leaking);
            }
        }
        over_the_network(seed, &mut found).await;
        // Before anything is written again: versions are compared too.
        beside_a_twin(&scene, seed, &mut found).await;
        for number in 0..Scene::CALLERS {
            let since = Instant::now();
            let (name, client, withheld) = scene.caller(number).await;
            let mut visit = Visit::new(&client, &scene.items, withheld);
            visit.most_by_item = BY_ITEM;
            visit.is_staff = scene::is_staff(name);
            tour(&mut visit, scene.here()).await;
            found.take(name, since, &visit);
        }
        every_door_can_fail(&scene, seed, &mut found).await;
        found.judge();
    });
}

/// All doors of one hospital, those behind which something changes last.
async fn tour(visit: &mut Visit<'_>, hospital: &Hospital) {
    // First, while the second factor is fresh.
    bulk::in_bulk(visit).await;
    told::pages_for_people(visit).await;
    single::one_by_one(visit).await;
    searches::searches(visit).await;
    searches::by_what_is_withheld(visit).await;
    searches::along(visit).await;
    told::told(visit, &|item| scene::touch(hospital, item)).await;
    single::changes(visit, &|item| scene::stands(hospital, item)).await;
    scene::take_away(hospital, visit.made.drain(..));
}

/// Two who ask for the same records, one of them where what is withheld never existed.
async fn over_the_network(seed: u64, found: &mut Found) {
    let since = Instant::now();
    let twins = Twins::new(seed).await;
    let patients = twins.patients();
    println!("{} of {} patients are asked for", patients.len(), twins.generated.patients().count());
    let (items, withheld) = (&twins.generated.items, twins.withheld.clone());
    let mut visit = Visit::new(&twins.here.client, items, withheld);
    network::differences(&mut visit, &twins.here, &twins.twin, &patients).await;
    found.take("over the network beside a twin", since, &visit);
    // What is sent where nothing is withheld is told apart.
    let mut visit = Visit::new(&twins.open.client, items, twins.withheld.clone());
    network::differences(&mut visit, &twins.open, &twins.twin, &patients).await;
    found.leaking.extend(visit.leaking);
}

/// The first of the callers beside a hospital where what is withheld never existed.
async fn beside_a_twin(scene: &Scene, seed: u64, found: &mut Found) {
    let since = Instant::now();
    let withheld = scene.withheld_from(0);
    let twin = scene.twin(&withheld).await;
    let mut visit = Visit::new(scene.double.client().await, &scene.items, withheld);
    without::differences(&mut visit, &twin.client, seed).await;
    found.take("beside a twin", since, &visit);
    // One who sees more than the twin holds must be told apart from it by every question's door.
    let mut visit = Visit::new(scene.unconcerned.client().await, &scene.items, BTreeSet::new());
    without::differences(&mut visit, &twin.client, seed).await;
    found.leaking.extend(visit.leaking);
}

/// A hospital that does not heed what is withheld is one that holds no consents. Its doors are tried
/// by the first of the callers and judged as if they withheld: by whatever is looked at behind each
/// door, it must be found to leak, else the test looks past that door.
async fn every_door_can_fail(scene: &Scene, seed: u64, found: &mut Found) {
    let since = Instant::now();
    let open = scene.unprotected().await;
    let hospital = &open.hospitals.all[0];
    let withheld = scene.withheld_from(0);
    let twin = scene.twin(&withheld).await;
    let mut visit = Visit::new(&open.client, &scene.items, withheld);
    without::differences(&mut visit, &twin.client, seed).await;
    visit.most_by_item = BY_ITEM;
    tour(&mut visit, hospital).await;
    found.leaking.extend(visit.leaking);
    // A Patient stays known to the staff, and to nobody's own account but the patient's.
    let (_, _, withheld) = scene.caller(Scene::PATIENT).await;
    let mut visit = Visit::new(&open.client, &scene.items, withheld);
    searches::along(&mut visit).await;
    found.leaking.extend(visit.leaking);
    println!("without protection: {:.1?}", since.elapsed());
}

/// What all visits have found.
#[derive(Default)]
struct Found {
    wrong: Vec<String>,
    /// The doors, and how many cases were looked at behind each.
    tried: BTreeMap<String, usize>,
    /// By what was looked behind each.
    checked: BTreeSet<Checked>,
    /// By what leaks were found where nothing protects.
    leaking: BTreeSet<Checked>,
}

impl Found {
    fn take(&mut self, name: &str, since: Instant, visit: &Visit<'_>) {
        let (cases, withheld) = (visit.cases(), visit.withheld.len());
        println!("{name}: {cases} cases, {withheld} withheld, {:.1?}", since.elapsed());
        self.wrong.extend(visit.leaks.iter().map(|leak| format!("{name} {leak}")));
        self.wrong.extend(visit.missing.iter().map(|gap| format!("{name} does not get {gap}")));
        self.checked.extend(visit.checked.iter().cloned());
        for (door, tried) in &visit.tried {
            *self.tried.entry(door.clone()).or_default() += Tried::cases(tried);
        }
    }

    fn judge(&self) {
        let cases: usize = self.tried.values().sum();
        println!("{cases} cases behind {} doors", self.tried.len());
        let wrong = self.wrong.len();
        assert!(self.wrong.is_empty(), "{wrong} of {cases}:\n{}", self.wrong.join("\n"));
        assert!(cases >= CASES, "{cases}");
        let tried: BTreeSet<&str> = self.tried.keys().map(String::as_str).collect();
        assert_eq!(tried, named().iter().map(String::as_str).collect(), "policies/doors.txt");
        println!("{} ways to find a leak", self.checked.len());
        let blind: BTreeSet<&Checked> = self.checked.difference(&self.leaking).collect();
        let known: BTreeSet<Checked> =
            NOT_SHOWN.iter().map(|(door, by, _)| ((*door).to_owned(), *by)).collect();
        assert_eq!(blind, known.iter().collect(), "what would find no leak");
    }
}

/// The doors that the table says are tried here.
fn named() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/doors.txt");
    let text = std::fs::read_to_string(file).expect("the table of doors");
    let lines = text.lines().filter_map(|line| line.split_once(" leaks: "));
    lines.flat_map(|(_, doors)| doors.split(", ").map(str::to_owned)).collect()
}
