// task: relu_large
// scale: 200000
// float4 in a grid-stride loop as wide as the GPU (cudaDeviceGetAttribute), the rest by the first threads.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

__device__ __forceinline__ float4 relu4(float4 v) {
    return make_float4(v.x > 0.f ? v.x : 0.f, v.y > 0.f ? v.y : 0.f, v.z > 0.f ? v.z : 0.f, v.w > 0.f ? v.w : 0.f);
}

__global__ void relu_kernel(const float* __restrict__ x, float* __restrict__ y, int64_t n) {
    const int64_t thread = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x, threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
    const int64_t quads = n / 4;
    for (int64_t i = thread; i < quads; i += threads)
        __stcs(reinterpret_cast<float4*>(y) + i, relu4(__ldcs(reinterpret_cast<const float4*>(x) + i)));
    for (int64_t i = 4 * quads + thread; i < n; i += threads) y[i] = fmaxf(x[i], 0.f);
}

torch::Tensor forward(torch::Tensor x) {
    x = x.contiguous();
    auto y = torch::empty_like(x);
    int device = 0, processors = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    relu_kernel<<<processors * 4, 512, 0, at::cuda::getCurrentCUDAStream()>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel());
    return y;
}
