//! Variations: noise between that of two seeds, as in A1111.

/// Interpolates by `strength` from `own` to `other`, both `[channels, height, width]`.
///
/// A spherical interpolation, which keeps the noise's length. Each column of each channel has its own angle, as in the
/// `slerp` of A1111's `modules/rng.py`, whose norms are along the height. Columns that point in the same or the opposite
/// direction are interpolated linearly.
pub fn between(own: &[f32], other: &[f32], strength: f64, [channels, height, width]: [usize; 3]) -> Vec<f32> {
    let mut mixed = vec![0.0; own.len()];
    for channel in 0..channels {
        for x in 0..width {
            let column = || (0..height).map(move |y| (channel * height + y) * width + x);
            let dot =
                |a: &[f32], b: &[f32]| -> f64 { column().map(|i| f64::from(a[i]) * f64::from(b[i])).sum() };
            let cosine = dot(own, other) / (dot(own, own) * dot(other, other)).sqrt();
            let angle = cosine.clamp(-1.0, 1.0).acos();
            let (from, to) = if angle.sin() < 1e-6 {
                (1.0 - strength, strength)
            } else {
                (((1.0 - strength) * angle).sin() / angle.sin(), (strength * angle).sin() / angle.sin())
            };
            for i in column() {
                mixed[i] = (from * f64::from(own[i]) + to * f64::from(other[i])) as f32;
            }
        }
    }
    mixed
}
