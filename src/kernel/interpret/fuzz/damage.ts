/** Damaged host code: whatever a file holds, reading it gives a plan or a sentence, soon. */
import { CandidateError } from '../../error.ts';
import { tryHost } from '../try-host.fixture.ts';
import { candidateText } from './compare.ts';
import type { Choices } from './random.ts';
import { randomHostProgram } from './tensors.ts';

const REAL = `#include <torch/extension.h>
#define CHECK(x) TORCH_CHECK(x.is_cuda(), #x " must be on the GPU")
template <typename T, int N = 4> __global__ void k(const T* a, T* b, int n) { for (int i = 0; i < n; ++i) b[i] = a[i] * N; }
namespace util { struct P { int n; float e = 1.f; }; constexpr int cdiv(int a, int b) { return (a + b - 1) / b; } }
torch::Tensor forward(torch::Tensor x, double eps = 1e-5) {
  CHECK(x);
  auto y = torch::empty({x.size(0), x.size(1)}, x.options());
  std::vector<int64_t> s(x.sizes().begin(), x.sizes().end());
  util::P p{static_cast<int>(s[0]), (float)eps};
  for (int i = 0; i < 2; i++) { if (s[i] % 2 == 0 && p.n > 0) continue; p.n += i ? 1 : 2; }
  dim3 grid(util::cdiv(x.numel(), 256)), block{256, 1};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "k", ([&] { k<scalar_t, 8><<<grid, block, 0, at::cuda::getCurrentCUDAStream()>>>(x.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), x.numel()); }));
  return y.view({-1});
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward, "doc"); }`;

const WORDS = REAL.match(/\w+|[^\w\s]/g) ?? [];
// biome-ignore format: a table
const JUNK = [
  ...WORDS, '}', '{', '(', ')', '<<<', '>>>', '#', '"', "'", '/*', '\\', '::', ';', 'template', 'template <typename T>', '0x', '1e', '*', '&',
  '\n#if 1\n', '\n#define x y\n', '…', '...', 'operator', 'decltype(', 'switch', 'case 1:', 'catch', '[=]', 'struct', 'virtual', 'goto', '->',
];
/** CPU seconds that reading one file may take at most. */
const LIMIT = 5;

/** What reading a damaged file came to. @throws Error where the interpreter crashes or takes too long. */
export function damagedOutcome(c: Choices): 'plan' | 'error' {
  const program = c.once(3) ? randomHostProgram(c) : undefined;
  let text = program ? candidateText(program) : REAL;
  for (let edits = 1 + c.below(3); edits > 0; edits--) {
    const at = c.below(text.length);
    const length = c.once(3) ? c.below(40) : c.below(4);
    text = text.slice(0, at) + (c.once(2) ? c.pick(JUNK) : '') + text.slice(at + length);
  }
  const started = process.cpuUsage();
  let outcome: 'plan' | 'error' = 'plan';
  try {
    tryHost(text, program?.signature ?? 'x[6,8]');
  } catch (error) {
    if (!(error instanceof CandidateError))
      throw new Error(`damaged code crashes the interpreter: ${(error as Error).stack}\n${text}`);
    if (error.message.length <= 8) throw new Error(`no sentence: ${error.message}\n${text}`);
    outcome = 'error';
  }
  const used = process.cpuUsage(started).user / 1e6;
  if (used > LIMIT) throw new Error(`damaged code took ${used.toFixed(1)} s\n${text}`);
  return outcome;
}
