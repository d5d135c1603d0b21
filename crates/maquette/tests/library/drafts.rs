//! Drafts first: their order, their records, and that they never pass for the pictures.

use crate::support::{Project, column, fixture, log, pictures, pixels, run, try_run};
use maquette::{
    CellId, DraftOptions, Experiment, LogRow, RunEvent, RunOptions, RunProgress, RunResult, Status, Stop,
    VerifyOptions, Workspace,
};
use std::collections::BTreeSet;
use std::fs;

const CATS: &str =
    "prompt = \"a {animal}\"\nsteps = 20\n[sweep]\nanimal = [\"cat\", \"dog\"]\nseed = { count = 5 }\n";

fn drafts_first() -> RunOptions {
    RunOptions { sheets: false, draft: Some(DraftOptions::default()), ..RunOptions::default() }
}

/// Runs with drafts; `finished` is called with the number of pictures so far, whether it is a draft, and its cell.
fn watch(
    workspace: &Workspace,
    experiment: &Experiment,
    stop: &Stop,
    finished: &mut dyn FnMut(usize, bool, CellId),
) -> RunResult {
    let (mut drafts, mut count) = (false, 0);
    let result = workspace.run(experiment, &drafts_first(), stop, &mut |event| match event {
        RunEvent::Progress(RunProgress::Planned { drafts: are_drafts, .. }) => drafts = *are_drafts,
        RunEvent::Progress(RunProgress::Finished { record }) => {
            count += 1;
            finished(count, drafts, record.cell.id);
        }
        _ => {}
    });
    result.unwrap()
}

#[test]
fn every_draft_comes_before_every_picture_and_stays_apart() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let (workspace, cats) = (project.fake(), project.experiment("cats.toml"));
    let mut order = Vec::new();
    let result = watch(&workspace, &cats, &Stop::new(), &mut |_, draft, _| order.push(draft));
    assert_eq!(order, [[true; 10], [false; 10]].concat());
    let drafts = result.drafts.as_ref().unwrap();
    assert_eq!((drafts.rendered, result.summary.rendered), (10, 10));

    let rows = log(&result.run);
    let of = result.run.drafts().unwrap();
    assert_eq!((rows.len(), of.len()), (10, 10), "the log has the pictures only");
    for row in &rows {
        let draft = &of[&row.cell()];
        assert_ne!(draft.cell(), row.cell());
        assert_eq!((draft.get("steps"), row.get("steps")), (Some("5"), Some("20")));
        assert_eq!((draft.get("seed"), draft.get("animal")), (row.get("seed"), row.get("animal")));
        assert_eq!(
            (draft.status(), draft.final_cell(), row.final_cell()),
            (Status::Done, Some(row.cell()), None)
        );
        assert!(draft.image().unwrap().starts_with("drafts/") && row.image().unwrap().starts_with("images/"));
        assert!(result.run.dir().join(draft.image().unwrap()).is_file());
    }
    // The pictures are those of a run without drafts.
    let other = Project::new();
    other.write("cats.toml", CATS);
    let without = run(&other.fake(), &other.experiment("cats.toml"));
    assert_eq!(pictures(&without.result.run), pictures(&result.run));
    // What counts or checks pictures does not see drafts.
    assert!(
        workspace.verify("cats", VerifyOptions { sample: 0, seed: None }, &mut |_| ()).unwrap().is_sound()
    );
    let listed = workspace.list_runs().unwrap().remove(0).content.unwrap();
    assert_eq!((listed.done, listed.cells), (10, 10));
    let export = project.path().join("export");
    assert_eq!(workspace.export_image_folder("cats", &export).unwrap(), 10);
    // Nothing is left to draft.
    assert!(watch(&workspace, &cats, &Stop::new(), &mut |_, _, _| ()).drafts.is_none());
}

#[test]
fn a_run_with_drafts_can_be_stopped_and_resumed_at_any_time() {
    let whole = Project::new();
    let many = CATS.replace("count = 5", "count = 15");
    whole.write("cats.toml", &many);
    let expected = pictures(&run(&whole.fake(), &whole.experiment("cats.toml")).result.run);
    for at in [1, 8, 29, 30, 33, 40] {
        let project = Project::new();
        project.write("cats.toml", &many);
        let (workspace, cats) = (project.fake(), project.experiment("cats.toml"));
        let stop = Stop::new();
        let stopped = watch(&workspace, &cats, &stop, &mut |count, _, _| {
            if count == at {
                stop.request();
            }
        });
        let (drafts, finished) = (stopped.run.drafts().unwrap().len(), log(&stopped.run).len());
        assert!(
            stopped.summary.interrupted && finished < 30 && drafts >= at.min(30),
            "{at}: {drafts} {finished}"
        );
        // Without drafts it simply goes on; with them, those that exist are not rendered again.
        let resumed = match at % 2 {
            0 => run(&workspace, &cats).result,
            _ => watch(&workspace, &cats, &Stop::new(), &mut |_, _, _| ()),
        };
        let drafted = resumed.drafts.as_ref().map_or(0, |drafts| drafts.rendered);
        assert_eq!(drafted, if at % 2 == 0 { 0 } else { 30 - drafts }, "{at}");
        assert_eq!((resumed.summary.done, resumed.summary.rendered), (finished, 30 - finished), "{at}");
        assert_eq!(pictures(&resumed.run), expected, "{at}");
    }
}

