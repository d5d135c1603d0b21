//! Masks from clicks over real HTTP, with a tiny model.

use crate::client::{Answer, Review, write};
use crate::sam;
use maquette::{Experiment, Renderer, RunOptions, Stop, Workspace};
use maquette_review::ServerOptions;
use serde_json::{Value, json};
use std::path::Path;

const EXPERIMENT: &str = "prompt = \"a man\"\ninit_image = \"selfie.png\"\nwidth = 64\nheight = 64\n\
                          [sweep]\nstrength = [0.5, 1.0]\n";

/// A run of two cells with a reference picture of 512 x 512 pixels, and a model for masks.
fn review(model: Option<String>, experiment: &str) -> Review {
    let folder = tempfile::tempdir().unwrap();
    let selfie = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/references/selfie.png");
    std::fs::copy(selfie, folder.path().join("selfie.png")).unwrap();
    let file = folder.path().join("man.toml");
    std::fs::write(&file, experiment).unwrap();
    let workspace = Workspace::open(folder.path().join("runs")).unwrap().with_renderer(Renderer::Fake);
    let options = RunOptions { sheets: false, ..RunOptions::default() };
    workspace.run(&Experiment::at(&file), &options, &Stop::new(), &mut |_| {}).unwrap();
    let mask_model = model.or_else(|| Some(sam::write(folder.path()).to_string_lossy().into_owned()));
    Review::serve_with(
        folder,
        &workspace,
        &["man"],
        &ServerOptions { mask_model, ..ServerOptions::default() },
    )
}

impl Review {
    fn mask(&self, body: Value) -> Answer {
        self.send("POST", "api/mask", Some(body))
    }

    fn refused(&self, body: &Value, status: u16, expected: &str) {
        for (path, body) in [("mask", body.clone()), ("masks", json!({ "mask": body, "name": "" }))] {
            let answer = self.send("POST", &format!("api/{path}"), Some(body));
            assert!(answer.text().contains(expected), "{path}: {}", answer.text());
            answer.status(status);
        }
    }
}

