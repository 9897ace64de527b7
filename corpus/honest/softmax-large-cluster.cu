// task: softmax_large
// scale: 200000
// A cluster of four blocks a row: partial maxima and sums are read from each other's shared memory.
#include <torch/extension.h>
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

#define CLUSTER 4
#define THREADS 256

__device__ float block_reduce(float v, float* warps, bool maximum) {
    for (int o = 16; o > 0; o >>= 1) {
        const float u = __shfl_xor_sync(0xffffffff, v, o);
        v = maximum ? fmaxf(v, u) : v + u;
    }
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = v;
    __syncthreads();
    v = warps[0];
    for (int w = 1; w < THREADS / 32; ++w) v = maximum ? fmaxf(v, warps[w]) : v + warps[w];
    __syncthreads();
    return v;
}

__global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(THREADS) softmax_cluster(const float* __restrict__ x, float* __restrict__ y, int columns) {
    __shared__ float warps[THREADS / 32];
    __shared__ float block_max, block_sum;
    cg::cluster_group cluster = cg::this_cluster();
    const int rank = cluster.block_rank();
    const size_t row = (size_t)(blockIdx.x / CLUSTER) * columns;
    const int piece = (columns + CLUSTER - 1) / CLUSTER;
    const int first = rank * piece, last = min(columns, first + piece);
    float m = -INFINITY;
    for (int i = first + threadIdx.x; i < last; i += THREADS) m = fmaxf(m, x[row + i]);
    m = block_reduce(m, warps, true);
    if (threadIdx.x == 0) block_max = m;
    cluster.sync();
    for (int r = 0; r < CLUSTER; ++r) m = fmaxf(m, *cluster.map_shared_rank(&block_max, r));
    float s = 0.f;
    for (int i = first + threadIdx.x; i < last; i += THREADS) s += __expf(x[row + i] - m);
    s = block_reduce(s, warps, false);
    if (threadIdx.x == 0) block_sum = s;
    cluster.sync();
    s = 0.f;
    for (int r = 0; r < CLUSTER; ++r) s += *cluster.map_shared_rank(&block_sum, r);
    cluster.sync();  // nobody leaves while another reads
    for (int i = first + threadIdx.x; i < last; i += THREADS) y[row + i] = __expf(x[row + i] - m) / s;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    softmax_cluster<<<x.size(0) * CLUSTER, THREADS>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
