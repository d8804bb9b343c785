//! What the papers name as proof is there.

use std::collections::BTreeSet;
use std::path::Path;

/// Every test, page and folder that `docs/operate/security.md` names.
#[test]
fn what_the_security_paper_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path));
    let paper = read("docs/operate/security.md").expect("the paper");
    let paths = read("crates/web/src/paths.rs").expect("the pages");
    let named: BTreeSet<&str> = paper.split('`').skip(1).step_by(2).collect();
    let (mut checked, mut missing) = (0, Vec::new());
    for name in named {
        let is_there = match name.split_once("::") {
            Some((file, test)) if file.starts_with("crates/") => {
                read(file).is_ok_and(|text| text.contains(&format!("fn {test}(")))
            }
            None if name.starts_with("crates/") || name.starts_with("policies/decisions") => {
                root.join(name).exists()
            }
            None if name.starts_with('/') => paths.contains(&format!("\"{name}")),
            _ => continue,
        };
        checked += 1;
        if !is_there {
            missing.push(name);
        }
    }
    assert!(checked > 20, "{checked} names");
    assert_eq!(missing, Vec::<&str>::new());
}
