//! Questions that are answered with noise: what they cost, what they give, and when they are refused.

use app::rounds::ask;
use app::rounds::part::answer;
use app::{catalog, projects};
use identity::Role;
use serde_json::{Value, json};
use statistics::{Question, Round};
use tokio::task::block_in_place;
use wire::catalog::ToldVariable;
use wire::research::{
    Before, Finding, Gift, Inquiry, Privacy, Report, ReportPart, Step, SumShare, Work,
};
use wire::{CatalogueRequest, OrgId, Sealed};

use crate::client::Client;
use crate::council::org;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::point_of_care::Reader;
use crate::rounds::{
    APPROVED, caller, dictionary, draft, ended, project_of, register, rows, verdict,
};

/// Rows with a value, rows without one, and the cells by arm: placebo, treated, missing.
const TRUTH: [i64; 5] = [240, 0, 144, 96, 0];
/// The two draws of noise at ε 0.5 lie together beyond this once in 10^18 times or so.
const FAR: u64 = 200;
/// Where a data set has most rows, as questions with noise must allow.
const MOST_ROWS: u32 = 5_000_000;

/// A project whose answers have noise, applied for by a program and approved by everybody.
async fn applied(hospitals: &Hospitals, researcher: &Client, privacy: Value) -> String {
    let orgs: Vec<&str> = hospitals.all.iter().map(|one| one.org.as_str()).collect();
    let application = json!({
        "title": "How many are treated", "purpose": "To learn whether it is worth asking",
        "holders": orgs, "aggregators": [orgs[1], orgs[2]], "dataset": "trial",
        "analyses": ["crosstab", "histogram", "regression"], "min_sites": 2, "min_rows": 50,
        "privacy": privacy, "days": 30,
    });
    let applied = researcher.post("/research/projects", &application).await.expect(201);
    let id = applied.json()["id"].as_str().unwrap().to_owned();
    for hospital in &hospitals.all {
        app::rounds::part::look(&hospital.app).await;
        let steward = caller(&hospital.app, "steward");
        let approve = verdict(projects::Choice::Approve);
        block_in_place(|| projects::decide(&hospital.app, &steward, &id, &approve)).unwrap();
        app::rounds::part::look(&hospital.app).await;
    }
    id
}

fn asked(analysis: &Value, epsilon: Option<f64>) -> Value {
    let mut asked = json!({"dictionary": dictionary(), "most_rows": 1_000, "analysis": analysis});
    if let Some(epsilon) = epsilon {
        asked["noise"] = json!({"epsilon": epsilon});
    }
    asked
}

fn by_arm() -> Value {
    json!({"kind": "crosstab", "by": ["arm"]})
}

async fn outcome(researcher: &Client, path: &str, asked: &Value) -> Value {
    let id = researcher.post(path, asked).await.expect(201).json()["id"].clone();
    let path = format!("/research/questions/{}?wait=60", id.as_str().unwrap());
    researcher.get(&path).await.expect(200).json()
}

/// The rule by which something is refused.
fn rule(refused: &Value) -> &Value {
    &refused["issue"][0]["details"]["coding"][0]["code"]
}

async fn left(researcher: &Client) -> f64 {
    let budget = researcher.get("/research/budget").await.expect(200).json();
    budget["left"].as_f64().unwrap()
}

