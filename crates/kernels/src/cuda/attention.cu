// Attention in tiles that keeps no scores in memory: FlashAttention-2 (Dao, arXiv 2307.08691), with the matrix
// instructions of compute capability 8.0 and later. Half precision only; products are summed in f32.
#include "common.cuh"

namespace {

constexpr int WARPS = 4;

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// Copies 16 bytes to shared memory without waiting; zeros if not `inside`.
__device__ __forceinline__ void copy_async(void* to, const void* from, bool inside) {
    const int bytes = inside ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(bytes));
}

// Ends a group of copies.
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;\n"); }

// Waits until at most PENDING groups of this thread's copies are under way.
template <int PENDING> __device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(PENDING));
}

// Four 8x8 matrices of 16-bit values; each thread gives the address of one row.
__device__ __forceinline__ void load_matrices(uint32_t (&to)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row)));
}

__device__ __forceinline__ void load_transposed(uint32_t (&to)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row)));
}

// sum += a * b with a of 16x16, b of 16x8.
template <typename T>
__device__ __forceinline__ void multiply(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

template <>
__device__ __forceinline__ void multiply<__half>(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};\n"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <>
__device__ __forceinline__ void multiply<__nv_bfloat16>(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                                        uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};\n"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two values as one register of a matrix.
__device__ __forceinline__ uint32_t pack(float low, float high, __half) {
    const __half2 pair = __floats2half2_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
}

__device__ __forceinline__ uint32_t pack(float low, float high, __nv_bfloat16) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
}

__device__ __forceinline__ float power_of_two(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(result) : "f"(x));
    return result;
}

// Rows first .. first + COUNT of [keys, heads, D] in shared memory with rows of LINE elements; zeros after the last key.
template <typename T, int D, int COUNT, int LINE>
__device__ __forceinline__ void load_tile(T* to, const T* from, int first, int keys, int stride) {
    constexpr int CHUNKS = D / 8;
#pragma unroll
    for (int i = threadIdx.x; i < COUNT * CHUNKS; i += WARPS * 32) {
        const int row = i / CHUNKS, column = (i - row * CHUNKS) * 8;
        const bool inside = first + row < keys;
        const T* source = from + (inside ? (int64_t)(first + row) * stride + column : 0);
        copy_async(to + row * LINE + column, source, inside);
    }
}

// One block computes 16 * TILES * WARPS queries of one head of one row of the batch, each warp 16 * TILES of them.
// Tensors are [rows, positions, heads * D]; D is a multiple of 8. `scale` multiplies the scores.
template <typename T, int D, int TILES, int KEYS>
__device__ void attention(T* out, const T* q, const T* k, const T* v, int heads, int queries, int keys, float scale,
                          int causal) {
    constexpr int DEPTH = (D + 15) / 16;   // steps of 16 along the head's channels in q * k
    constexpr int LINE = DEPTH * 16 + 8;   // elements of a row in shared memory: no bank conflicts
    constexpr int OUTS = D / 8;            // steps of 8 along the head's channels in p * v
    __shared__ alignas(16) T keys_tile[2][KEYS * LINE];
    __shared__ alignas(16) T values_tile[2][KEYS * LINE];

    const int warp = threadIdx.x / 32, thread = threadIdx.x % 32;
    const int row = blockIdx.y / heads, head = blockIdx.y - row * heads;
    const int stride = heads * D;
    q += (int64_t)row * queries * stride + head * D;
    k += (int64_t)row * keys * stride + head * D;
    v += (int64_t)row * keys * stride + head * D;
    out += (int64_t)row * queries * stride + head * D;
    const int first_query = (blockIdx.x * WARPS + warp) * 16 * TILES;

    // The channels beyond D that the steps of 16 read are zeros.
    if (DEPTH * 16 > D) {
        for (int i = threadIdx.x; i < 2 * KEYS * 8; i += WARPS * 32) {
            const int line = i / 8;
            keys_tile[line / KEYS][line % KEYS * LINE + D + i % 8] = narrow<T>(0.0f);
        }
    }

    uint32_t of_q[TILES][DEPTH][4];
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
#pragma unroll
        for (int step = 0; step < DEPTH; step++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int query = first_query + tile * 16 + thread / 4 + i % 2 * 8;
                const int channel = step * 16 + thread % 4 * 2 + i / 2 * 8;
                const bool inside = query < queries && channel < D;
                of_q[tile][step][i] =
                    inside ? *reinterpret_cast<const uint32_t*>(q + (int64_t)query * stride + channel) : 0;
            }

    float sums[TILES][OUTS][4], largest[TILES][2], total[TILES][2];
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
        for (int n = 0; n < OUTS; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) sums[tile][n][i] = 0.0f;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            largest[tile][i] = -INFINITY;
            total[tile][i] = 0.0f;
        }
    }

    // exp(x) is computed as 2^(x log2 e).
    const float factor = scale * 1.4426950408889634f;
    int end = keys;
    if (causal) end = min(keys, (int)(blockIdx.x + 1) * WARPS * 16 * TILES);
    const int tiles = (end + KEYS - 1) / KEYS;
    load_tile<T, D, KEYS, LINE>(keys_tile[0], k, 0, keys, stride);
    load_tile<T, D, KEYS, LINE>(values_tile[0], v, 0, keys, stride);
    commit_copies();
    for (int at = 0; at < tiles; at++) {
        if (at + 1 < tiles) {
            load_tile<T, D, KEYS, LINE>(keys_tile[(at + 1) % 2], k, (at + 1) * KEYS, keys, stride);
            load_tile<T, D, KEYS, LINE>(values_tile[(at + 1) % 2], v, (at + 1) * KEYS, keys, stride);
            commit_copies();
            wait_for_copies<1>();
        } else {
            wait_for_copies<0>();
        }
        __syncthreads();
        const T* tile_of_keys = keys_tile[at % 2];
        const T* tile_of_values = values_tile[at % 2];

        float scores[TILES][KEYS / 8][4];
#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) scores[tile][n][i] = 0.0f;
#pragma unroll
        for (int step = 0; step < DEPTH; step++)
#pragma unroll
            for (int n = 0; n < KEYS / 8; n += 2) {
                uint32_t of_k[4];
                const int key = n * 8 + thread / 16 * 8 + thread % 8, channel = step * 16 + thread / 8 % 2 * 8;
                load_matrices(of_k, tile_of_keys + key * LINE + channel);
#pragma unroll
                for (int tile = 0; tile < TILES; tile++) {
                    multiply<T>(scores[tile][n], of_q[tile][step], of_k[0], of_k[1]);
                    multiply<T>(scores[tile][n + 1], of_q[tile][step], of_k[2], of_k[3]);
                }
            }

        if ((at + 1) * KEYS > keys || causal) {
#pragma unroll
            for (int tile = 0; tile < TILES; tile++)
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        const int key = at * KEYS + n * 8 + thread % 4 * 2 + i % 2;
                        const int query = first_query + tile * 16 + thread / 4 + i / 2 * 8;
                        if (key >= keys || (causal && key > query)) scores[tile][n][i] = -INFINITY;
                    }
        }

