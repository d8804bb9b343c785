//! The official test vectors of draft-irtf-cfrg-vdaf, through this crate's own door and, for what is
//! random there, through the library's.

use consilium_privacy::aggregate::*;
use prio::vdaf::prio3::{Prio3Count, Prio3Histogram, Prio3SumVec};
use prio::vdaf::test_utils::{TestVector, check_test_vector};
use serde_json::Value;

#[test]
fn the_official_vectors_are_reproduced_byte_for_byte() {
    let root = std::env::var_os("CONSILIUM_SHARED")
        .map_or_else(|| "../../../shared".into(), std::path::PathBuf::from);
    let folder = root.join("standards/vdaf_test_vectors");
    if !folder.exists() {
        println!("skipped: `{}` is absent; set CONSILIUM_SHARED", folder.display());
        return;
    }
    let names = [
        "Prio3Count_0",
        "Prio3Count_1",
        "Prio3Count_bad_meas_share",
        "Prio3Histogram_0",
        "Prio3Histogram_1",
        "Prio3SumVec_0",
    ];
    let mut ours = 0;
    for name in names {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let vector: TestVector = serde_json::from_str(&text).unwrap();
        match name {
            _ if name.starts_with("Prio3Count") => check_test_vector::<Prio3Count, 32, 16>(&vector),
            _ if name.starts_with("Prio3Hist") => {
                check_test_vector::<Prio3Histogram, 32, 16>(&vector);
            }
            _ => check_test_vector::<Prio3SumVec, 32, 16>(&vector),
        }
        let value: Value = serde_json::from_str(&text).unwrap();
        // The other official vectors are of more than two aggregators.
        if value["shares"] == 2 {
            through_our_door(name, &value);
            ours += 1;
        }
    }
    assert!(ours >= 3, "only {ours} vectors have two aggregators");
    println!("{} vectors, {ours} of them of two aggregators", names.len());
}

fn through_our_door(name: &str, vector: &Value) {
    let number = |key: &str| vector[key].as_u64().unwrap();
    let length = |key: &str| usize::try_from(number(key)).unwrap();
    let circuit = if name.starts_with("Prio3Count") {
        Circuit::Count
    } else if name.starts_with("Prio3Histogram") {
        Circuit::Histogram { length: length("length"), chunk: length("chunk_length") }
    } else {
        Circuit::SumVec {
            length: length("length"),
            greatest: u128::from(number("max_measurement")),
            chunk: length("chunk_length"),
        }
    };
    let task = Summation::of(circuit, &Context::from_bytes(hex(&vector["ctx"]))).unwrap();
    let key = VerifyKey::from_bytes(hex(&vector["verify_key"]).try_into().unwrap());
    let leader = task.aggregator(Role::Leader, key.clone());
    let helper = task.aggregator(Role::Helper, key);
    let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
    let succeeds = !name.contains("bad");
    for (at, report) in vector["reports"].as_array().unwrap().iter().enumerate() {
        // All reports of a vector have the same nonce; a batch takes a report once. The sums are
        // compared below where there is one report only, and share by share everywhere.
        let id = ReportId(hex(&report["nonce"]).try_into().unwrap());
        let public = hex(&report["public_share"]);
        let (one, first) = leader.init(id, &public, &hex(&report["input_shares"][0])).unwrap();
        let (two, second) = helper.init(id, &public, &hex(&report["input_shares"][1])).unwrap();
        let shares = &report["verifier_shares"][0];
        assert_eq!((first.clone(), second.clone()), (hex(&shares[0]), hex(&shares[1])), "{name}");
        let Ok(message) = leader.combine(&one, &second) else {
            assert!(!succeeds, "{name}");
            continue;
        };
        assert!(succeeds, "{name}");
        assert_eq!(helper.combine(&two, &first).unwrap(), message);
        assert_eq!(message, hex(&report["verifier_messages"][0]), "{name}");
        let one = leader.finish(one, &message).unwrap();
        let two = helper.finish(two, &message).unwrap();
        for (share, verified) in [&one, &two].into_iter().enumerate() {
            let bytes = verified.to_bytes().unwrap();
            assert_eq!(bytes, hex(&report["out_shares"][share]), "{name}, report {at}");
        }
        if at == 0 {
            a.add(&one).unwrap();
            b.add(&two).unwrap();
        }
    }
    if succeeds && vector["reports"].as_array().unwrap().len() == 1 {
        let shares = [a.aggregate_share().unwrap(), b.aggregate_share().unwrap()];
        assert_eq!(shares[0].share, hex(&vector["agg_shares"][0]));
        let (sums, _) = task.unshard_integers(&shares).unwrap();
        let expected = match &vector["agg_result"] {
            Value::Array(all) => all.iter().map(|v| u128::from(v.as_u64().unwrap())).collect(),
            one => vec![u128::from(one.as_u64().unwrap())],
        };
        assert_eq!(sums, expected);
    }
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
