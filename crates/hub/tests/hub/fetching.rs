//! Successful downloads: which files, where they are stored, where the token is sent, and what is not requested twice.

use crate::hub_server::{COMMIT, REPOSITORY};
use crate::{MODEL, Scene, UNET};
use maquette_hub::{DownloadProgress, HubError, Wanted};
use std::fs;

const TREE: &str = "models--tester--tiny";

#[test]
fn only_the_needed_files_in_the_standard_layout() {
    let scene = Scene::new();
    let hub = scene.hub();
    let repository = REPOSITORY.parse().unwrap();
    let offer = hub.offer(&repository, &MODEL).unwrap();
    assert_eq!(offer.licence.as_deref(), Some("creativeml-openrail-m"));
    let names: Vec<&str> = offer.files.iter().map(|file| file.name.as_str()).collect();
    let expected = "model_index.json scheduler/scheduler_config.json text_encoder/config.json \
        text_encoder/model.safetensors tokenizer/merges.txt tokenizer/special_tokens_map.json \
        tokenizer/tokenizer_config.json tokenizer/vocab.json unet/config.json \
        unet/diffusion_pytorch_model.safetensors vae/config.json vae/diffusion_pytorch_model.safetensors";
    assert_eq!(names.join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
    let total: usize = names.iter().map(|name| scene.server.file(name).len()).sum();
    assert_eq!(offer.bytes_to_come(), total as u64);
    assert!(scene.files().is_empty(), "an offer writes nothing");

    let mut counted = 0;
    let folder = hub
        .fetch(&offer, &mut |progress| {
            if let DownloadProgress::Bytes(bytes) = progress {
                counted += bytes;
            }
        })
        .unwrap();
    assert_eq!(counted, total as u64);
    assert_eq!(folder, scene.folder.path().join(TREE).join("snapshots").join(COMMIT));
    for name in names {
        assert_eq!(fs::read(folder.join(name)).unwrap(), scene.server.file(name), "{name}");
    }
    let main = fs::read_to_string(scene.folder.path().join(TREE).join("refs/main")).unwrap();
    assert_eq!(main, COMMIT);
    #[cfg(unix)]
    {
        let link = fs::read_link(folder.join(UNET)).unwrap();
        assert!(link.starts_with("../../../blobs") && link.file_name().unwrap().len() == 64, "{link:?}");
        let link = fs::read_link(folder.join("model_index.json")).unwrap();
        assert!(link.starts_with("../../blobs") && link.file_name().unwrap().len() == 40, "{link:?}");
    }
    assert!(scene.parts().is_empty());
    assert_eq!(hub.cache().find(&repository, &MODEL), Some(folder.clone()));
    assert_eq!(hub.cache().models(), [(repository, folder)]);
}

#[test]
fn cached_files_are_not_requested_again() {
    let scene = Scene::new();
    scene.fetch().unwrap();
    let before = scene.server.asked().len();
    let hub = scene.hub();
    let offer = hub.offer(&REPOSITORY.parse().unwrap(), &MODEL).unwrap();
    assert!(offer.is_here() && offer.bytes_to_come() == 0);
    hub.fetch(&offer, &mut |_| {}).unwrap();
    // Only the list and the index are requested.
    assert_eq!(scene.server.asked().len(), before + 2);

    // A file that was damaged since is downloaded again.
    let folder = hub.cache().snapshot(&REPOSITORY.parse().unwrap()).unwrap();
    let blob = fs::canonicalize(folder.join(UNET)).unwrap();
    fs::write(&blob, "short").unwrap();
    let offer = hub.offer(&REPOSITORY.parse().unwrap(), &MODEL).unwrap();
    assert_eq!(offer.files.iter().filter(|file| !file.here).count(), 1);
    hub.fetch(&offer, &mut |_| {}).unwrap();
    assert_eq!(fs::read(blob).unwrap(), scene.server.file(UNET));
}

#[test]
fn cached_weights_of_the_other_precision_are_used() {
    let scene = Scene::new();
    let halves = UNET.replace(".safetensors", ".fp16.safetensors");
    scene.server.put(&halves, b"half the bytes");
    let hub = scene.hub();
    let half = Wanted::Pipeline { dtype: maquette_core::Dtype::F16, safety_checker: false };
    let unet = |wanted: &Wanted| {
        let offer = hub.offer(&REPOSITORY.parse().unwrap(), wanted).unwrap();
        offer.files.into_iter().find(|file| file.name.starts_with("unet/d")).unwrap()
    };
    assert_eq!((unet(&half).name, unet(&MODEL).name), (halves.clone(), UNET.to_owned()));
    hub.fetch(&hub.offer(&REPOSITORY.parse().unwrap(), &half).unwrap(), &mut |_| {}).unwrap();
    assert!(unet(&MODEL).here && unet(&MODEL).name == halves);
}

#[test]
fn without_links_files_are_in_the_snapshot() {
    let scene = Scene { no_links: true, ..Scene::new() };
    let folder = scene.fetch().unwrap();
    assert!(folder.join(UNET).symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(folder.join(UNET)).unwrap(), scene.server.file(UNET));
    assert!(!scene.files().iter().any(|name| name.contains("/blobs/")), "each file is there once");
    let before = scene.server.asked().len();
    scene.fetch().unwrap();
    assert_eq!(scene.server.asked().len(), before + 2);
}

#[test]
fn the_token_is_sent_to_the_hub_only() {
    let scene = Scene { token: Some("hf_secret".to_owned()), ..Scene::new() };
    scene.server.want_token("hf_secret", false);
    scene.fetch().unwrap();
    let (at_hub, elsewhere): (Vec<_>, Vec<_>) =
        scene.server.asked().into_iter().partition(|asked| asked.host.starts_with("127.0.0.1"));
    assert!(at_hub.iter().all(|asked| asked.headers["authorization"] == "Bearer hf_secret"));
    assert!(
        elsewhere.len() >= 3 && elsewhere.iter().all(|asked| !asked.headers.contains_key("authorization"))
    );
}

#[test]
fn revisions_have_their_own_snapshots_and_refs() {
    let scene = Scene::new();
    let folder = scene.fetch_of(&format!("{REPOSITORY}@refs/pr/1")).unwrap();
    assert!(folder.ends_with(COMMIT));
    assert!(scene.files().contains(&format!("{TREE}/refs/refs/pr/1")));
    assert_eq!(
        scene.hub().cache().find(&REPOSITORY.parse().unwrap(), &MODEL),
        None,
        "main was not requested"
    );
    let commit = format!("{REPOSITORY}@{COMMIT}").parse().unwrap();
    assert_eq!(scene.hub().cache().find(&commit, &MODEL), Some(folder));
}

#[test]
fn offline_nothing_is_requested_and_cached_models_are_found() {
    let mut scene = Scene::new();
    scene.offline = true;
    let error = scene.fails(&[REPOSITORY, "HF_HUB_OFFLINE"]);
    assert!(matches!(error, HubError::Offline(_)) && scene.server.asked().is_empty());
    scene.offline = false;
    let folder = scene.fetch().unwrap();
    scene.offline = true;
    assert_eq!(scene.hub().cache().find(&REPOSITORY.parse().unwrap(), &MODEL), Some(folder));
}

#[test]
fn an_incomplete_model_in_the_cache_is_not_found() {
    let scene = Scene::new();
    let folder = scene.fetch().unwrap();
    let find = || scene.hub().cache().find(&REPOSITORY.parse().unwrap(), &MODEL);
    assert_eq!(find(), Some(folder.clone()));
    for name in ["tokenizer/vocab.json", "unet/config.json", UNET, "model_index.json"] {
        fs::remove_file(folder.join(name)).unwrap();
        assert_eq!(find(), None, "without {name}");
        // Its content is still there, so only the link is created again.
        let before = scene.server.asked_for("GET", name).len();
        scene.fetch().unwrap();
        assert_eq!(find(), Some(folder.clone()));
        let asked = scene.server.asked_for("GET", name).len() - before;
        assert_eq!(asked, usize::from(name == "model_index.json"), "{name}");
    }
}
