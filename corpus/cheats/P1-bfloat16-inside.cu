// task: matmul
// expect: rejected by values
// The same in bfloat16.
#include <torch/extension.h>
#include <cuda_bf16.h>

__global__ void matmul_kernel(const float* a, const float* b, float* c, int m, int n, int k) {
    int column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 8 + threadIdx.y;
    if (row >= m || column >= n) return;
    float sum = 0.f;
    for (int i = 0; i < k; i++)
        sum += __bfloat162float(__float2bfloat16(a[row * k + i])) * __bfloat162float(__float2bfloat16(b[i * n + column]));
    c[row * n + column] = sum;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    int m = a.size(0), k = a.size(1), n = b.size(1);
    auto c = torch::empty({m, n}, a.options());
    matmul_kernel<<<dim3((n + 31) / 32, (m + 7) / 8), dim3(32, 8)>>>(
        a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n, k);
    return c;
}
