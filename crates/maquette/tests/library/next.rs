//! The next experiment from picks and votes.

use crate::support::{Project, run};
use maquette::{
    CellId, Choice, Error, Experiment, Mark, NextExperiment, NextOptions, PickChange, Plan,
    PlannedExperiment, Promote, Run, Vote, Workspace,
};
use std::collections::BTreeSet;

const PORTRAITS: &str = r#"
title = "Portraits"
prompt = "portrait of {subject}, by {artist}"
init_image = "references/selfie.png"
steps = 20
[vars]
subject = "a man"
[sweep]
artist = ["Mucha", "Munch", "Klimt", "Hokusai"]
strength = { from = 0.3, to = 0.9, step = 0.2 }
seed = { count = 3, from = 7 }
[sheet]
rows = "artist"
columns = "strength"
"#;

/// A run of the fake renderer that no picture was rendered for.
pub fn started(project: &Project, toml: &str) -> (Workspace, Run, Plan) {
    project.write("e.toml", toml);
    let workspace = project.fake();
    let planned = workspace.plan(&project.experiment("e.toml")).unwrap();
    let PlannedExperiment { plan, resolved, source, .. } = planned;
    let writer = workspace.runs().start("e", &resolved, &plan, &source, None).unwrap();
    let run = writer.run().clone();
    (workspace, run, plan)
}

fn id(plan: &Plan, coordinates: &[usize]) -> CellId {
    plan.id(plan.index_at(coordinates).unwrap()).unwrap()
}

pub fn mark(run: &Run, plan: &Plan, mark: Mark, cells: &[&[usize]]) {
    for cell in cells {
        run.update_pick(id(plan, cell), &PickChange { mark: Some(Some(mark)), note: None }).unwrap();
    }
}

pub fn vote(run: &Run, plan: &Plan, winner: &[usize], loser: &[usize], times: usize) {
    let vote = Vote { left: id(plan, winner), right: id(plan, loser), choice: Choice::Left };
    (0..times).for_each(|_| run.add_vote(&vote).unwrap());
}

fn next(workspace: &Workspace, project: &Project) -> NextExperiment {
    let options = NextOptions { promote: None, file: Some(project.path().join("next.toml")) };
    workspace.next("e", &options).unwrap()
}

fn planned(workspace: &Workspace, project: &Project, next: &NextExperiment) -> PlannedExperiment {
    let file = project.write("next.toml", &next.text);
    workspace.plan(&Experiment::at(file)).unwrap_or_else(|error| panic!("{error:?}\n{}", next.text))
}

/// The values of an axis as text.
fn values(plan: &Plan, axis: &str) -> Vec<String> {
    let axis = plan.axes.iter().find(|known| known.name == axis).unwrap();
    axis.values.iter().map(|value| value.set[0].1.to_string()).collect()
}

