//! Those who see a part (apps with granular scopes or one patient, people from whom something is
//! withheld) change it in transactions and by conditions, and list its versions. What is hidden
//! from them answers as what does not exist, byte for byte, and stays untouched.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::accountability::Browser;
use crate::app_scopes::{CATEGORY, program};
use crate::client::{Client, text};
use crate::hospitals::{Hospital, run, shared};
use crate::record::newcomer;

/// An observation of a patient, of a category, by which a condition finds it.
fn observation(patient: &str, category: &str, mark: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "code": {"text": category},
        "subject": {"reference": format!("Patient/{patient}")},
        "identifier": [{"system": "urn:test:mark", "value": mark}],
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
    })
}

fn with_id(mut resource: Value, id: &str) -> Value {
    resource["id"] = json!(id);
    resource
}

fn entry(method: &str, url: &str, resource: Option<&Value>) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if let Some(resource) = resource {
        entry["resource"] = resource.clone();
    }
    entry
}

fn transaction(entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

/// A FHIRPath Patch that sets the status.
fn amend() -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Observation.status"},
        {"name": "value", "valueCode": "amended"},
    ]}]})
}

/// Something with a mark and an id that is hidden, beside such that are nowhere.
struct Pair {
    hidden: [String; 2],
    absent: [String; 2],
}

impl Pair {
    fn new(hospital: &Hospital, id: &str, mark: &str) -> Self {
        let absent = [id.len(), mark.len()].map(|length| {
            hospital
                .app
                .new_token()
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(length)
                .collect()
        });
        Self { hidden: [id.to_owned(), mark.to_owned()], absent }
    }

    /// Asks the same of both; `{id}` and `{mark}` stand for them. Returns the one answer.
    #[track_caller]
    fn alike(&self, [hidden, absent]: [(u16, String); 2], asked: &str) -> (u16, String) {
        assert_eq!(hidden, absent, "{asked} tells what is hidden from what is absent");
        hidden
    }

    async fn ask(
        &self,
        client: &Client,
        (method, path): (Method, &str),
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let one = async |[id, mark]: &[String; 2]| {
            let put = |text: &str| text.replace("{id}", id).replace("{mark}", mark);
            let headers: Vec<(&str, String)> =
                headers.iter().map(|(name, value)| (*name, put(value))).collect();
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let body = body.map(|body| put(&body.to_string()));
            let answer = client.send(method.clone(), &put(path), body, &headers).await;
            let text = answer.text.replace(id, "{id}").replace(mark, "{mark}");
            (answer.status, made(&text))
        };
        let both = [one(&self.hidden).await, one(&self.absent).await];
        self.alike(both, &format!("{method} {path} {}", body.unwrap_or(&Value::Null)))
    }

    /// Every way to change it. `new` has the mark and no id, and may be created.
    async fn cannot_be_told(&self, client: &Client, new: &Value) {
        let kind = text(&new["resourceType"]);
        let body = with_id(new.clone(), "{id}");
        let (one, by_mark) = (format!("{kind}/{{id}}"), format!("{kind}?identifier={{mark}}"));
        let patch = [("content-type", "application/fhir+json")];
        for (method, url, resource, status) in [
            ("PUT", &one, Some(&body), 404),
            ("PATCH", &one, Some(&amend()), 404),
            ("DELETE", &one, None, 200),
            ("PUT", &by_mark, Some(&body), 404),
            ("PATCH", &by_mark, Some(&amend()), 404),
            ("DELETE", &by_mark, None, 200),
        ] {
            let bundle = transaction(&[entry(method, url, resource)]);
            let answer = self.ask(client, (Method::POST, "/fhir"), Some(&bundle), &[]).await;
            assert_eq!(answer.0, status, "{method} {url}: {}", answer.1);
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let path = format!("/fhir/{url}");
            let answer = self.ask(client, (method, &path), resource, &patch).await;
            let plain = if status == 200 { 204 } else { status };
            assert_eq!(answer.0, plain, "{url}: {}", answer.1);
        }
        // Where nothing matches that they see, they may create, as by a plain `POST`.
        let condition = [("if-none-exist", "identifier={mark}")];
        let path = format!("/fhir/{kind}");
        let answer = self.ask(client, (Method::POST, &path), Some(new), &condition).await;
        assert_eq!(answer.0, 201, "{}", answer.1);
        let mut create = entry("POST", &kind, Some(new));
        create["request"]["ifNoneExist"] = json!("identifier={mark}&_id={id}");
        let answer =
            self.ask(client, (Method::POST, "/fhir"), Some(&transaction(&[create])), &[]).await;
        assert!(answer.1.contains("201"), "{}", answer.1);
        let update = entry("PUT", &format!("{kind}?_id={{id}}"), Some(new));
        let answer =
            self.ask(client, (Method::POST, "/fhir"), Some(&transaction(&[update])), &[]).await;
        assert!(answer.1.contains("201"), "{}", answer.1);
    }
}

