// Sums, GEGLU, nearest-neighbour upsampling, and concatenation. Images are channels-last, [rows, height, width, channels].
#include "common.cuh"

// In all kernels, each thread computes vectors of N elements, N divides the channels, and `count` is the number of
// vectors of `out`, below 2^31.

// out = x + bias + shift + image, each of them optional (null). `bias` is [channels], `image` has the shape of x, and
// `shift` is [rows, channels], where a row of the batch has `positions` positions.
template <typename T, int N>
__device__ void add(T* out, const T* x, const T* bias, const T* shift, const T* image, unsigned channels,
                    unsigned positions, unsigned count) {
    using V = Vec<T, N>;
    const unsigned vectors = channels / N, step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const uint64_t at = (uint64_t)i * N;
        const unsigned position = i / vectors, channel = (i - position * vectors) * N;
        const V of_x = *reinterpret_cast<const V*>(x + at);
        float sum[N];
#pragma unroll
        for (int j = 0; j < N; j++) sum[j] = widen(of_x.at[j]);
        const auto more = [&](const T* from) {
            const V of = *reinterpret_cast<const V*>(from);
#pragma unroll
            for (int j = 0; j < N; j++) sum[j] += widen(of.at[j]);
        };
        if (bias) more(bias + channel);
        if (shift) more(shift + (uint64_t)(position / positions) * channels + channel);
        if (image) more(image + at);
        V result;
#pragma unroll
        for (int j = 0; j < N; j++) result.at[j] = narrow<T>(sum[j]);
        *reinterpret_cast<V*>(out + at) = result;
    }
}

// out[token, i] = h[token, i] * gelu(h[token, half + i]) with h = x + bias; `bias` is [2 * half], or null.
template <typename T, int N>
__device__ void geglu(T* out, const T* x, const T* bias, unsigned half, unsigned count) {
    using V = Vec<T, N>;
    const unsigned vectors = half / N, step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const unsigned token = i / vectors, channel = (i - token * vectors) * N;
        const T* from = x + (uint64_t)token * 2 * half + channel;
        float value[N], gate[N];
        const auto load = [](float(&to)[N], const T* from, const T* bias) {
            const V of_x = *reinterpret_cast<const V*>(from);
#pragma unroll
            for (int j = 0; j < N; j++) to[j] = widen(of_x.at[j]);
            if (bias) {
                const V of_bias = *reinterpret_cast<const V*>(bias);
#pragma unroll
                for (int j = 0; j < N; j++) to[j] += widen(of_bias.at[j]);
            }
        };
        load(value, from, bias ? bias + channel : nullptr);
        load(gate, from + half, bias ? bias + half + channel : nullptr);
        V result;
#pragma unroll
        for (int j = 0; j < N; j++) result.at[j] = narrow<T>(value[j] * gelu(gate[j]));
        *reinterpret_cast<V*>(out + (uint64_t)i * N) = result;
    }
}

// The nearest pixel, as torch's `nearest`.
template <typename T, int N>
__device__ void upsample(T* out, const T* x, unsigned channels, unsigned height, unsigned width, unsigned to_height,
                         unsigned to_width, unsigned count) {
    using V = Vec<T, N>;
    const unsigned vectors = channels / N, step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const unsigned pixel = i / vectors, vector = i - pixel * vectors;
        const unsigned line = pixel / to_width, to_x = pixel - line * to_width;
        const unsigned row = line / to_height, to_y = line - row * to_height;
        const unsigned from_y = to_y * height / to_height, from_x = to_x * width / to_width;
        const T* from = x + (((uint64_t)row * height + from_y) * width + from_x) * channels + vector * N;
        *reinterpret_cast<V*>(out + (uint64_t)i * N) = *reinterpret_cast<const V*>(from);
    }
}

// The channels of `left`, then those of `right`, at each position.
template <typename T, int N>
__device__ void concat(T* out, const T* left, const T* right, unsigned of_left, unsigned of_right, unsigned count) {
    using V = Vec<T, N>;
    const unsigned lefts = of_left / N, rights = of_right / N, step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const unsigned position = i / (lefts + rights), vector = i - position * (lefts + rights);
        const uint64_t at = vector < lefts ? (uint64_t)position * lefts + vector
                                           : (uint64_t)position * rights + (vector - lefts);
        reinterpret_cast<V*>(out)[i] = reinterpret_cast<const V*>(vector < lefts ? left : right)[at];
    }
}

