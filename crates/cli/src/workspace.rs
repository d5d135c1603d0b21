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

/// The same, with the device and backend of a command that renders.
pub fn rendering_workspace(
    common: &Common,
    device: &str,
    backend: BackendName,
) -> Result<Workspace, Failure> {
    with_device(workspace(common)?, device, backend)
}

/// The workspace with a device and a backend.
pub fn with_device(workspace: Workspace, device: &str, backend: BackendName) -> Result<Workspace, Failure> {
    Ok(match backend {
        BackendName::Engine => workspace.with_device(self::device(device)?),
        BackendName::Fake => workspace.with_renderer(Renderer::Fake),
    })
}

/// The device of that name. Warns if `auto` is the CPU in a build for GPUs, where that is not expected.
fn device(name: &str) -> Result<DeviceName, Failure> {
    if name != "auto" {
        return Ok(name.parse().map_err(Error::from)?);
    }
    let (device, unavailable) = DeviceName::detect();
    if let Some(error) = unavailable {
        output::warning(&format!("{}; using `{device}`", with_causes(&error)));
    }
    Ok(device)
}
