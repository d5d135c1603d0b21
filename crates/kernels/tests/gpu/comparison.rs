//! Comparing an operation on the device under test with the reference on the CPU, and the table of the results.

use crate::numbers::normal;
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Kernels, reference, select};
use std::sync::OnceLock;

/// The largest relative error for each precision.
///
/// f32: sums of a few thousand products in any order. TF32, with 11 bits instead of 24, gives 3e-4. f16 and bf16: results
/// are rounded to 11 and 8 bits (at most 4.9e-4 and 3.9e-3, about half of that on average), some of them several times.
pub const BOUNDS: [f64; 3] = [2e-5, 2e-3, 1.5e-2];

const DTYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// The device under test.
pub fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let word = std::env::var("MAQUETTE_TEST_DEVICE").unwrap_or_default();
        let cuda = |number: &str| Device::new_cuda(number.parse().expect("a device number"));
        match word.as_str() {
            "" => cuda("0").or_else(|_| Device::new_metal(0)).expect("no GPU can be used on this machine"),
            "cpu" => Device::Cpu,
            "cuda" => cuda("0").unwrap(),
            "metal" => Device::new_metal(0).unwrap(),
            word => match word.strip_prefix("cuda:") {
                Some(number) => cuda(number).unwrap(),
                None => panic!("MAQUETTE_TEST_DEVICE is `{word}`; allowed: `cpu`, `cuda`, `cuda:N`, `metal`"),
            },
        }
    })
}

/// An operand: the same values for both sides, rounded to the precision under test.
#[derive(Clone)]
pub struct Operand {
    /// On the device under test.
    pub tested: Tensor,
    /// On the CPU, f32.
    pub exact: Tensor,
}

/// The comparisons of one operation in one precision.
pub struct Comparison {
    pub dtype: DType,
    bound: f64,
    seed: u64,
    worst: (f64, String),
    wrong: Vec<String>,
}

/// Runs `compare` in each precision, prints a line of the table for each, and fails if any comparison failed.
pub fn in_each_precision(operation: &str, bounds: [f64; 3], compare: impl Fn(&mut Comparison)) {
    let mut wrong = Vec::new();
    for (dtype, bound) in DTYPES.into_iter().zip(bounds) {
        let mut comparison = Comparison {
            dtype,
            bound,
            seed: 0,
            worst: (0.0, "nothing was compared".into()),
            wrong: Vec::new(),
        };
        compare(&mut comparison);
        let (error, case) = comparison.worst;
        println!("{operation:<22} {:<5} {error:>9.2e} of {bound:.1e}  {case}", dtype.as_str());
        let named = |wrong: String| format!("{operation}, {}: {wrong}", dtype.as_str());
        wrong.extend(comparison.wrong.into_iter().map(named));
    }
    assert!(wrong.is_empty(), "{} comparisons failed:\n{}", wrong.len(), wrong.join("\n"));
}

impl Comparison {
    /// New standard normal values as an activation.
    pub fn normal(&mut self, shape: &[usize]) -> Operand {
        self.scaled(shape, 1.0, 0.0)
    }

    /// New normal values with another deviation and mean, as an activation.
    pub fn scaled(&mut self, shape: &[usize], deviation: f64, mean: f64) -> Operand {
        self.seed += 1;
        self.activation(&((normal(shape, self.seed) * deviation).unwrap() + mean).unwrap())
    }

    /// These values as an activation.
    pub fn activation(&self, values: &Tensor) -> Operand {
        self.operand(values, self.dtype)
    }

    /// New values as a parameter of a layer, in the dtype that the kernels store.
    pub fn parameter(&mut self, shape: &[usize], deviation: f64, mean: f64) -> Operand {
        self.seed += 1;
        let values = ((normal(shape, self.seed) * deviation).unwrap() + mean).unwrap();
        self.operand(&values, self.kernels().storage_dtype(self.dtype))
    }