#[test]
fn picks_narrow_the_grid() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    mark(&run, &plan, Mark::Pick, &[&[0, 1, 0], &[0, 2, 1], &[1, 2, 0]]);
    mark(&run, &plan, Mark::Reject, &[&[1, 1, 2], &[0, 1, 2], &[2, 0, 0]]);
    let next = next(&workspace, &project);
    let picked = [[0, 1, 0], [0, 2, 1], [1, 2, 0]].map(|cell| id(&plan, &cell));
    let text = picked.iter().fold(next.text.clone(), |text, cell| text.replace(&cell.to_string(), "<cell>"));
    insta::assert_snapshot!(text, @r##"
    # After e@1, by 3 picks.
    # - 1 rejected combination is excluded

    title = "Portraits"
    derived_from = { run = "e@1", cells = [
        "<cell>",
        "<cell>",
        "<cell>",
    ] }
    prompt = "portrait of {subject}, by {artist}"
    init_image = "references/selfie.png"
    steps = 20
    dtype = "f32"

    [vars]
    subject = "a man"

    [sweep]
    # `Mucha`, `Munch` stay; left out as never picked: `Klimt`, `Hokusai`
    artist = ["Mucha", "Munch"]
    # finer around `0.5`, `0.7`; left out as never picked: `0.3`, `0.9`
    strength = { from = 0.5, to = 0.7, step = 0.1 }
    # 3 new seeds, from 10
    seed = { count = 3, from = 10 }

    [[exclude]]
    artist = "Munch"
    strength = 0.5

    [sheet]
    rows = "artist"
    columns = "strength"
    "##);
    insta::assert_snapshot!(next.decisions.join("\n"), @r#"
    artist: `Mucha`, `Munch` stay; left out as never picked: `Klimt`, `Hokusai`
    strength: finer around `0.5`, `0.7`; left out as never picked: `0.3`, `0.9`
    seed: 3 new seeds, from 10
    1 rejected combination is excluded
    15 cells; e@1 has 48
    "#);
    assert_eq!(next.problems, [""; 0]);

    let PlannedExperiment { plan: narrowed, .. } = planned(&workspace, &project, &next);
    assert_eq!(values(&narrowed, "artist"), ["Mucha", "Munch"]);
    assert_eq!(values(&narrowed, "strength"), ["0.5", "0.6", "0.7"]);
    assert_eq!(values(&narrowed, "seed"), ["10", "11", "12"]);
    // Munch at 0.5 was rejected; Mucha at 0.5 as well, but picked with another seed.
    assert_eq!(narrowed.len(), 2 * 3 * 3 - 3);
    let derived = narrowed.derived_from.unwrap();
    assert_eq!(derived.run, "e@1");
    let picked: BTreeSet<CellId> = picked.into_iter().collect();
    assert_eq!(derived.cells.into_iter().collect::<BTreeSet<_>>(), picked);
}

#[test]
fn votes_alone_leave_out_what_is_clearly_worse() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    vote(&run, &plan, &[0, 1, 0], &[1, 1, 0], 20);
    vote(&run, &plan, &[0, 1, 0], &[1, 1, 1], 3);
    vote(&run, &plan, &[1, 1, 0], &[0, 1, 0], 2);
    let ranking = workspace.ranking("e").unwrap();
    let [artist, strength, seed] = &ranking.axes[..] else { panic!("{ranking:?}") };
    assert_eq!(
        (ranking.votes, ranking.entered, artist.votes, strength.votes, seed.votes),
        (25, 25, 25, 0, 3)
    );
    assert_eq!(
        artist.values.iter().map(|value| value.label.as_str()).collect::<Vec<_>>(),
        ["Mucha", "Munch"]
    );
    assert!(artist.values[0].low > artist.values[1].high, "{artist:?}");
    assert_eq!(artist.votes_needed, Some(0));

    let next = next(&workspace, &project);
    assert!(next.text.contains("left out as clearly worse by the votes: `Munch` ("), "{}", next.text);
    let narrowed = planned(&workspace, &project, &next).plan;
    assert_eq!(values(&narrowed, "artist"), ["Mucha", "Klimt", "Hokusai"]);
    assert_eq!(values(&narrowed, "strength"), ["0.3", "0.5", "0.7", "0.9"]);
    assert_eq!(narrowed.derived_from.unwrap().cells, [id(&plan, &[0, 1, 0])]);
}

#[test]
fn a_few_votes_that_agree_leave_out_nothing() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    vote(&run, &plan, &[0, 1, 0], &[1, 1, 0], 2);
    // Every resample of two equal votes is the same.
    let artist = &workspace.ranking("e").unwrap().axes[0];
    assert!(artist.values[1].high < artist.values[0].low && !artist.values[1].worse, "{artist:?}");
    assert!(artist.votes_needed.unwrap() > 0, "{artist:?}");
    let narrowed = planned(&workspace, &project, &next(&workspace, &project)).plan;
    assert_eq!(values(&narrowed, "artist"), ["Mucha", "Munch", "Klimt", "Hokusai"]);
}

#[test]
fn what_the_parent_left_out_stays_out() {
    let project = Project::new().with_selfie();
    let rules = "[[exclude]]\nartist = \"Munch\"\nstrength = { above = 0.6 }\n[[exclude]]\nartist = \"Mucha\"\nseed = 7\n";
    let (workspace, run, plan) = started(&project, &PORTRAITS.replace("[sheet]", &format!("{rules}[sheet]")));
    mark(&run, &plan, Mark::Pick, &[&[0, 1, 1], &[1, 0, 1], &[0, 3, 1]]);
    let next = next(&workspace, &project);
    let narrowed = planned(&workspace, &project, &next).plan;
    assert_eq!(values(&narrowed, "strength"), ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]);
    // Munch stops between 0.5 and 0.7; the rule about a seed is of the old seeds.
    let munch = (0..narrowed.len()).filter(|&index| narrowed.coordinates(index)[0] == 1).count();
    assert_eq!((narrowed.len(), munch), (7 * 3 + 4 * 3, 4 * 3), "{}", next.text);
}

