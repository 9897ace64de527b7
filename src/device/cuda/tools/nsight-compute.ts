/**
 * Nsight Compute's counters of each launch of one call, in words. The metrics are a chosen few: a small set serves an engineer better than all of them (CudaForge's and
 * KernelAgent's lists, of which the stalls, the occupancy and the memory's are kept). Reading them needs a permission that clouds often withhold; then it says so.
 */
import type { RunRequest } from '../../types.ts';
import type { CudaProcessOptions } from '../cuda-process.ts';
import { findTool, runUnderTool } from './run-tool.ts';

/** Each metric with the name it has here. */
export const METRICS = {
  nanoseconds: 'gpu__time_duration.sum',
  compute: 'sm__throughput.avg.pct_of_peak_sustained_elapsed',
  memory: 'gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed',
  dram: 'dram__throughput.avg.pct_of_peak_sustained_elapsed',
  dramRead: 'dram__bytes_read.sum',
  dramWritten: 'dram__bytes_write.sum',
  l1Hits: 'l1tex__t_sector_hit_rate.pct',
  l2Hits: 'lts__t_sector_hit_rate.pct',
  l2: 'lts__throughput.avg.pct_of_peak_sustained_elapsed',
  loadEfficiency: 'smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct',
  warps: 'sm__warps_active.avg.pct_of_peak_sustained_active',
  registers: 'launch__registers_per_thread',
  limitBlocks: 'launch__occupancy_limit_blocks',
  limitRegisters: 'launch__occupancy_limit_registers',
  limitShared: 'launch__occupancy_limit_shared_mem',
  fp32: 'sm__inst_executed_pipe_fp32.avg.pct_of_peak_sustained_active',
  tensor: 'sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active',
  instructions: 'sm__inst_executed.sum',
  uniform: 'smsp__sass_average_branch_targets_threads_uniform.pct',
  stallLong: 'smsp__warp_issue_stalled_long_scoreboard_per_warp_active.pct',
  stallShort: 'smsp__warp_issue_stalled_short_scoreboard_per_warp_active.pct',
  stallBarrier: 'smsp__warp_issue_stalled_barrier_per_warp_active.pct',
  stallBranch: 'smsp__warp_issue_stalled_branch_resolving_per_warp_active.pct',
} as const;

export type Metric = keyof typeof METRICS;

/** One launch's counters; those that this GPU or version does not have are absent. Percentages, bytes, nanoseconds, counts. */
export interface LaunchCounters {
  readonly kernel: string;
  readonly values: Readonly<Partial<Record<Metric, number>>>;
}

/** Counters of each launch; or why there are none, in a sentence. */
export type Counted =
  | { readonly version: string; readonly launches: readonly LaunchCounters[] }
  | { readonly missing: string };

export const NO_NSIGHT = 'Nsight Compute (ncu) is not installed; it comes with the CUDA toolkit';
const NOT_PERMITTED =
  "the GPU's counters may not be read by this user (ERR_NVGPUCTRPERM): load the driver with NVreg_RestrictProfilingToAdminUsers=0, or run as root";

/** Counts the launches of the request's first call; each is run several times over by the tool. */
export async function nsightCompute(
  on: CudaProcessOptions,
  request: RunRequest,
  signal?: AbortSignal,
): Promise<Counted> {
  const found = findTool('ncu', 'ASSAY_NCU');
  if (!found) return { missing: NO_NSIGHT };
  const one: RunRequest = { ...request, calls: request.calls.slice(0, 1), profile: undefined };
  const parameters = ['--csv', '--page', 'raw', '--print-units', 'base', '--target-processes', 'all'];
  const metrics = ['--metrics', Object.values(METRICS).join(',')];
  const { milliseconds } = request.limits;
  const { log, said, timedOut } = await runUnderTool(
    ...([found.path, [...parameters, ...metrics], on, one, milliseconds, signal] as const),
  );
  if (timedOut) return { missing: `Nsight Compute was stopped after ${milliseconds / 1000} s` };
  if (/ERR_NVGPUCTRPERM/.test(log + said)) return { missing: NOT_PERMITTED };
  const launches = parseNsight(log);
  if (launches.length > 0) return { version: found.version, launches };
  const error = (log + said).split('\n').find((line) => /^==ERROR==/.test(line));
  return { missing: `Nsight Compute counted nothing${error ? `: ${error.replace(/^==ERROR==\s*/, '')}` : ''}` };
}

