/** Where the stages run and where their results go: a real GPU and results/, or the fake driver and a temporary folder that says so. */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CudaDevice, type FakeDriver, type OpenedGpu, openGpu, targetOf } from '../../src/device/index.ts';
import type { GpuTarget } from '../../src/vgpu/index.ts';

export interface Place {
  /** Number of the GPU. */
  readonly gpu: number;
  readonly opened: OpenedGpu;
  readonly device: CudaDevice;
  /** Nothing here is a measurement. */
  readonly simulated: boolean;
  readonly fake?: FakeDriver;
  /** The table's entry; what candidates are compiled for. */
  readonly target: GpuTarget;
  /** Why there is no floor, where the GPU is not in the table. */
  readonly unknown?: string;
  /**
   * This run's share of what stages do one by one, where others do the rest at the same time: their lines go to the same files, and a stage's own file is left to
   * whoever started them.
   */
  readonly part?: Part;
  /** Results. */
  readonly folder: string;
  /** Compiled code, traces: removed in the end. */
  readonly cache: string;
  /** Only cases whose name contains it, and no more than this of a kind. */
  readonly filter: string;
  readonly most: number;
  /** A few small things of everything: to see that all stages run. */
  readonly quick: boolean;
  write(name: string, content: object): void;
  /**
   * Does something for each of `items` and keeps what came of it, one line of a file each: what an earlier run into the same folder did is not done again. Stops when the
   * time that was given is over: `left` says how many there still are.
   */
  each<Item, Made extends object>(
    name: string,
    items: readonly Item[],
    keyOf: (item: Item) => string,
    work: (item: Item) => Promise<Made>,
  ): Promise<{ made: Made[]; left: number }>;
  close(): Promise<void>;
}

/** `I/N`: the share I, from 0, of N. Throws a sentence. */
export function partOf(text: string): Part {
  const [, index = NaN, of = NaN] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (!(index < of)) throw new Error(`--part must be I/N with I from 0 to N - 1, as in 0/4, not "${text}".`);
  return { index, of };
}

/** One of several shares that are as good as equal. */
export interface Part {
  /** From 0. */
  readonly index: number;
  readonly of: number;
}

export interface Stage {
  readonly name: string;
  /** Whether several processes may do it at once: nothing is timed in it. */
  readonly shared?: boolean;
  readonly purpose: string;
  /** `left`: of what it does one by one, how much is still to be done by another run into the same folder. */
  run(place: Place): Promise<{ passed: boolean; left?: number; content: object; words: string }>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Opens the GPU, or the fake driver where ASSAY_FAKE_CUDA is set. @throws with a sentence that says what is missing */
export interface PlaceOptions {
  readonly gpu: number;
  readonly filter: string;
  readonly most: number;
  readonly quick: boolean;
  /** Where results go; default: results/DATE-DEVICE. */
  readonly out?: string;
  /** Seconds after which nothing new is begun. */
  readonly seconds: number;
  readonly part?: Part;
}

export async function openPlace({ gpu, filter, most, quick, out, seconds, part }: PlaceOptions): Promise<Place> {
  const deadline = performance.now() + 1000 * seconds;
  const opened = await openGpu(gpu);
  const { device, fake } = opened;
  const cache = mkdtempSync(join(tmpdir(), 'assay-on-gpu-cache-'));
  const date = new Date().toISOString().slice(0, 10);
  const slug = device.identity.name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  // What a fake driver shows never lies where measurements do.
  // A folder that is given is marked by what is in its files.
  const folder =
    out ??
    (device.simulated ? mkdtempSync(join(tmpdir(), 'assay-on-gpu-FAKE-')) : join(root, 'results', `${date}-${slug}`));
  mkdirSync(folder, { recursive: true });
  const common = {
    device: device.name,
    identity: device.identity,
    date,
    node: process.versions.node,
    ...(device.simulated
      ? { simulated: true, warning: 'Made with a fake driver. Nothing in this file is a measurement.' }
      : { simulated: false }),
  };
  return {
    ...{ gpu, opened, device, simulated: device.simulated, fake, folder, cache, filter, most, quick, part },
    ...targetOf(device.identity),
    each: (name, items, keyOf, work) =>
      eachOf(join(folder, `${name}.jsonl`), device.simulated, deadline, shareOf(items, part), keyOf, work),
    write: (name, content) => {
      if (part !== undefined) return;
      const text = JSON.stringify({ stage: name, ...common, ...content }, null, 1);
      writeFileSync(join(folder, `${name}.json`), `${text}\n`);
    },
    close: async () => {
      await opened.close();
      rmSync(cache, { recursive: true, force: true });
    },
  };
}

/** Neighbours stay together: cases of one task share its references. */
function shareOf<Item>(items: readonly Item[], { index, of }: Part = { index: 0, of: 1 }): readonly Item[] {
  const from = (at: number) => Math.floor((at * items.length) / of);
  return items.slice(from(index), from(index + 1));
}

/** What {@link Place.each} promises. */
async function eachOf<Item, Made extends object>(
  file: string,
  simulated: boolean,
  deadline: number,
  items: readonly Item[],
  keyOf: (item: Item) => string,
  work: (item: Item) => Promise<Made>,
): Promise<{ made: Made[]; left: number }> {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const known = new Map(
    lines.map((line) => {
      const { key, made } = JSON.parse(line) as { key: string; made: Made };
      return [key, made];
    }),
  );
  const made: Made[] = [];
  let left = 0;
  for (const item of items) {
    const key = keyOf(item);
    let one = known.get(key);
    if (one === undefined && performance.now() < deadline) {
      one = await work(item);
      // Each line says what it is, as each file does.
      appendFileSync(file, `${JSON.stringify({ key, simulated, made: one })}\n`);
    }
    if (one === undefined) left++;
    else made.push(one);
  }
  return { made, left };
}
