/** Test support: one random program on two executors, with everything that can be observed compared. */
import assert from 'node:assert/strict';
import { CannotRun } from '../executable.ts';
import { VirtualGpu } from '../gpu.ts';
import type { LoadedModule } from '../loader.ts';
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

/** A GPU used again and again: another one is gigabytes of address space, which the engine's collector has to reckon with. */
let shared: VirtualGpu | undefined;

/** A program loaded once, to be launched on any executor from the same state of memory. */
class Bench {
  private readonly gpu: VirtualGpu;
  private readonly module: LoadedModule;
  private readonly outputBytes: number;
  private readonly input: bigint;
  private readonly output: bigint;
  private readonly counters: bigint;

  constructor(private readonly program: RandomProgram) {
    shared ??= new VirtualGpu({ memoryBytes: 1 << 26 });
    this.gpu = shared;
    this.gpu.reset();
    this.module = this.gpu.load(program.ptx);
    const [block, grid] = [program.block, program.grid];
    this.outputBytes = 4 * OUTPUT_WORDS * block[0] * block[1] * block[2] * grid[0] * grid[1] * grid[2];
    this.input = this.gpu.allocate(4 * INPUT_WORDS);
    this.output = this.gpu.allocate(this.outputBytes);
    this.counters = this.gpu.allocate(4 * COUNTERS);
  }

  execute(executor: Executor, checked: boolean, written?: 'launch'): Outcome {
    const { gpu, program } = this;
    gpu.resetGlobals(this.module);
    gpu.write(this.input, new Uint8Array(INPUT.buffer));
    gpu.poison(this.output, this.outputBytes, 0);
    gpu.write(this.counters, new Uint8Array(4 * COUNTERS).fill(0x55));
    const pointer = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
    const report = gpu.launch(this.module, 'kernel', {
      grid: program.grid,
      block: program.block,
      arguments: [
        pointer(this.input),
        pointer(this.output),
        pointer(this.counters),
        new Uint8Array(Uint32Array.of(0x9e3779b9).buffer),
      ],
      executor,
      checked,
      written,
      instructionBudget: 20_000_000,
    });
    const bytes = gpu.read(this.output, this.outputBytes);
    return { report, output: new DataView(bytes.buffer), counters: gpu.read(this.counters, 4 * COUNTERS) };
  }
}

/**
 * Fails when an executor disagrees with the interpreter in results, counters, findings or the count of instructions.
 * Returns the executors that ran the program.
 */
export function compareExecutors(program: RandomProgram, executors: readonly Executor[]): Executor[] {
  const bench = new Bench(program);
  const expected = bench.execute('interpreter', true);
  const compared: Executor[] = [];
  for (const executor of executors)
    for (const checked of [true, false]) {
      const actual = attempt(bench, executor, checked);
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

/**
 * Fails when an executor does not report the same written bytes as the interpreter. Returns how many executors did, 0 for a
 * program that does not run to its end (what it wrote until then depends on the order).
 */
export function compareWritten(program: RandomProgram, executors: readonly Executor[]): number {
  const bench = new Bench(program);
  const expected = bench.execute('interpreter', true, 'launch').report;
  if (!expected.completed) return 0;
  let compared = 0;
  for (const executor of executors) {
    const actual = attempt(bench, executor, true, 'launch');
    if (actual === undefined) continue;
    assert.deepEqual(actual.report.written, expected.written, `${executor}: what was written`);
    compared++;
  }
  return compared;
}

/** The outcome, or undefined when the executor says that it cannot run the program (vector code and odd block shapes). */
function attempt(bench: Bench, executor: Executor, checked: boolean, written?: 'launch'): Outcome | undefined {
  try {
    return bench.execute(executor, checked, written);
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
