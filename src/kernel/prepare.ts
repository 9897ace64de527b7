/** From a candidate's source to what a device needs: frozen source, plan, compiled code. */
import { createHash } from 'node:crypto';
import type { Signature } from '../task/index.ts';
import {
  compileUnit,
  keyOf,
  MAX_ROUNDS,
  type PrepareOptions,
  ResourcesNeeded,
  resourcesOf,
  unknownResources,
} from './compile-unit.ts';
import { parseTranslationUnit } from './cpp/translation-unit.ts';
import { deviceFactsOf } from './device-facts.ts';
import { CandidateError, unsupported } from './error.ts';
import { finishPlan } from './finish-plan.ts';
import { interpretHost } from './interpret/host.ts';
import { candidateLanguage } from './language.ts';
import { activeBlocks } from './occupancy.ts';
import { preparePtx } from './ptx-door/prepare-ptx.ts';
import { preparePython } from './python/prepare-python.ts';
import type { HostTrace, KernelUse } from './trace.ts';
import type { Build, PreparedCandidate } from './types.ts';

/** No candidate is longer; what is longer is data. */
const MAX_SOURCE_BYTES = 1 << 20;

/**
 * Reads, interprets and compiles a candidate: CUDA C++, a submission in Python (python/), or PTX with a launch description (ptx-door/).
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
  const language = candidateLanguage(source);
  if (language === 'ptx') return preparePtx(source, signature, options, facts);
  if (language === 'python') {
    if (!options.task) throw unsupported('a submission in Python without the task that it is for', 0);
    return preparePython(source, options.task, options, facts);
  }
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
          const resources = resourcesOf(use, known.has(keyOf(use)) ? compiled : undefined);
          return activeBlocks(resources, threads, shared, facts);
        },
      });
    } catch (error) {
      if (!(error instanceof ResourcesNeeded)) throw error;
      if (round >= MAX_ROUNDS) throw unsupported('occupancy queries that depend on each other', error.use.line);
      known.set(keyOf(error.use), error.use);
      build = await compileUnit(unit, [...known.values()], options);
    }
  }
  for (const use of trace.instantiations) known.set(keyOf(use), use);
  build = await compileUnit(unit, [...known.values()], options);
  const remarks = unknownResources(build);
  return {
    source,
    sourceHash: createHash('sha256').update(source).digest('hex'),
    plan: finishPlan(trace, build, facts),
    build,
    ...(remarks.length > 0 && { remarks }),
  };
}

/**
 * Compiles a candidate's device code alone, whatever its host code says; templates are read, and instantiated by nothing.
 * @throws CandidateError where the text cannot be divided or nvcc refuses it; BuildError where this machine cannot compile.
 */
export function compileKernels(source: string, options: PrepareOptions): Promise<Build> {
  return compileUnit(parseTranslationUnit(source), [], options);
}