#[test]
fn counts_have_noise_and_are_paid_for_until_the_budget_is_spent() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 4, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let first = &hospitals.all[0];
        let researcher = first.signed_in(Role::Researcher).await;
        let project = applied(&hospitals, &researcher, json!({"epsilon": 2.0})).await;
        let path = format!("/research/projects/{project}/questions");
        let listed = researcher.get("/research/projects").await.expect(200).json();
        let application = &listed["projects"][0]["application"];
        assert_eq!(application["privacy"], json!({"micro_epsilon": 2_000_000}));

        // Before anything is spent: what it costs, what is left, and how exact it would be.
        let mut dry = asked(&by_arm(), Some(0.5));
        dry["dry"] = json!(true);
        let plan = researcher.post(&path, &dry).await.expect(200).json();
        assert_eq!((&plan["epsilon"], &plan["within"]), (&json!(0.5), &json!(16)));
        assert_eq!(plan["project"], json!({"left": 2.0, "of": 2.0}));
        assert_eq!(plan["here"]["left"], json!(10.0));
        // The page offers what can be answered so, and tells the same of a histogram.
        let page = Reader::new(first, researcher.clone());
        let form = page.get(&format!("/projects/{project}")).await.expect(200).text;
        assert!(form.contains("id=\"kind-histogram\""), "{form}");
        assert!(!form.contains("id=\"kind-regression\""), "{form}");
        let ages = [
            ("kind", "histogram"),
            ("text", "age: 18, 50, 100"),
            ("epsilon", "0.5"),
            ("choice", "dry"),
        ];
        let ask = format!("/projects/{project}/questions");
        let told = page.post(&ask, &ages).await.expect(200).text;
        assert!(told.contains("within ± 16 of the truth"), "{told}");
        let much = [("kind", "histogram"), ("text", "age: 10"), ("epsilon", "2.5")];
        let told = page.post(&ask, &much).await.expect(200).text;
        assert!(
            told.contains("at most that of the project. <span class=\"code\">privacy<"),
            "{told}"
        );
        let none = researcher.get(&path).await.expect(200).json();
        assert_eq!((&none["questions"], left(&researcher).await), (&json!([]), 10.0));

        // What cannot be answered with noise is refused before anything is spent.
        let regression = json!({"kind": "regression", "formula": "linear(age) ~ arm"});
        for (asked, says) in [
            (asked(&regression, Some(0.5)), "`crosstab` and `histogram`"),
            (asked(&by_arm(), None), "every question of the project is answered with noise"),
            (asked(&by_arm(), Some(2.5)), "to the project's 2"),
            (asked(&by_arm(), Some(0.0)), "from 0.1"),
            (asked(&by_arm(), Some(0.099)), "from 0.1"),
        ] {
            let refused = researcher.post(&path, &asked).await.expect(403);
            assert_eq!(rule(&refused.json()), "privacy", "{}", refused.text);
            assert!(refused.text.contains(says), "{}", refused.text);
        }
        // More cells than a sum carries are not planned, either.
        let levels: Vec<String> = (0..200).map(|at| at.to_string()).collect();
        let variable = |name: &str| json!({"name": name, "kind": "category", "levels": levels});
        let mut wide = asked(&json!({"kind": "crosstab", "by": ["one", "other"]}), Some(0.5));
        wide["dictionary"] = json!({"variables": [variable("one"), variable("other")]});
        for dry in [true, false] {
            wide["dry"] = json!(dry);
            let refused = researcher.post(&path, &wide).await.expect(400);
            assert!(refused.text.contains("too many"), "{}", refused.text);
        }
        assert_eq!(left(&researcher).await, 10.0);

        // Asked four times it is drawn four times, and paid four times.
        let (mut released, mut away) = (Vec::new(), 0);
        for turn in 1..=4_u32 {
            let found = outcome(&researcher, &path, &asked(&by_arm(), Some(0.5))).await;
            assert_eq!((&found["state"], &found["epsilon"]), (&json!("answered"), &json!(0.5)));
            let answer = &found["answer"];
            let noise = &answer["noise"];
            assert_eq!(
                (&noise["law"], &noise["adders"], &noise["within"], &noise["micro_epsilon"]),
                (&json!("discrete-laplace"), &json!(2), &json!(16), &json!(500_000)),
            );
            let counts: Vec<i64> = serde_json::from_value(noise["released"].clone()).unwrap();
            assert_eq!(counts.len(), TRUTH.len(), "{found}");
            for (count, truth) in counts.iter().zip(TRUTH) {
                assert!(count.abs_diff(truth) < FAR, "{counts:?}");
                away += u32::from(*count != truth);
            }
            let shown: Vec<i64> =
                serde_json::from_value(answer["finding"]["cells"].clone()).unwrap();
            let from_zero: Vec<i64> = counts[2..].iter().map(|count| (*count).max(0)).collect();
            assert_eq!(shown, from_zero);
            released.push(counts);
            let cited = found["release"].as_str().unwrap();
            let release = researcher.get(&format!("/research/releases/{cited}")).await.expect(200);
            assert_eq!(release.json()["id"], cited);
            assert_eq!(left(&researcher).await, 10.0 - 0.5 * f64::from(turn));
        }
        // One count of 16 is the truth by chance; that more than half of 20 are is one case in 10^8.
        assert!(away >= 10, "{released:?}");
        assert!(released.iter().any(|one| *one != released[0]), "{released:?}");

        // A fifth is refused by rule, and so is a first where nothing is left.
        let refused = researcher.post(&path, &asked(&by_arm(), Some(0.5))).await.expect(403);
        assert_eq!(rule(&refused.json()), "budget", "{}", refused.text);
        let plan = researcher.post(&path, &dry).await.expect(200).json();
        assert_eq!(plan["project"], json!({"left": 0.0, "of": 2.0}));
        let officer = first.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=200&_sort=-date").await.expect(200).text;
        assert!(log.contains("research budget"), "the refusal is in the audit");
        assert!(log.matches("of a question with noise at ε = 0.5").count() >= 4);

        // It left by itself, with what protects whoever is in it, and patients hear at what cost.
        let outputs = first.signed_in(Role::Steward).await;
        let outputs = outputs.get("/research/outputs").await.expect(200).json();
        let id = outputs["outputs"][0]["state"]["id"].as_str().unwrap().to_owned();
        let cited = researcher.get(&format!("/research/releases/{id}")).await.expect(200).text;
        assert!(cited.contains("ε-differentially private, discrete Laplace: ε = 0.5"), "{cited}");
        for hospital in &hospitals.all {
            let own = hospitals.story().at[&hospital.org].patient_id.clone();
            let patient = Reader::new(hospital, hospital.patient(&own).await);
            let told = patient.get("/me/research").await.expect(200).text;
            assert_eq!(told.matches("changed a little by chance (ε 0.5)").count(), 4, "{told}");
        }
        hospitals.stop().await;
    });
}