    /// A weight whose products with normal values of `inputs` channels have a variance of 1.
    pub fn weight(&mut self, shape: &[usize], inputs: usize) -> Operand {
        self.parameter(shape, (inputs as f64).powf(-0.5), 0.0)
    }

    /// The weight of a convolution, in the layout that the kernels store.
    pub fn convolution(&mut self, shape: &[usize; 4]) -> Operand {
        let operand = self.weight(shape, shape[1..].iter().product());
        Operand { tested: self.kernels().storage_layout(operand.tested).unwrap(), ..operand }
    }

    /// A bias.
    pub fn bias(&mut self, channels: usize) -> Operand {
        self.parameter(&[channels], 0.5, 0.0)
    }

    fn operand(&self, values: &Tensor, stored: DType) -> Operand {
        let rounded = values.to_dtype(self.dtype).unwrap();
        let exact = rounded.to_dtype(DType::F32).unwrap();
        Operand { tested: rounded.to_dtype(stored).unwrap().to_device(device()).unwrap(), exact }
    }

    /// The kernels under test.
    pub fn kernels(&self) -> &'static dyn Kernels {
        select(device(), self.dtype)
    }

    /// Compares the results of `run` with the reference in f64.
    pub fn check(
        &mut self,
        case: &str,
        operands: &[&Operand],
        run: impl Fn(&dyn Kernels, &[Tensor]) -> Result<Tensor>,
    ) {
        self.check_in(DType::F64, case, operands, run);
    }

    /// The same with the reference in another dtype: f32 where f64 takes too long.
    pub fn check_in(
        &mut self,
        dtype: DType,
        case: &str,
        operands: &[&Operand],
        run: impl Fn(&dyn Kernels, &[Tensor]) -> Result<Tensor>,
    ) {
        let exact: Vec<Tensor> = operands.iter().map(|x| x.exact.to_dtype(dtype).unwrap()).collect();
        let expected = run(reference(), &exact).unwrap();
        let tested: Vec<Tensor> = operands.iter().map(|x| x.tested.clone()).collect();
        self.poison(expected.elem_count());
        match run(self.kernels(), &tested) {
            Err(error) => self.fail(case, &error),
            Ok(found) if found.shape() != expected.shape() || found.dtype() != self.dtype => {
                self.wrong.push(format!("{case}: {found:?} instead of {expected:?}"));
            }
            Ok(found) => match values(&found) {
                Err(error) => self.fail(case, &error),
                Ok(found) => self.record(case, relative_error(&found, &values(&expected).unwrap())),
            },
        }
    }

    /// Takes the relative error of a case.
    pub fn record(&mut self, case: &str, error: f64) {
        // NaN is worse than any number, and passes no bound.
        let is_worst = error.is_nan() || error >= self.worst.0;
        if is_worst && !self.worst.0.is_nan() {
            self.worst = (error, case.to_owned());
        }
        if error.is_nan() || error > self.bound {
            self.wrong.push(format!("{case}: {error:.2e}"));
        }
    }

    /// Takes a case without a result.
    pub fn fail(&mut self, case: &str, error: &candle_core::Error) {
        // Without the backtrace that may follow.
        let error = error.to_string();
        self.wrong.push(format!("{case}: {}", error.lines().next().unwrap_or_default()));
    }

    /// Fills memory that the next result may get with NaN, so that a value that is not written is noticed.
    fn poison(&self, count: usize) {
        let filled = Tensor::full(f32::NAN, count, device()).and_then(|nan| nan.to_dtype(self.dtype));
        filled.and_then(|_| device().synchronize()).unwrap();
    }
}

/// The values of a tensor, in f64 on the CPU.
pub fn values(x: &Tensor) -> Result<Vec<f64>> {
    x.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The norm of the difference, relative to the expected norm.
pub fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |x: f64| x * x;
    let error: f64 = found.iter().zip(expected).map(|(found, expected)| square(found - expected)).sum();
    let norm: f64 = expected.iter().copied().map(square).sum();
    if error == 0.0 { 0.0 } else { (error / norm).sqrt() }
}
