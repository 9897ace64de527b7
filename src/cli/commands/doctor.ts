/** `assay doctor`: what this machine has, what each thing is for, and how to get what is missing. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findTool, mayHaveGpu, openGpu, recognise } from '../../device/index.ts';
import { type Enclosure, type Kept, standingEnclosure, wallWorks } from '../../isolation/index.ts';
import { findCompilers, findToolchain, missingCompiler } from '../../kernel/index.ts';
import { coloursFor } from '../terminal/colour.ts';
import { printable, wrap } from '../terminal/format.ts';

const execute = promisify(execFile);

export interface Finding {
  name: string;
  found: boolean;
  /** Without it the main commands do not work. */
  required: boolean;
  /** Version or place when found. */
  detail: string;
  /** What it is needed for. */
  purpose: string;
  /** How to get it. */
  remedy: string;
}

/** First line of a command's output, or undefined when it cannot be run. */
async function firstLine(
  command: string,
  parameters: readonly string[],
  timeout = 20_000,
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await execute(command, [...parameters], { timeout });
    return (stdout || stderr).trim().split('\n')[0]?.trim();
  } catch {
    return undefined;
  }
}

const keptInWords: Readonly<Record<Kept, string>> = {
  files: 'all files but their own',
  network: 'the network',
  processes: 'other processes',
  user: 'the rights of this user',
};

function wallsInWords({ name, keepsFrom }: Enclosure): string {
  return `${name}: kept from ${keepsFrom.map((kept) => keptInWords[kept]).join(', ')}`;
}

/** The first GPU, opened as a judgement would; or why it cannot be. */
async function gpuUsed(): Promise<{ detail?: string; remedy: string }> {
  if (!mayHaveGpu() && !process.env.ASSAY_FAKE_CUDA)
    return {
      remedy: 'Nothing is measured here, and the virtual GPU does all the rest. Run Assay where there is a GPU.',
    };
  try {
    const opened = await openGpu(0);
    await opened.close();
    const { name, identity } = opened.device;
    const known = recognise(identity);
    const floor = 'unknown' in known ? known.unknown : 'its floor is known';
    return { detail: `${name}, compute capability ${identity.capability.join('.')}; ${floor}`, remedy: '' };
  } catch (error) {
    return { remedy: (error as Error).message };
  }
}

