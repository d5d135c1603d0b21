//! Runs from start to end in a real folder.

use crate::{Reuse, RunWriter, Runs, StartReason, Status, StoreError};
use maquette_core::test_plans::{image, plan};
use maquette_core::{Cell, CellId, Digest, FoundFile, Image, Plan, Record, Remarks};
use std::path::Path;
use tempfile::TempDir;

/// A runs folder that is removed after the test.
pub(crate) struct Folder {
    dir: TempDir,
    pub(crate) runs: Runs,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::open(&dir.path().join("runs")).unwrap();
        Folder { dir, runs }
    }

    pub(crate) fn start(&self, plan: &Plan) -> RunWriter {
        self.try_start(plan, None).unwrap()
    }

    fn try_start(&self, plan: &Plan, shard: Option<&str>) -> Result<RunWriter, StoreError> {
        let shard = shard.map(|shard| shard.parse().unwrap());
        self.runs.start(&plan.name, "title = \"Test\"\n", plan, &Folder::source(plan), shard)
    }

    pub(crate) fn source(plan: &Plan) -> Digest {
        Digest::of(serde_json::to_string(&plan.axes).unwrap().as_bytes())
    }
}

pub(crate) fn artists() -> Plan {
    plan(&[("artist", vec!["Mucha", "Munch"]), ("seed", vec!["1", "2"])])
}

pub(crate) fn other() -> Plan {
    plan(&[("seed", vec!["1"])])
}

pub(crate) fn finish(run: &mut RunWriter, index: usize) {
    let cell = run.plan().cell(index).unwrap();
    run.finish(&cell, &image(&cell), 1.25, "cpu", Remarks::default()).unwrap();
}

pub(crate) fn is_done(run: &mut RunWriter, id: &CellId) -> bool {
    run.check_done(&[*id]).0.contains(id)
}

pub(crate) fn reuse(run: &mut RunWriter, cell: &Cell) -> Option<Record> {
    let mut batch = run.batch();
    batch.reuse(cell).unwrap();
    batch.commit().unwrap().pop()
}

/// One cell at a time.
impl RunWriter {
    pub(crate) fn finish(
        &mut self,
        cell: &Cell,
        image: &Image,
        seconds: f64,
        device: &str,
        remarks: Remarks,
    ) -> Result<Record, StoreError> {
        let mut batch = self.batch();
        batch.finish(cell, image, seconds, device, remarks)?;
        Ok(batch.commit()?.remove(0))
    }

    pub(crate) fn fail(&mut self, cell: &Cell, error: &str, device: &str) -> Result<Record, StoreError> {
        let mut batch = self.batch();
        batch.fail(cell, error, device);
        Ok(batch.commit()?.remove(0))
    }

    pub(crate) fn reuse(&mut self, cell: &Cell) -> Result<Reuse, StoreError> {
        let mut batch = self.batch();
        let reuse = batch.reuse(cell)?;
        batch.commit().map(|_| reuse)
    }
}

fn statuses(run: &RunWriter) -> Vec<Status> {
    run.run().log().unwrap().iter().map(crate::LogRow::status).collect()
}

#[test]
fn a_run_is_resumed_until_the_experiment_changes() {
    let folder = Folder::new();
    let check = |plan: &Plan, expected: &str, reason: StartReason| {
        let run = folder.start(plan);
        assert_eq!((run.run().to_string().as_str(), run.start_reason()), (expected, reason));
    };
    check(&artists(), "test@1", StartReason::First);
    check(&artists(), "test@1", StartReason::Resumed);
    let other = plan(&[("seed", vec!["1"])]);
    check(&other, "test@2", StartReason::Changed);
    // The first experiment again is a change: only the newest run is resumed.
    check(&artists(), "test@3", StartReason::Changed);
    // The same file, but with other weights under the model's name.
    let mut retrained = artists();
    retrained.models.get_mut("sketchbook").unwrap().fingerprint = Digest::of(b"retrained");
    check(&retrained, "test@4", StartReason::Changed);
    let latest = folder.runs.root().join("test/latest");
    assert_eq!(std::fs::read_link(&latest).unwrap(), Path::new("4"));
    assert_eq!(folder.runs.list().unwrap().len(), 4);
}

