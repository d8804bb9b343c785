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
