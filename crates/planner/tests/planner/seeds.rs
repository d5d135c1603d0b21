//! Random seeds: drawn once, stored in the plan, and reused.

use crate::folder::{Folder, broken, message, planned, values};
use maquette_planner::Overrides;
use std::collections::BTreeMap;

fn folder(form: &str) -> Folder {
    Folder::new(&[("e.toml", &format!("prompt = \"x\"\n[sweep]\nseed = {form}\n"))])
}

#[test]
fn drawn_seeds_are_stored() {
    let planned = folder("{ random = 2 }").plan("e.toml");
    assert_eq!(planned.plan.drawn, BTreeMap::from([("seed".to_owned(), vec![1000, 1001])]));
    assert!(planned.resolved.contains("seed = [1000, 1001]"), "{}", planned.resolved);
}

#[test]
fn seeds_of_an_earlier_plan_are_reused() {
    let drawn = BTreeMap::from([("seed".to_owned(), vec![5, 1000])]);
    let check = |form: &str, expected: &str| {
        let planned = folder(form).again("e.toml", &Overrides::default(), Some(&drawn)).unwrap();
        assert_eq!(values(&planned.plan, "seed"), expected, "{form}");
    };
    check("{ random = 2 }", "5 1000");
    check("{ random = 1 }", "5");
    // A longer axis keeps its seeds; there are no duplicates.
    check("{ random = 4 }", "5 1000 1001 1002");
    check("[7]", "7");
}

#[test]
fn seeds_do_not_change_the_source_digest() {
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

#[test]
fn a_zip_may_draw_both_seeds() {
    let text = "prompt = \"x\"\n[zip.z]\nseed = { random = 2 }\nvariation_seed = { random = 2 }\n";
    let folder = Folder::new(&[("e.toml", text)]);
    let planned = folder.plan("e.toml");
    assert_eq!(values(&planned.plan, "z"), "1000/1002 1001/1003");
    let again = folder.again("e.toml", &Overrides::default(), Some(&planned.plan.drawn)).unwrap();
    assert_eq!(again.plan, planned.plan);
}

#[test]
fn seeds_have_64_bits_as_in_torch() {
    let largest = u64::MAX;
    let text = format!(
        "prompt = \"x\"\nvariation_seed = {largest}\nvariation_strength = 0.5\n[sweep]\n\
         seed = [0, {largest}, 9223372036854775808]\n"
    );
    let planned = planned(&text);
    let settings = |plan: &maquette_core::Plan, index| plan.cell(index).unwrap().settings;
    assert_eq!(settings(&planned.plan, 1).seed, largest);
    assert_eq!(settings(&planned.plan, 2).seed, 1 << 63);
    assert_eq!(settings(&planned.plan, 0).variation_seed, Some(largest));
    // As stored in a run: as TOML and as JSON.
    let again = Folder::new(&[("e.toml", &planned.resolved)]).plan("e.toml");
    assert_eq!(again.plan, planned.plan);
    let json = serde_json::to_string(&planned.plan).unwrap();
    assert_eq!(serde_json::from_str::<maquette_core::Plan>(&json).unwrap(), planned.plan);

    let folder = folder("{ count = 3, from = 18446744073709551613 }");
    assert_eq!(
        values(&folder.plan("e.toml").plan, "seed"),
        "18446744073709551613 18446744073709551614 18446744073709551615"
    );
    let set = Overrides { set: vec![format!("seed={largest}")], ..Overrides::default() };
    let folder = Folder::new(&[("e.toml", "prompt = \"x\"\n")]);
    assert_eq!(settings(&folder.with("e.toml", &set).unwrap().plan, 0).seed, largest);
    let beyond = message("prompt = \"x\"\n[sweep]\nseed = { count = 4, from = 18446744073709551613 }\n");
    assert_eq!(beyond, "`seed` is `18446744073709551616`; allowed: a whole number from 0 to 2^64 - 1");
}

#[test]
fn the_hint_for_a_negative_seed_is_a_random_one() {
    insta::assert_snapshot!(broken("prompt = \"x\"\nseed = -1\n"), @r#"
     x `seed` is `-1`; allowed: a whole number from 0 to 2^64 - 1
      ,-[e.toml:2:8]
    1 | prompt = "x"
    2 | seed = -1
      :        ^|
      :         `-- allowed: a whole number from 0 to 2^64 - 1
      `----
     help: for a random seed, write `seed = { random = 1 }` in [sweep]
    "#);
}
