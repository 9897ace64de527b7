// task: softmax
// direction: backward
// scale: 100000
// The softmax computed again, then y * (g - sum(g y)), in one block a row.
#include <torch/extension.h>

#define THREADS 128

__device__ float block_all_reduce(float v, float* shared, bool maximum) {
    shared[threadIdx.x] = v;
    __syncthreads();
    for (int s = THREADS / 2; s > 0; s >>= 1) {
        if (threadIdx.x < s) {
            const float other = shared[threadIdx.x + s];
            shared[threadIdx.x] = maximum ? fmaxf(shared[threadIdx.x], other) : shared[threadIdx.x] + other;
        }
        __syncthreads();
    }
    const float result = shared[0];
    __syncthreads();
    return result;
}

__global__ void softmax_backward(const float* __restrict__ grad, const float* __restrict__ x, float* __restrict__ dx, int columns) {
    __shared__ float shared[THREADS];
    const size_t start = (size_t)blockIdx.x * columns;
    float m = -INFINITY;
    for (int i = threadIdx.x; i < columns; i += THREADS) m = fmaxf(m, x[start + i]);
    m = block_all_reduce(m, shared, true);
    float total = 0.f, weighted = 0.f;
    for (int i = threadIdx.x; i < columns; i += THREADS) {
        const float e = expf(x[start + i] - m);
        total += e;
        weighted += e * grad[start + i];
    }
    total = block_all_reduce(total, shared, false);
    weighted = block_all_reduce(weighted, shared, false);
    const float mean = weighted / total;
    for (int i = threadIdx.x; i < columns; i += THREADS) dx[start + i] = expf(x[start + i] - m) / total * (grad[start + i] - mean);
}

torch::Tensor backward(torch::Tensor grad_output, torch::Tensor x) {
    auto dx = torch::empty_like(x);
    softmax_backward<<<x.size(0), THREADS>>>(grad_output.contiguous().data_ptr<float>(), x.data_ptr<float>(), dx.data_ptr<float>(), x.size(1));
    return dx;
}
