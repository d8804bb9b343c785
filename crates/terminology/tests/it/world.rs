//! A small world of definitions beside the published ones.

use std::sync::Arc;

use fhir::json::Document;
use terminology::{Layer, Terminology};

const DEFINITIONS: &[&str] = &[
    r#"{"resourceType":"CodeSystem","url":"http://t/animals","version":"2.1","name":"Animals",
        "status":"active","content":"complete","caseSensitive":false,"hierarchyMeaning":"is-a",
        "valueSet":"http://t/animals/all",
        "property":[{"code":"legs","type":"integer"},{"code":"sound","type":"string"}],
        "concept":[
          {"code":"animal","display":"Animal","property":[{"code":"notSelectable","valueBoolean":true}],
           "concept":[
             {"code":"dog","display":"Dog","definition":"barks",
              "designation":[{"language":"de","value":"Hund"},{"language":"fr-CA","value":"Chien"}],
              "property":[{"code":"legs","valueInteger":4},{"code":"sound","valueString":"woof"}],
              "concept":[{"code":"puppy","display":"Young dog","property":[{"code":"legs","valueInteger":4}]}]},
             {"code":"bird","display":"Bird","property":[{"code":"legs","valueInteger":2}]},
             {"code":"dodo","display":"Dodo","property":[{"code":"inactive","valueBoolean":true},{"code":"parent","valueCode":"bird"}]}
           ]},
          {"code":"stone","display":"Stone"}]}"#,
    r#"{"resourceType":"CodeSystem","url":"http://t/part","name":"Part","status":"draft","content":"fragment",
        "concept":[{"code":"one","display":"One"}]}"#,
    r#"{"resourceType":"CodeSystem","url":"http://t/more","supplements":"http://t/animals","name":"More",
        "status":"active","content":"supplement",
        "concept":[{"code":"bird","designation":[{"language":"de","value":"Vogel"}]}]}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/dogs","version":"1","status":"active","compose":{"include":[
        {"system":"http://t/animals","filter":[{"property":"concept","op":"is-a","value":"dog"}]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/not-dogs","status":"active","compose":{
        "include":[{"system":"http://t/animals"}],"exclude":[{"valueSet":["http://t/vs/dogs"]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/listed","status":"active","compose":{"include":[
        {"system":"http://t/animals","concept":[{"code":"dog","display":"Hound"},{"code":"dog"},{"code":"cat"}]},
        {"system":"http://elsewhere","concept":[{"code":"x","display":"X"}]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/active","status":"active","compose":{"inactive":false,
        "include":[{"system":"http://t/animals"}]}}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/both","status":"active","compose":{"include":[
        {"valueSet":["http://t/vs/dogs","http://t/vs/listed"]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/round","status":"active","compose":{"include":[
        {"valueSet":["http://t/vs/trip"]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/trip","status":"active","compose":{"include":[
        {"valueSet":["http://t/vs/round"]}]}}"#,
    r#"{"resourceType":"ValueSet","url":"http://t/vs/snomed","status":"active","compose":{"include":[
        {"system":"http://snomed.info/sct","filter":[{"property":"concept","op":"is-a","value":"404684003"}]}]}}"#,
    r#"{"resourceType":"ConceptMap","url":"http://t/map","version":"3","status":"active",
        "sourceCanonical":"http://t/vs/listed","targetCanonical":"http://t/vs/stars","group":[
        {"source":"http://t/animals","target":"http://t/stars","element":[
          {"code":"dog","target":[{"code":"sirius","display":"Sirius","equivalence":"wider"}]},
          {"code":"stone","target":[{"equivalence":"unmatched"}]}],
         "unmapped":{"mode":"fixed","code":"sun","display":"Sun"}}]}"#,
];

/// The engine over the published definitions and those of the tests.
pub fn world() -> Terminology {
    let mut layer = Layer::new();
    for text in DEFINITIONS {
        let document = Document::parse(*text).unwrap();
        layer.add_resource(document.root()).unwrap();
    }
    Terminology::new(vec![Arc::new(layer)])
}

/// A value set over the animals with one include.
pub fn animals_with(include: &str) -> Arc<terminology::ValueSet> {
    let text = format!(
        "{{\"resourceType\":\"ValueSet\",\"status\":\"active\",\"compose\":{{\"include\":[\
         {{\"system\":\"http://t/animals\"{include}}}]}}}}"
    );
    let document = Document::parse(text).unwrap();
    Arc::new(terminology::ValueSet::read(document.root()).unwrap())
}