#[test]
fn zips_without_seeds_and_single_values() {
    let project = Project::new();
    let toml = r#"
prompt = "a {thing} in {mood}"
seed = 18446744073709551615
[sweep]
mood = [{ label = "gloomy", value = "the dark" }, { label = "sunny", value = "the light {{}}" }]
[zip.sampling]
scheduler = ["ddim", "euler", "heun"]
steps = [20, 30, 10]
label = ["slow", "fast", "best"]
[zip.thing]
thing = ["cat", "dog"]
variation_seed = [5, 6]
variation_strength = [0.1, 0.2]
"#;
    let (workspace, run, plan) = started(&project, toml);
    mark(&run, &plan, Mark::Pick, &[&[1, 2, 0], &[1, 0, 0]]);
    mark(&run, &plan, Mark::Reject, &[&[1, 0, 1]]);
    let next = next(&workspace, &project);
    let narrowed = planned(&workspace, &project, &next).plan;
    let labels: Vec<Vec<&str>> = narrowed
        .axes
        .iter()
        .map(|axis| axis.values.iter().map(|value| value.label.as_str()).collect())
        .collect();
    assert_eq!(labels, [vec!["sunny"], vec!["slow", "best"], vec!["cat, 7, 0.1"]], "{}", next.text);
    assert_eq!(narrowed.len(), 2);
    let cell = narrowed.cell(0).unwrap().settings;
    assert_eq!((&*cell.prompt, cell.seed, cell.steps), ("a cat in the light {{}}", u64::MAX, 20));
}

#[test]
fn picks_are_promoted() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    let picks: [&[usize]; 3] = [&[0, 1, 0], &[3, 1, 2], &[1, 3, 0]];
    mark(&run, &plan, Mark::Pick, &picks);
    let promote = |promote: Promote| {
        let file = Some(project.path().join("next.toml"));
        let next = workspace.next("e@1", &NextOptions { promote: Some(promote), file }).unwrap();
        assert_eq!(next.problems, [""; 0], "{}", next.text);
        let promoted = planned(&workspace, &project, &next).plan;
        let cells: Vec<_> = promoted.cells().map(Result::unwrap).collect();
        let parents: Vec<_> =
            picks.iter().map(|cell| plan.cell(plan.index_at(cell).unwrap()).unwrap()).collect();
        assert_eq!(cells.len(), 3);
        for parent in parents {
            let same = |cell: &&maquette::Cell| {
                cell.settings.prompt == parent.settings.prompt
                    && (cell.settings.strength, cell.settings.seed)
                        == (parent.settings.strength, parent.settings.seed)
            };
            assert_eq!(cells.iter().filter(same).count(), 1, "{}", next.text);
        }
        let settings = &cells[0].settings;
        (settings.steps, settings.width, settings.height)
    };
    assert_eq!(promote(Promote::default()), (40, 64, 64));
    assert_eq!(promote(Promote { steps: Some(35), scale: None }), (35, 64, 64));
    assert_eq!(promote(Promote { steps: None, scale: Some(2.0) }), (20, 128, 128));
    assert_eq!(promote(Promote { steps: Some(30), scale: Some(1.6) }), (30, 104, 104));
    for (promote, expected) in [
        (Promote { steps: Some(0), scale: None }, "`steps` is `0`"),
        (Promote { steps: None, scale: Some(1000.0) }, "`width` is `64000`"),
        (Promote { steps: None, scale: Some(-1.0) }, "the scale is `-1`; allowed: a number above 0"),
    ] {
        let error = workspace.next("e", &NextOptions { promote: Some(promote), file: None }).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn one_pick_is_promoted_without_an_axis() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    mark(&run, &plan, Mark::Pick, &[&[0, 1, 0]]);
    let options = NextOptions { promote: Some(Promote::default()), file: None };
    let next = workspace.next("e", &options).unwrap();
    let promoted = planned(&workspace, &project, &next).plan;
    assert_eq!((promoted.axes.len(), promoted.len()), (0, 1), "{}", next.text);
    assert_eq!(promoted.cell(0).unwrap().settings.strength, Some(0.5));
}

#[test]
fn without_picks_and_votes_there_is_nothing_to_go_by() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    let check = |promote: Option<Promote>, expected: &str| {
        let error = workspace.next("e", &NextOptions { promote, file: None }).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().unwrap().contains("maquette review e@1"));
    };
    check(None, "e@1 has no picks and no votes to go by");
    mark(&run, &plan, Mark::Reject, &[&[0, 0, 0]]);
    let bad = Vote { left: id(&plan, &[0, 0, 0]), right: id(&plan, &[1, 0, 0]), choice: Choice::Bad };
    run.add_vote(&bad).unwrap();
    check(
        None,
        "e@1 has no picks and no votes to go by, only 1 vote that decides nothing and 1 rejected cell",
    );
    vote(&run, &plan, &[0, 0, 0], &[1, 0, 0], 1);
    check(Some(Promote::default()), "e@1 has no picks, only 1 rejected cell");
    let all: Vec<Vec<usize>> = (0..plan.len()).map(|index| plan.coordinates(index)).collect();
    mark(&run, &plan, Mark::Reject, &all.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let error = workspace.next("e", &NextOptions::default()).unwrap_err();
    assert!(matches!(error, Error::NothingLeft { .. }), "{error}");
}

