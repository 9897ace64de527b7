// finds: race
// arguments: head: int[1] = -1, next: int[64]
// launch: <<<2, 32>>>
// schedules: 1
// Pushing on a list with a load and a store loses every node that came between. (The list's order depends on the schedule either way.)
__global__ void broken(int* head, int* next) {
  const int node = blockIdx.x * 32 + threadIdx.x;
  next[node] = *head;
  *head = node;
}

__global__ void repaired(int* head, int* next) {
  const int node = blockIdx.x * 32 + threadIdx.x;
  next[node] = atomicExch(head, node);
}
