//! Names of samplers and schedules in other tools.
//!
//! All names for reading and writing are here. After `modules/sd_samplers_*.py` and `modules/sd_schedulers.py` of
//! AUTOMATIC1111/stable-diffusion-webui, `comfy/samplers.py` of ComfyUI and `SCHEDULER_NAME_MAP` of InvokeAI.

use super::foreign::Foreign;
use maquette_core::{Noise, Scheduler, Sigmas};

/// A1111's name of a scheduler. Schedulers that A1111 lacks get diffusers' name in the same style.
pub(crate) fn a1111_sampler(scheduler: Scheduler) -> &'static str {
    match scheduler {
        Scheduler::Pndm => "PLMS",
        Scheduler::Ddim => "DDIM",
        // The same samplers, with the model's shift.
        Scheduler::Euler | Scheduler::FlowEuler => "Euler",
        Scheduler::EulerA => "Euler a",
        Scheduler::Ddpm => "DDPM",
        Scheduler::Heun | Scheduler::FlowHeun => "Heun",
        Scheduler::Dpmpp2m | Scheduler::FlowDpmpp2m => "DPM++ 2M",
        Scheduler::Unipc => "UniPC",
        Scheduler::Lcm => "LCM",
    }
}

/// A1111's name of a spacing of noise levels.
pub(crate) fn a1111_schedule(sigmas: Sigmas) -> &'static str {
    match sigmas {
        Sigmas::Normal => "Uniform",
        Sigmas::Karras => "Karras",
        Sigmas::Exponential => "Exponential",
    }
}

/// A1111's name of a random generator. A1111 draws on the CPU in one precision only.
pub(crate) fn a1111_rng(noise: Noise) -> &'static str {
    match noise {
        Noise::TorchCpu | Noise::TorchCpuF16 => "CPU",
        Noise::TorchCuda => "NV",
    }
}

/// A1111's samplers for which the schedule `Automatic` means Karras.
const KARRAS_BY_DEFAULT: &[&str] = &["DPM++ 2M", "DPM++ SDE", "DPM++ 2S a", "DPM2", "DPM2 a", "Restart"];

/// Reads A1111's sampler and schedule. Before version 1.9 the schedule was the end of the sampler's name.
pub(super) fn a1111(out: &mut Foreign, sampler: &str, schedule: Option<&str>) {
    let (name, schedule) = match schedule {
        Some(schedule) => (sampler, schedule),
        None => ["Karras", "Exponential", "SGM Uniform", "Uniform"]
            .iter()
            .find_map(|end| Some((sampler.strip_suffix(end)?.strip_suffix(' ')?, *end)))
            .unwrap_or((sampler, "Uniform")),
    };
    let (name, schedule) = sdcpp(name, schedule);
    let scheduler = match name {
        "Euler" => "euler",
        "Euler a" => "euler_a",
        "Heun" => "heun",
        "DPM++ 2M" => "dpmpp_2m",
        "DDIM" => "ddim",
        "DDPM" => "ddpm",
        "PLMS" => "pndm",
        "UniPC" => "unipc",
        "LCM" => "lcm",
        _ => return no_scheduler(out, "Sampler", sampler, schedule),
    };
    out.set("scheduler", "Sampler", scheduler);
    if scheduler == "unipc" {
        out.note("A1111's UniPC defaults to order 3 and the variant bh1, diffusers' to order 2 and bh2");
    }
    let automatic = if KARRAS_BY_DEFAULT.contains(&name) { "Karras" } else { "Uniform" };
    let schedule = if schedule == "Automatic" { automatic } else { schedule };
    // In A1111, DDIM, PLMS and UniPC use the same timesteps as diffusers with any schedule.
    let sigmas = match scheduler {
        "euler" | "euler_a" | "heun" | "dpmpp_2m" => Some(match schedule {
            "Uniform" | "Normal" => ("normal", "linspace"),
            "Karras" => ("karras", "linspace"),
            "Exponential" => ("exponential", "linspace"),
            "Simple" => ("normal", "trailing"),
            _ => return out.left("Schedule type", schedule, "Maquette has no such schedule"),
        }),
        _ => None,
    };
    match sigmas {
        Some((sigmas, spacing)) => set_sigmas(out, "Schedule type", scheduler, sigmas, spacing),
        None if matches!(schedule, "Uniform" | "Normal" | "DDIM") || scheduler != "unipc" => {}
        None => out.left("Schedule type", schedule, "A1111 does not use it with this sampler"),
    }
}

/// Reads A1111's sampler of a picture with a shift, which only models that predict flow have (Forge's `Shift`).
pub(super) fn a1111_flow(out: &mut Foreign, sampler: &str) {
    match sampler {
        "Euler" => out.set("scheduler", "Sampler", "flow_euler"),
        "Heun" => out.set("scheduler", "Sampler", "flow_heun"),
        "DPM++ 2M" => out.set("scheduler", "Sampler", "flow_dpmpp_2m"),
        _ => out.left("Sampler", sampler, "allowed with a shift: Euler, Heun, DPM++ 2M"),
    }
}

/// Converts the names of stable-diffusion.cpp, which writes both into `Sampler`, to A1111's.
fn sdcpp<'a>(name: &'a str, schedule: &'a str) -> (&'a str, &'a str) {
    let (bare, end) = name.split_once(' ').unwrap_or((name, ""));
    let known = match bare {
        "euler" => "Euler",
        "euler_a" => "Euler a",
        "heun" => "Heun",
        "dpm++2m" => "DPM++ 2M",
        "lcm" => "LCM",
        _ => return (name, schedule),
    };
    match end {
        "" => (known, schedule),
        "discrete" => (known, "Uniform"),
        "karras" => (known, "Karras"),
        "exponential" => (known, "Exponential"),
        other => (known, other),
    }
}

