// What all kernels share: element types, and vectors of 16 bytes.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(__half x) { return __half2float(x); }
__device__ __forceinline__ float widen(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename T> __device__ __forceinline__ T narrow(float x);
template <> __device__ __forceinline__ float narrow<float>(float x) { return x; }
template <> __device__ __forceinline__ __half narrow<__half>(float x) { return __float2half_rn(x); }
template <> __device__ __forceinline__ __nv_bfloat16 narrow<__nv_bfloat16>(float x) { return __float2bfloat16_rn(x); }

// N elements that are read and written at once; aligned to their size, 16 bytes at most.
template <typename T, int N> struct alignas(sizeof(T) * N) Vec {
    T at[N];
};

// Elements in 16 bytes.
template <typename T> constexpr int WIDE = 16 / sizeof(T);

__device__ __forceinline__ float silu(float x) { return x / (1.0f + expf(-x)); }

// GELU by the error function.
__device__ __forceinline__ float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

// The three element types of a kernel template, each as a kernel that can be found by name.
#define FOR_EACH_DTYPE(INSTANTIATE) \
    INSTANTIATE(f32, float)         \
    INSTANTIATE(f16, __half)        \
    INSTANTIATE(bf16, __nv_bfloat16)
