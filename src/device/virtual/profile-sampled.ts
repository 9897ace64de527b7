/**
 * Profiles a plan by a few blocks of each launch on a virtual GPU in this process: see sampled-profile.ts. The device's child process calls it.
 *
 * Each launch runs by itself: what earlier ones compute is made up, so counts that follow from such values (a gather's addresses, a loop that ends
 * when something is small) are those of the made-up ones. Kernels of which all blocks wait for each other are run whole, or not at all; where some
 * do, as many more blocks run as those need.
 */
import { elementBytes } from '../../task/index.ts';
import {
  type DevicePointer,
  gpuTarget,
  type LaunchProfile,
  type LaunchReport,
  type LoadedModule,
  type ModelledLaunch,
  modelTime,
  PtxError,
  typicalBlocks,
  VirtualGpu,
} from '../../vgpu/index.ts';
import type { Launch } from '../plan/arguments.ts';
import { type Fill, fillsBefore } from '../plan/fills.ts';
import type { SampledProfileRequest, SampledProfileResult } from '../sampled-profile.ts';
import { madeUp, typesOf } from './buffer-types.ts';
import { launchConfig } from './launch-config.ts';
import { modelledLaunch, modelledTransfer } from './modelled-launch.ts';

/** Room for the pages that blocks touch. */
const MEMORY_BYTES = 2 ** 30;
/** Thread-instructions worth spending on a launch when one block and its neighbours take fewer: more blocks tell more. */
const WORTHWHILE = 1_500_000;

/** Why there is no time. */
class NoTime extends Error {
  constructor(readonly result: Exclude<SampledProfileResult, { status: 'completed' }>) {
    super(result.message);
  }
}

/** Profiles the request. Never throws for what the candidate does. */
export function profileSampled(request: SampledProfileRequest): SampledProfileResult {
  try {
    return new SampledProfile(request).run();
  } catch (error) {
    if (error instanceof NoTime) return error.result;
    if (error instanceof PtxError) return { status: 'unsupported', message: error.message };
    if (error instanceof RangeError) return { status: 'exceeded', limit: 'memory', message: `${error.message}.` };
    throw error;
  }
}

class SampledProfile {
  readonly #request: SampledProfileRequest;
  readonly #gpu = new VirtualGpu({ memoryBytes: MEMORY_BYTES });
  readonly #modules: readonly LoadedModule[];
  readonly #pointers: DevicePointer[];

  constructor(request: SampledProfileRequest) {
    this.#request = request;
    const { plan, build, contents } = request;
    const symbol = plan.buffers.find(({ kind }) => kind === 'symbol');
    if (symbol) throw unsupported(`a plan that uses the device variable ${symbol.name} from the host`);
    const texts = [build, ...(build.others ?? [])].map(({ ptx }) => ptx);
    this.#modules = texts.filter((ptx) => ptx !== '').map((ptx) => this.#gpu.load(ptx, { name: 'candidate' }));
    const types = typesOf(plan);
    this.#pointers = plan.buffers.map(({ id, bytes, name, kind, argument }) => {
      const content = kind === 'argument' ? contents[argument!]! : madeUp(types[id]!);
      return this.#gpu.allocateSparse(bytes, { name, content });
    });
  }

  run(): SampledProfileResult {
    const { plan, gpu } = this.#request;
    const launches = plan.steps.map((step, index): ModelledLaunch => {
      if (step.kind === 'launch') return this.#launch(step, fillsBefore(plan, index));
      const transfer = modelledTransfer(step);
      if (!transfer) throw unsupported(`a step of the kind \`${step.kind}\` (line ${step.line})`);
      return transfer;
    });
    const profile = launches.map((launch) => launch.profile);
    return { status: 'completed', modelled: modelTime(launches, gpuTarget(gpu)), profile };
  }

  /** One typical block with its neighbours; where those are short, as many as are worthwhile. */
  #launch(step: Launch, fills: readonly Fill[]): ModelledLaunch {
    const module = this.#modules[step.module ?? 0];
    if (!module)
      throw new Error(`the plan launches a kernel of the module ${step.module ?? 0}, which the build has not`);
    const total = step.grid[0] * step.grid[1] * step.grid[2];
    const whole = step.cluster !== undefined || this.#gpu.hasGridBarrier(module, step.entry);
    const run = (blocks: readonly number[] | undefined) => {
      for (const fill of fills) this.#refill(fill);
      return this.#blocks(step, module, blocks);
    };
    let report = run(whole ? undefined : typicalBlocks(step.grid, 2));
    const ran = report.profile.sampledBlocks;
    const affordable = Math.floor(WORTHWHILE / Math.max(1, report.threadInstructions / ran));
    if (ran < total && affordable > ran) report = run(typicalBlocks(step.grid, affordable));
    return modelledLaunch(this.#gpu, module, step, this.#request.build, report.profile);
  }

  /** Gives a buffer the contents of a fill, whatever a run has left in it: other memory under the same name. */
  #refill({ tensor, bytes }: Fill): void {
    const { buffers } = this.#request.plan;
    const { bytes: size, name } = buffers[tensor.buffer]!;
    const content = Buffer.alloc(elementBytes[tensor.dtype], Buffer.from(bytes, 'hex'));
    this.#pointers[tensor.buffer] = this.#gpu.allocateSparse(size, { name, content });
  }

  #blocks(
    step: Launch,
    module: LoadedModule,
    blocks: readonly number[] | undefined,
  ): LaunchReport & { profile: LaunchProfile } {
    const report = this.#gpu.launch(module, step.entry, {
      ...launchConfig(step, this.#pointers),
      ...{
        executor: 'interpreter',
        profile: true,
        blocks,
        company: true,
        instructionBudget: this.#request.limits.instructions,
      },
    });
    const { profile } = report;
    if (report.completed && profile) return { ...report, profile };
    const finding = report.findings.at(-1);
    if (finding?.kind === 'budget-exceeded') {
      const message = `Blocks of ${step.kernel} (line ${step.line}) take more than ${this.#request.limits.instructions.toLocaleString('en')} thread-instructions.`;
      throw new NoTime({ status: 'exceeded', limit: 'instructions', message });
    }
    throw unsupported(`${step.kernel} (line ${step.line}): ${finding?.message ?? 'it did not end'}`);
  }
}

function unsupported(what: string): NoTime {
  return new NoTime({
    status: 'unsupported',
    message: `No time can be modelled from a few blocks of this plan: ${what}`,
  });
}
