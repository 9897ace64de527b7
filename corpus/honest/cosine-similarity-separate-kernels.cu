// task: cosine_similarity
// The unfused way: norms of either operand by one kernel launched twice, then dot products; float4 where rows allow it.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

template <typename F>
__device__ float block_sum_of(int count, F term) {
    __shared__ float warp_sums[4];
    float s = 0.f;
    for (int i = threadIdx.x; i < count; i += 128) s += term(i);
    for (int o = 16; o > 0; o >>= 1) s += __shfl_down_sync(0xffffffff, s, o);
    if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = s;
    __syncthreads();
    return warp_sums[0] + warp_sums[1] + warp_sums[2] + warp_sums[3];
}

__global__ void row_norms(const float* __restrict__ x, float* __restrict__ norms, int width) {
    const float* row = x + (size_t)blockIdx.x * width;
    const float s = width % 4 == 0
        ? block_sum_of(width / 4, [=](int i) {
              const float4 v = reinterpret_cast<const float4*>(row)[i];
              return v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
          })
        : block_sum_of(width, [=](int i) { return row[i] * row[i]; });
    if (threadIdx.x == 0) norms[blockIdx.x] = sqrtf(s);
}

__global__ void row_cosines(const float* __restrict__ a, const float* __restrict__ b, const float* __restrict__ na,
                            const float* __restrict__ nb, float* __restrict__ out, int width) {
    const float *ra = a + (size_t)blockIdx.x * width, *rb = b + (size_t)blockIdx.x * width;
    const float dot = block_sum_of(width, [ra, rb](int i) { return ra[i] * rb[i]; });
    if (threadIdx.x == 0) out[blockIdx.x] = dot / (max(na[blockIdx.x], 1e-8f) * max(nb[blockIdx.x], 1e-8f));
}

torch::Tensor cosine_similarity(torch::Tensor a, torch::Tensor b) {
    const int rows = a.size(0), width = a.size(1);
    auto norms = torch::empty({2, rows}, a.options());
    auto out = torch::empty({rows}, a.options());
    auto stream = at::cuda::getCurrentCUDAStream();
    float *na = norms[0].data_ptr<float>(), *nb = norms[1].data_ptr<float>();
    row_norms<<<rows, 128, 0, stream>>>(a.data_ptr<float>(), na, width);
    row_norms<<<rows, 128, 0, stream>>>(b.data_ptr<float>(), nb, width);
    row_cosines<<<rows, 128, 0, stream>>>(a.data_ptr<float>(), b.data_ptr<float>(), na, nb, out.data_ptr<float>(), width);
    return out;
}
