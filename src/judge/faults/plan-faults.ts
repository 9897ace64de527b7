/** Faults in a plan: what a wrong host function does. */
import type { Plan, PlanStep, PreparedCandidate } from '../../kernel/index.ts';
import type { Fault } from './fault.ts';

type Launch = Extract<PlanStep, { kind: 'launch' }>;

/** A kind of mistake in a launch: the launch as it becomes, or undefined where it does not apply. */
const LAUNCH_MISTAKES: readonly { kind: string; change(launch: Launch): Launch | undefined }[] = [
  { kind: 'grid one block short', change: shorter('grid', (n) => n - 1) },
  { kind: 'grid halved', change: shorter('grid', (n) => n >> 1) },
  { kind: 'block halved', change: shorter('block', (n) => n >> 1) },
  { kind: 'block one warp short', change: shorter('block', (n) => n - 32) },
  {
    kind: 'shared memory one element short',
    change: (launch) =>
      launch.dynamicSharedBytes >= 4 ? { ...launch, dynamicSharedBytes: launch.dynamicSharedBytes - 4 } : undefined,
  },
  {
    kind: 'an integer argument too large by one',
    change: (launch) => {
      const at = launch.arguments.findLastIndex((one) => sizeIn(one) !== undefined);
      const size = at < 0 ? undefined : sizeIn(launch.arguments[at]!);
      if (size === undefined) return undefined;
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(size + 1);
      return { ...launch, arguments: launch.arguments.with(at, { kind: 'bytes', hex: bytes.toString('hex') }) };
    },
  },
  {
    kind: 'two pointers exchanged',
    change: (launch) => {
      const [a, b] = launch.arguments.flatMap((one, i) => (one.kind === 'pointer' ? [i] : []));
      if (a === undefined || b === undefined) return undefined;
      return { ...launch, arguments: launch.arguments.with(a, launch.arguments[b]!).with(b, launch.arguments[a]!) };
    },
  },
];

/** The number that a 4-byte argument holds, if it may be a size. */
function sizeIn(argument: Launch['arguments'][number]): number | undefined {
  if (argument.kind !== 'bytes' || argument.hex.length !== 8) return undefined;
  const value = Buffer.from(argument.hex, 'hex').readInt32LE();
  return value > 0 && value < 1 << 24 ? value : undefined;
}

/** The first extent over one made shorter; undefined where none stays positive. */
function shorter(what: 'grid' | 'block', by: (n: number) => number): (launch: Launch) => Launch | undefined {
  return (launch) => {
    const at = launch[what].findIndex((n) => n > 1 && by(n) > 0);
    if (at < 0) return undefined;
    const [x, y, z] = launch[what].with(at, by(launch[what][at]!)) as [number, number, number];
    return { ...launch, [what]: [x, y, z] };
  };
}

/** Every fault of the tables in the candidate's plan. */
export function planFaults(candidate: PreparedCandidate): Fault[] {
  const { plan } = candidate;
  const withSteps = (steps: Plan['steps']): PreparedCandidate => ({ ...candidate, plan: { ...plan, steps } });
  return plan.steps.flatMap((step, i): Fault[] => {
    const without: Fault = {
      kind: `${step.kind} left out`,
      what: `the ${step.kind} of line ${step.line} is not made`,
      candidate: withSteps(plan.steps.toSpliced(i, 1)),
    };
    if (step.kind !== 'launch') return [without];
    const changed = LAUNCH_MISTAKES.flatMap(({ kind, change }): Fault[] => {
      const launch = change(step);
      return launch === undefined
        ? []
        : [
            {
              kind,
              what: `${kind}: the launch of line ${step.line}`,
              candidate: withSteps(plan.steps.with(i, launch)),
            },
          ];
    });
    return [without, ...changed];
  });
}
