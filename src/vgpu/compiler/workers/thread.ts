/** A worker thread: loads and translates what it is sent by itself, and runs blocks in the memory that it shares. */
import { parentPort, workerData } from 'node:worker_threads';
import { FindingSink } from '../../findings.ts';
import { LoadedModule } from '../../loader.ts';
import { DeviceMemory } from '../../memory.ts';
import { parsePtx } from '../../ptx/parser.ts';
import { type CompiledExecutable, scalarExecutable, simdExecutable } from '../executable.ts';
import { Control, type Job, type Message, type WorkerSetup } from './protocol.ts';

const setup = workerData as WorkerSetup;
const modules = new Map<number, LoadedModule>();
const executables = new Map<string, CompiledExecutable>();

parentPort!.on('message', (message: Message) => {
  if (message === 'reset') {
    modules.clear();
    executables.clear();
  } else work(message);
});

function work(job: Job): void {
  if (job.source) modules.set(job.module, new LoadedModule(parsePtx(job.source.ptx, job.source.name), job.globals));
  const module = modules.get(job.module)!;
  const kernel = module.ptx.functions.get(job.kernel)!;
  const key = `${job.module}/${job.kernel}/${job.executor}`;
  let executable = executables.get(key);
  if (!executable) {
    executable = (job.executor === 'simd' ? simdExecutable : scalarExecutable)(module, kernel);
    executables.set(key, executable);
  }
  const control = Control.of(job.control);
  executable.participate(
    {
      memory: DeviceMemory.view(setup.memory, job.allocations, job.scratch),
      module,
      kernel,
      grid: job.grid,
      block: job.block,
      cluster: [1, 1, 1],
      explicitCluster: false,
      dynamicSharedBytes: job.dynamicSharedBytes,
      paramBase: job.paramBase,
      blocks: [],
      checked: job.checked,
      races: false,
      profile: false,
      stopAtFault: true,
      instructionBudget: job.instructionBudget,
      schedule: 0,
      textures: [],
      tensorMaps: [],
      findings: new FindingSink(job.kernel),
      print: () => {},
    },
    control,
    job.chunks,
    setup.index,
  );
}
