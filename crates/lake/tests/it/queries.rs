//! What the two doors answer.

use std::time::Duration;

use consilium_lake::{Engine, Limits, Open, Rule, Rules, Values};

use crate::people::World;

#[tokio::test]
async fn rows_of_joined_tables() {
    let world = World::new(30, &[]);
    let sql = "SELECT p.gender, o.value, o.effective_at, p.birth_date
        FROM patient p JOIN observation o ON o.patient_key = p.patient_key
        WHERE p.patient_key = 'Patient/p3' ORDER BY o.effective_at";
    let frame = world.engine.rows(&world.snapshot(), sql).await.unwrap();
    assert_eq!(frame.rows, 3);
    assert_eq!(frame.column("gender"), Some(&Values::Texts(vec![Some("male".into()); 3])));
    let values = [121.5, 122.5, 123.5].map(Some).to_vec();
    assert_eq!(frame.column("value"), Some(&Values::Numbers(values)));
    let Some(Values::Texts(times)) = frame.column("effective_at") else { panic!("{frame:?}") };
    assert_eq!(times[0].as_deref(), Some("2020-01-01T07:00:00Z"));
    let Some(Values::Texts(births)) = frame.column("birth_date") else { panic!("{frame:?}") };
    assert_eq!(births[0].as_deref(), Some("1933-04-11"));
}

#[tokio::test]
async fn columns_for_statistics_are_numbers_and_texts() {
    let world = World::new(20, &[]);
    let sql = "SELECT count(*) AS n, avg(value) > 1 AS high, gender
        FROM observation JOIN patient USING (patient_key) GROUP BY gender ORDER BY gender";
    let frame = world.engine.columns(&world.snapshot(), sql).await.unwrap();
    assert_eq!(frame.column("n"), Some(&Values::Numbers(vec![Some(30.0), Some(30.0)])));
    assert_eq!(frame.column("high"), Some(&Values::Numbers(vec![Some(1.0), Some(1.0)])));
}

#[tokio::test]
async fn aggregates_that_researchers_may_ask_agree_with_the_rows() {
    let world = World::new(120, &[]);
    for sql in [
        "SELECT count(*) AS n FROM patient",
        "SELECT gender, count(*) AS n FROM patient GROUP BY gender ORDER BY gender",
        "SELECT gender, avg(value) AS v FROM patient p
            JOIN observation o ON o.patient_key = p.patient_key GROUP BY gender ORDER BY gender",
        "SELECT date_part('year', birth_date) >= 1960 AS young, count(DISTINCT patient_key) AS n
            FROM patient GROUP BY 1 ORDER BY 1",
        "WITH d AS (SELECT DISTINCT patient_key FROM condition WHERE code LIKE 'E11%')
            SELECT count(DISTINCT o.patient_key) AS n, avg(o.value) - 100 AS v, sum(o.value) / 2 AS h
            FROM observation o JOIN d ON d.patient_key = o.patient_key WHERE o.code = '8480-6'",
        "SELECT p.gender, count(*) AS n FROM patient p
            JOIN encounter e ON e.patient_key = p.patient_key
            JOIN observation o ON o.encounter_key = e.encounter_key GROUP BY p.gender ORDER BY p.gender",
        "SELECT count(*) AS n, count(*) FILTER (WHERE gender = 'female') AS women,
            count(*) FILTER (WHERE gender = 'male') AS men FROM patient",
        "SELECT count(*) AS n FROM patient WHERE patient_key IN
            (SELECT patient_key FROM condition WHERE code = 'I10')",
        "SELECT band, count(*) AS n FROM (SELECT CASE WHEN value < 130 THEN 'low' ELSE 'high' END AS band
            FROM observation) GROUP BY band HAVING count(*) > 5 ORDER BY n DESC, band LIMIT 5",
        "SELECT city, round((2020 - avg(date_part('year', birth_date))) * 10) AS age FROM
            (SELECT city, birth_date FROM patient) AS x GROUP BY city ORDER BY city",
        "SELECT avg(e.ended_at - e.started_at) AS stay FROM encounter e",
    ] {
        let rules = Rules::default();
        let answer = world.engine.aggregates(&world.snapshot(), sql, rules, Open).await;
        if sql.contains("round(") {
            // Rounding of an answer is not in the list; it says so.
            assert_eq!(answer.unwrap_err().rule, Rule::Function);
            continue;
        }
        if sql.contains("ended_at") {
            // Whether or not the engine can average durations, it may not fail on a value.
            if let Err(refused) = answer {
                assert_eq!(refused.rule, Rule::Plan, "{sql}");
            }
            continue;
        }
        let (answer, _) = answer.unwrap_or_else(|refused| panic!("{sql}: {refused}"));
        let rows = world.engine.rows(&world.snapshot(), sql).await.unwrap();
        assert_eq!(answer.frame, rows, "{sql}");
        assert!(answer.frame.rows > 0, "{sql}");
        assert_eq!(answer.min_cell, 10);
    }
}

