/**
 * Redoing a verdict from its evidence: the same source, task and seeds must lead to the same verdict; then seeds that nobody knew must
 * lead to it again. The evidence is a stranger's text: its sources go through the same sandbox and interpreter as any other.
 */
import { createVirtualDevice } from '../device/index.ts';
import { floor, type LoadOptions, loadedName, loadWithFull, type PrecisionPolicy } from '../task/index.ts';
import { gpuTarget, gpuTargets } from '../vgpu/index.ts';
import { evidenceOf } from './evidence.ts';
import type { Evidence } from './evidence-schema.ts';
import type { Hardware } from './hardware.ts';
import { judge } from './judge.ts';
import { limitsFor } from './limits.ts';
import { type Agreement, agreementOfTimes, replayTimes } from './reproduce-times.ts';
import { commit, sourceHash } from './seeds.ts';
import { createOracle } from './task-oracle.ts';
import type { TimingSetup } from './timed.ts';

export interface Reproduction {
  /** Outcome and check are those of the evidence, with its seeds and with new ones; and its times, where it has some, hold. */
  reproduced: boolean;
  /** The judgement with the evidence's seeds; where it has none (nothing was run), with new ones. */
  again: Evidence;
  /** The same judgement with seeds drawn now. Absent where the evidence has none. */
  fresh?: Evidence;
  agreements: readonly Agreement[];
  /** What is in the evidence and could not be compared here, and why; sentences. */
  notCompared: readonly string[];
}

export interface ReproductionPlaces {
  traces: string;
  builds: string;
  /** Takes times anew, where the evidence has some; absent: as `hardware` does, or only what follows from the recorded ones is looked at. */
  timing?: TimingSetup;
  /** A GPU to judge on too, where the evidence's candidate ran on one. */
  hardware?: Hardware;
  signal?: AbortSignal;
}

/**
 * Judges again what the evidence says was judged.
 * @throws a sentence where the evidence contradicts itself, or was made on a device that is not here.
 */
export async function reproduce(evidence: Evidence, places: ReproductionPlaces): Promise<Reproduction> {
  const { candidate, device, task: asked, seeds } = evidence;
  if (sourceHash(candidate.source) !== candidate.hash)
    throw new Error(
      'The candidate in this evidence is not the one that was judged: its hash differs. Ask for the file as it was written.',
    );
  if (device.kind !== 'virtual')
    throw new Error(
      `This evidence was made on ${device.name}; a verdict of a real GPU is reproduced on one, and none is used here.`,
    );
  const times = evidence.timing?.report;
  const takesTimes = places.timing !== undefined || places.hardware?.times !== undefined;
  if (evidence.verdict.check === 'timed-outputs' && !takesTimes)
    throw new Error(
      `This candidate was rejected for what a timed call gave on ${times?.facts.device ?? 'a device'}; that is reproduced by timing it, and nothing here takes times.`,
    );
  if (evidence.hardware && !places.hardware && evidence.checks.at(-1)?.device === 'cuda' && evidence.verdict.check)
    throw new Error(
      `This candidate was not found right on ${evidence.hardware.name}; that is reproduced on a GPU (\`--device cuda\`), and none is used here.`,
    );
  const gpu = gpuOf(evidence);
  const backward = asked.entry === 'backward';
  const options: LoadOptions = {
    cacheDir: places.traces,
    scale: asked.scale,
    precision: asked.precision as PrecisionPolicy,
    mode: asked.mode,
    backward,
  };
  const name = loadedName(asked.name, options);
  const { task, full } = await loadWithFull({ name, source: asked.source, settings: asked.configuration }, options);
  if (task.hash !== asked.hash)
    throw new Error(
      'The task in this evidence is not the one that was judged: its hash differs. Ask for the file as it was written.',
    );
  const limits = limitsFor(task);
  const target = gpuTarget(gpu);
  const own = createVirtualDevice({ gpu });
  // A search judges at the shapes it was given alone; only its winner is looked at in full size.
  const looksAtFull =
    evidence.verdict.outcome !== 'correct' ||
    evidence.checks.some(({ check, status }) => check === 'full-size' && status !== 'not-asked');
  // What was judged on a GPU too is, where there is one; its times are only worth comparing on seeds that nobody knew.
  const there = evidence.hardware && places.hardware;
  const judged = async (secret: string | undefined, timed: boolean): Promise<Evidence> => {
    const oracle = createOracle(task, places.builds);
    const verdict = await judge({
      ...{
        task,
        full: looksAtFull ? full : undefined,
        candidateSource: candidate.source,
        device: own,
        oracle,
        gpu,
        limits,
        timing: timed ? places.timing : undefined,
        hardware: there && (timed ? there : { gpu: there.gpu }),
      },
      ...{ cacheDir: places.builds, tracesDir: places.traces, signal: places.signal },
      commitment: secret === undefined ? undefined : commit(seeds?.frozen ?? [candidate.hash], secret),
    });
    return evidenceOf({
      ...{ verdict, task, candidateSource: candidate.source, device: own, gpu, limits },
      ...{ floor: floor(task, target), arithmetics: oracle.arithmetics },
    });
  };
  try {
    const again = await judged(seeds?.secret, false);
    const anew = times !== undefined && takesTimes;
    const fresh = seeds && (await judged(undefined, anew));
    const agreements = compare(evidence, again);
    if (fresh) agreements.push(verdictAgreement('verdict, on inputs drawn now', evidence, fresh));
    const ofTimes: Agreement[] = [];
    if (times && seeds) ofTimes.push(await replayTimes(times, seeds.secret));
    const taken = fresh?.timing?.report;
    if (times && taken) ofTimes.push(agreementOfTimes(times, taken));
    const notCompared = [
      ...(evidence.hardware && !there
        ? [`The calls on ${evidence.hardware.name}: no GPU is used here (\`--device cuda\`).`]
        : []),
      ...(times && !taken
        ? [
            `The times themselves: they were taken on ${times.facts.device}, and ${anew ? 'could not be taken here' : 'nothing here takes times'}.`,
          ]
        : []),
    ];
    // What was rejected for a timed call can only be so again where calls are timed.
    const verdicts = evidence.verdict.check === 'timed-outputs' ? [fresh] : [again, fresh];
    const same = verdicts.every((one) => one === undefined || sameVerdict(evidence, one));
    const reproduced = same && ofTimes.every(({ agrees }) => agrees);
    return { reproduced, again, fresh, agreements: [...agreements, ...ofTimes], notCompared };
  } finally {
    await own.close();
  }
}

