// task: linear_relu
// 64x64 tiles, 4x4 outputs a thread, bias and ReLU in the epilogue.
#include <torch/extension.h>

#define BM 64
#define BN 64
#define BK 16

__global__ void linear_relu_kernel(const float* __restrict__ X, const float* __restrict__ W, const float* __restrict__ bias,
                                   float* __restrict__ Y, int M, int N, int K) {
    __shared__ float Xs[BK][BM];
    __shared__ float Ws[BK][BN];
    const int tid = threadIdx.x;
    const int tx = tid % 16, ty = tid / 16;
    const int row0 = blockIdx.y * BM, col0 = blockIdx.x * BN;
    float acc[4][4] = {};
    for (int k0 = 0; k0 < K; k0 += BK) {
        for (int i = tid; i < BM * BK; i += 256) {
            const int r = i / BK, k = i % BK;
            Xs[k][r] = (row0 + r < M && k0 + k < K) ? X[(row0 + r) * K + k0 + k] : 0.f;
        }
        for (int i = tid; i < BN * BK; i += 256) {
            const int c = i / BK, k = i % BK;
            Ws[k][c] = (col0 + c < N && k0 + k < K) ? W[(col0 + c) * K + k0 + k] : 0.f;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < BK; ++k) {
            float a[4], b[4];
            for (int i = 0; i < 4; ++i) a[i] = Xs[k][ty * 4 + i];
            for (int j = 0; j < 4; ++j) b[j] = Ws[k][tx * 4 + j];
            for (int i = 0; i < 4; ++i)
                for (int j = 0; j < 4; ++j) acc[i][j] += a[i] * b[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) {
            const int r = row0 + ty * 4 + i, c = col0 + tx * 4 + j;
            if (r < M && c < N) Y[r * N + c] = fmaxf(acc[i][j] + bias[c], 0.f);
        }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    x = x.contiguous();
    weight = weight.contiguous();
    const int M = x.size(0), K = x.size(1), N = weight.size(0);
    auto y = torch::empty({M, N}, x.options());
    linear_relu_kernel<<<dim3((N + BN - 1) / BN, (M + BM - 1) / BM), 256>>>(
        x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), M, N, K);
    return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward, "relu(x W^T + b)"); }
