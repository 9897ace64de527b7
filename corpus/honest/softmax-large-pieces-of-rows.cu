// task: softmax_large
// scale: 200000
// Rows cut into pieces for more blocks than rows: partial maxima and sums in a workspace, merged by every block of the second kernel.
#include <torch/extension.h>

constexpr int kThreads = 128, kPieces = 8;

__device__ float reduce(float v, bool maximum) {
    __shared__ float s[kThreads / 32];
    for (int o = 16; o; o >>= 1) {
        const float u = __shfl_xor_sync(~0u, v, o);
        v = maximum ? fmaxf(v, u) : v + u;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = v;
    __syncthreads();
    v = s[0];
    for (int i = 1; i < kThreads / 32; ++i) v = maximum ? fmaxf(v, s[i]) : v + s[i];
    return v;
}

__global__ void pieces(const float* __restrict__ x, float2* __restrict__ partial, int columns, int piece) {
    const float* row = x + (size_t)blockIdx.y * columns;
    const int first = blockIdx.x * piece, last = min(columns, first + piece);
    float m = -INFINITY, d = 0.f;
    for (int i = first + threadIdx.x; i < last; i += kThreads) m = fmaxf(m, row[i]);
    m = reduce(m, true);
    for (int i = first + threadIdx.x; i < last; i += kThreads) d += expf(row[i] - m);
    d = reduce(d, false);
    if (threadIdx.x == 0) partial[blockIdx.y * gridDim.x + blockIdx.x] = make_float2(m, d);
}

__global__ void write(const float* __restrict__ x, const float2* __restrict__ partial, float* __restrict__ y, int columns, int piece) {
    float m = -INFINITY, d = 0.f;
    for (int p = 0; p < gridDim.x; ++p) m = fmaxf(m, partial[blockIdx.y * gridDim.x + p].x);
    for (int p = 0; p < gridDim.x; ++p) {
        const float2 v = partial[blockIdx.y * gridDim.x + p];
        if (v.y > 0.f) d += v.y * expf(v.x - m);
    }
    const size_t row = (size_t)blockIdx.y * columns;
    const int first = blockIdx.x * piece, last = min(columns, first + piece);
    for (int i = first + threadIdx.x; i < last; i += kThreads) y[row + i] = expf(x[row + i] - m) / d;
}

torch::Tensor forward(torch::Tensor x) {
    const int rows = x.size(0), columns = x.size(1);
    auto y = torch::empty_like(x);
    auto partial = torch::empty({rows, kPieces, 2}, x.options());
    const int piece = (columns + kPieces - 1) / kPieces;
    const dim3 grid(kPieces, rows);
    pieces<<<grid, kThreads>>>(x.data_ptr<float>(), reinterpret_cast<float2*>(partial.data_ptr<float>()), columns, piece);
    write<<<grid, kThreads>>>(x.data_ptr<float>(), reinterpret_cast<const float2*>(partial.data_ptr<float>()), y.data_ptr<float>(), columns, piece);
    return y;
}
