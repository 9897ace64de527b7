/** The arguments of a plan's launches: which buffers they name, and their bytes once the addresses are known. */
import type { LaunchArgument, PlanStep } from '../../kernel/index.ts';

export type Launch = Extract<PlanStep, { kind: 'launch' }>;

/** Ids of the buffers whose addresses a launch is given. */
export function buffersOf(step: Launch): number[] {
  return step.arguments.flatMap((argument) =>
    (argument.kind === 'pointer' ? [argument] : (argument.pointers ?? [])).map(({ buffer }) => buffer),
  );
}

/** The bytes of an argument, the addresses of its buffers (by id) put in. */
export function encodeArgument(argument: LaunchArgument, addresses: readonly bigint[]): Uint8Array {
  const bytes = argument.kind === 'bytes' ? Uint8Array.from(Buffer.from(argument.hex, 'hex')) : new Uint8Array(8);
  const pointers = argument.kind === 'bytes' ? (argument.pointers ?? []) : [{ ...argument, at: 0 }];
  const view = new DataView(bytes.buffer);
  for (const { at, buffer, byteOffset } of pointers) {
    view.setBigUint64(at, addresses[buffer]! + BigInt(byteOffset), true);
  }
  return bytes;
}