/** The target GPU: what the evidence says, for older evidence what its modelled time or floor was for. */
function gpuOf({ device, modelled, floor: least }: Evidence): string {
  const gpu = device.gpu ?? modelled?.gpu ?? least?.gpu;
  if (gpu === undefined || !gpuTargets.some(({ id }) => id === gpu))
    throw new Error(
      `This evidence does not say for which GPU it was made, or names one that this version does not know (${gpu ?? 'none'}).`,
    );
  return gpu;
}

function sameVerdict(then: Evidence, now: Evidence): boolean {
  return then.verdict.outcome === now.verdict.outcome && then.verdict.check === now.verdict.check;
}

function verdictAgreement(what: string, then: Evidence, now: Evidence): Agreement {
  const words = ({ verdict }: Evidence) => (verdict.check ? `${verdict.outcome} by ${verdict.check}` : verdict.outcome);
  return { what, agrees: sameVerdict(then, now), before: words(then), now: words(now) };
}

/** How each part of the evidence is said in a few words; parts that the evidence lacks are not compared. */
const PARTS: readonly (readonly [what: string, words: (evidence: Evidence) => string | undefined])[] = [
  ['reason', ({ verdict }) => verdict.reason],
  ['compiler', ({ build }) => build?.compiler],
  ['machine code', ({ build }) => build?.hash.slice(0, 16)],
  [
    'launches',
    ({ plan }) =>
      plan && JSON.stringify(plan.launches.map((one) => [one.kernel, one.grid, one.block, one.dynamicSharedBytes])),
  ],
  ['calls', ({ calls }) => calls.map(({ family, inputSeed }) => `${family} ${inputSeed.slice(0, 8)}`).join(', ')],
  [
    'checks',
    ({ checks }) =>
      // Times are compared by themselves, and a GPU's checks only where there is one: the verdict says what became of them.
      checks
        .flatMap(({ check, stage, status, device }) =>
          stage === 'timing' || device === 'cuda' ? [] : [`${check} ${status}`],
        )
        .join(', '),
  ],
  ['errors, element by element', ({ tolerance }) => JSON.stringify(tolerance.outputs)],
  [
    'findings',
    ({ findings }) => findings.map(({ kind, count, ptxLine }) => `${count} ${kind} at ${ptxLine}`).join(', '),
  ],
  ['modelled time', ({ modelled }) => modelled && `${modelled.microseconds} us`],
  ['dead operators', ({ admission }) => admission?.dead.map(({ operator }) => operator).join(', ')],
  ['version of Assay', ({ environment }) => environment.assay],
];

function compare(then: Evidence, now: Evidence): Agreement[] {
  const parts = PARTS.flatMap(([what, words]): Agreement[] => {
    const [before, after] = [words(then), words(now)];
    if (before === undefined && after === undefined) return [];
    return [{ what, agrees: before === after, before: before ?? 'none', now: after ?? 'none' }];
  });
  return [verdictAgreement(then.seeds ? 'verdict, on the same inputs' : 'verdict', then, now), ...parts];
}
