//! Gradients of resized images.

/// The gradient of an image `[batch, height, width, channels]` for that of its nearest neighbours at another size.
pub(in crate::cpu) fn upsample_nearest(
    gradient: &[f32],
    channels: usize,
    (height, width): (usize, usize),
    (to_height, to_width): (usize, usize),
) -> Vec<f32> {
    let batch = gradient.len() / (to_height * to_width * channels);
    let mut out = vec![0.0; batch * height * width * channels];
    for (line, gradient) in gradient.chunks_exact(to_width * channels).enumerate() {
        let (row, y) = (line / to_height, line % to_height * height / to_height);
        let out = &mut out[(row * height + y) * width * channels..][..width * channels];
        for (x, gradient) in gradient.chunks_exact(channels).enumerate() {
            let at = x * width / to_width * channels;
            out[at..at + channels].iter_mut().zip(gradient).for_each(|(out, gradient)| *out += gradient);
        }
    }
    out
}
