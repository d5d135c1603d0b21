// Group norm with its activation, and layer norm. Sums are in f32, in a fixed order that does not depend on the batch.
#include "common.cuh"

// Adds up what the lanes of a block have summed, [1 + lanes, channels] each with the first line free, and writes two sums for each
// group.
__device__ __forceinline__ void sum_groups(float* partial, float* sums, float* squares, unsigned channels,
                                           unsigned groups, unsigned lanes) {
    const unsigned of_group = channels / groups;
    __syncthreads();
    for (unsigned c = threadIdx.x; c < channels; c += blockDim.x) {
        float sum = 0.0f, square = 0.0f;
        for (unsigned l = 1; l <= lanes; l++) {
            sum += sums[l * channels + c];
            square += squares[l * channels + c];
        }
        sums[c] = sum;
        squares[c] = square;
    }
    __syncthreads();
    for (unsigned group = threadIdx.x; group < groups; group += blockDim.x) {
        float sum = 0.0f, square = 0.0f;
        for (unsigned c = group * of_group; c < (group + 1) * of_group; c++) {
            sum += sums[c];
            square += squares[c];
        }
        float* to = partial + (((uint64_t)blockIdx.y * gridDim.x + blockIdx.x) * groups + group) * 2;
        to[0] = sum;
        to[1] = square;
    }
}

// Group norm of a channels-last image [rows, pixels, channels] has two kernels. Both run with blocks of `lanes` lanes of
// channels / N threads, rounded up to whole warps: each lane takes every lanes-th pixel of the block's slab, each thread
// N channels of it.
//
// `sums` writes, for each row, slab and group, the sum and the sum of squares of the values minus a pivot, the group's
// first value of the row: without it, the variance of values far from 0 would be lost to rounding.
// `partial` is [rows, slabs, groups, 2]; shared memory holds 2 * (lanes + 1) * channels floats.
template <typename T, int N>
__device__ void group_sums(float* partial, const T* x, unsigned pixels, unsigned channels, unsigned groups,
                           unsigned slab, unsigned lanes) {
    using V = Vec<T, N>;
    extern __shared__ float shared[];
    const unsigned vectors = channels / N, of_group = channels / groups;
    const unsigned lane = threadIdx.x / vectors, channel = (threadIdx.x - lane * vectors) * N;
    const T* row = x + (uint64_t)blockIdx.y * pixels * channels;
    const unsigned first = blockIdx.x * slab, end = min(first + slab, pixels);
    float* sums = shared;
    float* squares = shared + (lanes + 1) * channels;
    if (lane < lanes) {
        float pivot[N], sum[N], square[N];
#pragma unroll
        for (int j = 0; j < N; j++) {
            pivot[j] = widen(row[(channel + j) / of_group * of_group]);
            sum[j] = square[j] = 0.0f;
        }
#pragma unroll 4
        for (unsigned pixel = first + lane; pixel < end; pixel += lanes) {
            const V value = *reinterpret_cast<const V*>(row + (uint64_t)pixel * channels + channel);
#pragma unroll
            for (int j = 0; j < N; j++) {
                const float centred = widen(value.at[j]) - pivot[j];
                sum[j] += centred;
                square[j] += centred * centred;
            }
        }
#pragma unroll
        for (int j = 0; j < N; j++) {
            sums[(lane + 1) * channels + channel + j] = sum[j];
            squares[(lane + 1) * channels + channel + j] = square[j];
        }
    }
    sum_groups(partial, sums, squares, channels, groups, lanes);
}

