//! The fixtures on a GPU against the CPU: `just test-gpu`. Compiled only in builds with a GPU's feature, so that a test
//! that cannot run does not pass.

#[path = "engine/cases.rs"]
mod cases;

use cases::{cases, cases_in, cell, difference, engine, render};
use maquette_core::{Dtype, Settings};
use maquette_diffusion::DeviceName;

/// Mean absolute difference to the CPU's f32 picture, in levels of 255, for each precision.
const TOLERANCE: [(Dtype, f64); 3] = [(Dtype::F32, 0.1), (Dtype::F16, 3.0), (Dtype::Bf16, 12.0)];

#[test]
fn pictures_on_a_gpu_match_the_cpu() {
    let device = DeviceName::auto();
    assert_ne!(device, DeviceName::Cpu, "no GPU can be used on this machine");
    let mut on_cpu = engine(DeviceName::Cpu, None);
    let mut on_gpu = engine(device, None);
    let mut wrong = Vec::new();
    for (dtype, tolerance) in TOLERANCE {
        let mut means = Vec::new();
        // Inpainting models are not among the fixtures' folders.
        let masked = cases_in("masks/cases.json").into_iter().filter(|case| !case.name.starts_with("seeing"));
        for case in cases().into_iter().chain(masked) {
            let reference = case.cell();
            let on_the_gpu = cell(Settings { dtype, ..reference.settings.clone() });
            let expected =
                render(&mut on_cpu, std::slice::from_ref(&reference)).remove(&reference.id).unwrap();
            let rendered =
                render(&mut on_gpu, std::slice::from_ref(&on_the_gpu)).remove(&on_the_gpu.id).unwrap();
            match (expected, rendered) {
                (Ok(expected), Ok(rendered)) => {
                    means.push((difference(&rendered, &expected).mean, case.name))
                }
                (_, Err(error)) | (Err(error), _) => wrong.push(format!("{dtype} {}: {error}", case.name)),
            }
        }
        means.sort_by(|a, b| a.0.total_cmp(&b.0));
        let Some((worst, name)) = means.last() else { continue };
        println!(
            "{device} {dtype}: median {:.4} levels, worst {worst:.4} ({name})",
            means[means.len() / 2].0
        );
        if *worst > tolerance {
            wrong.push(format!("{dtype} {name}: {worst} levels apart on average; allowed: {tolerance}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