#[test]
fn a_round_with_noise_goes_on_without_a_site_and_is_paid_once() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate().take(2) {
            register(hospital, at, 2);
        }
        let first = &hospitals.all[0];
        let researcher = first.signed_in(Role::Researcher).await;
        let project = applied(&hospitals, &researcher, json!({"epsilon": 1.0})).await;
        let path = format!("/research/projects/{project}/questions");
        let ages = json!({"kind": "histogram", "variable": "age", "edges": [18, 50, 100]});
        let found = outcome(&researcher, &path, &asked(&ages, Some(1.0))).await;
        assert_eq!((&found["state"], &found["rounds"]), (&json!("answered"), &json!(1)), "{found}");
        assert_eq!(found["answer"]["sites"], 2);
        let why = found["missing"][&hospitals.all[2].org].as_str().unwrap();
        assert!(why.starts_with("rule no-dataset"), "{why}");
        let rows = found["answer"]["n"].as_u64().unwrap();
        assert!(rows.abs_diff(240) < FAR, "{found}");
        assert_eq!(left(&researcher).await, 9.0);
        hospitals.stop().await;
    });
}

/// What a hospital gives for work that the first hands out.
struct Desk<'h> {
    from: &'h Hospital,
    inquiry: Sealed,
}

impl Desk<'_> {
    fn has(&self, to: &Hospital, step: Step) -> Gift {
        let work = Work { ticket: 1, inquiry: self.inquiry.clone(), step };
        block_in_place(|| answer(&to.app, &org(&self.from.org), &work))
    }

    fn refused(&self, to: &Hospital, step: Step) -> String {
        match self.has(to, step) {
            Gift::Refusal { rule, .. } => rule,
            gift => panic!("{gift:?}"),
        }
    }

    fn keys(&self, leader: &Hospital, helper: &Hospital) -> Vec<Sealed> {
        let key = |of: &Hospital, helper: Option<Sealed>| match self.has(of, Step::Key { helper }) {
            Gift::Key { key } => key,
            gift => panic!("{gift:?}"),
        };
        let of_helper = key(helper, None);
        vec![key(leader, Some(of_helper.clone())), of_helper]
    }

    fn report(&self, of: &Hospital, step: Step) -> Report {
        match self.has(of, step) {
            Gift::Report { report } => report,
            gift => panic!("{gift:?}"),
        }
    }

    fn findings(&self, of: &Hospital, step: Step) -> Vec<Finding> {
        match self.has(of, step) {
            Gift::Findings { findings, refused } if refused.is_empty() => findings,
            gift => panic!("{gift:?}"),
        }
    }

    fn share(&self, of: &Hospital, findings: &[Finding]) -> SumShare {
        let step = Step::Finish { number: 1, findings: findings.to_vec() };
        match self.has(of, step) {
            Gift::Share { share: Some(share), .. } => share,
            gift => panic!("{gift:?}"),
        }
    }
}

