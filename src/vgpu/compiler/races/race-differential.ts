/** Test support: one random program under the race filter of each compiled executor, against the interpreter's verdict. */
import assert from 'node:assert/strict';
import { CannotRun, NeedsInterpreter } from '../../executable.ts';
import { VirtualGpu } from '../../gpu.ts';
import type { Executor, LaunchReport } from '../../types.ts';
import type { RacyProgram } from './random-racy-ptx.ts';

interface Outcome {
  /** Undefined when the executor left the launch to the interpreter. */
  readonly report: LaunchReport | undefined;
  readonly content: readonly Uint8Array[];
}

const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });

/** Undefined when the executor cannot run blocks of this shape. */
function execute(program: RacyProgram, executor: Executor): Outcome | undefined {
  gpu.reset();
  const module = gpu.load(program.ptx);
  const buffers = [0x11, 0x22].map((fill) => {
    const pointer = gpu.allocate(program.bytes);
    gpu.write(pointer, new Uint8Array(program.bytes).fill(fill));
    return pointer;
  });
  const content = (): Uint8Array[] => buffers.map((pointer) => gpu.read(pointer, program.bytes));
  try {
    const report = gpu.launch(module, 'kernel', {
      grid: program.grid,
      block: program.block,
      arguments: buffers.map((pointer) => new Uint8Array(BigUint64Array.of(pointer).buffer)),
      executor,
      races: true,
      instructionBudget: 20_000_000,
    });
    return { report, content: content() };
  } catch (error) {
    if (error instanceof NeedsInterpreter) return { report: undefined, content: content() };
    if (error instanceof CannotRun && executor === 'simd') return undefined;
    throw error;
  }
}

export interface Verdict {
  readonly races: boolean;
  /** Executors that left the launch to the interpreter, and those that ran it to its end. */
  readonly suspected: readonly Executor[];
  readonly trusted: readonly Executor[];
}

const facts = ({ findings }: LaunchReport): unknown =>
  findings.map(({ kind, ptxLine, count }) => ({ kind, ptxLine, count }));

/**
 * Fails when compiled code trusts a program that the interpreter accuses, computes something else than the interpreter for
 * one that it trusts, does not put memory back for one that it does not, or when `auto` says anything else.
 */
export function compareVerdicts(program: RacyProgram, withAuto: boolean): Verdict {
  const expected = execute(program, 'interpreter')!;
  const found = expected.report!.findings;
  const suspected: Executor[] = [];
  const trusted: Executor[] = [];
  for (const executor of ['scalar', 'simd'] as const) {
    const actual = execute(program, executor);
    if (actual === undefined) continue;
    if (actual.report === undefined) {
      suspected.push(executor);
      for (const [index, bytes] of actual.content.entries())
        assert.ok(
          bytes.every((byte) => byte === [0x11, 0x22][index]),
          `${executor}: memory was not put back`,
        );
      continue;
    }
    trusted.push(executor);
    assert.equal(found.length, 0, `${executor} missed: ${found[0]?.message} ${found[0]?.instruction}`);
    assert.deepEqual(actual.report.findings, [], `${executor}: findings`);
    assert.deepEqual(actual.content, expected.content, `${executor}: results`);
    assert.equal(actual.report.threadInstructions, expected.report!.threadInstructions, `${executor}: instructions`);
  }
  if (withAuto) {
    const auto = execute(program, 'auto')!;
    assert.deepEqual(facts(auto.report!), facts(expected.report!), 'auto: findings');
    assert.deepEqual(auto.content, expected.content, 'auto: results');
  }
  return { races: found.length > 0, suspected, trusted };
}
