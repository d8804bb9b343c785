//! Forms of what is sent: JSON and XML, compressed, laid out, in part; and contents that are no
//! resource.

use std::io::Write as _;

use identity::Role;
use reqwest::Method;
use serde_json::json;

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

async fn clinician() -> Client {
    shared().await.all[1].signed_in(Role::Clinician).await
}

const XML: &str = "application/fhir+xml";

#[test]
fn everything_is_there_in_xml_too() {
    run(async {
        let client = clinician().await;
        let xml = r#"<Patient xmlns="http://hl7.org/fhir"><active value="true"/>
            <name><family value="Ångström &amp; Söhne"/></name></Patient>"#;
        let headers = [("content-type", XML), ("accept", XML)];
        let created = client
            .send(Method::POST, "/fhir/Patient", Some(xml.into()), &headers)
            .await
            .expect(201);
        assert!(created.header("content-type").starts_with(XML));
        assert!(created.text.contains("Ångström &amp; Söhne"), "{}", created.text);
        let location = created.header("location").to_owned();
        let path = location.split("/_history").next().unwrap().to_owned();
        let json = client.get(&path).await.expect(200).json();
        assert_eq!(json["name"][0]["family"], "Ångström & Söhne");
        let id = text(&json["id"]);
        for address in [
            format!("/fhir/Patient/{id}?_format=xml"),
            format!("/fhir/Patient/{id}?_format=application/fhir%2Bxml"),
            format!("/fhir/Patient/{id}?_format=application/fhir+xml"),
            format!("/fhir/Patient/{id}/_history/1?_format=xml"),
            format!("/fhir/Patient/{id}/_history?_format=xml"),
            format!("/fhir/Patient?_id={id}&_format=text/xml"),
            "/fhir/metadata?_format=xml".to_owned(),
        ] {
            let answer = client.get(&address).await.expect(200);
            assert!(answer.header("content-type").starts_with(XML), "{address}");
            assert!(answer.text.contains("xmlns=\"http://hl7.org/fhir\""), "{address}");
        }
        let form = format!("_id={id}&_format=xml");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let found = client.send(Method::POST, "/fhir/Patient/_search", Some(form), &kind).await;
        assert!(found.expect(200).header("content-type").starts_with(XML));
        // Faults come in the same form.
        let accept = [("accept", "application/json;q=0.2, application/fhir+xml")];
        let gone = client.send(Method::GET, "/fhir/Patient/none", None, &accept).await.expect(404);
        assert!(gone.text.contains("<OperationOutcome"), "{}", gone.text);
        let bundle = format!(
            r#"<Bundle xmlns="http://hl7.org/fhir"><type value="batch"/><entry><request>
            <method value="GET"/><url value="Patient/{id}"/></request></entry></Bundle>"#
        );
        let answer = client.send(Method::POST, "/fhir", Some(bundle), &headers).await.expect(200);
        assert!(answer.text.contains("<status value=\"200 OK\"/>"), "{}", answer.text);
        for bad in
            ["<Patient/>", "<Patient", "<Patient xmlns=\"http://hl7.org/fhir\"><colour/></Patient>"]
        {
            let answer =
                client.send(Method::POST, "/fhir/Patient", Some(bad.into()), &headers).await;
            assert!(answer.expect(400).text.contains("structure"), "{bad}");
        }
    });
}

#[test]
fn other_versions_and_characters_are_refused() {
    run(async {
        let client = clinician().await;
        let body = json!({"resourceType": "Basic", "code": {"text": "x"}}).to_string();
        for (name, value, status) in [
            ("accept", "application/fhir+json; fhirVersion=4.0", 201),
            ("accept", "application/fhir+json; fhirVersion=3.0", 406),
            ("accept", "text/html", 406),
            ("accept", "text/html, */*;q=0.1", 201),
            ("content-type", "application/fhir+json; fhirVersion=4.0", 201),
            ("content-type", "application/fhir+json; fhirVersion=5.0", 415),
            ("content-type", "application/fhir+json; charset=UTF-8", 201),
            ("content-type", "application/fhir+json; charset=latin1", 415),
            ("content-type", "text/plain", 415),
            ("content-encoding", "br", 415),
        ] {
            let headers = [(name, value)];
            let answer =
                client.send(Method::POST, "/fhir/Basic", Some(body.clone()), &headers).await;
            assert_eq!(answer.status, status, "{name}: {value}: {}", answer.text);
            if status > 400 {
                assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{name}: {value}");
            }
        }
    });
}

