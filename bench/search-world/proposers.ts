/**
 * Proposers of known skill. What is assumed of them follows what published systems report of theirs:
 *
 * - A model writes a right kernel at the first attempt about three times of four at best (77 % one-shot: Makora's report on a GPT-5 trained for it), and a
 *   small one much more rarely: as the coder beside the same judge, QwQ-32B stays at 0.79 of PyTorch where o3 comes to 1.7 and more (CudaForge,
 *   arXiv 2511.01884, table 5). Rewriting fails more often than one change, and the more, the more has been done to a kernel.
 * - On one problem a model may be of no use at all, 0 of 32 attempts (KernelAgent, issue 139): each model is hopeless on a share of tasks.
 * - A model knows some of the changes that would pay, not all; when it has made those, it repeats itself. So what a strategy is worth falls as the run goes on,
 *   and repair is worth something only while something fails.
 * - A call costs what the price table says of 8,000 tokens in and 5,000 out: $0.165 of claude-opus-4-8, $0.033 of
 *   claude-haiku-4-5, $0.012 of gpt-5-mini; nothing of a server of one's own.
 */
import type { Engineer, Json, Proposal, SearchRecord } from '../../src/engineer/index.ts';
import { Random } from '../../src/engineer/index.ts';
import { changes, constants, flipped, type Kernel, type Landscape, plain, read, values, write } from './landscape.ts';

interface Skill {
  name: string;
  /** Chance that one change to a plain kernel fails. */
  fails: number;
  /** Share of tasks on which nearly all that it writes fails. */
  hopeless: number;
  /** Share of the changes that it knows, and the chance that it makes one of them rather than any other. */
  knows: number;
  insight: number;
  /** A call. */
  dollars: number;
}

/** An ensemble as a person might name it: from the dearest to one on a machine of one's own. */
export const ensemble: readonly Skill[] = [
  { name: 'llm strong', fails: 0.25, hopeless: 0.1, knows: 0.8, insight: 0.7, dollars: 0.165 },
  { name: 'llm middle', fails: 0.4, hopeless: 0.15, knows: 0.6, insight: 0.5, dollars: 0.033 },
  { name: 'llm small', fails: 0.5, hopeless: 0.25, knows: 0.4, insight: 0.35, dollars: 0.012 },
  { name: 'llm local', fails: 0.8, hopeless: 0.4, knows: 0.25, insight: 0.25, dollars: 0 },
];

const wrong = '\nwrong ';
export const isWrong = (source: string): boolean => source.includes(wrong);

/** Dollars that are left to models. */
interface Purse {
  left: number;
}

/** How much likelier a strategy fails than one change. */
const risk = { optimise: 1, rewrite: 1.5, crossover: 1.2, innovate: 1.2, repair: 1.2 } as const;
type Strategy = keyof typeof risk;

export class SimulatedModel implements Engineer {
  readonly name: string;
  readonly strategies;
  readonly attempts = 1;
  readonly #skill: Skill;
  readonly #purse: Purse;
  readonly #landscape: Landscape;
  readonly #related: Kernel | undefined;
  readonly #fails: number;
  readonly #known: ReadonlySet<number>;

  constructor(skill: Skill, seed: number, landscape: Landscape, purse: Purse, related?: Kernel) {
    this.name = skill.name;
    this.#skill = skill;
    this.#purse = purse;
    this.#landscape = landscape;
    this.#related = related;
    const random = new Random('aptitude', skill.name, seed);
    this.#fails = random.next() < skill.hopeless ? 0.97 : skill.fails;
    this.#known = new Set(Array.from({ length: changes }, (_, k) => k).filter(() => random.next() < skill.knows));
    this.strategies = [
      { name: 'rewrite', parents: 1 },
      { name: 'optimise', parents: 1 },
      ...(related ? [{ name: 'innovate', parents: 1 }] : []),
      { name: 'crossover', parents: 2 },
      { name: 'repair', parents: 1, from: 'failed' as const },
    ];
  }

