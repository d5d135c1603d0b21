// The patches of a convolution as the rows of a matrix, so that the convolution is a matrix product.
#include "common.cuh"

// Rows `first` and following of the matrix: out[row, (ky * kernel + kx) * channels + c] is the input's channel c at the
// output pixel's kernel position (ky, kx), or 0 outside the image. x is channels-last. Each thread copies vectors of N
// elements; N divides channels; `count` is the number of vectors of `out`, below 2^31.
template <typename T, int N>
__device__ void im2col(T* out, const T* x, unsigned channels, int height, int width, unsigned out_height,
                       unsigned out_width, unsigned kernel, int stride, int before, unsigned first, unsigned count) {
    using V = Vec<T, N>;
    const unsigned vectors = channels / N, taps = kernel * kernel, step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const unsigned position = i / vectors, vector = i - position * vectors;
        const unsigned of_matrix = position / taps, tap = position - of_matrix * taps;
        const unsigned pixel = first + of_matrix;
        const unsigned line = pixel / out_width, row = line / out_height;
        const int out_x = pixel - line * out_width, out_y = line - row * out_height;
        const int ky = tap / kernel, kx = tap - ky * kernel;
        const int y = out_y * stride + ky - before, from_x = out_x * stride + kx - before;
        V value;
        if (y >= 0 && y < height && from_x >= 0 && from_x < width) {
            const uint64_t from = (((uint64_t)row * height + y) * width + from_x) * channels + vector * N;
            value = *reinterpret_cast<const V*>(x + from);
        } else {
#pragma unroll
            for (int j = 0; j < N; j++) value.at[j] = narrow<T>(0.0f);
        }
        *reinterpret_cast<V*>(out + (uint64_t)i * N) = value;
    }
}

// The reverse, for gradients: out[row, y, x, c], an image of `height` x `width`, is the sum of what the rows of the matrix have at
// the kernel's positions that read this value in `im2col`. Sums are in f32, in the order of the positions. `patches` is the matrix
// of the whole image; `count` is the number of vectors of `out`.
template <typename T, int N>
__device__ void col2im(T* out, const T* patches, unsigned channels, int height, int width, int out_height,
                       int out_width, int kernel, int stride, int before, unsigned count) {
    using V = Vec<T, N>;
    const unsigned vectors = channels / N, step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const unsigned pixel = i / vectors, vector = i - pixel * vectors;
        const unsigned line = pixel / width, row = line / height;
        const int x = pixel - line * width, y = line - row * height;
        float sum[N];
#pragma unroll
        for (int j = 0; j < N; j++) sum[j] = 0.0f;
        for (int ky = 0; ky < kernel; ky++) {
            const int from_y = y + before - ky;
            if (from_y < 0 || from_y % stride != 0 || from_y / stride >= out_height) continue;
            for (int kx = 0; kx < kernel; kx++) {
                const int from_x = x + before - kx;
                if (from_x < 0 || from_x % stride != 0 || from_x / stride >= out_width) continue;
                const uint64_t of_matrix = ((uint64_t)row * out_height + from_y / stride) * out_width + from_x / stride;
                const uint64_t from = ((of_matrix * kernel + ky) * kernel + kx) * channels + vector * N;
                const V value = *reinterpret_cast<const V*>(patches + from);
#pragma unroll
                for (int j = 0; j < N; j++) sum[j] += widen(value.at[j]);
            }
        }
        V result;
#pragma unroll
        for (int j = 0; j < N; j++) result.at[j] = narrow<T>(sum[j]);
        *reinterpret_cast<V*>(out + (uint64_t)i * N) = result;
    }
}

#define IM2COL(NAME, T, SUFFIX, N)                                                                                    \
    extern "C" __global__ void im2col_##NAME##SUFFIX(T* out, const T* x, unsigned channels, int height, int width,    \
                                                     unsigned out_height, unsigned out_width, unsigned kernel,        \
                                                     int stride, int before, unsigned first, unsigned count) {        \
        im2col<T, N>(out, x, channels, height, width, out_height, out_width, kernel, stride, before, first, count);   \
    }                                                                                                                 \
    extern "C" __global__ void col2im_##NAME##SUFFIX(T* out, const T* patches, unsigned channels, int height,         \
                                                     int width, int out_height, int out_width, int kernel,            \
                                                     int stride, int before, unsigned count) {                        \
        col2im<T, N>(out, patches, channels, height, width, out_height, out_width, kernel, stride, before, count);    \
    }
#define INSTANTIATE(NAME, T)        \
    IM2COL(NAME, T, _wide, WIDE<T>) \
    IM2COL(NAME, T, _one, 1)
FOR_EACH_DTYPE(INSTANTIATE)
