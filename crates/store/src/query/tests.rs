//! What the parser takes and what it refuses.

use fhirpath::search::Registry;

use super::{Direction, MAX_COUNT, ParsedSearch, QueryError, Sort, SortBy, Summary, Total, parse};

fn read(url: &str) -> Result<ParsedSearch, QueryError> {
    let (resource_type, params) = url.split_once('?').unwrap();
    let params: Vec<_> = params
        .split('&')
        .filter_map(|param| param.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    parse(Registry::r4(), fhir::definitions::resource_type(resource_type).unwrap(), &params)
}

#[test]
fn reads_what_is_not_a_filter() {
    let parsed = read(
        "Patient?_count=5000&_summary=data&_total=accurate&_elements=name,gender,name&_format=json\
         &_sort=-birthdate,_id&_include=Patient:organization&_revinclude=Observation:subject\
         &gender=&_contained=false&family=x",
    )
    .unwrap();
    assert_eq!((parsed.count, parsed.summary), (Some(MAX_COUNT), Some(Summary::Data)));
    assert_eq!(
        (parsed.total, parsed.elements.join(" ").as_str()),
        (Some(Total::Accurate), "name gender")
    );
    let birthdate = Registry::r4().find("Patient", "birthdate").unwrap().number;
    let by = |by, descending| Sort { by, descending };
    assert_eq!(parsed.query.sort, [by(SortBy::Param(birthdate), true), by(SortBy::Id, false)]);
    let directions: Vec<_> = parsed.includes.iter().map(|include| include.direction).collect();
    assert_eq!(directions, [Direction::Forward, Direction::Reverse]);
    assert_eq!(parsed.query.filters.len(), 1);
    let used: Vec<_> = parsed.used.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        used.join("&"),
        "_count=1000&_summary=data&_total=accurate&_elements=name,gender,name&_sort=-birthdate,_id\
         &_include=Patient:organization&_revinclude=Observation:subject&_contained=false&family=x"
    );
}

#[test]
fn bounds_what_it_evaluates() {
    let many = format!("Patient?family={}", vec!["x"; 1001].join(","));
    let refused = read(&many).unwrap_err().to_string();
    assert_eq!(refused, "too many values of one parameter; at most 1000 are accepted");
    let many = format!("Patient?{}", vec!["family=x"; 201].join("&"));
    let refused = read(&many).unwrap_err().to_string();
    assert_eq!(refused, "too many search parameters; at most 200 are accepted");
    let refused = read("Patient?_count=1&_count=2").unwrap_err().to_string();
    assert_eq!(refused, "`_count` is given more than once");
    let long = format!("Patient?{}=1", "x".repeat(5000));
    assert!(read(&long).unwrap_err().to_string().len() < 200);
}

