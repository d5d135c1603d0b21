//! A tiny Segment Anything model with weights out of the air.

use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Writes the model into a folder: the tensors of the fixture in `tests/fixtures/vision`, with weights from a sequence of
/// pseudorandom numbers, so that its masks are blots of white and black.
pub fn write(folder: &Path) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vision");
    let expected: Value =
        serde_json::from_slice(&std::fs::read(fixtures.join("expected.json")).unwrap()).unwrap();
    let model = folder.join("sam");
    std::fs::create_dir_all(&model).unwrap();
    std::fs::copy(fixtures.join("sam/config.json"), model.join("config.json")).unwrap();
    let (mut header, mut data, mut state) = (Map::new(), Vec::new(), 1_u32);
    for (name, shape) in expected["sam"]["tensors"].as_object().unwrap() {
        let dims: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
        let (begin, inputs) = (data.len(), dims.iter().skip(1).product::<usize>().max(1));
        // Norms are around 1, everything else around 0; matrices are scaled by their number of inputs.
        let centre = f32::from(u8::from(dims.len() < 2 && name.ends_with("weight")));
        let spread = if dims.len() < 2 { 0.2 } else { 3.0 / (inputs as f32).sqrt() };
        for _ in 0..dims.iter().product() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = (state >> 8) as f32 / 16_777_216.0 - 0.5;
            data.extend((centre + spread * random).to_le_bytes());
        }
        header.insert(
            name.clone(),
            json!({ "dtype": "F32", "shape": dims, "data_offsets": [begin, data.len()] }),
        );
    }
    let header = Value::Object(header).to_string();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    std::fs::write(model.join("model.safetensors"), bytes).unwrap();
    model
}