#[test]
fn bodies_may_be_compressed_and_not_be_bombs() {
    run(async {
        let client = clinician().await;
        let body = json!({"resourceType": "Basic", "code": {"text": "compressed"}}).to_string();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(body.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(body.as_bytes(), 1).unwrap();
        for (coding, bytes) in [("gzip", gzip.clone()), ("zstd", zstd)] {
            let created = client.send_bytes("/fhir/Basic", bytes, coding).await.expect(201);
            assert_eq!(created.json()["code"]["text"], "compressed", "{coding}");
        }
        let (code, _) = client.send_bytes("/fhir/Basic", gzip, "zstd").await.expect(400).issue();
        assert_eq!(code, "structure");
        let zeros = vec![b' '; 65 << 20];
        let bomb = zstd::encode_all(zeros.as_slice(), 3).unwrap();
        assert!(bomb.len() < 1 << 20);
        let (code, _) = client.send_bytes("/fhir/Basic", bomb, "zstd").await.expect(413).issue();
        assert_eq!(code, "too-long");
        let invalid = [b"{\"resourceType\":\"Basic\",\"code\":{\"text\":\"\xff\"}}".to_vec()];
        for bytes in invalid {
            client.send_bytes("/fhir/Basic", bytes, "identity").await.expect(400);
        }
    });
}

#[test]
fn a_part_of_a_resource_says_that_it_is_one() {
    run(async {
        let client = clinician().await;
        let body = json!({
            "resourceType": "Patient", "active": true, "birthDate": "1970-01-01",
            "identifier": [{"system": "urn:test:part", "value": "a"}],
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
            "contact": [{"name": {"family": "y"}}],
        });
        let id = client.create(&body).await;
        for path in [format!("/fhir/Patient/{id}"), format!("/fhir/Patient/{id}/_history/1")] {
            let summary = client.get(&format!("{path}?_summary=true")).await.expect(200).json();
            assert_eq!(summary["birthDate"], "1970-01-01", "{path}");
            assert!(summary["text"].is_null() && summary["contact"].is_null(), "{summary}");
            assert_eq!(summary["meta"]["tag"][0]["code"], "SUBSETTED");
            let some = client.get(&format!("{path}?_elements=birthDate")).await.expect(200).json();
            assert!(some["contact"].is_null() && some["birthDate"].is_string(), "{some}");
            client.get(&format!("{path}?_summary=some")).await.expect(400);
            client.get(&format!("{path}?_elements=colour")).await.expect(400);
            client.get(&format!("{path}?colour=red")).await.expect(400);
            let whole = client.get(&format!("{path}?_summary=false")).await.expect(200).json();
            assert!(whole["contact"].is_array() && whole["meta"]["tag"].is_null());
        }
        for path in [
            format!("/fhir/Patient?_id={id}&_elements=birthDate"),
            format!("/fhir/Patient/{id}/_history?_elements=birthDate"),
        ] {
            let found = client.get(&path).await.expect(200).json();
            let resource = &found["entry"][0]["resource"];
            assert!(resource["contact"].is_null() && resource["birthDate"].is_string(), "{found}");
        }
        let pretty = client.get(&format!("/fhir/Patient/{id}?_pretty=true")).await.expect(200);
        assert!(pretty.text.lines().count() > 10, "{}", pretty.text);
        assert_eq!(pretty.json(), client.get(&format!("/fhir/Patient/{id}")).await.json());
    });
}

#[test]
fn contents_that_are_no_resource_come_back_as_they_were() {
    run(async {
        let client = clinician().await;
        let content = "a,b\n1,2\n";
        let csv = [("content-type", "text/csv; charset=latin1")];
        let created =
            client.send(Method::POST, "/fhir/Binary", Some(content.into()), &csv).await.expect(201);
        let id = text(&created.json()["id"]);
        let path = format!("/fhir/Binary/{id}");
        let raw =
            client.send(Method::GET, &path, None, &[("accept", "text/csv")]).await.expect(200);
        assert_eq!(raw.text, content);
        assert_eq!(raw.header("content-type"), "text/csv; charset=latin1");
        assert_eq!(raw.header("content-security-policy"), "sandbox");
        assert_eq!(raw.header("x-content-type-options"), "nosniff");
        assert_eq!(raw.header("etag"), "W/\"1\"");
        let fhir = [("accept", "application/fhir+json")];
        let resource = client.send(Method::GET, &path, None, &fhir).await.expect(200).json();
        assert_eq!(resource["contentType"], "text/csv; charset=latin1");
        assert_eq!(resource["data"], "YSxiCjEsMgo=");
        let changed = client.send(Method::PUT, &path, Some("c".into()), &csv).await.expect(200);
        assert_eq!(changed.json()["data"], "Yw==");
        // A Binary as a resource is one.
        let again = client.send(Method::PUT, &path, Some(resource.to_string()), &[]).await;
        assert_eq!(again.expect(200).json()["data"], "YSxiCjEsMgo=");
    });
}

#[test]
fn methods_are_told_where_they_are_asked() {
    run(async {
        let client = clinician().await;
        for (path, method, allowed) in [
            ("/fhir/Basic/a", Method::POST, ["GET", "PUT", "PATCH", "DELETE"].as_slice()),
            ("/fhir/Basic", Method::OPTIONS, ["GET", "POST", "PUT", "DELETE"].as_slice()),
            ("/fhir/Basic/a", Method::OPTIONS, ["HEAD", "PUT", "OPTIONS"].as_slice()),
            ("/fhir", Method::OPTIONS, ["POST"].as_slice()),
            ("/fhir/metadata", Method::DELETE, ["GET"].as_slice()),
        ] {
            let answer = client.send(method.clone(), path, None, &[]).await;
            let status = if method == Method::OPTIONS { 204 } else { 405 };
            let answer = answer.expect(status);
            let allow = answer.header("allow");
            for name in allowed {
                assert!(allow.contains(name), "{method} {path}: {allow}");
            }
            assert!(answer.headers.get("access-control-allow-origin").is_none());
        }
        let (code, _) = client.delete("/fhir/metadata").await.expect(405).issue();
        assert_eq!(code, "not-supported");
        client.send(Method::OPTIONS, "/fhir/a/b/c/d", None, &[]).await.expect(404);
        let correlation = [("x-correlation-id", "chain-1")];
        let answer = client.send(Method::GET, "/fhir/Basic/none", None, &correlation).await;
        assert_eq!(answer.header("x-correlation-id"), "chain-1");
        let bad = client.get("/fhir/Basic/%FF").await.expect(400);
        assert_eq!(bad.json()["resourceType"], "OperationOutcome");
    });
}

#[test]
fn what_is_not_known_is_passed_over_for_those_who_say_so() {
    run(async {
        let client = clinician().await;
        let id = client.create(&json!({"resourceType": "Basic", "code": {"text": "x"}})).await;
        let path = format!("/fhir/Basic?_id={id}&colour=red");
        let strict = [("prefer", "handling=strict")];
        client.get(&path).await.expect(400);
        client.send(Method::GET, &path, None, &strict).await.expect(400);
        let lenient = [("prefer", "handling=lenient")];
        let found = client.send(Method::GET, &path, None, &lenient).await.expect(200);
        assert_eq!(found.matches(), [id]);
        assert!(!found.link("self").unwrap().contains("colour"));
        let body = found.json();
        let entries = body["entry"].as_array().unwrap();
        let outcome = entries.iter().find(|e| e["search"]["mode"] == "outcome").unwrap();
        assert!(text(&outcome["resource"]["issue"][0]["diagnostics"]).contains("`colour`"));
    });
}
