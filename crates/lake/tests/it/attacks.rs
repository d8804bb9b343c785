//! Hostile queries, each with the rule that refuses it.

use consilium_lake::{Open, Rule, Rules};

use crate::people::World;

#[tokio::test]
async fn hostile_queries_are_refused_by_their_rule() {
    use Rule as R;
    let world = World::new(60, &[]);
    let long = format!("SELECT count(*) FROM patient WHERE {}true", "NOT ".repeat(400));
    let deep =
        format!("SELECT count(*) FROM patient WHERE {}true{}", "(".repeat(60), ")".repeat(60));
    let wide =
        format!("SELECT count(*) FROM patient WHERE gender IN ({})", "'a',".repeat(9000) + "'b'");
    let attacks: Vec<(&str, Rule)> = vec![
        // rows
        ("SELECT * FROM patient", R::NotAggregated),
        ("SELECT birth_date FROM patient WHERE city = 'Town1'", R::NotAggregated),
        ("SELECT * FROM patient ORDER BY birth_date LIMIT 1", R::NotAggregated),
        ("SELECT * FROM patient LIMIT 1 OFFSET 7", R::NotAggregated),
        (
            "SELECT p.city, c.code FROM patient p JOIN condition c USING (patient_key)",
            R::NotAggregated,
        ),
        ("SELECT city FROM (SELECT * FROM patient) WHERE gender = 'male'", R::NotAggregated),
        ("SELECT DISTINCT postal_code FROM patient", R::Distinct),
        ("SELECT DISTINCT ON (city) birth_date FROM patient", R::Distinct),
        ("SELECT 1", R::Source),
        ("VALUES (1), (2)", R::Source),
        // values of single rows
        ("SELECT min(birth_date) FROM patient", R::SingleValue),
        ("SELECT max(value) FROM observation", R::SingleValue),
        ("SELECT gender, max(birth_date) FROM patient GROUP BY gender", R::SingleValue),
        ("SELECT first_value(birth_date) FROM patient", R::SingleValue),
        ("SELECT last_value(birth_date ORDER BY city) FROM patient", R::SingleValue),
        ("SELECT nth_value(birth_date, 3) FROM patient", R::SingleValue),
        ("SELECT array_agg(birth_date) FROM patient", R::SingleValue),
        ("SELECT string_agg(city, ',') FROM patient", R::SingleValue),
        ("SELECT median(value) FROM observation", R::SingleValue),
        ("SELECT approx_median(value) FROM observation", R::SingleValue),
        ("SELECT approx_percentile_cont(value, 0.99) FROM observation", R::SingleValue),
        ("SELECT bit_xor(items) FROM claim", R::SingleValue),
        ("SELECT bool_or(city = 'Town1') FROM patient", R::SingleValue),
        ("SELECT sum(DISTINCT value) FROM observation", R::SingleValue),
        ("SELECT avg(DISTINCT value) FROM observation", R::SingleValue),
        // windows
        ("SELECT row_number() OVER () FROM patient", R::Window),
        ("SELECT sum(value) OVER (ORDER BY effective_at) FROM observation", R::Window),
        (
            "SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY birth_date) AS r FROM patient) WHERE r = 1",
            R::Window,
        ),
        ("SELECT avg(v) FROM (SELECT lag(value) OVER () AS v FROM observation)", R::Window),
        // groups of one
        ("SELECT patient_key, count(*) FROM observation GROUP BY patient_key", R::GroupIdentifier),
        ("SELECT upper(patient_key), count(*) FROM observation GROUP BY 1", R::GroupIdentifier),
        (
            "SELECT k, count(*) FROM (SELECT substr(encounter_key, 1, 20) AS k FROM observation) GROUP BY k",
            R::GroupIdentifier,
        ),
        (
            "SELECT count(*) FROM observation GROUP BY patient_key = 'Patient/p1'",
            R::GroupIdentifier,
        ),
        ("SELECT value, count(*) FROM observation GROUP BY value", R::GroupUnique),
        ("SELECT effective_at, count(*) FROM observation GROUP BY effective_at", R::GroupUnique),
        ("SELECT CAST(value AS TEXT), count(*) FROM observation GROUP BY 1", R::GroupUnique),
        (
            "SELECT city, gender, count(*) FROM patient GROUP BY ROLLUP (city, gender)",
            R::GroupingSets,
        ),
        ("SELECT city, count(*) FROM patient GROUP BY CUBE (city)", R::GroupingSets),
        (
            "SELECT city, gender, count(*) FROM patient GROUP BY GROUPING SETS ((city), (gender), ())",
            R::GroupingSets,
        ),
        // limits and orders below
        ("SELECT avg(value) FROM (SELECT value FROM observation LIMIT 1)", R::Limit),
        (
            "SELECT avg(value) FROM (SELECT value FROM observation ORDER BY value DESC LIMIT 11)",
            R::Limit,
        ),
        ("SELECT count(*) FROM (SELECT * FROM patient OFFSET 59)", R::Limit),
        (
            "WITH x AS (SELECT value FROM observation ORDER BY value LIMIT 1) SELECT sum(value) FROM x",
            R::Limit,
        ),
        ("SELECT sum(value) FROM (SELECT DISTINCT value FROM observation)", R::Distinct),
        // who somebody is
        ("SELECT count(*) FROM patient WHERE patient_key = 'Patient/p1'", R::Identifier),
        ("SELECT avg(value) FROM observation WHERE patient_key <> 'Patient/p1'", R::Identifier),
        ("SELECT count(*) FROM patient WHERE patient_key LIKE '%p1'", R::Identifier),
        (
            "SELECT count(*) FROM (SELECT patient_key AS k, city FROM patient) WHERE k > 'Patient/p5'",
            R::Identifier,
        ),
        (
            "SELECT count(*) FROM (SELECT right(patient_key, 1) AS k FROM patient) WHERE k = '7'",
            R::Identifier,
        ),
        ("SELECT count(*) FILTER (WHERE patient_key = 'Patient/p1') FROM patient", R::Identifier),
        (
            "SELECT count(*) FROM patient WHERE CASE WHEN encounter_key IS NULL THEN true END",
            R::Unknown,
        ),
        ("SELECT count(*) FROM observation WHERE encounter_key IN ('Encounter/e1')", R::Identifier),
        (
            "SELECT count(*) FROM patient p JOIN observation o ON o.patient_key = p.patient_key AND o.patient_key = 'Patient/p1'",
            R::Identifier,
        ),
        // what many people share, in or out by what one of them has
        (
            "SELECT count(*) FROM claim WHERE provider_key IN (SELECT provider_key FROM claim WHERE total > 12000)",
            R::Subquery,
        ),
        // steps, overflow and rounding inside of a sum
        (
            "SELECT sum(date_part('year', birth_date + INTERVAL '40 days')) FROM patient",
            R::Argument,
        ),
        ("SELECT sum((value + 4503599627370496.0) - 4503599627370496.0) FROM observation", R::Argument),
        ("SELECT sum(value * 1e307 - value * 1e307) FROM observation", R::Argument),
        ("SELECT sum(CAST(value + 16777216 AS REAL)) FROM observation", R::Argument),
        ("SELECT sum(v) FROM (SELECT value + 0.3 AS v FROM observation) AS x", R::Argument),
        ("SELECT covar_pop(date_part('year', CAST(effective_at AS DATE)), value) FROM observation", R::Argument),
        // vectors that single out
        (
            "SELECT sum(CASE WHEN birth_date = DATE '1933-04-11' THEN 1 ELSE 0 END) FROM patient",
            R::Argument,
        ),
        (
            "SELECT sum(CASE WHEN city = 'Town1' THEN value ELSE 0 END) FROM observation o JOIN patient p USING (patient_key)",
            R::Argument,
        ),
        (
            "SELECT avg(v) FROM (SELECT CASE WHEN value = 121.5 THEN 1000000 ELSE 1 END AS v FROM observation)",
            R::Argument,
        ),
        ("SELECT sum(value * value) FROM observation", R::Argument),
        ("SELECT sum(1 / (value - 121.5)) FROM observation", R::Argument),
        ("SELECT sum(exp(-value)) FROM observation", R::Argument),
        ("SELECT sum(CAST(value > 150 AS INT)) FROM observation", R::Argument),
        ("SELECT count(CASE WHEN value > 150 THEN 1 END) FROM observation", R::Argument),
        ("SELECT count(nullif(city, 'Town1')) FROM patient", R::Argument),
        ("SELECT sum(CAST(value / 121.5 AS BIGINT)) FROM observation", R::Argument),
        (
            "SELECT corr(value, CASE WHEN code = 'x' THEN 1 ELSE 0 END) FROM observation",
            R::Argument,
        ),
        ("SELECT sum(character_length(patient_key)) FROM patient", R::Argument),
        // joins and subqueries
        ("SELECT count(*) FROM observation a, observation b", R::Join),
        ("SELECT count(*) FROM observation a CROSS JOIN patient b", R::Join),
        ("SELECT sum(a.value) FROM observation a JOIN observation b ON a.value < b.value", R::Join),
        (
            "SELECT count(*) FROM patient a FULL JOIN condition b ON a.patient_key = b.patient_key",
            R::Join,
        ),
        (
            "SELECT count(*) FROM patient a RIGHT JOIN condition b ON a.patient_key = b.patient_key",
            R::Join,
        ),
        (
            "SELECT sum(a.value) FROM observation a JOIN observation b ON b.patient_key = a.patient_key",
            R::JoinRows,
        ),
        (
            "SELECT avg(o.value) FROM observation o JOIN condition c ON c.patient_key = o.patient_key",
            R::JoinRows,
        ),
        (
            "SELECT avg(o.value) FROM observation o JOIN (SELECT patient_key FROM condition) d
                USING (patient_key)",
            R::JoinRows,
        ),
        (
            "SELECT avg(o.value) FROM patient p JOIN condition c ON c.patient_key = p.patient_key
                JOIN observation o ON o.patient_key = p.patient_key",
            R::JoinRows,
        ),
        (
            "SELECT avg(o.value) FROM observation o JOIN observation_component c
                ON c.observation_key = o.observation_key AND c.code < o.code
                JOIN observation x ON x.encounter_key = o.encounter_key",
            R::JoinRows,
        ),
        (
            "SELECT count(*), count(city), count(state), count(race), count(active), count(country),
                count(deceased_at) FROM patient",
            R::Conditions,
        ),
        ("SELECT count(*), (SELECT max(birth_date) FROM patient) FROM patient", R::Subquery),
        (
            "SELECT count(*) FROM patient WHERE birth_date = (SELECT min(birth_date) FROM patient)",
            R::Subquery,
        ),
        (
            "SELECT count(*) FROM patient p WHERE EXISTS (SELECT 1 FROM condition c WHERE c.patient_key = p.patient_key)",
            R::Subquery,
        ),
        ("SELECT count(*) FROM patient WHERE city IN (SELECT city FROM patient)", R::Subquery),
        (
            "SELECT count(*) FROM patient WHERE patient_key IN (SELECT patient_key FROM patient LIMIT 1)",
            R::Limit,
        ),
        (
            "SELECT count(*) FROM patient WHERE patient_key IN (SELECT min(patient_key) FROM patient)",
            R::Nested,
        ),
        (
            "SELECT count(*) FROM patient WHERE patient_key IN (SELECT patient_key FROM patient WHERE patient_key = 'Patient/p1')",
            R::Identifier,
        ),
        ("SELECT count(*) FROM patient UNION ALL SELECT count(*) FROM condition", R::SetOperation),
        (
            "SELECT avg(n) FROM (SELECT count(*) AS n FROM observation GROUP BY patient_key)",
            R::Nested,
        ),
        ("SELECT count(*) FROM (SELECT city FROM patient GROUP BY city)", R::Nested),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
            R::Recursive,
        ),
        // expressions that fail or reach outside
        ("SELECT count(*) FROM patient WHERE regexp_like(city, '(a+)+$')", R::Function),
        ("SELECT count(*) FROM patient WHERE city ~ 'T.*'", R::Expression),
        ("SELECT count(*) FROM patient WHERE city LIKE postal_code", R::Expression),
        ("SELECT count(*) FROM claim WHERE items % 0 = 1", R::Expression),
        ("SELECT count(*) FROM patient WHERE to_timestamp(city) IS NULL", R::Function),
        ("SELECT count(*) FROM patient WHERE CAST(city AS DECIMAL(3,2)) > 1", R::Expression),
        ("SELECT count(*) FROM patient WHERE repeat(city, 1000000000) = 'x'", R::Function),
        ("SELECT count(*) FROM patient WHERE random() < 0.5", R::Unknown),
        ("SELECT count(*) FROM patient WHERE birth_date < now()", R::Unknown),
        ("SELECT version()", R::Unknown),
        // files, system tables, changes
        ("SELECT count(*) FROM '/etc/passwd'", R::Unknown),
        ("SELECT count(*) FROM read_csv('/etc/passwd')", R::Plan),
        ("SELECT count(*) FROM generate_series(1, 1000000000)", R::Plan),
        ("SELECT count(*) FROM information_schema.tables", R::Unknown),
        ("SELECT count(*) FROM pg_catalog.pg_tables", R::Unknown),
        ("CREATE TABLE t AS SELECT * FROM patient", R::OneQuery),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", R::OneQuery),
        ("COPY (SELECT * FROM patient) TO '/tmp/out.csv'", R::OneQuery),
        ("COPY patient TO '/tmp/out.parquet'", R::OneQuery),
        ("INSERT INTO patient VALUES (1)", R::OneQuery),
        ("DELETE FROM patient", R::OneQuery),
        ("DROP TABLE patient", R::OneQuery),
        ("SET datafusion.execution.batch_size = 1", R::OneQuery),
        ("SHOW TABLES", R::OneQuery),
        ("EXPLAIN ANALYZE SELECT * FROM patient", R::OneQuery),
        ("DESCRIBE patient", R::OneQuery),
        ("SELECT count(*) FROM patient; SELECT * FROM patient", R::OneQuery),
        // hidden columns, size, nonsense
        ("SELECT count(*) FROM patient WHERE _person = 1", R::Unknown),
        ("SELECT _people FROM (SELECT count(*) FROM patient)", R::Unknown),
        ("SELECT _person, count(*) FROM patient GROUP BY _person", R::Unknown),
        ("SELECT count(_key) FROM patient", R::Unknown),
        ("SELECT secret FROM patient", R::Unknown),
        ("SELEC * FRM patient", R::Syntax),
        (&long, R::QuerySize),
        (&deep, R::QuerySize),
        (&wide, R::QuerySize),
    ];
    let mut wrong = Vec::new();
    for (sql, rule) in &attacks {
        let shown: String = sql.chars().take(120).collect();
        match world.engine.aggregates(&world.snapshot(), sql, Rules::default(), Open).await {
            Err(refused) => {
                let text = refused.to_string();
                assert!(!text.contains("Patient/") && !text.contains("Town"), "{text}");
                if refused.rule != *rule {
                    wrong.push(format!("{shown}: {refused}, not {}", rule.name()));
                }
            }
            Ok(answer) => wrong.push(format!("{shown}: answered {answer:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), attacks.len(), wrong.join("\n"));
}

/// The door of the node itself reads nothing but tables of the lake either.
#[tokio::test]
async fn the_nodes_own_door_changes_and_reads_nothing_outside() {
    let world = World::new(5, &[]);
    for (sql, rule) in [
        ("SELECT * FROM '/etc/passwd'", Rule::Unknown),
        ("SELECT * FROM information_schema.tables", Rule::Unknown),
        ("CREATE TABLE t AS SELECT 1", Rule::OneQuery),
        ("COPY patient TO '/tmp/out.csv'", Rule::OneQuery),
        ("EXPLAIN SELECT 1", Rule::OneQuery),
        ("SELECT CAST(city AS INT) FROM patient", Rule::Failed),
    ] {
        let refused = world.engine.rows(&world.snapshot(), sql).await.unwrap_err();
        assert_eq!(refused.rule, rule, "{sql}: {refused}");
        assert!(!refused.to_string().contains("Town"), "{refused}");
    }
}
