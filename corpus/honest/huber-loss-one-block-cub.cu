// task: huber_loss
// Small enough for one block of 1024: cub::BlockReduce with raking, the condition as written in the documentation.
#include <torch/extension.h>
#include <cub/block/block_reduce.cuh>

constexpr int kBlock = 1024;

__global__ void __launch_bounds__(kBlock, 1) smooth_l1_kernel(const float* __restrict__ input, const float* __restrict__ target, float* __restrict__ output, int n, const float beta) {
  typedef cub::BlockReduce<float, kBlock, cub::BLOCK_REDUCE_RAKING> BlockReduceT;
  __shared__ typename BlockReduceT::TempStorage temp;
  float loss = 0.0f;
  for (int i = threadIdx.x; i < n; i += kBlock) {
    float z = fabsf(input[i] - target[i]);
    loss += z < beta ? 0.5f * z * z / beta : z - 0.5f * beta;
  }
  const float total = BlockReduceT(temp).Sum(loss);
  if (threadIdx.x == 0) output[0] = total / n;
}

torch::Tensor smooth_l1_loss(torch::Tensor input, torch::Tensor target, double beta = 1.0) {
  auto output = torch::empty({1}, input.options());
  smooth_l1_kernel<<<1, kBlock>>>(input.data_ptr<float>(), target.data_ptr<float>(), output.data_ptr<float>(), input.numel(), beta);
  return output.squeeze();
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("smooth_l1_loss", &smooth_l1_loss, py::arg("input"), py::arg("target"), py::arg("beta") = 1.0);
}
