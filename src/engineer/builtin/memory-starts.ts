/** First choices for kernels that memory limits: rows, windows, scans. Rules of thumb for what keeps most bytes in flight and reads least twice. */
import type { GroupFacts } from './knobs.ts';
import type { RowKnobs } from './lower/emit/row-plan.ts';
import { type WindowKnobs, windowTiles } from './lower/emit/window-kernel.ts';
import type { KernelChoice } from './lower/schedule.ts';

const warp = 32;

type RowChoice = Extract<KernelChoice, { family: 'row' }>;

export const powerAtLeast = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)));

export function startingScans({ length, items, alongMemory }: NonNullable<GroupFacts['scan']>): KernelChoice[] {
  const scan = (lanes: number, rows: number, own: number): KernelChoice => ({
    family: 'scan',
    lanes,
    rows,
    items: own,
  });
  const widest = Math.max(...items.filter((own) => own <= 4));
  const lanes = Math.max(warp, Math.min(256, powerAtLeast(length / widest)));
  const shared = [
    scan(lanes, 1, widest),
    scan(warp, 8, widest),
    scan(Math.min(1024, 4 * lanes), 1, widest),
    scan(warp, 4, 1),
    scan(128, 1, Math.max(...items)),
  ];
  const own = [scan(1, 128, 1), scan(1, 32, 1)];
  return alongMemory ? [...shared, ...own] : [...own, ...shared];
}

/** Elements of a row that a lane keeps in registers without slowing others down: twice as many leave too few threads resident. */
const mostKeptByLane = 64;

/** Threads below which a GPU is not full. */
const manyThreads = 1 << 19;

/** Strips so long that what two of them both read is little, and so short that there are threads enough. */
export function startingWindows({
  length,
  columns,
  overlap,
  across,
}: NonNullable<GroupFacts['window']>): KernelChoice[] {
  const most = Math.min(powerAtLeast(length), 128);
  const strips = [most, most / 2, most / 4, most / 8].filter((strip) => strip >= 1);
  const filling = strips.filter((strip) => columns * Math.ceil(length / strip) >= manyThreads);
  const [longest, shorter] = filling.length > 0 && overlap > 0 ? filling : strips.slice(-1);
  const window = (block: number, strip: number, how: WindowKnobs['across']): KernelChoice => ({
    ...{ family: 'window', block, strip, across: how },
  });
  const reads = [
    window(256, longest!, 'reads'),
    window(1024, longest!, 'reads'),
    window(256, shorter ?? longest!, 'reads'),
  ];
  // Of the blocks that columns fill, the one in whose last tile fewest threads are idle.
  const threads = (block: number) => windowTiles(block, across!) * block;
  const blocks = across ? [256, 512, 1024, 128].filter((block) => across.reach < block) : [];
  const shared = blocks.sort((a, b) => threads(a) - threads(b)).map((block) => window(block, longest!, 'shared'));
  // Windows that step further than an element are read with gaps; columns next to each other are not.
  const apart = across !== undefined && across.stride > 1;
  return apart ? [...shared.slice(0, 2), ...reads] : [...reads, ...shared.slice(0, 2)];
}

