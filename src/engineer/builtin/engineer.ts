/**
 * The engineer that needs no model: lowers the graph, starts from the direct translation and good template choices, and
 * varies the choices. Everything it proposes is a schedule, so that its candidates can be varied again in later runs.
 */
import type { Task } from '../../task/index.ts';
import { type GpuTarget, gpuTarget } from '../../vgpu/index.ts';
import type { Engineer, Json, Proposal, SearchRecord, Strategy } from '../ports.ts';
import type { Random } from '../search/random.ts';
import { plainChoice, startingChoices } from './first-choices.ts';
import { type GroupFacts, groupFacts, type Hardware, hardwareOf, illegal, knobs } from './knobs.ts';
import {
  decompose,
  type KernelChoice,
  lowerForBoth,
  lowerOutline,
  type Outline,
  outline,
  type Schedule,
} from './lower/index.ts';
import type { Program, ReduceStep } from './lower/program.ts';
import { splitChoices } from './lower/split.ts';
import { product } from './lower/strides.ts';
import { rankedProducts } from './rank.ts';
import { transfer } from './transfer.ts';

/** Candidates proposed before evolution begins. */
const mostStarts = 8;
/** Tiles that an estimate puts among a product's first choices. */
const rankedStarts = 5;
const mostParts = 256;
/** Rows for each multiprocessor below which a reduction leaves much of a GPU idle, and how many there should be instead. */
const fewRows = 4;
const wantedRows = 8;
/** Elements of a part whose mean and squares a block takes out of its registers, at most and at least, and the most parts of a row. */
const momentPart = 16384;
const smallestPart = 2048;
const mostMomentParts = 4096;
/** Elements of the longest row that a cluster of blocks keeps: 8 blocks of 1024 threads with 48 each. */
const longestKept = 8 * 1024 * 48;

export interface BuiltinOptions {
  /** What is judged. */
  task: Task;
  /** The same at the file's own shapes, where it was scaled: what candidates are written for, beside the judged shapes. */
  full?: Task;
  /** Whose sizes first guesses are made for; the H100's when absent. */
  target?: GpuTarget;
}

interface OutlineFacts {
  outline: Outline;
  facts: readonly GroupFacts[];
}

/** Throws LoweringError when an operator of the task has no lowering. */
export function createBuiltinEngineer(options: BuiltinOptions): Engineer {
  return new BuiltinEngineer(options);
}

class BuiltinEngineer implements Engineer {
  readonly name = 'builtin';
  readonly strategies: readonly Strategy[] = [
    { name: 'change a knob', parents: 1 },
    { name: 'change a kernel', parents: 1 },
    { name: 'cross two', parents: 2 },
    { name: 'regroup', parents: 1 },
  ];
  /** Whose shapes choices are made for. */
  readonly #task: Task;
  readonly #program: Program;
  readonly #target: GpuTarget;
  readonly #hardware: Hardware;
  /** The smaller shapes of the same, at which candidates are verified. */
  readonly #verified?: { task: Task; program: Program };
  readonly #outlines = new Map<string, OutlineFacts>();
  readonly #ranked = new Map<string, readonly KernelChoice[]>();

  constructor({ task, full, target }: BuiltinOptions) {
    this.#target = target ?? gpuTarget('h100');
    this.#hardware = hardwareOf(this.#target);
    this.#task = full ?? task;
    this.#program = decompose(this.#task.graph, this.#task.signature);
    if (full) this.#verified = { task, program: decompose(task.graph, task.signature) };
  }

  async start(): Promise<readonly Proposal[]> {
    const proposals: Proposal[] = [];
    const sources = new Set<string>();
    const add = (schedule: Schedule, summary: string) => {
      const proposal = this.#propose(schedule, 'start', summary, []);
      const bare = proposal.source.replace(/^\/\/.*$/gm, '');
      if (sources.has(bare)) return;
      sources.add(bare);
      proposals.push(proposal);
    };
    const plain = this.#facts('operator', {});
    add(
      { fusion: 'operator', splits: {}, kernels: plain.facts.map(plainChoice) },
      'direct translation: a plain kernel for each operator',
    );
    const splits = this.#worthwhileSplits();
    // Where blocks can keep a row between them, they need no second read for what is done in parts otherwise.
    const keeping = this.#facts('fused', {}).facts.some((own) => isTeam(this.#starts(own)[0]!));
    const bases = splits ? (keeping ? [{}, splits] : [splits, {}]) : [{}];
    for (let k = 0; proposals.length < mostStarts && k < mostStarts; k++) {
      for (const base of bases) {
        const { facts } = this.#facts('fused', base);
        const kernels = facts.map((own) => {
          const choices = this.#starts(own);
          return choices[k % choices.length]!;
        });
        if (proposals.length < mostStarts)
          add({ fusion: 'fused', splits: base, kernels }, `template: ${describe(kernels)}`);
      }
    }
    return proposals;
  }

