//! What the engines write, before the validators of others: `cargo xtask check-catalog`.

use consilium_catalog::description::Access;
use consilium_catalog::{Dataset, croissant, health_dcat, packed};

use super::described::{catalogue, iri, lung};
use super::validators::Validators;

fn of_access(access: Access) -> Dataset {
    let place = iri(&format!("https://zurich.example.org/catalog/{access:?}"));
    Dataset { iri: place, access, ..lung() }
}

#[test]
#[ignore = "cargo xtask check-catalog"]
fn shapes_of_others_hold() {
    let validators = Validators::installed();
    for (access, name) in [
        (Access::Public, "public"),
        (Access::Restricted, "restricted"),
        (Access::NonPublic, "non-public"),
    ] {
        let mut whole = catalogue();
        whole.datasets = vec![of_access(access)];
        let graph = health_dcat::graph(&whole);
        let json = graph.json_ld().to_string();
        validators.shapes("a written catalogue", name, &graph.turtle(), &json);
    }
}

#[test]
#[ignore = "cargo xtask check-catalog"]
fn croissant_of_others_reads_it() {
    let validators = Validators::installed();
    let asked = Dataset { frequency: None, ..lung() };
    let fixed = Dataset { doors: Vec::new(), ..asked.clone() };
    for (what, set) in [("made anew", lung()), ("asked", asked), ("one file", fixed)] {
        let text = croissant::describe(&set, "en").to_string();
        validators.croissant(&format!("a written data set ({what})"), &text);
    }
}

#[test]
#[ignore = "cargo xtask check-catalog"]
fn schemas_of_beacon_hold() {
    let validators = Validators::installed();
    for (schema, body) in super::beacon::bodies() {
        validators.beacon("a written answer of the Beacon", schema, &body);
    }
}

#[test]
#[ignore = "cargo xtask check-catalog"]
fn crates_of_others_are_such() {
    let validators = Validators::installed();
    for (name, metadata) in [
        ("a written request", packed::request(&super::packed::asked())),
        ("a written result", packed::result(&super::packed::answered())),
    ] {
        let file = |name: &str| (name.to_owned(), b"{}".to_vec());
        let described = (packed::metadata_name().to_owned(), metadata.to_string().into_bytes());
        let others = ["question.json", "outputs/answer.json", "outputs/table.csv"].map(file);
        let files: Vec<_> = std::iter::once(described).chain(others).collect();
        validators.is_crate(name, &files);
    }
}
