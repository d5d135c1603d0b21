//! What a page shows of other files and runs: comparisons, ancestors, picks, votes and metrics.

use crate::page::{CATS, again, argument, column, data, run};
use crate::support::Project;
use maquette::Run;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[test]
fn a_comparison_has_a_page_beside_the_runs() {
    let project = Project::new();
    run(&project, &project.fake(), CATS);
    run(&project, &project.fake(), &CATS.replace("animal", "beast").replace("steps = 5", "steps = 6"));
    let comparison = project.engine().diff("cats@1", "cats@2").unwrap();
    let check = |page: &Path| {
        let folder = page.parent().unwrap();
        let data = argument(&folder.join("page/data.js"), "maquettePage");
        assert_eq!(
            (&data["kind"], &data["left"], &data["right"]),
            (&json!("diff"), &json!("cats@1"), &json!("cats@2"))
        );
        assert_eq!(data["pairs"].as_array().unwrap().len(), 4, "{data:#}");
        assert!(
            data["pairing"][1].as_str().unwrap().contains("`animal` in cats@1 is paired with `beast`"),
            "{data:#}"
        );
        let pair = &data["pairs"][0];
        assert_eq!((&pair["outcome"], &pair["left"]["size"]), (&json!("different"), &json!([256, 192])));
        for side in ["left", "right"] {
            for file in ["image", "thumbnail"] {
                let path = folder.join(pair[side][file].as_str().unwrap());
                assert!(path.is_file(), "{}", path.display());
            }
        }
    };
    let page = comparison.write_page(None, &mut |_| ()).unwrap();
    assert!(page.ends_with("runs/.diffs/cats@1-cats@2/index.html"), "{}", page.display());
    check(&page);
    check(&comparison.write_page(Some(&project.path().join("else where/page")), &mut |_| ()).unwrap());
    assert_eq!(project.engine().list_runs().unwrap().len(), 2);
}

#[test]
fn neighbours_along_an_axis_have_a_page() {
    let project = Project::new();
    run(&project, &project.fake(), CATS);
    let comparison = project.engine().diff_along("cats", "seed").unwrap();
    let page = comparison.write_page(None, &mut |_| ()).unwrap();
    let data = argument(&page.with_file_name("page/data.js"), "maquettePage");
    assert_eq!(data["pairs"].as_array().unwrap().len(), 2);
    assert_eq!(data["pairs"][0]["settings"], json!([{ "name": "seed", "left": "1", "right": "2" }]));
    let error = project.engine().diff_along("cats", "strength").err().unwrap();
    assert_eq!(error.to_string(), "`strength` is not an axis of the run; allowed: `animal`, `seed`");
}

#[test]
fn picks_votes_and_metrics_are_on_the_page() {
    let project = Project::new();
    let run = run(&project, &project.fake(), CATS);
    let before = data(&run);
    let cell = |at: usize| before["pictures"]["cell"][at].as_str().unwrap().to_owned();
    let gone = "0".repeat(64);
    project.write(
        "runs/cats/1/picks.toml",
        format!(
            "[cells.{}]\nmark = \"pick\"\nnote = \"</script>\"\n[cells.{gone}]\nmark = \"reject\"\n[cells.{}]\nmark = \"best\"\n",
            cell(0),
            cell(1)
        ),
    );
    project.write("runs/cats/1/votes.csv", format!("left,right,choice\n{},{},tie\n", cell(2), cell(3)));
    // Metrics are columns at the end of the log.
    let log = project.read("runs/cats/1/log.csv");
    let rows = log.lines().enumerate().map(|(at, line)| match at {
        0 => format!("{line},psnr,mystery\n"),
        1 => format!("{line},Infinity,a\n"),
        at => format!("{line},{at}.5,\n"),
    });
    project.write("runs/cats/1/log.csv", rows.collect::<String>());

    let data = again(&project.engine(), &run);
    assert_eq!(data["picks"], json!({ cell(0): { "mark": "pick", "note": "</script>" } }));
    assert_eq!(data["votes"], json!([{ "left": cell(2), "right": cell(3), "choice": "tie" }]));
    let notes = data["run"]["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    // The log's own last columns are none.
    let columns = data["pictures"]["columns"].as_array().unwrap().iter();
    let metrics: Vec<&Value> =
        columns.filter(|column| column["kind"] == "metric").map(|it| &it["name"]).collect();
    assert_eq!(metrics, ["psnr", "mystery"]);
    let psnr = column(&data, "psnr");
    assert_eq!(
        (&psnr["kind"], &psnr["type"], &psnr["better"]),
        (&json!("metric"), &json!("number"), &json!("higher"))
    );
    assert_eq!(psnr["range"], json!([0.0, null]));
    assert!(psnr["help"].as_str().unwrap().starts_with("Peak signal-to-noise ratio"));
    assert_eq!(
        (&column(&data, "mystery")["type"], &column(&data, "mystery")["help"]),
        (&json!("text"), &json!(""))
    );

    project.write("runs/cats/1/picks.toml", "not TOML");
    let data = again(&project.engine(), &run);
    assert_eq!(data["picks"], json!({}));
    assert!(data["run"]["notes"][0].as_str().unwrap().contains("picks.toml"), "{}", data["run"]["notes"]);
}

#[test]
fn the_ancestors_of_a_run_are_on_its_page() {
    let project = Project::new();
    let grandparent = run(&project, &project.fake(), CATS);
    let cells = data(&grandparent)["pictures"]["cell"].clone();
    let derive = |run: &Run, from: &str, cell: &Value| {
        let path = run.dir().join("plan.json");
        let mut plan: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        plan["plan"]["derived_from"] = json!({ "run": from, "cells": [cell] });
        fs::write(path, plan.to_string()).unwrap();
    };
    let parent = run(&project, &project.fake(), &CATS.replace("[1, 2]", "[3]"));
    derive(&parent, "cats@1", &cells[3]);
    let child = run(&project, &project.fake(), &CATS.replace("[1, 2]", "[4]"));
    derive(&child, "cats@2", &json!("0".repeat(64)));
    let ancestry = &again(&project.engine(), &child)["ancestry"];
    assert_eq!(
        (&ancestry[0]["run"], &ancestry[0]["page"]),
        (&json!("cats@2"), &json!("../../cats/2/index.html"))
    );
    assert_eq!(ancestry[0]["cells"][0]["image"], json!(null), "the cell is not in that run");
    let picked = &ancestry[1]["cells"][0];
    assert_eq!(
        (&ancestry[1]["run"], &picked["cell"], &picked["label"]),
        (&json!("cats@1"), &cells[3], &json!("dog, seed 2"))
    );
    assert!(child.dir().join(picked["image"].as_str().unwrap()).is_file(), "{picked}");
    assert_eq!(ancestry.as_array().unwrap().len(), 2);

    // A run that is gone ends the line; so does a circle.
    derive(&parent, "cats@9", &cells[3]);
    let ancestry = &again(&project.engine(), &child)["ancestry"];
    assert_eq!(
        ancestry[1],
        json!({ "run": "cats@9", "page": null, "cells": [{ "cell": cells[3], "label": "", "image": null }] })
    );
    derive(&parent, "cats@3", &cells[3]);
    assert_eq!(again(&project.engine(), &child)["ancestry"].as_array().unwrap().len(), 1);
}