  async vary(strategy: string, parents: readonly SearchRecord[], random: Random): Promise<Proposal | undefined> {
    const [first, second] = parents.map((parent) => readSchedule(parent.knobs));
    if (!first) return undefined;
    const ids = [...new Set(parents.map((parent) => parent.id))];
    switch (strategy) {
      case 'change a knob':
        return this.#changeKnob(first, random, ids);
      case 'change a kernel':
        return this.#changeKernel(first, random, ids);
      case 'cross two':
        return second && this.#cross(first, second, random, ids);
      case 'regroup':
        return this.#regroup(first, random, ids);
      default:
        throw new RangeError(`the built-in engineer has no strategy "${strategy}"`);
    }
  }

  /** A related task's choices, where this task has as many kernels and they are legal for them. */
  async adapt(work: SearchRecord): Promise<Proposal | undefined> {
    const schedule = readSchedule(work.knobs);
    if (!schedule || !this.canVary(work)) return undefined;
    return this.#propose(schedule, 'related work', `as ${work.id}: ${work.summary}`, [work.id]);
  }

  canVary(record: SearchRecord): boolean {
    const schedule = readSchedule(record.knobs);
    if (!schedule) return false;
    const known = new Set(this.#program.steps.flatMap((step) => (step.kind === 'reduce' ? step.outs.map(String) : [])));
    if (Object.keys(schedule.splits).some((value) => !known.has(value))) return false;
    const { facts } = this.#facts(schedule.fusion, schedule.splits);
    return (
      facts.length === schedule.kernels.length &&
      facts.every((own, k) => isChoice(schedule.kernels[k]!) && !illegal(own, schedule.kernels[k]!))
    );
  }

  /** One knob of one kernel takes another legal value. Knobs that only work together may take two changes. */
  #changeKnob(schedule: Schedule, random: Random, parents: readonly string[]): Proposal | undefined {
    const { facts } = this.#facts(schedule.fusion, schedule.splits);
    const index = random.below(facts.length);
    const before = schedule.kernels[index]!;
    for (let attempt = 0; attempt < 40; attempt++) {
      let choice: KernelChoice = before;
      for (let change = 0; change <= attempt % 3; change++) {
        const knob = random.pick(knobs[choice.family]);
        choice = { ...choice, [knob.name]: random.pick(knob.choices) };
      }
      if (sameChoice(choice, before) || illegal(facts[index]!, choice)) continue;
      const kernels = schedule.kernels.map((own, k) => (k === index ? choice : own));
      return this.#propose({ ...schedule, kernels }, 'change a knob', difference(before, choice), parents);
    }
    return undefined;
  }

