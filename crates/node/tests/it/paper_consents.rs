//! A consent on paper: recorded by the privacy officer with a scan, in force everywhere, seen by the
//! patient, and ended.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::Role;

use crate::accountability::Browser;
use crate::client::text;
use crate::hospitals::{Hospital, run, shared};
use crate::record::{CONSENT_WITHIN, ask, ask_until, newcomer};

const PAGE: &str = "/privacy/consents";
const SCAN: &[u8] = b"%PDF-1.7 a scan of a form";

#[test]
fn a_paper_holds_as_a_decision_of_the_patient_does_until_it_is_ended() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().collect();
        let ids = newcomer(&all[..2], "Wendelstein", "987-66-4409").await;
        let there = all[1].signed_in(Role::Clinician).await;
        assert_eq!(ask(&there, &ids[1]).await.state(all[0]), "answered");
        let officer = Browser::of(all[0], Role::PrivacyOfficer).await;
        let fields = [
            ("number", "987-66-4409"),
            ("born", "1966-04-17"),
            ("organisation", all[1].org.as_str()),
            ("decision", "withdraw"),
            ("signed_on", "2024-05-06"),
            ("representative", "Gerda Wendelstein"),
        ];
        let preview = format!("{PAGE}/preview");

        // Number and date of birth have to be one patient's, and the day one that has begun.
        for (at, wrong) in [(0, "987-66-4400"), (1, "1966-04-18"), (3, "open"), (4, "2999-01-01")] {
            let mut fields = fields;
            fields[at].1 = wrong;
            let (status, page) = officer.sent(PAGE, &preview, &fields).await;
            assert_eq!(status, 200);
            assert!(page.contains("aria-invalid") && !page.contains("id=\"scan\""), "{wrong}");
        }
        // What it changes is shown, and nothing holds yet.
        let (status, page) = officer.sent(PAGE, &preview, &fields).await;
        assert_eq!(status, 200);
        assert!(page.contains("class=\"loses\"") && page.contains("id=\"scan\""), "{page}");
        let (status, page) = officer.sent_with_scan(PAGE, PAGE, &fields, b"<html>").await;
        assert!(status == 200 && page.contains("scan-fault"), "{page}");
        assert_eq!(ask(&there, &ids[1]).await.state(all[0]), "answered");

        assert_eq!(officer.sent_with_scan(PAGE, PAGE, &fields, SCAN).await.0, 303);
        ask_until(&there, &ids[1], CONSENT_WITHIN, |seen| seen.state(all[0]) == "withheld").await;
        let patient = Browser::patient(all[0], &ids[0]).await;
        let page = patient.page("/me/permissions").await;
        assert!(page.contains("on paper, recorded by"), "{page}");
        let consents = format!("/fhir/Consent?patient=Patient/{}", ids[0]);
        let consent = patient.client.get(&consents).await.expect(200).json();
        let consent = &consent["entry"][0]["resource"];
        assert_eq!(consent["dateTime"], "2024-05-06");
        assert_eq!(consent["verification"][0]["verified"], true);
        assert_eq!(consent["verification"][0]["verifiedWith"]["display"], "Gerda Wendelstein");
        assert_eq!(consent["sourceAttachment"]["contentType"], "application/pdf");
        let scan = STANDARD.encode(SCAN);
        assert_eq!(consent["sourceAttachment"]["data"], scan);

        // Abroad the decision is known, and the scan is not: an address and hashes stand for it.
        let consents = format!("/fhir/Consent?patient=Patient/{}", ids[1]);
        let abroad = there.get(&consents).await.expect(200);
        assert!(!abroad.text.contains(&scan), "{}", abroad.text);
        let abroad = &abroad.json()["entry"][0]["resource"];
        assert_eq!(abroad["dateTime"], "2024-05-06");
        let source = &abroad["sourceAttachment"];
        assert_eq!(source["contentType"], "application/pdf");
        assert_eq!(source["size"], SCAN.len());
        assert_eq!(source["hash"], STANDARD.encode(crypto::hash::sha1(SCAN)));
        let sha256 = crypto::hash::hex(&crypto::hash::sha256(SCAN));
        assert_eq!(source["extension"][0]["valueString"], sha256);
        let kept = format!("{}/fhir/Consent/{}", all[0].base, text(&consent["id"]));
        assert_eq!(source["url"], kept);
        // Nowhere in what the other hospital keeps are its bytes.
        let marks = [&scan[4..24], "a scan of a form"];
        let snapshot = all[1].app.store().snapshot().unwrap();
        for first in (1..=snapshot.seq()).step_by(500) {
            let some: Vec<_> = (first..(first + 500).min(snapshot.seq() + 1)).collect();
            for stored in snapshot.load(&some).unwrap() {
                assert!(marks.iter().all(|mark| !stored.text.contains(mark)), "{:?}", stored.key);
            }
        }
        for hospital in &all {
            let snapshot = hospital.app.store().snapshot().unwrap();
            for (_, message) in snapshot.side_scan("outbox", b"", 10_000).unwrap() {
                assert!(!String::from_utf8_lossy(&message).contains(marks[0]));
            }
        }

        // Whoever recorded it can end it, once.
        let page = officer.page(PAGE).await;
        let (before, _) = page.split_once("/end\"").expect("it can be ended");
        let start = before.rfind("action=\"").expect("a form") + "action=\"".len();
        let end = format!("{}/end", &before[start..]);
        assert_eq!(officer.send(PAGE, &end, &[]).await, 303);
        ask_until(&there, &ids[1], CONSENT_WITHIN, |seen| seen.state(all[0]) == "answered").await;
        assert_eq!(officer.send(PAGE, &end, &[]).await, 400);

        // Nobody else records papers, nor at another hospital what was recorded here.
        let others = Browser::of(all[1], Role::PrivacyOfficer).await;
        assert_eq!(others.send(PAGE, &end, &[]).await, 404);
    });
}
