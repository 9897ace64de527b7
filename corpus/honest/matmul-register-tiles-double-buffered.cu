// task: matmul
// scale: 200000
// 64x64 tiles with 8x4 outputs a thread, the next tile fetched into registers while this one is multiplied, one barrier a step.
#include <torch/extension.h>

template <int BM, int BN, int BK, int TM, int TN>
__global__ void __launch_bounds__((BM / TM) * (BN / TN)) sgemm(const float* __restrict__ A, const float* __restrict__ B, float* __restrict__ C,
                                                               const int M, const int N, const int K) {
    constexpr int THREADS = (BM / TM) * (BN / TN);
    constexpr int LOADS_A = BM * BK / THREADS, LOADS_B = BK * BN / THREADS;
    __shared__ float As[2][BK][BM + 4];
    __shared__ float Bs[2][BK][BN];
    const int tid = threadIdx.x;
    const int tm = tid / (BN / TN) * TM, tn = tid % (BN / TN) * TN;
    const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN;
    float ra[LOADS_A], rb[LOADS_B], acc[TM][TN] = {};

    auto fetch = [&](int k0) {
#pragma unroll
        for (int i = 0; i < LOADS_A; ++i) {
            const int e = tid + i * THREADS, m = m0 + e / BK, k = k0 + e % BK;
            ra[i] = m < M && k < K ? A[(size_t)m * K + k] : 0.f;
        }
#pragma unroll
        for (int i = 0; i < LOADS_B; ++i) {
            const int e = tid + i * THREADS, k = k0 + e / BN, n = n0 + e % BN;
            rb[i] = k < K && n < N ? B[(size_t)k * N + n] : 0.f;
        }
    };
    auto store = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < LOADS_A; ++i) {
            const int e = tid + i * THREADS;
            As[buffer][e % BK][e / BK] = ra[i];
        }
#pragma unroll
        for (int i = 0; i < LOADS_B; ++i) {
            const int e = tid + i * THREADS;
            Bs[buffer][e / BN][e % BN] = rb[i];
        }
    };

    fetch(0);
    store(0);
    __syncthreads();
    int buffer = 0;
    for (int k0 = 0; k0 < K; k0 += BK) {
        const bool more = k0 + BK < K;
        if (more) fetch(k0 + BK);
#pragma unroll
        for (int k = 0; k < BK; ++k) {
            float a[TM], b[TN];
#pragma unroll
            for (int i = 0; i < TM; ++i) a[i] = As[buffer][k][tm + i];
#pragma unroll
            for (int j = 0; j < TN; ++j) b[j] = Bs[buffer][k][tn + j];
#pragma unroll
            for (int i = 0; i < TM; ++i)
#pragma unroll
                for (int j = 0; j < TN; ++j) acc[i][j] = fmaf(a[i], b[j], acc[i][j]);
        }
        if (more) store(buffer ^ 1);
        __syncthreads();
        buffer ^= 1;
    }
#pragma unroll
    for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) {
            const int m = m0 + tm + i, n = n0 + tn + j;
            if (m < M && n < N) C[(size_t)m * N + n] = acc[i][j];
        }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    const int M = a.size(0), K = a.size(1), N = b.size(1);
    auto c = torch::empty({M, N}, a.options());
    constexpr int BM = 64, BN = 64, BK = 8, TM = 8, TN = 4;
    const dim3 grid((N + BN - 1) / BN, (M + BM - 1) / BM);
    sgemm<BM, BN, BK, TM, TN><<<grid, (BM / TM) * (BN / TN)>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K);
    return c;
}
