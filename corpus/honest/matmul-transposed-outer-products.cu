// task: matmul_transposed
// A warp a tile of 8x8 by outer products held in registers, operands passed around by shuffles; half the lanes own rows, half columns.
#include <torch/extension.h>

__global__ void outer_products(const float* __restrict__ at, const float* __restrict__ bt, float* __restrict__ c, int m, int n, int k) {
  const int lane = threadIdx.x, m0 = blockIdx.y * 8, n0 = (blockIdx.x * blockDim.y + threadIdx.y) * 8;
  if (n0 >= n) return;  // whole warps
  const bool row_side = lane < 16;
  const int which = lane % 8, odd = lane / 8 % 2;
  const int i = lane / 4, j = lane % 4;  // this lane's elements: (i, j) and (i, j + 4)
  float left = 0.f, right = 0.f;
  for (int x = 0; x < k; x += 2) {
    const int mine = x + odd;
    float v = 0.f;
    if (mine < k) {
      if (row_side) v = m0 + which < m ? at[mine * m + m0 + which] : 0.f;
      else v = n0 + which < n ? bt[(n0 + which) * k + mine] : 0.f;
    }
#pragma unroll
    for (int step = 0; step < 2; ++step) {
      const float a = __shfl_sync(0xffffffffu, v, step * 8 + i);
      left = fmaf(a, __shfl_sync(0xffffffffu, v, 16 + step * 8 + j), left);
      right = fmaf(a, __shfl_sync(0xffffffffu, v, 16 + step * 8 + j + 4), right);
    }
  }
  if (m0 + i >= m) return;
  if (n0 + j < n) c[(m0 + i) * n + n0 + j] = left;
  if (n0 + j + 4 < n) c[(m0 + i) * n + n0 + j + 4] = right;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int k = a.size(0), m = a.size(1), n = b.size(0);
  auto c = torch::empty({m, n}, a.options());
  outer_products<<<dim3((n + 31) / 32, (m + 7) / 8), dim3(32, 4)>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n, k);
  return c;
}
