/**
 * What the errors of the CUDA driver mean for Assay, and what to do about them. Codes and names are those of cuda.h; header.test.ts compares them.
 */
import type { FindingKind } from '../../../vgpu/index.ts';

/**
 * Whose fault an error is. `kernel`: the launched code did something that ends its context. `launch`: the launch was refused and nothing
 * ran. `memory`: there is not enough. `code`: the module cannot be loaded. `machine`: driver or hardware. `use`: a call that Assay should not
 * have made.
 */
export type ErrorClass = 'kernel' | 'launch' | 'memory' | 'code' | 'machine' | 'use';

interface ErrorFacts {
  readonly name: string;
  readonly of: ErrorClass;
  /** What happened, as the end of "the GPU reports that ...". */
  readonly meaning: string;
  /** What to do next. */
  readonly remedy: string;
  /** Of kernel and launch errors: the finding it is. */
  readonly finding?: FindingKind;
}

const reboot = 'Run `nvidia-smi`; if it fails too, reload the driver or restart the machine.';
const report = 'This is a fault of Assay: please report it with the candidate.';
const debug = 'Run `assay sanitize` on the kernel: the virtual GPU names the access and its line.';

/** By code. A code that is not here is reported with the driver's own words. */
export const cudaErrors: Readonly<Record<number, ErrorFacts>> = {
  1: { name: 'INVALID_VALUE', of: 'use', meaning: 'a parameter of the call is out of range', remedy: report },
  2: {
    name: 'OUT_OF_MEMORY',
    of: 'memory',
    meaning: 'there is not enough memory on the GPU',
    remedy: 'End other programs on the GPU (`nvidia-smi` lists them), or use smaller shapes (--scale).',
  },
  3: { name: 'NOT_INITIALIZED', of: 'use', meaning: 'the driver was not initialised', remedy: report },
  4: { name: 'DEINITIALIZED', of: 'machine', meaning: 'the driver is shutting down', remedy: reboot },
  34: {
    name: 'STUB_LIBRARY',
    of: 'machine',
    meaning: "the toolkit's stub of libcuda was loaded instead of the driver",
    remedy: 'Install the NVIDIA driver, or take the folder `stubs` out of LD_LIBRARY_PATH.',
  },
  36: {
    name: 'CALL_REQUIRES_NEWER_DRIVER',
    of: 'machine',
    meaning: 'the driver is too old for this call',
    remedy: 'Install driver 520 (CUDA 11.8) or later.',
  },
  46: {
    name: 'DEVICE_UNAVAILABLE',
    of: 'machine',
    meaning: 'the GPU is in use by another program that has it to itself',
    remedy: 'End that program, or set the compute mode to default with `nvidia-smi -c 0`.',
  },
  100: {
    name: 'NO_DEVICE',
    of: 'machine',
    meaning: 'there is no GPU that CUDA can use',
    remedy: 'Check `nvidia-smi` and CUDA_VISIBLE_DEVICES; without a GPU Assay verifies on the virtual one.',
  },
  101: {
    name: 'INVALID_DEVICE',
    of: 'machine',
    meaning: 'there is no GPU of this number',
    remedy: 'Choose one that `nvidia-smi -L` lists.',
  },
  200: { name: 'INVALID_IMAGE', of: 'code', meaning: 'the compiled code is not a module', remedy: report },
  201: { name: 'INVALID_CONTEXT', of: 'use', meaning: 'there is no context for the call', remedy: report },
  209: {
    name: 'NO_BINARY_FOR_GPU',
    of: 'code',
    meaning: 'the code was compiled for another GPU',
    remedy: 'Choose the target that this GPU is (--gpu), so that nvcc compiles for its architecture.',
  },
  214: {
    name: 'ECC_UNCORRECTABLE',
    of: 'machine',
    meaning: 'its memory has an error that cannot be corrected',
    remedy: 'Do not trust results of this GPU; see `nvidia-smi -q -d ECC`.',
  },
  215: { name: 'UNSUPPORTED_LIMIT', of: 'use', meaning: 'it has no such limit', remedy: report },
  218: {
    name: 'INVALID_PTX',
    of: 'code',
    meaning: 'the PTX cannot be assembled for it',
    remedy: 'Compile for the architecture of this GPU.',
  },
  222: {
    name: 'UNSUPPORTED_PTX_VERSION',
    of: 'code',
    meaning: 'the PTX is of a newer toolkit than the driver knows',
    remedy: 'Update the driver, or compile with a toolkit that is not newer than it.',
  },
  221: {
    name: 'JIT_COMPILER_NOT_FOUND',
    of: 'machine',
    meaning: 'the library that compiles PTX is missing (libnvidia-ptxjitcompiler.so)',
    remedy: 'Install the whole driver, or install ptxas so that Assay makes machine code itself.',
  },
  304: { name: 'OPERATING_SYSTEM', of: 'machine', meaning: 'a call of the operating system failed', remedy: reboot },
  400: { name: 'INVALID_HANDLE', of: 'use', meaning: 'a handle is not valid', remedy: report },
  401: { name: 'ILLEGAL_STATE', of: 'use', meaning: 'the call is not legal now', remedy: report },
  500: { name: 'NOT_FOUND', of: 'code', meaning: 'the module has no such name', remedy: report },
  700: {
    name: 'ILLEGAL_ADDRESS',
    of: 'kernel',
    meaning: 'the kernel accessed memory that does not belong to it',
    remedy: debug,
    finding: 'out-of-bounds',
  },
  701: {
    name: 'LAUNCH_OUT_OF_RESOURCES',
    of: 'launch',
    meaning: 'a block of it takes more registers or threads than a multiprocessor has',
    remedy: 'Use smaller blocks, or limit registers with __launch_bounds__.',
    finding: 'bad-launch',
  },
  702: {
    name: 'LAUNCH_TIMEOUT',
    of: 'kernel',
    meaning: 'the kernel ran longer than the watchdog of the display allows',
    remedy: 'Use a GPU without a display.',
    finding: 'budget-exceeded',
  },
  709: { name: 'CONTEXT_IS_DESTROYED', of: 'use', meaning: 'the context is gone', remedy: report },
  710: {
    name: 'ASSERT',
    of: 'kernel',
    meaning: 'an assert() in the kernel failed',
    remedy: 'What it printed says which.',
    finding: 'assert',
  },
  714: {
    name: 'HARDWARE_STACK_ERROR',
    of: 'kernel',
    meaning: 'the kernel overran its stack',
    remedy: debug,
    finding: 'stack-overflow',
  },
  715: {
    name: 'ILLEGAL_INSTRUCTION',
    of: 'kernel',
    meaning: 'the kernel met an illegal instruction',
    remedy: debug,
    finding: 'trap',
  },
  716: {
    name: 'MISALIGNED_ADDRESS',
    of: 'kernel',
    meaning: 'the kernel accessed memory at an address that is not a multiple of the size',
    remedy: debug,
    finding: 'misaligned',
  },
  717: {
    name: 'INVALID_ADDRESS_SPACE',
    of: 'kernel',
    meaning: 'the kernel used an address of one memory space in another',
    remedy: debug,
    finding: 'out-of-bounds',
  },
  718: {
    name: 'INVALID_PC',
    of: 'kernel',
    meaning: 'the kernel jumped out of its code',
    remedy: debug,
    finding: 'trap',
  },
  719: {
    name: 'LAUNCH_FAILED',
    of: 'kernel',
    meaning: 'the kernel ended with a trap or an exception',
    remedy: debug,
    finding: 'trap',
  },
  720: {
    name: 'COOPERATIVE_LAUNCH_TOO_LARGE',
    of: 'launch',
    meaning: 'not all blocks of the cooperative launch fit on it at once',
    remedy: 'Launch no more blocks than cudaOccupancyMaxActiveBlocksPerMultiprocessor allows.',
    finding: 'bad-launch',
  },
  802: {
    name: 'SYSTEM_NOT_READY',
    of: 'machine',
    meaning: 'the system is not ready for CUDA',
    remedy: 'On machines with NVSwitch start nvidia-fabricmanager.',
  },
  803: {
    name: 'SYSTEM_DRIVER_MISMATCH',
    of: 'machine',
    meaning: 'the kernel module and libcuda.so are of different versions',
    remedy: 'Restart the machine after the update of the driver.',
  },
  804: {
    name: 'COMPAT_NOT_SUPPORTED_ON_DEVICE',
    of: 'machine',
    meaning: 'the forward-compatible libcuda.so does not support it',
    remedy: 'Take the folder `compat` out of LD_LIBRARY_PATH.',
  },
  900: { name: 'STREAM_CAPTURE_UNSUPPORTED', of: 'use', meaning: 'the call cannot be captured', remedy: report },
  901: { name: 'STREAM_CAPTURE_INVALIDATED', of: 'use', meaning: 'the capture became invalid', remedy: report },
  912: {
    name: 'INVALID_CLUSTER_SIZE',
    of: 'launch',
    meaning: 'it cannot have clusters of this size',
    remedy: 'Use at most 8 blocks a cluster (16 after cudaFuncAttributeNonPortableClusterSizeAllowed).',
    finding: 'bad-launch',
  },
  999: { name: 'UNKNOWN', of: 'machine', meaning: 'something failed that the driver does not name', remedy: reboot },
};