/** The rows of `--csv --page raw`: a row of names, a row of units, then one a launch. Lines that begin with `==` are the tool's own. */
export function parseNsight(text: string): LaunchCounters[] {
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('"'))
    .map(fieldsOf);
  const names = rows.find((row) => row.includes('Kernel Name'));
  if (!names) return [];
  const kernel = names.indexOf('Kernel Name');
  const columns = (Object.keys(METRICS) as Metric[]).map((metric) => [metric, names.indexOf(METRICS[metric])] as const);
  return rows
    .slice(rows.indexOf(names) + 1)
    .filter((row) => /^\d+$/.test(row[0] ?? ''))
    .map((row) => {
      const values: Partial<Record<Metric, number>> = {};
      for (const [metric, column] of columns) {
        const value = column < 0 ? Number.NaN : Number((row[column] ?? '').replaceAll(',', '').trim() || 'none');
        if (Number.isFinite(value)) values[metric] = value;
      }
      return { kernel: (row[kernel] ?? '').replace(/\(.*$/s, '').replace(/^void /, ''), values };
    });
}

/** The fields of one line; a quote inside one is doubled. */
function fieldsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"]|"")*)"(?:,|\s*$)/g)].map(([, field]) => field!.replaceAll('""', '"'));
}

const share = (value: number): string => `${value.toFixed(0)} %`;

/** Below this neither the memory nor the arithmetic is what limits a kernel. */
const BUSY = 60;

/** What the counters of one launch mean, in sentences for whoever is to make it faster. */
export function countersInWords({ values: v }: LaunchCounters): string[] {
  const words: string[] = [];
  const { compute, memory, dram } = v;
  if (compute !== undefined && memory !== undefined) {
    const busiest =
      Math.max(compute, memory) < BUSY
        ? 'neither is busy: it waits, has too little work in flight, or is too short'
        : memory > compute
          ? 'the memory system limits it'
          : 'the arithmetic units limit it';
    words.push(
      `The memory system is at ${share(memory)} of its peak, the multiprocessors at ${share(compute)}: ${busiest}.`,
    );
  }
  if (dram !== undefined && v.dramRead !== undefined && v.dramWritten !== undefined) {
    const megabytes = (v.dramRead + v.dramWritten) / 1e6;
    words.push(`${megabytes.toPrecision(3)} MB went to and from the GPU's memory, ${share(dram)} of its bandwidth.`);
  }
  if (v.loadEfficiency !== undefined && v.loadEfficiency < 75)
    words.push(
      `Of each 32 bytes that loads bring ${share(v.loadEfficiency)} are used: neighbouring threads should read neighbouring addresses.`,
    );
  if (v.l1Hits !== undefined && v.l2Hits !== undefined)
    words.push(`Loads hit the L1 in ${share(v.l1Hits)} and the L2 in ${share(v.l2Hits)} of the cases.`);
  if (v.warps !== undefined) {
    const limits = [
      ['blocks', v.limitBlocks],
      ['registers', v.limitRegisters],
      ['shared memory', v.limitShared],
    ].filter((one): one is [string, number] => one[1] !== undefined);
    const [least] = limits.sort((a, b) => a[1] - b[1]);
    words.push(
      `${share(v.warps)} of the warps that fit are there${least && v.warps < 50 ? `; ${least[0]} allow ${least[1]} blocks a multiprocessor` : ''}.`,
    );
  }
  const stalls = (
    [
      ['loads from memory', v.stallLong],
      ['shared memory', v.stallShort],
      ['barriers', v.stallBarrier],
      ['branches', v.stallBranch],
    ] as const
  ).filter((one): one is [(typeof one)[0], number] => (one[1] ?? 0) >= 10);
  if (stalls.length > 0) {
    const each = stalls.toSorted((a, b) => b[1] - a[1]).map(([what, percent]) => `${what} (${share(percent)})`);
    words.push(`Warps wait most for ${each.join(', then ')}.`);
  }
  if (v.uniform !== undefined && v.uniform < 80)
    words.push(`In ${share(100 - v.uniform)} of the branches the threads of a warp go different ways.`);
  return words;
}
