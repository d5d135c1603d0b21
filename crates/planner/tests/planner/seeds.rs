//! Random seeds: drawn once, written down, drawn no second time.

use crate::folder::{Folder, values};
use maquette_planner::Overrides;
use std::collections::BTreeMap;

fn folder(form: &str) -> Folder {
    Folder::new(&[("e.toml", &format!("prompt = \"x\"\n[sweep]\nseed = {form}\n"))])
}

#[test]
fn drawn_seeds_are_written_down() {
    let planned = folder("{ random = 2 }").plan("e.toml");
    assert_eq!(planned.plan.drawn, BTreeMap::from([("seed".to_owned(), vec![1000, 1001])]));
    assert!(planned.resolved.contains("seed = [1000, 1001]"), "{}", planned.resolved);
}

#[test]
fn an_earlier_plans_seeds_are_used_again() {
    let drawn = BTreeMap::from([("seed".to_owned(), vec![5, 1000])]);
    let check = |form: &str, expected: &str| {
        let planned = folder(form).again("e.toml", &Overrides::default(), Some(&drawn)).unwrap();
        assert_eq!(values(&planned.plan, "seed"), expected, "{form}");
    };
    check("{ random = 2 }", "5 1000");
    check("{ random = 1 }", "5");
    // An axis that grows keeps the seeds it has; none comes twice.
    check("{ random = 4 }", "5 1000 1001 1002");
    check("[7]", "7");
}

#[test]
fn seeds_do_not_change_what_was_asked() {
    let folder = folder("{ random = 2 }");
    let drawn = BTreeMap::from([("seed".to_owned(), vec![5, 6])]);
    let first = folder.plan("e.toml");
    let second = folder.again("e.toml", &Overrides::default(), Some(&drawn)).unwrap();
    assert_eq!(first.source, second.source);
    assert_ne!(first.distinct, second.distinct);
}

#[test]
fn a_zip_may_draw() {
    let folder =
        Folder::new(&[("e.toml", "prompt = \"x\"\n[zip.z]\nsteps = [10, 20]\nseed = { random = 2 }\n")]);
    let plan = folder.plan("e.toml").plan;
    assert_eq!(values(&plan, "z"), "10/1000 20/1001");
    assert_eq!(plan.drawn["z"], [1000, 1001]);
}
