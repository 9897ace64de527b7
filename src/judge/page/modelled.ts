/** The time from a model of the GPU. */
import { gpuTargets } from '../../vgpu/index.ts';
import type { Evidence } from '../evidence-schema.ts';
import { escapeHtml as e, rough, section, table } from './html.ts';
import { roofline, timeBar } from './plots/modelled.ts';

export function modelledTime(evidence: Evidence): string {
  const { modelled, plan, build } = evidence;
  if (!modelled) return '';
  const target = gpuTargets.find(({ id }) => id === modelled.gpu);
  const roof = target && {
    name: target.name,
    bytesPerSecond: target.memoryBandwidth,
    operationsPerSecond: target.flops.fp32,
  };
  const launches = plan?.launches.map((launch) => {
    const resources = build?.resources.find(({ entry }) => entry.includes(launch.kernel.replace(/<.*/, '')));
    return [
      `<code>${e(launch.kernel)}</code>`,
      launch.grid.join(' x '),
      launch.block.join(' x '),
      resources ? String(resources.registers) : '',
      `${((resources?.staticSharedBytes ?? 0) + launch.dynamicSharedBytes).toLocaleString('en-US')} B`,
      resources ? `${resources.spillStoreBytes + resources.spillLoadBytes} B` : '',
    ];
  });
  const picture = roof ? roofline(evidence, roof) : '';
  return section(
    'Time, modelled',
    `<p>From a performance model of ${e(target?.name ?? modelled.gpu)}, not from a clock. Limited by ${e(modelled.limitedBy)}; occupancy ${(100 * modelled.occupancy).toFixed(0)} %.</p>
<figure>${timeBar(evidence)}</figure>${picture ? `<figure>${picture}</figure>` : ''}
${table(['Launch', 'Grid', 'Block', 'Registers', 'Shared memory', 'Spills'], launches ?? [])}
${resourcesTable(modelled.resources ?? [])}
${(evidence.profile?.launches ?? []).map(({ kernel, words }) => `<p><code>${e(kernel)}</code>: ${e(words.join(' '))}</p>`).join('\n')}`,
  );
}

/** What would limit the longest launch next. */
function resourcesTable(resources: readonly { name: string; microseconds: number }[]): string {
  if (resources.length === 0) return '';
  const rows = resources.slice(0, 5).map(({ name, microseconds }) => [e(name), `${rough(microseconds)} µs`]);
  return table(['Each resource of the longest launch by itself', ''], rows);
}
