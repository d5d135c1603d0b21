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

#define IM2COL(NAME, T, SUFFIX, N)                                                                                    \
    extern "C" __global__ void im2col_##NAME##SUFFIX(T* out, const T* x, unsigned channels, int height, int width,    \
                                                     unsigned out_height, unsigned out_width, unsigned kernel,        \
                                                     int stride, int before, unsigned first, unsigned count) {        \
        im2col<T, N>(out, x, channels, height, width, out_height, out_width, kernel, stride, before, first, count);   \
    }
#define INSTANTIATE(NAME, T)        \
    IM2COL(NAME, T, _wide, WIDE<T>) \
    IM2COL(NAME, T, _one, 1)
FOR_EACH_DTYPE(INSTANTIATE)