export function startingRows(
  facts: NonNullable<GroupFacts['row']>,
  isLegal: (choice: KernelChoice) => boolean,
): KernelChoice[] {
  const vector = Math.max(...facts.vectors.filter((width) => width <= 4));
  const packs = Math.ceil(facts.length / vector);
  const softmax = facts.online ? 'online' : 'two-pass';
  const row = (lanes: number, rows: number, more: Partial<RowKnobs> = {}): RowChoice => ({
    family: 'row',
    lanes,
    rows,
    order: 'lanes',
    vector: lanes === 1 ? 1 : vector,
    keep: 'reload',
    combine: 'shuffle',
    softmax: 'two-pass',
    unroll: 1,
    patch: 1,
    cluster: 1,
    team: 1,
    room: 0,
    ...more,
  });
  const block = Math.max(warp, Math.min(1024, powerAtLeast(packs) / 2, 256));
  const along: KernelChoice[] = [
    row(block, 1, { keep: 'registers' }),
    row(block, 1, { softmax }),
    row(warp, 4, { keep: 'registers' }),
    row(warp, 4, { softmax, unroll: 2 }),
    row(Math.min(1024, powerAtLeast(packs)), 1, { keep: 'registers' }),
    row(block, 1, { keep: 'shared' }),
    row(block, 1),
    row(warp, 8),
  ];
  // Rows enough to fill a GPU with fewer lanes a row: fewer exchange their folds, and each has more of the row to read at once.
  const fewest = Math.max(warp, powerAtLeast((facts.length * facts.keptAtOnce) / mostKeptByLane));
  if (facts.kept > 0 && fewest < block && facts.rows * fewest >= manyThreads)
    along.unshift(row(fewest, 1, { keep: 'registers' }));
  if (facts.clusters && facts.kept > 0) along.unshift(...clustered(row, isLegal));
  if (facts.team && facts.kept > 0 && !along.some((choice) => keepsRow(choice) && isLegal(choice)))
    along.unshift(...teams(facts.length, row, facts.team));
  const across: KernelChoice[] = [
    row(8, 32, { order: 'rows', vector: 1, combine: 'shared' }),
    // More neighbours a block: where rows do not begin at whole sectors, fewer of these are read twice.
    row(8, 128, { order: 'rows', vector: 1, combine: 'shared' }),
    row(16, 32, { order: 'rows', vector: 1, combine: 'shared', softmax }),
    row(1, 128, { combine: 'shared', unroll: 4 }),
    row(1, 64, { combine: 'shared' }),
  ];
  // As many lanes as a short row has packs, several rows a warp.
  const part = Math.min(warp, powerAtLeast(packs));
  along.push(row(part, 256 / part, { keep: 'registers' }), row(Math.max(2, part / 4), 512 / part));
  // Short rows (windows, small dimensions) want many rows a block, not many lanes a row.
  const short: KernelChoice[] = [
    row(1, 256, { combine: 'shared', unroll: 4, patch: 8 }),
    row(1, 128, { combine: 'shared', unroll: 4 }),
    row(1, 256, { combine: 'shared', unroll: 4, patch: 4 }),
    row(4, 32, { vector: 1 }),
    row(8, 16),
    row(16, 8),
  ];
  if (facts.length <= 32) return [...short, ...across, ...along];
  return facts.alongMemory ? [...along, ...across, ...short] : [...across, ...along];
}

/** Long rows that all read the same vector, a block each or several in one. */
export function startingLines({ row }: GroupFacts): KernelChoice[] {
  const vector = Math.max(...row!.vectors.filter((width) => width <= 4));
  const line = (lanes: number, rows: number): KernelChoice => ({
    ...{ family: 'row', lanes, rows, order: 'lanes', vector, keep: 'reload', combine: 'shuffle', softmax: 'two-pass' },
    ...{ unroll: 1, patch: 1, cluster: 1, team: 1, room: 0 },
  });
  return [line(256, 1), line(128, 1), line(256, 4), line(32, 8)];
}

const keepsRow = (choice: KernelChoice): boolean => choice.family === 'row' && choice.keep !== 'reload';

/** Elements of a row up to which more than one form of team is begun with: a time is modelled from a whole team, so it takes as long as a row is. */
const quicklyModelled = 2 ** 22;

/** Rows that are used twice and that no cluster keeps: the smallest teams that keep most of one, in registers and shared memory. */
function teams(
  length: number,
  row: (lanes: number, rows: number, more: Partial<RowKnobs>) => RowChoice,
  of: NonNullable<NonNullable<GroupFacts['row']>['team']>,
): KernelChoice[] {
  const forms = [row(512, 1, { keep: 'registers', room: 104 }), row(512, 1, { keep: 'shared', room: 72 })];
  return forms.slice(0, length > quicklyModelled ? 1 : undefined).flatMap((form) => {
    const sized = [512, 256, 128, 64, 32, 16]
      .map((team) => ({ choice: { ...form, team, unroll: 4 }, ...of({ ...form, team }) }))
      .filter(({ choice, resident }) => choice.team <= resident)
      .map(({ choice, parts }) => ({ choice, kept: parts.kept / parts.items }));
    const most = Math.max(...sized.map(({ kept }) => kept));
    return sized
      .filter(({ kept }) => kept === most)
      .slice(-1)
      .map(({ choice }) => choice);
  });
}

/** Rows that are used twice and are too long for one block's registers: as few blocks as can keep one between them. */
function clustered(
  row: (lanes: number, rows: number, more: Partial<RowKnobs>) => KernelChoice,
  isLegal: (choice: KernelChoice) => boolean,
): KernelChoice[] {
  const keeping = (lanes: number, cluster: number) => row(lanes, 1, { keep: 'registers', cluster });
  if ([256, 512, 1024].some((lanes) => isLegal(keeping(lanes, 1)))) return [];
  return [512, 1024, 256].flatMap((lanes) =>
    [2, 4, 8]
      .map((cluster) => keeping(lanes, cluster))
      .filter(isLegal)
      .slice(0, 1),
  );
}
