// finds: write-to-readonly
// arguments: nodes: const int[64] = random(0, 16), visited: int[16] = zero, unique: int[1] = zero
// launch: <<<1, 64>>>
// To count distinct values, visited ones are marked in the input itself.
__global__ void broken(int* nodes, int* visited, int* unique) {
  const int node = nodes[threadIdx.x] & 15;
  if (atomicExch(&nodes[node], -1) != -1) atomicAdd(unique, 1);
}

__global__ void repaired(int* nodes, int* visited, int* unique) {
  const int node = nodes[threadIdx.x] & 15;
  if (atomicExch(&visited[node], 1) == 0) atomicAdd(unique, 1);
}