// The mean of each group of a row, and 1 / the deviation, from the sums of `group_sums`.
template <typename T>
__device__ void group_statistics(float* means, float* scales, const T* row, const float* partial, float eps,
                                 unsigned pixels, unsigned channels, unsigned groups, unsigned slabs) {
    const unsigned of_group = channels / groups;
    // Eight threads of a warp for each group; whole warps take part, so that they can exchange values.
    const unsigned part = threadIdx.x % 8, teams = blockDim.x / 8;
    for (unsigned base = 0; base < groups; base += teams) {
        const unsigned group = base + threadIdx.x / 8;
        float sum = 0.0f, square = 0.0f;
        if (group < groups) {
            for (unsigned s = part; s < slabs; s += 8) {
                const float* from = partial + (((uint64_t)blockIdx.y * slabs + s) * groups + group) * 2;
                sum += from[0];
                square += from[1];
            }
        }
#pragma unroll
        for (int apart = 4; apart > 0; apart /= 2) {
            sum += __shfl_xor_sync(0xffffffff, sum, apart);
            square += __shfl_xor_sync(0xffffffff, square, apart);
        }
        if (group < groups && part == 0) {
            const float count = (float)pixels * of_group;
            const float mean = sum / count;
            means[group] = widen(row[group * of_group]) + mean;
            scales[group] = 1.0f / sqrtf(fmaxf(square / count - mean * mean, 0.0f) + eps);
        }
    }
    __syncthreads();
}

// The normalised values times `weight` plus `bias`, then SiLU if `with_silu`. `slabs` is the number of slabs of
// `group_sums`, `slab` this kernel's own; shared memory holds 2 * groups floats.
template <typename T, int N>
__device__ void group_norm(T* out, const T* x, const float* partial, const T* weight, const T* bias, float eps,
                           unsigned pixels, unsigned channels, unsigned groups, unsigned slabs, unsigned slab,
                           unsigned lanes, int with_silu) {
    using V = Vec<T, N>;
    extern __shared__ float shared[];
    const unsigned vectors = channels / N, of_group = channels / groups;
    const uint64_t offset = (uint64_t)blockIdx.y * pixels * channels;
    float* means = shared;
    float* scales = shared + groups;
    group_statistics(means, scales, x + offset, partial, eps, pixels, channels, groups, slabs);
    const unsigned lane = threadIdx.x / vectors, channel = (threadIdx.x - lane * vectors) * N;
    if (lane >= lanes) return;
    float mean[N], scale[N], shift[N];
#pragma unroll
    for (int j = 0; j < N; j++) {
        const unsigned group = (channel + j) / of_group;
        mean[j] = means[group];
        scale[j] = scales[group] * widen(weight[channel + j]);
        shift[j] = widen(bias[channel + j]);
    }
    const unsigned first = blockIdx.x * slab, end = min(first + slab, pixels);
#pragma unroll 4
    for (unsigned pixel = first + lane; pixel < end; pixel += lanes) {
        const uint64_t at = offset + (uint64_t)pixel * channels + channel;
        const V value = *reinterpret_cast<const V*>(x + at);
        V result;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float normal = (widen(value.at[j]) - mean[j]) * scale[j] + shift[j];
            result.at[j] = narrow<T>(with_silu ? silu(normal) : normal);
        }
        *reinterpret_cast<V*>(out + at) = result;
    }
}

// The gradient of a group norm has two kernels more, after `group_sums`. With g the result's gradient, times that of SiLU if
// `with_silu`, times `weight`, and n the normalised value, it is (g - mean(g) - n mean(g n)) / deviation, where the means are those of
// the group. `group_gradient_sums` writes the sums of g and of g n for each row, slab and group, [rows, slabs, groups, 2]; shared
// memory holds 2 * (lanes + 1) * channels + 2 * groups floats.
template <typename T, int N> struct Slope {
    float mean[N], scale[N], weight[N], shift[N];

    __device__ __forceinline__ Slope(const float* means, const float* scales, const T* weights, const T* biases,
                                     unsigned channel, unsigned of_group) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            const unsigned group = (channel + j) / of_group;
            mean[j] = means[group];
            scale[j] = scales[group];
            weight[j] = widen(weights[channel + j]);
            shift[j] = widen(biases[channel + j]);
        }
    }

    __device__ __forceinline__ float normal(int j, T x) const { return (widen(x) - mean[j]) * scale[j]; }

    __device__ __forceinline__ float of(int j, float normal, T gradient, int with_silu) const {
        float slope = widen(gradient) * weight[j];
        if (with_silu) {
            const float y = normal * weight[j] + shift[j], share = 1.0f / (1.0f + expf(-y));
            slope *= share * (1.0f + y * (1.0f - share));
        }
        return slope;
    }
};

