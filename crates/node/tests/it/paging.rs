//! Turning pages while others write: the pages show what the first one saw.

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

const PAGES: usize = 25;

fn item(number: usize, note: &str) -> Value {
    json!({
        "resourceType": "Basic",
        "identifier": [{"system": "urn:test:paging", "value": format!("{number:03}")}],
        "code": {"text": note},
    })
}

async fn write(client: &Client, ids: &[String]) {
    for (number, id) in ids.iter().enumerate() {
        match number % 3 {
            0 => {
                client.delete(&format!("/fhir/Basic/{id}")).await.expect(204);
            }
            1 => {
                let mut changed = item(number, "changed");
                changed["id"] = json!(id);
                client.put(&format!("/fhir/Basic/{id}"), &changed).await.expect(200);
            }
            _ => {
                client.create(&item(number, "added")).await;
            }
        }
    }
}

#[test]
fn pages_show_what_the_first_one_saw_while_others_write() {
    run(async {
        let hospital = &shared().await.all[0];
        let reader = hospital.signed_in(Role::Clinician).await;
        let writer = hospital.signed_in(Role::Clinician).await;
        let mut ids = Vec::new();
        for number in 0..PAGES * 2 {
            ids.push(reader.create(&item(number, "first")).await);
        }
        let search = "/fhir/Basic?identifier=urn:test:paging|&_sort=identifier&_count=2";
        let first = reader.get(search).await.expect(200);
        let read = async {
            let (mut seen, mut page) = (Vec::new(), first);
            loop {
                let body = page.json();
                assert_eq!(body["total"], PAGES * 2, "the total stays");
                for entry in body["entry"].as_array().unwrap() {
                    let resource = &entry["resource"];
                    assert_eq!(resource["code"]["text"], "first", "the version that matched");
                    seen.push(text(&resource["id"]));
                }
                let Some(next) = page.link("next") else { break };
                page = reader.get(&next).await.expect(200);
            }
            let back = page.link("previous").expect("a page before the last");
            assert_eq!(reader.get(&back).await.expect(200).matches().len(), 2);
            let start = page.link("first").expect("a first page");
            assert_eq!(reader.get(&start).await.expect(200).matches(), ids[..2]);
            seen
        };
        let (seen, ()) = tokio::join!(read, write(&writer, &ids));
        assert_eq!(seen, ids, "every one once, in order");
        // A new search sees the new state: a third each is deleted, changed and joined by another.
        let now =
            reader.get("/fhir/Basic?identifier=urn:test:paging|&_count=1000").await.expect(200);
        let (deleted, added) = ((PAGES * 2).div_ceil(3), PAGES * 2 / 3);
        assert_eq!(now.matches().len(), PAGES * 2 - deleted + added);
    });
}

/// The newest of a code: the store finds the first page alone, and the others are still what the
/// first one saw.
#[test]
fn pages_of_the_newest_show_what_the_first_one_saw() {
    run(async {
        let client = shared().await.all[0].signed_in(Role::Clinician).await;
        let weight = |day: usize, note: &str| {
            json!({
                "resourceType": "Observation", "status": "final",
                "code": {"coding": [{"system": "urn:test:newest", "code": "w"}]},
                "effectiveDateTime": format!("2020-01-{day:02}"),
                "note": [{"text": note}],
            })
        };
        let mut ids = Vec::new();
        for number in 1..=12_usize {
            // Two on each day, and two without one.
            let mut resource = weight(number.div_ceil(2), "first");
            if number > 10 {
                resource.as_object_mut().unwrap().remove("effectiveDateTime");
            }
            ids.push(client.create(&resource).await);
        }
        let order = [8, 9, 6, 7, 4, 5, 2, 3, 0, 1, 10, 11];
        let expected: Vec<String> = order.iter().map(|at: &usize| ids[*at].clone()).collect();
        for total in ["accurate", "none"] {
            let search = format!(
                "/fhir/Observation?code=urn:test:newest|w&_sort=-date&_count=5&_total={total}"
            );
            let mut page = client.get(&search).await.expect(200);
            let counted = page.json()["total"].as_u64();
            assert_eq!(counted, (total == "accurate").then_some(12), "{total}");
            // The second is deleted, the last but two moves to the front, and one is added.
            let mut changed = weight(28, "changed");
            changed["id"] = json!(expected[9]);
            client.delete(&format!("/fhir/Observation/{}", expected[1])).await;
            client.put(&format!("/fhir/Observation/{}", expected[9]), &changed).await.expect(200);
            let added = client.create(&weight(27, "added")).await;
            let mut seen = page.matches();
            while let Some(next) = page.link("next") {
                page = client.get(&next).await.expect(200);
                seen.extend(page.matches());
            }
            assert_eq!(seen, expected, "{total}");
            // As it was, for the next round.
            client.delete(&format!("/fhir/Observation/{added}")).await.expect(204);
            for at in [1, 9] {
                let mut before = weight(order[at] / 2 + 1, "first");
                before["id"] = json!(expected[at]);
                let path = format!("/fhir/Observation/{}", expected[at]);
                let put = client.put(&path, &before).await;
                assert!(put.status < 300, "{}", put.status);
            }
        }
    });
}

#[test]
fn pages_belong_to_who_searched() {
    run(async {
        let hospital = &shared().await.all[0];
        let reader = hospital.signed_in(Role::Clinician).await;
        let other = hospital.signed_in(Role::Clinician).await;
        for number in 0..3 {
            let mut item = item(number, "x");
            item["identifier"][0]["system"] = json!("urn:test:owner");
            reader.create(&item).await;
        }
        let page = reader.get("/fhir/Basic?identifier=urn:test:owner|&_count=1").await.expect(200);
        let next = page.link("next").expect("a next page");
        other.get(&next).await.expect(410);
        reader.get(&next).await.expect(200);
        hospital.stranger().get(&next).await.expect(401);
        reader.get("/fhir/_page/nonsense").await.expect(410);
        reader.get("/fhir/_page/nonsense.1.1").await.expect(410);
        let beyond = next.rsplitn(3, '.').nth(2).map(|token| format!("{token}.900.1")).unwrap();
        assert!(reader.get(&beyond).await.expect(200).matches().is_empty());
    });
}
