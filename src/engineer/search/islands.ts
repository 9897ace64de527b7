/**
 * Islands: populations that breed apart, so that what is first in one does not take over all, and give each other their best from time to time
 * (elitist migration on a ring). Who lives where is in the records; who has come over follows from them: nothing here is stored.
 */
import type { SearchRecord } from '../ports.ts';
import { breeders, type Individual, ranked } from './population.ts';

export interface Archipelago {
  islands: number;
  /** Generations between migrations. */
  interval: number;
}

/** A candidate that another island has given. */
export interface Migrant extends Individual {
  from: number;
}

/** The island of a candidate; records without one live on the first. */
export function islandOf({ island = 0 }: Pick<SearchRecord, 'island'>): number {
  return island;
}

/** Which island the candidate at this place of a generation belongs to: all get equally many, whoever comes first. */
export function islandAt(place: number, generation: number, { islands }: Archipelago): number {
  return (place + generation) % islands;
}

/**
 * Who comes over to an island at the start of a generation: the neighbour's fastest correct candidate, every `interval` generations.
 * Undefined between migrations, and where the neighbour has none.
 */
export function migrantAt(
  generation: number,
  to: number,
  records: readonly SearchRecord[],
  { islands, interval }: Archipelago,
): Migrant | undefined {
  if (islands === 1 || generation === 0 || generation % interval !== 0) return undefined;
  const from = (to + islands - 1) % islands;
  const [best] = ranked(records.filter((record) => record.generation < generation && islandOf(record) === from));
  return best && { ...best, from };
}

/**
 * Who may become a parent on an island in a generation: its own of earlier generations, and all who have come over; the fastest first. An island that
 * nobody lives on is settled from all others.
 */
export function population(
  island: number,
  generation: number,
  records: readonly SearchRecord[],
  archipelago: Archipelago,
): Individual[] {
  const past = records.filter((record) => record.generation < generation);
  const own = breeders(past.filter((record) => islandOf(record) === island));
  const known = new Set(own.map(({ record }) => record.id));
  for (let at = archipelago.interval; at <= generation; at += archipelago.interval) {
    const migrant = migrantAt(at, island, past, archipelago);
    if (!migrant || known.has(migrant.record.id)) continue;
    known.add(migrant.record.id);
    own.push({ record: migrant.record, microseconds: migrant.microseconds });
  }
  // Where first candidates are fewer than islands, some begin empty.
  if (own.length === 0) return breeders(past);
  return own.sort((a, b) => a.microseconds - b.microseconds);
}
