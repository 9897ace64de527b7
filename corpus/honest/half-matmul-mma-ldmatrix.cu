// task: half_matmul
// precision: fp16
// mma.sync.m16n8k16 and ldmatrix in inline PTX, operands copied in 16 bytes, results stored as half2 from the registers.
#include <torch/extension.h>
#include <cuda_fp16.h>
#include <cstdint>

__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const half* p) {
    const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(p));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

__device__ __forceinline__ void ldmatrix_x2_trans(uint32_t (&r)[2], const half* p) {
    const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(p));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];\n"
                 : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}

__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <int BM, int BN, int BK>
__global__ void __launch_bounds__(128) hgemm(const half* __restrict__ A, const half* __restrict__ B, half* __restrict__ C, int M, int N, int K) {
    __shared__ __align__(16) half As[BM][BK + 8];
    __shared__ __align__(16) half Bs[BK][BN + 8];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int bm = blockIdx.y * BM, bn = blockIdx.x * BN;
    const int wm = (warp / 2) * (BM / 2), wn = (warp % 2) * (BN / 2);
    constexpr int TM = BM / 2 / 16, TN = BN / 2 / 8;
    float acc[TM][TN][4] = {};
    for (int k0 = 0; k0 < K; k0 += BK) {
        for (int i = threadIdx.x; i < BM * BK / 8; i += 128) {
            const int r = i / (BK / 8), c = (i % (BK / 8)) * 8;
            uint4 v = make_uint4(0, 0, 0, 0);
            if (bm + r < M && k0 + c < K) v = *reinterpret_cast<const uint4*>(A + (size_t)(bm + r) * K + k0 + c);
            *reinterpret_cast<uint4*>(&As[r][c]) = v;
        }
        for (int i = threadIdx.x; i < BK * BN / 8; i += 128) {
            const int r = i / (BN / 8), c = (i % (BN / 8)) * 8;
            uint4 v = make_uint4(0, 0, 0, 0);
            if (k0 + r < K && bn + c < N) v = *reinterpret_cast<const uint4*>(B + (size_t)(k0 + r) * N + bn + c);
            *reinterpret_cast<uint4*>(&Bs[r][c]) = v;
        }
        __syncthreads();
#pragma unroll
        for (int kk = 0; kk < BK; kk += 16) {
            uint32_t a[TM][4], b[TN][2];
#pragma unroll
            for (int i = 0; i < TM; ++i) ldmatrix_x4(a[i], &As[wm + i * 16 + lane % 16][kk + (lane / 16) * 8]);
#pragma unroll
            for (int j = 0; j < TN; ++j) ldmatrix_x2_trans(b[j], &Bs[kk + lane % 16][wn + j * 8]);
#pragma unroll
            for (int i = 0; i < TM; ++i)
#pragma unroll
                for (int j = 0; j < TN; ++j) mma_m16n8k16(acc[i][j], a[i], b[j]);
        }
        __syncthreads();
    }
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) {
            const int c = bn + wn + j * 8 + t * 2;
            for (int h = 0; h < 2; ++h) {
                const int r = bm + wm + i * 16 + g + h * 8;
                if (r < M && c < N) *reinterpret_cast<half2*>(C + (size_t)r * N + c) = __floats2half2_rn(acc[i][j][2 * h], acc[i][j][2 * h + 1]);
            }
        }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    const int M = a.size(0), K = a.size(1), N = b.size(1);
    TORCH_CHECK(K % 8 == 0 && N % 8 == 0, "rows must be multiples of 16 bytes");
    auto c = torch::empty({M, N}, a.options());
    constexpr int BM = 64, BN = 64, BK = 32;
    const dim3 grid((N + BN - 1) / BN, (M + BM - 1) / BM);
    hgemm<BM, BN, BK><<<grid, 128>>>((const half*)a.data_ptr(), (const half*)b.data_ptr(), (half*)c.data_ptr(), M, N, K);
    return c;
}
