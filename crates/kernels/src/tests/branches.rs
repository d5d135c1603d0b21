//! Low-rank branches: merged or separate, they give the same result; separate ones can be trained.

use super::*;
use candle_core::Var;

const RANK: usize = 3;

/// Two branches of a linear layer, or of a convolution with this kernel size.
fn branches(inputs: usize, outputs: usize, kernel: Option<usize>) -> Vec<Branch> {
    let branch = |seed: u32, scale: f64| {
        let down = match kernel {
            None => numbers(&[RANK, inputs], seed),
            Some(kernel) => numbers(&[RANK, inputs, kernel, kernel], seed),
        };
        Branch { down, up: numbers(&[outputs, RANK], seed + 1), scale }
    };
    vec![branch(20, 0.7), branch(30, -0.25)]
}

fn low_rank(branches: &[Branch]) -> Vec<Change> {
    branches.iter().cloned().map(Change::LowRank).collect()
}

/// A layer's result is the same with merged and with separate branches; without them, it is the same as before.
fn check(weight: &Weight, branches: &[Branch], run: impl Fn() -> Result<Tensor>) {
    let none = run().unwrap();
    weight.merge(&low_rank(branches)).unwrap();
    let merged = run().unwrap();
    weight.set_branches(branches.to_vec());
    assert_close(&run().unwrap(), &merged, 1e-5);
    let moved = values(&(&merged - &none).unwrap()).iter().fold(0f64, |most, x| most.max(x.abs()));
    assert!(moved > 0.1, "the branches change it by {moved} at most");
    for clear in
        [|weight: &Weight| weight.merge(&[]).unwrap(), |weight: &Weight| weight.set_branches(Vec::new())]
    {
        weight.merge(&low_rank(branches)).unwrap();
        clear(weight);
        assert_eq!(values(&run().unwrap()), values(&none));
    }
}

#[test]
fn merged_and_separate_branches_give_the_same_result() {
    for kernels in [cpu(), reference()] {
        let weight = Weight::new(kernels, linear_weight(6, 9), DType::F32);
        let layer = Linear::new(weight.clone(), Some(numbers(&[9], 2)));
        let branches_of_linear = branches(6, 9, None);
        let (tokens, image) = (numbers(&[2, 15, 6], 3), numbers(&[2, 6, 3, 5], 4));
        let (residual, other) = (numbers(&[2, 15, 9], 5), numbers(&[2, 9, 3, 5], 6));
        check(&weight, &branches_of_linear, || layer.forward(&tokens));
        check(&weight, &branches_of_linear, || layer.forward_add(&tokens, &residual));
        check(&weight, &branches_of_linear, || layer.image_to_tokens(&image));
        check(&weight, &branches_of_linear, || layer.tokens_to_image(&tokens, &other));

        for (kernel, stride, padding) in
            [(3, 1, Padding::Around(1)), (3, 2, Padding::After(1)), (1, 1, Padding::Around(0))]
        {
            let weight = Weight::new(kernels, conv_weight(6, 9, kernel), DType::F32);
            let layer = Conv2d::new(weight.clone(), Some(numbers(&[9], 2)), stride, padding);
            let shape = layer.forward(&image).unwrap().shape().clone();
            let (channels, add) = (numbers(&[2, 1, 9], 7), numbers(shape.dims(), 8));
            for add in [Add::Nothing, Add::Channels(&channels), Add::Image(&add)] {
                check(&weight, &branches(6, 9, Some(kernel)), || layer.forward_add(&image, add));
            }
        }
    }
}

