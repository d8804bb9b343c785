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
#[path = "../it/client.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod client;
mod consents;
mod doors;
mod generated;
#[path = "../it/hospitals.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod hospitals;
mod network;
mod scene;
mod without;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use doors::{Tried, Visit};
use hospitals::run;
use policy::Purpose;
use scene::Scene;

/// Fewer would show too little.
const CASES: usize = 100_000;
/// Most withheld resources that one caller asks for one by one.
const BY_ITEM: usize = 30;

/// Doors behind which nobody is found to get more than the first of the callers, and why. Any other
/// door must be shown to be able to fail; one that is shown to must leave this list.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("conditional delete", "the answer is the same for what does not exist"),
    ("delete", "the same"),
    ("lastn", "what is generated is of no category by which it answers"),
    ("match", "a Patient stays known at home"),
    ("page", "the pages that are asked for by address show no identifiers and no narrative"),
    ("without: error text", "each is asked of few, and what is withheld was not among them"),
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
            }
        }
        // Before anything is written again: versions are compared too.
        beside_a_twin(&scene, seed, &mut found).await;
        for number in 0..Scene::CALLERS {
            let since = Instant::now();
            let (name, client, withheld) = scene.caller(number).await;
            let mut visit = Visit::new(&client, &scene.items, withheld);
            visit.most_by_item = BY_ITEM;
            visit.is_staff = scene::is_staff(name);
            tour(&mut visit, &scene).await;
            found.take(name, since, &visit);
        }
        every_door_can_fail(&scene, &mut found).await;
        found.judge();
    });
}

/// All doors of one hospital, those behind which something changes last.
async fn tour(visit: &mut Visit<'_>, scene: &Scene) {
    doors::one_by_one(visit).await;
    doors::searches(visit).await;
    doors::by_what_is_withheld(visit).await;
    doors::along(visit).await;
    doors::in_bulk(visit).await;
    doors::pages_for_people(visit).await;
    doors::told(visit, &|item| scene.touch(item)).await;
    doors::changes(visit).await;
}

/// The first of the callers beside a hospital where what is withheld never existed.
async fn beside_a_twin(scene: &Scene, seed: u64, found: &mut Found) {
    let since = Instant::now();
    let withheld = scene.withheld_from(0);
    let twin = scene.twin(&withheld).await;
    let mut visit = Visit::new(scene.staff[0].client().await, &scene.items, withheld);
    without::differences(&mut visit, &twin.client, seed).await;
    found.take("beside a twin", since, &visit);
    // One who sees more than the twin holds must be told apart from it by every question's door.
    let mut visit = Visit::new(scene.unconcerned[0].client().await, &scene.items, BTreeSet::new());
    without::differences(&mut visit, &twin.client, seed).await;
    found.leaking.extend(visit.leaking);
}

/// A door that does not heed what is withheld answers as it answers somebody from whom nothing is.
/// So each door is tried by such a person and judged as if the first of the callers had asked: it
/// must be found to leak, else the test looks past that door.
async fn every_door_can_fail(scene: &Scene, found: &mut Found) {
    let client = scene.unconcerned[1].client().await;
    let mut visit = Visit::new(client, &scene.items, scene.withheld_from(0));
    visit.most_by_item = BY_ITEM;
    tour(&mut visit, scene).await;
    found.leaking.extend(visit.leaking);
    // Over the network: whoever treats sees less than in an emergency, and nobody sees everything.
    for purpose in [Purpose::TREAT, Purpose::BTG] {
        let asker = &scene.abroad[1];
        let everything = scene.generated.items.iter().map(|item| item.mark.clone()).collect();
        let client = asker.client().await;
        let mut visit = Visit::new(client, &scene.generated.items, everything);
        network::records(&mut visit, &scene.generated, purpose).await;
        found.leaking.extend(visit.leaking);
    }
}

/// What all visits have found.
#[derive(Default)]
struct Found {
    wrong: Vec<String>,
    /// The doors, and how many cases were looked at behind each.
    tried: BTreeMap<String, usize>,
    /// The doors that were found to leak when somebody else stood before them.
    leaking: BTreeSet<String>,
}

impl Found {
    fn take(&mut self, name: &str, since: Instant, visit: &Visit<'_>) {
        let (cases, withheld) = (visit.cases(), visit.withheld.len());
        println!("{name}: {cases} cases, {withheld} withheld, {:.1?}", since.elapsed());
        self.wrong.extend(visit.leaks.iter().map(|leak| format!("{name} {leak}")));
        self.wrong.extend(visit.missing.iter().map(|gap| format!("{name} does not get {gap}")));
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
        let blind: BTreeSet<&str> =
            tried.into_iter().filter(|door| !self.leaking.contains(*door)).collect();
        let known = NOT_SHOWN.iter().map(|(door, _)| *door).collect();
        assert_eq!(blind, known, "doors behind which no leak would be found");
    }
}

/// The doors that the table says are tried here.
fn named() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/doors.txt");
    let text = std::fs::read_to_string(file).expect("the table of doors");
    let lines = text.lines().filter_map(|line| line.split_once(" leaks: "));
    lines.flat_map(|(_, doors)| doors.split(", ").map(str::to_owned)).collect()
}
