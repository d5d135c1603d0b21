// Convolutions of channels-last images in half precision, as matrix products whose left matrix, the patches, is read from
// the image while multiplying. Products are summed in f32; bias, shift and image are added before the sum is rounded.
#include "matrix.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int PIXELS = 128;  // of a block's tile
constexpr int DEPTH = 32;    // input channels of a step; they belong to one position of the kernel
constexpr int STAGES = 4;    // steps whose operands are in shared memory or on the way
constexpr int LINE = DEPTH + 8;  // elements of a row in shared memory: no bank conflicts

// One block computes PIXELS output pixels of OUTS channels; its 8 warps are 2 along the pixels and 4 along the channels.
// x is [rows, height, width, channels] with channels a multiple of DEPTH, `weight` [outputs, kernel, kernel, channels],
// `bias` [outputs], `shift` [rows, outputs], `image` as `out` [rows, out_height, out_width, outputs], with an even number
// of outputs; bias, shift and image may be null.
template <typename T, int OUTS>
__device__ void convolve(T* out, const T* x, const T* weight, const T* bias, const T* shift, const T* image,
                         int channels, int height, int width, int outputs, int out_height, int out_width, int kernel,
                         int stride, int before, int pixels) {
    constexpr int OF_WARP = OUTS / 4 / 8;  // steps of 8 output channels of a warp
    constexpr int COPIES = (PIXELS * DEPTH / 8) / THREADS;
    constexpr int WEIGHTS = OUTS * DEPTH / 8;
    extern __shared__ uint4 shared[];
    T* patches = reinterpret_cast<T*>(shared);
    T* weights = patches + STAGES * PIXELS * LINE;

    const int across = (outputs + OUTS - 1) / OUTS;
    const int first_out = blockIdx.x % across * OUTS;
    const int first_pixel = blockIdx.x / across * PIXELS;
    const int warp = threadIdx.x / 32, thread = threadIdx.x % 32;
    const int warp_pixel = warp / 4 * 64, warp_out = warp % 4 * (OUTS / 4);

    // What this thread copies of the patches: the same 8 channels of a step, of these pixels.
    const T* of_row[COPIES];
    int top[COPIES], left[COPIES];
#pragma unroll
    for (int i = 0; i < COPIES; i++) {
        const int pixel = first_pixel + threadIdx.x / 4 + i * (THREADS / 4);
        const int line = pixel / out_width, row = line / out_height;
        // No pixel of the image: all of its patch is outside.
        top[i] = pixel < pixels ? (line - row * out_height) * stride - before : -(1 << 28);
        left[i] = (pixel - line * out_width) * stride - before;
        of_row[i] = x + (pixel < pixels ? (int64_t)row * height * width * channels : 0) + threadIdx.x % 4 * 8;
    }
    const int depth = kernel * kernel * channels, steps = depth / DEPTH;
    int next = 0, next_y = 0, next_x = 0, next_channel = 0;
    const auto load = [&]() {
        if (next < steps) {
            T* to = patches + next % STAGES * PIXELS * LINE;
#pragma unroll
            for (int i = 0; i < COPIES; i++) {
                const int y = top[i] + next_y, at = left[i] + next_x;
                const bool inside = y >= 0 && y < height && at >= 0 && at < width;
                const T* from = of_row[i] + (inside ? ((int64_t)y * width + at) * channels + next_channel : 0);
                const int line = threadIdx.x / 4 + i * (THREADS / 4);
                copy_async(to + line * LINE + threadIdx.x % 4 * 8, from, inside);
            }
            to = weights + next % STAGES * OUTS * LINE;
#pragma unroll
            for (int i = threadIdx.x; i < WEIGHTS; i += THREADS) {
                const int line = i / 4, of_out = first_out + line;
                const bool inside = of_out < outputs;
                const T* from = weight + (inside ? (int64_t)of_out * depth + next * DEPTH + i % 4 * 8 : 0);
                copy_async(to + line * LINE + i % 4 * 8, from, inside);
            }
            next++;
            next_channel += DEPTH;
            if (next_channel == channels) {
                next_channel = 0;
                if (++next_x == kernel) {
                    next_x = 0;
                    next_y++;
                }
            }
        }
        // Also without copies, so that the number of groups tells which steps have arrived.
        commit_copies();
    };

    float sums[4][OF_WARP][4];
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int n = 0; n < OF_WARP; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) sums[m][n][i] = 0.0f;

    for (int i = 0; i < STAGES - 1; i++) load();
    for (int step = 0; step < steps; step++) {
        wait_for_copies<STAGES - 2>();
        __syncthreads();
        load();
        const T* of_patches = patches + step % STAGES * PIXELS * LINE + warp_pixel * LINE;
        const T* of_weights = weights + step % STAGES * OUTS * LINE + warp_out * LINE;
#pragma unroll
        for (int k = 0; k < DEPTH; k += 16) {
            uint32_t a[4][4];
#pragma unroll
            for (int m = 0; m < 4; m++)
                load_matrices(a[m], of_patches + (m * 16 + thread % 16) * LINE + k + thread / 16 * 8);
#pragma unroll
            for (int n = 0; n < OF_WARP; n += 2) {
                // The second half of the last matrices of an odd number of steps is not used; its rows exist, as those
                // of the next warp or of what follows in shared memory.
                uint32_t b[4];
                const int line = n * 8 + (n + 1 < OF_WARP ? thread / 16 * 8 : 0) + thread % 8;
                load_matrices(b, of_weights + line * LINE + k + thread / 8 % 2 * 8);
#pragma unroll
                for (int m = 0; m < 4; m++) {
                    multiply<T>(sums[m][n], a[m], b[0], b[1]);
                    if (n + 1 < OF_WARP) multiply<T>(sums[m][n + 1], a[m], b[2], b[3]);
                }
            }
        }
    }
    wait_for_copies<0>();

    const auto more = [](float& low, float& high, const T* from) {
        const Vec<T, 2> pair = *reinterpret_cast<const Vec<T, 2>*>(from);
        low += widen(pair.at[0]);
        high += widen(pair.at[1]);
    };
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int pixel = first_pixel + warp_pixel + m * 16 + half * 8 + thread / 4;
            if (pixel >= pixels) continue;
            const int row = pixel / (out_height * out_width);
