//! `maquette measure` and `maquette effects`.

use crate::support::Workspace;

const EXPERIMENT: &str = include_str!("fixtures/metrics/faces.toml");

#[test]
fn metrics_are_listed() {
    let listed = Workspace::new().maquette(&["measure", "--list"]).code(0).stdout;
    for part in ["ssim", "-1 to 1", "higher", "Wang et al. 2004", "duplicate_of"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    Workspace::new().maquette(&["measure"]).code(2);
}

#[test]
fn a_run_is_measured_and_analysed() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("faces.toml", format!("{EXPERIMENT}[metrics]\nmeasure = [\"ssim\"]\n"));
    let ran = workspace.maquette(&["run", "faces.toml", "--no-sheets", "--progress", "plain"]).code(0);
    ran.says(&["measured ssim of 8 pictures"]);
    let measured = workspace.maquette(&["measure", "faces", "--metric", "sharpness"]).code(0);
    assert_eq!(measured.stdout, "faces@1: measured sharpness of 8 pictures\n");
    workspace.maquette(&["measure", "faces", "--metric", "sim"]).code(3).says(&["did you mean `ssim`?"]);
    workspace.maquette(&["measure", "nothing"]).code(7);
    // The command can be copied: it is not broken at hyphens.
    let missing = workspace.maquette(&["measure", "faces", "--metric", "clip"]).code(7);
    assert!(missing.stderr.contains(" openai/clip-vit-base-patch32@refs/pr/15\n"), "{}", missing.stderr);

    let effects = workspace.maquette(&["effects", "faces", "--csv", "tables"]).code(0).stdout;
    for part in
        ["artist x strength", "rest", "ssim by strength", "tables/shares.csv", "plots/ssim-by-strength.svg"]
    {
        assert!(effects.contains(part), "{part}: {effects}");
    }
    assert_eq!(workspace.files("tables"), ["curves.csv", "shares.csv", "values.csv"]);
    let json = workspace.maquette(&["effects", "faces", "--metric", "ssim", "--json"]).code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["run"], &json["effects"][1]["measure"]), (&"faces@1".into(), &"ssim".into()));
    workspace
        .maquette(&["effects", "faces", "--metric", "psnr"])
        .code(7)
        .says(&["maquette measure faces@1 --metric psnr"]);
}

#[test]
fn a_run_in_use_is_not_measured() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("faces.toml", EXPERIMENT.replace("steps = 2", "steps = 200"));
    let mut running = workspace.start_run(&["faces.toml", "--no-sheets"]);
    running.wait_for("stepped", 1);
    let refused = workspace.maquette(&["measure", "faces"]).code(7);
    refused.says(&["is in use: another maquette process is writing into this run", "measure again"]);
    running.kill();
}