#[test]
fn drawn_seeds_are_kept() {
    let folder = Folder::new();
    let drawn = |seed: i64| {
        let label = seed.to_string();
        let mut plan = plan(&[("seed", vec![label.as_str()])]);
        plan.drawn.insert("seed".to_owned(), vec![seed]);
        plan
    };
    let start = |seed| folder.runs.start("test", "", &drawn(seed), &Digest::of(b"asked"), None).unwrap();
    assert_eq!(start(11).plan().cell(0).unwrap().settings.seed, 11);
    let again = start(99);
    assert_eq!(
        (again.start_reason(), again.plan().cell(0).unwrap().settings.seed),
        (StartReason::Resumed, 11)
    );
}

#[test]
fn one_writer_at_a_time_but_shards_share() {
    let folder = Folder::new();
    let first = folder.start(&artists());
    let error = folder.try_start(&artists(), None).err().unwrap();
    assert!(matches!(&error, StoreError::Locked { folder, .. } if folder.ends_with("test/1")), "{error}");
    assert!(folder.try_start(&artists(), Some("1/2")).is_err());
    drop(first);
    let mut one = folder.try_start(&artists(), Some("1/2")).unwrap();
    let mut two = folder.try_start(&artists(), Some("2/2")).unwrap();
    assert!(folder.try_start(&artists(), Some("1/2")).is_err());
    assert!(folder.try_start(&artists(), None).is_err());
    finish(&mut one, 0);
    finish(&mut two, 1);
    let cells: Vec<_> = one.run().log().unwrap().iter().map(crate::LogRow::cell).collect();
    assert_eq!(cells, [0, 1].map(|index| one.plan().cell(index).unwrap().id));
    drop((one, two));
    let mut whole = folder.start(&artists());
    let (done, problems) = whole.check_done(&cells);
    assert_eq!((done.len(), problems), (2, vec![]), "cells finished by shards are done");
}

