// task: layernorm
// Mean and variance by Welford's update in each thread and Chan's merge between threads.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

namespace {

struct Moments {
    float mean, m2, count;
};

__device__ __forceinline__ Moments merge(const Moments& a, const Moments& b) {
    float count = a.count + b.count;
    if (count == 0.f) return a;
    float delta = b.mean - a.mean;
    return {a.mean + delta * b.count / count, a.m2 + b.m2 + delta * delta * a.count * b.count / count, count};
}

template <int THREADS>
__global__ void __launch_bounds__(THREADS) layer_norm_kernel(
    const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
    float* __restrict__ y, int features, float eps) {
    __shared__ Moments shared[THREADS];
    const float* row = x + static_cast<int64_t>(blockIdx.x) * features;
    Moments m{0.f, 0.f, 0.f};
    for (int i = threadIdx.x; i < features; i += THREADS) {
        float v = row[i];
        m.count += 1.f;
        float delta = v - m.mean;
        m.mean += delta / m.count;
        m.m2 += delta * (v - m.mean);
    }
    shared[threadIdx.x] = m;
    __syncthreads();
    #pragma unroll
    for (int s = THREADS / 2; s > 0; s >>= 1) {
        if (threadIdx.x < s) shared[threadIdx.x] = merge(shared[threadIdx.x], shared[threadIdx.x + s]);
        __syncthreads();
    }
    const float mean = shared[0].mean;
    const float scale = rsqrtf(shared[0].m2 / features + eps);
    for (int i = threadIdx.x; i < features; i += THREADS)
        y[static_cast<int64_t>(blockIdx.x) * features + i] = (row[i] - mean) * scale * weight[i] + bias[i];
}

}  // namespace

torch::Tensor layer_norm(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, double eps) {
    TORCH_CHECK(x.dtype() == torch::kFloat32, "float32 only");
    TORCH_CHECK(weight.numel() == x.size(-1) && bias.numel() == x.size(-1));
    auto y = torch::empty(x.sizes(), x.options());
    const int features = x.size(-1);
    const int rows = x.numel() / features;
    layer_norm_kernel<256><<<rows, 256, 0, at::cuda::getCurrentCUDAStream()>>>(
        x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), features,
        static_cast<float>(eps));
    return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
    m.def("forward", &layer_norm, "layer norm", py::arg("x"), py::arg("weight"), py::arg("bias"), py::arg("eps"));
}