#[test]
fn three_factors_are_three_convolutions() {
    let [down, mid, up] = [numbers(&[4, 6], 1), numbers(&[RANK, 4, 3, 3], 2), numbers(&[9, RANK], 3)];
    let x = numbers(&[2, 6, 5, 7], 4);
    let conv = |x: &Tensor, weight: &Tensor, padding: usize| {
        let conv = ConvOperands { weight, bias: None, stride: 1, padding: Padding::Around(padding) };
        reference().conv2d(x, conv, Add::Nothing).unwrap()
    };
    let apart = conv(&x, &down.reshape((4, 6, 1, 1)).unwrap(), 0);
    let apart = conv(&conv(&apart, &mid, 1), &up.reshape((9, RANK, 1, 1)).unwrap(), 0);
    for kernels in [cpu(), reference()] {
        let zero = Tensor::zeros((9, 6, 3, 3), DType::F32, &Device::Cpu).unwrap();
        let weight = Weight::new(kernels, zero, DType::F32);
        let bias = Tensor::zeros(9, DType::F32, &Device::Cpu).unwrap();
        let layer = Conv2d::new(weight.clone(), Some(bias), 1, Padding::Around(1));
        weight
            .merge(&[Change::LowRank(Branch::with_mid(kernels, &down, &mid, up.clone(), 0.5).unwrap())])
            .unwrap();
        assert_close(&layer.forward(&x).unwrap(), &(&apart * 0.5).unwrap(), 1e-5);
    }
}

#[test]
fn a_merged_weight_is_rounded_to_the_dtype_of_its_model() {
    let base = linear_weight(6, 9).to_dtype(DType::F16).unwrap().to_dtype(DType::F32).unwrap();
    let weight = Weight::new(cpu(), base, DType::F16);
    weight.merge(&low_rank(&branches(6, 9, None))).unwrap();
    let merged = weight.operands().unwrap().weight;
    assert_eq!(merged.dtype(), DType::F32);
    let rounded = merged.to_dtype(DType::F16).unwrap();
    assert_eq!(values(&merged), values(&rounded));
}

#[test]
fn factors_of_the_wrong_shape_are_errors_and_change_nothing() {
    let layer = Linear::new(Weight::new(cpu(), linear_weight(6, 9), DType::F32), None);
    let x = numbers(&[1, 2, 6], 3);
    layer.weight.merge(&low_rank(&branches(6, 9, None))).unwrap();
    let before = values(&layer.forward(&x).unwrap());
    for (inputs, outputs) in [(5, 9), (6, 8)] {
        assert!(layer.weight.merge(&low_rank(&branches(inputs, outputs, None))).is_err());
        assert_eq!(values(&layer.forward(&x).unwrap()), before);
    }
}

/// A few gradient steps on the factors alone bring the layer's result closer to that of another one.
#[test]
fn gradients_reach_the_factors_and_train_them() {
    let (tokens, image) = (numbers(&[2, 15, 6], 3), numbers(&[2, 6, 3, 5], 4));
    let linear = Linear::new(Weight::new(reference(), linear_weight(6, 9), DType::F32), None);
    let conv_weight = Weight::new(reference(), conv_weight(6, 9, 3), DType::F32);
    let conv = Conv2d::new(conv_weight, Some(numbers(&[9], 2)), 1, Padding::Around(1));
    let train = |weight: &Weight, kernel: Option<usize>, run: &dyn Fn() -> Result<Tensor>| {
        weight.merge(&low_rank(&branches(6, 9, kernel))).unwrap();
        let target = run().unwrap();
        // LoRA's initial values: A is arbitrary, B is zero.
        let Branch { down, up, .. } = branches(6, 9, kernel).swap_remove(1);
        let down = Var::from_tensor(&down).unwrap();
        let up = Var::from_tensor(&up.zeros_like().unwrap()).unwrap();
        let (a, b) = (down.as_tensor().clone(), up.as_tensor().clone());
        weight.set_branches(vec![Branch { down: a, up: b, scale: 1.0 }]);
        let mut losses = Vec::new();
        for _ in 0..40 {
            let loss = (run().unwrap() - &target).unwrap().sqr().unwrap().mean_all().unwrap();
            let gradients = loss.backward().unwrap();
            for variable in [&down, &up] {
                let step = (gradients.get(variable).unwrap() * 0.3).unwrap();
                variable.set(&(variable.as_tensor() - step).unwrap()).unwrap();
            }
            losses.push(loss.to_scalar::<f32>().unwrap());
        }
        assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
    };
    train(&linear.weight, None, &|| linear.forward(&tokens));
    train(&linear.weight, None, &|| linear.image_to_tokens(&image));
    train(&conv.weight, Some(3), &|| conv.forward(&image));
}

