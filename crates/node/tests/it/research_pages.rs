//! Research on pages: applied for, decided, asked, answered, told to patients, all by forms.

use app::rounds::part::look;
use identity::Role;

use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::point_of_care::{Page, Reader};
use crate::rounds::register;

async fn reader(hospital: &Hospital, role: Role) -> Reader<'_> {
    Reader::new(hospital, hospital.signed_in(role).await)
}

/// Waits until a page that looks again by itself does so no more.
async fn settled(reader: &Reader<'_>, path: &str) -> Page {
    let since = std::time::Instant::now();
    loop {
        let page = reader.get(path).await.expect(200);
        if !page.text.contains("http-equiv=\"refresh\"") {
            return page;
        }
        assert!(since.elapsed().as_secs() < 120, "{}", page.text);
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_project_is_applied_for_decided_asked_and_told_by_forms() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 4, ..Setup::default() }).await;
        for (at, hospital) in hospitals.all.iter().enumerate() {
            register(hospital, at, 3);
        }
        let [first, second, third] = &hospitals.all[..] else { panic!("three") };
        let researcher = reader(first, Role::Researcher).await;
        let home = researcher.get("/projects").await.expect(200);
        assert!(home.text.contains("A trial"), "{}", home.text);

        // What is wrong is said beside its field, and nothing that was typed is lost.
        let fields = |title: &'static str| {
            let mut fields: Vec<(&str, &str)> = vec![
                ("title", title),
                ("purpose", "To learn whether the treatment helps at every age"),
                ("dataset", "trial"),
                ("adder", second.org.as_str()),
                ("other-adder", third.org.as_str()),
                ("analysis", "regression"),
                ("analysis", "summary"),
                ("analysis", "k-means"),
                ("sites", "2"),
                ("rows", "10"),
                ("days", "30"),
            ];
            fields.extend(hospitals.all.iter().map(|one| ("holder", one.org.as_str())));
            fields
        };
        let wrong = researcher.post("/projects/new", &fields("")).await.expect(200);
        assert!(wrong.text.contains("aria-invalid"), "{}", wrong.text);
        assert!(wrong.text.contains("helps at every age"), "{}", wrong.text);
        let made = researcher.post("/projects/new", &fields("Who survives")).await.expect(303);
        let project = made.location.split('?').next().unwrap().to_owned();
        let page = researcher.get(&project).await.expect(200);
        assert!(!page.text.contains("/questions\""), "nothing is asked before everybody agrees");

        for hospital in &hospitals.all {
            look(&hospital.app).await;
            let steward = reader(hospital, Role::Steward).await;
            let told = steward.get("/projects").await.expect(200);
            assert!(told.text.contains("waits for you"), "{}", told.text);
            let decision = [("choice", "approve"), ("reason", "it helps our patients")];
            steward.post(&format!("{project}/decision"), &decision).await.expect(303);
            look(&hospital.app).await;
        }
        let page = researcher.get(&project).await.expect(200);
        assert!(page.text.contains("mark good\">approved"), "{}", page.text);

        let ask = format!("{project}/questions");
        let bad = [("kind", "regression"), ("text", "logistic(died) ~ weight")];
        let refused = researcher.post(&ask, &bad).await.expect(200);
        assert!(refused.text.contains("role=\"alert\""), "{}", refused.text);
        let good = [("kind", "regression"), ("text", "logistic(died) ~ age + arm")];
        let asked = researcher.post(&ask, &good).await.expect(303).location;
        let answer = settled(&researcher, &asked).await.text;
        assert!(answer.contains("arm[treated]") && answer.contains("<svg"), "{answer}");
        assert!(answer.contains("240 rows of 3 institutions"), "{answer}");

        // The steward reads what the rules found; the patient what it is for.
        let steward = reader(first, Role::Steward).await;
        let checked = steward.get(&asked).await.expect(200).text;
        assert!(checked.contains("No rule is broken"), "{checked}");
        let publication = [("title", "Who survives"), ("address", "https://doi.org/10.1000/182")];
        let published = researcher.post(&format!("{asked}/publications"), &publication).await;
        published.expect(303);
        let own = hospitals.story().at[&first.org].patient_id.clone();
        let patient = Reader::new(first, first.patient(&own).await);
        let told = patient.get("/me/research").await.expect(200).text;
        assert!(told.contains("Who survives") && told.contains("helps at every age"), "{told}");
        assert!(told.contains("logistic(died)") && told.contains("in one question"), "{told}");

        // Patients of the other institutions hear where it was published as well.
        look(&second.app).await;
        let own = hospitals.story().at[&second.org].patient_id.clone();
        let elsewhere = Reader::new(second, second.patient(&own).await);
        let told = elsewhere.get("/me/research").await.expect(200).text;
        assert!(told.contains("doi.org/10.1000/182"), "{told}");
        patient.get(&project).await.expect(404);
        patient.get(&asked).await.expect(404);
        hospitals.stop().await;
    });
}
