//! Measures the convolutions of Stable Diffusion v1 on the CPU: `cargo bench -p maquette-kernels --bench convolutions`.
//!
//! Prints the median of several calls, and what it would be in direct multiplications: GFLOP/s that a faster algorithm
//! can raise above the machine's peak. Arguments select shapes by a part of their name. There is no threshold.
#![allow(clippy::print_stdout, missing_docs)]

use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Add, ConvOperands, Kernels, Padding, select};
use std::time::Instant;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows, inputs, outputs and side of the image.
const SHAPES: &[(usize, usize, usize, usize)] = &[
    (2, 320, 320, 64),
    (2, 640, 320, 64),
    (2, 640, 640, 64),
    (2, 640, 640, 32),
    (2, 1280, 1280, 16),
    (2, 2560, 1280, 16),
    (2, 1280, 1280, 8),
    (1, 512, 512, 64),
    (1, 512, 512, 128),
    (1, 256, 256, 256),
    (1, 128, 128, 512),
    // The bundled model.
    (8, 64, 64, 16),
    (8, 128, 128, 4),
    (8, 64, 64, 32),
    (1, 16, 16, 128),
    (1, 32, 32, 64),
];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let kernels = select(&Device::Cpu, DType::F32);
    for &(rows, inputs, outputs, side) in SHAPES {
        let name = format!("{rows} x {inputs} -> {outputs}, {side}x{side}");
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            let milliseconds = measure(kernels, rows, inputs, outputs, side)?;
            let operations = (2 * 9 * rows * inputs * outputs * side * side) as f64;
            println!("{name:30} {milliseconds:9.2} ms {:7.0} GFLOP/s", operations / milliseconds / 1e6);
        }
    }
    Ok(())
}

/// Milliseconds of a call, the median of at least five.
fn measure(kernels: &dyn Kernels, rows: usize, inputs: usize, outputs: usize, side: usize) -> Result<f64> {
    let values = |shape: &[usize]| {
        let count: usize = shape.iter().product();
        Tensor::from_vec(
            (0..count).map(|i| (i * 7919 % 1013) as f32 / 1013.0 - 0.5).collect(),
            shape,
            &Device::Cpu,
        )
    };
    let x = values(&[rows, side, side, inputs])?.permute((0, 3, 1, 2))?;
    let weight = kernels.storage_layout(values(&[outputs, inputs, 3, 3])?)?;
    let bias = values(&[outputs])?;
    let conv = ConvOperands { weight: &weight, bias: Some(&bias), stride: 1, padding: Padding::Around(1) };
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 6 || (begin.elapsed().as_secs_f64() < 1.0 && times.len() < 200) {
        let start = Instant::now();
        kernels.conv2d(&x, conv, Add::Nothing)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.remove(0);
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