#[test]
fn files_are_found_from_another_folder() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    mark(&run, &plan, Mark::Pick, &[&[0, 1, 0]]);
    let file = project.path().join("elsewhere/next.toml");
    let next = |file: &std::path::Path| {
        workspace.next("e", &NextOptions { promote: None, file: Some(file.to_owned()) }).unwrap()
    };
    let there = next(&file);
    assert!(there.text.contains("\nfolder = "), "{}", there.text);
    there.write(&file).unwrap();
    assert_eq!(workspace.plan(&Experiment::at(&file)).unwrap().plan.pictures.len(), 1);
    let error = there.write(&file).unwrap_err();
    assert!(matches!(error, Error::FileExists { .. }), "{error}");

    project.write("references/selfie.png", "another");
    let gone = next(&file);
    assert_eq!(
        gone.problems,
        ["`references/selfie.png` is gone or has changed; the run's copy of it is used"],
        "{}",
        gone.text
    );
    let copied = planned(&workspace, &project, &gone).plan;
    assert_eq!(
        copied.pictures.values().next().unwrap().digest,
        plan.pictures.values().next().unwrap().digest
    );
}

#[test]
fn bad_records_are_reported_and_lose_nothing() {
    let project = Project::new().with_selfie();
    let (workspace, run, plan) = started(&project, PORTRAITS);
    let (other, _, elsewhere) = {
        let other = Project::new();
        let started = started(&other, "prompt = \"a dog\"\n[sweep]\nseed = [1, 2]\n");
        (other, started.1, started.2)
    };
    drop(other);
    let gone = elsewhere.id(0).unwrap();
    project.write("runs/e/1/picks.toml", format!("[cells.{gone}]\nmark = \"pick\"\n"));
    let error = workspace.next("e", &NextOptions::default()).unwrap_err();
    assert!(matches!(error, Error::NothingPicked { .. }), "{error}");

    mark(&run, &plan, Mark::Pick, &[&[0, 1, 0]]);
    let (a, b) = (id(&plan, &[0, 1, 0]), id(&plan, &[1, 1, 0]));
    project
        .write("runs/e/1/votes.csv", format!("left,right,choice\n{a},{b},left\n{a},{gone},left\n{a},{b},ri"));
    let next = next(&workspace, &project);
    assert_eq!(planned(&workspace, &project, &next).plan.derived_from.unwrap().cells, [a]);
    let [picks, torn, votes] = &next.problems[..] else { panic!("{:?}", next.problems) };
    assert!(picks.starts_with("picks.toml names 1 cell not in e@1"), "{picks}");
    assert!(torn.starts_with("the last row of votes.csv is incomplete"), "{torn}");
    assert!(votes.starts_with("votes.csv names 1 cell not in e@1"), "{votes}");
    let ranking = workspace.ranking("e").unwrap();
    assert_eq!((ranking.votes, ranking.entered, ranking.gone), (2, 1, 1));

    let written = project.read("runs/e/1/plan.json").replacen("\"format\": 1", "\"format\": 9", 1);
    project.write("runs/e/1/plan.json", written);
    let error = workspace.next("e", &NextOptions::default()).unwrap_err();
    assert!(error.to_string().contains("has format 9"), "{error}");
    assert!(project.read("runs/e/1/picks.toml").contains(&gone.to_string()));
}

#[test]
fn the_next_experiment_runs() {
    let project = Project::new();
    project.write("e.toml", "prompt = \"a {thing}\"\n[sweep]\nthing = [\"cat\", \"dog\"]\nseed = [1, 2]\n");
    let workspace = project.fake();
    let first = run(&workspace, &project.experiment("e.toml")).result.run;
    let plan = first.plan().unwrap();
    mark(&first, &plan, Mark::Pick, &[&[1, 0]]);
    project.write("e-2.toml", next(&workspace, &project).text);
    let second = run(&workspace, &project.experiment("e-2.toml"));
    assert_eq!(second.counts(), [0, 0, 2, 0]);
    assert_eq!(second.result.run.plan().unwrap().derived_from.unwrap().run, "e@1");
}

#[test]
fn the_tables_defaults_are_written_for_models_with_their_own() {
    let project = Project::new();
    project.copy("tiny-flux2", "model");
    let text =
        "model = \"model\"\nprompt = \"a hat\"\nsteps = 50\nguidance_scale = 7.5\n[sweep]\nseed = [1, 2]\n";
    project.write("e.toml", text);
    let workspace = project.engine();
    let PlannedExperiment { plan, resolved, source, .. } =
        workspace.plan(&project.experiment("e.toml")).unwrap();
    let writer = workspace.runs().start("e", &resolved, &plan, &source, None).unwrap();
    mark(&writer.run().clone(), &plan, Mark::Pick, &[&[1]]);
    let next = next(&workspace, &project);
    let again = planned(&workspace, &project, &next);
    let settings = again.plan.cell(0).unwrap().settings;
    assert_eq!((settings.steps, settings.guidance_scale), (50, 7.5));
}
