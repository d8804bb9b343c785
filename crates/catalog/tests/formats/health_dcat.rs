//! HealthDCAT-AP: what must be there is there, and what is missing is found twice, in the description and
//! in the graph.

use consilium_catalog::description::{Access, Want};
use consilium_catalog::health_dcat::{CONSTRAINTS, Release, Rule, check, graph};
use consilium_catalog::{Dataset, Texts};
use proptest::prelude::*;

use super::described::{catalogue, lung};
use super::turtle;

#[test]
fn a_whole_catalogue_has_no_gap_and_its_graph_breaks_nothing() {
    let whole = catalogue();
    assert_eq!(whole.gaps(), []);
    let graph = graph(&whole);
    assert_eq!(check(&graph), []);
    assert!(graph.len() > 200, "{}", graph.len());
}

/// Every mandatory field: how to take it away, and where the gap is to be.
type Without = fn(&mut Dataset);

const MANDATORY: [(&str, Without); 13] = [
    ("title", |set| set.title = Texts::new()),
    ("description", |set| set.description = Texts::new()),
    ("keywords", |set| set.keywords.clear()),
    ("themes", |set| set.themes.clear()),
    ("categories", |set| set.categories.clear()),
    ("health_themes", |set| set.health_themes.clear()),
    ("kind", |set| set.kind = None),
    ("purposes", |set| set.purposes.clear()),
    ("legislation", |set| set.legislation.clear()),
    ("places", |set| set.places.clear()),
    ("provenance", |set| set.provenance = Texts::new()),
    ("access_body", |set| set.access_body = None),
    ("contact", |set| set.contact = None),
];

#[test]
fn whatever_is_taken_away_is_missed_by_description_and_graph() {
    for (field, take) in MANDATORY {
        let mut catalogue = catalogue();
        catalogue.datasets.truncate(1);
        take(&mut catalogue.datasets[0]);
        let path = format!("datasets[0].{field}");
        let gaps = catalogue.gaps();
        assert!(
            gaps.iter().any(|gap| gap.path == path && gap.want == Want::Something),
            "{path}: {gaps:?}"
        );
        let broken = check(&graph(&catalogue));
        assert!(
            broken.iter().any(|breach| matches!(breach.rule, Rule::AtLeast(1))),
            "{field}: {broken:?}"
        );
    }
}

#[test]
fn fewer_things_are_mandatory_for_open_data() {
    let mut open = lung();
    open.access = Access::Public;
    for (field, take) in MANDATORY {
        if !["title", "description", "themes", "categories", "legislation", "access_body"]
            .contains(&field)
        {
            take(&mut open);
        }
    }
    assert_eq!(open.gaps(), []);
    let mut whole = catalogue();
    whole.datasets = vec![open];
    assert_eq!(check(&graph(&whole)), []);
}

#[test]
fn structured_data_without_variables_break_a_rule() {
    let mut graph = graph(&catalogue());
    let node = catalogue().datasets[1].iri.clone();
    let structured = "http://healthdataportal.eu/ns/health#hasStructuredData";
    graph.add(&node, structured, consilium_catalog::graph::Value::truth(true));
    let broken = check(&graph);
    assert!(broken.iter().any(|b| b.property.ends_with("hasVariables")), "{broken:?}");
    assert!(broken.iter().any(|b| b.rule == Rule::AtMost(1)), "{broken:?}");
}

#[test]
fn a_small_number_is_nowhere() {
    let text = graph(&catalogue()).turtle();
    assert!(text.contains("healthdcatap:numberOfRecords \"12340\"^^xsd:nonNegativeInteger"));
    assert!(!text.contains("numberOfUniqueIndividuals"), "a count below its threshold is not said");
    assert!(text.contains("healthdcatap:maxTypicalAge \"90\""));
}

#[test]
fn every_release_has_rules_and_every_rule_is_of_a_written_property() {
    for release in [Release::DcatAp, Release::Eight, Release::Pilot] {
        assert!(CONSTRAINTS.iter().filter(|c| c.release == release).count() > 10);
    }
    let text = graph(&catalogue()).turtle();
    let unwritten: Vec<_> = CONSTRAINTS
        .iter()
        .flat_map(|c| c.properties)
        .filter(|p| {
            let local = p.rsplit(['#', '/']).next().unwrap();
            !text.contains(&format!(":{local} "))
        })
        .collect();
    // Codes are named by their systems alone, and the count of people is below its threshold here.
    assert_eq!(
        unwritten,
        [
            "http://healthdataportal.eu/ns/health#hasCodeValues",
            "http://healthdataportal.eu/ns/health#numberOfUniqueIndividuals"
        ]
        .iter()
        .collect::<Vec<_>>()
    );
}

#[test]
fn turtle_and_json_ld_say_the_same() {
    let graph = graph(&catalogue());
    let from_turtle = turtle::read(&graph.turtle());
    assert_eq!(from_turtle.len(), graph.len());
    assert_eq!(from_turtle, turtle::read_json_ld(&graph.json_ld()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_comes_back_and_the_same_comes_out_twice(title in any::<String>(), name in "\\PC{0,40}") {
        let mut whole = catalogue();
        let title = format!("x{title}");
        whole.datasets[0].title = super::described::en(&title);
        whole.datasets[0].variables[0].name = name;
        let graph = graph(&whole);
        prop_assert_eq!(&graph.turtle(), &consilium_catalog::health_dcat::graph(&whole).turtle());
        let statements = turtle::read(&graph.turtle());
        prop_assert_eq!(&statements, &turtle::read_json_ld(&graph.json_ld()));
        let written = format!("\"{title}\"@en");
        prop_assert!(statements.iter().any(|(_, property, value)| property.ends_with("title") && *value == written));
    }
}
