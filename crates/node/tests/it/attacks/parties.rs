//! Aggregators and sites that lie, and a coordinator that goes on with a question that was withdrawn.

use app::projects;
use app::rounds::ask::{End, ask, ask_with};
use app::rounds::part::answer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use crypto::hpke::SealingKey;
use identity::Role;
use privacy::aggregate::{Context, Layout, Range, Summation};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::json;
use statistics::{Question, Round};
use tokio::task::block_in_place;
use wire::research::{
    AggregatorKey, Gift, Given, Privacy, Report, ReportPart, ShareOf, Step, SumShare, Unsigned,
    Work,
};
use wire::{RoundsRequest, RoundsResponse, Sealed};

use super::coordinators::Liar;
use super::{PLANTED, failed, has, log, own_key, plant, planted, refused};
use crate::council::org;
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::presence::asking;
use crate::rounds::{
    APPROVED, PATIENCE, caller, dictionary, draft, ended, project, project_of, question,
};

/// What is given in place of what an honest node would.
type Lie<'l> = &'l (dyn Fn(&Work, Gift) -> Gift + Sync);

/// Calls the coordinator for `liar` with its keys, and changes what an honest node would give. It ends
/// when it is dropped.
async fn drive(
    liar: &Hospital,
    to: &Hospital,
    lie: &mut (dyn FnMut(&Work, Gift) -> Gift + Send),
) -> std::convert::Infallible {
    let mut given: Vec<Given> = Vec::new();
    loop {
        let request = RoundsRequest { given, wait_ms: 1_000, ..Default::default() };
        let answered = call(liar, to, &request).await;
        let from = org(&to.org);
        given = answered
            .work
            .into_iter()
            .map(|work| {
                let honest = block_in_place(|| answer(&liar.app, &from, &work));
                let gift = lie(&work, honest);
                Given { inquiry: work.inquiry.id(), ticket: work.ticket, gift }
            })
            .collect();
    }
}

async fn call(from: &Hospital, to: &Hospital, request: &RoundsRequest) -> RoundsResponse {
    let asking = asking("attacks", |asking| {
        asking.subject.role = wire::Role::Service;
        asking.purpose_of_use = "HRESCH".into();
        asking.amr.clear();
        asking.mfa_time_ms = None;
        asking.evidence = None;
    });
    let body = Bytes::from(serde_json::to_vec(request).unwrap());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let peers = from.app.peers();
    let reply = peers.ask(&org(&to.org), wire::path::ROUNDS, body, &asking, deadline).await;
    reply.unwrap().json().await.unwrap()
}

/// A report of which the leader's share is not what its proof is about: a number out of bounds.
fn poisoned(work: &Work, site: &Hospital, asked: &Question, is_noisy: bool) -> Gift {
    let Step::Contribute { round, number, keys, .. } = &work.step else { panic!("a round") };
    let round: Round = serde_json::from_str(round).unwrap();
    let range = |entry: &statistics::Entry| Range {
        bound: entry.bound,
        is_count: entry.is_count,
        length: entry.length,
    };
    let layout = Layout::new(round.layout.entries.iter().map(range).collect()).unwrap();
    let network = site.app.network().list().network.clone();
    let id = work.inquiry.id();
    let context = Context::new(&network, &id, *number);
    let sum = match is_noisy {
        true => Summation::new(layout, &context),
        false => Summation::committed(layout, &context),
    };
    let sum = sum.unwrap();
    let values = asked.contribute(&round, &planted(2)).unwrap().values;
    let mut report = sum.shard(&values, &mut ChaCha20Rng::from_seed([5; 32])).unwrap();
    report.leader[0] ^= 1;
    let key = |sealed: &Sealed| {
        let key: AggregatorKey = sealed.open().unwrap();
        SealingKey(URL_SAFE_NO_PAD.decode(key.key).unwrap().try_into().unwrap())
    };
    let sealed = sum.seal(&report, &key(&keys[0]), &key(&keys[1])).unwrap();
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let unsigned = Unsigned {
        id: encoded(&sealed.id.0),
        public: encoded(&sealed.public_share),
        commitment: sealed.commitment.map_or_else(String::new, |known| encoded(&known.0)),
        shares: [encoded(&sealed.leader), encoded(&sealed.helper)],
        alone: !is_noisy,
    };
    let report = unsigned.sign(&id, *number, &org(&site.org), own_key(site)).unwrap();
    Gift::Report { report }
}

