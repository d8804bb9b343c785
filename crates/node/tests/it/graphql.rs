//! GraphQL at a node's door: what is selected, followed and searched, how answers are flattened,
//! what is refused, and that nobody sees more by it than by other doors.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, text};
use crate::hospitals::{run, shared};

const LOINC: &str = "http://loinc.org";
const BORN: &str = "http://hl7.org/fhir/StructureDefinition/patient-birthTime";

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

/// A patient as the specification has one, with a practitioner and three measurements.
struct Story {
    patient: String,
    practitioner: String,
    weights: Vec<String>,
}

async fn story(client: &Client) -> Story {
    let practitioner = client
        .create(&json!({"resourceType": "Practitioner", "name": [{"family": "Stein"}]}))
        .await;
    let patient = client
        .create(&json!({
            "resourceType": "Patient", "active": true, "birthDate": "1974-12-25",
            "_birthDate": {"extension": [{"url": BORN, "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
            "identifier": [{"system": "urn:oid:1.2.36.146.595.217.0.1", "value": "12345"}],
            "name": [
                {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
                {"use": "usual", "given": ["Jim"]},
                {"use": "maiden", "family": "Windsor", "given": ["Peter", "James"]},
            ],
            "contact": [{"name": {"family": "du Marché"}, "gender": "female"}],
            "generalPractitioner": [{"reference": format!("Practitioner/{practitioner}")}],
        }))
        .await;
    let mut weights = Vec::new();
    for (at, kilograms) in ["70.50", "71.00", "72.250"].iter().enumerate() {
        let weight = format!(
            r#"{{"resourceType":"Observation","status":"final",
                "subject":{{"reference":"Patient/{patient}"}},
                "performer":[{{"reference":"Practitioner/{practitioner}"}}],
                "code":{{"coding":[{{"system":"{LOINC}","code":"29463-7"}}]}},
                "effectiveDateTime":"202{at}-03-01",
                "valueQuantity":{{"value":{kilograms},"unit":"kg"}}}}"#
        );
        let made = client.send(Method::POST, "/fhir/Observation", Some(weight), &[]).await;
        weights.push(text(&made.expect(201).json()["id"]));
    }
    Story { patient, practitioner, weights }
}

/// Asks at the base, as GraphQL clients do.
async fn ask(client: &Client, query: &str, variables: Value) -> Answer {
    let body = json!({"query": query, "variables": variables}).to_string();
    let kind = [("content-type", "application/json"), ("accept", "application/json")];
    client.send(Method::POST, "/fhir/$graphql", Some(body), &kind).await
}

/// Asks about one resource.
async fn about(client: &Client, resource: &str, query: &str) -> Answer {
    let kind = [("content-type", "application/graphql")];
    let path = format!("/fhir/{resource}/$graphql");
    client.send(Method::POST, &path, Some(query.to_owned()), &kind).await
}

/// The message of the first error.
fn message(answer: &Answer) -> String {
    text(&answer.json()["errors"][0]["message"])
}

#[test]
fn elements_of_one_resource_are_selected() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let patient = format!("Patient/{}", story.patient);
        for (query, expected) in [
            (
                "{ name { text given family } active }",
                r#"{"data":{"name":[{"given":["Peter","James"],"family":"Chalmers"},{"given":["Jim"]},{"given":["Peter","James"],"family":"Windsor"}],"active":true}}"#,
            ),
            (
                "{ __typename resourceType contact { __typename gender name { family } } }",
                r#"{"data":{"__typename":"Patient","resourceType":"Patient","contact":[{"__typename":"PatientContact","gender":"female","name":{"family":"du Marché"}}]}}"#,
            ),
            (
                "{ birthDate _birthDate { extension { valueDateTime } } }",
                r#"{"data":{"birthDate":"1974-12-25","_birthDate":{"extension":[{"valueDateTime":"1974-12-25T14:35:45-05:00"}]}}}"#,
            ),
            ("{ name(use: official) { family } }", r#"{"data":{"name":[{"family":"Chalmers"}]}}"#),
            (
                "{ own: name(use: [usual, \"maiden\"]) { use } }",
                r#"{"data":{"own":[{"use":"usual"},{"use":"maiden"}]}}"#,
            ),
            (
                "{ name(fhirpath: \"family.exists()\") { family } }",
                r#"{"data":{"name":[{"family":"Chalmers"},{"family":"Windsor"}]}}"#,
            ),
            (
                "{ name(fhirpath: \"family.exists()\", _offset: 1, _count: 1) { family } }",
                r#"{"data":{"name":[{"family":"Windsor"}]}}"#,
            ),
            (
                "{ name(use: official) { family } name(use: official) { given } }",
                r#"{"data":{"name":[{"family":"Chalmers","given":["Peter","James"]}]}}"#,
            ),
            (
                "{ name { family @skip(if: true) use @include(if: true) } }",
                r#"{"data":{"name":[{"use":"official"},{"use":"usual"},{"use":"maiden"}]}}"#,
            ),
        ] {
            let answer = about(&client, &patient, query).await.expect(200);
            assert_eq!(answer.text, expected, "{query}");
            assert_eq!(answer.header("content-type"), "application/json");
        }
        // By GET, and as Parameters.
        let path = format!("/fhir/{patient}/$graphql");
        let got = client.get(&format!("{path}?query={{active,birthDate}}")).await.expect(200);
        assert_eq!(got.text, r#"{"data":{"active":true,"birthDate":"1974-12-25"}}"#);
        let parameters = crate::client::parameters(&[("query", "{ active }")]);
        let posted = client.post(&path, &parameters).await.expect(200);
        assert_eq!(posted.text, r#"{"data":{"active":true}}"#);
        // Numbers keep their digits.
        let weight = format!("Observation/{}", story.weights[0]);
        let answer = about(&client, &weight, "{ valueQuantity { value unit } }").await;
        let expected = r#"{"data":{"valueQuantity":{"value":70.50,"unit":"kg"}}}"#;
        assert_eq!(answer.expect(200).text, expected);
    });
}

#[test]
fn answers_are_flattened_as_the_specification_shows() {
    run(async {
        let client = clinician().await;
        let patient = format!("Patient/{}", story(&client).await.patient);
        for (query, expected) in [
            (
                "{ identifier @flatten { system value } active name @flatten { text given family } }",
                r#"{"data":{"system":["urn:oid:1.2.36.146.595.217.0.1"],"value":["12345"],"active":true,"given":["Peter","James","Jim","Peter","James"],"family":["Chalmers","Windsor"]}}"#,
            ),
            (
                "{ active name @flatten { text given @first family } }",
                r#"{"data":{"active":true,"given":["Peter","Jim","Peter"],"family":["Chalmers","Windsor"]}}"#,
            ),
            (
                "{ identifier @flatten { system @singleton value @singleton } active name @flatten @first { text given family @singleton } }",
                r#"{"data":{"system":"urn:oid:1.2.36.146.595.217.0.1","value":"12345","active":true,"given":["Peter","James"],"family":"Chalmers"}}"#,
            ),
            (
                "{ name @flatten @slice(path: \"use\") { given family @singleton } }",
                r#"{"data":{"given.official":["Peter","James"],"family.official":"Chalmers","given.usual":["Jim"],"given.maiden":["Peter","James"],"family.maiden":"Windsor"}}"#,
            ),
            (
                "{ name @slice(path: \"$index\") @flatten { given @first @singleton family } }",
                r#"{"data":{"given.0":"Peter","family.0":["Chalmers"],"given.1":"Jim","given.2":"Peter","family.2":["Windsor"]}}"#,
            ),
        ] {
            assert_eq!(about(&client, &patient, query).await.expect(200).text, expected, "{query}");
        }
        let two = about(&client, &patient, "{ active name @flatten { family @singleton } }").await;
        let two = two.expect(200);
        assert_eq!(two.json()["data"], json!({"active": true, "family": null}));
        assert_eq!(message(&two), "`family` has more than one value");
        assert_eq!(two.json()["errors"][0]["path"], json!(["family"]));
    });
}

#[test]
fn references_are_followed_both_ways() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let query = "
            query Weights($id: ID!, $code: token = \"http://loinc.org|29463-7\", $who: Boolean = true) {
              one: Patient(id: $id) {
                id
                ...names
                ObservationList(_reference: subject, code: $code, _sort: \"-date\", _count: 2) {
                  id
                  effectiveDateTime
                  performer { resource(type: Practitioner) { id } }
                  subject { resource { ... on Patient { birthDate } ... on Group { name } } }
                }
                ObservationConnection(_reference: patient) { count }
              }
              ObservationList(subject: $id, date: \"ge2022\") {
                subject { reference resource @include(if: $who) { id resourceType } }
              }
            }
            fragment names on Patient { name(use: official) { ...parts } }
            fragment parts on HumanName { family }";
        let answer = ask(&client, query, json!({"id": story.patient})).await.expect(200).json();
        assert!(answer.get("errors").is_none(), "{answer}");
        let one = &answer["data"]["one"];
        assert_eq!(one["name"], json!([{"family": "Chalmers"}]));
        let performer = json!([{"resource": {"id": story.practitioner}}]);
        let subject = json!({"resource": {"birthDate": "1974-12-25"}});
        assert_eq!(
            one["ObservationList"],
            json!([
                {"id": story.weights[2], "effectiveDateTime": "2022-03-01",
                 "performer": performer, "subject": subject},
                {"id": story.weights[1], "effectiveDateTime": "2021-03-01",
                 "performer": performer, "subject": subject},
            ])
        );
        assert_eq!(one["ObservationConnection"], json!({"count": 3}));
        let reference = format!("Patient/{}", story.patient);
        let resource = json!({"id": story.patient, "resourceType": "Patient"});
        assert_eq!(
            answer["data"]["ObservationList"],
            json!([{"subject": {"reference": reference, "resource": resource}}])
        );

        // A contained resource, and references that lead nowhere.
        let list = json!({
            "resourceType": "List", "status": "current", "mode": "working",
            "contained": [{"resourceType": "Patient", "id": "p", "gender": "female"}],
            "subject": {"reference": "#p"},
            "entry": [{"item": {"reference": "Observation/nowhere"}}],
        });
        let list = format!("List/{}", client.create(&list).await);
        let query = "{ subject { resource { gender } } contained { id resourceType }
            entry { item { reference resource { id } } } }";
        let answer = about(&client, &list, query).await.expect(200).json();
        assert_eq!(answer["data"]["subject"]["resource"]["gender"], "female");
        assert_eq!(answer["data"]["contained"], json!([{"id": "p", "resourceType": "Patient"}]));
        let item = json!({"reference": "Observation/nowhere", "resource": null});
        assert_eq!(answer["data"]["entry"][0]["item"], item);
        let path = json!(["entry", 0, "item", "resource"]);
        assert_eq!(answer["errors"][0]["path"], path);
        let query = "{ entry { item { reference resource(optional: true) { id } } } }";
        let answer = about(&client, &list, query).await.expect(200).json();
        assert!(answer.get("errors").is_none(), "{answer}");
    });
}