#[test]
fn a_click_makes_the_mask_that_the_library_makes() {
    let review = review(None, EXPERIMENT);
    let workspace = Workspace::open(review.folder.path().join("runs")).unwrap();
    let model = review.folder.path().join("sam");
    let mut masker = workspace.masker(model.to_str()).unwrap();
    let reference = json!({ "reference": review.cells[0] });
    let cell = json!({ "cell": review.cells[1] });
    for (picture, points, invert) in [
        (&reference, vec![(256.0, 200.0)], false),
        (&reference, vec![(256.0, 200.0), (40.5, 500.0)], true),
        (&cell, vec![(0.0, 63.0)], false),
    ] {
        let body = json!({ "picture": picture, "points": points, "invert": invert });
        let answer = review.mask(body).status(200);
        let named: maquette::MaskedPicture = serde_json::from_value(picture.clone()).unwrap();
        let expected = masker.mask(&named.load(&review.run, &points).unwrap(), &points, invert).unwrap();
        assert!(
            expected.white > 0.0 && expected.white < 1.0,
            "{}: a mask that tells nothing",
            expected.white
        );
        assert_eq!(answer.body, expected.png().unwrap());
        assert_eq!(answer.header("content-type"), Some("image/png"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("mask-white"), Some(&*format!("{:.4}", expected.white)));
        assert_eq!(answer.header("mask-quality"), Some(&*format!("{:.4}", expected.quality)));
    }
    assert!(!review.run.dir().join("masks").exists(), "a mask that is only shown leaves no file");
}

#[test]
fn a_saved_mask_is_used_by_the_lines_that_are_answered() {
    let review = review(None, EXPERIMENT);
    assert_eq!(review.get("api/masks").status(200).json(), json!({ "masks": [] }));
    let mask = |picture: Value| json!({ "picture": picture, "points": [[30, 30]], "invert": true });
    let save = |picture: Value, name: &str| {
        review
            .send("POST", "api/masks", Some(json!({ "mask": mask(picture), "name": name })))
            .status(200)
            .json()
    };
    let reference = json!({ "reference": review.cells[0] });
    let face = save(reference.clone(), "../The face");
    let file = face["file"].as_str().unwrap();
    assert!(file.starts_with("masks/the-face-") && file.ends_with(".png"), "{file}");
    let shown = review.mask(mask(reference.clone())).body;
    assert_eq!(review.get(file).status(200).body, shown);
    let path = review.run.dir().join(file).to_string_lossy().into_owned();
    assert_eq!(face["toml"], format!("mask = \"{path}\"\n"));
    // The same mask is the same file.
    assert_eq!(save(reference, "../The face"), face);
    let own = save(json!({ "cell": review.cells[1] }), "");
    let lines: Vec<&str> = own["toml"].as_str().unwrap().lines().collect();
    assert!(lines[0].starts_with("init_image = ") && lines[0].contains("/images/"), "{lines:?}");
    assert!(lines[1].starts_with("mask = ") && lines[1].contains("/masks/mask-"), "{lines:?}");
    assert_eq!(review.get("api/masks").status(200).json()["masks"], json!([own, face]));

    // An experiment with these lines.
    let workspace = Workspace::open(review.folder.path().join("runs")).unwrap().with_renderer(Renderer::Fake);
    for (name, lines) in [("own", &own), ("face", &face)] {
        let rest = if name == "own" { "" } else { "init_image = \"selfie.png\"\n" };
        let text =
            format!("prompt = \"a man\"\nwidth = 64\nheight = 64\n{rest}{}", lines["toml"].as_str().unwrap());
        let experiment = review.folder.path().join(format!("{name}.toml"));
        std::fs::write(&experiment, text).unwrap();
        let planned = workspace.plan(&Experiment::at(&experiment)).unwrap();
        assert!(planned.plan.cell(0).unwrap().settings.mask.is_some());
    }
}

#[test]
fn points_and_pictures_that_do_not_exist_are_refused_without_the_model() {
    let review = review(Some("nowhere".to_owned()), EXPERIMENT);
    let reference = json!({ "reference": review.cells[0] });
    let of = |points: Value| json!({ "picture": reference, "points": points });
    review.refused(
        &of(json!([[512, 0]])),
        400,
        "the point 512,0 is outside of the picture, which has 512x512",
    );
    review.refused(&of(json!([[-1, 0]])), 400, "outside of the picture");
    review.refused(&of(json!([])), 400, "no point is given");
    review.refused(&of(json!(vec![[1, 1]; 65])), 400, "65 points are too many; allowed: at most 64");
    for points in
        [json!([[1]]), json!([["1", 2]]), json!([[1, 2, 3]]), json!([[null, 1]]), json!({}), Value::Null]
    {
        review.refused(&of(points), 400, "the request is not understood");
    }
    let with = |picture: Value| json!({ "picture": picture, "points": [[1, 1]] });
    for picture in
        [json!("selfie.png"), json!({ "file": "../selfie.png" }), json!({ "cell": "../x" }), json!({})]
    {
        review.refused(&with(picture), 400, "the request is not understood");
    }
    review.refused(
        &json!({ "picture": reference, "points": [[1, 1]], "model": "x" }),
        400,
        "unknown field `model`",
    );
    review.refused(&with(json!({ "cell": "0".repeat(64) })), 404, "man@1 has no cell 00000000");
    review.refused(&with(json!({ "reference": "0".repeat(64) })), 404, "man@1 has no cell 00000000");
    let huge = format!("{{\"picture\":{reference},\"points\":[[1e999,1]]}}");
    let post = |headers: &[(&str, &str)], body: &str| {
        review.raw("POST", &format!("{}api/mask", review.path), headers, Some(body)).status
    };
    assert_eq!(post(&[], &huge), 400);
    let long = json!({ "mask": of(json!([[1, 1]])), "name": "x".repeat(201) });
    review.send("POST", "api/masks", Some(long)).status(400);

    // A model that is not here, with what to do about it.
    let answer = review.mask(of(json!([[1, 1]]))).status(503);
    let text = answer.text();
    assert!(text.starts_with("no model is called `nowhere` on this machine\n\nallowed: a folder"), "{text}");
    assert!(!review.run.dir().join("masks").exists());
}

#[test]
fn cells_without_such_a_picture_are_said() {
    let review = review(Some("nowhere".to_owned()), "prompt = \"a man\"\nwidth = 64\nheight = 64\n");
    let of = |kind: &str| json!({ "picture": { kind: review.cells[0] }, "points": [[1, 1]] });
    review.refused(&of("reference"), 404, "of man@1 has no reference picture");
    let image = review.run.log().unwrap()[0].image().unwrap().to_owned();
    let path = review.run.dir().join(&image);
    #[cfg(unix)]
    {
        std::fs::rename(&path, review.folder.path().join("moved.png")).unwrap();
        std::os::unix::fs::symlink(review.folder.path().join("moved.png"), &path).unwrap();
        review.refused(&of("cell"), 404, "has no picture in the folder of the run");
    }
    std::fs::remove_file(&path).unwrap();
    review.refused(&of("cell"), 404, &image);
    let log = std::fs::read_to_string(review.run.dir().join("log.csv")).unwrap();
    write(&review.run, "log.csv", &log.replace(&image, "../../../moved.png"));
    let answer = review.mask(of("cell"));
    assert!(answer.status == 404 && !answer.text().contains("nowhere"), "{}", answer.text());
    write(&review.run, "log.csv", &format!("{}\n", log.lines().next().unwrap()));
    review.refused(&of("cell"), 404, "has no finished picture");
}

#[test]
fn a_model_that_arrives_later_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("sam").to_string_lossy().into_owned();
    let review = review(Some(model), EXPERIMENT);
    let body = json!({ "picture": { "reference": review.cells[0] }, "points": [[1, 1]] });
    review.mask(body.clone()).status(503);
    sam::write(folder.path());
    review.mask(body).status(200);
}

