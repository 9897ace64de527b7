/**
 * Operands of timed calls. No call is given what an earlier one had: each starts from one of a few base sets, drawn in full after the candidate was frozen,
 * and has stretches of it drawn anew. A kernel that keeps answers cannot tell such operands from the base without reading all of them, and what it kept is wrong.
 * Who draws and who checks is the judge; a device moves the bytes.
 */
import { createHash } from 'node:crypto';

/** New contents for a part of one argument. */
export interface Renewal {
  readonly argument: number;
  readonly byteOffset: number;
  readonly bytes: Uint8Array;
}

/** Where operands come from, and who says that outputs are right. */
export interface OperandSource {
  /** Bytes of every argument, drawn in full. */
  base(seed: string): readonly Uint8Array[];
  /** Parts of a base set drawn anew, so that no two seeds give the same. Throws a sentence where nothing may change. */
  renew(base: readonly Uint8Array[], seed: string): readonly Renewal[];
  /** Compares the outputs of one call in full with what is right. */
  check(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): Promise<boolean>;
}

/** Operands of one call: a base set with renewals. */
export interface CallOperands {
  readonly base: number;
  readonly renewals: readonly Renewal[];
}

/** 64 hex digits that follow from a seed and a label. */
export function seedOf(seed: string, label: string): string {
  return createHash('sha256').update(seed).update('\0').update(label).digest('hex');
}

/** Operands of a window's calls, each from the next base set and with renewals of its own, which follow from `seed`. */
export function freshOperands(
  source: OperandSource,
  bases: readonly (readonly Uint8Array[])[],
  seed: string,
  calls: number,
): CallOperands[] {
  return Array.from({ length: calls }, (_, call) => {
    const base = call % bases.length;
    return { base, renewals: source.renew(bases[base]!, seedOf(seed, `call ${call}`)) };
  });
}

/** The bytes themselves. */
export function operandBytes(
  bases: readonly (readonly Uint8Array[])[],
  { base, renewals }: CallOperands,
): Uint8Array[] {
  const set = bases[base]!.map((bytes) => bytes.slice());
  for (const { argument, byteOffset, bytes } of renewals) set[argument]!.set(bytes, byteOffset);
  return set;
}