/// Reads ComfyUI's sampler and schedule, which SwarmUI uses too.
pub(super) fn comfy(out: &mut Foreign, sampler: (&str, &str), schedule: (&str, &str)) {
    let ((key, sampler), (schedule_key, schedule)) = (sampler, schedule);
    let scheduler = match sampler {
        // Without added noise, DDIM is Euler's method, and ComfyUI runs it as such.
        "euler" | "ddim" => "euler",
        "euler_ancestral" => "euler_a",
        "heun" => "heun",
        "dpmpp_2m" => "dpmpp_2m",
        "ddpm" => "ddpm",
        "lcm" => "lcm",
        "uni_pc" | "uni_pc_bh2" => "unipc",
        _ => return no_scheduler(out, key, sampler, schedule),
    };
    out.set("scheduler", key, scheduler);
    if scheduler == "unipc" {
        out.note("ComfyUI's UniPC uses up to three earlier steps, diffusers' two");
    }
    match schedule {
        "normal" => set_sigmas(out, schedule_key, scheduler, "normal", "linspace"),
        "karras" => set_sigmas(out, schedule_key, scheduler, "karras", "linspace"),
        "exponential" => set_sigmas(out, schedule_key, scheduler, "exponential", "linspace"),
        "simple" => set_sigmas(out, schedule_key, scheduler, "normal", "trailing"),
        _ => out.left(schedule_key, schedule, "Maquette has no such schedule"),
    }
}

/// Reads ComfyUI's sampler and schedule of a model that predicts flow. `own` is the schedule with the steps of `flow_euler`;
/// `None` if the model is not known.
///
/// With a constant shift, `simple` is evenly spaced from 1 to 1/N and then shifted, `normal` from the largest to the smallest
/// level of the training, which is how diffusers' FlowMatchHeunDiscreteScheduler and Stable Diffusion 3 choose their steps.
pub(super) fn comfy_flow(
    out: &mut Foreign,
    sampler: (&str, &str),
    schedule: (&str, &str),
    own: Result<&str, &str>,
) {
    let ((key, sampler), (schedule_key, schedule)) = (sampler, schedule);
    let (scheduler, own) = match sampler {
        // Without added noise, DDIM is Euler's method.
        "euler" | "ddim" => ("flow_euler", own),
        "heun" => ("flow_heun", Ok("normal")),
        "dpmpp_2m" => {
            let why = "Maquette's flow_dpmpp_2m takes other steps: the model's own scheduler is used";
            return out.left(key, format!("{sampler}, {schedule}"), why);
        }
        _ => return no_scheduler(out, key, sampler, schedule),
    };
    out.set("scheduler", key, scheduler);
    match own {
        // FLUX.2's steps by its own rule, or with a shift those of others.
        Ok("Flux2Scheduler") if schedule == "simple" => {}
        Ok(own) if own == schedule => {}
        Ok(own) => {
            let why = format!("{scheduler} takes the steps of ComfyUI's {own}");
            out.left(schedule_key, schedule, why);
        }
        Err(why) => out.note(format!("{why}; this is `{schedule}`")),
    }
}

/// Reads InvokeAI's scheduler: diffusers' classes, with the suffix `_k` for Karras sigmas; before version 3, samplers of
/// k-diffusion with the prefix `k_`.
pub(super) fn invoke(out: &mut Foreign, key: &str, name: &str) {
    let (bare, karras) = match name.strip_suffix("_k") {
        Some(bare) => (bare, true),
        None => (name, false),
    };
    let scheduler = match bare {
        "euler" | "k_euler" => "euler",
        "euler_a" | "k_euler_a" => "euler_a",
        "heun" | "k_heun" => "heun",
        "dpmpp_2m" | "k_dpmpp_2" => "dpmpp_2m",
        "ddim" => "ddim",
        "ddpm" => "ddpm",
        "pndm" | "plms" => "pndm",
        "unipc" => "unipc",
        "lcm" => "lcm",
        _ => return out.left(key, name, "Maquette has no such scheduler: the model's own is used"),
    };
    out.set("scheduler", key, scheduler);
    match (karras, has_sigmas(scheduler)) {
        (true, true) => out.set("sigmas", key, "karras"),
        (true, false) => out.left(key, name, format!("{scheduler} has no karras sigmas")),
        (false, _) => {}
    }
}

fn no_scheduler(out: &mut Foreign, key: &str, sampler: &str, schedule: &str) {
    let value = if schedule == "Uniform" { sampler.to_owned() } else { format!("{sampler}, {schedule}") };
    out.left(key, value, "Maquette has no such scheduler: the model's own is used");
}

/// Whether a scheduler supports the setting `sigmas`.
fn has_sigmas(scheduler: &str) -> bool {
    matches!(scheduler, "euler" | "heun" | "dpmpp_2m" | "unipc")
}

fn set_sigmas(out: &mut Foreign, key: &str, scheduler: &str, sigmas: &str, spacing: &str) {
    if has_sigmas(scheduler) {
        out.set("sigmas", key, sigmas);
    } else if sigmas != "normal" {
        return out.left(key, sigmas, format!("{scheduler} has no {sigmas} sigmas"));
    }
    if scheduler != "lcm" {
        out.set("spacing", key, spacing);
    }
}
