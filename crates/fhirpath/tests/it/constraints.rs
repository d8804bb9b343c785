//! The published constraints of FHIR R4, evaluated on the published examples: none may end in an
//! error, and few are broken.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};

use consilium_fhirpath::{Env, Expr, Item, Node};
use fhir::Resource;
use fhir::definitions::Severity;

/// Expressions by text, parsed once.
type Parsed = HashMap<&'static str, Expr>;

fn parsed() -> Parsed {
    let types = fhir::definitions().types().iter();
    let texts = types.flat_map(|t| t.constraints.iter().filter_map(|c| c.expression));
    texts.map(|text| (text, Expr::parse(text).unwrap())).collect()
}

#[test]
fn published_constraints_hold_on_published_examples() {
    let Some(path) = crate::shared("conformance/r4-examples.ndjson.gz") else { return };
    let lines = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let parsed = parsed();
    let mut broken: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut evaluated = 0;
    for text in lines.lines() {
        let resource = Resource::parse(text.unwrap()).unwrap();
        let env = Env::new(0).with_resource(&resource);
        let mut open: Vec<_> = Node::resource(resource.root()).into_iter().collect();
        while let Some(node) = open.pop() {
            let env = match node.type_of().is_concrete_resource() {
                true => env.clone().with_inner_resource(node),
                false => env.clone(),
            };
            for constraint in &node.type_of().constraints {
                let Some(text) = constraint.expression else { continue };
                if constraint.severity == Severity::Warning {
                    continue;
                }
                let found = parsed[text].evaluate(&env, &[Item::Node(node)]);
                let found = found.unwrap_or_else(|error| panic!("{}: {error}", constraint.key));
                evaluated += 1;
                if found.first().and_then(Item::as_boolean) == Some(false) {
                    *broken.entry(constraint.key).or_default() += 1;
                }
            }
            node.for_each(&mut |child| open.push(child));
        }
    }
    println!("{evaluated} constraints evaluated, broken: {broken:?}");
    assert!(broken.is_empty());
}