#[test]
fn the_log_has_a_row_per_cell_and_a_column_per_setting() {
    let folder = Folder::new();
    let mut plan = artists();
    plan.base[1].1 = "by {artist},\nseen from afar".into();
    let mut run = folder.start(&plan);
    finish(&mut run, 0);
    let cell = run.plan().cell(3).unwrap();
    run.fail(&cell, "the weights are \"torn\"", "cpu").unwrap();
    let log = std::fs::read_to_string(run.run().dir().join("log.csv")).unwrap();
    let named = |index: usize| run.plan().cell(index).unwrap().id.to_string();
    let log = log.replace(&named(0), "FIRST").replace(&named(3), "LAST");
    insta::assert_snapshot!(log, @r#"
    cell,status,image,model,vae,lora,embeddings,lora_weight,train_steps,prompt,negative_prompt,dialect,init_image,mask,fit,strength,controlnet,control_image,controlnet_conditioning_scale,control_guidance_start,control_guidance_end,ip_adapter,ip_adapter_image,ip_adapter_scale,ip_adapter_image_encoder,seed,noise,variation_seed,variation_strength,steps,guidance_scale,true_cfg_scale,guidance_interval,guidance_rescale,deepcache_interval,deepcache_branch_id,scheduler,eta,sigmas,spacing,prediction_type,zero_snr,shift,width,height,clip_skip,dtype,safety_checker,subject,artist,fingerprint,seconds,device,reused,error,nsfw_content_detected,note,pixels,format
    FIRST,done,images/mucha_seed-1-4d2027a0.png,sketchbook,,,,,,"by Mucha,
    seen from afar",,plain,,,,,,,,,,,,,,1,torch-cpu,,,20,7.5,,0-1,0,1,,ddim,0,,leading,,,,24,16,0,f32,false,a cat,Mucha,3edc5c4a5df8c79ef4f8dbdc373cd21ca041ccf39fe5693250d004092094dc4a,1.250,cpu,,,,,81b3b68f526505d5e921c51365f1be1c980da644207caf770e0954373cf8c3de,2
    LAST,failed,,sketchbook,,,,,,"by Munch,
    seen from afar",,plain,,,,,,,,,,,,,,2,torch-cpu,,,20,7.5,,0-1,0,1,,ddim,0,,leading,,,,24,16,0,f32,false,a cat,Munch,3edc5c4a5df8c79ef4f8dbdc373cd21ca041ccf39fe5693250d004092094dc4a,,cpu,,"the weights are ""torn""",,,,2
    "#);

    let rows = run.run().log().unwrap();
    assert_eq!(rows[0].seconds(), Some(1.25));
    assert_eq!(rows[0].get("prompt"), Some("by Mucha,\nseen from afar"));
    assert_eq!(rows[0].get("strength"), None);
    assert_eq!(rows[1].error(), Some("the weights are \"torn\""));
    assert_eq!(rows[0].iter().count(), 3 + maquette_core::SETTINGS.len() + 2 + 9);
    // Tried again: the last row counts.
    finish(&mut run, 3);
    assert_eq!(statuses(&run), [Status::Done, Status::Done]);
}

#[test]
fn a_torn_row_is_cut_off_and_nothing_else_changes() {
    let folder = Folder::new();
    let mut run = folder.start(&artists());
    finish(&mut run, 0);
    let path = run.run().dir().join("log.csv");
    drop(run);
    let whole = std::fs::read(&path).unwrap();
    for torn in ["abc", "abc,done,\"two\nlines", "\""] {
        std::fs::write(&path, [&whole, torn.as_bytes()].concat()).unwrap();
        let mut run = folder.start(&artists());
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        finish(&mut run, 1);
        assert_eq!(statuses(&run), [Status::Done; 2]);
    }
    std::fs::write(&path, &whole[..10]).unwrap();
    assert_eq!(statuses(&folder.start(&artists())), []);
}

#[test]
fn a_log_with_other_columns_is_not_changed() {
    let folder = Folder::new();
    let path = folder.start(&artists()).run().dir().join("log.csv");
    std::fs::write(&path, "cell,status,image,colour\n").unwrap();
    let run = folder.start(&artists());
    assert_eq!((run.run().to_string().as_str(), run.start_reason()), ("test@2", StartReason::OtherVersion));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "cell,status,image,colour\n");
}

#[test]
fn two_cells_with_the_same_labels_and_first_digits_have_two_pictures() {
    let folder = Folder::new();
    let mut run = folder.start(&plan(&[("seed", vec!["1"])]));
    let cell = run.plan().cell(0).unwrap();
    let mut twin = cell.clone();
    let mut bytes = *cell.id.0.as_bytes();
    bytes[31] ^= 1;
    twin.id = CellId(Digest::from_bytes(bytes));
    run.finish(&cell, &image(&cell), 1.0, "cpu", Remarks::default()).unwrap();
    run.finish(&twin, &image(&twin), 1.0, "cpu", Remarks::default()).unwrap();
    assert!(is_done(&mut run, &cell.id) && is_done(&mut run, &twin.id));
}

#[test]
fn the_run_folder_is_self_contained() {
    let folder = Folder::new();
    let selfie = folder.dir.path().join("Selfie.PNG");
    std::fs::write(&selfie, "pixels").unwrap();
    let mut plan = artists();
    let picture = FoundFile { file: selfie.clone(), digest: Digest::of(b"pixels") };
    plan.pictures.insert("references/Selfie.PNG".to_owned(), picture);
    let run = folder.start(&plan);
    let copy = run.plan().pictures["references/Selfie.PNG"].file.clone();
    assert!(copy.starts_with(run.run().dir().join("references")), "{copy:?}");
    assert_eq!(std::fs::read(&copy).unwrap(), b"pixels");
    let text = std::fs::read_to_string(run.run().dir().join("plan.json")).unwrap();
    assert!(!text.contains(&*folder.dir.path().to_string_lossy()), "{text}");

    // A plan with a picture that has changed since is refused, and no run is created.
    std::fs::write(&selfie, "other pixels").unwrap();
    plan.title = "Another".to_owned();
    drop(run);
    let error = folder.try_start(&plan, None).err().unwrap();
    assert!(matches!(error, StoreError::Changed { .. }), "{error}");
    let entries: Vec<_> = std::fs::read_dir(folder.runs.root().join("test")).unwrap().collect();
    assert_eq!(entries.len(), 3, "1, latest and the lock: {entries:?}");
}

#[test]
fn a_plan_reads_back_unchanged() {
    let folder = Folder::new();
    let mut plan = plan(&[("strength", vec!["0.1", "0.30000000000000004", "0.7", "1e-7"])]);
    plan.base.push(("guidance_scale".to_owned(), 7.0.into()));
    let run = folder.start(&plan);
    assert_eq!(*run.plan(), plan);
    let path = run.run().dir().join("plan.json");
    let newer = std::fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
    std::fs::write(&path, newer).unwrap();
    let error = run.run().plan().unwrap_err().to_string();
    assert!(
        error.ends_with("has format 2; this version of maquette reads format 1 and earlier ones"),
        "{error}"
    );
}

#[test]
fn runs_are_found_by_name_prefix_and_path() {
    let folder = Folder::new();
    for (name, seed) in [("mucha", "1"), ("mucha", "2"), ("mucha-sd14", "1"), ("seeds", "1")] {
        folder.start(&Plan { name: name.to_owned(), ..plan(&[("seed", vec![seed])]) });
    }
    let path = |tail: &str| folder.runs.root().join(tail).to_string_lossy().into_owned();
    let check = |query: &str, expected: &str| {
        assert_eq!(folder.runs.find(query).unwrap().to_string(), expected, "{query}");
    };
    check("mucha", "mucha@2");
    check("mucha@latest", "mucha@2");
    check("mucha@1", "mucha@1");
    check("mucha-", "mucha-sd14@1");
    check("se@1", "seeds@1");
    check(&path("mucha/1"), "mucha@1");
    check(&path("mucha/latest"), "mucha@2");
    check(&path("mucha"), "mucha@2");
    std::fs::rename(path("seeds/1"), path("given away")).unwrap();
    check(&path("given away"), "given away");
    std::fs::rename(path("given away"), path("seeds/1")).unwrap();

    let fails = |query: &str| {
        let error = folder.runs.find(query).unwrap_err();
        let text = error.to_string().replace(path("").trim_end_matches('/'), "RUNS");
        format!("{text} / {}", error.hint().unwrap())
    };
    insta::assert_snapshot!(fails("muc"), @"`muc` is ambiguous: it could be mucha, mucha-sd14 / Use a longer prefix.");
    insta::assert_snapshot!(fails("muhca"), @"there is no run `muhca` in `RUNS` / Existing runs: mucha@2, mucha@1, mucha-sd14@1.");
    insta::assert_snapshot!(fails("mucha@7"), @"there is no run `mucha@7` in `RUNS` / Existing runs: mucha@2, mucha@1, mucha-sd14@1.");
    insta::assert_snapshot!(fails("zzz"), @"there is no run `zzz` in `RUNS` / Existing runs: seeds@1, mucha-sd14@1, mucha@2, mucha@1.");
    insta::assert_snapshot!(fails(""), @"there is no run `` in `RUNS` / Existing runs: seeds@1, mucha-sd14@1, mucha@2, mucha@1.");
}

#[test]
fn sheets_cannot_leave_the_run() {
    let folder = Folder::new();
    let run = folder.start(&artists());
    let sheet = run.run().write_sheet("page-1.png", b"png").unwrap();
    assert!(sheet.ends_with("test/1/sheets/page-1.png"));
    for name in ["../x.png", "a/b.png", "..", "/etc/x"] {
        assert!(run.run().write_sheet(name, b"").is_err(), "{name}");
    }
}

#[test]
fn a_label_with_parent_folders_is_harmless() {
    let folder = Folder::new();
    let mut run = folder.start(&plan(&[("artist", vec!["../../x"])]));
    finish(&mut run, 0);
    let image = run.run().log().unwrap()[0].image().unwrap().to_owned();
    assert!(image.starts_with("images/x-"), "{image}");
    assert!(run.run().dir().join(image).is_file());
}
