/**
 * Operands of timed calls, and whether what they gave is right: the judge's side of {@link OperandSource}. Base sets are drawn as the task's file draws
 * them. A call's own operands are a base set in which stretches of the independently drawn tensors are replaced by elements of another set, at secret places: as
 * likely as any other draw, and cheap, so that no call needs to be given what an earlier one had.
 */
import type { OperandSource, Renewal } from '../device/index.ts';
import { type Draw, decode, elementBytes, encode, Random, type Task } from '../task/index.ts';
import type { Oracle } from './oracle.ts';
import { compareOutput } from './tolerance.ts';

const STRETCHES = 4;
const MOST_ELEMENTS = 64;
/** Elements of these are drawn one by one: any may be replaced by any other. */
const INDEPENDENT: readonly Draw['kind'][] = ['normal', 'uniform', 'integer'];

/** Draws and checks for one task. */
export function timedOperands(task: Task, oracle: Oracle): OperandSource {
  const { tensors, outputs } = task.signature;
  const draws = [...task.graph.inputs, ...task.graph.parameters].map(({ draw }) => draw);
  const changeable = tensors.flatMap((_, i) => (INDEPENDENT.includes(draws[i]!.kind) ? [i] : []));
  const sets: (readonly Uint8Array[])[] = [];
  const drawn = (seed: string) => oracle.draw(oracle.families[0]!, seed).map(encode);
  return {
    base: (seed) => {
      const set = drawn(seed);
      sets.push(set);
      return set;
    },
    renew: (base, seed) => {
      // Where elements hang together (a triangle, sorted rows), only a whole new draw is as likely as the first.
      if (changeable.length === 0) return drawn(seed).map((bytes, argument) => ({ argument, byteOffset: 0, bytes }));
      const random = new Random(seed, 'renewals');
      const other = sets.find((set) => set !== base) ?? base;
      return changeable.flatMap((argument) =>
        stretches(argument, other[argument]!, elementBytes[tensors[argument]!.spec.dtype], random),
      );
    },
    check: async (inputs, results) => {
      const given = inputs.map((bytes, i) => decode(bytes, tensors[i]!.spec));
      const expected = oracle.expect(given).outputs;
      return (
        results.length === outputs.length &&
        results.every((bytes, i) => compareOutput(decode(bytes, outputs[i]!).values, expected[i]!).accepted)
      );
    },
  };
}

function stretches(argument: number, from: Uint8Array, size: number, random: Random): Renewal[] {
  const elements = from.length / size;
  if (elements === 0) return [];
  return Array.from({ length: STRETCHES }, () => {
    const length = 1 + (random.bits() % Math.min(MOST_ELEMENTS, elements));
    const [source, target] = [0, 0].map(() => random.bits() % (elements - length + 1)) as [number, number];
    const bytes = from.slice(source * size, (source + length) * size);
    return { argument, byteOffset: target * size, bytes };
  });
}
