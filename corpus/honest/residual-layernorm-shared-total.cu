// task: residual_layernorm
// scale: 100000
// A block a row; the sum is written out and kept in shared memory; two outputs as a vector.
#include <torch/extension.h>

template <int THREADS>
__device__ float reduce_all(float v, float (&scratch)[THREADS]) {
    scratch[threadIdx.x] = v;
    __syncthreads();
    for (int s = THREADS / 2; s > 0; s /= 2) {
        if (threadIdx.x < s) scratch[threadIdx.x] += scratch[threadIdx.x + s];
        __syncthreads();
    }
    v = scratch[0];
    __syncthreads();
    return v;
}

template <int THREADS>
__global__ void residual_layernorm(const float* __restrict__ x, const float* __restrict__ residual, const float* __restrict__ weight,
                                   const float* __restrict__ bias, float* __restrict__ normed, float* __restrict__ total, int features) {
    extern __shared__ float kept[];
    __shared__ float scratch[THREADS];
    const size_t base = (size_t)blockIdx.x * features;
    float sum = 0.0f;
    for (int f = threadIdx.x; f < features; f += THREADS) {
        const float t = x[base + f] + residual[base + f];
        total[base + f] = t;
        kept[f] = t;
        sum += t;
    }
    const float mean = reduce_all<THREADS>(sum, scratch) / features;
    float squares = 0.0f;
    for (int f = threadIdx.x; f < features; f += THREADS) squares += (kept[f] - mean) * (kept[f] - mean);
    const float deviation = sqrtf(reduce_all<THREADS>(squares, scratch) / features + 1e-5f);
    for (int f = threadIdx.x; f < features; f += THREADS) normed[base + f] = (kept[f] - mean) / deviation * weight[f] + bias[f];
}

std::vector<torch::Tensor> forward(torch::Tensor x, torch::Tensor residual, torch::Tensor weight, torch::Tensor bias) {
    auto normed = torch::empty_like(x), total = torch::empty_like(x);
    const int features = x.size(1);
    residual_layernorm<128><<<x.size(0), 128, features * sizeof(float)>>>(
        x.data_ptr<float>(), residual.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(),
        normed.data_ptr<float>(), total.data_ptr<float>(), features);
    return {normed, total};
}