// The gradient of GEGLU without a bias: of the value, then of the gate.
template <typename T, int N>
__device__ void geglu_gradient(T* out, const T* gradient, const T* x, unsigned half, unsigned count) {
    using V = Vec<T, N>;
    const unsigned vectors = half / N, step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const unsigned token = i / vectors, channel = (i - token * vectors) * N;
        const uint64_t at = (uint64_t)token * 2 * half + channel;
        const V value = *reinterpret_cast<const V*>(x + at);
        const V gate = *reinterpret_cast<const V*>(x + at + half);
        const V slope = *reinterpret_cast<const V*>(gradient + (uint64_t)i * N);
        V of_value, of_gate;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float g = widen(gate.at[j]), found = widen(slope.at[j]);
            const float share = 0.5f * (1.0f + erff(g * 0.70710678118654752f));
            const float density = 0.39894228040143268f * expf(-0.5f * g * g);
            of_value.at[j] = narrow<T>(found * g * share);
            of_gate.at[j] = narrow<T>(found * widen(value.at[j]) * (share + g * density));
        }
        *reinterpret_cast<V*>(out + at) = of_value;
        *reinterpret_cast<V*>(out + at + half) = of_gate;
    }
}

// A step of AdamW (Loshchilov and Hutter, arXiv 1711.05101) in f32: `keep` is 1 - rate * weight decay, `rate` is divided by the
// correction of the first moment, `correction` is the square root of the second one's.
extern "C" __global__ void adamw(float* parameter, float* first, float* second, const float* before,
                                 const float* first_before, const float* second_before, const float* gradient,
                                 float beta_1, float beta_2, float keep, float rate, float correction, float eps,
                                 unsigned count) {
    const unsigned step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const float slope = gradient[i];
        first[i] = first_before[i] * beta_1 + slope * (1.0f - beta_1);
        second[i] = second_before[i] * beta_2 + slope * slope * (1.0f - beta_2);
        parameter[i] = before[i] * keep - first[i] / (sqrtf(second[i]) / correction + eps) * rate;
    }
}

#define ELEMENTWISE(NAME, T, SUFFIX, N)                                                                              \
    extern "C" __global__ void add_##NAME##SUFFIX(T* out, const T* x, const T* bias, const T* shift, const T* image, \
                                                  unsigned channels, unsigned positions, unsigned count) {           \
        add<T, N>(out, x, bias, shift, image, channels, positions, count);                                           \
    }                                                                                                                \
    extern "C" __global__ void geglu_##NAME##SUFFIX(T* out, const T* x, const T* bias, unsigned half, unsigned count) { \
        geglu<T, N>(out, x, bias, half, count);                                                                            \
    }                                                                                                                \
    extern "C" __global__ void geglu_gradient_##NAME##SUFFIX(T* out, const T* gradient, const T* x, unsigned half,   \
                                                             unsigned count) {                                       \
        geglu_gradient<T, N>(out, gradient, x, half, count);                                                         \
    }                                                                                                                \
    extern "C" __global__ void upsample_##NAME##SUFFIX(T* out, const T* x, unsigned channels, unsigned height,       \
                                                       unsigned width, unsigned to_height, unsigned to_width,        \
                                                       unsigned count) {                                             \
        upsample<T, N>(out, x, channels, height, width, to_height, to_width, count);                                 \
    }                                                                                                                \
    extern "C" __global__ void concat_##NAME##SUFFIX(T* out, const T* left, const T* right, unsigned of_left,        \
                                                     unsigned of_right, unsigned count) {                            \
        concat<T, N>(out, left, right, of_left, of_right, count);                                                    \
    }
#define INSTANTIATE(NAME, T)             \
    ELEMENTWISE(NAME, T, _wide, WIDE<T>) \
    ELEMENTWISE(NAME, T, _one, 1)
FOR_EACH_DTYPE(INSTANTIATE)
