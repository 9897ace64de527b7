// task: rmsnorm
// scale: 100000
// Items a thread as a template argument, chosen by the width in a chain of ifs; the row is read from memory once.
#include <torch/extension.h>

template <int THREADS, int ITEMS>
__global__ void __launch_bounds__(THREADS) rms_kernel(const float* __restrict__ x, const float* __restrict__ weight, float* __restrict__ y, int n, float eps) {
    static_assert(THREADS % 32 == 0, "whole warps");
    __shared__ float warp_ss[THREADS / 32];
    float v[ITEMS];
    float ss = 0.f;
    const float* in = x + (int64_t)blockIdx.x * n;
    #pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        int i = k * THREADS + threadIdx.x;
        v[k] = (i < n) ? in[i] : 0.f;
        ss += v[k] * v[k];
    }
    #pragma unroll
    for (int o = 16; o > 0; o >>= 1) ss += __shfl_xor_sync(0xffffffff, ss, o);
    if (threadIdx.x % 32 == 0) warp_ss[threadIdx.x / 32] = ss;
    __syncthreads();
    ss = 0.f;
    #pragma unroll
    for (int w = 0; w < THREADS / 32; w++) ss += warp_ss[w];
    const float r = rsqrtf(ss / n + eps);
    #pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        int i = k * THREADS + threadIdx.x;
        if (i < n) y[(int64_t)blockIdx.x * n + i] = v[k] * r * weight[i];
    }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, double eps) {
    const int n = x.size(-1), rows = x.numel() / n;
    auto y = torch::empty_like(x);
#define RUN(ITEMS) rms_kernel<128, ITEMS><<<rows, 128>>>(x.data_ptr<float>(), weight.data_ptr<float>(), y.data_ptr<float>(), n, (float)eps)
    if (n <= 128) { RUN(1); }
    else if (n <= 256) { RUN(2); }
    else if (n <= 512) { RUN(4); }
    else if (n <= 1024) { RUN(8); }
    else if (n <= 2048) { RUN(16); }
    else { TORCH_CHECK(false, "rows of at most 2048 elements, got ", n); }
#undef RUN
    return y;
}