template <typename T, int N>
__device__ void group_gradient_sums(float* slopes, const T* gradient, const T* x, const float* partial,
                                    const T* weight, const T* bias, float eps, unsigned pixels, unsigned channels,
                                    unsigned groups, unsigned slabs, unsigned slab, unsigned lanes, int with_silu) {
    using V = Vec<T, N>;
    extern __shared__ float shared[];
    float* sums = shared;
    float* products = shared + (lanes + 1) * channels;
    float* means = products + (lanes + 1) * channels;
    const uint64_t offset = (uint64_t)blockIdx.y * pixels * channels;
    group_statistics(means, means + groups, x + offset, partial, eps, pixels, channels, groups, slabs);
    const unsigned vectors = channels / N;
    const unsigned lane = threadIdx.x / vectors, channel = (threadIdx.x - lane * vectors) * N;
    const unsigned first = blockIdx.x * slab, end = min(first + slab, pixels);
    if (lane < lanes) {
        const Slope<T, N> slope(means, means + groups, weight, bias, channel, channels / groups);
        float sum[N], product[N];
#pragma unroll
        for (int j = 0; j < N; j++) sum[j] = product[j] = 0.0f;
#pragma unroll 2
        for (unsigned pixel = first + lane; pixel < end; pixel += lanes) {
            const uint64_t at = offset + (uint64_t)pixel * channels + channel;
            const V value = *reinterpret_cast<const V*>(x + at);
            const V of_value = *reinterpret_cast<const V*>(gradient + at);
#pragma unroll
            for (int j = 0; j < N; j++) {
                const float normal = slope.normal(j, value.at[j]);
                const float found = slope.of(j, normal, of_value.at[j], with_silu);
                sum[j] += found;
                product[j] += found * normal;
            }
        }
#pragma unroll
        for (int j = 0; j < N; j++) {
            sums[(lane + 1) * channels + channel + j] = sum[j];
            products[(lane + 1) * channels + channel + j] = product[j];
        }
    }
    sum_groups(slopes, sums, products, channels, groups, lanes);
}

// Shared memory holds 4 * groups floats.
template <typename T, int N>
__device__ void group_gradient(T* out, const T* gradient, const T* x, const float* partial, const float* slopes,
                               const T* weight, const T* bias, float eps, unsigned pixels, unsigned channels,
                               unsigned groups, unsigned slabs, unsigned slab, unsigned lanes, int with_silu) {
    using V = Vec<T, N>;
    extern __shared__ float shared[];
    float* means = shared;
    float* sums = shared + 2 * groups;
    const uint64_t offset = (uint64_t)blockIdx.y * pixels * channels;
    const unsigned of_group = channels / groups;
    for (unsigned group = threadIdx.x; group < groups; group += blockDim.x) {
        float sum = 0.0f, product = 0.0f;
        for (unsigned s = 0; s < slabs; s++) {
            const float* from = slopes + (((uint64_t)blockIdx.y * slabs + s) * groups + group) * 2;
            sum += from[0];
            product += from[1];
        }
        const float count = (float)pixels * of_group;
        sums[group] = sum / count;
        sums[groups + group] = product / count;
    }
    group_statistics(means, means + groups, x + offset, partial, eps, pixels, channels, groups, slabs);
    const unsigned vectors = channels / N;
    const unsigned lane = threadIdx.x / vectors, channel = (threadIdx.x - lane * vectors) * N;
    if (lane >= lanes) return;
    const Slope<T, N> slope(means, means + groups, weight, bias, channel, of_group);
    const unsigned first = blockIdx.x * slab, end = min(first + slab, pixels);
#pragma unroll 2
    for (unsigned pixel = first + lane; pixel < end; pixel += lanes) {
        const uint64_t at = offset + (uint64_t)pixel * channels + channel;
        const V value = *reinterpret_cast<const V*>(x + at);
        const V of_value = *reinterpret_cast<const V*>(gradient + at);
        V result;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const unsigned group = (channel + j) / of_group;
            const float normal = slope.normal(j, value.at[j]);
            const float found = slope.of(j, normal, of_value.at[j], with_silu);
            result.at[j] = narrow<T>((found - sums[group] - normal * sums[groups + group]) * slope.scale[j]);
        }
        *reinterpret_cast<V*>(out + at) = result;
    }
}

