/** Compiling the kernels that a host function uses, and what preparing any candidate is told. */
import type { Task } from '../task/index.ts';
import { BuildError, buildDeviceCode, summarise } from './build/index.ts';
import type { TranslationUnit } from './cpp/translation-unit.ts';
import type { DeviceFacts } from './device-facts.ts';
import { CandidateError, unsupported } from './error.ts';
import { findEntry } from './finish-plan.ts';
import type { HostLimits } from './interpret/limits.ts';
import { readEntries } from './ptx-entries.ts';
import { deviceSource } from './split.ts';
import type { KernelUse } from './trace.ts';
import type { Build, EntryResources, Remark } from './types.ts';

export interface PrepareOptions {
  /** e.g. `sm_90`. */
  arch: string;
  /** Folder of the build cache. */
  cacheDir: string;
  limits?: Partial<HostLimits>;
  /** What host code is told of the GPU; absent: a common GPU of this architecture. */
  facts?: DeviceFacts;
  /** Compiler flags, from the build's allow-list. */
  flags?: readonly string[];
  /** Name of the host function, where several are exported. */
  entry?: string;
  signal?: AbortSignal;
  /** The task, for submissions in Python: they are run with its arguments. */
  task?: Task;
  /** Where the sandbox keeps its snapshot; `cacheDir` when absent. */
  tracesDir?: string;
}

/** Occupancy queries can need kernels that only their answers lead to; more rounds than this is no real program. */
export const MAX_ROUNDS = 5;
/** What PyTorch's own extension builder always passes (torch.utils.cpp_extension.COMMON_NVCC_FLAGS). */
const FLAGS: readonly string[] = ['--expt-relaxed-constexpr'];

/** Thrown inside the interpreter where an occupancy query needs a kernel that is not compiled yet. */
export class ResourcesNeeded extends Error {
  readonly use: KernelUse;

  constructor(use: KernelUse) {
    super(`resources of ${use.spelling} are needed`);
    this.use = use;
  }
}

/** Compiles these uses of a unit's kernels; errors at the candidate's lines. */
export async function compileUnit(
  unit: TranslationUnit,
  uses: readonly KernelUse[],
  options: PrepareOptions,
): Promise<Build> {
  const source = deviceSource(unit, uses);
  const request = {
    source,
    arch: acceleratedArch(options.arch, source),
    cacheDir: options.cacheDir,
    flags: [...FLAGS, ...(options.flags ?? [])],
    signal: options.signal,
  };
  try {
    return await buildDeviceCode(request);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    const kinds = { compile: 'compile', flag: 'refused', include: 'refused', limit: 'limit' } as const;
    if (error.kind === 'no-compiler' || error.kind === 'aborted') throw error;
    if (error.diagnostics.length === 0) throw new CandidateError(kinds[error.kind], error.message, 0);
    // Lines after the candidate's last are the instantiations, one for each use.
    const last = unit.source.split('\n').length;
    const own = error.diagnostics.map((one) => {
      const line = one.line > last ? (uses[one.line - last - 1]?.line ?? 0) : one.line;
      return { ...one, line, message: explained(one.message, unit) };
    });
    const line = own.find((d) => d.severity === 'error')?.line ?? 0;
    throw new CandidateError('compile', `The CUDA code does not compile: ${summarise(own, false)}.`, line);
  }
}

/** The architecture with what it alone has (`sm_90a`), where the code names instructions that no other target has. */
function acceleratedArch(arch: string, source: string): string {
  return arch === 'sm_90' && /\b(wgmma|setmaxnreg)\./.test(source) ? `${arch}a` : arch;
}

/** Host functions are not in the device code: nvcc does not know a name that stands in the candidate for all to see. */
function explained(message: string, unit: TranslationUnit): string {
  const name = /identifier "(\w+)" is undefined|undeclared identifier '(\w+)'/.exec(message);
  const unknown = name?.[1] ?? name?.[2];
  const item = unit.items.find((one) => one.kind === 'function' && one.name === unknown && one.space === 'host');
  if (unknown === undefined || item === undefined) return message;
  return `${message}: ${unknown} of line ${item.line} is a host function; declare it __device__ (or __host__ __device__) to call it in a kernel`;
}

/** Overloads have one spelling and several lines. */
export function keyOf(use: KernelUse): string {
  return `${use.spelling} at ${use.item.line}`;
}

/**
 * What ptxas says of the kernel that an occupancy query asks for, from a build that may be there already.
 * @throws ResourcesNeeded where it must be compiled first; CandidateError where nobody here could tell.
 */
export function resourcesOf(use: KernelUse, build: Build | undefined): EntryResources {
  if (!build) throw new ResourcesNeeded(use);
  const entry = findEntry(use, readEntries(build.ptx));
  const found = build.resources.find((one) => one.entry === entry.name);
  if (found) return found;
  throw unsupported(
    `an occupancy query about ${use.spelling}: registers are unknown, as ptxas was not found (install the CUDA toolkit, or fix the grid)`,
    use.line,
  );
}

/** What is not known of a build that no ptxas saw; for the verdict's remarks. */
export function unknownResources(build: Build): Remark[] {
  if (build.cubin !== '' || build.ptx === '') return [];
  const text =
    'ptxas was not found: registers, spills and occupancy are unknown, and whether a block, or a cooperative grid, has registers enough was not checked';
  return [{ text, line: 0 }];
}
