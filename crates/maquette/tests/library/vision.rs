//! Models that look at pictures: where they are looked for, and that those of the hub are fetched.

use crate::hub_server::{HubServer, REPOSITORY};
use crate::support::{Project, fixture, repository};
use maquette::{Error, ErrorKind, Workspace};
use std::path::PathBuf;

fn photo() -> PathBuf {
    repository().join("experiments/references/selfie.png")
}

fn workspace(project: &Project, variables: &[(&str, &str)]) -> Workspace {
    project.engine().with_environment(project.environment(variables))
}

#[test]
fn a_model_that_is_not_here_has_a_hint() {
    let project = Project::new();
    let workspace = workspace(&project, &[]);
    let check = |error: Error, expected: &str| {
        assert!(matches!(error, Error::NoVisionModel { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.hint().unwrap().contains(expected), "{:?}", error.hint());
    };
    check(
        workspace.describe(&photo(), None).unwrap_err(),
        "(about 990 MB): maquette models fetch Salesforce/blip-image-captioning-base",
    );
    check(
        workspace.mask_at(&photo(), &[(1.0, 2.0)], false, None).unwrap_err(),
        "(about 375 MB): maquette models fetch facebook/sam-vit-base",
    );
    check(workspace.describe(&photo(), Some("not a name")).unwrap_err(), "a folder in transformers' layout");
}

#[test]
fn points_must_be_in_the_picture() {
    let project = Project::new();
    let check = |points: &[(f64, f64)], expected: &str| {
        let error = workspace(&project, &[]).mask_at(&photo(), points, false, None).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(&[(3.0, 4.0), (512.0, 1.0)], "the point 512,1 is outside of the picture, which has 512x512 pixels");
    check(&[], "no point is given; the picture has 512x512 pixels");
}

#[test]
fn a_single_model_is_fetched_and_then_found() {
    let model = tempfile::tempdir().unwrap();
    for file in ["config.json", "preprocessor_config.json", "tokenizer.json"] {
        std::fs::copy(fixture("vision/blip").join(file), model.path().join(file)).unwrap();
    }
    std::fs::write(model.path().join("model.safetensors"), b"not tensors").unwrap();
    let (server, project) = (HubServer::of(model.path()), Project::new());
    let endpoint = server.endpoint();
    let workspace = workspace(&project, &[("HF_ENDPOINT", &*endpoint)]);
    let fetched = workspace.fetch_model(&REPOSITORY.parse().unwrap(), None, false, &mut |_| ()).unwrap();
    assert!(!fetched.was_complete && fetched.folder.join("tokenizer.json").is_file());
    let error = workspace.describe(&photo(), Some(REPOSITORY)).unwrap_err();
    assert!(matches!(error, Error::Vision(_)), "{error}");
    assert!(error.to_string().contains("model.safetensors"), "{error}");
}
