/** The table of the tasks' benchmark. */
import type { Row } from './row.ts';

type Named = Row & { level: number; name: string };

const out = (line: string) => process.stdout.write(`${line}\n`);

/** How far the reference may be from real PyTorch, which computes in the task's own types: relative to the largest value. */
const AGREES = 1e-4;

/** One line a task, and one a reason. */
export function printRow(level: number, name: string, row: Row): void {
  const id = `${level}/${name}`.slice(0, 44).padEnd(44);
  if (row.error !== undefined) {
    out(`${id}  ${row.traceMs === undefined ? 'NOT TRACED' : 'FAILED'}: ${row.error}`);
    return;
  }
  const torch =
    typeof row.torch === 'number'
      ? row.torch.toExponential(1)
      : row.torch === undefined
        ? '-'
        : row.torch.split(':')[0]!;
  const mutants = row.mutants === undefined ? '-' : `${row.killed}/${row.mutants} +${row.equivalent}`;
  const flat = row.flat === undefined ? '-' : `${row.flat.at2},${row.flat.at4}/${row.flat.tried}`;
  out(
    `${id}  traced ${String(Math.round(row.traceMs!)).padStart(5)} ms  torch ${torch.padEnd(8)} ${row.fitness!.padEnd(11)} mutants ${mutants.padEnd(10)} flat ${flat.padEnd(9)} ${row.seconds.toFixed(1)} s`,
  );
  if (typeof row.torch === 'string' && !/^(not compared|random)/.test(row.torch)) out(`    PyTorch: ${row.torch}`);
  for (const { description, excess } of row.alive ?? [])
    out(`    alive: ${description} (${excess.toPrecision(3)} of what is allowed)`);
  for (const { reason } of row.flaws ?? []) out(`    ${reason.length > 230 ? `${reason.slice(0, 227)}...` : reason}`);
}

/** Sums over the rows there are. */
export function printTotals(rows: readonly Named[], wanted: number): void {
  const count = (test: (row: Named) => boolean) => rows.filter(test).length;
  const sum = (value: (row: Named) => number | undefined) => rows.reduce((n, row) => n + (value(row) ?? 0), 0);
  const [killed, mutants] = [sum((r) => r.killed), sum((r) => r.mutants)];
  const compared = rows.filter((row) => typeof row.torch === 'number');
  const seconds = rows.map((row) => row.seconds).sort((a, b) => a - b);
  out('');
  out(`tasks         ${rows.length} of ${wanted}`);
  out(`traced        ${count((row) => row.traceMs !== undefined)} of ${rows.length}`);
  out(
    `PyTorch       ${compared.filter((row) => (row.torch as number) <= AGREES).length} of ${compared.length} agree to ${AGREES} of the largest value` +
      ` (worst ${compared.reduce((most, row) => Math.max(most, row.torch as number), 0).toExponential(1)}); ${count((row) => String(row.torch).startsWith('random'))} random, by shapes; ${count((row) => row.torch === undefined || /^(not compared|PyTorch)/.test(String(row.torch)))} not compared`,
  );
  for (const fitness of ['sound', 'hidden', 'degenerate', 'unjudgeable'] as const)
    out(`${fitness.padEnd(13)} ${count((row) => row.fitness === fitness)}`);
  out(
    `mutants       ${killed} of ${mutants} caught (${((100 * killed) / Math.max(1, mutants)).toFixed(2)} %); ${sum((r) => r.equivalent)} others are the task itself (${sum((r) => r.equivalentByProof)} by proof, the rest by float64 evidence)`,
  );
  out(
    `flat check    lets pass ${sum((r) => r.flat?.at2)} of ${sum((r) => r.flat?.tried)} at 1e-2, ${sum((r) => r.flat?.at4)} at 1e-4; some in ${count((r) => (r.flat?.at2 ?? 0) > 0)} and ${count((r) => (r.flat?.at4 ?? 0) > 0)} tasks`,
  );
  out(
    `time          ${sum((r) => r.seconds).toFixed(0)} s of wall clock in all; median ${(seconds[seconds.length >> 1] ?? 0).toFixed(1)} s, longest ${(seconds.at(-1) ?? 0).toFixed(1)} s; ${sum((r) => r.cpuSeconds).toFixed(0)} s of processor besides the sandbox's`,
  );
}
