/** Tensors in host code: shapes, views, and the copies and fills that become steps of the plan. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { CandidateError } from '../error.ts';
import { assertRefused, launches, shown, tryHost, valuesOf } from '../interpret/try-host.fixture.ts';

const run = (body: string, signature = 'x[4,8]'): ReturnType<typeof tryHost> =>
  tryHost(`__global__ void k(const float* p) {}\ntorch::Tensor forward(torch::Tensor x) { ${body} }`, signature);

test('questions about a tensor', () => {
  assert.deepEqual(
    valuesOf(
      'out<<<1,1>>>(x.size(-1), x.stride(0), x.numel(), x.dim(), x.is_contiguous(), x.is_cuda() && x.device().is_cuda(), x.scalar_type() == torch::kFloat32, x.dtype() == at::kHalf, x.element_size(), x.nbytes())',
      'int,int,int,int,int,int,int,int,int,int',
    ),
    [8, 8, 32, 2, 1, 1, 1, 0, 4, 128],
  );
});

test('c10::multiply_integers is the product of a shape', () => {
  assert.deepEqual(
    valuesOf(
      'std::vector<int64_t> none; out<<<1,1>>>(c10::multiply_integers(x.sizes()), c10::multiply_integers(none))',
      'int64_t,int64_t',
    ),
    [32, 1],
  );
});

test('factories: shape, dtype, device, contents', () => {
  const trace = run(
    `auto a = torch::zeros({2, x.size(0)}, torch::TensorOptions().dtype(torch::kFloat16).device(x.device()));
     auto b = torch::full({3}, 2.5, torch::dtype(torch::kFloat).device(torch::kCUDA));
     auto c = torch::ones_like(x, x.options().dtype(torch::kInt64)); auto d = x.new_empty({5});
     k<<<1, 1>>>(b.data_ptr<float>()); return a;`,
  );
  assert.deepEqual(
    trace.buffers.map((b) => b.bytes),
    [128, 16, 12, 256, 20],
  );
  assert.deepEqual(
    trace.steps.map((s) => (s.kind === 'fill' ? s.bytes : s.kind)),
    ['0000', '00002040', '0100000000000000', 'launch'],
  );
  assert.deepEqual(trace.outputs[0]?.shape, [2, 4]);
  assert.equal(trace.outputs[0]?.dtype, 'float16');
});

test('torch::tensor: the numbers that stand there, with the dtype that PyTorch infers', () => {
  const trace = run(
    `auto a = torch::tensor({1, -2}, x.device()); auto b = torch::tensor({1.5, 2.0}, x.options().dtype(at::kHalf));
     auto c = torch::tensor(0.25, x.options()); std::vector<int64_t> v = {7, 8}; auto d = torch::tensor(v, torch::dtype(torch::kInt).device(torch::kCUDA));
     k<<<1, 1>>>(c.data_ptr<float>()); return a;`,
  );
  assert.deepEqual(
    trace.steps.map((s) => (s.kind === 'write' ? s.bytes : s.kind)),
    ['0100000000000000feffffffffffffff', '003e0040', '0000803e', '0700000008000000', 'launch'],
  );
  assert.deepEqual([trace.outputs[0]?.shape, trace.outputs[0]?.dtype], [[2], 'int64']);
});

test('a tensor made in CPU memory goes to the GPU with what is known of it', () => {
  const trace = run(
    `auto a = torch::empty({4}, torch::kLong).to(x.device()); auto b = torch::full({2}, 3.0f).cuda(); auto c = torch::tensor({1.0f, 2.0f}).to(torch::kCUDA);
     auto d = torch::zeros({2}, torch::kInt).to(torch::kCUDA, torch::kFloat); k<<<1, 1>>>(b.data_ptr<float>()); return d;`,
  );
  const gpu = trace.steps.map((s) => (s.kind === 'fill' || s.kind === 'write' ? s.bytes : s.kind));
  assert.deepEqual(gpu, ['00004040', '0000803f00000040', '00000000', 'launch']);
  assert.equal(trace.outputs[0]?.dtype, 'float32');
  const part = 'auto b = torch::zeros({4}); b.slice(0, 0, 2).fill_(1); auto c = b.cuda(); return c;';
  assert.throws(() => run(part), /bringing torch::zeros at line 2 from CPU memory to the GPU: make it there/);
  assert.throws(() => run('return x + torch::ones({4, 8});'), /torch::ones at line 2 lies in CPU memory/);
});

test('an element of a tensor is assigned to in place; a variable is not', () => {
  const trace = run(
    'auto y = torch::empty_like(x); y[1] = x[0]; y[2] = 5; y[3] += x[1]; auto row = y[0]; row = x[2]; return y;',
  );
  assert.deepEqual(
    trace.steps.map((s) => [s.kind, s.kind === 'copy' ? [s.from.offset, s.to.offset] : 0]),
    [
      ['copy', [0, 8]],
      ['fill', 0],
      ['operator', 0],
      ['copy', [0, 24]],
    ],
  );
  assert.deepEqual(
    valuesOf('out<<<1,1>>>(at::maybe_wrap_dim(-1, x.dim()), at::maybe_wrap_dim(1, 2))', 'int,int'),
    [1, 1],
  );
  assert.throws(() => run('at::maybe_wrap_dim(2, x.dim()); return x;'), /dimension 2 of a tensor with 2 dimensions/);
});

test('index with numbers is a view that can be assigned to', () => {
  const trace = run('auto y = torch::empty_like(x); y.index({1, -1}) = x.index({2, 3}); y.index({3}) = 2; return y;');
  const [copy, fill] = trace.steps;
  assert(copy?.kind === 'copy' && fill?.kind === 'fill');
  assert.deepEqual([copy.from.offset, copy.to.offset, copy.to.shape], [19, 15, []]);
  assert.deepEqual([fill.tensor.offset, fill.tensor.shape], [24, [8]]);
  assert.throws(() => run('return x.index({0, 1, 2});'), /3 indices of a tensor with 2 dimensions/);
  assert.throws(() => run('return x.index({4});'), /elements 4 to 5 of a dimension of 4/);
});

test('chunk, split and unbind give views; the last piece has what is left', () => {
  const shapes = (pieces: string) =>
    valuesOf(
      `auto p = ${pieces}; out<<<1,1>>>(p.size(), p[0].size(0), p.back().size(0), p.back().size(1))`,
      'int,int,int,int',
    );
  assert.deepEqual(shapes('x.chunk(3)'), [2, 2, 2, 8]);
  assert.deepEqual(shapes('torch::chunk(x, 3, 1)'), [3, 4, 4, 2]);
  assert.deepEqual(shapes('x.split(3)'), [2, 3, 1, 8]);
  assert.deepEqual(shapes('at::split(x, 5, -1)'), [2, 4, 4, 3]);
  assert.deepEqual(shapes('x.split_with_sizes({1, 3})'), [2, 1, 3, 8]);
  const trace = run(
    'auto y = torch::empty_like(x); auto rows = x.unbind(); y.chunk(2, 1)[1][0].copy_(rows[3].narrow(0, 0, 4)); return y;',
  );
  const [copy] = trace.steps;
  assert(copy?.kind === 'copy');
  assert.deepEqual([copy.from.offset, copy.to.offset, copy.to.shape], [24, 4, [4]]);
  assert.throws(() => run('return x.split({1, 2})[0];'), /split of a dimension of 4 into pieces of \[1, 2\]/);
  assert.throws(() => run('return x.chunk(0)[0];'), /chunk into 0 pieces/);
  assert.throws(() => run('return x.split(0)[0];'), /split into pieces of 0 elements/);
});

test('views share a buffer; copies are steps', () => {
  const trace = run(
    'auto t = x.t(); auto c = t.contiguous(); auto same = c.contiguous(); k<<<1, 1>>>(same.data_ptr<float>()); return c.view({-1});',
  );
  const [copy, launch] = trace.steps;
  assert(copy?.kind === 'copy' && launch?.kind === 'launch');
  assert.deepEqual(
    [copy.from.shape, copy.from.strides, copy.to.strides],
    [
      [8, 4],
      [1, 8],
      [4, 1],
    ],
  );
  assert.equal(shown(launch.arguments[0]), '#1+0');
  assert.deepEqual(trace.outputs[0]?.shape, [32]);
  const sliced = run(
    'auto row = x[1]; auto part = x.slice(1, 2, 8, 3); k<<<1, 1>>>(row.data_ptr<float>()); k<<<1, 1>>>(part.data_ptr<float>()); return part;',
  );
  assert.deepEqual(
    launches(sliced).map((l) => shown(l.arguments[0])),
    ['#0+32', '#0+8'],
  );
  assert.deepEqual(
    [sliced.outputs[0]?.shape, sliced.outputs[0]?.strides],
    [
      [4, 2],
      [8, 3],
    ],
  );
});

test('copy_, clone, to(dtype), zero_, cudaMemsetAsync, cudaMemcpyAsync', () => {
  const trace = run(
    `auto y = torch::empty_like(x); y.copy_(x[0]); auto h = x.to(torch::kHalf); auto c = x.clone(); c.zero_(); c.select(0, 1).fill_(3);
     cudaMemsetAsync(c.data_ptr<float>() + 4, 0, 8 * sizeof(float), at::cuda::getCurrentCUDAStream());
     cudaMemcpyAsync(c.data_ptr(), x.data_ptr(), x.nbytes(), cudaMemcpyDeviceToDevice); k<<<1, 1>>>(c.data_ptr<float>()); return h;`,
  );
  assert.deepEqual(
    trace.steps.map((s) => s.kind),
    ['copy', 'copy', 'copy', 'fill', 'fill', 'fill', 'copy', 'launch'],
  );
  const [broadcast, , , , row, memset] = trace.steps;
  assert(broadcast?.kind === 'copy' && row?.kind === 'fill' && memset?.kind === 'fill');
  assert.deepEqual(broadcast.from.strides, [0, 1]);
  assert.deepEqual([row.tensor.offset, row.tensor.shape, row.bytes], [8, [8], '00004040']);
  assert.deepEqual([memset.tensor.dtype, memset.tensor.offset, memset.tensor.shape], ['uint8', 16, [32]]);
});

test('dispatch macros bind scalar_t, and refuse what they do not list', () => {
  const source = (macro: string): string =>
    `template <typename T> __global__ void k(const T* p) {}\nvoid go(torch::Tensor x) {\n${macro}\n}\ntorch::Tensor forward(torch::Tensor x) { go(x); return x; }`;
  const body = '[&] { k<scalar_t><<<1, sizeof(scalar_t)>>>(x.data_ptr<scalar_t>()); }';
  const names = (macro: string, dtype: string): string[] =>
    launches(tryHost(source(macro), `x[4]:${dtype}`)).map((l) => l.kernel.spelling);
  assert.deepEqual(names(`AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "k", (${body}));`, 'float64'), ['k<double>']);
  assert.deepEqual(names(`AT_DISPATCH_FLOATING_TYPES_AND_HALF(x.type(), "k", ${body});`, 'float16'), ['k<c10::Half>']);
  assert.deepEqual(
    names(
      `AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(), "k", ${body});`,
      'bfloat16',
    ),
    ['k<c10::BFloat16>'],
  );
  assert.deepEqual(names(`AT_DISPATCH_ALL_TYPES(x.scalar_type(), "k", ${body});`, 'int64'), ['k<long>']);
  assert.deepEqual(
    names(
      `AT_DISPATCH_SWITCH(x.scalar_type(), "k", AT_DISPATCH_CASE(at::kFloat, ${body}) AT_DISPATCH_CASE_INTEGRAL_TYPES(${body}));`,
      'int32',
    ),
    ['k<int>'],
  );
  assertRefused(
    source(`AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "my op", ${body});`),
    'x[4]:float16',
    'fails',
    /my op is not implemented for float16/,
    3,
  );
});

test('CPU memory cannot reach a kernel', () => {
  const source =
    '__global__ void k(float* p) {}\ntorch::Tensor forward(torch::Tensor x) {\nauto y = torch::zeros({4});\nk<<<1, 1>>>(y.data_ptr<float>()); return y; }';
  assertRefused(source, 'x[4]', 'invalid', /torch::zeros at line 3 lies in CPU memory/, 4);
});

test('optional tensors and undefined ones', () => {
  const source = `__global__ void k(const float* a, const float* b) {}
torch::Tensor forward(torch::Tensor x, c10::optional<torch::Tensor> bias, std::optional<at::Tensor> none = std::nullopt) {
  torch::Tensor u; const float* p = bias.has_value() ? bias->data_ptr<float>() : nullptr;
  k<<<1, 1>>>(p, u.defined() ? u.data_ptr<float>() : nullptr); return x; }`;
  assert.throws(() => tryHost(source, 'x[4] b[4]'), /takes 3 tensors, the task gives 2/);
  const trace = tryHost(source.replace(', std::optional<at::Tensor> none = std::nullopt', ''), 'x[4] b[4]');
  assert.deepEqual(launches(trace)[0]?.arguments.map(shown), ['#1+0', 'null']);
});

test('arguments: tensors in order, scalars by name, batch counters may be left out', () => {
  const source = (parameters: string): string =>
    `__global__ void k(float* p, float e, int n) {}\nstd::vector<torch::Tensor> forward(${parameters}) { k<<<1, 1>>>(x.data_ptr<float>(), eps, 0); return {x, w}; }`;
  const trace = tryHost(
    source('torch::Tensor x, const at::Tensor& w, double eps'),
    'x[4] bn.w[4] bn.num_batches_tracked[]:int64; eps=0.25',
  );
  assert.deepEqual(launches(trace)[0]?.arguments.map(shown), ['#0+0', 0.25, 0]);
  assert.deepEqual(
    trace.outputs.map((o) => o.buffer),
    [0, 1],
  );
  assertRefused(
    source('torch::Tensor x, torch::Tensor w, double epsilon'),
    'x[4] w[4]; eps=0.25',
    'invalid',
    /epsilon.*expected forward\(Tensor x \[4\] float32, Tensor w \[4\] float32, eps\)/,
    2,
  );
  assertRefused(
    source('torch::Tensor x, torch::Tensor w, double eps'),
    'x[4]; eps=1',
    'invalid',
    /takes 2 tensors, the task gives 1/,
  );
  assertRefused(
    source('torch::Tensor x, torch::Tensor w, int eps'),
    'x[4] w[4]; eps=0.5',
    'invalid',
    /integer parameter eps/,
  );
  const list = tryHost(
    '__global__ void k(int n) {}\nat::Tensor forward(at::Tensor x, std::vector<int64_t> shape, bool flag = true, const std::string& mode = "a") { k<<<1,1>>>(shape[1] + flag + (mode == "b")); return x; }',
    'x[4]; shape=[2,3] mode="b"',
  );
  assert.deepEqual(launches(list)[0]?.arguments.map(shown), [5]);
});

test('defaults may stand in a prototype or in the export', () => {
  const source = `__global__ void k(float e, int n) {}
void run(float e, int n = 5);
void run(float e, int n) { k<<<1, 1>>>(e, n); }
torch::Tensor forward(torch::Tensor x, double eps) { run(eps); return x; }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward, "doc", py::arg("x"), py::arg("eps") = 0.5); }`;
  assert.deepEqual(launches(tryHost(source, 'x[4]'))[0]?.arguments.map(shown), [0.5, 5]);
  assert.deepEqual(launches(tryHost(source, 'x[4]; eps=0.25'))[0]?.arguments.map(shown), [0.25, 5]);
});

test('exports: pybind11, TORCH_LIBRARY, a lambda, a lone function', () => {
  const kernel = '__global__ void k(float* p) {}\n';
  const fn = (name: string): string =>
    `torch::Tensor ${name}(torch::Tensor x) { k<<<1, 1>>>(x.data_ptr<float>()); return x; }\n`;
  assert.equal(
    tryHost(
      `${kernel}${fn('a')}${fn('b')}PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("other", &a); m.def("forward", &b, "doc"); }`,
      'x[4]',
    ).entry,
    'b',
  );
  assert.equal(
    tryHost(`${kernel}${fn('a')}TORCH_LIBRARY(ns, m) { m.def("run(Tensor x) -> Tensor", &a); }`, 'x[4]').entry,
    'a',
  );
  for (const registered of [
    'm.def("run(Tensor x) -> Tensor"); m.impl("run", torch::kCUDA, &a);',
    'm.impl("run", torch::kCPU, &b); m.impl("run", torch::dispatch(c10::DispatchKey::CUDA, TORCH_FN(a)));',
    'm.impl("ns::forward", TORCH_FN(a)); m.impl("other", &b);',
  ]) {
    assert.equal(tryHost(`${kernel}${fn('a')}${fn('b')}TORCH_LIBRARY(ns, m) { ${registered} }`, 'x[4]').entry, 'a');
  }
  assert.equal(
    tryHost(`${kernel}${fn('helper')}torch::Tensor top(torch::Tensor x) { return helper(x); }`, 'x[4]').entry,
    'top',
  );
  assert.equal(
    tryHost(
      `${kernel}PYBIND11_MODULE(m_, m) { m.def("forward", [](torch::Tensor x) { k<<<1, 1>>>(x.data_ptr<float>()); return x; }); }`,
      'x[4]',
    ).entry,
    'forward',
  );
  assertRefused(`${kernel}${fn('a')}${fn('b')}`, 'x[4]', 'invalid', /a, b.*Name it `forward`/);
  assertRefused(kernel, 'x[4]', 'invalid', /no host function/);
});

test('device queries are answered from the target', () => {
  assert.deepEqual(
    valuesOf(
      'cudaDeviceProp prop; cudaGetDeviceProperties(&prop, 0); int sms; cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0); out<<<1,1>>>(prop.multiProcessorCount, sms, at::cuda::getCurrentDeviceProperties()->sharedMemPerBlockOptin, prop.major)',
      'int,int,int,int',
    ),
    [132, 132, 227 * 1024, 9],
  );
});

const python = process.env.ASSAY_PYTHON ?? 'python3';
function hasTorch(): boolean {
  try {
    execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('views have the shapes, strides and offsets of real PyTorch', {
  skip: hasTorch() ? false : `${python} cannot import torch (set ASSAY_PYTHON)`,
}, () => {
  const steps = [
    'transpose(0, 1)',
    'transpose(-1, 0)',
    'permute({2, 0, 1})',
    'unsqueeze(0)',
    'unsqueeze(-1)',
    'squeeze()',
    'flatten()',
    'flatten(0, 1)',
    'reshape({-1, 6})',
    'reshape({6, 4, -1})',
    'view({24, -1})',
    'narrow(0, 1, 2)',
    'slice(0, 0, 4, 2)',
    'select(0, 1)',
    'contiguous()',
    'clone()',
    'reshape({2, 2, -1})',
    'chunk(3, 1)[1]',
    'chunk(5)[2]',
    'split(3, -1)[1]',
    'split({1, 3}, 0)[1]',
    'unbind(1)[2]',
    'unbind()[0]',
  ]; // prettier-ignore
  let state = 12345;
  const random = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  const chains = Array.from({ length: 300 }, () =>
    Array.from({ length: 1 + random(4) }, () => steps[random(steps.length)] as string),
  );
  const program = `
import torch, json, sys
for chain in json.load(sys.stdin):
    t = torch.empty(4, 6, 8)
    try:
        for step in chain:
            name, rest = step.replace('{', '[').replace('}', ']').split('(')
            args, piece = rest.split(')')
            a = eval('(' + args + (',)' if args else ')'))
            if name == 'slice': t = t[a[1]:a[2]:a[3]]
            else: t = getattr(t, name)(*a)
            if piece: t = t[int(piece[1:-1])]
        print(json.dumps([list(t.shape), list(t.stride()), t.storage_offset(), t.is_contiguous()]))
    except Exception as e: print('null')`;
  const expected = execFileSync(python, ['-c', program], { input: JSON.stringify(chains), encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l));
  let valid = 0;
  chains.forEach((chain, i) => {
    const code = `__global__ void k(bool c) {}\ntorch::Tensor forward(torch::Tensor x) { auto t = x.${chain.join('.')}; k<<<1, 1>>>(t.is_contiguous()); return t; }`;
    if (expected[i] === null) {
      assert.throws(() => tryHost(code, 'x[4,6,8]'), CandidateError, chain.join('.'));
      return;
    }
    valid++;
    const trace = tryHost(code, 'x[4,6,8]');
    const [t] = trace.outputs;
    assert(t);
    assert.deepEqual(
      [t.shape, t.strides, t.offset, shown(launches(trace)[0]?.arguments[0]) === 1],
      expected[i],
      chain.join('.'),
    );
  });
  assert.ok(valid > 100, `${valid} chains are valid`);
});