#[tokio::test]
async fn groups_and_values_about_few_people_are_left_out() {
    let blood = |id: &str, value: u32| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","subject":{{"reference":"Patient/p1"}},"code":{{"coding":[{{"code":"718-7"}}]}},"valueQuantity":{{"value":{value}}}}}"#
        )
    };
    // Thirty measurements, all of one person.
    let ids: Vec<String> = (0..30).map(|at| format!("x{at}")).collect();
    let also: Vec<_> =
        ids.iter().map(|id| ("Observation", id.as_str(), "p1", blood(id, 15))).collect();
    let world = World::new(60, &also);
    let ask = async |sql: &str| {
        world
            .engine
            .aggregates(&world.snapshot(), sql, Rules::default(), Open)
            .await
            .unwrap()
            .0
            .frame
    };
    let frame =
        ask("SELECT code, count(*) AS n, avg(value) AS v FROM observation GROUP BY code").await;
    assert_eq!(frame.rows, 1, "{frame:?}");
    assert_eq!(frame.column("code"), Some(&Values::Texts(vec![Some("8480-6".into())])));
    assert_eq!(ask("SELECT count(*) AS n FROM observation WHERE code = '718-7'").await.rows, 0);
    let frame = ask(
        "SELECT count(*) AS n, count(*) FILTER (WHERE code = '718-7') AS few, count(value_text) AS none,
         sum(value) FILTER (WHERE code = '718-7') AS s FROM observation",
    )
    .await;
    // What is about one person is in no value beside the one about it.
    assert_eq!(frame.column("n"), Some(&Values::Integers(vec![Some(180)])));
    assert_eq!(frame.column("few"), Some(&Values::Integers(vec![None])));
    assert_eq!(frame.column("none"), Some(&Values::Integers(vec![None])));
    assert_eq!(frame.column("s"), Some(&Values::Numbers(vec![None])));
}

/// Two sums over many people, whose difference would be one person's.
#[tokio::test]
async fn the_difference_of_two_values_is_about_nobody_alone() {
    let world = World::new(60, &[]);
    for difference in [
        "sum(o.value) - sum(o.value) FILTER (WHERE p.birth_date <> DATE '1931-02-11')",
        "count(*) - count(*) FILTER (WHERE p.birth_date <> DATE '1931-02-11')",
        "count(*) - count(*) FILTER (WHERE p.birth_date < DATE '1931-02-11' OR p.gender = 'female')
            - count(*) FILTER (WHERE p.birth_date > DATE '1931-02-11' AND p.gender = 'male')",
    ] {
        let sql = format!(
            "SELECT {difference} AS v FROM observation o JOIN patient p ON p.patient_key = o.patient_key"
        );
        let rows = world.engine.rows(&world.snapshot(), &sql).await.unwrap();
        let rules = Rules::default();
        let (answer, _) =
            world.engine.aggregates(&world.snapshot(), &sql, rules, Open).await.unwrap();
        let nothing = match rows.column("v") {
            Some(Values::Numbers(values)) => {
                assert!(values[0].unwrap() > 0.0, "{sql}");
                Values::Numbers(vec![Some(0.0)])
            }
            Some(Values::Integers(values)) => {
                assert_eq!(values[0], Some(3), "{sql}");
                Values::Integers(vec![Some(0)])
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(answer.frame.column("v"), Some(&nothing), "{sql}");
    }
}

#[tokio::test]
async fn who_is_left_out_is_in_no_answer() {
    let world = World::new(40, &[]);
    world.lake.leave_out(["p0", "p2"]);
    let sql = "SELECT count(*) AS n, count(DISTINCT patient_key) AS people FROM observation";
    let count = |n| Some(Values::Integers(vec![Some(n)]));
    let rows = world.engine.rows(&world.snapshot(), sql).await.unwrap();
    assert_eq!(
        (rows.column("n").cloned(), rows.column("people").cloned()),
        (count(114), count(38))
    );
    let (answer, _) =
        world.engine.aggregates(&world.snapshot(), sql, Rules::default(), Open).await.unwrap();
    assert_eq!(answer.frame, rows);
    let sql = "SELECT * FROM patient WHERE patient_key = 'Patient/p2'";
    assert_eq!(world.engine.rows(&world.snapshot(), sql).await.unwrap().rows, 0);
}

#[tokio::test]
async fn who_alone_is_let_in_is_in_every_answer() {
    let world = World::new(40, &[]);
    let sql = "SELECT count(*) AS n, count(DISTINCT patient_key) AS people FROM observation";
    let counted = async || {
        let frame = world.engine.rows(&world.snapshot(), sql).await.unwrap();
        (frame.column("n").cloned(), frame.column("people").cloned())
    };
    let count = |n| Some(Values::Integers(vec![Some(n)]));
    world.lake.let_in(["p0", "p2", "somebody-else"]);
    assert_eq!(counted().await, (count(6), count(2)));
    let snapshot = world.snapshot();
    let engine = &world.engine;
    let found = std::thread::scope(|scope| {
        scope.spawn(|| engine.columns_now(&snapshot, sql).unwrap()).join().unwrap()
    });
    assert_eq!(found.column("people"), Some(&Values::Numbers(vec![Some(2.0)])));
    world.lake.let_in([]);
    assert_eq!(counted().await, (count(0), count(0)));
    world.lake.leave_out([]);
    assert_eq!(counted().await, (count(120), count(40)));
}

#[tokio::test]
async fn limits_end_queries() {
    let world = World::new(200, &[]);
    let limited = |limits| Engine::new(limits).unwrap();
    let sql = "SELECT * FROM observation";
    let few = limited(Limits { rows: 10, ..Limits::default() });
    assert_eq!(few.rows(&world.snapshot(), sql).await.unwrap_err().rule, Rule::Rows);
    let long = "SELECT count(*) FROM observation a, observation b, observation c, observation d
        WHERE a.value + b.value + c.value > d.value * 3.17";
    let short = limited(Limits { time: Duration::from_millis(300), ..Limits::default() });
    assert_eq!(short.rows(&world.snapshot(), long).await.unwrap_err().rule, Rule::Time);
    let small = limited(Limits { memory_bytes: 100_000, ..Limits::default() });
    let wide = "SELECT a.observation_key, b.observation_key FROM observation a, observation b
        ORDER BY a.observation_key || b.observation_key";
    assert_eq!(small.rows(&world.snapshot(), wide).await.unwrap_err().rule, Rule::Memory);
}
