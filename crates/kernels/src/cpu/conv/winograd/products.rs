//! The products of Winograd's transformed domain: at each position, a matrix of tiles and channels times one of channels
//! and outputs.

use pulp::Simd;

/// The most tiles of a product: with four vectors of outputs each, 24 sums stay in registers.
pub(super) const TILES: usize = 6;
/// Adds `v` times `u` to `m`, or writes it there for the first channels.
///
/// `v` holds a line of channels per tile, `v_stride` values apart. `u` is `[channels, outputs]`, where the outputs are one
/// to four vectors. `m` holds a line of outputs per tile, `m_stride` values apart. Sums run over the channels in order.
#[inline(always)]
pub(super) fn multiply<S: Simd>(
    simd: S,
    tiles: usize,
    outputs: usize,
    v: (&[f32], usize),
    u: &[f32],
    m: (&mut [f32], usize),
    first: bool,
) {
    match outputs / S::F32_LANES {
        4 => by_tiles::<S, 4>(simd, tiles, v, u, m, first),
        3 => by_tiles::<S, 3>(simd, tiles, v, u, m, first),
        2 => by_tiles::<S, 2>(simd, tiles, v, u, m, first),
        _ => by_tiles::<S, 1>(simd, tiles, v, u, m, first),
    }
}

#[inline(always)]
fn by_tiles<S: Simd, const N: usize>(
    simd: S,
    tiles: usize,
    v: (&[f32], usize),
    u: &[f32],
    m: (&mut [f32], usize),
    first: bool,
) {
    match tiles {
        6 => product::<S, 6, N>(simd, v, u, m, first),
        5 => product::<S, 5, N>(simd, v, u, m, first),
        4 => product::<S, 4, N>(simd, v, u, m, first),
        3 => product::<S, 3, N>(simd, v, u, m, first),
        2 => product::<S, 2, N>(simd, v, u, m, first),
        _ => product::<S, 1, N>(simd, v, u, m, first),
    }
}

#[inline(always)]
fn product<S: Simd, const R: usize, const N: usize>(
    simd: S,
    (v, v_stride): (&[f32], usize),
    u: &[f32],
    (m, m_stride): (&mut [f32], usize),
    first: bool,
) {
    let zero = simd.splat_f32s(0.0);
    let mut sums = [[zero; N]; R];
    if !first {
        for (r, sums) in sums.iter_mut().enumerate() {
            let (m, _) = S::as_simd_f32s(&m[r * m_stride..]);
            sums.copy_from_slice(&m[..N]);
        }
    }
    let (u, _) = S::as_simd_f32s(u);
    let (u, _) = u.as_chunks::<N>();
    let channels = u.len();
    let mut lines: [&[f32]; R] = [&[]; R];
    for (r, line) in lines.iter_mut().enumerate() {
        *line = &v[r * v_stride..][..channels];
    }
    for (channel, u) in u.iter().enumerate() {
        for (sums, v) in sums.iter_mut().zip(lines) {
            let v = simd.splat_f32s(v[channel]);
            for (sum, &u) in sums.iter_mut().zip(u) {
                *sum = simd.mul_add_e_f32s(v, u, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let (m, _) = S::as_mut_simd_f32s(&mut m[r * m_stride..]);
        m[..N].copy_from_slice(sums);
    }
}