/// An answer without ids and times that the node gave out for it.
fn made(text: &str) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for name in ["id", "location", "lastModified", "lastUpdated", "fullUrl"] {
                    if let Some(value) = members.get_mut(name).filter(|value| value.is_string()) {
                        *value = json!("made");
                    }
                }
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    strip(&mut value);
    value.to_string()
}

async fn version(client: &Client, id: &str) -> String {
    let answer = client.get(&format!("/fhir/Observation/{id}")).await.expect(200);
    text(&answer.json()["meta"]["versionId"])
}

#[test]
fn an_app_changes_what_its_scope_reaches() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let person = json!({"resourceType": "Patient", "name": [{"family": "Inside"}]});
        let patient = doctor.create(&person).await;
        let [inside, outside] = [(); 2].map(|()| hospital.app.new_token());
        let lab = doctor.create(&observation(&patient, "laboratory", &inside)).await;
        let vital = doctor.create(&observation(&patient, "vital-signs", &outside)).await;
        let scope =
            format!("user/Observation.cruds?category={CATEGORY}|laboratory user/Patient.rs");
        let app = program(hospital, &doctor, &patient, &scope).await;

        // All that is inside, in one transaction and by conditions.
        let spare = doctor.create(&observation(&patient, "laboratory", "spare")).await;
        let body = with_id(observation(&patient, "laboratory", &inside), &lab);
        let bundle = transaction(&[
            entry("PUT", &format!("Observation/{lab}"), Some(&body)),
            entry("DELETE", &format!("Observation/{spare}"), None),
        ]);
        app.post("/fhir", &bundle).await.expect(200);
        app.post(
            "/fhir",
            &transaction(&[entry("PATCH", &format!("Observation/{lab}"), Some(&amend()))]),
        )
        .await
        .expect(200);
        doctor.get(&format!("/fhir/Observation/{spare}")).await.expect(410);
        let by_mark = format!("/fhir/Observation?identifier={inside}");
        assert_eq!(text(&app.put(&by_mark, &body).await.expect(200).json()["id"]), lab);
        let condition = [("if-none-exist", &*format!("identifier={inside}"))];
        let again = observation(&patient, "laboratory", &inside).to_string();
        app.send(Method::POST, "/fhir/Observation", Some(again), &condition).await.expect(200);
        assert_eq!(version(&doctor, &lab).await, "4");
        // A reference by a search, to one that it may search.
        let mut searching = observation(&patient, "laboratory", "by-search");
        searching["subject"]["reference"] = json!(format!("Patient?_id={patient}"));
        let bundle = transaction(&[entry("POST", "Observation", Some(&searching))]);
        let made = app.post("/fhir", &bundle).await.expect(200);
        let made = text(&made.json()["entry"][0]["response"]["location"]);
        let made = made.split("/_history").next().unwrap().to_owned();
        let made = made.split("/fhir/").last().unwrap().to_owned();
        let stored = doctor.get(&format!("/fhir/{made}")).await.expect(200).json();
        assert_eq!(stored["subject"]["reference"], format!("Patient/{patient}"));

        // What is outside cannot be told from what is nowhere.
        let pair = Pair::new(hospital, &vital, &outside);
        pair.cannot_be_told(&app, &observation(&patient, "laboratory", "{mark}")).await;
        assert_eq!(version(&doctor, &vital).await, "1");
        // Nor may it bring something outside, or put something there.
        let moved = with_id(observation(&patient, "vital-signs", &inside), &lab);
        for bad in [
            entry("POST", "Observation", Some(&observation(&patient, "vital-signs", "x"))),
            entry("PUT", &format!("Observation/{lab}"), Some(&moved)),
        ] {
            let good =
                entry("POST", "Observation", Some(&observation(&patient, "laboratory", "half")));
            app.post("/fhir", &transaction(&[good, bad])).await.expect(403);
        }
        assert!(doctor.found("Observation?identifier=urn:test:mark|half").await.is_empty());
        assert_eq!(version(&doctor, &lab).await, "4");
        // Where it may not search, it may not state conditions.
        let blind = program(hospital, &doctor, &patient, "user/Observation.cud").await;
        blind.put(&by_mark, &body).await.expect(403);
        blind.delete(&by_mark).await.expect(403);
    });
}

