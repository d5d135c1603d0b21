//! Activations, also of large values, and resizing.

use crate::comparison::{BOUNDS, Comparison, in_each_precision};
use candle_core::{Device, Result, Tensor};
use maquette_kernels::Kernels;

/// -100 to 100 in small steps, then values at which powers overflow or vanish in f16 and f32.
fn ladder() -> Tensor {
    let mut values: Vec<f32> = (-1600..1600).map(|step| step as f32 / 16.0).collect();
    for large in [200.0, 1000.0, 12000.0, 60000.0, 1e-3, 1e-6, 0.0, -0.0] {
        values.extend([large, -large, large, -large]);
    }
    Tensor::from_vec(values, (1, 2, ()), &Device::Cpu).unwrap()
}

fn check(operation: &str, run: impl Fn(&dyn Kernels, &Tensor) -> Result<Tensor>) {
    in_each_precision(operation, BOUNDS, |comparison| {
        for shape in [&[2, 256, 320][..], &[1, 77, 3072], &[3, 5, 14], &[1, 1, 2]] {
            let x = comparison.normal(shape);
            comparison.check(&format!("{shape:?}"), &[&x], |kernels, x| run(kernels, &x[0]));
        }
        // The error is relative to the norm of all values, so the small ones are also compared alone.
        let all = ladder();
        for (name, part) in [("-100 to 100", all.narrow(2, 0, 1600)), ("up to 60000", Ok(all.clone()))] {
            let x = comparison.activation(&part.unwrap().contiguous().unwrap());
            comparison.check(name, &[&x], |kernels, x| run(kernels, &x[0]));
        }
        let near = (all.narrow(1, 0, 1).unwrap().contiguous().unwrap() * 0.04).unwrap();
        let x = comparison.activation(&near);
        comparison.check("-4 to 0", &[&x], |kernels, x| run(kernels, &x[0]));
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

/// Its product overflows in f16 where both halves are large, so the gate's values are its own.
#[test]
fn geglu() {
    in_each_precision("geglu", BOUNDS, |comparison| {
        for shape in [&[2, 64, 2560][..], &[1, 256, 320], &[3, 5, 14], &[1, 1, 2]] {
            let x = comparison.normal(shape);
            comparison.check(&format!("{shape:?}"), &[&x], |kernels, x| kernels.geglu(&x[0]));
        }
        let gate = ladder().reshape((1, 1, ())).unwrap();
        let values = comparison_values(comparison, gate.dims()[2]);
        let x = comparison.activation(&Tensor::cat(&[values, gate], 2).unwrap());
        comparison.check("large gates", &[&x], |kernels, x| kernels.geglu(&x[0]));
    });
}

/// Normal values, small enough that a product with 60000 is finite in f16.
fn comparison_values(comparison: &mut Comparison, count: usize) -> Tensor {
    comparison.scaled(&[1, 1, count], 0.2, 0.0).exact.clamp(-1f32, 1f32).unwrap()
}

/// Values are only copied.
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
