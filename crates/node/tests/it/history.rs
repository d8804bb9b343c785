//! History by time, in pages that stay what they were.

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

async fn clinician() -> Client {
    shared().await.all[1].signed_in(Role::Clinician).await
}

fn versions(body: &Value) -> Vec<String> {
    let entries = body["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| text(&entry["response"]["etag"])).collect()
}

#[test]
fn a_moment_shows_what_stood_then() {
    run(async {
        let hospital = &shared().await.all[1];
        let client = clinician().await;
        let id = client.create(&json!({"resourceType": "Basic", "code": {"text": "1"}})).await;
        let path = format!("/fhir/Basic/{id}");
        let mut times = vec![];
        for version in 1..=3 {
            let read = client.get(&path).await.expect(200).json();
            times.push(text(&read["meta"]["lastUpdated"]));
            // The clock of versions is in milliseconds; the next one must not share this one's.
            while hospital.app.now_ms() <= fhir::time::parse(times.last().unwrap()).unwrap().end_ms
            {
                tokio::task::yield_now().await;
            }
            let code = json!({"text": version.to_string()});
            let body = json!({"resourceType": "Basic", "id": id, "code": code});
            client.put(&path, &body).await.expect(200);
        }
        client.delete(&path).await.expect(204);
        let ask = async |query: &str| {
            let found = client.get(&format!("{path}/_history?{query}")).await.expect(200).json();
            versions(&found)
        };
        let tag = |n: u32| format!("W/\"{n}\"");
        let all: Vec<String> = (1..=5).rev().map(tag).collect();
        assert_eq!(ask("").await, all);
        assert_eq!(ask(&format!("_since={}", times[2])).await, all[..3]);
        assert_eq!(ask(&format!("_at={}", times[1])).await, [tag(2)]);
        assert_eq!(ask(&format!("_at=lt{}", times[1])).await, [tag(1)]);
        assert_eq!(ask(&format!("_at=ge{}", times[2])).await, all[..3]);
        assert_eq!(ask("_at=1970").await, [] as [&str; 0]);
        assert_eq!(ask("_sort=-_lastUpdated&_count=2").await, all[..2]);
        let mut oldest = all.clone();
        oldest.reverse();
        assert_eq!(ask("_sort=_lastUpdated").await, oldest);
        assert_eq!(ask("_sort=_lastUpdated&_count=2").await, oldest[..2]);
        assert_eq!(ask(&format!("_sort=_lastUpdated&_since={}", times[2])).await, oldest[2..]);
        assert_eq!(ask(&format!("_sort=_lastUpdated&_at=ge{}", times[2])).await, oldest[2..]);
        assert_eq!(ask("_count=0").await, [] as [&str; 0]);
        let total = client.get(&format!("{path}/_history?_count=1")).await.json()["total"].clone();
        assert_eq!(total, 5);
        for query in [
            "_sort=_id",
            "_sort=_lastUpdated,_id",
            "_sort=_lastUpdated&_place=7",
            "_at=then",
            "_since=x",
            "_count=-1",
            "_count=1&_count=2",
            "colour=red",
        ] {
            client.get(&format!("{path}/_history?{query}")).await.expect(400);
        }
        client.get("/fhir/Basic/never-was/_history").await.expect(404);
    });
}

#[test]
fn pages_of_a_history_do_not_move() {
    run(async {
        let client = clinician().await;
        let id = client.create(&json!({"resourceType": "Basic", "code": {"text": "1"}})).await;
        let path = format!("/fhir/Basic/{id}");
        let body = json!({"resourceType": "Basic", "id": id, "code": {"text": "x"}});
        for _ in 0..4 {
            client.put(&path, &body).await.expect(200);
        }
        let mut newest = 5;
        for sort in ["-_lastUpdated", "_lastUpdated"] {
            let begin = format!("_count=2&_elements=code&_sort={sort}");
            let mut expected: Vec<String> = (1..=newest).map(|n| format!("W/\"{n}\"")).collect();
            if sort.starts_with('-') {
                expected.reverse();
            }
            let mut next = Some(format!("{path}/_history?{begin}"));
            let mut seen = Vec::new();
            while let Some(address) = next {
                let page = client.get(&address).await.expect(200);
                assert!(page.link("self").unwrap().contains("_count=2"));
                seen.extend(versions(&page.json()));
                // What is written in between comes after the first page's time.
                client.put(&path, &body).await.expect(200);
                newest += 1;
                next = page.link("next");
            }
            assert_eq!(seen, expected, "{sort}");
        }
        for whole in ["/fhir/Basic/_history", "/fhir/_history"] {
            let path = format!("{whole}?_sort=_lastUpdated&_count=40");
            let page = client.get(&path).await.expect(200).json();
            let entries = page["entry"].as_array().unwrap();
            let times: Vec<String> =
                entries.iter().map(|entry| text(&entry["response"]["lastModified"])).collect();
            assert!(times.len() >= 5 && times.is_sorted(), "{whole}: {times:?}");
        }
        let at = client.get(&format!("{path}/_history?_at=ge1970&_count=1")).await.expect(200);
        assert!(at.link("next").unwrap().contains("_at=ge1970"));
    });
}
