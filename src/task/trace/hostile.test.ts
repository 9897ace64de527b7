/** Task files that are broken, beyond the tracer, or hostile: each ends in a sentence with its line, in bounded time, with nothing left running. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { checkGraph } from './graph-check.ts';
import { DEFAULT_LIMITS, Sandbox } from './sandbox.ts';
import { TaskError, type TaskErrorKind } from './task-error.ts';
import { testCache } from './test-cache.ts';
import { FileTracer, readAnswer } from './trace.ts';

/** A task whose forward is the given lines; `top` goes before the class. The first line of `top` is line 4, that of forward the line after the def. */
const file = (forward: string, top = '') => `import torch
import torch.nn as nn
import torch.nn.functional as F
${top}
class Model(nn.Module):
    def forward(self, x):
${forward.replace(/^/gm, '        ')}

def get_inputs():
    return [torch.rand(4, 8)]
`;

const at = (line: number) => ({ line });
const CASES: readonly [string, string, TaskErrorKind, RegExp, { line?: number }][] = [
  [
    'a syntax error shows line and caret',
    'import torch\ndef f(:\n    pass\n',
    'syntax',
    /line 2: not valid Python[\s\S]*def f\(:\n {10}\^/,
    at(2),
  ],
  ['no Model', 'x = 1\n', 'invalid', /defines no class Model/, {}],
  ['no get_inputs', 'import torch\nclass Model(torch.nn.Module): pass\n', 'invalid', /defines no get_inputs/, {}],
  ['an unknown function', file('return torch.fft.fft(x)'), 'unsupported', /line 7: torch\.fft is not supported/, at(7)],
  ['an unknown method', file('return x.svd()'), 'unsupported', /Tensor\.svd is not supported/, at(7)],
  [
    'an unknown layer',
    file('return x', 'L = nn.FractionalMaxPool2d(2)'),
    'unsupported',
    /torch\.nn\.FractionalMaxPool2d/,
    at(4),
  ],
  [
    'an unknown module',
    file('return x', 'import torchvision'),
    'unsupported',
    /import torchvision is not supported/,
    at(4),
  ],
  [
    'what is unsupported cannot be hidden by a try',
    file('try:\n    return torch.fft.fft(x)\nexcept Exception:\n    return x'),
    'unsupported',
    /torch\.fft/,
    at(8),
  ],
  [
    'control flow on values',
    file('if x.sum() > 0:\n    return x\nreturn -x'),
    'unsupported',
    /line 7: a condition .* on the value of a tensor/,
    at(7),
  ],
  ['item of a computed tensor', file('return x * x.max().item()'), 'unsupported', /\.item\(\)/, at(7)],
  ['a shape that depends on values', file('return x[x > 0.5]'), 'unsupported', /bool mask/, at(7)],
  [
    'shapes that do not fit',
    file('return x @ x'),
    'invalid',
    /line 7: RuntimeError: mat1 and mat2 shapes cannot be multiplied \(4x8 and 4x8\)/,
    at(7),
  ],
  ['an exception of the file', file('raise ValueError("no")'), 'invalid', /ValueError: no/, at(7)],
  ['uninitialised memory', file('return x + torch.empty(8)'), 'invalid', /uninitialised memory/, {}],
  [
    'a write in place to a parameter',
    file('self.w += 1\nreturn x * self.w', '').replace(
      '    def forward',
      '    def __init__(self):\n        super().__init__()\n        self.w = nn.Parameter(torch.ones(8))\n    def forward',
    ),
    'unsupported',
    /in place to the parameter w/,
    at(10),
  ],
  [
    'a write to an expanded tensor',
    file('y = x[:, :1].expand(4, 8)\ny += 1\nreturn y'),
    'unsupported',
    /expanded tensor/,
    at(8),
  ],
  ['endless recursion', file('return self.forward(x)'), 'invalid', /recurses/, {}],
  ['sys.exit', file('import sys\nsys.exit(0)'), 'invalid', /SystemExit/, at(8)],
  [
    'a shell',
    file('import os\nos.system("touch was-here")\nreturn x'),
    'unsupported',
    /os\.system is not supported .*cannot start processes/,
    at(8),
  ],
  ['a process', file('import subprocess\nsubprocess.run(["ls"])\nreturn x'), 'invalid', /./, at(8)],
  [
    'a host file',
    file('open("/etc/passwd").read()\nreturn x'),
    'unsupported',
    /open\(\) is not supported.*no files/,
    at(7),
  ],
  [
    'a host file by another door',
    file('import io\nio.open("/etc/passwd").read()\nreturn x'),
    'invalid',
    /FileNotFoundError/,
    at(8),
  ],
  [
    'the network',
    file('from urllib.request import urlopen\nurlopen("http://127.0.0.1")\nreturn x'),
    'invalid',
    /./,
    {},
  ],
  [
    'JavaScript',
    file('import js\njs.process.exit()\nreturn x'),
    'unsupported',
    /import js is not supported.*no access to the host/,
    at(7),
  ],
  ['the interpreter from outside', file('import pyodide_js\nreturn x'), 'unsupported', /import pyodide_js/, at(7)],
  ['running JavaScript', file('from pyodide.code import run_js\nreturn x'), 'unsupported', /import pyodide/, at(7)],
];

/** Files that change the interpreter they run in, or try to: each has a sandbox of its own. */
const HOSTILE: typeof CASES = [
  [
    'a replaced function',
    file('return torch.relu(x)', 'torch.relu = lambda x: x'),
    'invalid',
    /replaces torch\.relu; a task must not change PyTorch/,
    {},
  ],
  [
    'a replaced method',
    file('return x.relu()', 'torch.Tensor.relu = lambda x: x'),
    'invalid',
    /replaces torch.*\.relu/,
    {},
  ],
  [
    'a replaced layer',
    file('return x', 'nn.Linear.forward = lambda self, x: x'),
    'invalid',
    /replaces torch\.nn.*forward/,
    {},
  ],
  [
    'a replaced recorder',
    file('return torch.relu(x)', 'import torch._record as r\nr.line = lambda: 1'),
    'invalid',
    /replaces torch\._record\.line/,
    {},
  ],
  [
    'replaced builtins',
    file('return x', 'import builtins\nbuiltins.len = lambda x: 3'),
    'invalid',
    /replaces builtins\.len/,
    {},
  ],
  ['a memory bomb', file('a = [0] * 10**9\nb = bytearray(10**9)\nreturn x'), 'memory', /memory/, at(7)],
  ['a slow memory bomb', file('a = []\nwhile True:\n    a.append(bytearray(10**7))'), 'memory', /memory/, {}],
];

describe('task files that cannot be tasks', () => {
  let cacheDir = '';
  let shared: Sandbox;
  before(async () => {
    cacheDir = await testCache();
    shared = await Sandbox.open(cacheDir);
  });
  after(() => {
    shared.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  async function refused(trace: () => Promise<unknown>): Promise<TaskError> {
    try {
      await trace();
    } catch (error) {
      assert.ok(error instanceof TaskError, String(error));
      return error;
    }
    assert.fail('the file was accepted');
  }

  /** Refused by a sandbox of its own. */
  async function refusedAlone(source: string, limits = DEFAULT_LIMITS): Promise<TaskError> {
    const tracer = new FileTracer('task.py', source, cacheDir, { limits });
    try {
      return await refused(() => tracer.trace());
    } finally {
      await tracer.close();
    }
  }

  const inShared = (source: string) =>
    refused(async () => readAnswer('task.py', await shared.trace(JSON.stringify({ source }))));

  for (const [cases, run] of [
    [CASES, inShared],
    [HOSTILE, refusedAlone],
  ] as const)
    for (const [name, source, kind, message, { line }] of cases)
      test(name, async () => {
        const error = await run(source);
        assert.equal(error.kind, kind, error.message);
        assert.match(error.message, message);
        if (line !== undefined) assert.equal(error.line, line, error.message);
      });

  test('an infinite loop is stopped at the time limit', async () => {
    const started = Date.now();
    const error = await refusedAlone(file('while True:\n    pass'), { ...DEFAULT_LIMITS, timeoutMs: 1500 });
    assert.equal(error.kind, 'timeout');
    assert.match(error.message, /task\.py: the file ran for more than 1\.5 s and was stopped/);
    assert.ok(Date.now() - started < 15_000);
  });

  test('a graph that is too large is refused', async () => {
    const forward = 'for i in range(3000):\n    x = x + i\nreturn x';
    const error = await refusedAlone(file(forward), { ...DEFAULT_LIMITS, outputChars: 100_000 });
    assert.match(error.message, /larger than 100000 characters/);
  });

  test('JavaScript reached through the garbage collector has no powers', async () => {
    // Objects of the bridge that survive in the interpreter are looked for and used as an attacker would.
    const hunt = `
import gc
def reachable():
    seen, todo = set(), list(gc.get_objects())
    while todo and len(seen) < 300000:
        o = todo.pop()
        if id(o) not in seen:
            seen.add(id(o))
            yield o
            todo.extend(gc.get_referents(o))
proxies = [o for o in reachable() if type(o).__name__ == 'JsProxy']
reached = []
for o in proxies:
    try:
        reached.append(str(o.constructor.constructor('return process.pid')()))
    except BaseException:
        pass
raise RuntimeError('reached ' + reached[0] if reached else 'nothing reached')`.trim();
    const error = await refusedAlone(file('return x', hunt));
    assert.match(error.message, /nothing reached/);
  });
});

describe('what comes out of the sandbox is checked', () => {
  const good = () => ({
    graph: {
      inputs: [
        { id: 0, name: 'x', spec: { shape: [4, 8], dtype: 'float32' }, draw: { kind: 'uniform', low: 0, high: 1 } },
      ],
      parameters: [],
      constants: [],
      nodes: [
        {
          op: 'relu',
          inputs: [0],
          attributes: {},
          outputs: [{ id: 1, spec: { shape: [4, 8], dtype: 'float32' } }],
          line: 1,
        },
      ],
      outputs: [1],
    },
    scalars: [],
    constants: [],
    functional: false,
    stops: null,
  });
  type Answer = ReturnType<typeof good>;
  const forged: [string, (a: Answer) => unknown, RegExp][] = [
    ['no JSON', () => '{', /not a well-formed graph/],
    [
      'an unknown operator',
      (a) => {
        a.graph.nodes[0]!.op = 'system';
        return a;
      },
      /no operator `system`/,
    ],
    [
      'a shape that the operator does not give',
      (a) => {
        a.graph.nodes[0]!.outputs[0]!.spec.shape = [4];
        return a;
      },
      /relu gives float32\[4, 8\]/,
    ],
    [
      'ids out of order',
      (a) => {
        a.graph.nodes[0]!.outputs[0]!.id = 5;
        return a;
      },
      /out of order/,
    ],
    [
      'a value used before it is made',
      (a) => {
        a.graph.nodes[0]!.inputs = [1];
        return a;
      },
      /before it is made/,
    ],
    [
      'an output that is nowhere',
      (a) => {
        a.graph.outputs = [7];
        return a;
      },
      /before it is made/,
    ],
    ['a stray field', (a) => ({ ...a, extra: 1 }), /not a well-formed graph/],
    [
      'a negative size',
      (a) => {
        a.graph.inputs[0]!.spec.shape = [-1];
        return a;
      },
      /not a well-formed graph/,
    ],
  ];
  test('a good answer is taken', () => {
    checkGraph(readAnswer('t.py', JSON.stringify(good())).graph);
  });
  for (const [name, forge, message] of forged) {
    test(name, () => {
      const text = forge(good());
      assert.throws(() => readAnswer('t.py', typeof text === 'string' ? text : JSON.stringify(text)), message);
    });
  }
});
