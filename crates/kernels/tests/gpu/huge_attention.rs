//! Attention with so many scores that not all results can be compared: some of them against an exact computation.

use crate::comparison::{BOUNDS, Comparison, device, in_each_precision, relative_error, values};
use crate::numbers::places;
use candle_core::{DType, Result, Tensor};
use maquette_kernels::Mask;

/// How many queries of a call are compared.
const QUERIES: u64 = 48;

/// Compares randomly chosen queries, and the first and the last of all, one head of each. The shape is rows, queries,
/// keys, heads, channels of a head.
pub fn compare_some_queries(comparison: &mut Comparison, shape: [usize; 5], mask: Mask) {
    let [rows, queries, keys, heads, size] = shape;
    let name = format!("{rows} rows, {queries} queries, {keys} keys, {heads} heads of {size}, {mask:?}");
    let q = comparison.normal(&[rows, queries, heads * size]);
    let [k, v] = [0, 1].map(|_| comparison.normal(&[rows, keys, heads * size]));
    let result = comparison.kernels().attention(&q.tested, &k.tested, &v.tested, heads, mask);
    let of_heads = |x: &Tensor| x.reshape((rows * queries, heads, size));
    let last = rows * queries * heads - 1;
    let chosen: Vec<usize> = [0, last].into_iter().chain(places(QUERIES, last, 1)).collect();
    let compare = |result: &Tensor| -> Result<f64> {
        let result = of_heads(result)?;
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        for place in &chosen {
            let (query, head) = (place / heads, place % heads);
            found.extend(values(&result.narrow(0, query, 1)?.narrow(1, head, 1)?)?);
            let of_query = of_heads(&q.exact)?.narrow(0, query, 1)?.narrow(1, head, 1)?;
            let of_head = |x: &Tensor| x.get(query / queries)?.narrow(1, head * size, size);
            let keys = if mask == Mask::Causal { query % queries + 1 } else { keys };
            expected.extend(exact(
                &values(&of_query)?,
                &values(&of_head(&k.exact)?)?[..keys * size],
                &values(&of_head(&v.exact)?)?[..keys * size],
            ));
        }
        Ok(relative_error(&found, &expected))
    };
    match result.and_then(|result| compare(&result)) {
        Ok(error) => comparison.record(&name, error),
        Err(error) => comparison.fail(&name, &error),
    }
}

/// The result of one query `[size]` with keys and values `[keys, size]`.
fn exact(q: &[f64], k: &[f64], v: &[f64]) -> Vec<f64> {
    let size = q.len();
    let product = |key: &[f64]| q.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() / (size as f64).sqrt();
    let scores: Vec<f64> = k.chunks(size).map(product).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    let mut result = vec![0.0; size];
    for (power, v) in powers.iter().zip(v.chunks(size)) {
        result.iter_mut().zip(v).for_each(|(result, v)| *result += power / total * v);
    }
    result
}

/// In f16 only, as in the pictures that have so many scores.
fn in_f16(operation: &str, shape: [usize; 5]) {
    if device().is_cpu() {
        println!("{operation:<22} skipped: the CPU would take minutes");
        return;
    }
    in_each_precision(operation, BOUNDS, |comparison| {
        if comparison.dtype == DType::F16 {
            compare_some_queries(comparison, shape, Mask::None);
        }
    });
}

/// More scores than an `i32` counts: 16 rows at 512 pixels have 2^31.
#[test]
fn more_than_2_to_the_31_scores() {
    in_f16("attention, 2^31", [16, 4096, 4096, 8, 40]);
    in_f16("attention, > 2^31", [17, 4096, 4096, 8, 40]);
}

/// More scores than a `u32` counts: 2 rows at 1024 pixels have 2^32.
#[test]
fn more_than_2_to_the_32_scores() {
    in_f16("attention, 2^32", [2, 16384, 16384, 8, 40]);
    in_f16("attention, > 2^32", [3, 16384, 16384, 8, 40]);
}

/// The autoencoder's at 1024 pixels.
#[test]
fn one_wide_head() {
    in_f16("attention, VAE", [1, 16384, 16384, 1, 512]);
}
