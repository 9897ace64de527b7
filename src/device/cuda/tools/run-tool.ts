/** Runs one of NVIDIA's tools over the launcher, behind the wall and under a wall clock, and brings back what the tool wrote. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { behindWall, loadingFlags, programDirectory, programFiles } from '../../../isolation/index.ts';
import { ownFile } from '../../own-file.ts';
import type { RunRequest } from '../../types.ts';
import type { CudaProcessOptions } from '../cuda-process.ts';
import { DRIVER_LIBRARY } from '../driver/driver.ts';
import { pack } from '../exchange.ts';
import { driverFolders, gpuFiles } from '../gpu-files.ts';
import type { Launched, LauncherSettings } from './launcher.ts';

/** Where the toolkit and the tools that are installed apart lie. */
const TOOL_ROOTS = ['/usr/local/cuda', '/opt/nvidia'] as const;

/** Where the toolkit puts its tools. */
const TOOL_FOLDERS = ['', '/usr/local/cuda/bin/', '/opt/nvidia/nsight-compute/'] as const;
const MOST_LOG_BYTES = 2 ** 24;

/** The tool's command and version, or undefined where it is not installed. `variable` may name it. */
export function findTool(name: string, variable: string): { path: string; version: string } | undefined {
  const named = process.env[variable];
  for (const path of named ? [named] : TOOL_FOLDERS.map((folder) => folder + name)) {
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
    if (status !== 0) continue;
    const version = /[Vv]ersion\s+([\w.]+)/.exec(stdout)?.[1] ?? stdout.trim().split('\n').at(-1) ?? '';
    return { path, version };
  }
  return undefined;
}

export interface ToolRun {
  /** What the tool wrote to its log. */
  readonly log: string;
  /** What it said on its way: errors before there is a log. */
  readonly said: string;
  /** How the run of the plan ended; absent where it did not come to that. */
  readonly launched?: Launched;
  readonly timedOut: boolean;
}

/** Runs `tool` with `parameters`, a log file and the launcher. Rejects only when it cannot be started, or the signal aborts. */
export async function runUnderTool(
  tool: string,
  parameters: readonly string[],
  { gpu, fake }: CudaProcessOptions,
  request: RunRequest,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<ToolRun> {
  signal?.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), 'assay-tool-'));
  const [log, answer, json, bytes] = ['log', 'launched', 'request.json', 'request'].map((name) => join(folder, name));
  try {
    const descriptor = openSync(bytes!, 'w+');
    writeFileSync(json!, JSON.stringify(pack(request, descriptor)));
    closeSync(descriptor);
    const settings: LauncherSettings = {
      ...{ ordinal: gpu, cudaLibrary: fake?.library ?? DRIVER_LIBRARY, answer: answer! },
      request: [json!, bytes!],
    };
    const launcher = [
      process.execPath,
      ...loadingFlags,
      ownFile(import.meta.url, './launcher'),
      JSON.stringify(settings),
    ];
    const command = [tool, ...parameters, '--log-file', log!, ...launcher];
    const readable = [...programFiles(), ...TOOL_ROOTS, dirname(tool)];
    const [program, ...rest] = await behindWall(
      command,
      folder,
      [...readable, ...(fake ? [fake.library] : driverFolders())],
      fake ? [] : gpuFiles(),
      programDirectory,
    );
    const child = spawn(program!, rest, {
      cwd: programDirectory,
      env: { ...toolEnvironment(folder), ...fake?.environment },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let timedOut = false;
    const hear = (chunk: Buffer) => {
      if (said.length < 10_000) said += chunk.toString();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group is gone already.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, milliseconds);
    signal?.addEventListener('abort', kill, { once: true });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject).once('close', () => resolve());
    }).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
    });
    signal?.throwIfAborted();
    const launched = existsSync(answer!) ? (JSON.parse(readFileSync(answer!, 'utf8')) as Launched) : undefined;
    const text = existsSync(log!) ? readFileSync(log!).subarray(0, MOST_LOG_BYTES).toString('utf8') : '';
    return { log: text, said, launched, timedOut };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the tools and the driver need; nothing else of our environment. */
function toolEnvironment(folder: string): NodeJS.ProcessEnv {
  const passed = ['PATH', 'LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES'];
  const found = passed.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(found), HOME: folder, TMPDIR: folder, CUDA_DEVICE_ORDER: 'PCI_BUS_ID' };
}