#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float most = largest[tile][half];
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
                    most = fmaxf(most, fmaxf(scores[tile][n][2 * half], scores[tile][n][2 * half + 1]));
                most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, 1));
                most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, 2));
                const float shrink = power_of_two((largest[tile][half] - most) * factor);
                largest[tile][half] = most;
                const float offset = most * factor;
                float sum = 0.0f;
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                    for (int i = 2 * half; i < 2 * half + 2; i++) {
                        const float power = power_of_two(fmaf(scores[tile][n][i], factor, -offset));
                        scores[tile][n][i] = power;
                        sum += power;
                    }
                total[tile][half] = total[tile][half] * shrink + sum;
#pragma unroll
                for (int n = 0; n < OUTS; n++) {
                    sums[tile][n][2 * half] *= shrink;
                    sums[tile][n][2 * half + 1] *= shrink;
                }
            }

#pragma unroll
        for (int step = 0; step < KEYS / 16; step++) {
            uint32_t of_p[TILES][4];
#pragma unroll
            for (int tile = 0; tile < TILES; tile++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const float* pair = &scores[tile][2 * step + i / 2][i % 2 * 2];
                    of_p[tile][i] = pack(pair[0], pair[1], T());
                }
            const int key = step * 16 + thread % 16;
#pragma unroll
            for (int n = 0; n < OUTS; n += 2) {
                // The last matrices of an odd number of steps are read from the padding of the rows, and not used.
                uint32_t of_v[4];
                load_transposed(of_v, tile_of_values + key * LINE + n * 8 + thread / 16 * 8);
#pragma unroll
                for (int tile = 0; tile < TILES; tile++) {
                    multiply<T>(sums[tile][n], of_p[tile], of_v[0], of_v[1]);
                    if (n + 1 < OUTS) multiply<T>(sums[tile][n + 1], of_p[tile], of_v[2], of_v[3]);
                }
            }
        }
        __syncthreads();
    }

#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = total[tile][half];
            sum += __shfl_xor_sync(0xffffffff, sum, 1);
            sum += __shfl_xor_sync(0xffffffff, sum, 2);
            const int query = first_query + tile * 16 + thread / 4 + half * 8;
            if (query >= queries) continue;
            T* to = out + (int64_t)query * stride + thread % 4 * 2;
#pragma unroll
            for (int n = 0; n < OUTS; n++)
                *reinterpret_cast<uint32_t*>(to + n * 8) =
                    pack(sums[tile][n][2 * half] / sum, sums[tile][n][2 * half + 1] / sum, T());
        }
}

}  // namespace

// Head sizes up to 80 have 128 queries a block and tiles of 64 keys; larger ones 64 and 32, to fit in the registers and
// in 48 KiB of shared memory. `attention.rs` has the same table.
#define ATTENTION(NAME, T, D, TILES, KEYS)                                                                           \
    extern "C" __global__ void __launch_bounds__(WARPS * 32)                                                         \
        attention_##NAME##_##D(T* out, const T* q, const T* k, const T* v, int heads, int queries, int keys,         \
                               float scale, int causal) {                                                            \
        attention<T, D, TILES, KEYS>(out, q, k, v, heads, queries, keys, scale, causal);                             \
    }
#define INSTANTIATE(NAME, T)       \
    ATTENTION(NAME, T, 8, 2, 64)   \
    ATTENTION(NAME, T, 16, 2, 64)  \
    ATTENTION(NAME, T, 32, 2, 64)  \
    ATTENTION(NAME, T, 40, 2, 64)  \
    ATTENTION(NAME, T, 64, 2, 64)  \
    ATTENTION(NAME, T, 80, 2, 64)  \
    ATTENTION(NAME, T, 96, 1, 32)  \
    ATTENTION(NAME, T, 128, 1, 32) \
    ATTENTION(NAME, T, 160, 1, 32)
INSTANTIATE(f16, __half)
INSTANTIATE(bf16, __nv_bfloat16)
