//! What is told of a query to whoever looks at differences between answers.

use std::collections::BTreeMap;

use consilium_lake::{Gate, Group, Rule, Rules, Verdict};

use crate::people::World;

/// Writes down what it is asked, and lets groups of exactly `not` people not pass.
#[derive(Clone, Default)]
struct Notes {
    groups: Vec<Group>,
    not: Option<usize>,
}

impl Gate for Notes {
    fn pass(&mut self, group: &Group) -> Verdict {
        self.groups.push(group.clone());
        if self.not == Some(group.people.len()) { Verdict::Few } else { Verdict::Show }
    }
}

/// The marks of everybody in the groups of a query, and of which rows they are.
async fn noted(world: &World, sql: &str) -> Vec<(String, BTreeMap<u64, u64>)> {
    let (snapshot, rules) = (world.snapshot(), Rules::default());
    let asked = world.engine.aggregates(&snapshot, sql, rules, Notes::default()).await;
    let (_, notes) = asked.unwrap_or_else(|refused| panic!("{sql}: {refused}"));
    let group = |group: Group| (group.rows_of, group.people.into_iter().collect());
    notes.groups.into_iter().map(group).collect()
}

#[tokio::test]
async fn the_same_rows_have_the_same_marks_however_they_are_asked_for() {
    let world = World::new(60, &[]);
    for same in [
        // The people.
        &[
            "SELECT count(*) FROM patient",
            "SELECT avg(date_part('year', birth_date)) FROM (SELECT * FROM patient) AS x",
            "SELECT count(*) FROM patient WHERE patient_key IN (SELECT patient_key FROM condition)",
            "SELECT count(*) FROM (SELECT DISTINCT patient_key FROM observation)",
        ] as &[&str],
        // Rows of a table, with and without another joined to them.
        &[
            "SELECT avg(value) FROM observation",
            "SELECT count(*) FROM observation WHERE encounter_key IN (SELECT encounter_key FROM encounter)",
        ],
        &[
            "SELECT count(*) FROM observation o JOIN patient p ON p.patient_key = o.patient_key",
            "SELECT avg(x.value) FROM (SELECT value, patient_key FROM observation) AS x
                JOIN patient p ON p.patient_key = x.patient_key",
        ],
        &[
            "SELECT count(*) FROM encounter",
            "SELECT count(*) FROM (SELECT DISTINCT encounter_key FROM observation)",
        ],
    ] {
        let first = noted(&world, same[0]).await;
        assert!(first.iter().all(|(_, people)| people.len() == 60), "{}", same[0]);
        for sql in &same[1..] {
            assert_eq!(noted(&world, sql).await, first, "{sql}");
        }
    }
    // Keys that are counted are a group beside that of the rows.
    let people = noted(&world, "SELECT count(*) FROM patient").await;
    let rows = noted(&world, "SELECT count(*) FROM observation").await;
    let both = noted(&world, "SELECT count(DISTINCT patient_key) FROM observation").await;
    assert_eq!(both, [rows, people].concat());
}

#[tokio::test]
async fn rows_that_are_not_counted_are_not_in_the_marks() {
    let world = World::new(60, &[]);
    let all = noted(&world, "SELECT count(*) FROM observation").await;
    let some = "value < 130";
    let asked = noted(&world, &format!("SELECT count(*) FROM observation WHERE {some}")).await;
    assert_ne!(asked, all);
    let filtered = format!("SELECT sum(value) FILTER (WHERE {some}) FROM observation");
    assert_eq!(noted(&world, &filtered).await, asked);
    // Beside a value over all rows, the others are a part of it.
    let both = format!("SELECT count(*), sum(value) FILTER (WHERE {some}) FROM observation");
    let mut sum: BTreeMap<u64, u64> = BTreeMap::new();
    let parts = noted(&world, &both).await;
    assert_eq!(parts.len(), 2);
    parts
        .iter()
        .flat_map(|(_, people)| people)
        .for_each(|(p, mark)| *sum.entry(*p).or_default() += mark);
    assert_eq!(sum, all[0].1);
    assert!(parts.contains(&asked[0]));
    // Groups add up to the whole.
    let groups = noted(&world, "SELECT gender, count(*) FROM patient GROUP BY gender").await;
    let people: usize = groups.iter().map(|(_, people)| people.len()).sum();
    assert_eq!((groups.len(), people), (2, 60));
}

#[tokio::test]
async fn of_a_query_with_a_group_that_may_not_be_shown_nothing_is() {
    let world = World::new(50, &[]);
    let ask = |sql: &'static str, not: usize| {
        let notes = Notes { groups: Vec::new(), not: Some(not) };
        let (snapshot, world) = (world.snapshot(), &world);
        async move { world.engine.aggregates(&snapshot, sql, Rules::default(), notes).await }
    };
    // Of 50 people, 17 have the first two codes each and 16 the third.
    let codes = "SELECT code, count(*) AS n FROM condition GROUP BY code ORDER BY n";
    assert_eq!(ask(codes, 0).await.unwrap().0.frame.rows, 3);
    for (sql, not) in [
        (codes, 16),
        ("SELECT code, count(*) AS n FROM condition GROUP BY code HAVING count(*) > 16", 16),
        ("SELECT code, count(*) AS n FROM condition GROUP BY code ORDER BY n DESC LIMIT 1", 16),
        ("SELECT count(*) FROM condition", 50),
        // Keys that are counted are looked at, too.
        ("SELECT count(DISTINCT patient_key) AS n FROM condition", 50),
    ] {
        let refused = ask(sql, not).await.map(|_| ()).unwrap_err();
        assert_eq!(refused.rule, Rule::Differencing, "{sql}");
    }
}

#[tokio::test]
async fn rows_of_every_joined_table_are_looked_at() {
    let world = World::new(60, &[]);
    let marks = async |sql: &str| -> BTreeMap<String, BTreeMap<u64, u64>> {
        noted(&world, sql).await.into_iter().collect()
    };
    let people = marks("SELECT count(*) FROM patient").await;
    // Joined to a table in which nobody has what is asked for, it is the people still.
    let left = "SELECT count(*) FROM patient p LEFT JOIN observation o
        ON p.patient_key = o.patient_key AND o.code = 'none'";
    assert_eq!(marks(left).await["patient_key"], people["patient_key"]);
    // By rows that each has three of, they count three times.
    let thrice =
        marks("SELECT count(*) FROM patient p JOIN observation o USING (patient_key)").await;
    let expected = people["patient_key"].iter().map(|(person, mark)| (*person, 3 * mark)).collect();
    assert_eq!(thrice["patient_key"], expected);
    assert_eq!(thrice["observation_key"].len(), 60);
}