#[test]
fn an_app_of_one_patient_stays_with_the_patient() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let mark = hospital.app.new_token();
        let person = |family: &str, mark: &str| {
            json!({"resourceType": "Patient", "name": [{"family": family}],
                "identifier": [{"system": "urn:test:mark", "value": mark}]})
        };
        let mine = doctor.create(&person("Mine", "mine")).await;
        let other = doctor.create(&person("Other", &mark)).await;
        let theirs = doctor.create(&observation(&other, "laboratory", &mark)).await;
        let app = program(hospital, &doctor, &mine, "patient/*.cruds").await;
        let pair = Pair::new(hospital, &theirs, &mark);
        pair.cannot_be_told(&app, &observation(&mine, "laboratory", "{mark}")).await;
        // A reference by a search finds nobody else.
        let mut searching = observation(&mine, "laboratory", "x");
        searching["performer"] = json!([{"reference": "Patient?identifier={mark}"}]);
        let bundle = transaction(&[entry("POST", "Observation", Some(&searching))]);
        let answer = pair.ask(&app, (Method::POST, "/fhir"), Some(&bundle), &[]).await;
        assert_eq!(answer.0, 412, "{}", answer.1);
        // Whom an entry is about is judged when its references are resolved.
        let own = with_id(person("Mine", "mine"), &mine);
        let mut first = entry("PUT", &format!("Patient/{mine}"), Some(&own));
        first["fullUrl"] = json!("urn:uuid:0b0d4d4e-0000-4000-8000-000000000001");
        let mut linked = observation(&mine, "laboratory", "linked");
        linked["subject"]["reference"] = first["fullUrl"].clone();
        let both = transaction(&[first, entry("POST", "Observation", Some(&linked))]);
        app.post("/fhir", &both).await.expect(200);
        let mut about = observation(&other, "laboratory", "about");
        let post = |resource: &Value| transaction(&[entry("POST", "Observation", Some(resource))]);
        app.post("/fhir", &post(&about)).await.expect(403);
        about["subject"]["reference"] = json!("urn:uuid:0b0d4d4e-0000-4000-8000-000000000009");
        app.post("/fhir", &post(&about)).await.expect(403);
        assert_eq!(doctor.found(&format!("Observation?subject=Patient/{other}")).await.len(), 1);
    });
}

/// What a page of history tells: `METHOD Type/id` of each entry.
async fn told(client: &Client, first: &str) -> Vec<String> {
    let (mut next, mut all) = (Some(first.to_owned()), Vec::new());
    while let Some(path) = next {
        let page = client.get(&path).await.expect(200);
        let body = page.json();
        for entry in body["entry"].as_array().into_iter().flatten() {
            let method = match text(&entry["request"]["method"]).as_str() {
                "DELETE" => "DELETE",
                _ => "is",
            };
            let place = text(&entry["fullUrl"]);
            let place = place.split("/fhir/").last().unwrap().to_owned();
            all.push(format!("{method} {place}"));
        }
        next = page.link("next");
    }
    all
}

#[test]
fn versions_of_what_is_inside_are_listed() {
    run(async {
        let hospital = &shared().await.all[0];
        let doctor = hospital.signed_in(Role::Clinician).await;
        let person =
            |family: &str| json!({"resourceType": "Patient", "name": [{"family": family}]});
        let [mine, other] = [doctor.create(&person("A")).await, doctor.create(&person("B")).await];
        let lab = doctor.create(&observation(&mine, "laboratory", "1")).await;
        doctor.create(&observation(&other, "laboratory", "2")).await;
        let gone = doctor.create(&observation(&mine, "laboratory", "3")).await;
        let hidden = doctor.create(&observation(&other, "laboratory", "4")).await;
        for id in [&gone, &hidden] {
            doctor.delete(&format!("/fhir/Observation/{id}")).await.expect(204);
        }
        let body = with_id(observation(&mine, "vital-signs", "1"), &lab);
        doctor.put(&format!("/fhir/Observation/{lab}"), &body).await.expect(200);
        let moved = doctor.create(&observation(&mine, "laboratory", "5")).await;
        let body = with_id(observation(&other, "laboratory", "5"), &moved);
        doctor.put(&format!("/fhir/Observation/{moved}"), &body).await.expect(200);
        let app =
            program(hospital, &doctor, &mine, "patient/Observation.rs patient/Patient.r").await;
        let mut expected = [
            format!("is Observation/{lab}"),
            format!("DELETE Observation/{gone}"),
            format!("is Observation/{gone}"),
            format!("is Observation/{lab}"),
        ];
        for count in [1, 3, 100] {
            let path = format!("/fhir/Observation/_history?_count={count}");
            assert_eq!(told(&app, &path).await, expected, "by {count}");
            let whole = format!("/fhir/_history?_count={count}");
            assert_eq!(told(&app, &whole).await, expected, "by {count}, of what may be searched");
        }
        expected.reverse();
        for count in [1, 100] {
            let path = format!("/fhir/Observation/_history?_sort=_lastUpdated&_count={count}");
            assert_eq!(told(&app, &path).await, expected, "from the oldest by {count}");
        }
        // A part by content: versions that were outside are left out, of one resource too.
        let scope = format!("patient/Observation.rs?category={CATEGORY}|vital-signs");
        let part = program(hospital, &doctor, &mine, &scope).await;
        assert_eq!(
            told(&part, "/fhir/Observation/_history").await,
            [format!("is Observation/{lab}")]
        );
        let one = format!("/fhir/Observation/{lab}/_history");
        assert_eq!(told(&part, &one).await, [format!("is Observation/{lab}")]);
        // Nothing of what it may not search, and nothing at all without the letter.
        app.get("/fhir/Patient/_history").await.expect(403);
        app.get("/fhir/Condition/_history").await.expect(403);
        let reading = program(hospital, &doctor, &mine, "patient/Observation.r").await;
        reading.get("/fhir/_history").await.expect(403);
        // The patient sees the own versions and no others.
        let patient = hospital.patient(&mine).await;
        expected.reverse();
        assert_eq!(told(&patient, "/fhir/Observation/_history").await, expected);
    });
}

