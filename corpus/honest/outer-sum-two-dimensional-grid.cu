// task: outer_sum
// A 16 x 16 block a tile; each thread one sum.
#include <torch/extension.h>

__global__ void outer_add(const float* a, const float* b, float* c, int m, int n) {
    int j = blockIdx.x * blockDim.x + threadIdx.x;
    int i = blockIdx.y * blockDim.y + threadIdx.y;
    if (i >= m || j >= n) return;
    c[i * n + j] = a[i] + b[j];
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    int m = a.numel();
    int n = b.numel();
    auto c = torch::empty({m, n}, a.options());
    dim3 threads(16, 16);
    dim3 blocks((n + threads.x - 1) / threads.x, (m + threads.y - 1) / threads.y);
    outer_add<<<blocks, threads>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n);
    return c;
}