#[test]
fn connections_lead_from_page_to_page() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let fields = "{ count offset pagesize first previous next last
            edges { mode resource { id } } }";
        let query = format!(
            "{{ ObservationConnection(subject: \"{}\", _sort: date, _count: 2) {fields} }}",
            story.patient
        );
        let answer = ask(&client, &query, json!({})).await.expect(200).json();
        let first = &answer["data"]["ObservationConnection"];
        assert_eq!(first["count"], 3, "{answer}");
        assert_eq!((&first["offset"], &first["pagesize"]), (&json!(0), &json!(2)));
        assert_eq!(first["previous"], Value::Null);
        let ids = |page: &Value| -> Vec<String> {
            let edges = page["edges"].as_array().unwrap();
            edges.iter().map(|edge| text(&edge["resource"]["id"])).collect()
        };
        assert_eq!(ids(first), story.weights[..2]);
        assert_eq!(first["edges"][0]["mode"], "match");
        let turn =
            |cursor: &Value| format!("{{ ObservationConnection(_cursor: {cursor}) {fields} }}");
        // The pages show what was there when the first one was made.
        client.delete(&format!("/fhir/Observation/{}", story.weights[2])).await.expect(204);
        let answer = ask(&client, &turn(&first["next"]), json!({})).await.expect(200).json();
        let second = &answer["data"]["ObservationConnection"];
        assert_eq!(ids(second), story.weights[2..], "{answer}");
        assert_eq!(second["next"], Value::Null);
        let answer = ask(&client, &turn(&second["previous"]), json!({})).await.expect(200).json();
        assert_eq!(ids(&answer["data"]["ObservationConnection"]), story.weights[..2]);
        // A cursor belongs to whoever searched, and to what was searched.
        let other = clinician().await;
        let answer = ask(&other, &turn(&first["next"]), json!({})).await.expect(200);
        assert!(message(&answer).contains("expired"), "{}", answer.text);
        let cursor = format!("{{ PatientConnection(_cursor: {}) {{ count }} }}", first["next"]);
        assert!(message(&ask(&client, &cursor, json!({})).await).contains("expired"));
    });
}

