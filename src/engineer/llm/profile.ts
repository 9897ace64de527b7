/** A correct kernel's time and profile, in words for a prompt: what limits it, what else is near, and how far the floor is. */
import type { SearchRecord } from '../ports.ts';
import { micro } from './brief.ts';

/** `floor`: microseconds. */
export function profileInWords({ evaluation }: Pick<SearchRecord, 'evaluation'>, floor: number): string {
  const time = evaluation?.microseconds;
  const { limitedBy, resources = [], profile = [], build = [] } = evaluation?.feedback ?? {};
  const lines: string[] = [];
  if (time !== undefined) {
    const share = Number(((100 * floor) / time).toPrecision(3));
    const far =
      time > floor * 1.02
        ? `; the floor is ${micro(floor)}, so at most ${(time / floor).toFixed(2)} times is to be gained`
        : '';
    lines.push(`Modelled time: ${micro(time)}, ${share} % of the speed of light${far}.`);
  }
  if (limitedBy) lines.push(`Limited by: ${limitedBy}.`);
  if (resources.length > 0)
    lines.push(
      `What each resource of the longest launch would take alone: ${resources
        .slice(0, 5)
        .map(({ name, microseconds }) => `${name} ${micro(microseconds)}`)
        .join('; ')}.`,
    );
  lines.push(...profile.map((line) => `- ${line}`), ...build.map((line) => `- ${line}`));
  return lines.join('\n');
}
