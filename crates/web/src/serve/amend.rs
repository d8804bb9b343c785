//! What becomes of a project that was applied for: its amendment, beside what stands, and taking it back.

use app::projects::{self, Change, Known};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use serde_json::Value;
use wire::research::NamedProgram;

use super::patient::name_of;
use super::research::project::{program_row, shown_with_fault};
use super::research::{RESEARCHER, said};
use super::session::{Made, Visit, done};
use crate::chrome::Notice;
use crate::form::Field;
use crate::paths::Project;
use crate::research::epsilon;
use crate::research::project::{ChangeRow, EndForm};
use crate::words::Words;

/// `POST /projects/{id}/end`
pub async fn end(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<EndForm>, FormRejection>,
) -> Response {
    let made = try_end(&visit, id, form).await;
    visit.finish(made)
}

async fn try_end(visit: &Visit, id: String, form: Result<Form<EndForm>, FormRejection>) -> Made {
    let user = visit.require(RESEARCHER)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let why = Field::optional(&form.why, 2_000).value;
    let (caller, project) = (visit.caller(user), id.clone());
    match visit.app().run(move |app| projects::end(app, &caller, &project, &why)).await {
        Ok(()) => done(Project(&id), Notice::ProjectEnded),
        Err(error) => shown_with_fault(visit, &id, said(error)?).await,
    }
}

/// What an amendment changes, in words.
pub(super) fn changes(
    app: &app::App,
    w: &Words<'_>,
    amendment: &Known,
    earlier: &Known,
) -> Vec<ChangeRow> {
    let row = |change: &Change| {
        let field = change.field.as_str();
        let (before, after) =
            (shown(app, w, field, &change.before), shown(app, w, field, &change.after));
        match label(field) {
            Some(label) => ChangeRow { label, before, after },
            // A field without words of its own is shown by its name on the wire.
            None => ChangeRow {
                label: "project-else",
                before: format!("{field}: {before}"),
                after: format!("{field}: {after}"),
            },
        }
    };
    projects::changes(&earlier.project, &amendment.project).iter().map(row).collect()
}

/// The value of a field, so that two which differ read differently.
fn shown(app: &app::App, w: &Words<'_>, field: &str, value: &Value) -> String {
    let list = |one: &dyn Fn(&Value) -> String| {
        let all = value.as_array().map(|all| all.iter().map(one).collect::<Vec<_>>());
        all.unwrap_or_default().join(", ")
    };
    match field {
        "holders" | "aggregators" => {
            list(&|org| org.as_str().map(|org| name_of(app, org)).unwrap_or_default())
        }
        "researchers" => list(&person),
        "programs" => list(&|one| program(w, one)),
        "privacy" => match value.get("micro_epsilon").and_then(Value::as_u64) {
            Some(of) => w.say("project-privacy-of").s("epsilon", epsilon(w, &of)).to_string(),
            None => w.say("project-privacy-none").to_string(),
        },
        "release" => match value.as_str() {
            Some("checked") => w.say("project-checked").to_string(),
            Some("automatic") => w.say("project-automatic").to_string(),
            _ => plain(value),
        },
        _ => plain(value),
    }
}

/// A person by name and account: two can have one name.
fn person(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} ({})", text("name"), text("account"))
}

/// A program with its hash and all that it may do: one that differs in a limit alone has the same name.
fn program(w: &Words<'_>, value: &Value) -> String {
    let Ok(named) = serde_json::from_value::<NamedProgram>(value.clone()) else {
        return value.to_string();
    };
    let row = program_row(&named);
    let output = |(name, bound, is_count): &(String, String, bool)| {
        let key = if *is_count { "program-count" } else { "program-sum" };
        format!("{name} {}", w.say(key).s("bound", bound))
    };
    let outputs: Vec<String> = row.outputs.iter().map(output).collect();
    format!(
        "{}, SHA-256 {}; {}: {}; {}: {}; {}, {} bytes",
        row.name,
        row.hash,
        w.say("program-reads"),
        row.variables.join(", "),
        w.say("program-gives"),
        outputs.join(", "),
        w.say("program-limits-of")
            .n("rounds", row.rounds)
            .n("rows", row.rows)
            .n("fuel", row.fuel)
            .n("memory", row.memory),
        named.memory,
    )
}

