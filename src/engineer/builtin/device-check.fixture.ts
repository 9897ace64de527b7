/** For tests: runs a candidate on the virtual GPU and compares it with the task room's float64 reference. */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVirtualDevice, type Device, defaultLimits } from '../../device/index.ts';
import { findToolchain, prepareCandidate } from '../../kernel/index.ts';
import {
  AS_WRITTEN,
  decode,
  drawArguments,
  encode,
  evaluateGraph,
  type HostTensor,
  type Task,
} from '../../task/index.ts';

/** Reason to skip tests that compile, or false. */
export const skipWithoutCompiler: string | false = (await findToolchain()) ? false : 'nvcc is not installed';

/** A device with a build cache of its own. Close it when the tests are done. */
export class DeviceCheck {
  readonly #device: Device = createVirtualDevice({ gpu: 'h100' });
  readonly #cache: Promise<string> = mkdtemp(join(tmpdir(), 'assay-engineer-'));

  /** Fails where any output element is unwritten, a finding is made, or a value is further from the reference than `tolerance` (relative, and absolute near zero). */
  async matches(task: Task, source: string, tolerance = 2e-5, seed = 1): Promise<void> {
    const prepared = await prepareCandidate(source, task.signature, { arch: 'sm_90', cacheDir: await this.#cache });
    const inputs = drawArguments(task, AS_WRITTEN, seed);
    const result = await this.#device.run({
      plan: prepared.plan,
      build: prepared.build,
      calls: [{ inputs: inputs.map(encode), poisonSeed: 77, resetGlobals: true, freshMemory: true }],
      limits: defaultLimits,
    });
    if (result.status !== 'completed') assert.fail(`${result.status}: ${result.message}\n${source}`);
    assert.deepEqual(result.findings, [], source);
    const [call] = result.calls;
    assert.deepEqual(call!.changedInputs, []);
    evaluateGraph(task.graph, inputs).forEach((expected, k) => {
      const { bytes, written } = call!.outputs[k]!;
      const unwritten = written?.indexOf(0) ?? -1;
      assert.equal(unwritten, -1, `element ${unwritten} of output ${k} was never written\n${source}`);
      compare(decode(bytes, expected.spec), expected, tolerance, `output ${k}\n${source}`);
    });
  }

  async close(): Promise<void> {
    await this.#device.close();
  }
}

function compare(got: HostTensor, expected: HostTensor, tolerance: number, where: string): void {
  expected.values.forEach((wanted, i) => {
    const value = got.values[i]!;
    const same =
      Object.is(value, wanted) || value === wanted || Math.abs(value - wanted) <= tolerance * (1 + Math.abs(wanted));
    if (!same) assert.fail(`element ${i}: ${value} where ${wanted} is right, ${where}`);
  });
}
