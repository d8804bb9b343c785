//! The demo's data set: made of the records of every hospital by the same SQL, so that a project can ask
//! all of them; with a synthetic twin at each.

use std::time::Duration;

use app::catalog::About;
use app::catalog::query::{Draft, register};
use app::catalog::twin::{self, Offer};
use app::{App, Kind};
use statistics::{Dictionary, Kind as Holds, Variable};

/// The name of the data set.
pub const NAME: &str = "blood-pressure";
/// What its synthetic twin costs at each hospital.
const TWIN_EPSILON: f64 = 1.0;
/// How often it is tried while a lake is being built, and the pause between.
const TRIES: (u32, Duration) = (20, Duration::from_secs(1));
/// One row for each patient with a blood pressure: age at the last measurement in whole decades, 90 for
/// everybody beyond, the mean of all systolic values, whether a body mass index of 30 or more was ever
/// measured, and at which age first, or how old somebody without one was at the last measurement.
const SQL: &str = "\
SELECT least(greatest(floor((m.year - date_part('year', p.birth_date)) / 10.0) * 10, 0), 90) AS age,
       CASE WHEN p.gender IN ('female', 'male') THEN p.gender END AS sex,
       least(greatest(round(m.systolic), 50), 280) AS systolic,
       CASE WHEN d.patient_key IS NULL THEN 'no' ELSE 'yes' END AS diabetes,
       b.obese AS obese,
       least(greatest(coalesce(b.first, b.last) - date_part('year', p.birth_date), 0), 110) AS years
FROM patient p
JOIN (SELECT patient_key, avg(value) AS systolic, max(date_part('year', effective_at)) AS year
      FROM observation_component WHERE code = '8480-6' AND value IS NOT NULL
      GROUP BY patient_key) m ON m.patient_key = p.patient_key
LEFT JOIN (SELECT patient_key, max(CASE WHEN value >= 30 THEN 1.0 ELSE 0.0 END) AS obese,
                  min(CASE WHEN value >= 30 THEN date_part('year', effective_at) END) AS first,
                  max(date_part('year', effective_at)) AS last
           FROM observation WHERE code = '39156-5' AND value IS NOT NULL
           GROUP BY patient_key) b ON b.patient_key = p.patient_key
LEFT JOIN (SELECT DISTINCT patient_key FROM condition WHERE code = '44054006') d
       ON d.patient_key = p.patient_key";

/// The data set.
pub fn draft() -> Draft {
    let variable = |name: &str, kind, description: &str| Variable {
        name: name.to_owned(),
        kind,
        description: description.to_owned(),
    };
    let number = |min: f64, max: f64| Holds::Number { min: Some(min), max: Some(max) };
    let levels = |levels: &[&str]| Holds::Category {
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
    };
    let variables = vec![
        variable("age", number(0.0, 90.0), "years, in whole decades; 90 and more as 90"),
        variable("sex", levels(&["female", "male"]), "administrative gender"),
        variable("systolic", number(50.0, 280.0), "mean systolic blood pressure in mmHg"),
        variable("diabetes", levels(&["no", "yes"]), "type 2 diabetes in the record"),
        variable("obese", number(0.0, 1.0), "1: a body mass index of 30 or more was measured"),
        variable(
            "years",
            number(0.0, 110.0),
            "age at the first such measurement, or at the last of all",
        ),
    ];
    Draft {
        name: NAME.to_owned(),
        title: "Blood pressure, weight and diabetes".to_owned(),
        dictionary: Dictionary { variables },
        sql: SQL.to_owned(),
        about: About {
            description: "Everybody whose blood pressure was measured, one row a person."
                .to_owned(),
            ..About::default()
        },
    }
}

/// Registers it at a hospital that has just begun to serve, as soon as its lake has followed.
pub async fn make(app: App) {
    for _ in 0..TRIES.0 {
        match register(&app, None, draft()).await {
            Ok(_) => {
                let work = |app: &App| twin::offer(app, None, NAME, &Offer::of(TWIN_EPSILON));
                if let Err(error) = app.run(work).await {
                    tracing::warn!(reason = %error.message, "the demo's twin could not be drawn");
                }
                return;
            }
            Err(error) if error.kind == Kind::Busy => tokio::time::sleep(TRIES.1).await,
            Err(error) => {
                tracing::warn!(reason = %error.message, "the demo's data set could not be made");
                return;
            }
        }
    }
    tracing::warn!("the demo's data set could not be made: the lake is still being built");
}