#[test]
fn picked_cells_are_replaced_first_and_rejected_ones_last() {
    let project = Project::new();
    project.write("cats.toml", CATS.replace("count = 5", "count = 15"));
    let (workspace, cats) = (project.fake(), project.experiment("cats.toml"));
    let plan = workspace.plan(&cats).unwrap().plan;
    let ids: Vec<CellId> = plan.cells().map(|cell| cell.unwrap().id).collect();
    let mark = |picks: &[(usize, &str)]| {
        let entry = |(at, mark): &(usize, &str)| format!("[cells.{}]\nmark = \"{mark}\"\n", ids[*at]);
        project.write("runs/cats/1/picks.toml", picks.iter().map(entry).collect::<String>());
    };
    let mut order = Vec::new();
    watch(&workspace, &cats, &Stop::new(), &mut |count, draft, cell| {
        match count {
            // While drafts are looked at.
            5 => mark(&[(9, "pick"), (7, "pick"), (0, "reject")]),
            // While pictures are rendered: some ten are in flight or being written.
            31 => mark(&[(28, "pick"), (0, "reject"), (29, "reject")]),
            _ => {}
        }
        if !draft {
            order.push(ids.iter().position(|id| *id == cell).unwrap());
        }
    });
    assert_eq!(order[..2], [7, 9]);
    assert_eq!(order[28..].iter().collect::<BTreeSet<_>>(), BTreeSet::from([&0, &29]), "{order:?}");
    let place = |cell: usize| order.iter().position(|found| *found == cell);
    assert!(place(28) < place(27), "picked while the others were rendered: {order:?}");
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 30);
}

#[test]
fn cells_that_are_as_quick_as_drafts_have_none_and_come_first() {
    let project = Project::new();
    project.write("steps.toml", "prompt = \"a cat\"\n[sweep]\nsteps = [50, 52, 4]\n");
    let (workspace, steps) = (project.fake(), project.experiment("steps.toml"));
    let mut order = Vec::new();
    let result = watch(&workspace, &steps, &Stop::new(), &mut |_, draft, _| order.push(draft));
    // 50 and 52 steps have one draft of 13 steps.
    assert_eq!(order, [true, false, false, false]);
    let rows = log(&result.run);
    let taken: Vec<_> = rows.iter().map(|row| row.get("steps").unwrap()).collect();
    assert_eq!(taken, ["4", "50", "52"]);
    let drafts = result.run.drafts().unwrap();
    let names: BTreeSet<CellId> = drafts.values().map(LogRow::cell).collect();
    assert_eq!((drafts.len(), names.len()), (2, 1));
}

#[test]
fn sheets_show_drafts_until_the_pictures_are_there() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let (workspace, cats) = (project.fake(), project.experiment("cats.toml"));
    let stop = Stop::new();
    let stopped = watch(&workspace, &cats, &stop, &mut |count, _, _| {
        if count == 10 {
            stop.request();
        }
    });
    assert_eq!((stopped.run.drafts().unwrap().len(), log(&stopped.run).len()), (10, 0));
    let sheet =
        |warn: &mut dyn FnMut(&str)| fs::read(&workspace.report("cats", warn).unwrap().sheets[0]).unwrap();
    let drafts = sheet(&mut |_| ());
    let [run] = &workspace.list_runs().unwrap()[..] else { panic!() };
    assert_eq!((run.content.as_ref().unwrap().done, run.content.as_ref().unwrap().failed), (0, 0));
    fs::remove_file(stopped.run.dir().join("drafts.csv")).unwrap();
    assert_ne!(sheet(&mut |_| ()), drafts, "without drafts the cells are missing");
    // Drafts are found in `.cells`, whatever happened to their list.
    let again = watch(&workspace, &cats, &Stop::new(), &mut |_, _, _| ());
    let redrafted = again.drafts.unwrap();
    assert_eq!((redrafted.reused, redrafted.rendered), (10, 0));
    assert_ne!(sheet(&mut |_| ()), drafts);
}

#[test]
fn shards_draft_their_own_share() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let (workspace, cats) = (project.fake(), project.experiment("cats.toml"));
    for (shard, share) in [("1/3", 4), ("2/3", 3), ("3/3", 3)] {
        let options = RunOptions { shard: Some(shard.parse().unwrap()), ..drafts_first() };
        let ran = try_run(&workspace, &cats, &options).unwrap();
        assert_eq!((ran.result.drafts.as_ref().unwrap().rendered, ran.counts()), (share, [0, 0, share, 0]));
    }
    let run = project.find("cats");
    assert_eq!((run.drafts().unwrap().len(), log(&run).len()), (10, 10));
}