/// The share with other content, signed again.
fn resigned(
    work: &Work,
    gift: Gift,
    liar: &Hospital,
    change: impl Fn(&mut Vec<u8>, &mut String),
) -> Gift {
    let Gift::Share { share: Some(share), refused } = gift else { return gift };
    let Step::Finish { number, .. } = work.step else { panic!("the end of a round") };
    let mut bytes = URL_SAFE_NO_PAD.decode(&share.share).unwrap();
    let mut sites = share.sites;
    change(&mut bytes, &mut sites);
    let parts = (URL_SAFE_NO_PAD.encode(bytes), share.count, share.checksum);
    let (inquiry, aggregator) = (work.inquiry.id(), org(&liar.org));
    let of = ShareOf { inquiry: &inquiry, aggregator: &aggregator, number, step: 1 };
    let share = SumShare::sign(&of, parts, sites, own_key(liar)).unwrap();
    Gift::Share { share: Some(share), refused }
}

#[test]
fn aggregators_and_sites_that_lie_are_found() {
    run(async {
        let setup = Setup { patients: 2, silent: &[2], ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            plant(hospital, at);
        }
        let project = project(&hospitals, &APPROVED).await;
        let [first, leader, liar] = &hospitals.all[..] else { panic!("three") };
        let researcher = caller(&first.app, "researcher");
        let asked = question("linear(age) ~ arm");
        let ask = || block_in_place(|| ask(&first.app, &researcher, &project, &asked)).unwrap();
        let mut kept: Option<Report> = None;
        let mut foreign: Option<ReportPart> = None;
        {
            let id = ask();
            let mut honest = |work: &Work, gift: Gift| {
                if let Gift::Report { report } = &gift {
                    kept.get_or_insert(report.clone());
                }
                if let Step::Verify { reports, .. } = &work.step {
                    foreign.get_or_insert(reports[0].clone());
                }
                gift
            };
            let standing = tokio::select! {
                standing = ended(&first.app, &id) => standing,
                never = drive(liar, first, &mut honest) => match never {},
            };
            assert!(matches!(standing.end, Some(End::Answered(_))), "{standing:?}");
        }
        let (kept, foreign) = (kept.unwrap(), foreign.unwrap());

        // As an aggregator.
        let wrong_share: Lie = &|work, gift| resigned(work, gift, liar, |bytes, _| bytes[0] ^= 1);
        let other_sites: Lie = &|work, gift| {
            let digest = SumShare::sites_digest([&org(&liar.org)]);
            resigned(work, gift, liar, |_, sites| sites.clone_from(&digest))
        };
        let unsigned: Lie = &|_, gift| match gift {
            Gift::Share { share: Some(share), refused } => {
                Gift::Share { share: Some(SumShare { count: 9, ..share }), refused }
            }
            gift => gift,
        };
        for (says, lie) in [
            ("the sum is not accepted", wrong_share),
            ("gave something else than was asked", other_sites),
            ("gave something else than was asked", unsigned),
        ] {
            let id = ask();
            let mut lie = |work: &Work, gift: Gift| lie(work, gift);
            let standing = tokio::select! {
                standing = ended(&first.app, &id) => standing,
                never = drive(liar, first, &mut lie) => match never {},
            };
            let reason = failed(&standing);
            assert!(reason.contains(says), "{says}: {reason}");
        }

        // As a site: it is left out, and named with the rule.
        let out_of_bounds: Lie = &|work, gift| match gift {
            Gift::Report { .. } => poisoned(work, liar, &asked, false),
            gift => gift,
        };
        let replayed: Lie = &|_, gift| match gift {
            Gift::Report { .. } => Gift::Report { report: kept.clone() },
            gift => gift,
        };
        let anothers: Lie = &|work, gift| {
            let (Gift::Report { report }, Step::Contribute { number, .. }) = (&gift, &work.step)
            else {
                return gift;
            };
            let ReportPart { id, public, commitment, .. } = foreign.clone();
            let shares = [report.shares[0].clone(), report.shares[1].clone()];
            let unsigned = Unsigned { id, public, commitment, shares, alone: true };
            let id = work.inquiry.id();
            let report = unsigned.sign(&id, *number, &org(&liar.org), own_key(liar)).unwrap();
            Gift::Report { report }
        };
        for (rule, lie) in
            [("out-of-bounds", out_of_bounds), ("not-signed", replayed), ("not-sealed", anothers)]
        {
            let id = ask();
            let mut lie = |work: &Work, gift: Gift| lie(work, gift);
            let standing = tokio::select! {
                standing = ended(&first.app, &id) => standing,
                never = drive(liar, first, &mut lie) => match never {},
            };
            let why = &standing.missing[&org(&liar.org)];
            assert!(why.contains(rule), "{rule}: {why}");
            assert!(has(&log(leader).await, rule), "{rule} is in the audit");
        }

        // A question that is withdrawn is nobody's any more, whatever its coordinator says later.
        let id = ask();
        let coordinator = first.signed_in(Role::Researcher).await;
        coordinator.delete(&format!("/research/questions/{id}")).await.expect(403);
        block_in_place(|| app::rounds::withdraw(&first.app, &researcher, &id)).unwrap();
        let waits = RoundsRequest { wait_ms: 1_000, ..Default::default() };
        let withdrawn = call(liar, first, &waits).await.withdrawn;
        assert_eq!(withdrawn.len(), 1, "whoever listens hears of it");
        let news = call(liar, first, &RoundsRequest::default()).await;
        assert_eq!(news.withdrawn, withdrawn, "and whoever asks for news");
        let known = RoundsRequest { known: vec![id.clone()], ..Default::default() };
        assert_eq!(call(liar, first, &known).await.withdrawn, []);
        assert!(failed(&ended(&first.app, &id).await).starts_with("rule withdrawn"));
        let again = block_in_place(|| app::rounds::withdraw(&first.app, &researcher, &id));
        assert_eq!(again.unwrap_err().kind, app::Kind::Conflict);
        app::rounds::part::look(&leader.app).await;
        let said: wire::research::Withdrawal = withdrawn[0].open().unwrap();
        assert_eq!(said.inquiry, id);
        let stored = block_in_place(|| app::rounds::ask::signed(&first.app, &id)).unwrap();
        let mut back = Liar {
            hospital: first,
            gifts: first.app.rounds().board().open(&id, stored),
            id: id.clone(),
        };
        let gift = back.has(leader, Step::Key { helper: None }).await;
        assert_eq!(refused(&gift).0, "withdrawn");
        assert!(has(&log(leader).await, "withdrawn"));
        for hospital in [first, leader] {
            assert!(!log(hospital).await.contains(PLANTED));
        }
        hospitals.stop().await;
    });
}