#[test]
fn a_coordinator_gets_one_noise_for_what_is_paid_once() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let [first, leader, helper] = &hospitals.all[..] else { panic!("three") };
        let analyses = ["crosstab", "regression"].map(str::to_owned).to_vec();
        let privacy = Some(Privacy { micro_epsilon: 2_000_000 });
        let plan = projects::Draft { analyses, privacy, ..draft(&hospitals) };
        let project = project_of(&hospitals, plan.clone(), &APPROVED).await;

        let question = |analysis: Value, most_rows: u32| -> Question {
            let question =
                json!({"dictionary": dictionary(), "most_rows": most_rows, "analysis": analysis});
            serde_json::from_value(question).unwrap()
        };
        let counts = question(by_arm(), MOST_ROWS);
        let inquiry = |question: &Question, micro_epsilon: Option<u64>, more: i64| {
            let inquiry = Inquiry {
                version: 1,
                project: project.clone(),
                asker: "researcher".to_owned(),
                question: serde_json::to_string(question).unwrap(),
                sites: plan.holders.clone(),
                aggregators: plan.aggregators.clone().into(),
                min_sites: plan.min_sites,
                min_rows: plan.min_rows,
                noise: micro_epsilon.map(|micro_epsilon| Privacy { micro_epsilon }),
                made: first.app.now_ms(),
                until: first.app.now_ms() + 3_600_000 + more,
            };
            let key = &first.app.peers().identity().assertion_key;
            Desk { from: first, inquiry: Sealed::seal(&inquiry, key).unwrap() }
        };
        let round = |round: &Round, number: u32, keys: &[Sealed]| Step::Contribute {
            round: serde_json::to_string(round).unwrap(),
            number,
            keys: keys.to_vec(),
            before: Before::default(),
        };

        // A coordinator that signs what its project does not allow is refused by each holder.
        let formula = json!({"kind": "regression", "formula": "linear(age) ~ arm"});
        let regression = question(formula, MOST_ROWS);
        let few = question(by_arm(), 80);
        for (asked, noise) in [
            (&counts, None),
            (&counts, Some(3_000_000)),
            (&few, Some(500_000)),
            (&regression, Some(500_000)),
        ] {
            let desk = inquiry(asked, noise, 0);
            let step = round(&asked.start().unwrap().first(), 1, &[]);
            assert_eq!(desk.refused(leader, step), "privacy");
        }

        let desk = inquiry(&counts, Some(1_500_000), 1);
        let keys = desk.keys(leader, helper);
        let asked = counts.start().unwrap().first();
        let mut reports = Vec::new();
        for site in &hospitals.all {
            let report = desk.report(site, round(&asked, 1, &keys));
            assert!(!report.alone && report.commitment.is_empty(), "nothing but counts with noise");
            // Asked again, as after an answer that was lost, it is not paid for again.
            desk.report(site, round(&asked, 1, &keys));
            assert_eq!(desk.refused(site, round(&asked, 2, &keys)), "privacy");
            reports.push((org(&site.org), report));
        }
        let verify = |place: usize| {
            let part = |(site, report): &(OrgId, Report)| report.part(site, place).unwrap();
            let reports: Vec<ReportPart> = reports.iter().map(part).collect();
            Step::Verify {
                round: serde_json::to_string(&asked).unwrap(),
                number: 1,
                other: keys[1 - place].clone(),
                reports,
                before: Before::default(),
            }
        };
        let by_leader = desk.findings(leader, verify(0));
        let by_helper = desk.findings(helper, verify(1));
        let share = desk.share(leader, &by_helper);
        // Asked for again, and over fewer sites, it is the same share with the same noise.
        assert_eq!(desk.share(leader, &by_helper), share);
        assert_eq!(desk.share(leader, &by_helper[..2]), share);
        let of_helper = desk.share(helper, &by_leader);
        assert_eq!(desk.share(helper, &by_leader[1..]), of_helper);

        // What is left does not cover another of the same ε, at any holder; it covers a smaller one. Where it does
        // not, nothing is looked for.
        let operator = caller(&helper.app, "operator");
        block_in_place(|| catalog::remove(&helper.app, &operator, "trial")).unwrap();
        let more = inquiry(&counts, Some(600_000), 2);
        let keys = more.keys(leader, helper);
        for site in &hospitals.all {
            assert_eq!(more.refused(site, round(&asked, 1, &keys)), "budget");
            let log = crate::attacks::log(site).await;
            assert!(crate::attacks::has(&log, "budget"), "{} has it in its audit", site.org);
        }
        let less = inquiry(&counts, Some(500_000), 3);
        let keys = less.keys(leader, helper);
        less.report(leader, round(&asked, 1, &keys));

        // Levels and bounds that were made of the rows are told to nobody, and not asked with noise.
        assert_eq!(less.refused(helper, round(&asked, 1, &keys)), "no-dataset");
        let told = |hospital: &Hospital| {
            let request = CatalogueRequest::default();
            let told = block_in_place(|| catalog::answer(&hospital.app, &request)).unwrap();
            let one = |of: ToldVariable| (of.least.or(of.most), of.levels.len());
            told.sets.into_iter().flat_map(|set| set.variables).map(one).collect::<Vec<_>>()
        };
        assert_eq!(told(leader), [(Some(0.0), 0), (Some(18.0), 0), (None, 2)]);
        let (name, title) = ("trial".to_owned(), "A trial".to_owned());
        let draft = catalog::Draft { name, title, dictionary: dictionary(), rows: rows(None, 3) };
        let undeclared = || {
            catalog::register_undeclared(&helper.app, &operator, draft, catalog::About::default())
        };
        block_in_place(undeclared).unwrap();
        assert_eq!(told(helper), [(None, 0), (None, 0), (None, 0)]);
        let reader = helper.signed_in(Role::Researcher).await;
        let page = reader.get("/research/catalog/trial/croissant.json").await.expect(200).text;
        assert!(page.contains("arm") && !page.contains("placebo"), "{page}");
        assert_eq!(less.refused(helper, round(&asked, 1, &keys)), "privacy");
        hospitals.stop().await;
    });
}