#[test]
fn the_forecast_says_what_drafts_cost() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let workspace = project.fake();
    let planned = workspace.plan(&project.experiment("cats.toml")).unwrap();
    let cost = |steps| {
        let forecast = workspace.draft_forecast(&planned, &DraftOptions { steps }).unwrap();
        (forecast.drafts, forecast.steps)
    };
    assert_eq!((cost(None), cost(Some(2)), cost(Some(20))), ((10, 50), (10, 20), (0, 0)));
    run(&workspace, &project.experiment("cats.toml"));
    assert_eq!(cost(None), (0, 0), "finished cells need no draft");
}

#[test]
fn the_engine_renders_drafts_as_experiments_of_their_own() {
    let project = Project::new();
    let small = "prompt = \"a man\"\nwidth = 64\nheight = 64\n";
    project.write("a.toml", format!("{small}steps = 8\n[sweep]\nseed = [1, 2]\n"));
    project.write("b.toml", format!("{small}steps = 4\n[sweep]\nseed = [1, 2]\n"));
    let workspace = project.engine();
    let drafted = try_run(&workspace, &project.experiment("a.toml"), &drafts_first()).unwrap();
    assert_eq!(drafted.result.drafts.as_ref().unwrap().rendered, 2);
    // The drafts are the cells of an experiment with so few steps.
    let few = run(&workspace, &project.experiment("b.toml"));
    assert_eq!(few.counts(), [0, 2, 0, 0]);
    let rows = log(&few.result.run);
    assert!(rows.iter().all(|row| row.reused() == Some("a@1")), "{rows:?}");
    let drafts = drafted.result.run.drafts().unwrap();
    assert!(rows.iter().all(|row| drafts.values().any(|draft| draft.pixels() == row.pixels())));
}

/// A run with drafts of as many steps as a case of the fixtures, by a model with a tiny autoencoder. The drafts are what
/// diffusers makes with it: at most a few values differ, by one level.
fn check_tiny_vae(case: &str, model: &str, scheduler: &str, seed: u32, prompt: &str, vae: &str) {
    let project = Project::new();
    project.copy(model, "tiny");
    match vae.strip_prefix("madebyollin/") {
        None => project.copy("parts/taesd", vae),
        // As a download lies in the hub's cache.
        Some(name) => {
            let (cache, commit) = (format!("hf/hub/models--madebyollin--{name}"), "1".repeat(40));
            project.copy("parts/taesd/vae", &format!("{cache}/snapshots/{commit}"));
            project.write(&format!("{cache}/refs/main"), &commit);
        }
    }
    let text = format!(
        "model = \"tiny\"\nprompt = \"{prompt}\"\nscheduler = \"{scheduler}\"\nsteps = 20\nwidth = 32\nheight = 32\n\
         [sweep]\nseed = [{seed}, 99]\n"
    );
    project.write("e.toml", text);
    let (workspace, experiment) = (project.engine(), project.experiment("e.toml"));
    let how = DraftOptions { steps: Some(7) };
    let forecast = workspace.draft_forecast(&workspace.plan(&experiment).unwrap(), &how).unwrap();
    assert_eq!(forecast.vaes, BTreeSet::from([vae.to_owned()]));
    let options = RunOptions { draft: Some(how), ..RunOptions::default() };
    let ran = try_run(&workspace, &experiment, &options).unwrap();
    assert_eq!((ran.warnings.len(), ran.counts()), (0, [0, 0, 2, 0]), "{:?}", ran.warnings);
    let (run, drafts) = (&ran.result.run, ran.result.run.drafts().unwrap());
    let rows = log(run);
    assert!(rows.iter().all(|row| column(row, "vae").is_empty() && column(row, "steps") == "20"));
    let row = rows.iter().find(|row| column(row, "seed") == seed.to_string()).unwrap();
    let draft = &drafts[&row.cell()];
    assert_eq!((column(draft, "vae"), column(draft, "steps")), (vae, "7"));
    let expected = maquette_picture::decode(&fixture(&format!("parts/pictures/{case}.png"))).unwrap();
    let found = pixels(run, draft);
    let levels: Vec<u8> = found.rgb().iter().zip(expected.rgb()).map(|(a, b)| a.abs_diff(*b)).collect();
    assert_eq!(levels.len(), 3 * 32 * 32);
    assert!(
        levels.iter().all(|level| *level <= 1) && levels.iter().filter(|level| **level > 0).count() <= 10
    );
    assert_ne!(pixels(run, row), found);
}

#[test]
fn a_tiny_autoencoder_draws_the_drafts_that_diffusers_draws() {
    let woman = "oil painting of a young woman with red leaves, art nouveau, by Alphonse Mucha";
    let boats = "boats in the harbour, evening light!";
    check_tiny_vae("a-taesd-text", "tiny-a", "ddim", 1, woman, "taesd");
    check_tiny_vae("a-taesd-text", "tiny-a", "ddim", 1, woman, "madebyollin/taesd");
    check_tiny_vae("xl-taesd-text", "tiny-sdxl", "euler", 5, boats, "taesdxl");
}
