//! Nothing tells whether a small group is there.

use consilium_lake::{Answer, Open, Refused, Rules};

use crate::people::World;

/// People of a place that fewer than ten live in.
fn few(count: usize, seed: usize) -> Vec<(&'static str, String, String)> {
    (0..count)
        .map(|at| {
            let id = format!("few{at}");
            let content = format!(
                r#"{{"resourceType":"Patient","id":"{id}","gender":"other","birthDate":"19{:02}-01-02","deceasedDateTime":"2021-01-01","address":[{{"city":"Hamlet","postalCode":"99999"}}]}}"#,
                10 + (seed * 13 + at * 7) % 80
            );
            ("Patient", id, content)
        })
        .collect()
}

fn world(count: usize, seed: usize) -> World {
    let extra = few(count, seed);
    let also: Vec<_> = extra
        .iter()
        .map(|(kind, id, text)| (*kind, id.as_str(), id.as_str(), text.clone()))
        .collect();
    World::new(60, &also)
}

/// For queries in which a small group stands by itself, the answer with it is the answer without it:
/// the same columns, rows, values and errors.
#[tokio::test]
async fn an_answer_with_a_small_group_is_the_answer_without() {
    let queries = [
        "SELECT city, count(*) AS n FROM patient GROUP BY city ORDER BY city",
        "SELECT gender, city, count(*) AS n FROM patient GROUP BY gender, city ORDER BY 1, 2",
        "SELECT count(*) AS n FROM patient WHERE city = 'Hamlet'",
        "SELECT count(*) AS n, avg(date_part('year', birth_date)) AS y FROM patient WHERE gender = 'other'",
        "SELECT city, count(deceased_at) AS d FROM patient GROUP BY city ORDER BY city",
        "SELECT postal_code, 1 / (count(*) - 3) AS trap FROM patient GROUP BY postal_code ORDER BY 1",
        "SELECT city, count(*) AS n FROM patient GROUP BY city HAVING count(*) < 10 ORDER BY city",
        "SELECT city, count(*) AS n FROM patient GROUP BY city ORDER BY n LIMIT 1",
        "SELECT CAST(city AS INT) AS c, count(*) AS n FROM patient WHERE city = 'Hamlet' GROUP BY 1",
        "SELECT sum(1 / (date_part('year', birth_date) - 1910)) AS s FROM patient WHERE city = 'Hamlet'",
        "SELECT max(birth_date) FROM patient WHERE city = 'Hamlet'",
        "SELECT count(*) AS n, count(*) FILTER (WHERE city <> 'Hamlet') AS rest FROM patient",
        "SELECT count(*) AS n, count(*) FILTER (WHERE city = 'Hamlet') AS few FROM patient",
        "SELECT count(*) AS n, count(*) FILTER (WHERE gender = 'female') AS women,
            count(*) FILTER (WHERE gender = 'male') AS men FROM patient",
        "SELECT count(*) AS n, count(deceased_at) AS died FROM patient",
        "SELECT count(*) AS n, count(h.city) AS few FROM patient p LEFT JOIN
            (SELECT * FROM patient WHERE city = 'Hamlet') h ON h.patient_key = p.patient_key",
    ];
    let none = world(0, 0);
    for seed in 1..4 {
        for count in [1, 5, 9] {
            let some = world(count, seed);
            for sql in queries {
                let without = show(
                    none.engine.aggregates(&none.snapshot(), sql, Rules::default(), Open).await,
                );
                let with = show(
                    some.engine.aggregates(&some.snapshot(), sql, Rules::default(), Open).await,
                );
                assert_eq!(with, without, "seed {seed}, {count} people: {sql}");
            }
        }
    }
    // It is no empty promise: ten people are shown.
    let ten = world(10, 1);
    let sql = "SELECT count(*) AS n FROM patient WHERE city = 'Hamlet'";
    let (answer, _) =
        ten.engine.aggregates(&ten.snapshot(), sql, Rules::default(), Open).await.unwrap();
    assert_eq!(answer.frame.rows, 1);
}

fn show(answer: Result<(Answer, Open), Refused>) -> String {
    match answer {
        Ok((answer, _)) => format!("{answer:?}"),
        Err(refused) => refused.to_string(),
    }
}
