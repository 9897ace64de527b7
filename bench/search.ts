/**
 * Which parts of the search earn their place: ablations with simulated proposers of known skill on landscapes of kernels, at equal budgets.
 *
 *   npm run bench:search -- [--seeds 400] [--judgements 60] [--dollars 1] [--only 'any arm']
 *
 * The real search runs; only proposing and judging are simulated, by the built-in engineer and four models (`search-world/proposers.ts`, with what is assumed of them
 * and where that is from) on landscapes of changes that interact (`search-world/landscape.ts`). Retrieval: the best kernels of a run on a related landscape, which
 * differs in two changes. Without `--dollars` it is done twice: once with more money than 60 candidates can well take, and once with less.
 *
 * Printed: by how much slower the best found is than the optimum, and the ratio to the full search over the same seeds, with a bootstrap interval of 95 %. A part earns
 * its place where the search without it is slower, with an interval clear of 1.
 */
import type { Evaluation, SearchArchive, SearchRecord } from '../src/engineer/index.ts';
import { Random } from '../src/engineer/index.ts';
import { type ChooseArm, chooseByRates } from '../src/engineer/search/bandit.ts';
import { optimise } from '../src/engineer/search/optimise.ts';
import { type Kernel, Landscape, read } from './search-world/landscape.ts';
import { ensemble, isWrong, Numeric, SimulatedModel } from './search-world/proposers.ts';

class Memory implements SearchArchive {
  readonly #related: readonly SearchRecord[];

  constructor(related: readonly SearchRecord[]) {
    this.#related = related;
  }

  async ofRun(): Promise<SearchRecord[]> {
    return [];
  }

  async ofOtherRuns(): Promise<SearchRecord[]> {
    return [];
  }

  async related(most: number): Promise<readonly SearchRecord[]> {
    return this.#related.slice(0, most);
  }

  async proposed(): Promise<void> {}

  async judged(): Promise<void> {}
}

interface Budget {
  judgements: number;
  dollars: number;
}

interface Variant {
  name: string;
  retrieval: boolean;
  choose(seed: number): ChooseArm;
}

const full: Variant = {
  name: 'full: rates, retrieval',
  retrieval: true,
  choose: chooseByRates,
};

const variants: readonly Variant[] = [
  full,
  { ...full, name: 'any arm', choose: anyArm },
  { ...full, name: 'retrieval off', retrieval: false },
];

/** One arm as good as another. */
function anyArm(seed: number): ChooseArm {
  return (arms, records, pending) => {
    const made = records.length + [...pending.values()].reduce((sum, count) => sum + count, 0);
    return new Random('any', seed, made, records.at(-1)?.source ?? '').pick(arms);
  };
}

function judgeOn(landscape: Landscape) {
  return async ({ source }: SearchRecord): Promise<Evaluation> =>
    isWrong(source)
      ? { outcome: 'rejected', check: 'values', reason: 'wrong' }
      : { outcome: 'correct', reason: '', microseconds: landscape.time(read(source)), codeHash: source };
}

/** What was found, over the optimum. */
async function search({ retrieval, choose }: Variant, seed: number, budget: Budget): Promise<number> {
  const landscape = new Landscape(seed);
  const purse = { left: budget.dollars };
  const related = retrieval ? await relatedWork(seed) : [];
  const example: Kernel | undefined = related[0] && read(related[0].source);
  const models = ensemble.map((skill) => new SimulatedModel(skill, seed, landscape, purse, example));
  const { best } = await optimise({
    ...{
      run: `s${seed}`,
      task: { name: 'simulated' },
      gpu: 'h100',
      engineers: [new Numeric(), ...models],
      seed,
    },
    ...{ archive: new Memory(related), evaluate: judgeOn(landscape), choose: choose(seed) },
    budget: { judgements: budget.judgements, patience: 1000 },
  });
  return best!.evaluation!.microseconds! / landscape.optimum();
}

const known = new Map<number, SearchRecord[]>();

/** What an earlier run on a related landscape found, the best first. */
async function relatedWork(seed: number): Promise<SearchRecord[]> {
  const before = known.get(seed);
  if (before) return before;
  const landscape = new Landscape(seed, true);
  const { records } = await optimise({
    ...{ run: `r${seed}`, task: { name: 'related' }, gpu: 'h100', archive: new Memory([]), seed: seed + 1_000_000 },
    engineers: [new Numeric(), new SimulatedModel(ensemble[0]!, seed, landscape, { left: 3 })],
    evaluate: judgeOn(landscape),
    budget: { judgements: 60, patience: 1000 },
  });
  const best = records
    .filter(({ evaluation }) => evaluation?.microseconds !== undefined)
    .sort((a, b) => a.evaluation!.microseconds! - b.evaluation!.microseconds!)
    .slice(0, 3);
  known.set(seed, best);
  return best;
}

function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** Interval of 95 % of the geometric mean, by resampling seeds. */
function interval(ratios: readonly number[]): [number, number] {
  const random = new Random('bootstrap');
  const means = Array.from({ length: 2000 }, () => geometricMean(ratios.map(() => random.pick(ratios)))).sort(
    (a, b) => a - b,
  );
  return [means[49]!, means[1949]!];
}

async function compare(seeds: number, budget: Budget): Promise<void> {
  const { judgements, dollars } = budget;
  process.stdout.write(
    `${seeds} seeds, ${judgements} judgements, $${dollars} for models; best over optimum, geometric mean\n`,
  );
  let whole: number[] = [];
  const only = process.argv.indexOf('--only');
  const named = (name: string) => only < 0 || name.includes(process.argv[only + 1] ?? '');
  for (const variant of variants.filter((one) => one === full || named(one.name))) {
    const found: number[] = [];
    for (let seed = 1; seed <= seeds; seed++) found.push(await search(variant, seed, budget));
    const mean = `${variant.name.padEnd(32)} ${geometricMean(found).toFixed(3)}`;
    if (variant === full) {
      whole = found;
      process.stdout.write(`${mean}\n`);
      continue;
    }
    const ratios = found.map((ratio, k) => ratio / whole[k]!);
    const [low, high] = interval(ratios);
    const verdict = low > 1 ? 'slower than full' : high < 1 ? 'FASTER than full' : 'no difference seen';
    const against = `${geometricMean(ratios).toFixed(3)} of full (${low.toFixed(3)} to ${high.toFixed(3)})`;
    process.stdout.write(`${mean}   ${against.padEnd(32)} ${verdict}\n`);
  }
}

function option(name: string): number | undefined {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return undefined;
  const value = Number(process.argv[at + 1]);
  if (!(value > 0)) throw new Error(`--${name} must be a number greater than 0.`);
  return value;
}

async function main(): Promise<void> {
  const judgements = option('judgements') ?? 60;
  const given = option('dollars');
  for (const dollars of given === undefined ? [5, 1] : [given])
    await compare(option('seeds') ?? 400, { judgements, dollars });
}

void main();
