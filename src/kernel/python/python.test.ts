/** Submissions in Python: what stands in the plan, in which order, and every refusal with its sentence and line. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadTask, type Signature, type SubmissionNews, type Task } from '../../task/index.ts';
import { findToolchain } from '../build/index.ts';
import { deviceFactsOf } from '../device-facts.ts';
import { CandidateError, type CandidateErrorKind } from '../error.ts';
import { DEFAULT_LIMITS } from '../interpret/limits.ts';
import { World } from '../interpret/world.ts';
import { candidateLanguage } from '../language.ts';
import { prepareCandidate } from '../prepare.ts';
import type { PlanStep, PreparedCandidate } from '../types.ts';
import { flagsThatMatter } from './extension.ts';
import { Lowering } from './lowering.ts';
import { paddedSource } from './source-lines.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';
let cacheDir = '';
/** The sandbox's snapshot takes seconds to make: it is kept beside the installed packages. */
const tracesDir = fileURLToPath(new URL('../../../node_modules/.cache/assay/', import.meta.url));
let task: Task;
const TASK = `import torch
import torch.nn as nn
class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, 8))
        self.register_buffer('scale', torch.ones(features))
    def forward(self, x):
        return x @ self.weight.t() * self.scale
def get_inputs():
    return [torch.rand(4, 8)]
def get_init_inputs():
    return [16]
`;
before(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'assay-python-test-'));
  task = await loadTask({ name: 'task', source: TASK }, { cacheDir: tracesDir });
});
after(() => rmSync(cacheDir, { recursive: true, force: true }));

const prepare = (source: string): Promise<PreparedCandidate> =>
  prepareCandidate(source, task.signature, { arch: 'sm_90', cacheDir, tracesDir, task });

/** A submission whose forward is these lines; the extension has `twice_(x)`, in place, and `sum(x, y)`, which returns a new tensor. */
const submission = (forward: string, { top = '', init = '', cuda = '' } = {}) => `import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline
source = """
#include <torch/extension.h>
__global__ void twice(float* x, int n) { int i = blockIdx.x * 64 + threadIdx.x; if (i < n) x[i] *= 2; }
__global__ void add(const float* x, const float* y, float* z, int n) { int i = blockIdx.x * 64 + threadIdx.x; if (i < n) z[i] = x[i] + y[i]; }
void twice_(torch::Tensor x) { twice<<<(x.numel() + 63) / 64, 64>>>(x.data_ptr<float>(), x.numel()); }
torch::Tensor sum(torch::Tensor x, torch::Tensor y) {
    TORCH_CHECK(x.is_contiguous(), "x must be contiguous");
    auto z = torch::empty_like(x);
    add<<<(x.numel() + 63) / 64, 64>>>(x.data_ptr<float>(), y.data_ptr<float>(), z.data_ptr<float>(), x.numel());
    return z;
}
${cuda}
"""
declared = "void twice_(torch::Tensor x); torch::Tensor sum(torch::Tensor x, torch::Tensor y);"
ext = load_inline(name="ext", cpp_sources=declared, cuda_sources=source, functions=["twice_", "sum"])
${top}
class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, 8))
        self.register_buffer('scale', torch.ones(features))
${init.replace(/^/gm, '        ')}
    def forward(self, x):
${forward.replace(/^/gm, '        ')}
`;

const all = (remarks: PreparedCandidate['remarks']) => (remarks ?? []).map(({ text }) => text).join('\n');

/** A step as a person would tell it: names of buffers and what is done with them. */
function told({ plan }: PreparedCandidate): string[] {
  const name = (buffer: number) => `${plan.buffers[buffer]!.name} ${buffer}`;
  const one = (step: PlanStep): string => {
    switch (step.kind) {
      case 'launch':
        return `${step.kernel}(${step.arguments.flatMap((a) => (a.kind === 'pointer' ? [name(a.buffer)] : [])).join(', ')})`;
      case 'operator':
        return `${step.op}(${step.inputs.map((t) => name(t.buffer)).join(', ')}) -> ${name(step.outputs[0]!.buffer)}`;
      case 'copy':
        return `${name(step.from.buffer)} -> ${name(step.to.buffer)}`;
      case 'fill':
        return `fill ${name(step.tensor.buffer)}`;
      case 'constant':
        return `constant ${name(step.tensor.buffer)}`;
      case 'write':
        return `write ${name(step.buffer)}`;
    }
  };
  return [...plan.steps.map(one), `returns ${plan.outputs.map((t) => name(t.buffer)).join(', ')}`];
}

