//! What nobody who takes part in a research question, nor whoever asks one, can turn against a person:
//! coordinators, aggregators and sites that lie, and questions that are made to single somebody out.

mod coordinators;
mod parties;
mod questions;

use app::catalog;
use app::rounds::ask::{End, Standing};
use crypto::SigningKey;
use identity::Role;
use statistics::{Column, Frame};
use tokio::task::block_in_place;
use wire::research::Gift;

use crate::hospitals::Hospital;
use crate::rounds::{caller, dictionary, rows};

/// Digits that stand in every planted value and in nothing else.
const PLANTED: &str = "0314159";

fn own_key(hospital: &Hospital) -> &SigningKey {
    &hospital.app.peers().identity().assertion_key
}

/// Rows like those of [`rows`] whose ages can be told anywhere.
fn planted(at: usize) -> Frame {
    let mut columns = Vec::new();
    let rows = rows(Some(at), 3);
    for variable in dictionary().variables {
        let column = match rows.column(&variable.name).unwrap() {
            Column::Number(values) if variable.name == "age" => {
                Column::Number(values.iter().map(|age| age.map(|age| age + 0.0314159)).collect())
            }
            other => other.clone(),
        };
        columns.push((variable.name, column));
    }
    Frame::new(columns).unwrap()
}

fn plant(hospital: &Hospital, at: usize) {
    let draft = catalog::Draft {
        name: "trial".to_owned(),
        title: "A trial".to_owned(),
        dictionary: dictionary(),
        rows: planted(at),
    };
    let operator = caller(&hospital.app, "operator");
    block_in_place(|| catalog::register(&hospital.app, &operator, draft)).unwrap();
}

/// The last entries of a hospital's audit.
pub async fn log(hospital: &Hospital) -> String {
    let officer = hospital.signed_in(Role::PrivacyOfficer).await;
    officer.get("/fhir/AuditEvent?_count=1000").await.expect(200).text
}

/// Whether there is an entry of a refusal by this rule.
pub fn has(log: &str, rule: &str) -> bool {
    log.contains(&format!("\"outcomeDesc\":\"{rule}\""))
}

fn refused(gift: &Gift) -> (&str, &str) {
    let Gift::Refusal { rule, reason } = gift else { panic!("refused, not {gift:?}") };
    assert!(!reason.contains(PLANTED), "{reason}");
    (rule, reason)
}

fn failed(standing: &Standing) -> &str {
    let Some(End::Failed(reason)) = &standing.end else { panic!("failed, not {standing:?}") };
    assert!(!reason.contains(PLANTED), "{reason}");
    reason
}
