/**
 * Commit, then reveal. A candidate's source is frozen (hashed) first; only then is a secret drawn from the system's
 * CSPRNG, and everything random in the judgement is derived from it. A candidate therefore cannot have been written,
 * or chosen, with knowledge of the inputs it is judged on; and whoever holds the evidence can derive them all again.
 *
 * Several candidates may be frozen together and share one secret: none of them can be changed after it is drawn, and
 * the references are then computed once for all of them.
 */
import { createHash, randomBytes } from 'node:crypto';

/** Frozen sources and the secret drawn after them. */
export interface Commitment {
  /** SHA-256 of each frozen source, hex, in the order given. */
  readonly sourceHashes: readonly string[];
  /** 32 bytes, hex. */
  readonly secret: string;
  /** `given`: a secret taken from earlier evidence to reproduce it; then nothing was secret. */
  readonly origin: 'drawn after freezing' | 'given to reproduce';
}

/** SHA-256 of a text, hex. */
export function sourceHash(source: string): string {
  return createHash('sha256').update(source, 'utf8').digest('hex');
}

/**
 * Freezes sources and draws the secret.
 * @param reproduce the secret of earlier evidence (64 hex digits); only for reproducing it.
 */
export function commit(sourceHashes: readonly string[], reproduce?: string): Commitment {
  if (sourceHashes.length === 0 || sourceHashes.some((hash) => !/^[0-9a-f]{64}$/.test(hash))) {
    throw new Error('A commitment freezes at least one source, each by its SHA-256 in hex.');
  }
  if (reproduce !== undefined && !/^[0-9a-f]{64}$/.test(reproduce)) {
    throw new Error('A seed to reproduce is the 64 hex digits found as `seeds.secret` in the evidence.');
  }
  const frozen = Object.freeze([...sourceHashes]);
  return Object.freeze({
    sourceHashes: frozen,
    secret: reproduce ?? randomBytes(32).toString('hex'),
    origin: reproduce === undefined ? ('drawn after freezing' as const) : ('given to reproduce' as const),
  });
}

/** A seed for one use, named by `label`: 64 hex digits, independent between labels. */
export function deriveSeed(commitment: Pick<Commitment, 'secret'>, label: string): string {
  return createHash('sha256').update(commitment.secret).update('\0').update(label).digest('hex');
}

/** The same, as 32 bits that are not all zero: for the pattern of poisoned memory. */
export function derivePoison(commitment: Commitment, label: string): number {
  return Number.parseInt(deriveSeed(commitment, label).slice(0, 8), 16) || 1;
}