#[test]
fn what_cannot_be_answered_is_refused_by_name() {
    run(async {
        let client = clinician().await;
        let deep = format!(
            "{{ PatientList {} id {} }}",
            "{ link { other { resource ".repeat(7),
            "} } }".repeat(7)
        );
        let deep = deep.replace("resource  id", "resource { id }");
        let many: String =
            (0..501).map(|at| format!("a{at}: PatientList(_id: x) {{ id }} ")).collect();
        let many = format!("{{ {many} }}");
        for (query, status, expected) in [
            ("{ PatientList { nome } }", 400, "`Patient` has no field `nome`"),
            (
                "{ PatientList { name { id { x } } } }",
                400,
                "`id` is a simple value and has no fields",
            ),
            ("{ PatientList { name } }", 400, "say which fields of `name` are wanted"),
            ("{ PatientList(nome: \"x\") { id } }", 400, "`Patient` has no search argument `nome`"),
            (
                "{ PatientList(_include: \"x\") { id } }",
                400,
                "`Patient` has no search argument `_include`",
            ),
            ("{ Patient { id } }", 400, "`Patient` needs the argument `id`"),
            (
                "{ PatientList { birthDate(_count: 1) } }",
                400,
                "`birthDate` has no argument `_count`",
            ),
            (
                "{ PatientList { ObservationList { id } } }",
                400,
                "`ObservationList` needs the argument `_reference`",
            ),
            (
                "{ PatientList { ObservationList(_reference: encounter) { id } } }",
                200,
                "`encounter` is no search parameter",
            ),
            ("{ PatientList { id @upper } }", 400, "the directive `@upper` cannot be used here"),
            ("{ PatientList { id @skip } }", 400, "`@skip` needs `if`"),
            (
                "{ PatientList { ...a } } fragment a on Patient { ...a }",
                400,
                "the fragment `a` leads to itself",
            ),
            ("{ PatientList { ...b } }", 400, "there is no fragment `b`"),
            (
                "{ PatientList { ... on Group { id } } }",
                400,
                "`Patient` is never of the type `Group`",
            ),
            ("{ PatientList(name: $n) { id } }", 400, "the variable `$n` is not declared"),
            (
                "query($n: Int!) { PatientList(name: $n) { id } }",
                400,
                "the variable `$n` takes a value",
            ),
            ("mutation { PatientDelete(id: 1) { id } }", 400, "only queries are offered"),
            ("{ PatientList { id } __schema { types { name } } }", 400, "a query of its own"),
            (
                "query A { PatientList { id } } query B { PatientList { id } }",
                400,
                "name one by `operationName`",
            ),
            (
                "{ PatientList { name(fhirpath: \"((\") { use } } }",
                200,
                "the expression of `fhirpath` is not valid",
            ),
            ("{ PatientList(_count: 5000) { id } }", 200, "`_count` may be at most 1000"),
            ("{ PatientList(birthdate: \"noon\") { id } }", 200, "`birthdate`"),
            ("{ PatientList { id ", 400, "the query is not valid GraphQL"),
            (&deep, 400, "nested"),
            (&many, 403, "at most 500 searches"),
        ] {
            let answer = ask(&client, query, json!({})).await;
            assert_eq!(answer.status, status, "{query}: {}", answer.text);
            let body = answer.json();
            assert!(message(&answer).contains(expected), "{query}: {body}");
            let outcome = &body["errors"][0]["extensions"]["resource"];
            assert_eq!(outcome["resourceType"], "OperationOutcome", "{query}");
            if status == 400 {
                assert_eq!(body["data"], Value::Null, "{query}");
            }
        }
        let unknown = ask(&client, "{ PatientList(_count: 1) { id } }", json!({"x": 1})).await;
        assert!(message(&unknown.expect(400)).contains("`$x`"));
        let long = format!("{{ PatientList {{ id }} }} # {}", "x".repeat(70_000));
        assert!(message(&ask(&client, &long, json!({})).await.expect(400)).contains("bytes"));
        let extra =
            client.get("/fhir/$graphql?query={PatientList{id}}&colour=red").await.expect(400);
        assert!(message(&extra).contains("`colour`"));
        let missing = about(&client, "Patient/nobody", "{ id }").await.expect(404);
        assert_eq!(missing.json()["data"], Value::Null);
        let absent = ask(&client, "{ Patient(id: nobody) { id } }", json!({})).await.expect(200);
        assert_eq!(absent.json()["data"], json!({"Patient": null}));
        assert!(message(&absent).contains("no such resource"));
    });
}

