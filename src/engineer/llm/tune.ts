/**
 * Constants that a kernel leaves open, and the engineer that sets them: `// TUNE name: 1,2,4` above `#define name 2` or `constexpr int name = 2;`.
 * It asks no model and costs nothing but judgements: models choose structures, numbers are tried.
 */
import type { Engineer, Proposal, SearchRecord, Strategy } from '../ports.ts';

export interface TuneKnob {
  name: string;
  values: readonly number[];
  /** The value in the file. */
  now: number;
}

/** Values of one constant that are tried. */
const mostValues = 16;

interface Place extends TuneKnob {
  /** Index of the line that defines it. */
  line: number;
}

/** The constants that a source leaves open; a line that does not read as said is no knob. */
export function tuneKnobs(source: string): TuneKnob[] {
  return places(source.split('\n')).map(({ name, values, now }) => ({ name, values, now }));
}

/** The source with one constant set. Throws RangeError for a constant that is not left open. */
export function setKnob(source: string, name: string, value: number): string {
  const lines = source.split('\n');
  const place = places(lines).find((one) => one.name === name);
  if (!place) throw new RangeError(`the source leaves no constant ${name} open`);
  lines[place.line] = lines[place.line]!.replace(definition(name), (_, before: string) => `${before}${value}`);
  return lines.join('\n');
}

function definition(name: string): RegExp {
  return new RegExp(
    `^(\\s*(?:#define\\s+${name}\\s+|(?:static\\s+)?constexpr\\s+(?:unsigned\\s+)?(?:int|unsigned|size_t)\\s+${name}\\s*=\\s*))(-?\\d+)`,
  );
}

function places(lines: readonly string[]): Place[] {
  const found: Place[] = [];
  for (const [index, text] of lines.entries()) {
    const [, name, list] = /^\s*\/\/\s*TUNE\s+([A-Za-z_]\w*)\s*:\s*([-\d,\s]+)$/.exec(text) ?? [];
    if (!name || !list) continue;
    const values = [...new Set(list.split(',').map((value) => Number(value.trim())))].filter(Number.isSafeInteger);
    const [, , now] = definition(name).exec(lines[index + 1] ?? '') ?? [];
    if (now === undefined || values.length < 2 || found.some((one) => one.name === name)) continue;
    found.push({ name, values: values.slice(0, mostValues), now: Number(now), line: index + 1 });
  }
  return found;
}

/** Sets open constants of kernels that others wrote. */
export function createTuner(): Engineer {
  return new Tuner();
}

class Tuner implements Engineer {
  readonly name = 'tuner';
  readonly strategies: readonly Strategy[] = [{ name: 'set a constant', parents: 1 }];
  readonly attempts = 4;

  async start(): Promise<readonly Proposal[]> {
    return [];
  }

  canVary({ source }: SearchRecord): boolean {
    return tuneKnobs(source).length > 0;
  }

  /** The parent with one constant at a value that no record has with the parent's others; the nearest values in the list first. */
  async vary(
    strategy: string,
    parents: readonly SearchRecord[],
    random: { pick<T>(items: readonly T[]): T },
    _signal?: AbortSignal,
    history: readonly SearchRecord[] = [],
  ): Promise<Proposal | undefined> {
    const [parent] = parents;
    const knobs = parent ? tuneKnobs(parent.source) : [];
    if (!parent || knobs.length === 0) return undefined;
    const known = new Set(history.map(({ source }) => source));
    const steps = knobs.flatMap(({ name, values, now }) => {
      const at = values.indexOf(now);
      return values
        .map((value, index) => ({ name, now, value, distance: at < 0 ? 1 : Math.abs(index - at) }))
        .filter(({ value, distance }) => value !== now && distance > 0)
        .map((step) => ({ ...step, source: setKnob(parent.source, step.name, step.value) }))
        .filter(({ source }) => !known.has(source));
    });
    if (steps.length === 0) return undefined;
    const nearest = Math.min(...steps.map(({ distance }) => distance));
    const { name, now, value, source } = random.pick(steps.filter(({ distance }) => distance === nearest));
    return {
      ...{ source, strategy, parents: [parent.id] },
      summary: `${name} ${now} -> ${value} (${parent.summary})`.slice(0, 200),
      knobs: { ...Object.fromEntries(knobs.map((knob) => [knob.name, knob.now])), [name]: value },
    };
  }
}
