// task: matmul
// Split-K with float atomics: the order of the sum differs from run to run, and the result is still right.
#include <torch/extension.h>

__global__ void matmul_split(const float* a, const float* b, float* c, int m, int n, int k, int per_split) {
    int col = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y;
    int begin = blockIdx.z * per_split;
    int end = min(begin + per_split, k);
    if (col >= n) return;
    float sum = 0.f;
    for (int i = begin; i < end; i++) sum = fmaf(a[row * k + i], b[i * n + col], sum);
    atomicAdd(&c[row * n + col], sum);
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
    torch::Tensor c = torch::zeros({m, n}, a.options());
    const int splits = 4;
    const int per_split = (k + splits - 1) / splits;
    dim3 grid((n + 63) / 64, m, splits);
    matmul_split<<<grid, 64>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n, k, per_split);
    return c;
}