#[test]
fn people_change_what_is_not_withheld_from_them() {
    run(async {
        let hospital = &shared().await.all[0];
        let ids = newcomer(std::slice::from_ref(&hospital), "Verhoeven", "987-66-4409").await;
        let named = hospital.account(Role::Clinician, None);
        let now = Some(hospital.app.now_ms());
        let here = Client::sign_in(&hospital.base, &named, now).await;
        let colleague = hospital.signed_in(Role::Clinician).await;
        let mark = hospital.app.new_token();
        let performer =
            colleague.create(&json!({"resourceType": "Practitioner", "active": true})).await;
        let mut kept = observation(&ids[0], "laboratory", &mark);
        kept["performer"] = json!([{"reference": format!("Practitioner/{performer}")}]);
        let kept = colleague.create(&kept).await;
        let browser = Browser::patient(hospital, &ids[0]).await;
        let number = named.username.trim_start_matches("clinician");
        let page = browser.page(&format!("/me/permissions?name=clinician+No.+{number}")).await;
        let (_, rest) = page.split_once(&format!("<strong>clinician No. {number},")).unwrap();
        let (_, rest) = rest.split_once("name=\"person\" value=\"").unwrap();
        let person = rest.split_once('"').unwrap().0.to_owned();
        let fields = [("person", person.as_str()), ("decision", "withdraw"), ("confirm", "yes")];
        assert_eq!(browser.send("/me/permissions", "/me/permissions", &fields).await, 303);

        let neighbour = colleague
            .create(&json!({"resourceType": "Patient", "name": [{"family": "Neighbour"}]}))
            .await;
        let pair = Pair::new(hospital, &kept, &mark);
        pair.cannot_be_told(&here, &observation(&neighbour, "laboratory", "{mark}")).await;
        assert_eq!(version(&colleague, &kept).await, "1");
        // What is about nobody leads to nothing that is withheld, in a search and in a condition.
        for path in [
            "Practitioner?_has:Observation:performer:_id={id}",
            "Practitioner?_has:Observation:performer:identifier={mark}",
        ] {
            let asked = path.replace("{id}", &kept).replace("{mark}", &mark);
            assert_eq!(colleague.found(&asked).await, std::slice::from_ref(&performer));
            assert!(here.found(&asked).await.is_empty(), "{asked}");
            let delete = entry("DELETE", path, None);
            let answer =
                pair.ask(&here, (Method::POST, "/fhir"), Some(&transaction(&[delete])), &[]).await;
            assert_eq!(answer.0, 200, "{}", answer.1);
        }
        colleague.get(&format!("/fhir/Practitioner/{performer}")).await.expect(200);
        // Versions of others are listed, of this patient none.
        let other = colleague.create(&observation(&neighbour, "laboratory", "seen")).await;
        let all = here.get("/fhir/Observation/_history?_count=100").await.expect(200).text;
        assert!(all.contains(&other) && !all.contains(&kept) && !all.contains(&ids[0]));
        let all = here.get("/fhir/_history?_count=100").await.expect(200).text;
        assert!(all.contains(&other) && !all.contains(&kept));
    });
}
