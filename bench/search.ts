/**
 * Which parts of the search earn their place: ablations with simulated proposers of known skill on landscapes of kernels, at equal budgets.
 *
 *   npm run bench:search -- [--seeds 200] [--judgements 60] [--dollars 2]
 *
 * A landscape: eight changes of structure, each with a factor of its own, some of which pay only together (so that one step at a time can get
 * stuck), and three constants whose best values depend on the structure. Proposers: one that sets constants and knows three of the changes (as the built-in
 * engineer), a strong dear model and a weak cheap one, which find changes or fail with known chances. Retrieval: kernels of a related landscape, which
 * differs in two changes. The real search runs; only proposing and judging are simulated. Printed: by how much slower the best found is than the optimum,
 * and the ratio to the full search over the same seeds, with a bootstrap interval of 95 %.
 */
import type { Engineer, Evaluation, Json, Proposal, SearchArchive, SearchRecord } from '../src/engineer/index.ts';
import { Random } from '../src/engineer/index.ts';
import { type ChooseArm, chooseArm, chooseArmBy } from '../src/engineer/search/bandit.ts';
import { optimise } from '../src/engineer/search/optimise.ts';

const changes = 8;
const constants = 3;
const values = 6;

interface Kernel {
  structure: readonly boolean[];
  constants: readonly number[];
}

/** Times of kernels, microseconds. */
class Landscape {
  readonly #factor: number[];
  /** Pairs of changes that pay together and cost apart. */
  readonly #pairs: (readonly [number, number])[];
  readonly #best: number[][];