#[test]
fn an_amendment_goes_on_with_the_noise_and_its_budget() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let [first, leader, helper] = &hospitals.all[..] else { panic!("three") };
        let researcher = caller(&first.app, "researcher");
        let of = |micro_epsilon: u64| Some(Privacy { micro_epsilon });
        let analyses = vec!["crosstab".to_owned()];
        let plan = projects::Draft { analyses, privacy: of(2_000_000), ..draft(&hospitals) };
        let earlier = project_of(&hospitals, plan.clone(), &APPROVED).await;
        let counts: Question = serde_json::from_value(json!({
            "dictionary": dictionary(), "most_rows": MOST_ROWS, "analysis": by_arm(),
        }))
        .unwrap();
        let asked = |project: &str, noise| {
            block_in_place(|| ask::ask_with(&first.app, &researcher, project, &counts, noise))
        };
        let question = asked(&earlier, of(1_500_000)).unwrap();
        let standing = ended(&first.app, &question).await;
        assert!(matches!(standing.end, Some(ask::End::Answered(_))), "{standing:?}");

        // What noise has protected is not asked exactly in an amendment.
        let amended = projects::Draft { amends: Some(earlier), ..plan.clone() };
        let exact = projects::Draft { privacy: None, ..amended.clone() };
        let refused = block_in_place(|| projects::apply(&first.app, &researcher, exact));
        let refused = refused.unwrap_err();
        assert!(refused.message.contains("privacy budget"), "{}", refused.message);

        // What was spent before stays spent, where it is asked and at every holder.
        let amendment = project_of(&hospitals, amended, &APPROVED).await;
        let told =
            block_in_place(|| ask::plan(&first.app, &researcher, &amendment, &counts, of(500_000)));
        let told = told.unwrap();
        assert_eq!((told.left, told.of), (500_000, 2_000_000));
        let refused = asked(&amendment, of(1_000_000)).unwrap_err();
        assert_eq!(refused.rule.as_deref(), Some("budget"), "{}", refused.message);
        let now = first.app.now_ms();
        let inquiry = Inquiry {
            version: 1,
            project: amendment.clone(),
            asker: "researcher".to_owned(),
            question: serde_json::to_string(&counts).unwrap(),
            sites: plan.holders.clone(),
            aggregators: plan.aggregators.clone().into(),
            min_sites: plan.min_sites,
            min_rows: plan.min_rows,
            noise: of(1_000_000),
            made: now,
            until: now + 3_600_000,
        };
        let key = &first.app.peers().identity().assertion_key;
        let desk = Desk { from: first, inquiry: Sealed::seal(&inquiry, key).unwrap() };
        let keys = desk.keys(leader, helper);
        for site in &hospitals.all {
            let round = serde_json::to_string(&counts.start().unwrap().first()).unwrap();
            let (keys, before) = (keys.clone(), Before::default());
            let step = Step::Contribute { round, number: 1, keys, before };
            assert_eq!(desk.refused(site, step), "budget", "{}", site.org);
        }
        asked(&amendment, of(500_000)).unwrap();
        hospitals.stop().await;
    });
}