  async start(): Promise<Proposal[]> {
    return [];
  }

  canVary({ engineer, evaluation }: SearchRecord, strategy?: string): boolean {
    return strategy === 'repair' ? engineer.startsWith('llm ') : evaluation?.outcome === 'correct';
  }

  async vary(name: string, parents: readonly SearchRecord[], random: Random): Promise<Proposal | undefined> {
    const { dollars } = this.#skill;
    const strategy = name as Strategy;
    const [first, second] = parents;
    if (this.#purse.left < dollars || (strategy === 'crossover' && first!.id === second?.id)) return undefined;
    this.#purse.left -= dollars;
    const kernel = this.#written(strategy, read(first!.source), second && read(second.source), random);
    const done = kernel.structure.filter(Boolean).length;
    const failed = random.next() < Math.min(0.97, this.#fails * risk[strategy] * (1 + 0.05 * done));
    const source = `${write(kernel)}${failed ? `${wrong}${random.next()}` : ''}`;
    const made = { calls: [], models: [this.name], prompts: [], inputTokens: 8000, outputTokens: 5000, dollars };
    return { ...proposal(source, strategy, parents), made };
  }

  #written(strategy: Strategy, kernel: Kernel, other: Kernel | undefined, random: Random): Kernel {
    const { structure } = kernel;
    switch (strategy) {
      case 'repair':
        return kernel;
      case 'crossover':
        return { ...kernel, structure: structure.map((on, k) => (random.next() < 0.5 ? on : other!.structure[k]!)) };
      case 'innovate': {
        const differs = structure.flatMap((on, k) => (on === this.#related!.structure[k] ? [] : [k]));
        return { ...kernel, structure: flipped(structure, differs.length > 0 ? [random.pick(differs)] : []) };
      }
      case 'optimise':
        return { ...kernel, structure: this.#changed(structure, random) };
      case 'rewrite': {
        let changed = [...structure];
        for (let k = 0; k < 3; k++) changed = this.#changed(changed, random);
        return { ...kernel, structure: changed };
      }
    }
  }

  #changed(structure: readonly boolean[], random: Random): boolean[] {
    const good = this.#landscape.improvements(structure).filter((flips) => flips.every((k) => this.#known.has(k)));
    if (random.next() < this.#skill.insight && good.length > 0) return flipped(structure, random.pick(good));
    return flipped(structure, [random.below(changes)]);
  }
}

/** The built-in engineer: sets constants, and knows the last two changes of structure. */
export class Numeric implements Engineer {
  readonly name = 'builtin';
  readonly strategies = [
    { name: 'constant', parents: 1 },
    { name: 'structure', parents: 1 },
    { name: 'crossover', parents: 2 },
  ];

  async start(): Promise<Proposal[]> {
    return [proposal(write(plain), 'start', [])];
  }

  canVary(): boolean {
    return true;
  }

  async vary(strategy: string, parents: readonly SearchRecord[], random: Random): Promise<Proposal> {
    const [{ structure, constants: set }, other] = parents.map(({ source }) => read(source)) as [Kernel, Kernel?];
    const own = [...set];
    if (strategy === 'constant') own[random.below(constants)] = random.below(values);
    if (strategy === 'crossover')
      for (let k = 0; k < constants; k++) own[k] = random.pick([own[k]!, other!.constants[k]!]);
    const flips = strategy === 'structure' ? [changes - 1 - random.below(2)] : [];
    return proposal(write({ structure: flipped(structure, flips), constants: own }), strategy, parents);
  }

  async adapt(work: SearchRecord): Promise<Proposal> {
    return proposal(work.source, 'related work', []);
  }
}

function proposal(source: string, strategy: string, parents: readonly SearchRecord[]): Proposal {
  return { source, strategy, summary: strategy, knobs: null as Json, parents: parents.map(({ id }) => id) };
}
