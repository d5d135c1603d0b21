//! Activations, also of large values, and operations that only copy.

use crate::comparison::{BOUNDS, in_each_precision};
use candle_core::{Device, Result, Tensor};
use maquette_kernels::Kernels;

/// Every 16th of a number from `start` to `end`.
fn ladder(start: i32, end: i32) -> Tensor {
    let values: Vec<f32> = (16 * start..16 * end).map(|step| step as f32 / 16.0).collect();
    Tensor::from_vec(values, (1, 2, ()), &Device::Cpu).unwrap()
}

/// Values at which powers or products overflow or vanish in f16 or f32.
fn extremes() -> Tensor {
    let sizes = [120.0, 1000.0, 12000.0, 60000.0, 1e-3, 1e-6, 0.0f32];
    let values: Vec<f32> = sizes.into_iter().flat_map(|x| [x, -x]).collect();
    Tensor::from_vec(values, (1, 1, ()), &Device::Cpu).unwrap()
}

fn check(operation: &str, run: impl Fn(&dyn Kernels, &Tensor) -> Result<Tensor>) {
    in_each_precision(operation, BOUNDS, |comparison| {
        for shape in [&[2, 256, 320][..], &[1, 77, 3072], &[3, 5, 14], &[1, 1, 2]] {
            let x = comparison.normal(shape);
            comparison.check(&format!("{shape:?}"), &[&x], |kernels, x| run(kernels, &x[0]));
        }
        // The error is relative to the norm of all values, so small results are also compared alone.
        for (name, values) in
            [("-100 to 100", ladder(-100, 100)), ("-4 to 0", ladder(-4, 0)), ("up to 60000", extremes())]
        {
            let x = comparison.activation(&values);
            comparison.check(name, &[&x], |kernels, x| run(kernels, &x[0]));
        }
    });
}

#[test]
fn silu() {
    check("silu", |kernels, x| kernels.silu(x));
}

#[test]
fn gelu() {
    check("gelu", |kernels, x| kernels.gelu(x));
}

#[test]
fn quick_gelu() {
    check("quick_gelu", |kernels, x| kernels.quick_gelu(x));
}

#[test]
fn geglu() {
    in_each_precision("geglu", BOUNDS, |comparison| {
        for shape in [&[2, 64, 2560][..], &[1, 256, 320], &[3, 5, 14], &[1, 1, 2]] {
            let x = comparison.normal(shape);
            comparison.check(&format!("{shape:?}"), &[&x], |kernels, x| kernels.geglu(&x[0]));
        }
        for (name, gate) in [("gates of -100 to 100", ladder(-100, 100)), ("gates up to 60000", extremes())] {
            let gate = gate.reshape((1, 1, ())).unwrap();
            // Small, so that the product with 60000 is finite in f16.
            let values = comparison.scaled(gate.dims(), 0.2, 0.0).exact.clamp(-1f32, 1f32).unwrap();
            let x = comparison.activation(&Tensor::cat(&[values, gate], 2).unwrap());
            comparison.check(name, &[&x], |kernels, x| kernels.geglu(&x[0]));
        }
    });
}

#[test]
fn concat() {
    in_each_precision("concat", [0.0; 3], |comparison| {
        for [rows, left, right, height, width] in
            [[2, 320, 640, 8, 8], [1, 1280, 1280, 4, 4], [3, 5, 8, 5, 7], [2, 1, 3, 1, 1]]
        {
            let images = [left, right].map(|channels| comparison.normal(&[rows, channels, height, width]));
            let name = format!("{rows} x {left} and {right} at {height}x{width}");
            comparison.check(&name, &[&images[0], &images[1]], |kernels, x| kernels.concat(&x[0], &x[1]));
        }
    });
}

#[test]
fn upsample_nearest() {
    in_each_precision("upsample_nearest", [0.0; 3], |comparison| {
        for [rows, channels, height, width, to_height, to_width] in [
            [2, 320, 8, 8, 16, 16],
            [1, 128, 32, 32, 64, 64],
            [1, 1280, 4, 4, 8, 8],
            [2, 3, 5, 4, 9, 7],
            [2, 3, 5, 4, 9, 8],
            [3, 5, 1, 1, 2, 1],
            [1, 2, 3, 3, 3, 3],
        ] {
            let x = comparison.normal(&[rows, channels, height, width]);
            let name = format!("{rows} x {channels}, {height}x{width} to {to_height}x{to_width}");
            comparison.check(&name, &[&x], |kernels, x| kernels.upsample_nearest(&x[0], to_height, to_width));
        }
    });
}
