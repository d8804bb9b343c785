//! A coordinator that lies: about the question, the round, the keys, the sums before.

use std::collections::BTreeMap;

use app::rounds::board::Handed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::SigningKey;
use serde_json::{Value, json};
use statistics::{Progress, Question, Round, Sums};
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::research::{
    AggregatorKey, Before, Finding, Gift, Inquiry, PastSum, Report, ReportPart, ShareOf, Step,
    SumShare,
};
use wire::{OrgId, Sealed};

use super::{PLANTED, has, log, own_key, plant, planted, refused};
use crate::council::org;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::rounds::{APPROVED, PATIENCE, draft, project, question};

/// A coordinator that has its institution's keys and hands out what it likes.
pub struct Liar<'h> {
    pub hospital: &'h Hospital,
    pub id: String,
    pub gifts: mpsc::Receiver<Handed>,
}

impl<'h> Liar<'h> {
    /// Opens a question at the coordinator's board, signed by `key`.
    fn opens(hospital: &'h Hospital, inquiry: &Inquiry, key: &SigningKey) -> Self {
        let sealed = Sealed::seal(inquiry, key).unwrap();
        let id = sealed.id();
        let gifts = hospital.app.rounds().board().open(&id, sealed);
        Self { hospital, id, gifts }
    }

    /// Has `to` do something, and waits for what it gives.
    pub async fn has(&mut self, to: &Hospital, step: Step) -> Gift {
        let board = self.hospital.app.rounds().board();
        let ticket = board.put(&self.id, &org(&to.org), step).unwrap();
        loop {
            let handed = timeout(PATIENCE, self.gifts.recv()).await.expect("in time").unwrap();
            if handed.ticket == ticket {
                return handed.gift;
            }
        }
    }

    async fn key(&mut self, of: &Hospital, helper: Option<Sealed>) -> Sealed {
        match self.has(of, Step::Key { helper }).await {
            Gift::Key { key } => key,
            gift => panic!("{gift:?}"),
        }
    }

    async fn report(&mut self, of: &Hospital, round: &Asked) -> Report {
        match self.has(of, round.contribute()).await {
            Gift::Report { report } => report,
            gift => panic!("{gift:?}"),
        }
    }

    /// What an aggregator finds of the reports.
    async fn findings(
        &mut self,
        of: &Hospital,
        place: usize,
        round: &Asked,
        reports: &BTreeMap<OrgId, Report>,
    ) -> Vec<Finding> {
        let parts = reports.iter().map(|(site, report)| report.part(site, place).unwrap());
        match self.has(of, round.verify(place, parts.collect())).await {
            Gift::Findings { findings, refused } => {
                assert_eq!(refused, []);
                findings
            }
            gift => panic!("{gift:?}"),
        }
    }

    async fn share(&mut self, of: &Hospital, number: u32, findings: Vec<Finding>) -> SumShare {
        match self.has(of, Step::Finish { number, findings }).await {
            Gift::Share { share: Some(share), .. } => share,
            gift => panic!("{gift:?}"),
        }
    }
}

/// A round as a coordinator asks it.
#[derive(Clone)]
struct Asked {
    text: String,
    number: u32,
    keys: Vec<Sealed>,
    before: Before,
}

impl Asked {
    fn contribute(&self) -> Step {
        let Self { text, number, keys, before } = self.clone();
        Step::Contribute { round: text, number, keys, before }
    }

    fn verify(&self, place: usize, reports: Vec<ReportPart>) -> Step {
        let Self { text, number, keys, before } = self.clone();
        Step::Verify { round: text, number, other: keys[1 - place].clone(), reports, before }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut out = self.clone();
        change(&mut out);
        out
    }
}

fn text(round: &Round) -> String {
    serde_json::to_string(round).unwrap()
}

/// The round with one number of its state moved by a thousandth.
fn made_up(round: &Round) -> String {
    fn first(value: &mut Value) -> Option<&mut Value> {
        match value {
            Value::Array(values) => values.iter_mut().find_map(first),
            Value::Object(values) => values.iter_mut().find_map(|(_, value)| first(value)),
            Value::Number(number) if number.is_f64() && number.as_f64() != Some(0.0) => Some(value),
            _ => None,
        }
    }
    let mut round = round.clone();
    let number = first(&mut round.state).expect("a number to change");
    *number = json!(number.as_f64().unwrap() * 1.001);
    text(&round)
}

fn inquiry(app: &app::App, project: &str, asked: &Question, hospitals: &Hospitals) -> Inquiry {
    let drafted = draft(hospitals);
    Inquiry {
        version: 1,
        project: project.to_owned(),
        asker: "researcher".to_owned(),
        question: serde_json::to_string(asked).unwrap(),
        sites: drafted.holders,
        aggregators: drafted.aggregators.into(),
        min_sites: drafted.min_sites,
        min_rows: drafted.min_rows,
        noise: None,
        made: app.now_ms(),
        until: app.now_ms() + 60 * 60 * 1000,
    }
}