#[test]
fn an_account_of_one_patient_sees_nothing_of_others() {
    run(async {
        let client = clinician().await;
        let (own, other) = (story(&client).await, story(&client).await);
        let patient = shared().await.all[0].patient(&own.patient).await;
        let list = json!({
            "resourceType": "List", "status": "current", "mode": "working",
            "subject": {"reference": format!("Patient/{}", own.patient)},
            "entry": [{"item": {"reference": format!("Observation/{}", other.weights[0])}},
                      {"item": {"reference": format!("Observation/{}", own.weights[0])}},
                      {"item": {"reference": "Observation/nowhere"}}],
        });
        let list = client.create(&list).await;
        let query = "query($own: ID!, $other: ID!, $list: ID!, $theirs: String!) {
            PatientList { id }
            PatientConnection { count edges { resource { id } } }
            ObservationConnection(code: \"29463-7\") { count }
            mine: Patient(id: $own) { id ObservationList(_reference: subject) { id } }
            theirs: Patient(id: $other) { id birthDate }
            nobody: Patient(id: \"nobody\") { id birthDate }
            by: ObservationList(subject: $other) { id }
            guess: ObservationList(_filter: $theirs) { id }
            List(id: $list) { entry { item { resource { id } } } }
        }";
        let variables = json!({
            "own": own.patient, "other": other.patient, "list": list,
            "theirs": format!("subject eq Patient/{}", other.patient),
        });
        let answer = ask(&patient, query, variables).await.expect(200);
        let body = answer.json();
        let data = &body["data"];
        assert_eq!(data["PatientList"], json!([{"id": own.patient}]), "{body}");
        assert_eq!(data["PatientConnection"]["count"], 1);
        assert_eq!(data["ObservationConnection"]["count"], 3);
        assert_eq!(data["mine"]["ObservationList"].as_array().map(Vec::len), Some(3));
        assert_eq!((&data["theirs"], &data["nobody"]), (&Value::Null, &Value::Null));
        assert_eq!((&data["by"], &data["guess"]), (&json!([]), &json!([])));
        let entries = &data["List"]["entry"];
        assert_eq!(entries[1]["item"]["resource"]["id"], own.weights[0].as_str());
        // What is another's and what does not exist are told alike.
        let told: Vec<(String, String)> = body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (error["path"].to_string(), text(&error["message"])))
            .collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[0].1, told[1].1);
        assert_eq!(told[2].1, told[3].1);
        assert!(!answer.text.contains(&other.weights[0]), "not even an id");
        for path in
            [format!("Patient/{}", other.patient), format!("Observation/{}", other.weights[0])]
        {
            about(&patient, &path, "{ id }").await.expect(404);
        }
        let operator = shared().await.all[0].signed_in(Role::Operator).await;
        let refused = ask(&operator, "{ PatientList { id } }", json!({})).await.expect(403);
        assert_eq!(refused.json()["data"], json!({"PatientList": null}));
        let stranger = shared().await.all[0].stranger();
        ask(&stranger, "{ PatientList { id } }", json!({})).await.expect(401);
    });
}

