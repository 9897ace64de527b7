/** The mistakes that models make, through the real nvcc, and some through the real clang: what is left of the compiler's output. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readDiagnostics, sourceName, summarise } from './diagnostics.ts';
import { BuildError, buildDeviceCode, findToolchain, type Toolchain } from './index.ts';

const found = async (wish: string): Promise<Toolchain | undefined> => findToolchain(wish).catch(() => undefined);
const nvcc = await found('nvcc');
const clang = await found('clang');

interface Mistake {
  what: string;
  source: string;
  nvcc: string;
  clang?: string;
}

const use = (kernel: string) => `static void* __attribute__((used)) use = (void*)&${kernel};`;

const MISTAKES: readonly Mistake[] = [
  {
    what: 'a missing semicolon',
    source: `__global__ void k(float* x, int n) {
  int i = threadIdx.x
  if (i < n) x[i] = 0.f;
}`,
    nvcc: 'line 3: expected a ";" at `if (i < n) x[i] = 0.f;`',
    clang: "line 2: expected ';' at end of declaration",
  },
  {
    what: 'an undeclared identifier, several times',
    source: `__global__ void k(float* x, int n) {
  if (threadIdx.x < n) x[0] = value * 2.f;
  if (threadIdx.x < n) x[1] = value * 3.f;
  x[2] = value;
}`,
    nvcc: 'line 2: identifier "value" is undefined (again in line 3, 4)',
  },
  {
    what: 'more errors than help',
    source: `__global__ void k(float* x) {
  x[0] = a1; x[0] = a2; x[0] = a3;
  x[0] = a4; x[0] = a5; x[0] = a6;
}`,
    nvcc: 'line 2: identifier "a1" is undefined; line 2: identifier "a2" is undefined; line 2: identifier "a3" is undefined; line 3: identifier "a4" is undefined; and 2 more errors',
  },
  {
    what: 'template arguments that do not fit',
    source: `template <typename T, int B> __global__ void k(T* x) { x[threadIdx.x] = B; }
${use('k<float>')}`,
    nvcc: 'line 2: cannot determine which instance of function template "k" is intended at `&k<float>;`',
  },
  {
    what: 'a template deep in others, folded to the outermost',
    source: `template <int N> struct Fold { template <typename T> static __device__ auto sum(T* x) { return x[N] + Fold<N - 1>::sum(x); } };
template <> struct Fold<0> { template <typename T> static __device__ auto sum(T* x) {
  return x->missing(); } };
template <typename T> __global__ void k(T* x) { x[0] = Fold<6>::sum(x); }
${use('k<float>')}`,
    nvcc: 'line 3: expression must have pointer-to-class type but it has type "float *" at `x->missing(); } };` (in void k(T *) [with T=float])',
    clang:
      "line 3: member reference base type 'float' is not a structure or union at `->missing(); } };` (in k<float>)",
  },
  {
    what: 'too much static shared memory, which ptxas finds',
    source: `__global__ void k(float* x) {
  __shared__ float tile[128 * 128];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = tile[127 - threadIdx.x];
}`,
    nvcc: 'line 1: the kernel k declares 65,536 bytes of __shared__ memory, and 49,152 are allowed: use less, or extern __shared__ with cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes)',
    clang:
      'line 1: the kernel k declares 65,536 bytes of __shared__ memory, and 49,152 are allowed: use less, or extern __shared__ with cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes)',
  },
  {
    what: 'intrinsics that CUDA does not have, or has no more',
    source: `__global__ void k(float* x) {
  float v = __fast_expf(x[threadIdx.x]);
  v += __shfl_down(v, 16);
  x[0] = __warp_reduce_sum(v);
}`,
    nvcc: 'line 2: identifier "__fast_expf" is undefined: the fast intrinsic is __expf; line 3: identifier "__shfl_down" is undefined: CUDA 9 and later have __shfl_down_sync, with the mask of the lanes first; line 4: identifier "__warp_reduce_sum" is undefined: there is no such intrinsic: reduce with __shfl_down_sync (integers: __reduce_add_sync)',
  },
  {
    what: 'host functions called in a kernel, each with all that it calls',
    source: `#include <vector>
__global__ void k(float* x, int n) {
  std::vector<float> v(n);
  x[0] = 1;
}`,
    nvcc: 'line 3: calling a __host__ function("std::vector<float, ::std::allocator<float> > ::vector(unsigned long, const ::std::allocator<float> &)") from a __global__ function("k") is not allowed: declare it __device__, or use what device code has in its place; line 4: calling a __host__ function("std::vector<float, ::std::allocator<float> > ::~vector()") from a __global__ function("k") is not allowed',
  },
  {
    what: 'a missing include, before what follows from it',
    source: '__global__ void k(__half* x) { x[0] = __float2half(1.f); }',
    nvcc: 'line 1: identifier "__half" is undefined: #include <cuda_fp16.h>; line 1: incomplete type "void" is not allowed; line 1: identifier "x" is undefined at `x) { x[0] = __float2half(1.f); }`; line 1: expected a ";" at `{ x[0] = __float2half(1.f); }`',
  },
  {
    what: 'a redefinition',
    source: `__device__ float f(float x) { return x; }
__global__ void k(float* x) { int i = 0; int i = 1; x[i] = f(x[i]); }
__device__ float f(float x) { return 2 * x; }`,
    nvcc: 'line 2: "i" has already been declared in the current scope at `i = 1; x[i] = f(x[i]); }`; line 3: function "f" has already been defined (previous definition at line 1) at `f(float x) { return 2 * x; }`',
  },
  {
    what: 'arithmetic of half and float',
    source: `#include <cuda_fp16.h>
template <typename T> __global__ void k(const T* x, T* y, float s) {
  T v = x[0] * s;
  y[0] = v;
}
${use('k<__half>')}`,
    nvcc: 'line 3: more than one operator "*" matches these operands; operand types are: const __half * float at `* s;` (in void k(const T *, T *, float) [with T=__half]): convert to float first (__half2float, __bfloat162float) and back at the end, or give both sides the same type',
    clang:
      "line 3: use of overloaded operator '*' is ambiguous (with operand types 'const __half' and 'float') at `* s;` (in k<__half>): convert to float first (__half2float, __bfloat162float) and back at the end, or give both sides the same type",
  },
  {
    what: 'an unterminated string',
    source: `#include <cstdio>
__global__ void k(float* x) {
  printf("value %f\\n, x[0]);
}`,
    nvcc: 'line 3: missing closing quote at `"value %f\\n, x[0]);`; line 4: expected a ")" at `}`; line 4: expected a ";" at `}`',
  },
  {
    what: 'an unterminated comment',
    source: `__global__ void k(float* x) {
  /* the first
  x[0] = 1;
}`,
    nvcc: 'line 2: unterminated comment at `/* the first`',
  },
  {
    what: 'a brace that is never closed',
    source: `__global__ void k(float* x, int n) {
  for (int i = 0; i < n; i++) {
    x[i] = 1;
`,
    nvcc: 'expected a "}" at the end of the source to match this "{" of line 2; expected a "}" at the end of the source to match this "{" of line 1',
  },
  {
    what: 'an instruction that PTX does not have, at its line',
    source: `__global__ void k(float* x) {
  x[1] = x[0];
  asm volatile("cp.async.cc.shared.global [%0], [%1], 16;" :: "l"(x), "l"(x));
}`,
    nvcc: "line 3: Illegal modifier '.cc' for instruction 'cp.async' (said of the PTX by ptxas); line 3: Modifier '.cc' applies only to cp.async integer types (said of the PTX by ptxas)",
  },
  {
    what: 'parameters that are too large',
    source: `struct Big { float v[16384]; };
__global__ void k(Big b, float* x) { x[0] = b.v[threadIdx.x]; }`,
    nvcc: 'line 2: Formal parameter space overflowed (65544 bytes required, max 32764 bytes allowed) in function k: pass large structs by a pointer to device memory',
  },
  {
    what: 'a static assertion of a template',
    source: `template <int N> __global__ void k(float* x) { static_assert(N % 32 == 0, "N must be a multiple of 32"); x[0] = N; }
${use('k<33>')}`,
    nvcc: 'line 1: static assertion failed with "N must be a multiple of 32" (in void k<N>(float *) [with N=33])',
  },
];

describe('compiler errors', () => {
  let cacheDir = '';
  before(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'assay-test-'));
  });
  after(() => rm(cacheDir, { recursive: true }));

  const compilers = [
    ['nvcc', nvcc],
    ['clang', clang],
  ] as const;
  for (const [name, toolchain] of compilers)
    for (const mistake of MISTAKES) {
      const expected = mistake[name];
      if (expected === undefined) continue;
      test(`${name}: ${mistake.what}`, {
        skip: toolchain?.ptxas ? false : `${name} or ptxas is not installed`,
      }, async () => {
        const request = { source: mistake.source, arch: 'sm_90', cacheDir, toolchain };
        await assert.rejects(buildDeviceCode(request), (error: unknown) => {
          assert(error instanceof BuildError, String(error));
          assert.equal(error.kind, 'compile');
          assert.equal(error.message, `The CUDA code does not compile: ${expected}.`);
          return true;
        });
      });
    }
});

test('an error in a header is told at the line of the candidate that leads there', () => {
  const output = `/cuda/include/cub/warp_reduce.cuh(457): error: no instance of function template "plus<void>::operator()" matches the argument list
            argument types are: (Bad, Bad)
        output = reduction_op(input, temp);
                 ^
          detected during:
            instantiation of "T WarpReduce<T>::Step(T) [with T=Bad]" at line 511
            instantiation of "T BlockReduce<T>::Sum(T) [with T=Bad]" at line 7 of candidate.cu
            instantiation of "void k(T *) [with T=Bad]" at line 9 of candidate.cu
`;
  assert.equal(
    summarise(readDiagnostics(output, 'candidate.cu')),
    'line 7: no instance of function template "plus<void>::operator()" matches the argument list; argument types are: (Bad, Bad) (in the header warp_reduce.cuh, by T BlockReduce<T>::Sum(T) [with T=Bad])',
  );
});

test('lines of source that a compiler quotes are not taken over', () => {
  const output = `candidate.cu:3:2: error: #error stop
    3 | root:x:0:0:root:/root:/bin/bash
      |  ^~~~~
`;
  assert.equal(
    summarise(readDiagnostics(output, 'candidate.cu', 'a\nb\n#error stop\n')),
    'line 3: #error stop at `error stop`',
  );
});

test('warnings are read and not told', () => {
  const output =
    'candidate.cu(2): warning #177-D: variable "i" was declared but never referenced\n    int i = 3;\n        ^\n';
  const read = readDiagnostics(output, 'candidate.cu');
  assert.deepEqual(
    read.map(({ severity, line }) => [severity, line]),
    [['warning', 2]],
  );
  assert.equal(summarise(read), '');
});

test('names of kernels in mangled ones', () => {
  const names = {
    _Z1kPf: 'k',
    _ZN1a4softIfEEvPT_: 'soft',
    _ZL4statPf: 'stat',
    plain_c: 'plain_c',
    _ZN12_GLOBAL__N_14anonEPf: 'anon',
  };
  for (const [mangled, name] of Object.entries(names)) assert.equal(sourceName(mangled), name);
});
