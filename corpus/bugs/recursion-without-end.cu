// finds: stack-overflow
// arguments: left: const int[8] = {1, 3, 5, 2, -1, 0, -1, -1}, y: int[1]
// launch: <<<1, 1>>>
// A tree whose last node on the left points back to the root is walked by recursion that trusts it to be a tree.
__device__ __noinline__ int depth_of(const int* left, int node) {
  if (node < 0) return 0;
  const int below = depth_of(left, left[node]);
  return below * 2 - below / 3 + 1;
}

__device__ __noinline__ int depth_of(const int* left, int node, int limit) {
  if (node < 0 || limit == 0) return 0;
  const int below = depth_of(left, left[node], limit - 1);
  return below * 2 - below / 3 + 1;
}

__global__ void broken(const int* left, int* y) { *y = depth_of(left, 2); }

__global__ void repaired(const int* left, int* y) { *y = depth_of(left, 2, 8); }
