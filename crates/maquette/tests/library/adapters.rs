//! ControlNets and IP-Adapters: found, swept, merged at scale 0, refused by name.

use crate::hub_server::{HubServer, REPOSITORY};
use crate::support::{Project, check_problem, column, fixture, log, pixels, run};
use std::collections::BTreeSet;

/// A project with a tiny model, a ControlNet where people keep theirs, and the layout of `h94/IP-Adapter`.
fn project() -> Project {
    let project = Project::new();
    project.copy("tiny-a", "tiny-a");
    project.copy("controlnet/a", "controlnet/canny");
    project.copy("controlnet/square.png", "edges.png");
    project.copy("ip_adapter/a.safetensors", "models/plain.safetensors");
    project.copy("ip_adapter/a-plus.safetensors", "sdxl_models/plus.safetensors");
    project.copy("ip_adapter/image_encoder", "models/image_encoder");
    project.copy("ip_adapter/tall.png", "me.png");
    project
}

const TINY: &str = "model = \"tiny-a\"\nprompt = \"a man\"\nsteps = 4\nwidth = 32\nheight = 32\n";

#[test]
fn scales_are_axes_and_scale_0_is_the_picture_without() {
    let project = project();
    project.write(
        "both.toml",
        format!(
            "{TINY}controlnet = \"canny\"\ncontrol_image = \"edges.png\"\nip_adapter_image = \"me.png\"\n[sweep]\n\
             controlnet_conditioning_scale = [0, 0.5]\n\
             ip_adapter = [\"\", \"models/plain.safetensors\", \"sdxl_models/plus.safetensors\"]\n\
             ip_adapter_scale = [0, 0.7]\n"
        ),
    );
    let ran = run(&project.engine(), &project.experiment("both.toml"));
    assert_eq!(ran.loaded, ["tiny-a"]);
    assert_eq!(ran.counts(), [0, 0, 6, 0], "{:?}", log(&ran.result.run));
    let rows = log(&ran.result.run);
    let pictures: BTreeSet<Vec<u8>> =
        rows.iter().map(|row| pixels(&ran.result.run, row).into_rgb()).collect();
    assert_eq!(pictures.len(), 6);
    assert!(rows.iter().all(|row| column(row, "ip_adapter_image_encoder").is_empty()));

    // The same picture without any of them has the same name.
    project.write("none.toml", TINY);
    let none = run(&project.engine(), &project.experiment("none.toml"));
    assert_eq!(none.counts(), [0, 1, 0, 0]);
    assert!(rows.iter().any(|row| row.cell() == log(&none.result.run)[0].cell()));
}

#[test]
fn a_controlnet_is_downloaded_by_a_run() {
    let (server, project) = (HubServer::of(&fixture("controlnet/a")), project());
    let endpoint = server.endpoint();
    let environment = project.environment(&[("HF_ENDPOINT", &*endpoint)]);
    let workspace = project.engine().with_environment(environment);
    let write = |name: &str, controlnet: &str| {
        let control = format!("controlnet = \"{controlnet}\"\ncontrol_image = \"edges.png\"\n");
        project.write(name, format!("{TINY}{control}"));
        project.experiment(name)
    };
    let experiment = write("hub.toml", REPOSITORY);
    check_problem(workspace.plan(&experiment), &["is not on this machine: 2 files"], "maquette models fetch");
    let ran = run(&workspace, &experiment);
    assert_eq!((ran.downloaded.len(), ran.files.len(), ran.counts()), (1, 2, [0, 0, 1, 0]));
    // Its name is that of its content.
    assert_eq!(run(&workspace, &write("folder.toml", "canny")).counts(), [0, 1, 0, 0]);
}

#[test]
fn what_cannot_be_used_is_named() {
    let project = project();
    let workspace = project.engine();
    let check = |lines: &str, message: &[&str], hint: &str| {
        project.write("wrong.toml", format!("{TINY}{lines}\n"));
        check_problem(workspace.plan(&project.experiment("wrong.toml")), message, hint);
    };
    let image = "control_image = \"edges.png\"\n";
    check(&format!("{image}controlnet = \"cany\""), &["no controlnet called `cany`"], "");
    project.copy("lora/kohya.safetensors", "controlnet/style.safetensors");
    check(&format!("{image}controlnet = \"style\""), &["is not a ControlNet", "use it with `lora`"], "");
    project.write("controlnet/old.bin", b"\x80\x02}q\x00.");
    check(&format!("{image}controlnet = \"controlnet/old.bin\""), &["is a Python pickle"], "");
    let image = "ip_adapter_image = \"me.png\"\n";
    check(
        &format!("{image}ip_adapter = \"face\""),
        &["no ip_adapter called `face`"],
        "put an ip_adapter file",
    );
    check(
        &format!("{image}ip_adapter = \"controlnet/style.safetensors\""),
        &["is not an IP-Adapter that can be used", "image_proj.proj.weight"],
        "",
    );
    project.copy("ip_adapter/a.safetensors", "ip_adapter/alone.safetensors");
    let needs = ["needs an image encoder", "a projection_dim of 20", "`h94/IP-Adapter` on the hub"];
    std::fs::rename(project.path().join("models"), project.path().join("elsewhere")).unwrap();
    check(&format!("{image}ip_adapter = \"alone\""), &needs, "");
    // Named, it may lie anywhere.
    project.write(
        "right.toml",
        format!(
            "{TINY}{image}ip_adapter = \"alone\"\nip_adapter_image_encoder = \"elsewhere/image_encoder\"\n"
        ),
    );
    let ran = run(&workspace, &project.experiment("right.toml"));
    assert_eq!(ran.counts(), [0, 0, 1, 0]);
    assert_eq!(column(&log(&ran.result.run)[0], "ip_adapter_image_encoder"), "elsewhere/image_encoder");
}
