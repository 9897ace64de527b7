/** A plan as plain data for people: what each launch takes of the GPU, when each buffer is in use, what comes out. */
import type { DeviceFacts } from './device-facts.ts';
import { activeBlocks } from './occupancy.ts';
import { declaredSharedBytes } from './ptx-entries.ts';
import type { Dim3, PlanBuffer, PlanStep, PlanTensor, PreparedCandidate } from './types.ts';

export interface ReportedLaunch {
  kind: 'launch';
  step: number;
  line: number;
  kernel: string;
  entry: string;
  grid: Dim3;
  block: Dim3;
  /** As ptxas says; where it is not there, as the PTX declares it. */
  staticSharedBytes: number;
  dynamicSharedBytes: number;
  /** Registers a thread; like the next two only where the assembler was there to say. */
  registers?: number;
  spillBytes?: number;
  /** Part of a multiprocessor's threads that can be resident at once, 0 to 1. */
  occupancy?: number;
  /** Buffers that the kernel is given. */
  buffers: readonly number[];
}

export type ReportedStep =
  | ReportedLaunch
  | { kind: Exclude<PlanStep['kind'], 'launch'>; step: number; line: number; text: string; buffers: readonly number[] };

export interface ReportedBuffer {
  id: number;
  name: string;
  kind: PlanBuffer['kind'];
  bytes: number;
  /** First and last step that uses it; absent where none does. The outputs live until the call ends. */
  firstStep?: number;
  lastStep?: number;
  output: boolean;
}

export interface PlanReport {
  steps: readonly ReportedStep[];
  buffers: readonly ReportedBuffer[];
  outputs: readonly PlanTensor[];
  argumentBytes: number;
  workspaceBytes: number;
  /** The most that workspaces take at once, were each kept from its first use to its last (outputs to the end), and the step where they do. */
  peakWorkspaceBytes: number;
  peakStep?: number;
}

/** Describes a prepared candidate's plan. */
export function reportPlan({ plan, build }: PreparedCandidate, facts: DeviceFacts): PlanReport {
  const name = (buffer: number) => plan.buffers[buffer]?.name ?? `buffer ${buffer}`;
  const reported = (step: PlanStep, index: number): ReportedStep => {
    const common = { step: index, line: step.line, buffers: [...new Set(buffersOf(step))] };
    switch (step.kind) {
      case 'launch': {
        const { kind, kernel, entry, grid, block, dynamicSharedBytes } = step;
        const module = step.module ? build.others?.[step.module - 1] : build;
        const own = module?.resources.find((one) => one.entry === entry);
        const threads = block[0] * block[1] * block[2];
        return {
          ...{ kind, ...common, kernel, entry, grid, block, dynamicSharedBytes },
          staticSharedBytes: own?.staticSharedBytes ?? declaredSharedBytes(module?.ptx ?? '', entry),
          ...(own && {
            registers: own.registers,
            spillBytes: own.spillLoadBytes + own.spillStoreBytes,
            occupancy: residentShare(activeBlocks(own, threads, dynamicSharedBytes, facts), threads, facts),
          }),
        };
      }
      case 'fill':
        return {
          kind: step.kind,
          ...common,
          text: `${name(step.tensor.buffer)}, ${step.tensor.dtype}, with ${step.bytes}`,
        };
      case 'copy': {
        const cast = step.from.dtype === step.to.dtype ? '' : `, ${step.from.dtype} to ${step.to.dtype}`;
        return { kind: step.kind, ...common, text: `${name(step.from.buffer)} to ${name(step.to.buffer)}${cast}` };
      }
      case 'operator': {
        const [inputs, outputs] = [step.inputs, step.outputs].map((all) => all.map((t) => name(t.buffer)).join(', '));
        return { kind: step.kind, ...common, text: `${step.op} of ${inputs} to ${outputs} (PyTorch's own)` };
      }
      case 'constant':
        return { kind: step.kind, ...common, text: `${name(step.tensor.buffer)} of ${step.draw.kind}` };
      case 'write':
        return { kind: step.kind, ...common, text: `${step.bytes.length / 2} bytes to ${name(step.buffer)}` };
    }
  };
  const steps = plan.steps.map(reported);
  const returned = new Set(plan.outputs.map(({ buffer }) => buffer));
  const buffers = plan.buffers.map(({ id, name: called, kind, bytes }): ReportedBuffer => {
    const users = steps.filter((step) => step.buffers.includes(id));
    const [first, last] = [users[0], users.at(-1)];
    const used = first && last ? { firstStep: first.step, lastStep: last.step } : {};
    return { id, name: called, kind, bytes, ...used, output: returned.has(id) };
  });
  const bytesOf = (kind: PlanBuffer['kind']) => buffers.reduce((sum, b) => sum + (b.kind === kind ? b.bytes : 0), 0);
  return {
    steps,
    buffers,
    outputs: plan.outputs,
    argumentBytes: bytesOf('argument'),
    workspaceBytes: bytesOf('workspace'),
    ...peakOf(buffers, steps.length),
  };
}

/** Where the live workspaces are largest. */
function peakOf(
  buffers: readonly ReportedBuffer[],
  steps: number,
): Pick<PlanReport, 'peakWorkspaceBytes' | 'peakStep'> {
  let peak: Pick<PlanReport, 'peakWorkspaceBytes' | 'peakStep'> = { peakWorkspaceBytes: 0 };
  for (let step = 0; step < steps; step++) {
    const live = buffers.filter(
      ({ kind, output, firstStep = steps, lastStep = -1 }) =>
        kind === 'workspace' && firstStep <= step && (output || step <= lastStep),
    );
    const bytes = live.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes > peak.peakWorkspaceBytes) peak = { peakWorkspaceBytes: bytes, peakStep: step };
  }
  return peak;
}

function buffersOf(step: PlanStep): number[] {
  switch (step.kind) {
    case 'launch':
      return step.arguments.flatMap((a) =>
        a.kind === 'pointer' ? [a.buffer] : (a.pointers ?? []).map((p) => p.buffer),
      );
    case 'fill':
    case 'constant':
      return [step.tensor.buffer];
    case 'copy':
      return [step.from.buffer, step.to.buffer];
    case 'operator':
      return [...step.inputs, ...step.outputs].map((t) => t.buffer);
    case 'write':
      return [step.buffer, ...(step.pointers ?? []).map((p) => p.buffer)];
  }
}

const WARP = 32;

function residentShare(blocks: number, threads: number, facts: DeviceFacts): number {
  return (blocks * Math.ceil(threads / WARP) * WARP) / facts.maxThreadsPerMultiprocessor;
}