#[test]
fn a_query_leaves_one_entry_that_names_its_patients() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let query = format!(
            "{{ ObservationList(_id: [\"{}\", \"{}\"]) {{ subject {{ resource {{ id }} }} }} }}",
            story.weights[0], story.weights[1]
        );
        ask(&client, &query, json!({})).await.expect(200);
        let officer = shared().await.all[0].signed_in(Role::PrivacyOfficer).await;
        let search = format!("/fhir/AuditEvent?patient={}&subtype=search", story.patient);
        let found = officer.get(&search).await.expect(200).json();
        assert_eq!(found["total"], 1, "{found}");
        let entities = found["entry"][0]["resource"]["entity"].to_string();
        assert!(entities.contains(&story.patient), "{entities}");
    });
}

/// What tools ask first (GraphQL, reference implementation: the usual introspection query).
const SCHEMA: &str = "query IntrospectionQuery { __schema { queryType { name } mutationType { name } \
    subscriptionType { name } types { ...FullType } directives { name description locations args { ...InputValue } } } } \
    fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description \
    args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue } \
    interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } \
    possibleTypes { ...TypeRef } } \
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue } \
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

#[test]
fn the_schema_can_be_read() {
    run(async {
        let client = clinician().await;
        let answer = ask(&client, SCHEMA, json!({})).await.expect(200).json();
        let schema = &answer["data"]["__schema"];
        assert_eq!(schema["queryType"]["name"], "Query");
        let types = schema["types"].as_array().unwrap();
        let of = |name: &str| types.iter().find(|one| one["name"] == name).unwrap();
        // Every type that something leads to is described.
        let names: std::collections::BTreeSet<&str> =
            types.iter().map(|one| one["name"].as_str().unwrap()).collect();
        fn last(mut of: &Value) -> &str {
            while !of["ofType"].is_null() {
                of = &of["ofType"];
            }
            of["name"].as_str().unwrap()
        }
        for one in types {
            for field in one["fields"].as_array().into_iter().flatten() {
                assert!(names.contains(last(&field["type"])), "{field}");
                for argument in field["args"].as_array().unwrap() {
                    assert!(names.contains(last(&argument["type"])), "{argument}");
                }
            }
        }
        let patient = of("Patient")["fields"].as_array().unwrap();
        let field = |name: &str| patient.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(field("active")["type"]["name"], "Boolean");
        assert_eq!(field("name")["type"]["kind"], "LIST");
        assert_eq!(last(&field("contact")["type"]), "PatientContact");
        assert_eq!(last(&field("_birthDate")["type"]), "Element");
        assert_eq!(of("Resource")["kind"], "INTERFACE");
        assert!(of("Resource")["possibleTypes"].as_array().unwrap().len() > 140);

        // What the schema names can be asked.
        let query = of("Query")["fields"].as_array().unwrap();
        let list = query.iter().find(|one| one["name"] == "ObservationList").unwrap();
        assert!(list["args"].as_array().unwrap().iter().any(|one| one["name"] == "value_quantity"));
        let simple = patient.iter().filter(|one| {
            let of = &one["type"];
            let of = if of["kind"] == "LIST" { &of["ofType"] } else { of };
            of["kind"] == "SCALAR"
        });
        let simple: Vec<&str> = simple.map(|one| one["name"].as_str().unwrap()).collect();
        let all = format!("{{ PatientList(_count: 1) {{ {} }} }}", simple.join(" "));
        ask(&client, &all, json!({})).await.expect(200);

        let one = "query One($name: String!) { __typename __type(name: $name) { kind name fields { name } } \
                   none: __type(name: \"Human\") { name } }";
        let one = ask(&client, one, json!({"name": "HumanName"})).await.expect(200).json();
        assert_eq!(one["data"]["__typename"], "Query");
        assert_eq!(one["data"]["none"], Value::Null);
        assert_eq!(one["data"]["__type"]["kind"], "OBJECT");
        let deep = format!(
            "{{ __type(name: \"Patient\") {{ {} name {} }} }}",
            "fields { type { ".repeat(12),
            "} }".repeat(12)
        );
        let deep = ask(&client, &deep, json!({})).await;
        assert!(
            message(&deep).contains("deep") || message(&deep).contains("long"),
            "{}",
            deep.text
        );
    });
}
