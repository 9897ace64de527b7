/** From a candidate's source to what a device needs: frozen source, plan, compiled code. */
import { createHash } from 'node:crypto';
import type { Signature } from '../task/index.ts';
import { BuildError, buildDeviceCode } from './build/index.ts';
import { parseTranslationUnit, type TranslationUnit } from './cpp/translation-unit.ts';
import { type DeviceFacts, deviceFactsOf } from './device-facts.ts';
import { CandidateError, unsupported } from './error.ts';
import { findEntry, finishPlan } from './finish-plan.ts';
import { interpretHost } from './interpret/host.ts';
import type { HostLimits } from './interpret/limits.ts';
import { activeBlocks } from './occupancy.ts';
import { readEntries } from './ptx-entries.ts';
import { deviceSource } from './split.ts';
import type { HostTrace, KernelUse } from './trace.ts';
import type { Build, PreparedCandidate } from './types.ts';

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
}

/** Occupancy queries can need kernels that only their answers lead to; more rounds than this is no real program. */
const MAX_ROUNDS = 5;
/** What PyTorch's own extension builder always passes (torch.utils.cpp_extension.COMMON_NVCC_FLAGS). */
const FLAGS: readonly string[] = ['--expt-relaxed-constexpr'];
/** No candidate is longer; what is longer is data. */
const MAX_SOURCE_BYTES = 1 << 20;

/** Thrown inside the interpreter where an occupancy query needs a kernel that is not compiled yet. */
class ResourcesNeeded extends Error {
  readonly use: KernelUse;

  constructor(use: KernelUse) {
    super(`resources of ${use.spelling} are needed`);
    this.use = use;
  }
}

/**
 * Reads, interprets and compiles a candidate.
 * @throws CandidateError for anything that is the candidate's; BuildError where this machine cannot compile.
 */
export async function prepareCandidate(
  source: string,
  signature: Signature,
  options: PrepareOptions,
): Promise<PreparedCandidate> {
  if (source.length > MAX_SOURCE_BYTES) throw new CandidateError('limit', 'the candidate is longer than 1 MB', 0);
  const facts = options.facts ?? deviceFactsOf(options.arch);
  if (!facts) throw unsupported(`the architecture ${options.arch} without facts about its GPU`, 0);
  const unit = parseTranslationUnit(source);
  const known = new Map<string, KernelUse>();
  let build: Build | undefined;
  let trace: HostTrace | undefined;
  for (let round = 0; !trace; round++) {
    try {
      const compiled = build;
      trace = interpretHost(unit, signature, {
        facts,
        limits: options.limits,
        entry: options.entry,
        occupancy: (use, threads, shared) => {
          const entry = compiled && known.has(keyOf(use)) ? findEntry(use, readEntries(compiled.ptx)) : undefined;
          const resources = entry && compiled?.resources.find((r) => r.entry === entry.name);
          if (!resources) throw new ResourcesNeeded(use);
          return activeBlocks(resources, threads, shared, facts);
        },
      });
    } catch (error) {
      if (!(error instanceof ResourcesNeeded)) throw error;
      if (round >= MAX_ROUNDS) throw unsupported('occupancy queries that depend on each other', error.use.line);
      known.set(keyOf(error.use), error.use);
      build = await compile(unit, [...known.values()], options);
    }
  }
  for (const use of trace.instantiations) known.set(keyOf(use), use);
  build = await compile(unit, [...known.values()], options);
  return {
    source,
    sourceHash: createHash('sha256').update(source).digest('hex'),
    plan: finishPlan(trace, build, facts),
    build,
  };
}

/** Overloads have one spelling and several lines. */
function keyOf(use: KernelUse): string {
  return `${use.spelling} at ${use.item.line}`;
}

async function compile(unit: TranslationUnit, uses: readonly KernelUse[], options: PrepareOptions): Promise<Build> {
  const request = {
    source: deviceSource(unit, uses),
    arch: options.arch,
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
    const line = error.diagnostics.find((d) => d.severity === 'error')?.line ?? 0;
    // Lines after the candidate's last are the instantiations, one for each use.
    const last = unit.source.split('\n').length;
    const own = line > last ? (uses[line - last - 1]?.line ?? 0) : line;
    throw new CandidateError(kinds[error.kind], error.message, own);
  }
}
