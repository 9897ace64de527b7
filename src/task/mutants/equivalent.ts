/**
 * Proof that a mutant is no mutant: that it computes what the task computes, for all inputs of the task's domain. Both graphs are simplified by the
 * algebra that the floor rests on (values' intervals, neutral elements, dimensions of size one, work done twice) and compared as terms.
 */

import type { Range } from '../floor/ranges.ts';
import { type Omission, simplified } from '../floor/simplify.ts';
import { attributeNumber } from '../operators/operator.ts';
import type { Draw, Graph, GraphNode } from '../types.ts';

const commutative = new Set([
  'add',
  'mul',
  'maximum',
  'minimum',
  'eq',
  'ne',
  'logical_and',
  'logical_or',
  'logical_xor',
]);

/** Names every value of a graph by the term that makes it: equal names, equal values. */
function terms(graph: Graph, names: Map<string, string>): string[] {
  const known = new Map<number, string>();
  // Terms grow exponentially when written out; each gets a short name at its first appearance.
  const named = (term: string) => {
    const name = names.get(term) ?? `t${names.size}`;
    names.set(term, name);
    return name;
  };
  for (const { id, name } of graph.inputs) known.set(id, named(`input ${name}`));
  for (const { id, name } of graph.parameters) known.set(id, named(`parameter ${name}`));
  for (const { id, spec, draw } of graph.constants) known.set(id, named(`constant ${JSON.stringify([spec, draw])}`));
  for (const node of graph.nodes) {
    const operands = node.inputs.map((id) => known.get(id)!);
    if (commutative.has(node.op)) operands.sort();
    const attributes = Object.entries(node.attributes).sort(([x], [y]) => (x < y ? -1 : 1));
    const specs = node.outputs.map((output) => output.spec);
    node.outputs.forEach((output, o) => {
      known.set(output.id, named(JSON.stringify([node.op, operands, attributes, specs, o])));
    });
  }
  return graph.outputs.map((id) => known.get(id)!);
}

/** A graph made ready for asking which of its mutants equal it. */
export class Equivalence {
  readonly #domain: ReadonlyMap<number, Range>;
  readonly #names = new Map<string, string>();
  readonly #outputs: string;
  /** What algebra leaves out of the graph itself: operators that are dead whatever the inputs are. */
  readonly omitted: readonly Omission[];
  /** No input reaches an output of the simplified graph: the answer to any inputs is the answer to all. */
  readonly blind: boolean;

  /** `domain`: what is known of the arguments' values, by id. */
  constructor(graph: Graph, domain: ReadonlyMap<number, Range> = new Map()) {
    this.#domain = domain;
    const omitted: Omission[] = [];
    const simple = simplified(graph, domain, omitted);
    this.#outputs = this.#terms(simple);
    this.omitted = distinct(omitted);
    const unused = new Set(unusedArguments(simple).map(({ name }) => name));
    this.blind = graph.inputs.length > 0 && graph.inputs.every(({ name }) => unused.has(name));
  }

  #terms(graph: Graph): string {
    return terms(graph, this.#names).join(' ');
  }

  /** Why the answer to other inputs is the answer to these; undefined where it need not be. */
  proofOfBlindness(): string | undefined {
    return this.blind ? this.omitted.map(sentenceOf).join('; ') : undefined;
  }

  /** Why a variant of the graph equals it; undefined where there is no proof. */
  proof(variant: Graph): string | undefined {
    const omitted: Omission[] = [];
    if (this.#terms(simplified(variant, this.#domain, omitted)) !== this.#outputs) return undefined;
    const facts = distinct([...this.omitted, ...omitted]).map(sentenceOf);
    return facts.length === 0 ? 'both compute the same terms' : facts.join('; ');
  }
}

/** `` `relu` on line 9 passes its operand on, because the values there lie in [0, inf) ``. */
export function sentenceOf({ op, line, why }: Omission): string {
  return `\`${op}\` on line ${line} ${why}`;
}

function distinct(list: readonly Omission[]): Omission[] {
  return [...new Map(list.map((one) => [sentenceOf(one), one])).values()];
}

/** What the file's draws say of the values that are legal for the inputs: not negative where they are drawn from non-negative ones and must stay so. */
export function domainOf(graph: Graph, mustStayNonNegative: boolean): Map<number, Range> {
  const domain = new Map<number, Range>();
  for (const { id, draw } of graph.inputs) {
    const range = rangeOfDraw(draw);
    // Floating inputs are judged on other values than the file draws, unless they are structure: see src/task/inputs.
    const kept =
      draw.kind === 'integer' || draw.kind === 'range' || draw.kind === 'values' || draw.kind === 'permutation';
    if (range && (kept || draw.kind === 'uniform') && (kept || (mustStayNonNegative && range.low >= 0)))
      domain.set(id, kept ? range : { low: 0, high: Infinity });
  }
  return domain;
}

function rangeOfDraw(draw: Draw): Range | undefined {
  switch (draw.kind) {
    case 'uniform':
      return { low: draw.low, high: draw.high };
    case 'integer':
      return { low: draw.low, high: draw.high - 1 };
    case 'values': {
      const values = draw.values.map((value) => attributeNumber(value) ?? Number.NaN);
      return values.some(Number.isNaN)
        ? undefined
        : { low: values.reduce((x, y) => Math.min(x, y)), high: values.reduce((x, y) => Math.max(x, y)) };
    }
    default:
      return undefined;
  }
}

/** Arguments that reach no output: whatever is in them, the answer is the same. */
export function unusedArguments(graph: Graph): { name: string; role: 'input' | 'parameter' | 'buffer' }[] {
  const live = new Set<number>(graph.outputs);
  for (const node of [...graph.nodes].reverse()) if (reaches(node, live)) for (const id of node.inputs) live.add(id);
  return [
    ...graph.inputs.map(({ id, name }) => ({ id, name, role: 'input' as const })),
    ...graph.parameters.map(({ id, name, kind }) => ({ id, name, role: kind })),
  ]
    .filter(({ id }) => !live.has(id))
    .map(({ name, role }) => ({ name, role }));
}

const reaches = (node: GraphNode, live: ReadonlySet<number>) => node.outputs.some((output) => live.has(output.id));