__device__ __forceinline__ float sum_of_warp(float x) {
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2) x += __shfl_xor_sync(0xffffffff, x, apart);
    return x;
}

// Layer norm of [tokens, channels], one warp for each token.
template <typename T, int N>
__device__ void layer_norm(T* out, const T* x, const T* weight, const T* bias, float eps, unsigned channels,
                           unsigned tokens) {
    using V = Vec<T, N>;
    const unsigned token = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (token >= tokens) return;
    const T* from = x + (uint64_t)token * channels;
    const unsigned first = threadIdx.x % 32 * N;
    // The values of up to KEPT * 32 * N channels stay in registers, so that they are read once.
    constexpr int KEPT = 40 / N;
    const bool fits = channels <= KEPT * 32 * N;
    V kept[KEPT];
    float sum = 0.0f;
    const auto add = [&](const V& value) {
#pragma unroll
        for (int j = 0; j < N; j++) sum += widen(value.at[j]);
    };
    if (fits) {
#pragma unroll
        for (int k = 0; k < KEPT; k++) {
            if (first + k * 32 * N < channels) {
                kept[k] = *reinterpret_cast<const V*>(from + first + k * 32 * N);
                add(kept[k]);
            }
        }
    } else {
        for (unsigned c = first; c < channels; c += 32 * N) add(*reinterpret_cast<const V*>(from + c));
    }
    const float mean = sum_of_warp(sum) / channels;
    float square = 0.0f;
    const auto add_square = [&](const V& value) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float centred = widen(value.at[j]) - mean;
            square += centred * centred;
        }
    };
    if (fits) {
#pragma unroll
        for (int k = 0; k < KEPT; k++)
            if (first + k * 32 * N < channels) add_square(kept[k]);
    } else {
        for (unsigned c = first; c < channels; c += 32 * N) add_square(*reinterpret_cast<const V*>(from + c));
    }
    const float scale = 1.0f / sqrtf(sum_of_warp(square) / channels + eps);
    const auto write = [&](const V& value, unsigned c) {
        const V weights = *reinterpret_cast<const V*>(weight + c);
        const V biases = *reinterpret_cast<const V*>(bias + c);
        V result;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float normal = (widen(value.at[j]) - mean) * scale;
            result.at[j] = narrow<T>(normal * widen(weights.at[j]) + widen(biases.at[j]));
        }
        *reinterpret_cast<V*>(out + (uint64_t)token * channels + c) = result;
    };
    if (fits) {
#pragma unroll
        for (int k = 0; k < KEPT; k++)
            if (first + k * 32 * N < channels) write(kept[k], first + k * 32 * N);
    } else {
        for (unsigned c = first; c < channels; c += 32 * N) write(*reinterpret_cast<const V*>(from + c), c);
    }
}