/** Asks this machine for everything Assay can use. */
export async function examine(): Promise<Finding[]> {
  const python = process.env.ASSAY_PYTHON ?? 'python3';
  const [compilers, toolchain, gpu, torch, bubblewrap, walls, used] = await Promise.all([
    findCompilers(),
    findToolchain().catch(() => undefined),
    firstLine('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader']),
    firstLine(python, ['-c', 'import torch; print("PyTorch", torch.__version__)'], 60_000),
    wallWorks().then((works) => (works ? firstLine('bwrap', ['--version']) : undefined)),
    standingEnclosure(),
    gpuUsed(),
  ]);
  const sanitizer = findTool('compute-sanitizer', 'ASSAY_COMPUTE_SANITIZER');
  const nsight = findTool('ncu', 'ASSAY_NCU');
  const node = process.versions.node;
  const { nvcc, ptxas, clang, headers } = compilers;
  const cuda = 'Install the CUDA toolkit 12 or later (no GPU and no driver are needed) and put its bin folder on PATH.';
  const standsIn = toolchain !== undefined && toolchain.kind !== 'nvcc';
  const finding = (
    name: string,
    detail: string | undefined,
    rest: Omit<Finding, 'name' | 'found' | 'detail'>,
  ): Finding => ({
    name,
    found: detail !== undefined,
    detail: printable(detail ?? 'not found'),
    ...rest,
  });
  return [
    finding('Node.js', Number(node.split('.')[0]) >= 20 ? node : undefined, {
      required: true,
      purpose: 'runs Assay, and the virtual GPU in WebAssembly',
      remedy: 'Install Node.js 20 or later.',
    }),
    finding('nvcc', nvcc && `${nvcc.version} (${nvcc.path})`, {
      required: !standsIn,
      purpose: standsIn
        ? `compiles kernels to PTX, which the virtual GPU runs; here ${toolchain.version} does that in its place`
        : 'compiles kernels to PTX, which the virtual GPU runs',
      remedy: toolchain ? cuda : missingCompiler(compilers),
    }),
    finding('ptxas', ptxas && `${ptxas.version} (${ptxas.path})`, {
      required: false,
      purpose:
        "tells each kernel's registers and spills, and makes its machine code; without it they and the occupancy are unknown, and the modelled time's interval is wider",
      remedy: cuda,
    }),
    finding('NVRTC', compilers.nvrtc && `${compilers.nvrtc.version} (${compilers.nvrtc.path})`, {
      required: false,
      purpose: 'compiles kernels where nvcc is missing (it is looked for only there, or where ASSAY_NVRTC names it)',
      remedy:
        'It comes with the CUDA toolkit, and as `pip install nvidia-cuda-nvrtc`; point ASSAY_NVRTC at its libnvrtc.so.',
    }),
    finding("CUDA's headers", headers && `CUDA ${headers.version} (${headers.root})`, {
      required: false,
      purpose: 'clang needs them, and libdevice beside them, to stand in for nvcc; they come with the CUDA toolkit',
      remedy: 'Install the CUDA toolkit, or point CUDA_HOME at one (include/ and nvvm/libdevice/ are enough).',
    }),
    finding('clang', clang && `${clang.version} (${clang.path})`, {
      required: false,
      purpose:
        'makes PTX where nvcc is missing, with the headers of the CUDA toolkit (ASSAY_COMPILER=clang asks for it where both are), and for the PTX door (src/kernel/ptx-door/README.md)',
      remedy: 'apt-get install clang-19',
    }),
    finding('NVIDIA GPU', gpu?.split(',')[0]?.trim(), {
      required: false,
      purpose: 'measured times; without one Assay verifies on the virtual GPU and claims no speed',
      remedy: 'Run Assay on a machine with an NVIDIA GPU and its driver.',
    }),
    finding('GPU as Assay uses it', used.detail, {
      required: false,
      purpose: '`--device cuda` (what `auto` takes where a GPU is found): checks and measured times there',
      remedy: used.remedy,
    }),
    finding('compute-sanitizer', sanitizer && `${sanitizer.version} (${sanitizer.path})`, {
      required: false,
      purpose: 'a second opinion on kernels that a GPU found right',
      remedy: 'Install the CUDA toolkit on the machine with the GPU.',
    }),
    finding('Nsight Compute', nsight && `${nsight.version} (${nsight.path})`, {
      required: false,
      purpose: "the GPU's counters, which say what limits a kernel; without it times of variants do",
      remedy: 'Install the CUDA toolkit on the machine with the GPU, and allow its users to read counters.',
    }),
    finding('NVIDIA driver', gpu?.split(',')[1]?.trim(), {
      required: false,
      purpose: 'runs kernels on the GPU',
      remedy: 'Install the driver for your GPU; `nvidia-smi` must work.',
    }),
    finding('Python with PyTorch', torch, {
      required: false,
      purpose: 'baselines to be faster than, and a second opinion on the reference (task files do not need it)',
      remedy: 'pip install torch, and point ASSAY_PYTHON at that Python if it is not python3.',
    }),
    finding('bubblewrap', bubblewrap, {
      required: false,
      purpose: 'a wall around the compiler: no network, no files but headers (limits hold without it too)',
      remedy: 'apt-get install bubblewrap',
    }),
    finding('Walls around candidates', walls.keepsFrom.length > 0 ? wallsInWords(walls) : undefined, {
      required: false,
      purpose:
        'the processes in which kernels run have an empty environment and limits on memory, time and files everywhere; walls keep them from more',
      remedy:
        'Install bubblewrap, and let this user make namespaces (containers forbid it unless they are started with fewer restrictions).',
    }),
  ];
}

/** Prints the examination; exit code 0 when nothing required is missing, else 2. */
export async function doctor(options: { json: boolean }): Promise<number> {
  const findings = await examine();
  const ready = findings.every(({ found, required }) => found || !required);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ready, findings }, null, 2)}\n`);
    return ready ? 0 : 2;
  }
  const colours = coloursFor(process.stdout);
  for (const { name, found, required, detail, purpose, remedy } of findings) {
    const mark = found ? colours.good('ok     ') : required ? colours.bad('MISSING') : colours.warning('absent ');
    process.stdout.write(`${mark}  ${colours.strong(name)}: ${detail}\n`);
    process.stdout.write(`         ${wrap(purpose, 70, '         ')}\n`);
    if (!found) process.stdout.write(`         ${wrap(remedy, 70, '         ')}\n`);
  }
  process.stdout.write(
    ready
      ? '\nReady: `assay optimize task.py` and `assay judge task.py kernel.cu` work here.\n'
      : '\nNot ready: install what is MISSING, then run `assay doctor` again.\n',
  );
  return ready ? 0 : 2;
}
