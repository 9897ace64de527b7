// task: cross_entropy
// scale: 100000
// Online log-sum-exp a warp (llm.c's habit), losses in a workspace, their mean by a second kernel of one block.
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;

struct __align__(8) SumMax {
    float maxval;
    float sum;
};

__device__ SumMax reduce_sum_max_op(SumMax a, SumMax b) {
    bool a_bigger = (a.maxval > b.maxval);
    SumMax bigger_m = a_bigger ? a : b;
    SumMax smaller_m = a_bigger ? b : a;
    SumMax res;
    res.maxval = bigger_m.maxval;
    res.sum = bigger_m.sum + smaller_m.sum * expf(smaller_m.maxval - bigger_m.maxval);
    return res;
}

__global__ void crossentropy_forward_kernel(float* losses, const float* logits, const int64_t* targets, int N, int V) {
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
    int idx = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if (idx >= N) { return; }
    const float* x = logits + idx * V;
    SumMax sm_partial;
    sm_partial.maxval = -INFINITY;
    sm_partial.sum = 0.0f;
    for (int i = warp.thread_rank(); i < V; i += warp.size()) {
        sm_partial = reduce_sum_max_op(sm_partial, {x[i], 1.0f});
    }
    if (sm_partial.maxval == -INFINITY) { sm_partial.maxval = -1e37f; }  // lanes without elements: no inf - inf below
    SumMax sm = cg::reduce(warp, sm_partial, reduce_sum_max_op);
    if (warp.thread_rank() == 0) {
        losses[idx] = logf(sm.sum) + sm.maxval - x[targets[idx]];
    }
}

__global__ void mean_kernel(float* out, const float* losses, int N) {
    __shared__ float shared[512];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < N; i += blockDim.x) { sum += losses[i]; }
    shared[threadIdx.x] = sum;
    for (int stride = blockDim.x / 2; stride >= 1; stride /= 2) {
        __syncthreads();
        if (threadIdx.x < stride) { shared[threadIdx.x] += shared[threadIdx.x + stride]; }
    }
    if (threadIdx.x == 0) { *out = shared[0] / N; }
}

torch::Tensor forward(torch::Tensor scores, torch::Tensor targets) {
    const int N = scores.size(0), V = scores.size(1);
    auto losses = torch::empty({N}, scores.options());
    auto out = torch::empty({}, scores.options());
    crossentropy_forward_kernel<<<(N + 3) / 4, 128>>>(losses.data_ptr<float>(), scores.data_ptr<float>(), targets.data_ptr<int64_t>(), N, V);
    mean_kernel<<<1, 512>>>(out.data_ptr<float>(), losses.data_ptr<float>(), N);
    return out;
}
