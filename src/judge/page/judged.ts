/** What was asked of the candidate and of the task, and what was found. */
import type { Evidence } from '../evidence-schema.ts';
import { escapeHtml as e, exact, milliseconds, prose, rough, section, table } from './html.ts';
import { errorHistogram } from './plots/errors.ts';

export function accuracy(evidence: Evidence): string {
  const { outputs, arithmetics } = evidence.tolerance;
  if (outputs.length === 0) return '';
  const rows = outputs.map(({ call, family, output, elements, wrong, worst, rms, rmsLimit }) => [
    String(call),
    e(family),
    String(output),
    elements.toLocaleString('en-US'),
    wrong === 0 ? '0' : `<b class="bad-text">${wrong.toLocaleString('en-US')}</b>`,
    worst
      ? `<code>[${worst.coordinates.join(', ')}]</code> is ${exact(worst.got)}, right is ${exact(worst.expected)} ± ${rough(worst.bound)}`
      : '',
    `${rough(rms)} of ${rough(rmsLimit)}`,
  ]);
  const basis =
    arithmetics.length === 0
      ? ''
      : `<details><summary>The bounds rest on ${arithmetics.length === 1 ? 'this honest run' : `these ${arithmetics.length} honest runs`}</summary><ul>${arithmetics.map((one) => `<li>${e(one)}</li>`).join('')}</ul></details>`;
  return section(
    'How far from right',
    `<p>Every element is compared with a float64 reference. Its bound is derived from the errors that honest kernels of this precision make on these very inputs.</p>
<figure>${errorHistogram(evidence)}<figcaption>All elements of all calls compared.</figcaption></figure>
${table(['Call', 'Inputs', 'Output', 'Elements', 'Wrong', 'Worst element', 'In norm'], rows)}${basis}`,
  );
}

/** Which device each check was asked on, where there were two. */
export function checksTable({ checks, hardware }: Evidence): string {
  const on = (device: string | undefined) =>
    hardware === undefined ? '' : device === 'cuda' ? ', on the GPU' : ', on the virtual GPU';
  const rows = checks.map(({ check, stage, device, status, question, said, catches, milliseconds: ms }) => [
    `<span class="${status}">${e(status)}</span>`,
    `<b>${e(check)}</b><br><span class="dim">${e(stage + on(device))}</span>`,
    `${e(question)}${said && status !== 'rejected' ? `<br><span class="dim">${prose(said)}</span>` : ''}`,
    `<span class="dim">${e(catches.join(', '))}</span>`,
    milliseconds(ms),
  ]);
  return section('Checks, in the order asked', table(['', 'Check', 'Question', 'Exists to catch', 'ms'], rows));
}

/** What was seen at the file's own shapes, of a task that was judged at smaller ones. */
export function fullSize({ fullSize: seen, fullSizeTime: time }: Evidence): string {
  if (!seen) return '';
  const shapes = seen.tensors.map(({ name, spec }) => `${name} [${spec.shape.join(', ')}]`).join(', ');
  const dims = (sizes: readonly number[]) => sizes.join(' x ');
  const launches = seen.launches.map((one) => [
    `<code>${e(one.kernel)}</code> (line ${one.line})`,
    `${dims(one.grid)} blocks of ${dims(one.block)}`,
    `${one.ranBlocks.toLocaleString('en-US')} of ${one.totalBlocks.toLocaleString('en-US')}`,
    e(one.notChecked ?? (one.madeUp ? 'addresses only: made-up contents' : '')),
  ]);
  const outputs = seen.outputs.map(({ name, compared, rows, worst, everyElementWritten, notCompared }) => [
    e(name),
    compared === 0 ? '' : `${compared.toLocaleString('en-US')} in ${rows.length} rows`,
    worst === undefined ? '' : String(rough(worst)),
    everyElementWritten ? 'every element' : 'not known',
    e(notCompared ?? ''),
  ]);
  const said = seen.notChecked === undefined ? '' : `<p>Not checked: ${prose(seen.notChecked)}.</p>`;
  const body =
    table(['Launch', 'Shape', 'Blocks run', 'Not checked'], launches) +
    table(['Output', 'Elements compared', 'Worst error over bound', 'Written', 'Not compared'], outputs);
  return section("At the file's own shapes", `<p>${e(shapes)}</p>${timeThere(time)}${said}${body}`);
}

/** The modelled time at the file's own shapes, in a sentence. */
function timeThere(time: Evidence['fullSizeTime']): string {
  if (!time) return '';
  const { modelled, floor, notModelled } = time;
  if (!modelled) return `<p>No time is modelled there: ${prose(notModelled ?? '')}.</p>`;
  const { microseconds, low, high, limitedBy } = modelled;
  const share = ((100 * floor.microseconds) / microseconds).toFixed(0);
  return `<p>Modelled time, from a few blocks of each launch: ${rough(microseconds)} µs (${rough(low)} to ${rough(high)}), limited by ${e(limitedBy)}; the floor is ${rough(floor.microseconds)} µs, so ${share} % of the speed of light.</p>`;
}

export function admission({ admission: admitted }: Evidence): string {
  if (!admitted) return '';
  const rows = admitted.mutants.map((mutant) => [
    mutant.killedBy === undefined ? '<span class="rejected">alive</span>' : '<span class="passed">caught</span>',
    e(mutant.description),
    mutant.killedBy === undefined
      ? 'nothing tells it from the task'
      : `on inputs drawn as <code>${e(mutant.killedBy)}</code>`,
  ]);
  return section(
    'Is the task fit to judge by?',
    `<p>Wrong variants of the task were put to the same comparison: ${(100 * admitted.score).toFixed(0)} % were caught (${(100 * admitted.ownScore).toFixed(0)} % on inputs as the task file itself draws them).</p>
<details><summary>${admitted.mutants.length} variants</summary>${table(['', 'Variant', ''], rows)}</details>`,
  );
}
