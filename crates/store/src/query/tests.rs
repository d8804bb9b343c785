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
        ("Patient?gender:in=x", "the modifier `:in` cannot be used with `gender`"),
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
            "Patient?_include:iterate=Patient:organization",
            "the modifier `:iterate` cannot be used with `_include`",
        ),
        (
            "Patient?_revinclude=Observation:colour",
            "the value of `_revinclude` is not valid: the second part is not a reference parameter of that type",
        ),
        ("Patient?gender.name=x", "the search parameter `gender.name` is not supported"),
        (
            "Patient?organization.partof.name=x",
            "the search parameter `organization.partof.name` is not supported",
        ),
        ("Patient?organization.colour=x", "`colour` is not a search parameter of `Organization`"),
        (
            "Patient?organization:Patient.name=x",
            "the modifier `:Patient` cannot be used with `organization`",
        ),
        (
            "Patient?_has:Observation:patient:code=1",
            "the search parameter `_has:Observation:patient:code` is not supported",
        ),
        (
            "Patient?gender:missing=maybe",
            "the value of `gender:missing` is not valid: true or false is expected",
        ),
        (
            "Observation?code-value-quantity=1$2",
            "the search parameter `code-value-quantity` is not supported",
        ),
        (
            "Observation?subject=Colour/1",
            "the value of `subject` is not valid: it does not start with a resource type",
        ),
        (
            "Observation?value-quantity=1|2",
            "the value of `value-quantity` is not valid: `number`, `number|system|code` or `number||unit` is expected",
        ),
        ("Location?near=1|2", "the search parameter `near` is not supported"),
        (
            "ValueSet?url:below=urn:oid:1",
            "the value of `url:below` is not valid: `:below` and `:above` are for addresses with a path",
        ),
    ] {
        assert_eq!(read(url).unwrap_err().to_string(), expected, "{url}");
    }
}