describe('plans', { skip }, () => {
  test('kernels and operators stand in the order in which they happen; views share memory, clones do not', async () => {
    const prepared = await prepare(
      submission(`y = x.matmul(self.weight.t())
before = y.clone()
view = y[1:3]
ext.twice_(view)
return ext.sum(before, y) * self.scale`),
    );
    assert.deepEqual(told(prepared), [
      'matmul(x 0, weight 1) -> result of matmul 3',
      'result of matmul 3 -> result of matmul 4',
      'twice(result of matmul 3)',
      'add(result of matmul 4, result of matmul 3, torch::empty_like at line 11 5)',
      'mul(torch::empty_like at line 11 5, scale 2) -> result of mul 6',
      'returns result of mul 6',
    ]);
    const [, , twice] = prepared.plan.steps as Extract<PlanStep, { kind: 'launch' }>[];
    assert.deepEqual(twice!.arguments[0], { kind: 'pointer', buffer: 3, byteOffset: 16 * 4 });
    assert.equal(twice!.line, 8, 'the line of the submission, in its string');
  });

  test('what forward makes and kernels fill; constants; an operator of __init__ is done where it is needed', async () => {
    const prepared = await prepare(
      submission(
        `out = torch.zeros(4, 16)
ext.twice_(out)
shift = torch.tensor([float(i) for i in range(16)])
return out + shift + self.doubled`,
        { init: 'self.doubled = self.scale * 2' },
      ),
    );
    assert.deepEqual(told(prepared), [
      'fill constant 3',
      'twice(constant 3)',
      'constant constant 4',
      'add(constant 3, constant 4) -> result of add 5',
      'mul(scale 2) -> result of mul 6',
      'add(result of add 5, result of mul 6) -> result of add 7',
      'returns result of add 7',
    ]);
  });

  test('a tensor that is not contiguous goes to the extension as it is, and its TORCH_CHECK speaks', async () => {
    await assert.rejects(prepare(submission('return ext.sum(x.t(), x.t())')), /RuntimeError.*x must be contiguous/);
  });

  test('an extension that fails and is passed over is told', async () => {
    const forward = 'try:\n    return ext.sum(x.t(), x)\nexcept RuntimeError:\n    return x.matmul(self.weight.t())';
    const { plan, remarks } = await prepare(submission(forward));
    assert.deepEqual(
      plan.steps.map(({ kind }) => kind),
      ['operator'],
    );
    assert.match(remarks![0]!.text, /went on without: .*x must be contiguous/);
    assert.equal(remarks![0]!.line, 28);
  });

  test('what has no effect is told by name and line', async () => {
    const { remarks } = await prepare(
      submission('e = torch.cuda.Event(True)\ne.elapsed_time(e)\nself.seen = 1\nreturn ext.sum(x, x)', {
        top: 'import time, threading',
      }),
    );
    assert.deepEqual(
      remarks!.map(({ text, line }) => `${line} ${text.slice(0, 24)}`),
      [
        '19 It imports time: clocks ',
        '19 It imports threading: th',
        '28 It times its own work (E',
        '29 It keeps self.seen betwe',
      ],
    );
  });

  test('autocast lowers PyTorch operators as PyTorch does, and says so', async () => {
    const prepared = await prepare(
      submission('with torch.cuda.amp.autocast():\n    y = x @ self.weight.t()\n    z = torch.softmax(y, 1)\nreturn z'),
    );
    const { steps } = prepared.plan;
    const [, , product, , softmax] = steps as Extract<PlanStep, { kind: 'operator' }>[];
    assert.deepEqual([product!.op, product!.outputs[0]!.dtype], ['matmul', 'float16']);
    assert.deepEqual([softmax!.op, softmax!.outputs[0]!.dtype], ['softmax', 'float32']);
    assert.match(prepared.remarks![0]!.text, /compute in float16.*changes the precision/);
    assert.equal(prepared.remarks![0]!.line, 27);
  });

  test('channels_last are strides: of copies, of what is made of them, and of what a kernel is given', async () => {
    const forward = `y = x.view(1, 2, 4, 4).contiguous(memory_format=torch.channels_last)
w = self.weight.view(4, 2, 4, 4)
z = torch.nn.functional.conv2d(y, w, padding=2)
assert z.is_contiguous(memory_format=torch.channels_last) and (z + 1).stride() == (100, 1, 20, 4)
ext.twice_(z)
return z.permute(0, 2, 3, 1).reshape(-1, 4)`;
    const { plan } = await prepare(submission(forward));
    assert.deepEqual(
      plan.steps.map((step) => (step.kind === 'operator' ? step.op : step.kind)),
      ['copy', 'conv2d', 'add', 'launch'],
    );
    const [copy, convolution] = plan.steps as [
      Extract<PlanStep, { kind: 'copy' }>,
      Extract<PlanStep, { kind: 'operator' }>,
    ];
    assert.deepEqual(copy.to.strides, [32, 1, 8, 2]);
    assert.deepEqual(convolution.outputs[0]!.strides, [100, 1, 20, 4]);
    assert.deepEqual(plan.outputs[0]!.strides, [4, 1], 'a view: nothing is copied');
  });

  test('the GPU is the one that is judged for', async () => {
    const prepared = await prepare(
      submission(`p = torch.cuda.get_device_properties(0)
assert torch.cuda.get_device_capability() == (9, 0) and p.multi_processor_count == 132 and p.warp_size == 32
with torch.cuda.device(x.device):
    torch.cuda.current_stream().synchronize()
    return x + 1`),
    );
    assert.equal(prepared.plan.steps.length, 1);
  });

  test('an extension from files that the program writes', async () => {
    const source = submission('return files.sum(x, x)', {
      top: `import os, tempfile
from torch.utils.cpp_extension import load
folder = tempfile.mkdtemp()
with open(os.path.join(folder, 'k.cu'), 'w') as f:
    f.write(source)
with open(os.path.join(folder, 'k.cpp'), 'w') as f:
    f.write('#include <torch/extension.h>\\n' + declared + 'PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("sum", &sum); }')
files = load(name='files', sources=[os.path.join(folder, 'k.cpp'), os.path.join(folder, 'k.cu')], verbose=True)`,
    });
    const { plan, remarks } = await prepare(source);
    assert.deepEqual(
      plan.steps.map(({ kind, line }) => `${kind} ${line}`),
      ['launch 12'],
    );
    assert.match(remarks![0]!.text, /writes files: they exist in the sandbox alone/);
  });

  test('parameters of its own that follow from constants and from others need no counterpart', async () => {
    const init = `self.register_buffer('doubled', self.weight * 2)
self.shift = nn.Parameter(torch.zeros(16))`;
    const prepared = await prepare(submission('return self.doubled + self.weight + self.shift[0]', { init }));
    assert.deepEqual(
      told(prepared).map((line) => line.replace(/ .*/, '')),
      ['mul(weight', 'add(result', 'fill', 'add(result', 'returns'],
    );
  });

  test('a first call that warms up, or prepares what follows from parameters alone, does the same work as the second', async () => {
    const { plan, remarks } = await prepare(
      submission(`if not hasattr(self, "ready"):
    ext.twice_(x.clone())
    self.scale = self.scale * 2
    self.folded = self.weight + 1
    self.ready = True
return ext.sum(x, x @ self.folded.t() @ self.folded * self.scale[0])`),
    );
    assert.equal(plan.steps.at(-1)!.kind, 'launch');
    assert.match(all(remarks), /first call does more than later ones .*every call is judged as the first one/);
  });

  test('what later calls compute with what earlier ones kept is told', async () => {
    const { remarks } = await prepare(
      submission('old = getattr(self, "old", torch.zeros(4, 8))\nself.old = ext.sum(x, old)\nreturn self.old'),
    );
    assert.match(all(remarks), /Later calls compute with what earlier ones kept \(.*old, line 28/);
  });

  test('out= is written, where it has the shape of the result', async () => {
    const prepared = await prepare(
      submission('y = torch.empty(4, 16)\nreturn torch.mm(x, self.weight.t(), out=y) + y'),
    );
    assert.deepEqual(told(prepared), [
      'matmul(x 0, weight 1) -> result of matmul 3',
      'add(result of matmul 3, result of matmul 3) -> result of add 4',
      'returns result of add 4',
    ]);
  });

  test("a parameter of Model's without a counterpart is told", async () => {
    const source = submission('return x @ self.weight.t() @ self.weight').replace(/.*register_buffer.*\n/, '');
    const { remarks } = await prepare(source);
    assert.match(remarks![0]!.text, /no counterpart of Model's scale/);
  });

  test("parameters that __init__ casts are cast from the call's own", async () => {
    const prepared = await prepare(submission('return x.half() @ self.weight.t()', { init: 'self.half()' }));
    assert.deepEqual(told(prepared)[1], 'cast(weight 1) -> result of cast 4');
  });

  test('a submission is in the mode that its task is asked in', async () => {
    const source = submission('return self.drop(x.matmul(self.weight.t())) * self.scale', {
      init: 'self.drop = nn.Dropout(0.5)',
    });
    const evaluated = { ...task, mode: 'eval' as const };
    const options = { arch: 'sm_90', cacheDir, tracesDir } as const;
    await assert.rejects(
      prepareCandidate(source, task.signature, { ...options, task }),
      /dropout draws random numbers/,
    );
    const { plan } = await prepareCandidate(source, task.signature, { ...options, task: evaluated });
    assert.deepEqual(
      plan.steps.flatMap((step) => (step.kind === 'operator' ? [step.op] : [])),
      ['matmul', 'mul'],
    );
  });

  test('a call that fails once and is not tried again is no other work', async () => {
    const { remarks } = await prepare(
      submission(`y = ext.sum(x, x)
if not hasattr(self, "failed"):
    try:
        return ext.sum(x.t(), x)
    except RuntimeError:
        self.failed = True
return y`),
    );
    assert.match(all(remarks), /failed here, as it would in PyTorch, and it went on/);
  });

  test('switches of PyTorch, script and trace change nothing', async () => {
    const { plan } = await prepare(
      submission(
        `traced = torch.jit.trace(lambda a: a * 2, x)
return traced(x) + torch.jit.script(lambda a: a)(x)`,
        {
          top: 'import torch._dynamo\ntorch._dynamo.config.suppress_errors = True\ntorch._C._jit_set_profiling_mode(False)',
        },
      ),
    );
    assert.deepEqual(
      plan.steps.map(({ kind }) => kind),
      ['operator', 'operator'],
    );
  });

  test('a name that PyTorch does not have is an AttributeError, as it is there', async () => {
    const { plan } = await prepare(
      submission('try:\n    torch.cuda.compile(x)\nexcept AttributeError:\n    return x + 1'),
    );
    assert.equal(plan.steps.length, 1);
  });
});

/** Name, source, kind, what is said, and a piece of the line that is named ('' where none is). */
const REFUSED: readonly [string, string, CandidateErrorKind, RegExp, string][] = [
  [
    'results kept',
    submission('if not hasattr(self, "y"):\n    self.y = ext.sum(x, x)\nreturn self.y'),
    'refused',
    /second call of forward .*y, line 28/,
    '',
  ],
  [
    'a name of PyTorch replaced',
    submission('return ext.sum(x, x)', { top: 'torch.cuda.synchronize = print' }),
    'refused',
    /torch\.cuda\.synchronize is replaced/,
    'synchronize = print',
  ],
  [
    'a stream',
    submission('s = torch.cuda.Stream()\nreturn x'),
    'unsupported',
    /torch\.cuda\.Stream .*one stream/,
    's = torch.cuda',
  ],
  [
    'a CUDA graph',
    submission('g = torch.cuda.CUDAGraph()\nreturn x'),
    'unsupported',
    /CUDAGraph .*call the work in forward as it is/,
    'g = torch.cuda',
  ],
  [
    'a file',
    submission('return x', { top: 'open("k.cu")' }),
    'unsupported',
    /no files but those that it writes/,
    'open(',
  ],
  ['a file in forward', submission('open("k.txt", "w")\nreturn x'), 'unsupported', /open\(\) in forward/, 'open('],
  [
    'a Python module written',
    submission('return x', { top: 'open("/tmp/torch.py", "w")' }),
    'unsupported',
    /writes no Python modules/,
    'open(',
  ],
  [
    'a layout that is not known',
    submission('y = x.view(1, 2, 4, 4).to(memory_format=torch.channels_last)\nreturn torch.flip(y, (2,))'),
    'unsupported',
    /the memory layout of the result of flip for operands in channels_last/,
    'torch.flip',
  ],
  [
    'load of a file that it has not written',
    submission('return x', { top: 'from torch.utils.cpp_extension import load\nload("k", ["k.cu"])' }),
    'unsupported',
    /has not written that file; give the sources as strings/,
    'load("k"',
  ],
  [
    "an extension's function traced",
    submission('return torch.jit.trace(lambda a: ext.sum(a, a), x)(x)'),
    'unsupported',
    /in a function traced by torch\.jit\.trace .*PyTorch keeps its result as a constant/,
    'jit.trace',
  ],
  [
    'a traced function with other shapes',
    submission('return torch.jit.trace(lambda a: a + 1, x)(x[1:])'),
    'unsupported',
    /other shapes than those of its example/,
    'jit.trace',
  ],
  [
    'an operator without a type under autocast',
    submission('with torch.autocast("cuda"):\n    return torch.dot(x[0], x[1])'),
    'unsupported',
    /dot under autocast/,
    'torch.dot',
  ],
  [
    'a subclass of Tensor',
    submission('return x', {
      top: 'class Lazy(torch.Tensor):\n    pass\nlazy = torch.Tensor._make_subclass(Lazy, torch.empty(0))',
    }),
    'unsupported',
    /Lazy, a subclass of torch\.Tensor .*return plain tensors/,
    'lazy = ',
  ],
  [
    'out= of another shape',
    submission('return torch.mm(x, self.weight.t(), out=torch.empty(0))'),
    'unsupported',
    /out= of torch\.mm that has not the shape of the result/,
    'out=',
  ],
  [
    'results kept beside work that looks alike',
    submission('y = ext.sum(x, x)\nif not hasattr(self, "y"):\n    self.y = y\n    return y\nreturn self.y + 0'),
    'refused',
    /second call of forward .*y, line 29/,
    '',
  ],
  ['random numbers', submission('return ext.sum(x, torch.rand(4, 8))'), 'refused', /drawn at random/, ''],
  [
    'a condition on values',
    submission('return x if x.sum() > 0 else -x'),
    'unsupported',
    /value of a tensor/,
    'return x if',
  ],
  [
    'other parameters',
    submission('return x', { init: 'self.more = nn.Parameter(torch.randn(3))' }),
    'invalid',
    /cannot be matched.*more \[3\] float32/,
    '',
  ],
  ['no ModelNew', 'import torch\nclass Model(torch.nn.Module): pass\n', 'invalid', /no class ModelNew/, ''],
  ['not Python', 'import torch\nclass ModelNew(:\n', 'invalid', /not valid Python[\s\S]*\^/, 'class ModelNew(:'],
  [
    'host code that is refused',
    submission('return ext.sum(x, x)').replace('auto z', 'std::thread later; auto z'),
    'refused',
    /thread/,
    'std::thread',
  ],
  [
    'a call in __init__',
    submission('return x', { init: 'ext.twice_(self.weight)' }),
    'unsupported',
    /outside forward/,
    'ext.twice_(self.weight)',
  ],
  [
    'an argument of another type',
    submission('return ext.sum(x, 2)'),
    'invalid',
    /takes .*Tensor as y/,
    'return ext.sum',
  ],
  [
    'an argument left to its default in C++, which pybind11 does not see',
    submission('return ext.sum(x)').replace(/torch::Tensor y\) \{/, 'torch::Tensor y = torch::Tensor()) {'),
    'invalid',
    /called without its argument y/,
    'return ext.sum(x)',
  ],
  [
    'a kernel without a host function',
    submission('return x').replace('"twice_", "sum"', '"twice"'),
    'invalid',
    /twice, which cpp_sources do not declare/,
    'ext = load_inline',
  ],
];

describe('refusals', () => {
  for (const [name, source, kind, message, at] of REFUSED) {
    test(name, async () => {
      await assert.rejects(prepare(source), (error: unknown) => {
        assert(error instanceof CandidateError, String(error));
        assert.match(error.message, message);
        assert.equal(error.kind, kind);
        if (at !== '') assert.equal(error.line, source.split('\n').findIndex((line) => line.includes(at)) + 1);
        return true;
      });
    });
  }

  test('what a forged trace tells is checked by meaning', () => {
    const signature: Signature = {
      tensors: [{ name: 'x', role: 'input', spec: { shape: [4], dtype: 'float32' } }],
      scalars: [],
      outputs: [],
    };
    const spec = { shape: [4], dtype: 'float32' as const };
    const node = { kind: 'node' as const, id: 1, op: 'relu', inputs: [0], attributes: {}, outputs: [spec], line: 1 };
    const forged = (...values: SubmissionNews['values']) => {
      const world = new World({ facts: deviceFactsOf('sm_90')!, limits: DEFAULT_LIMITS, occupancy: () => 1 });
      new Lowering(world, signature).take({ values, lazyBelow: 0, initial: [] });
    };
    const x = { kind: 'argument' as const, id: 0, argument: 0 };
    forged(x, node);
    assert.throws(() => forged({ ...x, argument: 1 }), /no argument 1/);
    assert.throws(() => forged(x, x), /told twice/);
    assert.throws(() => forged(node), /not made before it/);
    assert.throws(() => forged(x, { ...node, outputs: [{ ...spec, shape: [5] }] }), /gives float32\[4\]/);
    assert.throws(() => forged(x, { ...node, op: 'system' }), /system/);
    assert.throws(() => forged(x, { ...node, inputs: [1] }), /not made before it/);
  });
});

describe('text', () => {
  test('Python is told from CUDA by content', () => {
    const languages = [
      submission('return x'),
      TASK,
      '__global__ void k() {}',
      '#include <torch/extension.h>\n/*\nimport torch\n*/',
    ];
    assert.deepEqual(languages.map(candidateLanguage), ['python', 'python', 'cuda', 'cuda']);
  });

  test('a source that stands in the file keeps its lines, also behind escapes', () => {
    const file = ['s = """', 'int a;', 'int b = \\', '    2;', 'int c;', '"""'].join('\n');
    const { text, placed } = paddedSource(['\nint a;\nint b =     2;\nint c;\n'], file);
    assert.equal(placed, true);
    assert.deepEqual(text.split('\n').slice(0, 5), ['', 'int a;', 'int b =     2;', '', 'int c;']);
  });

  test('a source that the program puts together comes after the file', () => {
    const { text, placed } = paddedSource(['int made_of_parts;'], 's = "int " + "made_of_parts;"\n');
    assert.deepEqual([text, placed], ['\n\nint made_of_parts;', false]);
  });

  test('flags without effect are left out, the others kept for the build to judge', () => {
    assert.deepEqual(
      flagsThatMatter(['-O3', '-gencode=arch=compute_80,code=sm_80', '-Xptxas', '-v', '--use_fast_math', '-o', 'x']),
      ['-O3', '--use_fast_math', '-o', 'x'],
    );
  });
});
