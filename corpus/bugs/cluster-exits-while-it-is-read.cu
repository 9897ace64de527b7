// finds: use-after-free
// arguments: x: const float[256] = ramp, y: float[256]
// launch: <<<4, 64>>>
// Each block of a cluster reads its neighbour's shared memory; the neighbour may have exited by then.
#include <cooperative_groups.h>

__global__ void __cluster_dims__(4, 1, 1) broken(const float* x, float* y) {
  __shared__ float tile[64];
  auto cluster = cooperative_groups::this_cluster();
  const int i = blockIdx.x * 64 + threadIdx.x;
  tile[threadIdx.x] = x[i];
  cluster.sync();
  y[i] = cluster.map_shared_rank(tile, (cluster.block_rank() + 1) % 4)[63 - threadIdx.x];
}

__global__ void __cluster_dims__(4, 1, 1) repaired(const float* x, float* y) {
  __shared__ float tile[64];
  auto cluster = cooperative_groups::this_cluster();
  const int i = blockIdx.x * 64 + threadIdx.x;
  tile[threadIdx.x] = x[i];
  cluster.sync();
  y[i] = cluster.map_shared_rank(tile, (cluster.block_rank() + 1) % 4)[63 - threadIdx.x];
  cluster.sync();
}
