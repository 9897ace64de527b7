/**
 * The same program for a few rows: the task with only its first axis shortened, everything else at the file's own sizes. Where rows do not
 * depend on each other, it gives the reference of any rows of the full-size task. That they do not is for the caller to try: what is made sure
 * here is that nothing else of the program changed with the number of rows.
 */
import { TaskError } from './trace/task-error.ts';
import type { FileTracer, Traced } from './trace/trace.ts';
import type { Attribute, Graph, TensorSpec } from './types.ts';

/** Rows of the shortened task: odd, and few. */
export const ROWS = 3;
/** Fewer rows than this are not worth shortening. */
const LEAST_ROWS = 8;
const MOST_TRACES = 4;

/**
 * Traces the file at {@link ROWS} rows; a sentence where no constant of the file is the number of rows, and of nothing else. `made` is the graph
 * that is made of a traced one: itself, or its backward.
 */
export async function traceRows(
  tracer: FileTracer,
  whole: Traced,
  made: (graph: Graph) => Graph,
): Promise<{ traced: Traced } | string> {
  const { graph, constants } = whole;
  const firsts = new Set(graph.inputs.map(({ spec }) => spec.shape[0] ?? 0));
  const names = constants.filter(({ value }) => value >= LEAST_ROWS && firsts.has(value));
  const attempts = names.map(({ name }) => [name]);
  for (const { value } of names) {
    const twins = names.filter((other) => other.value === value).map(({ name }) => name);
    if (twins.length > 1 && !attempts.some((attempt) => attempt.length > 1)) attempts.push(twins);
  }
  for (const attempt of attempts.slice(0, MOST_TRACES)) {
    try {
      const traced = await tracer.trace(Object.fromEntries(attempt.map((name) => [name, ROWS])));
      const rows = constants.find(({ name }) => name === attempt[0])!.value;
      if (sameButRows(made(graph), made(traced.graph), rows)) return { traced };
    } catch (error) {
      if (!(error instanceof TaskError) || (error.kind !== 'invalid' && error.kind !== 'unsupported')) throw error;
    }
  }
  return 'no constant of the file sets the number of rows and nothing else';
}

/** Whether a shape is the other with `rows` entries along the first axis become {@link ROWS}; or the same. */
function shortened(before: TensorSpec, now: TensorSpec, rows: number): 'same' | 'rows' | undefined {
  if (before.dtype !== now.dtype || before.shape.length !== now.shape.length) return undefined;
  const differing = before.shape.flatMap((size, d) => (size === now.shape[d] ? [] : [d]));
  if (differing.length === 0) return 'same';
  return differing.length === 1 && differing[0] === 0 && before.shape[0] === rows && now.shape[0] === ROWS
    ? 'rows'
    : undefined;
}

/** Sizes in a list may shrink with the rows; any other attribute that changes makes another program. */
function sameAttribute(before: Attribute, now: Attribute, rows: number): boolean {
  if (JSON.stringify(before) === JSON.stringify(now)) return true;
  if (!Array.isArray(before) || !Array.isArray(now) || before.length !== now.length) return false;
  return before.every((one: Attribute, i: number) => {
    const other = (now as readonly Attribute[])[i];
    return one === other || (typeof one === 'number' && typeof other === 'number' && one * ROWS === other * rows);
  });
}

function sameButRows(whole: Graph, small: Graph, rows: number): boolean {
  const fixed = (graph: Graph) => JSON.stringify([graph.parameters, graph.constants]);
  return (
    fixed(whole) === fixed(small) &&
    whole.inputs.length === small.inputs.length &&
    whole.inputs.every(({ spec }, i) => shortened(spec, small.inputs[i]!.spec, rows) !== undefined) &&
    whole.inputs.some(({ spec }, i) => shortened(spec, small.inputs[i]!.spec, rows) === 'rows') &&
    whole.nodes.length === small.nodes.length &&
    whole.nodes.every(({ op, inputs, attributes }, n) => {
      const other = small.nodes[n]!;
      const names = Object.keys(attributes);
      return (
        op === other.op &&
        JSON.stringify(inputs) === JSON.stringify(other.inputs) &&
        names.length === Object.keys(other.attributes).length &&
        names.every((name) => sameAttribute(attributes[name]!, other.attributes[name] ?? null, rows))
      );
    })
  );
}
