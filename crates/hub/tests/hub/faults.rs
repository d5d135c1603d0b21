//! Failing downloads: an incomplete file is never used, and what was received is not requested again.

use crate::hub_server::{Fault, REPOSITORY};
use crate::{Scene, UNET};
use maquette_hub::HubError;
use std::fs;

#[test]
fn a_broken_connection_is_resumed() {
    let scene = Scene::new();
    scene
        .server
        .break_next(&format!("/cdn/{UNET}"), [Fault::Cut(100_000), Fault::Cut(50_000), Fault::Cut(0)]);
    let folder = scene.fetch().unwrap();
    assert_eq!(fs::read(folder.join(UNET)).unwrap(), scene.server.file(UNET));
    let asked = scene.server.asked_for("GET", &format!("/cdn/{UNET}"));
    let ranges: Vec<_> = asked.iter().map(|asked| asked.headers.get("range").map(String::as_str)).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-"), Some("bytes=150000-"), Some("bytes=150000-")]);
}

#[test]
fn a_partial_download_is_kept_for_a_later_run() {
    let scene = Scene::new();
    scene.server.break_next(&format!("/cdn/{UNET}"), [Fault::Cut(100_000), Fault::Status(403, "")]);
    scene.fails(&[UNET, "403"]);
    let parts = scene.parts();
    assert_eq!(fs::metadata(&parts[0]).unwrap().len(), 100_000);
    let folder = scene.fetch().unwrap();
    assert_eq!(fs::read(folder.join(UNET)).unwrap(), scene.server.file(UNET));
    let asked = scene.server.asked_for("GET", &format!("/cdn/{UNET}"));
    assert_eq!(asked.last().unwrap().headers["range"], "bytes=100000-");
    assert!(scene.parts().is_empty());
}

#[test]
fn a_connection_that_always_breaks_is_given_up() {
    let scene = Scene::new();
    scene.server.break_next(&format!("/cdn/{UNET}"), vec![Fault::Cut(0); 20]);
    let error = scene.fails(&[UNET, "after 0 of", "try again to resume"]);
    assert!(matches!(error, HubError::Cut { .. }));
}

#[test]
fn a_server_without_range_requests_works() {
    let scene = Scene::new();
    scene.server.break_next(&format!("/cdn/{UNET}"), [Fault::Cut(1000), Fault::NoRange]);
    let folder = scene.fetch().unwrap();
    assert_eq!(fs::read(folder.join(UNET)).unwrap(), scene.server.file(UNET));
}

#[test]
fn a_wrong_partial_download_is_discarded() {
    let scene = Scene::new();
    scene.server.break_next(&format!("/cdn/{UNET}"), [Fault::Cut(1000), Fault::Status(403, "")]);
    scene.fails(&[UNET]);
    fs::write(&scene.parts()[0], vec![7; 1000]).unwrap();
    let folder = scene.fetch().unwrap();
    assert_eq!(fs::read(folder.join(UNET)).unwrap(), scene.server.file(UNET));
    // Longer than the file.
    let scene = Scene::new();
    scene.server.break_next(&format!("/cdn/{UNET}"), [Fault::Cut(1000), Fault::Status(403, "")]);
    scene.fails(&[UNET]);
    fs::write(&scene.parts()[0], vec![7; 1_000_000]).unwrap();
    scene.fails(&["sent 1000000"]);
    assert!(scene.parts().is_empty());
    scene.fetch().unwrap();
}

#[test]
fn a_wrong_size_or_content_is_not_kept() {
    let scene = Scene::new();
    scene.server.break_next(&format!("/cdn/{UNET}"), [Fault::Longer(3)]);
    let error = scene.fails(&[UNET, "the file was discarded"]);
    assert!(matches!(error, HubError::WrongSize { .. }));
    assert!(scene.parts().is_empty());
    scene.server.break_next(&format!("/cdn/{UNET}"), [Fault::Flipped]);
    let error = scene.fails(&[UNET, "SHA-256"]);
    assert!(matches!(error, HubError::WrongContent { .. }));
    assert!(scene.parts().is_empty());
    scene.server.break_next("vae/config.json", [Fault::Page]);
    scene.fails(&["vae/config.json", "announced", "sent 26"]);
    assert!(!scene.files().iter().any(|name| name.ends_with("vae/config.json")));
    scene.fetch().unwrap();
}

