// task: mse_of_rand
// expect: rejected by values
// The mean over all but a thousandth of the elements.
#include <torch/extension.h>

__global__ void mse_kernel(const float* a, const float* b, float* out, int n) {
    __shared__ float partial[32];
    float sum = 0.f;
    for (int i = threadIdx.x; i < n - 1024; i += 1024) sum += (a[i] - b[i]) * (a[i] - b[i]);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < 32; w++) sum += partial[w];
        out[0] = sum / (n - 1024);
    }
}

torch::Tensor forward(torch::Tensor predictions, torch::Tensor targets) {
    auto out = torch::empty({}, predictions.options());
    mse_kernel<<<1, 1024>>>(predictions.data_ptr<float>(), targets.data_ptr<float>(), out.data_ptr<float>(), predictions.numel());
    return out;
}
