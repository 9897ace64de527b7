// task: log_softmax
// Maximum and sum in one pass, as a pair reduced by cub::BlockReduce with an operator of our own.
#include <torch/extension.h>
#include <cub/block/block_reduce.cuh>
#include <limits>

struct __align__(8) MD {
  float m;
  float d;
};

struct MergeMD {
  __device__ __forceinline__ MD operator()(const MD& a, const MD& b) const {
    const bool a_bigger = a.m > b.m;
    const MD bigger = a_bigger ? a : b;
    const MD smaller = a_bigger ? b : a;
    MD result;
    result.d = bigger.d + smaller.d * __expf(smaller.m - bigger.m);
    result.m = bigger.m;
    return result;
  }
};

template <int THREADBLOCK_SIZE>
__launch_bounds__(THREADBLOCK_SIZE) __global__ void online_log_softmax(const float* __restrict__ x, float* __restrict__ y, int V) {
  const int vector_id = blockIdx.x;
  x += static_cast<int64_t>(vector_id) * V;
  y += static_cast<int64_t>(vector_id) * V;

  typedef cub::BlockReduce<MD, THREADBLOCK_SIZE> BlockReduce;
  __shared__ typename BlockReduce::TempStorage temp_storage;
  __shared__ MD md_total;

  MD md_partial;
  md_partial.m = -3.0e38f;
  md_partial.d = 0.0f;
  for (int elem_id = threadIdx.x; elem_id < V; elem_id += THREADBLOCK_SIZE) {
    MD new_elem;
    new_elem.m = x[elem_id];
    new_elem.d = 1.0f;
    md_partial = MergeMD()(md_partial, new_elem);
  }

  MD md = BlockReduce(temp_storage).Reduce(md_partial, MergeMD());
  if (threadIdx.x == 0) md_total = md;
  __syncthreads();

  const float shift = md_total.m + __logf(md_total.d);
  for (int elem_id = threadIdx.x; elem_id < V; elem_id += THREADBLOCK_SIZE) y[elem_id] = x[elem_id] - shift;
}

torch::Tensor log_softmax(torch::Tensor input) {
  auto output = torch::empty_like(input);
  const int batch = input.size(0), V = input.size(1);
  online_log_softmax<256><<<batch, 256>>>(input.data_ptr<float>(), output.data_ptr<float>(), V);
  return output;
}