#[test]
fn requests_are_retried_after_server_errors() {
    let scene = Scene::new();
    scene.server.break_next("/revision/main", [Fault::Status(503, ""), Fault::Status(500, "")]);
    scene.server.break_next(&format!("/cdn/{UNET}"), [Fault::Status(502, ""), Fault::Status(429, "")]);
    scene.fetch().unwrap();
    let scene = Scene::new();
    scene.server.break_next("/revision/main", vec![Fault::Status(503, ""); 20]);
    scene.fails(&["/revision/main", "503", "try again later"]);
    assert_eq!(scene.server.asked().len(), 5);
}

#[test]
fn unexpected_answers_are_errors() {
    let check = |path: &str, fault: Fault, expected: &[&str]| {
        let scene = Scene::new();
        scene.server.break_next(path, vec![fault; 9]);
        scene.fails(expected);
        assert!(scene.parts().is_empty());
    };
    check("/revision/main", Fault::Page, &["/api/models/tester/tiny", "a web page, not JSON", "HF_ENDPOINT"]);
    check("/revision/main", Fault::Cut(10), &["/api/models/tester/tiny"]);
    check("/model_index.json", Fault::Page, &["model_index.json"]);
    check("vae/config.json", Fault::Status(404, "EntryNotFound"), &["no file", "vae/config.json"]);
    check("vae/config.json", Fault::Status(418, ""), &["vae/config.json", "418"]);
}

#[test]
fn missing_repositories_and_revisions_are_named() {
    let scene = Scene::new();
    let error = |repository: &str| scene.fetch_of(repository).unwrap_err();
    let missing = error("tester/other");
    assert!(matches!(&missing, HubError::NoRepository { repository, .. } if repository == "tester/other"));
    assert!(missing.hint().unwrap().contains("HF_TOKEN"));
    let missing = error(&format!("{REPOSITORY}@v9"));
    assert!(matches!(&missing, HubError::NoRevision { revision, .. } if revision == "v9"), "{missing}");
    assert!(scene.files().is_empty());
}

#[test]
fn private_and_gated_repositories_are_explained() {
    let mut scene = Scene::new();
    scene.server.want_token("hf_right", false);
    scene.fails(&["no repository `tester/tiny`, or it is private", "set HF_TOKEN"]);
    scene.server.want_token("hf_right", true);
    scene.fails(&["gated", "accept the terms at", "/tester/tiny", "set HF_TOKEN"]);
    scene.token = Some("hf_wrong".to_owned());
    let error = scene.fails(&["has not been given access"]);
    assert!(matches!(error, HubError::Gated { token: true, .. }));
    scene.token = Some("hf_right".to_owned());
    scene.fetch().unwrap();
}

#[test]
fn pickles_are_refused_before_anything_is_downloaded() {
    let scene = Scene::new();
    scene.server.remove(UNET);
    scene.fails(&["unet/diffusion_pytorch_model.bin", "pickle", "can run code", "save_pretrained"]);
    assert!(scene.files().is_empty());
    scene.server.remove("model_index.json");
    scene.fails(&["no model_index.json"]);
    scene.server.put("v1-5-pruned.ckpt", b"pickle");
    scene.fails(&["v1-5-pruned.ckpt", "can run code"]);
    scene.server.put("v1-5-pruned.safetensors", b"weights");
    scene.fails(&["model = \"path/to/v1-5-pruned.safetensors\""]);
    assert!(scene.files().is_empty());
}

#[test]
fn an_unreachable_hub_is_an_error() {
    let scene = Scene::new();
    let environment = maquette_hub::Environment {
        // The discard port: no server listens there.
        endpoint: "http://127.0.0.1:9".to_owned(),
        token: None,
        cache: scene.folder.path().to_owned(),
        offline: false,
        no_links: false,
        certificates: None,
    };
    let hub = maquette_hub::Hub::new(&environment, std::time::Duration::ZERO).unwrap();
    let error = hub.offer(&REPOSITORY.parse().unwrap(), &crate::MODEL).unwrap_err();
    assert!(
        matches!(&error, HubError::Unreachable { url, .. } if url.starts_with("http://127.0.0.1:9/api/models/"))
    );
}

#[test]
fn concurrent_downloads_do_not_collide() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        let fetching: Vec<_> =
            (0..4).map(|_| scope.spawn(|| scene.fetch().map_err(|error| error.to_string()))).collect();
        for one in fetching {
            let folder = one.join().unwrap().unwrap();
            assert_eq!(fs::read(folder.join(UNET)).unwrap(), scene.server.file(UNET));
        }
    });
    assert_eq!(scene.server.asked_for("GET", &format!("/cdn/{UNET}")).len(), 1, "the others waited");
    assert!(scene.parts().is_empty());
}