#[test]
fn refuses_what_it_does_not_know_by_name() {
    for (url, expected) in [
        ("Patient?colour=red", "`colour` is not a search parameter of `Patient`"),
        ("Patient?family:above=x", "the modifier `:above` cannot be used with `family`"),
        (
            "Patient?gender:in=x",
            "the value of `gender:in` cannot be looked up: the value set is not known here",
        ),
        (
            "Observation?code:below=x",
            "the value of `code:below` cannot be looked up: the code or its system is not known here",
        ),
        ("Patient?birthdate:exact=2020", "the modifier `:exact` cannot be used with `birthdate`"),
        ("Patient?_text:exact=x", "the modifier `:exact` cannot be used with `_text`"),
        (
            "Patient?identifier:of-type=a|b",
            "the value of `identifier:of-type` is not valid: `system|code|value` is expected, with the type's system and code",
        ),
        (
            "Patient?birthdate=yesterday",
            "the value of `birthdate` is not valid: the prefix is none of eq, ne, gt, lt, ge, le, sa, eb, ap",
        ),
        (
            "Patient?birthdate=gt",
            "the value of `birthdate` is not valid: a date such as `2024`, `2024-02` or `2024-02-29T10:00:00Z` is expected",
        ),
        (
            "Patient?_lastUpdated=soon",
            "the value of `_lastUpdated` is not valid: the prefix is none of eq, ne, gt, lt, ge, le, sa, eb, ap",
        ),
        ("Patient?_count=many", "the value of `_count` is not valid: a number is expected"),
        ("Patient?_sort=colour", "`colour` is not a search parameter of `Patient`"),
        (
            "Patient?_include=Observation:subject",
            "the value of `_include` is not valid: the first part must be the type that is searched",
        ),
        (
            "Patient?_include:always=Patient:organization",
            "the modifier `:always` cannot be used with `_include`",
        ),
        (
            "Patient?_contained=true",
            "the value of `_contained` is not valid: contained resources are not searched; leave it `false`",
        ),
        (
            "Patient?_containedType=container",
            "the search parameter `_containedType` is not supported",
        ),
        ("Patient?_query=everything", "the search parameter `_query` is not supported"),
        (
            "Patient?_revinclude=Observation:colour",
            "the value of `_revinclude` is not valid: the second part is not a reference parameter of that type",
        ),
        ("Patient?gender.name=x", "the search parameter `gender.name` is not supported"),
        (
            "Patient?organization.partof.colour=x",
            "`colour` is not a search parameter of `Organization`",
        ),
        (
            "Observation?subject.link.link.link.link.link.link.link.link.family=x",
            "too many links of one chain; at most 8 are accepted",
        ),
        ("Patient?organization.colour=x", "`colour` is not a search parameter of `Organization`"),
        (
            "Patient?organization:Patient.name=x",
            "the modifier `:Patient` cannot be used with `organization`",
        ),
        (
            "Patient?_has:Observation:encounter:code=1",
            "the value of `_has:Observation:encounter:code` is not valid: the reference cannot lead to the type that is searched",
        ),
        (
            "Patient?_has:Observation:patient=1",
            "the value of `_has:Observation:patient` is not valid: `_has:Type:reference:parameter` is expected",
        ),
        (
            "Patient?_filter=gender co x",
            "the operator `co` of `_filter` cannot be used with `gender`",
        ),
        (
            "Patient?_filter=gender eq male and",
            "the value of `_filter` is not valid: the name of a parameter is expected",
        ),
        (
            "Patient?_filter=gender eq male birthdate eq 2000",
            "the value of `_filter` is not valid: `and` or `or` is expected between conditions",
        ),
        (
            "Patient?_filter=(gender eq male",
            "the value of `_filter` is not valid: a parenthesis is not closed",
        ),
        ("Patient?_filter=colour eq red", "`colour` is not a search parameter of `Patient`"),
        ("Patient?_text=(bone", "the value of `_text` is not valid: a parenthesis is not closed"),
        (
            "Patient?_list=$current-allergies",
            "the value of `_list` is not valid: the id of a List is expected; functional lists are not kept",
        ),
        (
            "Patient?gender:missing=maybe",
            "the value of `gender:missing` is not valid: true or false is expected",
        ),
        (
            "Observation?code-value-quantity=1$2|3",
            "the value of `code-value-quantity` is not valid: `number`, `number|system|code` or `number||unit` is expected",
        ),
        (
            "Observation?subject=Colour/1",
            "the value of `subject` is not valid: it does not start with a resource type",
        ),
        (
            "Observation?value-quantity=1|2",
            "the value of `value-quantity` is not valid: `number`, `number|system|code` or `number||unit` is expected",
        ),
        (
            "Observation?code-value-quantity=1",
            "the value of `code-value-quantity` is not valid: one value for each part is expected, joined by `$`",
        ),
        (
            "Observation?code-value-quantity:exact=1$2",
            "the modifier `:exact` cannot be used with `code-value-quantity`",
        ),
        (
            "Location?near=north",
            "the value of `near` is not valid: `latitude|longitude|distance|unit` is expected",
        ),
        (
            "Location?_sort=near",
            "the value of `_sort` is not valid: a composite or a place has no order",
        ),
        (
            "ValueSet?url:below=urn:oid:1",
            "the value of `url:below` is not valid: `:below` and `:above` are for addresses with a path",
        ),
    ] {
        assert_eq!(read(url).unwrap_err().to_string(), expected, "{url}");
    }
}
