//! The audit: sound after everything, for who keeps the machines and from the command line.

use std::sync::atomic::{AtomicU64, Ordering};

use app::audit::verify::{Verdict, head, verify};
use crypto::Head;
use identity::Role;
use serde_json::json;
use tokio::task::block_in_place;

use crate::client::parameters;
use crate::hospitals::{Hospitals, Setup, run};

#[test]
fn the_log_is_whole_after_work_of_all_kinds() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 4, ..Setup::default() }).await;
        let here = &hospitals.all[0];
        let id = &hospitals.story().at[&here.org].patient_id;
        let clinician = here.signed_in(Role::Clinician).await;
        let noted = block_in_place(|| head(&*here.app.store().snapshot().unwrap()).unwrap());
        let before = noted.expect("sign-in is logged").number;

        // Many at the same moment, because the chain is one.
        let record = format!("/fhir/Patient/{id}/$longitudinal-record?_wait=all");
        let work = (0..40).map(async |number| {
            let basic = json!({"resourceType": "Basic", "code": {"text": format!("{number}")}});
            let created = clinician.create(&basic).await;
            clinician.get(&format!("/fhir/Basic/{created}")).await.expect(200);
            clinician.delete(&format!("/fhir/Basic/{created}")).await.expect(204);
            clinician.get(&record).await.expect(200);
        });
        futures(work).await;
        here.signed_in(Role::Operator).await.get("/fhir/Patient").await.expect(403);
        let patient = here.patient(id).await;
        let withdraw = parameters(&[("decision", "withdraw")]);
        patient.post(&format!("/fhir/Patient/{id}/$consent"), &withdraw).await.expect(200);
        let path = format!("/fhir/Patient/{id}/$break-glass");
        clinician.post(&path, &parameters(&[("reason", "emergency")])).await.expect(200);

        block_in_place(|| check(&hospitals, noted, before));
        hospitals.stop().await;
    });
}

fn check(hospitals: &Hospitals, noted: Option<Head>, before: u64) {
    for hospital in &hospitals.all {
        let snapshot = hospital.app.store().snapshot().unwrap();
        let checked = AtomicU64::new(0);
        let verdict =
            verify(&*snapshot, None, &mut |n| checked.store(n, Ordering::SeqCst)).unwrap();
        let Verdict::Sound(last) = verdict else { panic!("{verdict:?}") };
        assert_eq!(Some(last), head(&*snapshot).unwrap());
        assert_eq!(checked.load(Ordering::SeqCst), last.number);
    }
    let snapshot = hospitals.all[0].app.store().snapshot().unwrap();
    let last = head(&*snapshot).unwrap().unwrap();
    assert!(last.number >= before + 160, "each interaction has an entry: {}", last.number);
    let later = verify(&*snapshot, noted, &mut |_| {}).unwrap();
    assert!(matches!(later, Verdict::Sound(_)), "what was noted is still in it");
    let mut forged = noted.unwrap();
    forged.hash[0] ^= 1;
    let forged = verify(&*snapshot, Some(forged), &mut |_| {}).unwrap();
    assert!(matches!(forged, Verdict::Broken(_)), "another past is not believed");
    let mut cut = last;
    cut.number += 1;
    let cut = verify(&*snapshot, Some(cut), &mut |_| {}).unwrap();
    assert!(matches!(cut, Verdict::Broken(_)), "a log cut off is noticed");
}

/// Runs all at the same time.
async fn futures<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        running.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