#[test]
fn a_false_proof_does_not_end_a_question_that_is_paid_for() {
    run(async {
        let setup = Setup { patients: 2, silent: &[2], ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            plant(hospital, at);
        }
        let analyses = vec!["crosstab".to_owned()];
        let privacy = Some(Privacy { micro_epsilon: 2_000_000 });
        let plan = projects::Draft { analyses, privacy, ..draft(&hospitals) };
        let project = project_of(&hospitals, plan, &APPROVED).await;
        let [first, leader, liar] = &hospitals.all[..] else { panic!("three") };
        let researcher = caller(&first.app, "researcher");
        let asked = json!({
            "dictionary": dictionary(), "most_rows": 5_000_000,
            "analysis": {"kind": "crosstab", "by": ["arm"]},
        });
        let asked: Question = serde_json::from_value(asked).unwrap();
        let noise = Some(Privacy { micro_epsilon: 500_000 });
        let id = block_in_place(|| ask_with(&first.app, &researcher, &project, &asked, noise));
        let id = id.unwrap();
        let mut lie = |work: &Work, gift: Gift| match gift {
            Gift::Report { .. } => poisoned(work, liar, &asked, true),
            gift => gift,
        };
        let standing = tokio::select! {
            standing = ended(&first.app, &id) => standing,
            never = drive(liar, first, &mut lie) => match never {},
        };
        let Some(End::Answered(answer)) = &standing.end else { panic!("{standing:?}") };
        assert_eq!((answer.sites, standing.begun), (2, 1), "in the same round without it");
        let why = &standing.missing[&org(&liar.org)];
        assert!(why.contains("out-of-bounds"), "{why}");
        assert!(has(&log(leader).await, "out-of-bounds"), "it is in the audit");
        hospitals.stop().await;
    });
}
