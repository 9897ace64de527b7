/** First choices for the knobs of a group's kernel: the plain one, which the direct translation takes, and those that a search begins with. */
import { type GroupFacts, illegal } from './knobs.ts';
import type { KernelChoice } from './lower/schedule.ts';
import { powerAtLeast, startingLines, startingRows, startingScans, startingWindows } from './memory-starts.ts';

const warp = 32;

/** The plainest choice: one thread an output element, or a row; loops as one would write them first. */
export function plainChoice(facts: GroupFacts): KernelChoice {
  if (facts.map) return { family: 'map', block: 256, vector: 1, items: 1 };
  if (facts.scan) return { family: 'scan', lanes: 1, rows: Math.min(64, powerAtLeast(facts.scan.rows)), items: 1 };
  if (facts.sort) return { family: 'sort', block: Math.max(warp, Math.min(256, powerAtLeast(facts.sort.length / 2))) };
  if (facts.recurrent)
    return {
      family: 'recurrent',
      block: Math.min(256, Math.max(warp, powerAtLeast(facts.recurrent.hidden))),
      lanes: 1,
    };
  const { rows, length } = facts.row!;
  const base = {
    family: 'row',
    order: 'lanes',
    vector: 1,
    keep: 'reload',
    combine: 'shared',
    softmax: 'two-pass',
    unroll: 1,
    patch: 1,
    cluster: 1,
    team: 1,
    room: 0,
  } as const;
  // One thread would lose digits over so long a sum: the plain kernel for it is a block with a tree.
  if (length > 32768) return { ...base, lanes: 256, rows: 1 };
  return { ...base, lanes: 1, rows: Math.min(256, powerAtLeast(rows)) };
}

/** Good first choices for a group, best guess first; all legal. `ranked`: tiles that an estimate puts first. */
export function startingChoices(facts: GroupFacts, ranked: readonly KernelChoice[] = []): KernelChoice[] {
  // A matrix and a vector: no tile is used again, and rows read the matrix as it lies.
  const candidates: KernelChoice[] = facts.tile?.n === 1 ? startingLines(facts) : [];
  candidates.push(...ranked);
  if (facts.map) {
    const vector = Math.max(...facts.map.vectors.filter((width) => width <= 4));
    // What is walked over again and again is read once by a thread that takes all of its uses.
    const items = [32, 16, 8, 4, 2].find((count) => facts.map!.repeats % count === 0);
    if (items) candidates.push({ family: 'map', block: 256, vector, items });
    candidates.push(
      { family: 'map', block: 256, vector, items: 1 },
      { family: 'map', block: 256, vector, items: 2 },
      { family: 'map', block: 128, vector: 1, items: 4 },
    );
  }
  if (facts.scan) candidates.push(...startingScans(facts.scan));
  if (facts.sort)
    candidates.push({ family: 'sort', block: 1024 }, { family: 'sort', block: 512 }, { family: 'sort', block: 128 });
  if (facts.recurrent) for (const lanes of [8, 32, 4, 16]) candidates.push({ family: 'recurrent', block: 1024, lanes });
  if (facts.families.includes('pipeline')) candidates.push(...startingPipelines(facts));
  if (facts.mma) candidates.push(...startingMma(facts));
  if (facts.tile) candidates.push(...startingTiles(facts.tile));
  if (facts.window) candidates.push(...startingWindows(facts.window));
  if (facts.row) candidates.push(...startingRows(facts.row, (choice) => illegal(facts, choice) === undefined));
  candidates.push(plainChoice(facts));
  return candidates.filter((choice) => illegal(facts, choice) === undefined);
}

function startingTiles(facts: NonNullable<GroupFacts['tile']>): KernelChoice[] {
  const tile = (
    blockM: number,
    blockN: number,
    blockK: number,
    thread: number,
    fragment: number,
    vector: number,
  ): KernelChoice => ({
    family: 'tile',
    blockM,
    blockN,
    blockK,
    threadM: thread,
    threadN: thread,
    vector: Math.min(vector, Math.max(facts.packs.a, facts.packs.b)),
    fragment,
    stages: 1,
  });
  const small = [tile(32, 32, 16, 2, 2, 1), tile(64, 64, 16, 4, 4, 4), tile(16, 32, 32, 2, 2, 2)];
  const large = [tile(128, 128, 8, 8, 4, 4), tile(64, 64, 16, 4, 4, 4), tile(128, 64, 16, 8, 4, 4)];
  // A tile a multiprocessor or more, else smaller tiles keep more of the GPU at work.
  const blocks = Math.ceil(facts.m / 64) * Math.ceil(facts.n / 64) * facts.batch;
  return blocks >= 128 ? [...large, ...small] : [...small, ...large];
}

function startingMma({ tile, mma }: GroupFacts): KernelChoice[] {
  const [arithmetic] = mma!.arithmetics;
  const half = arithmetic === 'half';
  const choice = (
    blockM: number,
    blockN: number,
    blockK: number,
    warpM: number,
    warpN: number,
    stages: number,
  ): KernelChoice => ({
    ...{ family: 'mma', arithmetic: arithmetic!, blockM, blockN, blockK, warpM, warpN, stages },
    vector: Math.max(tile!.packs.a, tile!.packs.b),
  });
  const deep = half ? 32 : 16;
  const large = [choice(128, 128, deep, 64, 32, arithmetic === 'tf32x3' ? 1 : 2), choice(128, 128, deep, 32, 64, 1)];
  const small = [choice(64, 64, deep, 32, 32, 1), choice(64, 128, deep, 32, 64, 1)];
  const blocks = Math.ceil(tile!.m / 128) * Math.ceil(tile!.n / 128) * tile!.batch;
  return blocks >= 100 ? [...large, ...small] : [...small, ...large];
}

function startingPipelines({ mma }: GroupFacts): KernelChoice[] {
  const arithmetic = mma!.arithmetics.includes('half') ? 'half' : 'tf32';
  const blockK = arithmetic === 'half' ? 32 : 16;
  const choice = (blockM: number, blockN: number, warpM: number, warpN: number, stages: number): KernelChoice => ({
    ...{ family: 'pipeline', unit: 'warp', arithmetic, blockM, blockN, blockK, warpM, warpN, stages, group: 1 },
  });
  return [choice(128, 128, 64, 32, 3), choice(64, 64, 32, 32, 4), choice(128, 256, 64, 64, 3)];
}
