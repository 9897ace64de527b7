// task: mse_loss
// Grid-stride differences, a shared tree, one atomicAdd a block of the already scaled part.
#include <torch/extension.h>

__global__ void mse_kernel(const float* __restrict__ preds, const float* __restrict__ targets, float* __restrict__ loss, size_t n, float inv_n) {
    __shared__ float shm[256];
    float thread_sum = 0.0f;
    size_t stride = (size_t)blockDim.x * gridDim.x;
    for (size_t idx = (size_t)blockIdx.x * blockDim.x + threadIdx.x; idx < n; idx += stride) {
        float diff = preds[idx] - targets[idx];
        thread_sum += diff * diff;
    }
    shm[threadIdx.x] = thread_sum;
    __syncthreads();
    for (int s = blockDim.x / 2; s > 0; s >>= 1) {
        if (threadIdx.x < s) shm[threadIdx.x] += shm[threadIdx.x + s];
        __syncthreads();
    }
    if (threadIdx.x == 0) atomicAdd(loss, shm[0] * inv_n);
}

torch::Tensor forward(torch::Tensor predictions, torch::Tensor targets) {
    TORCH_CHECK(predictions.numel() == targets.numel(), "predictions and targets must have the same number of elements");
    auto loss = torch::zeros({}, predictions.options());
    const size_t n = predictions.numel();
    const int threads = 256;
    const int blocks = std::min<size_t>((n + threads - 1) / threads, 256);
    mse_kernel<<<blocks, threads>>>(predictions.data_ptr<float>(), targets.data_ptr<float>(), loss.data_ptr<float>(), n, 1.0f / n);
    return loss;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
    m.def("forward", &forward, "Mean squared error (CUDA)");
}
