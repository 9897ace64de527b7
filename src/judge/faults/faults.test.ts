import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PlanStep } from '../../kernel/index.ts';
import { candidate } from '../row-task.fixture.ts';
import { planFaults } from './plan-faults.ts';
import { ptxFaults } from './ptx-faults.ts';

/** The changed instruction of each kind of fault that one instruction offers. */
function faultsOf(instruction: string): Record<string, string> {
  const ptx = `.visible .entry k()\n{\n\t${instruction}\n\tret;\n}\n`;
  const faults = ptxFaults({ ...candidate, build: { ...candidate.build, ptx } });
  return Object.fromEntries(
    faults.map(({ kind, candidate: { build }, ptxLine }) => {
      assert.equal(ptxLine, 3);
      const lines = build.ptx.split('\n');
      assert.deepEqual(lines.toSpliced(2, 1), ptx.split('\n').toSpliced(2, 1), 'nothing else is changed');
      return [kind, lines[2]!.trim()];
    }),
  );
}

describe('faults in PTX', () => {
  test('synchronisation is left out', () => {
    assert.deepEqual(faultsOf('bar.sync \t0;'), { 'barrier left out': '' });
    assert.deepEqual(faultsOf('bar.warp.sync \t-1;'), { 'warp barrier left out': '' });
    assert.deepEqual(faultsOf('fence.acq_rel.gpu;'), { 'fence left out': '' });
  });

  test('comparisons and branches', () => {
    assert.deepEqual(faultsOf('setp.ge.s32 \t%p1, %r1, %r2;'), {
      'comparison off by one': 'setp.gt.s32 \t%p1, %r1, %r2;',
    });
    assert.deepEqual(faultsOf('setp.ne.s32 \t%p1, %r1, 0;'), {
      'comparison turned round': 'setp.eq.s32 \t%p1, %r1, 0;',
    });
    assert.deepEqual(faultsOf('@%p1 bra \t$L__BB0_2;'), {
      'condition turned round': '@!%p1 bra \t$L__BB0_2;',
      'branch never taken': '',
    });
  });

  test('memory', () => {
    assert.deepEqual(faultsOf('st.global.f32 \t[%rd4], %f3;'), {
      'result not stored': '',
      'stores the next element': 'st.global.f32 \t[%rd4+4], %f3;',
    });
    assert.deepEqual(faultsOf('ld.shared.f32 \t%f1, [%r3];'), {
      'loads the next element': 'ld.shared.f32 \t%f1, [%r3+4];',
    });
    assert.deepEqual(faultsOf('red.global.add.f32 \t[%rd1], %f9;'), {
      'atomic sum becomes a store': 'st.global.f32 [%rd1], %f9;',
    });
  });

  test('arithmetic and precision', () => {
    const faults = faultsOf('fma.rn.f32 \t%f4, %f1, %f2, %f3;');
    assert.equal(faults['sum of products drops the sum'], 'mul.rn.f32 \t%f4, %f1, %f2;');
    assert.match(
      faults['precision of half']!,
      /^fma.*; \{ \.reg \.b16 %fault; cvt\.rn\.f16\.f32 %fault, %f4; cvt\.f32\.f16 %f4, %fault; \}$/,
    );
    assert.match(faults['a thousandth too large']!, /mul\.rn\.f32 %f4, %f4, 0f3F8020C5;$/);
    assert.equal(new Float32Array(new Uint32Array([0x3f8020c5]).buffer)[0], Math.fround(1.001));
    assert.equal(faultsOf('add.s32 \t%r3, %r2, 32;')['index off by one'], 'add.s32 \t%r3, %r2, 33;');
    assert.equal(
      faultsOf('shfl.sync.bfly.b32 \t%r9|%p3, %r8, 16, 31, -1;')['shuffle half as far'],
      'shfl.sync.bfly.b32 \t%r9|%p3, %r8, 8, 31, -1;',
    );
  });

  test('directives, labels and declarations are no instructions', () => {
    for (const line of ['.reg .f32 \t%f<9>;', '$L__BB0_2:', '.loc\t1 12 5', '// bar.sync 0;']) {
      assert.deepEqual(faultsOf(line), {});
    }
  });
});

describe('faults in a plan', () => {
  const launch: PlanStep = {
    ...{
      kind: 'launch',
      entry: 'k',
      kernel: 'k',
      grid: [4, 1, 1],
      block: [64, 1, 1],
      dynamicSharedBytes: 256,
      line: 7,
    },
    arguments: [
      { kind: 'pointer', buffer: 0, byteOffset: 0 },
      { kind: 'pointer', buffer: 1, byteOffset: 0 },
      { kind: 'bytes', hex: Buffer.from(Int32Array.of(300).buffer).toString('hex') },
    ],
  };

  test('each launch is left out, shortened, and given wrong arguments', () => {
    const faults = planFaults({ ...candidate, plan: { ...candidate.plan, steps: [launch] } });
    const step = (kind: string) => faults.find((one) => one.kind === kind)?.candidate.plan.steps[0] as typeof launch;
    assert.equal(step('launch left out'), undefined);
    assert.deepEqual(step('grid one block short').grid, [3, 1, 1]);
    assert.deepEqual(step('block one warp short').block, [32, 1, 1]);
    assert.equal(step('shared memory one element short').dynamicSharedBytes, 252);
    const integer = step('an integer argument too large by one').arguments[2] as { hex: string };
    assert.equal(Buffer.from(integer.hex, 'hex').readInt32LE(), 301);
    assert.equal((step('two pointers exchanged').arguments[0] as { buffer: number }).buffer, 1);
  });
});