#pragma unroll
            for (int n = 0; n < OF_WARP; n++) {
                const int of_out = first_out + warp_out + n * 8 + thread % 4 * 2;
                if (of_out >= outputs) continue;
                float low = sums[m][n][2 * half], high = sums[m][n][2 * half + 1];
                const int64_t at = (int64_t)pixel * outputs + of_out;
                if (bias) more(low, high, bias + of_out);
                if (shift) more(low, high, shift + (int64_t)row * outputs + of_out);
                if (image) more(low, high, image + at);
                *reinterpret_cast<uint32_t*>(out + at) = pack(low, high, T());
            }
        }
}

}  // namespace

// `conv.rs` has the same tiles.
#define CONV(NAME, T, OUTS)                                                                                         \
    extern "C" __global__ void __launch_bounds__(THREADS, 2)                                                        \
        conv_##NAME##_##OUTS(T* out, const T* x, const T* weight, const T* bias, const T* shift, const T* image,    \
                             int channels, int height, int width, int outputs, int out_height, int out_width,       \
                             int kernel, int stride, int before, int pixels) {                                      \
        convolve<T, OUTS>(out, x, weight, bias, shift, image, channels, height, width, outputs, out_height,         \
                          out_width, kernel, stride, before, pixels);                                               \
    }
#define INSTANTIATE(NAME, T) \
    CONV(NAME, T, 32)        \
    CONV(NAME, T, 128)       \
    CONV(NAME, T, 160)
INSTANTIATE(f16, __half)
INSTANTIATE(bf16, __nv_bfloat16)
