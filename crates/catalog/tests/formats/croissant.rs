//! Croissant: what the specification wants is there.

use consilium_catalog::Dataset;
use consilium_catalog::croissant::{CONFORMS_TO, describe};
use serde_json::json;

use super::described::lung;

#[test]
fn what_croissant_wants_of_a_data_set_is_there() {
    let out = describe(&lung(), "en");
    for field in [
        "@context",
        "@type",
        "conformsTo",
        "name",
        "description",
        "license",
        "url",
        "creator",
        "datePublished",
        "distribution",
    ] {
        assert!(!out[field].is_null(), "{field}");
    }
    assert_eq!(out["conformsTo"], CONFORMS_TO);
    assert_eq!(out["version"], "1.2.3");
    assert_eq!(out["usageInfo"][0]["termCode"], "DUO_0000006");
    assert_eq!(describe(&lung(), "de")["name"], "Register für Lungenkrebs");
}

#[test]
fn fields_have_types_and_levels_are_rows_of_the_description() {
    let out = describe(&lung(), "en");
    let fields = out["recordSet"][0]["field"].as_array().unwrap();
    let types: Vec<_> = fields.iter().map(|field| field["dataType"].as_str().unwrap()).collect();
    assert_eq!(types, ["sc:Integer", "sc:Text", "sc:Float"]);
    assert_eq!(fields[1]["references"]["field"]["@id"], "levels-1/name");
    let levels = &out["recordSet"][1];
    assert_eq!(levels["data"].as_array().unwrap().len(), 2);
    assert_eq!(levels["data"][1]["levels-1/name"], "male");
    // Fields point to a file that is there.
    let ids: Vec<_> = out["distribution"].as_array().unwrap().iter().map(|f| &f["@id"]).collect();
    for field in fields {
        assert!(ids.contains(&&field["source"]["fileObject"]["@id"]));
    }
}

#[test]
fn a_file_without_digest_is_of_a_live_data_set() {
    let asked = Dataset { frequency: None, ..lung() };
    let out = describe(&asked, "en");
    let files = out["distribution"].as_array().unwrap();
    assert!(files.iter().any(|file| file["sha256"].is_null()));
    assert_eq!(out["isLiveDataset"], true);
    let fixed = Dataset { doors: Vec::new(), ..asked };
    let out = describe(&fixed, "en");
    assert_eq!(out["isLiveDataset"], false);
    assert!(out["distribution"].as_array().unwrap().iter().all(|file| file["sha256"].is_string()));
}

#[test]
fn a_small_number_of_people_is_an_interval() {
    let out = describe(&lung(), "en");
    let people = &out["variableMeasured"][1];
    assert_eq!((&people["minValue"], &people["maxValue"]), (&json!(0), &json!(9)));
    assert!(people["value"].is_null());
}
