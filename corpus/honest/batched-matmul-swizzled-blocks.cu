// task: batched_matmul
// One dimension of blocks, renumbered in groups of rows so that neighbours share columns in the L2 cache.
#include <torch/extension.h>

#define TS 16
#define GROUP 2

__global__ void bmm_swizzled(const float* __restrict__ A, const float* __restrict__ B, float* __restrict__ C, int M, int N, int K,
                             int tilesM, int tilesN) {
    __shared__ float As[TS][TS], Bs[TS][TS];
    const int perMatrix = tilesM * tilesN;
    const int batch = blockIdx.x / perMatrix;
    const int id = blockIdx.x % perMatrix;
    const int perGroup = GROUP * tilesN;
    const int group = id / perGroup;
    const int firstM = group * GROUP;
    const int groupM = min(tilesM - firstM, GROUP);
    const int tileM = firstM + (id % perGroup) % groupM;
    const int tileN = (id % perGroup) / groupM;

    A += (size_t)batch * M * K;
    B += (size_t)batch * K * N;
    C += (size_t)batch * M * N;
    const int r = threadIdx.x / TS, c = threadIdx.x % TS;
    const int row = tileM * TS + r, col = tileN * TS + c;
    float acc = 0.f;
    for (int k0 = 0; k0 < K; k0 += TS) {
        As[r][c] = row < M && k0 + c < K ? A[row * K + k0 + c] : 0.f;
        Bs[r][c] = k0 + r < K && col < N ? B[(k0 + r) * N + col] : 0.f;
        __syncthreads();
        #pragma unroll 8
        for (int k = 0; k < TS; ++k) acc += As[r][k] * Bs[k][c];
        __syncthreads();
    }
    if (row < M && col < N) C[row * N + col] = acc;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    TORCH_CHECK(a.dim() == 3 && b.dim() == 3 && a.size(0) == b.size(0), "expected two batches of matrices");
    const int batches = a.size(0), M = a.size(1), K = a.size(2), N = b.size(2);
    auto c = a.new_empty({batches, M, N});
    const int tilesM = (M + TS - 1) / TS, tilesN = (N + TS - 1) / TS;
    bmm_swizzled<<<batches * tilesM * tilesN, TS * TS>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K, tilesM, tilesN);
    return c;
}