#[test]
fn other_sites_make_no_masks() {
    let review = review(Some("nowhere".to_owned()), EXPERIMENT);
    let mask = json!({ "picture": { "reference": review.cells[0] }, "points": [[1, 1]] });
    let requests = [("mask", mask.to_string()), ("masks", json!({ "mask": mask, "name": "" }).to_string())];
    for (path, body) in requests {
        let path = format!("{}api/{path}", review.path);
        let post =
            |path: &str, headers: &[(&str, &str)]| review.raw("POST", path, headers, Some(&body)).status;
        assert_eq!(post(&path, &[("Host", "evil.example")]), 403);
        assert_eq!(post(&path, &[("Origin", "http://evil.example")]), 403);
        assert_eq!(post(&path, &[("Sec-Fetch-Site", "cross-site")]), 403);
        assert_eq!(post(&path, &[("Content-Type", "text/plain")]), 415);
        assert_eq!(post(&path.replacen(&review.path[1..9], "00000000", 1), &[]), 404);
        assert_eq!(post(&path.replace("/man/1/", "/man/2/"), &[]), 404);
        assert_eq!(post(&path, &[]), 503);
    }
    assert_eq!(review.raw("GET", &format!("{}api/mask", review.path), &[], None).status, 405);
}

#[test]
fn masks_of_several_clicks_at_once_are_made_one_after_the_other() {
    let review = review(None, EXPERIMENT);
    let bodies: Vec<Value> = (0..4)
        .map(|k| json!({ "picture": { "reference": review.cells[k % 2] }, "points": [[100 + k, 90]] }))
        .collect();
    let at_once: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let sent: Vec<_> =
            bodies.iter().map(|body| scope.spawn(|| review.mask(body.clone()).status(200).body)).collect();
        // Everything else is answered meanwhile.
        review.get("api/picks").status(200);
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    for (body, mask) in bodies.into_iter().zip(at_once) {
        assert_eq!(review.mask(body).status(200).body, mask);
    }
}
