/** A trace becomes a plan: launches name their PTX entries and carry their arguments as bytes. */

import { DEFAULT_SHARED_BYTES, type DeviceFacts } from './device-facts.ts';
import { encodeArgument } from './encode.ts';
import { fails, invalid, unsupported } from './error.ts';
import { showBytes } from './interpret/limits.ts';
import { planTensor } from './interpret/world.ts';
import { manglingPattern, variablePattern } from './mangle.ts';
import { activeBlocks } from './occupancy.ts';
import { declaredSharedBytes, type PtxEntry, type PtxVariable, readEntries, readVariables } from './ptx-entries.ts';
import type { HostTrace, KernelUse, TraceLaunch } from './trace.ts';
import type { Build, Plan, PlanBuffer, PlanStep } from './types.ts';

/**
 * @throws CandidateError where a launch matches no compiled kernel, its arguments do not fit the kernel's parameters, or it asks
 * for more shared memory or threads than the compiled kernel may have.
 */
export function finishPlan(trace: HostTrace, build: Pick<Build, 'ptx' | 'resources'>, facts: DeviceFacts): Plan {
  const entries = readEntries(build.ptx);
  const found = new Map<KernelUse, PtxEntry>();
  const entryOf = (launch: TraceLaunch): PtxEntry => {
    const known = found.get(launch.kernel);
    if (known) return known;
    const entry = findEntry(launch.kernel, entries);
    found.set(launch.kernel, entry);
    return entry;
  };
  const steps = trace.steps.map((step): PlanStep => {
    if (step.kind !== 'launch') return step;
    const entry = entryOf(step);
    checkResources(step, entry, build, facts);
    const { kernel, line } = step;
    if (step.arguments.length !== entry.parameters.length) {
      throw invalid(
        `${kernel.spelling} takes ${entry.parameters.length} arguments, ${step.arguments.length} given`,
        line,
      );
    }
    const args = step.arguments.map((value, i) => {
      const parameter = entry.parameters[i];
      if (!parameter) throw invalid(`${kernel.spelling} has no parameter ${i + 1}`, line);
      const name = kernel.item.parameters[i]?.name || `argument ${i + 1}`;
      return encodeArgument(value, parameter, `${name} of ${kernel.spelling}`, line);
    });
    const { grid, block, dynamicSharedBytes, cluster, cooperative } = step;
    return {
      kind: 'launch',
      entry: entry.name,
      kernel: kernel.spelling,
      grid,
      block,
      dynamicSharedBytes,
      ...(cluster && { cluster }),
      ...(cooperative && { cooperative }),
      arguments: args,
      line,
    };
  });
  const variables = readVariables(build.ptx);
  const buffers = trace.buffers.map((buffer) => (buffer.kind === 'symbol' ? placed(buffer, variables, trace) : buffer));
  return { buffers, steps, outputs: trace.outputs.map(planTensor) };
}

/** A device variable's buffer with its name in the PTX. */
function placed(buffer: PlanBuffer, variables: readonly PtxVariable[], trace: HostTrace): PlanBuffer {
  const pattern = variablePattern((buffer.symbol ?? '').split('::'));
  const found = variables.filter(({ name }) => pattern.test(name));
  const line = trace.steps.find((step) => step.kind === 'write' && step.buffer === buffer.id)?.line ?? 0;
  const [variable] = found;
  if (!variable || found.length > 1) {
    throw unsupported(
      `the device variable ${buffer.name}, which ${variable ? 'has several homes in' : 'no kernel of'} the compiled code${variable ? '' : ' uses'}`,
      line,
    );
  }
  if (variable.bytes !== buffer.bytes) {
    throw unsupported(
      `the device variable ${buffer.name}: ${buffer.bytes} bytes where the compiled code has ${variable.bytes}`,
      line,
    );
  }
  return { ...buffer, symbol: variable.name };
}

/** The PTX entry of a kernel use. */
export function findEntry(use: KernelUse, entries: readonly PtxEntry[]): PtxEntry {
  const pattern = manglingPattern(use);
  let matching = entries.filter((e) => pattern.test(e.name));
  if (matching.length > 1) {
    // Overloads: told apart by the number and sizes of their parameters.
    const { parameters } = use.item;
    matching = matching.filter((e) => e.parameters.length === parameters.length);
  }
  // Those of equal length: by the lines that their instructions come from.
  if (matching.length > 1)
    matching = matching.filter((e) => e.lines.some((n) => n >= use.item.line && n <= use.item.endLine));
  const [only] = matching;
  if (!only) throw unsupported(`the kernel ${use.spelling}, which is not among the compiled entries`, use.line);
  if (matching.length > 1)
    throw unsupported(`the overloaded kernel ${use.spelling}; give its overloads different names`, use.line);
  return only;
}

function checkResources(
  step: TraceLaunch,
  entry: PtxEntry,
  { resources, ptx }: Pick<Build, 'ptx' | 'resources'>,
  facts: DeviceFacts,
): void {
  const own = resources.find((r) => r.entry === entry.name);
  const { kernel, line, block } = step;
  const threads = block[0] * block[1] * block[2];
  const staticShared = own?.staticSharedBytes ?? declaredSharedBytes(ptx, entry.name);
  if (staticShared > DEFAULT_SHARED_BYTES) {
    throw invalid(
      `${kernel.spelling} declares ${showBytes(staticShared)} of __shared__ memory, and ${showBytes(DEFAULT_SHARED_BYTES)} are allowed: take the rest as extern __shared__`,
      kernel.item.line,
    );
  }
  const shared = staticShared + step.dynamicSharedBytes;
  if (shared > facts.sharedBytesPerBlockOptIn) {
    throw fails(
      `${kernel.spelling} needs ${showBytes(shared)} of shared memory, ${facts.name} has ${showBytes(facts.sharedBytesPerBlockOptIn)} for a block`,
      line,
    );
  }
  // What the attribute allows is for dynamic memory alone; without it, all that a block has together is 48 KiB.
  const allowed = step.allowedDynamicSharedBytes;
  const limited = allowed > DEFAULT_SHARED_BYTES ? step.dynamicSharedBytes : shared;
  if (limited > allowed && step.dynamicSharedBytes > 0) {
    throw fails(
      `${kernel.spelling} needs ${showBytes(limited)} of shared memory; above ${showBytes(step.allowedDynamicSharedBytes)} cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) must allow it first`,
      line,
    );
  }
  if (entry.maxThreads !== undefined && threads > entry.maxThreads) {
    throw fails(
      `${kernel.spelling} is launched with ${threads} threads, its __launch_bounds__ allow ${entry.maxThreads}`,
      line,
    );
  }
  // Without ptxas registers are unknown: what they limit is not checked, which a remark tells.
  if (!own) return;
  if (step.cooperative) {
    const blocks = step.grid[0] * step.grid[1] * step.grid[2];
    const resident = activeBlocks(own, threads, step.dynamicSharedBytes, facts) * facts.multiprocessors;
    if (blocks > resident) {
      throw fails(
        `${kernel.spelling} is launched cooperatively with ${blocks} blocks; ${resident} fit ${facts.name} at once: size the grid by cudaOccupancyMaxActiveBlocksPerMultiprocessor`,
        line,
      );
    }
  }
  if (own.registers * threads > 65536) {
    throw fails(
      `${kernel.spelling} needs ${own.registers} registers a thread: a block of ${threads} threads does not fit`,
      line,
    );
  }
}
