/** Test support: one random program on two executors, with everything that can be observed compared. */
import assert from 'node:assert/strict';
import { CannotRun } from '../executable.ts';
import { VirtualGpu } from '../gpu.ts';
import type { Executor, LaunchReport } from '../types.ts';
import { COUNTERS, INPUT_WORDS, OUTPUT_WORDS, type RandomProgram } from './random-ptx.ts';

interface Outcome {
  readonly report: LaunchReport;
  readonly output: DataView;
  readonly counters: Uint8Array;
}

const INPUT = Uint32Array.from({ length: INPUT_WORDS }, (_, index) =>
  index < 16
    ? [0, 1, 0x80000000, 0x7fffffff, 0xffffffff, 0x3c003800, 0x7c007e00, 0x00010203][index % 8]!
    : Math.imul(index, 2654435761),
);

function execute(program: RandomProgram, executor: Executor, checked: boolean): Outcome {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(program.ptx);
  const [block, grid] = [program.block, program.grid];
  const threads = block[0] * block[1] * block[2] * grid[0] * grid[1] * grid[2];
  const input = gpu.allocate(4 * INPUT_WORDS);
  gpu.write(input, new Uint8Array(INPUT.buffer));
  const output = gpu.allocate(4 * OUTPUT_WORDS * threads);
  const counters = gpu.allocate(4 * COUNTERS);
  gpu.write(counters, new Uint8Array(4 * COUNTERS).fill(0x55));
  const pointer = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
  const report = gpu.launch(module, 'kernel', {
    grid,
    block,
    arguments: [pointer(input), pointer(output), pointer(counters), new Uint8Array(Uint32Array.of(0x9e3779b9).buffer)],
    executor,
    checked,
    instructionBudget: 20_000_000,
  });
  const bytes = gpu.read(output, 4 * OUTPUT_WORDS * threads);
  return { report, output: new DataView(bytes.buffer), counters: gpu.read(counters, 4 * COUNTERS) };
}

/**
 * Fails when an executor disagrees with the interpreter in results, counters, findings or the count of instructions.
 * Returns the executors that ran the program.
 */
export function compareExecutors(program: RandomProgram, executors: readonly Executor[]): Executor[] {
  const expected = execute(program, 'interpreter', true);
  const compared: Executor[] = [];
  for (const executor of executors)
    for (const checked of [true, false]) {
      const actual = attempt(program, executor, checked);
      if (actual === undefined) continue;
      if (checked) compared.push(executor);
      const label = `${executor} ${checked ? 'checked' : 'unchecked'}`;
      if (checked)
        assert.deepEqual(
          actual.report.findings.map(({ kind, ptxLine, count }) => ({ kind, ptxLine, count })),
          expected.report.findings.map(({ kind, ptxLine, count }) => ({ kind, ptxLine, count })),
          `${label}: findings`,
        );
      assert.equal(actual.report.completed, expected.report.completed, `${label}: completed`);
      if (!expected.report.completed) continue;
      compareOutput(actual.output, expected.output, label);
      assert.deepEqual(actual.counters, expected.counters, `${label}: counters`);
      assert.equal(
        actual.report.threadInstructions,
        expected.report.threadInstructions,
        `${label}: thread-instructions`,
      );
    }
  return compared;
}

/** The outcome, or undefined when the executor says that it cannot run the program (vector code and odd block shapes). */
function attempt(program: RandomProgram, executor: Executor, checked: boolean): Outcome | undefined {
  try {
    return execute(program, executor, checked);
  } catch (error) {
    if (error instanceof CannotRun && executor === 'simd') return undefined;
    throw error;
  }
}

/** Integer words must be equal; floats equal, or both NaN. */
function compareOutput(actual: DataView, expected: DataView, label: string): void {
  for (let at = 0; at < expected.byteLength; at += 4) {
    const word = (at / 4) % OUTPUT_WORDS;
    if (actual.getUint32(at, true) === expected.getUint32(at, true)) continue;
    const thread = Math.floor(at / 4 / OUTPUT_WORDS);
    const where = `${label}: thread ${thread}, word ${word}`;
    if (word >= 24) {
      const start = at & ~7;
      const [a, e] = [actual.getFloat64(start, true), expected.getFloat64(start, true)];
      if (Number.isNaN(a) && Number.isNaN(e)) continue;
      assert.fail(`${where}: ${a} instead of ${e}`);
    }
    if (word >= 16) {
      const [a, e] = [actual.getFloat32(at, true), expected.getFloat32(at, true)];
      if (Number.isNaN(a) && Number.isNaN(e)) continue;
      assert.fail(`${where}: ${a} instead of ${e}`);
    }
    assert.fail(`${where}: ${actual.getUint32(at, true)} instead of ${expected.getUint32(at, true)}`);
  }
}