/** A call of the driver that failed, as a sentence that says what to do. */
export class CudaError extends Error {
  override readonly name = 'CudaError';
  readonly code: number;
  readonly call: string;
  readonly of: ErrorClass;
  readonly finding: FindingKind | undefined;
  /** What the compiler of PTX wrote, of errors of class `code`. */
  readonly log: string;

  /** `words`: what the driver itself says of a code that the table does not know. */
  constructor(call: string, code: number, words = '', log = '') {
    const facts = cudaErrors[code];
    const said = log.trim() === '' ? '' : ` The driver's compiler says: ${log.trim()}`;
    super(
      facts
        ? `The GPU reports that ${facts.meaning} (CUDA_ERROR_${facts.name}, ${call}).${said} ${facts.remedy}`
        : `The GPU reports error ${code} in ${call}${words ? ` (${words})` : ''}.${said} ${reboot}`,
    );
    this.code = code;
    this.call = call;
    this.of = facts?.of ?? 'machine';
    this.finding = facts?.finding;
    this.log = log;
  }

  /** The error ended its context: nothing else can be done in this process. */
  get fatal(): boolean {
    return this.of === 'kernel' || this.of === 'machine';
  }
}

/** The driver cannot be used at all: not installed, too old, no GPU. A sentence that says what to do. */
export class NoDriver extends Error {
  override readonly name = 'NoDriver';
  /** A sentence, and no fault of ours. */
  readonly kind = 'no-driver';
}
