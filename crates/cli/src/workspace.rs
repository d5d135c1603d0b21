//! The workspace and the device that options of the command line name.

use crate::args::{BackendName, Common};
use crate::exit::Failure;
use crate::output;
use maquette::{DeviceName, Error, Renderer, Workspace, with_causes};

/// The workspace that the options of every command name.
pub fn workspace(common: &Common) -> Result<Workspace, Failure> {
    Ok(Workspace::open(&common.runs)?)
}

/// The same, also in a bucket.
pub fn shared_workspace(common: &Common) -> Result<Workspace, Failure> {
    Ok(Workspace::open_shared(&common.runs)?)
}

/// The same, with the devices and the backend of a command that renders.
pub fn rendering_workspace(
    common: &Common,
    device: &str,
    offload: bool,
    backend: BackendName,
) -> Result<Workspace, Failure> {
    with_device(workspace(common)?, device, offload, backend)
}

/// The workspace with devices, a backend, and weights that are offloaded or not.
pub fn with_device(
    workspace: Workspace,
    device: &str,
    offload: bool,
    backend: BackendName,
) -> Result<Workspace, Failure> {
    let workspace = workspace.with_offload(offload);
    Ok(match backend {
        BackendName::Engine => workspace.with_devices(devices(device)?),
        BackendName::Fake => workspace.with_devices(devices(device)?).with_renderer(Renderer::Fake),
    })
}

/// The devices of that list. Warns if `auto` is the CPU in a build for GPUs, where that is not expected.
fn devices(list: &str) -> Result<Vec<DeviceName>, Failure> {
    if list != "auto" {
        return Ok(DeviceName::list(list).map_err(Error::from)?);
    }
    let (device, unavailable) = DeviceName::detect();
    if let Some(error) = unavailable {
        output::warning(&format!("{}; using `{device}`", with_causes(&error)));
    }
    Ok(vec![device])
}
