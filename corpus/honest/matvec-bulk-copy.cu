// task: matvec
// Hopper's bulk copy: four rows at once into shared memory behind an mbarrier, whatever is no multiple of 16 bytes by plain loads.
#include <torch/extension.h>
#include <cuda/barrier>
#include <utility>

using barrier = cuda::barrier<cuda::thread_scope_block>;
namespace cde = cuda::device::experimental;

constexpr int kRows = 4;

__global__ void __launch_bounds__(128) matvec_bulk(const float* __restrict__ a, const float* __restrict__ v, float* __restrict__ y, int rows, int columns) {
  extern __shared__ __align__(128) float tile[];
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ barrier arrived;
  const int first = blockIdx.x * kRows;
  const int count = min(kRows, rows - first) * columns;
  const int bulk = count / 4 * 4;
  if (threadIdx.x == 0) {
    init(&arrived, blockDim.x);
    cde::fence_proxy_async_shared_cta();
  }
  __syncthreads();
  const float* from = a + static_cast<size_t>(first) * columns;
  barrier::arrival_token token;
  if (threadIdx.x == 0) {
    cde::cp_async_bulk_global_to_shared(tile, from, bulk * sizeof(float), arrived);
    token = cuda::device::barrier_arrive_tx(arrived, 1, bulk * sizeof(float));
  } else {
    if (threadIdx.x - 1 < count - bulk) tile[bulk + threadIdx.x - 1] = from[bulk + threadIdx.x - 1];
    token = arrived.arrive();
  }
  arrived.wait(std::move(token));
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (first + warp >= rows) return;
  float sum = 0.f;
  for (int i = lane; i < columns; i += 32) sum += tile[warp * columns + i] * v[i];
  for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, o);
  if (lane == 0) y[first + warp] = sum;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor v) {
  const int rows = a.size(0), columns = a.size(1);
  auto y = torch::empty({rows}, a.options());
  const size_t bytes = kRows * columns * sizeof(float);
  TORCH_CHECK(bytes <= 48 * 1024, "rows too long");
  matvec_bulk<<<(rows + kRows - 1) / kRows, 128, bytes>>>(a.data_ptr<float>(), v.data_ptr<float>(), y.data_ptr<float>(), rows, columns);
  return y;
}