  constructor(seed: number, related = false) {
    const random = new Random('landscape', seed);
    this.#factor = Array.from({ length: changes }, () => 0.6 + 0.5 * random.next());
    this.#pairs = [
      [0, 1],
      [2, 3],
      [4, 5],
    ];
    this.#best = Array.from({ length: constants }, () => Array.from({ length: 2 }, () => random.below(values)));
    if (!related) return;
    const other = new Random('related', seed);
    for (let k = 0; k < 2; k++) this.#factor[other.below(changes)] = 0.6 + 0.5 * other.next();
  }

  time({ structure, constants: set }: Kernel): number {
    let time = 100;
    for (const [k, on] of structure.entries()) if (on) time *= this.#factor[k]!;
    for (const [a, b] of this.#pairs) {
      if (structure[a] !== structure[b]) time *= 1.3;
      else if (structure[a]) time *= 0.7;
    }
    const kind = structure.filter(Boolean).length % 2;
    for (const [k, value] of set.entries()) time *= 1 + 0.08 * Math.abs(value - this.#best[k]![kind]!);
    return time;
  }

  /** The least time, by trying all structures with their best constants. */
  optimum(): number {
    let least = Infinity;
    for (let bits = 0; bits < 2 ** changes; bits++) {
      const structure = Array.from({ length: changes }, (_, k) => ((bits >> k) & 1) === 1);
      const kind = structure.filter(Boolean).length % 2;
      least = Math.min(least, this.time({ structure, constants: this.#best.map((best) => best[kind]!) }));
    }
    return least;
  }
}

const write = (kernel: Kernel) => JSON.stringify(kernel);
const read = (source: string) => JSON.parse(source.split('\n')[0]!) as Kernel;
const plain: Kernel = { structure: Array(changes).fill(false), constants: Array(constants).fill(0) };

interface Skill {
  name: string;
  /** Chances that a proposal fails, and that a change of structure is a pair, not one at random. */
  fails: number;
  insight: number;
  dollars: number;
}

class SimulatedModel implements Engineer {
  readonly name: string;
  readonly strategies = [
    { name: 'optimise', parents: 1 },
    { name: 'crossover', parents: 2 },
  ];
  readonly attempts = 1;
  readonly #skill: Skill;
  readonly #purse: { left: number };

  constructor(skill: Skill, purse: { left: number }) {
    this.name = skill.name;
    this.#skill = skill;
    this.#purse = purse;
  }

  async start(): Promise<Proposal[]> {
    return [];
  }

  canVary({ evaluation }: SearchRecord): boolean {
    return evaluation?.outcome === 'correct';
  }

  async vary(strategy: string, parents: readonly SearchRecord[], random: Random): Promise<Proposal | undefined> {
    const { dollars, fails, insight } = this.#skill;
    if (this.#purse.left < dollars) return undefined;
    this.#purse.left -= dollars;
    const [a, b] = parents.map(({ source }) => read(source));
    const structure = [...a!.structure];
    if (strategy === 'crossover' && b) {
      for (let k = 0; k < changes; k++) if (random.next() < 0.5) structure[k] = b.structure[k]!;
    } else if (random.next() < insight) {
      const pair = 2 * random.below(3);
      structure[pair] = structure[pair + 1] = !structure[pair];
    } else {
      const k = random.below(changes);
      structure[k] = !structure[k];
    }
    const failed = random.next() < fails;
    const source = `${write({ ...a!, structure })}${failed ? `\nwrong ${random.next()}` : ''}`;
    const made = { calls: [], models: [this.name], prompts: [], inputTokens: 0, outputTokens: 0, dollars };
    return { ...proposal(source, strategy, parents), made };
  }
}

/** Sets constants, and knows the last two changes of structure. */
class Numeric implements Engineer {
  readonly name = 'builtin';
  readonly strategies = [
    { name: 'constant', parents: 1 },
    { name: 'structure', parents: 1 },
  ];

  async start(): Promise<Proposal[]> {
    return [proposal(write(plain), 'start', [])];
  }

  canVary(): boolean {
    return true;
  }

  async vary(strategy: string, parents: readonly SearchRecord[], random: Random): Promise<Proposal> {
    const { structure, constants: set } = read(parents[0]!.source);
    const [own, constant] = [[...structure], [...set]];
    if (strategy === 'constant') constant[random.below(constants)] = random.below(values);
    else {
      const k = changes - 1 - random.below(2);
      own[k] = !own[k];
    }
    return proposal(write({ structure: own, constants: constant }), strategy, parents);
  }

  async adapt(work: SearchRecord): Promise<Proposal> {
    return proposal(work.source, 'related work', []);
  }
}

function proposal(source: string, strategy: string, parents: readonly SearchRecord[]): Proposal {
  return { source, strategy, summary: strategy, knobs: null as Json, parents: parents.map(({ id }) => id) };
}

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

interface Variant {
  name: string;
  islands: number;
  retrieval: boolean;
  choose: ChooseArm;
}

interface Budget {
  judgements: number;
  dollars: number;
}

/** The best time found over the optimum, and what was spent. */
async function search(variant: Variant, seed: number, { judgements, dollars }: Budget): Promise<number> {
  const landscape = new Landscape(seed);
  const purse = { left: dollars };
  const engineers = [
    new Numeric(),
    new SimulatedModel({ name: 'strong', fails: 0.25, insight: 0.5, dollars: 0.1 }, purse),
    new SimulatedModel({ name: 'weak', fails: 0.5, insight: 0.1, dollars: 0.01 }, purse),
  ];
  const related = variant.retrieval ? await relatedWork(seed, judgements) : [];
  const evaluate = async ({ source }: SearchRecord): Promise<Evaluation> => {
    if (source.includes('\nwrong')) return { outcome: 'rejected', check: 'values', reason: 'wrong' };
    return { outcome: 'correct', reason: '', microseconds: landscape.time(read(source)), codeHash: source };
  };
  const { best } = await optimise({
    ...{
      run: `s${seed}`,
      task: { name: 'simulated' },
      gpu: 'h100',
      engineers,
      archive: new Memory(related),
      evaluate,
      seed,
    },
    ...{ budget: { judgements, patience: 1000 }, islands: variant.islands, choose: variant.choose },
  });
  return best!.evaluation!.microseconds! / landscape.optimum();
}

/** What an earlier run on a related landscape found. */
async function relatedWork(seed: number, judgements: number): Promise<SearchRecord[]> {
  const landscape = new Landscape(seed, true);
  const purse = { left: Infinity };
  const { records } = await optimise({
    ...{ run: `r${seed}`, task: { name: 'related' }, gpu: 'h100', archive: new Memory([]), seed: seed + 1_000_000 },
    engineers: [new Numeric(), new SimulatedModel({ name: 'strong', fails: 0.25, insight: 0.5, dollars: 0.1 }, purse)],
    evaluate: async ({ source }) =>
      source.includes('\nwrong')
        ? { outcome: 'rejected', check: 'values', reason: 'wrong' }
        : { outcome: 'correct', reason: '', microseconds: landscape.time(read(source)), codeHash: source },
    budget: { judgements, patience: 1000 },
  });
  return records
    .filter(({ evaluation }) => evaluation?.microseconds !== undefined)
    .sort((a, b) => a.evaluation!.microseconds! - b.evaluation!.microseconds!);
}

/** Arms charged by the share of the budget that their candidates take: of judgements or of dollars, whichever is larger. */
function countingCosts({ judgements, dollars }: Budget): ChooseArm {
  return chooseArmBy((own) => {
    const spent = own.reduce((sum, { made }) => sum + (made?.dollars ?? 0), 0) / Math.max(1, own.length);
    return Math.max(1 / judgements, spent / dollars);
  });
}

/** One arm as good as another. */
const anyArm: ChooseArm = (arms, records, pending) => {
  const made = records.length + [...pending.values()].reduce((sum, count) => sum + count, 0);
  return new Random('any', made, records.at(-1)?.source ?? '').pick(arms);
};

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

function option(name: string, usual: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? usual : Number(process.argv[at + 1]);
  if (!(value > 0)) throw new Error(`--${name} must be a number greater than 0.`);
  return value;
}

async function main(): Promise<void> {
  const seeds = option('seeds', 200);
  const budget = { judgements: option('judgements', 60), dollars: option('dollars', 2) };
  const full: Variant = { name: 'full: bandit, 3 islands, retrieval', islands: 3, retrieval: true, choose: chooseArm };
  const variants: Variant[] = [
    full,
    { ...full, name: 'bandit off (any arm)', choose: anyArm },
    { ...full, name: 'bandit that counts costs', choose: countingCosts(budget) },
    { ...full, name: 'islands off', islands: 1 },
    { ...full, name: 'retrieval off', retrieval: false },
    { ...full, name: 'islands and retrieval off', islands: 1, retrieval: false },
  ];
  process.stdout.write(
    `${seeds} seeds, ${budget.judgements} judgements, $${budget.dollars} for models; best over optimum, geometric mean\n`,
  );
  let whole: number[] = [];
  for (const variant of variants) {
    const found: number[] = [];
    for (let seed = 1; seed <= seeds; seed++) found.push(await search(variant, seed, budget));
    if (variant === full) whole = found;
    const ratios = found.map((ratio, k) => ratio / whole[k]!);
    const [low, high] = interval(ratios);
    const verdict =
      variant === full ? '' : low > 1 ? 'slower than full' : high < 1 ? 'FASTER than full' : 'no difference seen';
    const against =
      variant === full ? '' : `${geometricMean(ratios).toFixed(3)} of full (${low.toFixed(3)} to ${high.toFixed(3)})`;
    process.stdout.write(
      `${variant.name.padEnd(36)} ${geometricMean(found).toFixed(3)}   ${against.padEnd(34)} ${verdict}\n`,
    );
  }
}

void main();
