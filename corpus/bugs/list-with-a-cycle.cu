// finds: budget-exceeded
// arguments: next: const int[8] = {1, 2, 3, 4, 5, 2, -1, -1}, y: int[1]
// launch: <<<1, 1>>>
// budget: 300000
// Node 5 points back to node 2; the walk to the end of the list never ends.
__global__ void broken(const int* next, int* y) {
  int length = 0;
  for (int node = 0; node >= 0; node = next[node]) length++;
  *y = length;
}

__global__ void repaired(const int* next, int* y) {
  int length = 0;
  for (int node = 0; node >= 0 && length < 8; node = next[node]) length++;
  *y = length;
}
