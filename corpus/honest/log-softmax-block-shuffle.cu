// task: log_softmax
// A block a row; warp shuffles, then one warp over the warps' results; x - max - log(sum).
#include <torch/extension.h>
#include <cfloat>

constexpr unsigned FULL = 0xffffffffu;

struct MaxOp { __device__ float operator()(float a, float b) const { return a > b ? a : b; } };
struct SumOp { __device__ float operator()(float a, float b) const { return a + b; } };

template <typename Op>
__device__ float block_reduce(float v, Op op, float identity, float* scratch) {
    int lane = threadIdx.x & 31, wid = threadIdx.x >> 5;
    for (int off = 16; off > 0; off >>= 1) v = op(v, __shfl_down_sync(FULL, v, off));
    if (lane == 0) scratch[wid] = v;
    __syncthreads();
    if (wid == 0) {
        v = lane < (blockDim.x >> 5) ? scratch[lane] : identity;
        for (int off = 16; off > 0; off >>= 1) v = op(v, __shfl_down_sync(FULL, v, off));
        if (lane == 0) scratch[0] = v;
    }
    __syncthreads();
    v = scratch[0];
    __syncthreads();  // scratch is used again
    return v;
}

__global__ void log_softmax_rows(const float* __restrict__ logits, float* __restrict__ out, int D) {
    __shared__ float scratch[32];
    const float* x = logits + (size_t)blockIdx.x * D;
    float* y = out + (size_t)blockIdx.x * D;

    float m = -FLT_MAX;
    for (int i = threadIdx.x; i < D; i += blockDim.x) m = fmaxf(m, x[i]);
    m = block_reduce(m, MaxOp(), -FLT_MAX, scratch);

    float s = 0.0f;
    for (int i = threadIdx.x; i < D; i += blockDim.x) s += expf(x[i] - m);
    s = block_reduce(s, SumOp(), 0.0f, scratch);

    const float log_sum = logf(s);
    for (int i = threadIdx.x; i < D; i += blockDim.x) y[i] = (x[i] - m) - log_sum;
}

torch::Tensor forward(torch::Tensor logits) {
    TORCH_CHECK(logits.dim() == 2);
    const int N = logits.size(0), D = logits.size(1);
    auto out = torch::empty_like(logits);
    int threads = D >= 1024 ? 1024 : ((D + 31) / 32) * 32;
    log_softmax_rows<<<N, threads>>>(logits.data_ptr<float>(), out.data_ptr<float>(), D);
    return out;
}
