/** Which candidates are one kernel written twice: those that differ in names, and no others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlanStep, PreparedCandidate } from '../../kernel/index.ts';
import { codeHash } from './bench.ts';

/** Two kernels of equal parameters, and a host function that launches them in the order given. */
function twoKernels(
  names: readonly [string, string],
  launched: readonly number[],
  second = 'mul.f32',
): PreparedCandidate {
  const entry = (name: string, work: string) =>
    `.visible .entry ${name}(\n\t.param .u64 ${name}_param_0\n)\n{\n\t.loc 1 7 3\n\tld.param.u64 %rd1, [${name}_param_0]; // the argument\n\t${work} %f1, %f2, %f3;\n}\n`;
  const steps = launched.map((index): PlanStep => {
    const one = [1, 1, 1] as const;
    const about = { entry: names[index]!, kernel: names[index]!, line: 40 + index, dynamicSharedBytes: 0 };
    return {
      kind: 'launch',
      ...about,
      grid: one,
      block: one,
      arguments: [{ kind: 'pointer', buffer: 0, byteOffset: 0 }],
    };
  });
  const ptx = entry(names[0], 'add.f32') + entry(names[1], second);
  return preparedOf([ptx], steps);
}

function preparedOf(modules: readonly string[], steps: readonly PlanStep[]): PreparedCandidate {
  const [first, ...others] = modules.map((ptx) => ({
    ...{ hash: '', ptx, cubin: '', arch: 'sm_90', resources: [], compiler: '', milliseconds: 0, cached: false },
  }));
  const buffers = [{ id: 0, bytes: 4, kind: 'argument' as const, argument: 0, name: 'x' }];
  return { source: '', sourceHash: '', plan: { buffers, steps, outputs: [] }, build: { ...first!, others } };
}

describe('the hash of compiled code', () => {
  it('knows a kernel again that was only renamed', () => {
    const plain = codeHash(twoKernels(['_Z1aPf', '_Z1bPf'], [0, 1]));
    assert.equal(codeHash(twoKernels(['_Z5firstPf', '_Z6secondPf'], [0, 1])), plain);
    assert.equal(codeHash(twoKernels(['b', 'a'], [0, 1])), plain, 'extern "C"');
  });

  it('tells apart what does something else', () => {
    const different = [
      twoKernels(['_Z1aPf', '_Z1bPf'], [0, 1]),
      twoKernels(['_Z1aPf', '_Z1bPf'], [1, 0]),
      twoKernels(['_Z1aPf', '_Z1bPf'], [0, 1, 1]),
      twoKernels(['_Z1aPf', '_Z1bPf'], [0, 1], 'sub.f32'),
      preparedOf(['.entry a()\n{ ret; }\n'], []),
      preparedOf(['.entry a()\n{ ret; }\n', '.entry b()\n{ ret; }\n'], []),
      preparedOf(['.entry a()\n{ ret; }\n', '.entry b()\n{ trap; }\n'], []),
    ].map(codeHash);
    assert.equal(new Set(different).size, different.length, 'two programs have one hash');
  });
});