  /** One kernel starts over from one of its templates' starting choices. */
  #changeKernel(schedule: Schedule, random: Random, parents: readonly string[]): Proposal | undefined {
    const { facts } = this.#facts(schedule.fusion, schedule.splits);
    const index = random.below(facts.length);
    const choice = random.pick(this.#starts(facts[index]!));
    if (sameChoice(choice, schedule.kernels[index]!)) return undefined;
    const kernels = schedule.kernels.map((own, k) => (k === index ? choice : own));
    return this.#propose(
      { ...schedule, kernels },
      'change a kernel',
      `kernel ${index + 1}: ${describe([choice])}`,
      parents,
    );
  }

  /** Each kernel, or each knob of equal families, from one parent or the other. */
  #cross(first: Schedule, second: Schedule, random: Random, parents: readonly string[]): Proposal | undefined {
    if (first.fusion !== second.fusion || JSON.stringify(first.splits) !== JSON.stringify(second.splits))
      return undefined;
    const { facts } = this.#facts(first.fusion, first.splits);
    const kernels = facts.map((own, index) => {
      const [a, b] = [first.kernels[index]!, second.kernels[index]!];
      if (a.family === b.family) {
        const names = knobs[a.family].map((knob) => knob.name);
        const mixed = {
          ...a,
          ...Object.fromEntries(names.filter(() => random.next() < 0.5).map((name) => [name, knobOf(b, name)])),
        } as KernelChoice;
        if (!illegal(own, mixed)) return mixed;
      }
      return random.next() < 0.5 ? a : b;
    });
    return this.#propose({ ...first, kernels }, 'cross two', `crossed: ${describe(kernels)}`, parents);
  }

  /** Other fusion, or a reduction cut into another number of parts; kernels start over. */
  #regroup(schedule: Schedule, random: Random, parents: readonly string[]): Proposal | undefined {
    const reductions = this.#program.steps.filter((step): step is ReduceStep => step.kind === 'reduce');
    const splittable = reductions.filter((step) => splitChoices(step, mostParts).length > 0);
    let { fusion, splits } = schedule;
    let summary = 'fused as far as worthwhile';
    if (fusion === 'operator') fusion = 'fused';
    else if (splittable.length > 0) {
      const step = random.pick(splittable);
      const value = String(step.outs[0]!);
      const { [value]: now, ...others } = splits;
      const parts = random.pick([0, ...splitChoices(step, mostParts)].filter((count) => count !== (now ?? 0)));
      splits = parts === 0 ? others : { ...others, [value]: parts };
      summary = parts === 0 ? 'a reduction in one piece' : `a reduction in ${parts} parts`;
    } else return undefined;
    const { facts } = this.#facts(fusion, splits);
    const kernels = facts.map((own) => random.pick(this.#starts(own).slice(0, 4)));
    return this.#propose({ fusion, splits, kernels }, 'regroup', summary, parents);
  }

  /** Splits for reductions whose rows are too few to fill a GPU; undefined where there are none. */
  #worthwhileSplits(): Record<string, number> | undefined {
    const splits: Record<string, number> = {};
    for (const step of this.#program.steps) {
      if (step.kind !== 'reduce') continue;
      const rows = product(step.domain.filter((_, d) => !step.axes.includes(d)));
      const length = product(step.domain) / rows;
      const wanted = this.#wantedParts(step, rows, length);
      const choices = wanted > 1 ? splitChoices(step, step.about === undefined ? mostParts : mostMomentParts) : [];
      const best = choices.reduce(
        (closest, parts) => (Math.abs(parts - wanted) < Math.abs(closest - wanted) ? parts : closest),
        1,
      );
      if (best > 1) splits[String(step.outs[0]!)] = best;
    }
    return Object.keys(splits).length > 0 ? splits : undefined;
  }

  /** Parts into which a reduction of so many rows of such a length would best be cut; 1: none. */
  #wantedParts({ contraction, about }: ReduceStep, rows: number, length: number): number {
    const { sms } = this.#target;
    if (about !== undefined) {
      const few = rows < fewRows * sms && length >= 4 * smallestPart;
      const filling = few ? Math.min(length / smallestPart, (wantedRows * sms) / rows) : 1;
      return few || length > longestKept ? Math.ceil(Math.max(length / momentPart, filling)) : 1;
    }
    const blocks = contraction
      ? Math.ceil(contraction.m / 64) * Math.ceil(contraction.n / 64) * product(contraction.batch)
      : rows;
    if (blocks >= (contraction ? sms : fewRows * sms) || length < (contraction ? 256 : 8192)) return 1;
    return Math.ceil(((contraction ? 2 : wantedRows) * sms) / blocks);
  }

  #facts(fusion: Schedule['fusion'], splits: Schedule['splits']): OutlineFacts {
    const key = JSON.stringify([fusion, splits]);
    let known = this.#outlines.get(key);
    if (!known) {
      const made = outline(this.#program, { fusion, splits });
      const facts = made.groups.map(({ group, stored }) =>
        groupFacts(made.program, group, stored, this.#task.precision, this.#hardware),
      );
      known = { outline: made, facts };
      this.#outlines.set(key, known);
    }
    return known;
  }

  /** First choices of a group, best guess first. Estimates of tiles are made once for sizes. */
  #starts(facts: GroupFacts): readonly KernelChoice[] {
    if (!facts.tile) return startingChoices(facts);
    const key = JSON.stringify([facts.families, facts.tile, facts.mma]);
    let ranked = this.#ranked.get(key);
    if (!ranked) {
      ranked = rankedProducts(facts, this.#target, rankedStarts);
      this.#ranked.set(key, ranked);
    }
    return startingChoices(facts, ranked);
  }

  #propose(schedule: Schedule, strategy: string, summary: string, parents: readonly string[]): Proposal {
    const about = [`${this.#task.name}: ${summary}`];
    const own = this.#facts(schedule.fusion, schedule.splits).outline;
    const source = this.#write(schedule, own, about);
    return { source, strategy, summary, knobs: schedule as unknown as Json, parents };
  }

  #write(schedule: Schedule, own: Outline, about: readonly string[]): string {
    if (!this.#verified) return lowerOutline(this.#task, own, schedule.kernels, about);
    const { task, program } = this.#verified;
    const chosen = { task: this.#task, outline: own, choices: schedule.kernels };
    return lowerForBoth(chosen, { task, ...transfer(own, schedule, program, task.precision, this.#hardware) }, about);
  }
}

const isTeam = (choice: KernelChoice): boolean => choice.family === 'row' && choice.team > 1;

/** The schedule in a record's knobs, when there is one. */
function readSchedule(knobs: Json): Schedule | undefined {
  if (typeof knobs !== 'object' || knobs === null || Array.isArray(knobs)) return undefined;
  const { fusion, splits, kernels } = knobs as { readonly [key: string]: Json };
  if ((fusion !== 'operator' && fusion !== 'fused') || typeof splits !== 'object' || !Array.isArray(kernels))
    return undefined;
  return knobs as unknown as Schedule;
}

/** Whether every knob of a stored choice has a value that the knob can take. */
function isChoice(choice: KernelChoice): boolean {
  return (
    knobs[choice.family]?.every((knob) => knob.choices.some((value) => value === knobOf(choice, knob.name))) ?? false
  );
}

function knobOf(choice: KernelChoice, name: string): unknown {
  return (choice as unknown as Readonly<Record<string, unknown>>)[name];
}

function sameChoice(a: KernelChoice, b: KernelChoice): boolean {
  return a.family === b.family && knobs[a.family].every((knob) => knobOf(a, knob.name) === knobOf(b, knob.name));
}

/** `vector 1 -> 4, block 256 -> 128` */
function difference(before: KernelChoice, after: KernelChoice): string {
  return knobs[after.family]
    .filter((knob) => knobOf(before, knob.name) !== knobOf(after, knob.name))
    .map((knob) => `${knob.name} ${knobOf(before, knob.name)} -> ${knobOf(after, knob.name)}`)
    .join(', ');
}

/** The choices of a schedule in a few words. */
function describe(kernels: readonly KernelChoice[]): string {
  return kernels.map(describeChoice).join(' | ');
}

function describeChoice(choice: KernelChoice): string {
  switch (choice.family) {
    case 'map':
      return `${choice.block} threads x ${choice.vector * choice.items} elements`;
    case 'row': {
      const form = choice.softmax === 'online' ? ', online' : '';
      const where =
        choice.keep === 'reload' ? '' : `, row in ${choice.keep === 'shared' ? 'shared memory' : 'registers'}`;
      const room = choice.room === 0 ? '' : ` and ${choice.room} KiB`;
      const blocks =
        choice.team > 1
          ? ` x ${choice.team} waiting blocks${room}`
          : choice.cluster > 1
            ? ` x ${choice.cluster} blocks`
            : '';
      return `${choice.lanes} lanes${blocks} x ${choice.rows} rows, packs of ${choice.vector}${where}${form}`;
    }
    case 'tile':
      return `tiles ${choice.blockM}x${choice.blockN}x${choice.blockK}, ${choice.threadM}x${choice.threadN} a thread`;
    case 'sort':
      return `sort: ${choice.block} threads a line`;
    case 'recurrent':
      return `recurrent: ${choice.block} threads a sequence, ${choice.lanes} a unit`;
    case 'mma':
      return `tensor cores (${choice.arithmetic}), tiles ${choice.blockM}x${choice.blockN}x${choice.blockK}, ${choice.warpM}x${choice.warpN} a warp, ${choice.stages} stage${choice.stages === 1 ? '' : 's'}`;
    case 'pipeline': {
      const { arithmetic, unit, blockM, blockN, blockK, warpM, warpN, stages, group } = choice;
      const order = group === 1 ? '' : `, ${group} tiles down at a time`;
      return `tensor cores (${arithmetic}) fed by copies, tiles ${blockM}x${blockN}x${blockK}, ${warpM}x${warpN} a ${unit}, ${stages} stages${order}`;
    }
    case 'window':
      return `window: ${choice.block} threads x ${choice.strip} outputs one below another${choice.across === 'shared' ? ', columns in shared memory' : ''}`;
    case 'scan':
      return `scan: ${choice.lanes} lanes x ${choice.rows} lines, ${choice.items} elements a lane`;
  }
}
