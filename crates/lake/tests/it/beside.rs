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
            "SELECT count(*) FROM observation o JOIN patient p ON p.patient_key = o.patient_key",
            "SELECT count(*) FROM patient p JOIN observation o ON p.patient_key = o.patient_key",
            "SELECT count(*) FROM patient p LEFT JOIN observation o ON p.patient_key = o.patient_key",
            "SELECT count(*) FROM observation o JOIN encounter e ON o.encounter_key = e.encounter_key
                JOIN patient p ON p.patient_key = o.patient_key",
        ],
        &[
            "SELECT count(*) FROM encounter",
            "SELECT count(*) FROM (SELECT DISTINCT encounter_key FROM observation)",
        ],
    ] {
        let first = noted(&world, same[0]).await;
        assert_eq!((first.len(), first[0].1.len()), (1, 60), "{}", same[0]);
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
async fn what_may_not_be_shown_falls_out_like_a_small_group() {
    let world = World::new(50, &[]);
    let ask = |sql: &'static str, not: usize| {
        let notes = Notes { groups: Vec::new(), not: Some(not) };
        let (snapshot, world) = (world.snapshot(), &world);
        async move { world.engine.aggregates(&snapshot, sql, Rules::default(), notes).await }
    };
    let codes = "SELECT code, count(*) AS n FROM condition GROUP BY code ORDER BY n";
    let (whole, _) = ask(codes, 0).await.unwrap();
    assert_eq!((whole.frame.rows, whole.left_out), (3, 0));
    // Of 50 people, 17 have the first two codes each and 16 the third.
    let (less, _) = ask(codes, 16).await.unwrap();
    assert_eq!((less.frame.rows, less.left_out), (2, 1));
    let limited = "SELECT code, count(*) AS n FROM condition GROUP BY code ORDER BY n LIMIT 1";
    let (first, _) = ask(limited, 16).await.unwrap();
    assert!(format!("{:?}", first.frame).contains("17"), "{first:?}");
    let all = ask("SELECT count(*) FROM condition", 50).await;
    assert_eq!(all.map(|_| ()).unwrap_err().rule, Rule::Differencing);
    // Keys that are counted take their group with them.
    let counted = "SELECT count(DISTINCT patient_key) AS n FROM condition";
    assert_eq!(ask(counted, 50).await.map(|_| ()).unwrap_err().rule, Rule::Differencing);
}
