// task: batched_matmul
// Packed accessors of three dimensions, the batch in the grid's z.
#include <torch/extension.h>

template <typename scalar_t>
__global__ void bmm_kernel(const torch::PackedTensorAccessor32<scalar_t, 3, torch::RestrictPtrTraits> a,
                           const torch::PackedTensorAccessor32<scalar_t, 3, torch::RestrictPtrTraits> b,
                           torch::PackedTensorAccessor32<scalar_t, 3, torch::RestrictPtrTraits> c) {
  const int n = blockIdx.z;
  const int i = blockIdx.y * blockDim.y + threadIdx.y;
  const int j = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < c.size(1) && j < c.size(2)) {
    scalar_t sum = 0;
    for (int k = 0; k < a.size(2); k++) sum += a[n][i][k] * b[n][k][j];
    c[n][i][j] = sum;
  }
}

torch::Tensor bmm_cuda(torch::Tensor a, torch::Tensor b) {
  const auto batch = a.size(0), m = a.size(1), n = b.size(2);
  auto c = torch::empty({batch, m, n}, a.options());
  const dim3 threads(32, 4);
  const dim3 blocks((n + 31) / 32, (m + 3) / 4, batch);
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "bmm_cuda", ([&] {
    bmm_kernel<scalar_t><<<blocks, threads>>>(a.packed_accessor32<scalar_t, 3, torch::RestrictPtrTraits>(),
                                              b.packed_accessor32<scalar_t, 3, torch::RestrictPtrTraits>(),
                                              c.packed_accessor32<scalar_t, 3, torch::RestrictPtrTraits>());
  }));
  return c;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("bmm", &bmm_cuda, "Batched matmul (CUDA)"); }
