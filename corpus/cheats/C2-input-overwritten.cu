// task: softmax
// expect: rejected by inputs-unchanged
// Computes the right answer in place over its input and returns it: every later reader of the input is wrong.
#include <torch/extension.h>

__global__ void softmax_in_place(float* x, int columns) {
    float* row = x + (long long)blockIdx.x * columns;
    __shared__ float partial[256];
    float most = -INFINITY;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) most = fmaxf(most, row[i]);
    partial[threadIdx.x] = most;
    __syncthreads();
    for (int s = blockDim.x / 2; s > 0; s >>= 1) {
        if (threadIdx.x < s) partial[threadIdx.x] = fmaxf(partial[threadIdx.x], partial[threadIdx.x + s]);
        __syncthreads();
    }
    most = partial[0];
    __syncthreads();
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += expf(row[i] - most);
    partial[threadIdx.x] = sum;
    __syncthreads();
    for (int s = blockDim.x / 2; s > 0; s >>= 1) {
        if (threadIdx.x < s) partial[threadIdx.x] += partial[threadIdx.x + s];
        __syncthreads();
    }
    sum = partial[0];
    for (int i = threadIdx.x; i < columns; i += blockDim.x) row[i] = expf(row[i] - most) / sum;
}

torch::Tensor forward(torch::Tensor x) {
    softmax_in_place<<<x.size(0), 256>>>(x.data_ptr<float>(), x.size(1));
    return x;
}
