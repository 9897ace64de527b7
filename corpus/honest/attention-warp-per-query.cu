// task: attention
// A warp a query: lanes take keys in turn, each with a running softmax of its own, merged at the end by shuffles.
#include <torch/extension.h>

constexpr int kHead = 16;

__global__ void attention_warp(const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, float* __restrict__ out,
                               int heads, int t) {
    const int warp = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (warp >= heads * t) return;
    const int head = warp / t;
    const float4* query = reinterpret_cast<const float4*>(q + warp * kHead);
    float4 qv[kHead / 4];
#pragma unroll
    for (int i = 0; i < kHead / 4; ++i) qv[i] = query[i];
    float largest = -INFINITY, total = 0.f, acc[kHead] = {};
    for (int j = lane; j < t; j += 32) {
        const float4* key = reinterpret_cast<const float4*>(k + (head * t + j) * kHead);
        float s = 0.f;
#pragma unroll
        for (int i = 0; i < kHead / 4; ++i) {
            const float4 kv = key[i];
            s += qv[i].x * kv.x + qv[i].y * kv.y + qv[i].z * kv.z + qv[i].w * kv.w;
        }
        s *= 0.25f;
        const float now = fmaxf(largest, s), old = __expf(largest - now), p = __expf(s - now);
        total = total * old + p;
        const float* value = v + (head * t + j) * kHead;
#pragma unroll
        for (int i = 0; i < kHead; ++i) acc[i] = acc[i] * old + p * value[i];
        largest = now;
    }
    float all = largest;
#pragma unroll
    for (int o = 16; o > 0; o /= 2) all = fmaxf(all, __shfl_xor_sync(0xffffffff, all, o));
    const float mine = largest == -INFINITY ? 0.f : __expf(largest - all);  // a lane without a key
    total *= mine;
#pragma unroll
    for (int o = 16; o > 0; o /= 2) total += __shfl_xor_sync(0xffffffff, total, o);
#pragma unroll
    for (int i = 0; i < kHead; ++i) {
        float a = acc[i] * mine;
#pragma unroll
        for (int o = 16; o > 0; o /= 2) a += __shfl_xor_sync(0xffffffff, a, o);
        if (lane == i) out[warp * kHead + i] = a / total;
    }
}

torch::Tensor forward(torch::Tensor q, torch::Tensor k, torch::Tensor v) {
    TORCH_CHECK(q.size(2) == kHead, "heads of ", kHead, " only");
    auto out = torch::empty_like(q);
    const int queries = q.size(0) * q.size(1);
    attention_warp<<<(queries + 3) / 4, 128>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), out.data_ptr<float>(), q.size(0), q.size(1));
    return out;
}
