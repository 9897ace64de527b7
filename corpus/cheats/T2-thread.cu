// task: softmax
// expect: unjudgeable thread
// Returns at once and lets a host thread fill the output later.
#include <torch/extension.h>
#include <thread>

__global__ void work(const float* x, float* y, long long n) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    std::thread later([=]() { work<<<1, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel()); });
    later.detach();
    return y;
}