#[test]
fn full_changes_are_the_products_of_low_rank_ones() {
    for kernels in [cpu(), reference()] {
        for kernel in [None, Some(3)] {
            let base = kernel.map_or_else(|| linear_weight(6, 9), |kernel| conv_weight(6, 9, kernel));
            let weight = Weight::new(kernels, base, DType::F32);
            let low = branches(6, 9, kernel);
            weight.merge(&low_rank(&low)).unwrap();
            let expected = weight.operands().unwrap().weight;
            let full = low.iter().map(|Branch { down, up, scale }| {
                let difference = up.matmul(&down.flatten_from(1).unwrap()).unwrap();
                let shape: Vec<usize> = [9].into_iter().chain(down.dims()[1..].iter().copied()).collect();
                Change::Full { difference: difference.reshape(shape).unwrap(), scale: *scale }
            });
            weight.merge(&full.collect::<Vec<_>>()).unwrap();
            assert_close(&weight.operands().unwrap().weight, &expected, 1e-5);
        }
    }
}

#[test]
fn differences_of_vectors_are_added_and_removed() {
    let layer = GroupNorm::new(cpu(), numbers(&[6], 1), numbers(&[6], 2), 2, 1e-5);
    let (x, difference) = (numbers(&[2, 6, 3, 5], 3), numbers(&[6], 4));
    let before = values(&layer.forward(&x, Activation::None).unwrap());
    layer.bias.add(&[(&difference, 0.5), (&difference, 1.5)]).unwrap();
    let sum = (numbers(&[6], 2) + (&difference * 2.0).unwrap()).unwrap();
    let expected = GroupNorm::new(cpu(), numbers(&[6], 1), sum, 2, 1e-5);
    let after = layer.forward(&x, Activation::None).unwrap();
    assert_close(&after, &expected.forward(&x, Activation::None).unwrap(), 1e-6);
    assert!(layer.bias.add(&[(&numbers(&[5], 4), 1.0)]).is_err());
    layer.bias.add(&[]).unwrap();
    assert_eq!(values(&layer.forward(&x, Activation::None).unwrap()), before);
}

/// A weight that is counted each time it is read.
#[derive(Debug)]
struct Counted(Tensor, std::sync::atomic::AtomicUsize);

impl StoredWeight for Counted {
    fn read(&self) -> Result<Tensor> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(self.0.clone())
    }

    fn device(&self) -> &Device {
        self.0.device()
    }

    fn size(&self) -> u64 {
        (self.0.elem_count() * self.0.dtype().size_in_bytes()) as u64
    }
}

/// A weight that is read when it is needed gives the same results, also with changes, and is read for each call or once.
#[test]
fn a_weight_outside_of_memory_gives_the_same_results() {
    let counted = std::sync::Arc::new(Counted(linear_weight(6, 9), 0.into()));
    let reads = || counted.1.load(std::sync::atomic::Ordering::Relaxed);
    let inside = Linear::new(Weight::new(cpu(), linear_weight(6, 9), DType::F32), None);
    let outside = Linear::new(Weight::stored(cpu(), counted.clone(), DType::F32), None);
    let x = numbers(&[2, 5, 6], 3);
    let same = || assert_eq!(values(&outside.forward(&x).unwrap()), values(&inside.forward(&x).unwrap()));
    same();
    same();
    assert_eq!((reads(), outside.weight.is_loaded()), (2, false));
    assert_eq!([&inside, &outside].map(|layer| layer.weight.size_to_load()), [0, 4 * 6 * 9]);
    let changes = low_rank(&branches(6, 9, None));
    for layer in [&inside, &outside] {
        layer.weight.merge(&changes).unwrap();
    }
    assert_eq!(reads(), 2);
    same();
    outside.weight.load().unwrap();
    assert_eq!((reads(), outside.weight.is_loaded(), outside.weight.size_to_load()), (4, true, 0));
    same();
    inside.weight.merge(&[]).unwrap();
    outside.weight.merge(&[]).unwrap();
    same();
    assert_eq!((reads(), outside.weight.is_loaded()), (5, true));
    outside.weight.release();
    same();
    assert_eq!((reads(), outside.weight.is_loaded()), (6, false));
    inside.weight.release();
    assert!(inside.weight.is_loaded());
}
