//! Who waits for whom: what cannot be done for now is asked again, what takes long holds up nothing else, and
//! who asks for news takes no work.

use std::collections::BTreeMap;
use std::convert::Infallible;

use app::rounds::ask::{End, ask, standing};
use app::rounds::exchange;
use app::rounds::part::answer;
use statistics::Analysis;
use tokio::task::block_in_place;
use wire::research::{Gift, Given, Step};
use wire::{RoundsRequest, Sealed};

use super::component::{contributing, mean, program};
use super::{asked, drafted, outcome, start};
use crate::council::org;
use crate::hospitals::{Hospital, Hospitals, Setup, run, shared};
use crate::rounds::{APPROVED, caller, ended, project, project_of, question, register};

/// Acts for a hospital that cannot for now what it is asked first as a site and as an aggregator.
async fn busy_at_first(busy: &Hospital, to: &Hospital) -> Infallible {
    let (own, coordinator) = (org(&busy.org), org(&to.org));
    let (mut was_site, mut was_aggregator) = (false, false);
    let mut given = Vec::new();
    loop {
        let request = RoundsRequest { given, wait_ms: 1_000, ..Default::default() };
        let answered = exchange(&to.app, &own, request).await.unwrap();
        given = Vec::new();
        for work in answered.work {
            let is_first = match &work.step {
                Step::Contribute { .. } => !std::mem::replace(&mut was_site, true),
                Step::Verify { .. } => !std::mem::replace(&mut was_aggregator, true),
                _ => false,
            };
            let gift = match is_first {
                true => Gift::Refusal { rule: "unavailable".to_owned(), reason: String::new() },
                false => block_in_place(|| answer(&busy.app, &coordinator, &work)),
            };
            given.push(Given { inquiry: work.inquiry.id(), ticket: work.ticket, gift });
        }
    }
}

#[test]
fn who_cannot_for_now_is_asked_again_and_ends_nothing() {
    run(async {
        let setup = Setup { patients: 2, silent: &[2], ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let good = program(&mean());
        let project = project_of(&hospitals, drafted(&hospitals, &[&good]), &APPROVED).await;
        let [first, _, busy] = &hospitals.all[..] else { panic!("three") };
        let question = asked(&sandbox::hash(&good));
        let (_, standing) = tokio::select! {
            standing = outcome(first, &project, &question) => standing,
            never = busy_at_first(busy, first) => match never {},
        };
        assert_eq!(standing.missing, BTreeMap::new());
        assert!(matches!(standing.end, Some(End::Checking(_))), "{standing:?}");
        hospitals.stop().await;
    });
}

#[test]
fn a_program_that_takes_long_holds_up_no_other_question() {
    run(async {
        let hospitals = start().await;
        let first = &hospitals.all[0];
        let slow = contributing("(loop $l (br $l)) unreachable");
        let mut plan = drafted(&hospitals, &[&slow]);
        plan.programs[0].fuel = 15_000_000_000;
        let slow_project = project_of(&hospitals, plan, &APPROVED).await;
        let other_project = project(&hospitals, &APPROVED).await;
        let researcher = caller(&first.app, "researcher");
        let mut slow = asked(&sandbox::hash(&slow));
        if let Analysis::Program(program) = &mut slow.analysis {
            program.fuel = 15_000_000_000;
        }
        let slow = block_in_place(|| ask(&first.app, &researcher, &slow_project, &slow)).unwrap();
        // All of them are at it by then.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let other = question("linear(age) ~ arm");
        let other = block_in_place(|| ask(&first.app, &researcher, &other_project, &other));
        let answered = ended(&first.app, &other.unwrap()).await;
        assert!(matches!(answered.end, Some(End::Answered(_))), "{answered:?}");
        let told = block_in_place(|| standing(&first.app, &researcher, &slow)).unwrap();
        assert!(told.end.is_none(), "the other was answered while the program ran: {told:?}");
        let failed = ended(&first.app, &slow).await;
        assert!(matches!(failed.end, Some(End::Failed(_))), "{failed:?}");
        hospitals.stop().await;
    });
}

#[test]
fn who_asks_for_news_takes_no_work() {
    run(async {
        let hospital = &shared().await.all[0];
        let (app, peer) = (&hospital.app, org("somebody-with-news"));
        let key = &app.peers().identity().assertion_key;
        let text = "{\"news\":true}";
        let signature = key.sign(text.as_bytes()).unwrap();
        let sealed = Sealed { text: text.to_owned(), key: key.public_key(), signature };
        let id = sealed.id();
        let board = app.rounds().board();
        let _gifts = board.open(&id, sealed);
        board.put(&id, &peer, Step::Key { helper: None }).unwrap();
        let news = exchange(app, &peer, RoundsRequest::default()).await.unwrap();
        assert_eq!(news.work, []);
        let request = RoundsRequest { wait_ms: 1_000, ..Default::default() };
        let work = exchange(app, &peer, request).await.unwrap().work;
        assert_eq!(work.len(), 1, "it is there for who does it");
        board.close(&id);
    });
}
