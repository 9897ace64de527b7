// task: half_matmul
// precision: bf16
// mma.sync on bfloat16 with fragments packed by hand from global memory: a warp a 16x8 tile, no shared memory at all.
#include <torch/extension.h>
#include <cuda_bf16.h>

using bf16 = __nv_bfloat16;

__device__ unsigned pack(bf16 low, bf16 high) {
  __nv_bfloat162 both = __halves2bfloat162(low, high);
  return *reinterpret_cast<unsigned*>(&both);
}

__global__ void mma_tiles(const bf16* __restrict__ a, const bf16* __restrict__ b, bf16* __restrict__ c, int m, int n, int k) {
  const int lane = threadIdx.x, group = lane >> 2, pair = (lane & 3) * 2;
  const int row = blockIdx.y * 16 + group, column = blockIdx.x * 8 + group;
  const bf16 zero = __float2bfloat16(0.f);
  auto a_at = [&](int r, int x) { return r < m && x < k ? a[r * k + x] : zero; };
  auto b_at = [&](int x, int j) { return x < k && j < n ? b[x * n + j] : zero; };
  float d0 = 0.f, d1 = 0.f, d2 = 0.f, d3 = 0.f;
  for (int k0 = 0; k0 < k; k0 += 16) {
    const int x = k0 + pair;
    const unsigned a0 = pack(a_at(row, x), a_at(row, x + 1)), a1 = pack(a_at(row + 8, x), a_at(row + 8, x + 1));
    const unsigned a2 = pack(a_at(row, x + 8), a_at(row, x + 9)), a3 = pack(a_at(row + 8, x + 8), a_at(row + 8, x + 9));
    const unsigned b0 = pack(b_at(x, column), b_at(x + 1, column)), b1 = pack(b_at(x + 8, column), b_at(x + 9, column));
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
  const int out = blockIdx.x * 8 + pair;
  auto store = [&](int r, int j, float v) { if (r < m && j < n) c[r * n + j] = __float2bfloat16_rn(v); };
  store(row, out, d0);
  store(row, out + 1, d1);
  store(row + 8, out, d2);
  store(row + 8, out + 1, d3);
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  TORCH_CHECK(a.scalar_type() == at::kBFloat16, "expected bfloat16, got ", a.scalar_type());
  const int m = a.size(0), k = a.size(1), n = b.size(1);
  auto c = torch::empty({m, n}, a.options());
  mma_tiles<<<dim3((n + 7) / 8, (m + 15) / 16), 32>>>(reinterpret_cast<bf16*>(a.data_ptr()), reinterpret_cast<bf16*>(b.data_ptr()),
                                                      reinterpret_cast<bf16*>(c.data_ptr()), m, n, k);
  return c;
}
