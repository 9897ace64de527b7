/** Searches on landscapes whose optimum is known: a point of a grid is a candidate, a formula its time. */
import assert from 'node:assert/strict';
import type { Engineer, Evaluation, Proposal, SearchArchive, SearchRecord } from '../ports.ts';
import { optimise, type SearchOptions, type SearchResult } from './optimise.ts';
import type { Random } from './random.ts';

export interface Point {
  x: number;
  y: number;
}

export const write = ({ x, y }: Point): string => `__global__ void k() { work(${x}, ${y}); }`;
export const read = (source: string): Point => {
  const [, x, y] = /work\((\d+), (\d+)\)/.exec(source)!;
  return { x: Number(x), y: Number(y) };
};

/** Steps on a square grid from given points. */
export class GridEngineer implements Engineer {
  readonly name = 'grid';
  readonly strategies = [
    { name: 'step', parents: 1 },
    { name: 'cross', parents: 2 },
  ];
  readonly #starts: readonly Point[];
  readonly #size: number;
  readonly #reach: number;

  /** A step goes up to `reach` in each direction. */
  constructor(starts: readonly Point[], size: number, reach: number) {
    this.#starts = starts;
    this.#size = size;
    this.#reach = reach;
  }

  async start(): Promise<Proposal[]> {
    return this.#starts.map((point) => proposalAt(point, 'start', []));
  }

  async vary(strategy: string, parents: readonly SearchRecord[], random: Random): Promise<Proposal> {
    const [a, b] = parents.map((parent) => read(parent.source));
    const ids = parents.map((parent) => parent.id);
    if (strategy === 'cross') return proposalAt({ x: a!.x, y: b!.y }, strategy, ids);
    const moved = (value: number) => {
      const step = random.below(2 * this.#reach + 1) - this.#reach;
      return Math.max(0, Math.min(this.#size - 1, value + step));
    };
    return proposalAt({ x: moved(a!.x), y: moved(a!.y) }, strategy, ids);
  }

  canVary(): boolean {
    return true;
  }

  async adapt(work: SearchRecord): Promise<Proposal> {
    return proposalAt(read(work.source), 'related work', [work.id]);
  }
}

export function proposalAt(point: Point, strategy: string, parents: readonly string[]): Proposal {
  return { source: write(point), strategy, summary: `${point.x}, ${point.y}`, knobs: { ...point }, parents };
}

/** Keeps text, as a database would: what is read back is not what was written. */
export class MemoryArchive implements SearchArchive {
  readonly #rows = new Map<string, string>();
  others: SearchRecord[] = [];
  alike: SearchRecord[] = [];
  spent = 0;

  async ofRun(): Promise<SearchRecord[]> {
    return [...this.#rows.values()].map((row) => JSON.parse(row) as SearchRecord);
  }

  async ofOtherRuns(most: number): Promise<SearchRecord[]> {
    return this.others.slice(0, most);
  }

  async related(most: number): Promise<SearchRecord[]> {
    return this.alike.slice(0, most);
  }

  async dollars(): Promise<number> {
    return this.spent;
  }

  async proposed(record: SearchRecord): Promise<void> {
    assert.ok(!this.#rows.has(record.id), `${record.id} proposed twice`);
    this.#rows.set(record.id, JSON.stringify(record));
  }

  async judged(record: SearchRecord): Promise<void> {
    assert.ok(this.#rows.has(record.id), `${record.id} judged before it was proposed`);
    this.#rows.set(record.id, JSON.stringify(record));
  }
}

export interface Landscape {
  engineer: Engineer;
  at(point: Point): Evaluation;
}

export interface Setting {
  archive?: MemoryArchive;
  judged?: string[];
  /** The judge fails after this many judgements, as when the process is killed. */
  crashAfter?: number;
}

export function searchOn(
  { engineer, at }: Landscape,
  options: Partial<SearchOptions>,
  { archive = new MemoryArchive(), judged = [], crashAfter }: Setting = {},
): Promise<SearchResult> {
  let calls = 0;
  return optimise({
    ...{ run: 'run', task: { name: 'grid' }, gpu: 'h100', engineers: [engineer] },
    evaluate: async ({ source }) => {
      if (calls++ === crashAfter) throw new Error('killed');
      judged.push(source);
      return at(read(source));
    },
    archive,
    budget: { judgements: 120, patience: 8 },
    seed: 1,
    ...options,
  });
}

/** What was proposed, in order: two runs with the same are the same run. */
export const history = (records: readonly SearchRecord[]) =>
  records.map((record) => [record.id, record.generation, record.source, record.strategy]);
