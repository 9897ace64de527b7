/** What NVIDIA's tools say of a candidate that is right on a GPU: compute-sanitizer, and Nsight Compute or, where its counters may not be read, times of variants of the plan. */
import {
  type CudaProcessOptions,
  computeSanitizer,
  countersInWords,
  nsightCompute,
  type OpenedGpu,
  type RunLimits,
  type RunRequest,
  timeVariants,
  variantsInWords,
} from '../device/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import { encode, type Task } from '../task/index.ts';
import { deviceSanitizer } from './checks/device-sanitizer.ts';
import type { HardwareProfile } from './hardware.ts';
import type { Oracle } from './oracle.ts';
import { type Commitment, derivePoison, deriveSeed } from './seeds.ts';
import { timedOperands } from './timed-operands.ts';
import type { CheckResult } from './types.ts';

export interface ToolsRequest {
  readonly gpu: OpenedGpu;
  readonly task: Task;
  readonly oracle: Oracle;
  readonly candidate: PreparedCandidate;
  readonly commitment: Commitment;
  readonly limits: RunLimits;
  readonly signal?: AbortSignal;
}

/** compute-sanitizer's check. */
export async function sanitizedOnDevice(request: ToolsRequest): Promise<CheckResult> {
  const { candidate, signal } = request;
  const started = performance.now();
  const seen = await computeSanitizer(where(request), oneCall(request), signal);
  const answer = deviceSanitizer.answer(seen, candidate.source);
  const milliseconds = performance.now() - started;
  return { check: deviceSanitizer.id, stage: 'sequence', answer, milliseconds, device: 'cuda' };
}

/** What limits the candidate on the GPU. */
export async function profiledOnDevice(request: ToolsRequest): Promise<HardwareProfile> {
  const { candidate, task, oracle, commitment, signal, gpu } = request;
  const counted = await nsightCompute(where(request), oneCall(request), signal);
  if ('launches' in counted) {
    const words = counted.launches.flatMap((one) => countersInWords(one).map((said) => `${one.kernel}: ${said}`));
    return { by: `Nsight Compute ${counted.version}`, words };
  }
  const times = await timeVariants(
    {
      ...{ ...where(request), timed: candidate, operands: timedOperands(task, oracle) },
      secret: deriveSeed(commitment, 'operands of variants'),
      ...(gpu.device.simulated ? { mostCalls: 2 } : {}),
    },
    signal,
  );
  if ('missing' in times) return { by: 'nobody', words: [`${counted.missing}; and ${times.missing}`] };
  const simulated = gpu.device.simulated ? ' (simulated clocks: of no GPU)' : '';
  return { by: `times of variants${simulated}, for ${counted.missing}`, words: variantsInWords(times) };
}

function where({ gpu }: ToolsRequest): CudaProcessOptions {
  return { gpu: gpu.gpu, fake: gpu.fake };
}

/** One call on inputs as the task draws them. */
function oneCall({ candidate, oracle, commitment, limits }: ToolsRequest): RunRequest {
  const inputs = oracle.draw(oracle.families[0]!, deriveSeed(commitment, 'inputs under tools')).map(encode);
  const poisonSeed = derivePoison(commitment, 'poison under tools');
  const { plan, build } = candidate;
  return { plan, build, limits, calls: [{ inputs, poisonSeed, resetGlobals: true, freshMemory: true }] };
}
