// task: matmul_odd
// Float32 accuracy from tensor cores: each operand as the sum of two TF32 numbers, three products of four (CUTLASS calls it 3xTF32).
#include <torch/extension.h>
#include <cstdint>

struct Split {
  uint32_t high, low;
};

__device__ __forceinline__ Split split(float v) {
  Split s;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(s.high) : "f"(v));
  const float rest = v - __uint_as_float(s.high);
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(s.low) : "f"(rest));
  return s;
}

__device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__global__ void __launch_bounds__(32) gemm_3xtf32(const float* __restrict__ A, const float* __restrict__ B, float* __restrict__ C, int M, int N, int K) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const int row = blockIdx.y * 16 + g, column = blockIdx.x * 8 + g;
  float d[4] = {0.f, 0.f, 0.f, 0.f};
  for (int k0 = 0; k0 < K; k0 += 8) {
    uint32_t ah[4], al[4], bh[2], bl[2];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + i % 2 * 8, k = k0 + t + i / 2 * 4;
      const Split s = split(r < M && k < K ? A[r * K + k] : 0.f);
      ah[i] = s.high;
      al[i] = s.low;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int k = k0 + t + i * 4;
      const Split s = split(k < K && column < N ? B[k * N + column] : 0.f);
      bh[i] = s.high;
      bl[i] = s.low;
    }
    mma(d, al, bh);
    mma(d, ah, bl);
    mma(d, ah, bh);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = row + i / 2 * 8, c = blockIdx.x * 8 + t * 2 + i % 2;
    if (r < M && c < N) C[r * N + c] = d[i];
  }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  auto c = torch::empty({M, N}, a.options());
  gemm_3xtf32<<<dim3((N + 7) / 8, (M + 15) / 16), 32>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K);
  return c;
}