// The gradient of a layer norm: (g - mean(g) - n mean(g n)) / deviation, as for group norm; one warp for each token.
template <typename T, int N>
__device__ void layer_gradient(T* out, const T* gradient, const T* x, const T* weight, float eps, unsigned channels,
                               unsigned tokens) {
    using V = Vec<T, N>;
    const unsigned token = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (token >= tokens) return;
    const uint64_t offset = (uint64_t)token * channels;
    const unsigned first = threadIdx.x % 32 * N;
    const auto each = [&](auto visit) {
        for (unsigned c = first; c < channels; c += 32 * N) {
            const V value = *reinterpret_cast<const V*>(x + offset + c);
#pragma unroll
            for (int j = 0; j < N; j++) visit(widen(value.at[j]), c + j);
        }
    };
    float sum = 0.0f, square = 0.0f;
    each([&](float value, unsigned) { sum += value; });
    const float mean = sum_of_warp(sum) / channels;
    each([&](float value, unsigned) { square += (value - mean) * (value - mean); });
    const float scale = 1.0f / sqrtf(sum_of_warp(square) / channels + eps);
    float slopes = 0.0f, products = 0.0f;
    each([&](float value, unsigned c) {
        const float slope = widen(gradient[offset + c]) * widen(weight[c]);
        slopes += slope;
        products += slope * (value - mean) * scale;
    });
    slopes = sum_of_warp(slopes) / channels;
    products = sum_of_warp(products) / channels;
    for (unsigned c = first; c < channels; c += 32 * N) {
        const V value = *reinterpret_cast<const V*>(x + offset + c);
        V result;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float slope = widen(gradient[offset + c + j]) * widen(weight[c + j]);
            const float normal = (widen(value.at[j]) - mean) * scale;
            result.at[j] = narrow<T>((slope - slopes - normal * products) * scale);
        }
        *reinterpret_cast<V*>(out + offset + c) = result;
    }
}

#define NORM(NAME, T, SUFFIX, N)                                                                                      \
    extern "C" __global__ void group_sums_##NAME##SUFFIX(float* partial, const T* x, unsigned pixels,                 \
                                                         unsigned channels, unsigned groups, unsigned slab,           \
                                                         unsigned lanes) {                                            \
        group_sums<T, N>(partial, x, pixels, channels, groups, slab, lanes);                                          \
    }                                                                                                                 \
    extern "C" __global__ void group_norm_##NAME##SUFFIX(                                                             \
        T* out, const T* x, const float* partial, const T* weight, const T* bias, float eps, unsigned pixels,         \
        unsigned channels, unsigned groups, unsigned slabs, unsigned slab, unsigned lanes, int with_silu) {           \
        group_norm<T, N>(out, x, partial, weight, bias, eps, pixels, channels, groups, slabs, slab, lanes,            \
                         with_silu);                                                                                  \
    }                                                                                                                 \
    extern "C" __global__ void layer_norm_##NAME##SUFFIX(T* out, const T* x, const T* weight, const T* bias,          \
                                                         float eps, unsigned channels, unsigned tokens) {             \
        layer_norm<T, N>(out, x, weight, bias, eps, channels, tokens);                                                \
    }                                                                                                                 \
    extern "C" __global__ void group_gradient_sums_##NAME##SUFFIX(                                                    \
        float* slopes, const T* gradient, const T* x, const float* partial, const T* weight, const T* bias,           \
        float eps, unsigned pixels, unsigned channels, unsigned groups, unsigned slabs, unsigned slab,                \
        unsigned lanes, int with_silu) {                                                                              \
        group_gradient_sums<T, N>(slopes, gradient, x, partial, weight, bias, eps, pixels, channels, groups, slabs,   \
                                  slab, lanes, with_silu);                                                            \
    }                                                                                                                 \
    extern "C" __global__ void group_gradient_##NAME##SUFFIX(                                                         \
        T* out, const T* gradient, const T* x, const float* partial, const float* slopes, const T* weight,            \
        const T* bias, float eps, unsigned pixels, unsigned channels, unsigned groups, unsigned slabs, unsigned slab, \
        unsigned lanes, int with_silu) {                                                                              \
        group_gradient<T, N>(out, gradient, x, partial, slopes, weight, bias, eps, pixels, channels, groups, slabs,   \
                             slab, lanes, with_silu);                                                                 \
    }                                                                                                                 \
    extern "C" __global__ void layer_gradient_##NAME##SUFFIX(T* out, const T* gradient, const T* x, const T* weight,  \
                                                             float eps, unsigned channels, unsigned tokens) {         \
        layer_gradient<T, N>(out, gradient, x, weight, eps, channels, tokens);                                        \
    }
#define INSTANTIATE(NAME, T)      \
    NORM(NAME, T, _wide, WIDE<T>) \
    NORM(NAME, T, _one, 1)
FOR_EACH_DTYPE(INSTANTIATE)
