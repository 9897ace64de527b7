// task: cumsum
// cub::BlockScan tile by tile along a row; the carry between tiles by a prefix callback.
#include <torch/extension.h>
#include <cub/cub.cuh>

struct RunningPrefix {
    float total;
    __device__ explicit RunningPrefix(float start) : total(start) {}
    __device__ float operator()(float block_aggregate) {
        const float before = total;
        total += block_aggregate;
        return before;
    }
};

template <int BLOCK, int ITEMS>
__global__ void cumsum_rows(const float* __restrict__ x, float* __restrict__ y, int columns) {
    using Load = cub::BlockLoad<float, BLOCK, ITEMS, cub::BLOCK_LOAD_TRANSPOSE>;
    using Store = cub::BlockStore<float, BLOCK, ITEMS, cub::BLOCK_STORE_TRANSPOSE>;
    using Scan = cub::BlockScan<float, BLOCK>;
    __shared__ union {
        typename Load::TempStorage load;
        typename Store::TempStorage store;
        typename Scan::TempStorage scan;
    } temp;
    const float* in = x + static_cast<int64_t>(blockIdx.x) * columns;
    float* out = y + static_cast<int64_t>(blockIdx.x) * columns;
    RunningPrefix prefix(0.0f);
    for (int at = 0; at < columns; at += BLOCK * ITEMS) {
        float items[ITEMS];
        const int valid = min(columns - at, BLOCK * ITEMS);
        Load(temp.load).Load(in + at, items, valid, 0.0f);
        __syncthreads();
        Scan(temp.scan).InclusiveSum(items, items, prefix);
        __syncthreads();
        Store(temp.store).Store(out + at, items, valid);
        __syncthreads();
    }
}

torch::Tensor cumsum(torch::Tensor x) {
    auto y = torch::empty_like(x);
    cumsum_rows<64, 4><<<x.size(0), 64>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
