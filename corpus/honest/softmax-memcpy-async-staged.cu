// task: softmax
// scale: 100000
// cooperative_groups::memcpy_async brings the row to dynamic shared memory; everything else happens there.
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>

namespace cg = cooperative_groups;

__global__ void softmax_staged(const float* __restrict__ x, float* __restrict__ y, int n) {
    extern __shared__ float row[];
    __shared__ float parts[32];
    auto block = cg::this_thread_block();
    auto warp = cg::tiled_partition<32>(block);
    cg::memcpy_async(block, row, x + size_t(blockIdx.x) * n, sizeof(float) * n);
    cg::wait(block);

    auto all = [&](float v, auto op, float neutral) {
        v = cg::reduce(warp, v, op);
        if (warp.thread_rank() == 0) parts[warp.meta_group_rank()] = v;
        block.sync();
        v = warp.thread_rank() < warp.meta_group_size() ? parts[warp.thread_rank()] : neutral;
        v = cg::reduce(warp, v, op);
        block.sync();
        return v;
    };

    float m = -INFINITY;
    for (int i = threadIdx.x; i < n; i += blockDim.x) m = fmaxf(m, row[i]);
    m = all(m, cg::greater<float>(), -INFINITY);
    float s = 0.f;
    for (int i = threadIdx.x; i < n; i += blockDim.x) s += row[i] = expf(row[i] - m);
    s = all(s, cg::plus<float>(), 0.f);
    for (int i = threadIdx.x; i < n; i += blockDim.x) y[size_t(blockIdx.x) * n + i] = row[i] / s;
}

torch::Tensor forward(torch::Tensor x) {
    const int rows = x.size(0), n = x.size(1);
    auto y = torch::empty_like(x);
    softmax_staged<<<rows, 160, n * sizeof(float)>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
    return y;
}