/// The round after one whose sums are these sites'.
fn next(asked: &Question, progress: &mut Box<dyn Progress>, round: &Round) -> Round {
    let each = (0..3).map(|at| asked.contribute(round, &planted(at)).unwrap().values);
    let values = each.reduce(|sum, one| sum.iter().zip(one).map(|(a, b)| a + b).collect()).unwrap();
    match progress.take(&Sums { values, sites: 3 }).unwrap() {
        statistics::Step::Ask(round) => round,
        statistics::Step::Done(_) => panic!("a further round"),
    }
}

#[test]
fn a_coordinator_cannot_choose_what_a_round_asks() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            plant(hospital, at);
        }
        let project = project(&hospitals, &APPROVED).await;
        let [first, leader, helper] = &hospitals.all[..] else { panic!("three") };
        let asked = question("linear(age) ~ arm");
        let honest = inquiry(&first.app, &project, &asked, &hospitals);

        // What the question itself may be.
        type Lie<'a> = &'a dyn Fn(&mut Inquiry);
        let lies: [(&str, Lie<'_>); 6] = [
            ("sites", &|one| one.sites.push(org("nobody"))),
            ("aggregators", &|one| one.aggregators.swap(0, 1)),
            ("minimum", &|one| one.min_rows = 1),
            ("asker", &|one| one.asker = "somebody-else".to_owned()),
            ("no-project", &|one| one.project = "ab".repeat(32)),
            ("not-now", &|one| (one.made, one.until) = (1, 2)),
        ];
        let keyless = Asked {
            text: text(&asked.start().unwrap().first()),
            number: 1,
            keys: Vec::new(),
            before: Before::default(),
        };
        for (rule, lie) in lies {
            let mut inquiry = honest.clone();
            lie(&mut inquiry);
            let mut liar = Liar::opens(first, &inquiry, own_key(first));
            assert_eq!(refused(&liar.has(leader, keyless.contribute()).await).0, rule);
            assert_eq!(refused(&liar.has(leader, Step::Key { helper: None }).await).0, rule);
        }
        let mut liar = Liar::opens(first, &honest, own_key(helper));
        assert_eq!(refused(&liar.has(leader, keyless.contribute()).await).0, "not-valid");
        first.app.rounds().board().close(&liar.id);

        // An honest first round, but for what is tried beside it.
        let mut liar = Liar::opens(first, &honest, own_key(first));
        let of_helper = liar.key(helper, None).await;
        let of_leader = liar.key(leader, Some(of_helper.clone())).await;
        let mut progress = asked.start().unwrap();
        let round = progress.first();
        let one = Asked {
            text: text(&round),
            number: 1,
            keys: vec![of_leader.clone(), of_helper.clone()],
            before: Before::default(),
        };
        let mut mine: AggregatorKey = of_leader.open().unwrap();
        mine.key = URL_SAFE_NO_PAD.encode([9; 32]);
        let mine = Sealed::seal(&mine, own_key(first)).unwrap();
        let lies = [
            ("aggregators", one.with(|one| one.keys[0] = mine.clone())),
            ("aggregators", one.with(|one| one.keys.swap(0, 1))),
            ("aggregators", one.with(|one| one.keys.truncate(1))),
            ("state", one.with(|one| one.text = made_up(&round))),
            ("not-valid", one.with(|one| one.text = "{}".to_owned())),
            (Before::LOST, one.with(|one| one.before.from = 1)),
        ];
        for (rule, lie) in &lies {
            assert_eq!(refused(&liar.has(leader, lie.contribute()).await).0, *rule);
        }
        let mut reports = BTreeMap::new();
        for site in &hospitals.all {
            reports.insert(org(&site.org), liar.report(site, &one).await);
        }
        let pretty = serde_json::to_string_pretty(&round).unwrap();
        let again = one.with(|one| one.text = pretty);
        assert_eq!(refused(&liar.has(leader, again.contribute()).await).0, "replayed-round");

        // Reports under another name or of another round are not added; nor is a made-up round.
        let part = reports[&org(&first.org)].part(&org(&first.org), 0).unwrap();
        let renamed = ReportPart { site: org(&helper.org), ..part.clone() };
        let alone = ReportPart { alone: !part.alone, ..part.clone() };
        for (rule, lie) in [("not-signed", renamed), ("not-signed", alone)] {
            let gift = liar.has(leader, one.verify(0, vec![lie])).await;
            let Gift::Findings { refused, .. } = gift else { panic!("{gift:?}") };
            assert_eq!(refused[0].rule, rule);
        }
        let gift = liar.has(leader, one.with(|one| one.number = 9).verify(0, vec![part])).await;
        let Gift::Findings { refused: replayed, .. } = gift else { panic!("{gift:?}") };
        assert_eq!(replayed[0].rule, "not-signed", "a share of another round");
        let lie = one.with(|one| one.text = made_up(&round)).verify(0, Vec::new());
        assert_eq!(refused(&liar.has(leader, lie).await).0, "state");

        let by_leader = liar.findings(leader, 0, &one, &reports).await;
        let by_helper = liar.findings(helper, 1, &one, &reports).await;
        let few = Step::Finish { number: 1, findings: by_helper[..1].to_vec() };
        assert_eq!(refused(&liar.has(leader, few).await).0, "min-sites");
        let shares = vec![
            liar.share(leader, 1, by_helper.clone()).await,
            liar.share(helper, 1, by_leader.clone()).await,
        ];
        // Asked again over fewer sites, it is the same sum.
        let same = liar.share(leader, 1, by_helper[..2].to_vec()).await;
        assert_eq!(same, shares[0]);

        // The second round is what the signed sums say, and nothing else.
        let sum = PastSum { number: 1, shares };
        let second = next(&asked, &mut progress, &round);
        let two = Asked {
            text: text(&second),
            number: 2,
            before: Before { from: 0, sums: vec![sum.clone()] },
            ..one.clone()
        };
        let told = |sum: PastSum| two.with(|two| two.before.sums = vec![sum]);
        let (id, of_helper) = (liar.id.clone(), org(&helper.org));
        let of = ShareOf { inquiry: &id, aggregator: &of_helper, number: 1, step: 1 };
        let forged = |key: &SigningKey| {
            let honest = sum.shares[1].clone();
            let mut bytes = URL_SAFE_NO_PAD.decode(&honest.share).unwrap();
            bytes[0] ^= 1;
            let parts = (URL_SAFE_NO_PAD.encode(bytes), honest.count, honest.checksum);
            SumShare::sign(&of, parts, honest.sites, key).unwrap()
        };
        let with_helper =
            |share: SumShare| PastSum { number: 1, shares: vec![sum.shares[0].clone(), share] };
        let mut lies = vec![
            two.with(|two| two.text = made_up(&second)),
            two.with(|two| two.before = Before::default()),
            two.with(|two| two.text = text(&round)),
            told(PastSum { number: 3, ..sum.clone() }),
            told(PastSum { shares: vec![sum.shares[0].clone(); 2], ..sum.clone() }),
            told(with_helper(forged(own_key(first)))),
            told(with_helper(SumShare { count: 2, ..sum.shares[1].clone() })),
            told(with_helper(SumShare {
                sites: SumShare::sites_digest([&org("a")]),
                ..sum.shares[1].clone()
            })),
        ];
        for lie in &lies {
            assert_eq!(refused(&liar.has(first, lie.contribute()).await).0, "state");
        }
        // One aggregator that lies together with the coordinator does not get by the other.
        lies.push(told(with_helper(forged(own_key(helper)))));
        for lie in &lies {
            assert_eq!(refused(&liar.has(leader, lie.verify(0, Vec::new())).await).0, "state");
        }
        let unsound = told(PastSum { shares: Vec::new(), ..sum.clone() });
        assert_eq!(refused(&liar.has(leader, unsound.contribute()).await).0, "not-valid");

        // The honest second round goes on, and without one of the sites it does not.
        let mut reports = BTreeMap::new();
        for site in &hospitals.all[..2] {
            reports.insert(org(&site.org), liar.report(site, &two).await);
        }
        let known = two.with(|two| two.before = Before { from: 1, sums: Vec::new() });
        let findings = liar.findings(helper, 1, &two, &reports).await;
        liar.findings(leader, 0, &known, &reports).await;
        let fewer = liar.has(leader, Step::Finish { number: 2, findings }).await;
        assert_eq!(refused(&fewer).0, "sites-changed");

        let of_leader = [
            "sites",
            "minimum",
            "aggregators",
            "state",
            "replayed-round",
            "not-signed",
            "sites-changed",
            "min-sites",
            "not-now",
            "asker",
            "no-project",
            "not-valid",
        ];
        for (hospital, rules) in [(leader, &of_leader[..]), (first, &["state"][..])] {
            let log = log(hospital).await;
            for rule in rules {
                assert!(has(&log, rule), "{} has {rule} in its audit", hospital.org);
            }
            assert!(!log.contains(PLANTED));
        }
        hospitals.stop().await;
    });
}