fn plain(value: &Value) -> String {
    match value {
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

/// The key of what a field is called, where it is called something.
fn label(field: &str) -> Option<&'static str> {
    Some(match field {
        "title" => "project-title",
        "purpose" => "project-about",
        "researchers" => "project-people",
        "holders" => "project-holders",
        "aggregators" => "project-aggregators",
        "dataset" => "project-dataset",
        "analyses" => "project-analyses",
        "programs" => "programs-title",
        "min_sites" => "project-sites",
        "min_rows" => "project-rows",
        "release" => "project-release",
        "privacy" => "project-privacy",
        "from" => "project-from",
        "until" => "project-until",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::OrgId;
    use wire::research::{Privacy, Project, ReleaseRule, Researcher};

    use super::*;
    use crate::lang::Lang;

    fn named() -> NamedProgram {
        serde_json::from_value(json!({
            "hash": "4a5b".repeat(16), "name": "mean", "version": "1.0.0", "bytes": 48_211,
            "variables": ["age"], "rows": 100_000, "rounds": 1, "fuel": 1_000, "memory": 65_536,
            "outputs": [{"name": "n", "length": 1, "is_count": true, "bound": 1_000.0}],
        }))
        .unwrap()
    }

    /// Two applications of which no field is alike. A new field is set here, in both.
    fn two() -> [Project; 2] {
        let org = |id: &str| OrgId::new(id).unwrap();
        let one = |at: u32, text: &str, release, programs| Project {
            version: at,
            network: text.to_owned(),
            amends: Some(text.to_owned()),
            coordinator: org(text),
            title: text.to_owned(),
            purpose: text.to_owned(),
            researchers: vec![Researcher { account: text.to_owned(), name: "Ada".to_owned() }],
            holders: vec![org(text)],
            aggregators: vec![org(text)],
            dataset: text.to_owned(),
            analyses: vec![text.to_owned()],
            programs,
            min_sites: at,
            min_rows: at,
            release,
            privacy: Some(Privacy { micro_epsilon: u64::from(at) * 1_000_000 }),
            from: i64::from(at) * 1_000,
            until: i64::from(at) * 2_000,
            made: i64::from(at),
        };
        let other = NamedProgram { fuel: 2_000, ..named() };
        [
            one(1, "north", ReleaseRule::Checked, vec![named()]),
            one(2, "south", ReleaseRule::Automatic, vec![other]),
        ]
    }

    #[test]
    fn whatever_an_amendment_changes_has_a_label() {
        let [before, after] = two();
        let changed = projects::changes(&before, &after);
        assert_eq!(changed.len(), 14);
        let mut labels = std::collections::BTreeSet::new();
        for change in &changed {
            let label = label(&change.field);
            assert!(label.is_some_and(|label| labels.insert(label)), "{}", change.field);
        }
        assert_eq!(label("added_later"), None);
    }

    #[test]
    fn people_and_programs_of_one_name_are_told_apart() {
        let zone = jiff::tz::TimeZone::UTC;
        let w = Words::new(Lang::EnUs, &zone);
        let people = ["ada", "another"].map(|account| json!({"account": account, "name": "Ada"}));
        assert_eq!(person(&people[0]), "Ada (ada)");
        assert_ne!(person(&people[0]), person(&people[1]));
        let say = |one: NamedProgram| program(&w, &serde_json::to_value(one).unwrap());
        let said = say(named());
        assert!(said.contains(&named().hash) && said.contains("age"), "{said}");
        for other in [
            NamedProgram { hash: "0".repeat(64), ..named() },
            NamedProgram { memory: 65_537, ..named() },
            NamedProgram { rows: 7, ..named() },
            NamedProgram { outputs: Vec::new(), ..named() },
        ] {
            assert_ne!(say(other), said);
        }
    }
}
