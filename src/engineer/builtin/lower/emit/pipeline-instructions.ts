/** The device functions of products fed by copies, one instruction of PTX each: asynchronous copies, fragments, products of a warp and of a warpgroup. */
import type { Preamble } from './kernel-context.ts';
import type { Side } from './operand-tile.ts';
import { EIGHT, grouped, type PipelineKnobs, pipelineDepth, type TilePlan } from './pipeline-plan.ts';

/** Requires what a kernel needs of them; the name of the one that multiplies. */
export function requireInstructions(
  preamble: Preamble,
  knobs: PipelineKnobs,
  tiles: Readonly<Record<Side['name'], TilePlan>>,
  element: string,
): string {
  if (Object.values(tiles).some(({ way }) => way === 'copies')) requireCopies(preamble);
  if (grouped(knobs)) return requireGroupInstructions(preamble, knobs, tiles, element);
  const matrices = (suffix: string, modifier: string, words: string) =>
    preamble.require(
      `load_matrices${suffix}`,
      `// Four matrices of eight rows of 16 bytes, ${words}; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void load_matrices${suffix}(unsigned (&to)[4], unsigned row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4${modifier}.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}`,
    );
  const along = Object.values(tiles).map(({ alongDepth }) => alongDepth);
  if (along.includes(true)) matrices('', '', 'as mma.sync takes them');
  if (knobs.arithmetic === 'half' && along.includes(false)) matrices('_transposed', '.trans', 'each transposed');
  const shape = `m16n8k${pipelineDepth(knobs)}`;
  preamble.require(
    `multiply_add_${element}`,
    `// Adds the product of fragments of 16 x ${pipelineDepth(knobs)} and ${pipelineDepth(knobs)} x 8 to a fragment of sums, on the tensor cores.
__device__ __forceinline__ void multiply_add_${element}(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.${shape}.row.col.f32.${element}.${element}.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}`,
  );
  return `multiply_add_${element}`;
}

/** The device functions of copies. */
function requireCopies(preamble: Preamble): void {
  preamble.require(
    'copy_async',
    `// Starts a copy of 4, 8 or 16 bytes from global to shared memory, which takes no registers; zeros where the source is not inside.
template <int BYTES>
__device__ __forceinline__ void copy_async(unsigned to, const void* from, bool inside) {
  const int read = inside ? BYTES : 0;
  if constexpr (BYTES == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(read) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(BYTES), "r"(read) : "memory");
}

// What this thread has started since the last group is one that can be waited for.
__device__ __forceinline__ void copies_make_a_group() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until no more than the last COUNT groups of this thread's copies are on their way.
template <int COUNT>
__device__ __forceinline__ void wait_for_all_groups_but() {
  asm volatile("cp.async.wait_group %0;" ::"n"(COUNT) : "memory");
}`,
  );
}

/** Requires what cuts sixteen bytes of neighbours out of aligned packs. */
export function requirePackCutting(preamble: Preamble): void {
  preamble.require(
    'read_across_packs',
    `// Bytes from where a pack of sixteen begins to an element of it.
__device__ __forceinline__ unsigned bytes_into_pack(const void* from) {
  return static_cast<unsigned>(reinterpret_cast<size_t>(from)) % 16;
}

// Sixteen bytes of neighbours from any element on, so many bytes into a pack (before), out of the two aligned packs that they lie in, both of which must be there.
template <typename T>
__device__ __forceinline__ Pack<T, 16 / sizeof(T)> read_across_packs(const T* from, unsigned before) {
  const auto* packs = reinterpret_cast<const Pack<unsigned, 4>*>(reinterpret_cast<const char*>(from) - before);
  const Pack<unsigned, 4> low = packs[0], high = packs[1];
  alignas(16) unsigned words[8] = {low.at[0],  low.at[1],  low.at[2],  low.at[3],
                                   high.at[0], high.at[1], high.at[2], high.at[3]};
  // Moved forward by two words, by one, and by half a one, as the bits of the distance say.
#pragma unroll
  for (int i = 0; i < 6; ++i) words[i] = before & 8 ? words[i + 2] : words[i];
#pragma unroll
  for (int i = 0; i < 5; ++i) words[i] = before & 4 ? words[i + 1] : words[i];
  if constexpr (sizeof(T) < 4) {
#pragma unroll
    for (int i = 0; i < 4; ++i) words[i] = __funnelshift_r(words[i], words[i + 1], before % 4 * 8);
  }
  return *reinterpret_cast<const Pack<T, 16 / sizeof(T)>*>(words);
}`,
  );
}

/** The device functions of warpgroups (PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate"). */
function requireGroupInstructions(
  preamble: Preamble,
  knobs: PipelineKnobs,
  { a, b }: Readonly<Record<Side['name'], TilePlan>>,
  element: string,
): string {
  preamble.require(
    'wgmma',
    `// Makes what this thread has brought to shared memory visible to wgmma, which reads it in another way than loads do.
__device__ __forceinline__ void show_tiles_to_wgmma() { asm volatile("fence.proxy.async;" ::: "memory"); }

// The registers of the sums are as they should be before wgmma goes on with them.
__device__ __forceinline__ void registers_are_ready() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

__device__ __forceinline__ void products_make_a_group() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Waits until no more than the last COUNT groups of products are at work.
template <int COUNT>
__device__ __forceinline__ void wait_for_products_but() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(COUNT) : "memory");
}

// How wgmma finds a matrix in shared memory: rows of 128 bytes whose chunks are exchanged (bits 62 and 63), eight of them after 1024 bytes, panels of such
// rows beside each other after PANEL bytes; all in units of 16.
__device__ __forceinline__ unsigned long long matrix_at(unsigned at, unsigned panel) {
  return at / 16 | static_cast<unsigned long long>(panel / 16) << 16 | 1024ull / 16 << 32 | 1ull << 62;
}`,
  );
  const [acrossA, acrossB] = [a, b].map(({ alongDepth }) => (alongDepth ? 0 : 1));
  const { warpN, arithmetic } = knobs;
  const depth = pipelineDepth(knobs);
  const name = `multiply_add_64x${warpN}_${element}${acrossA ? '_a_across' : ''}${acrossB ? '_b_across' : ''}`;
  const count = warpN / 2;
  const lines = (texts: readonly string[], each: number, between: string) =>
    Array.from({ length: Math.ceil(texts.length / each) }, (_, l) =>
      texts.slice(l * each, (l + 1) * each).join(', '),
    ).join(between);
  // 32 bits lie along k, and no flag says so.
  const turns = arithmetic === 'half' ? `, ${acrossA}, ${acrossB}` : '';
  const places = Array.from({ length: count }, (_, r) => `%${r}`);
  const registers = Array.from({ length: count }, (_, r) => `"+f"(sums[${r >> 2}][${r & 3}])`);
  preamble.require(
    name,
    `// Adds the product of 64 x ${depth} and ${depth} x ${warpN} in shared memory to sums that four warps hold together, on the tensor cores; waits for nothing.
__device__ __forceinline__ void ${name}(float (&sums)[${warpN / EIGHT}][4], unsigned long long a, unsigned long long b) {
  asm volatile(
      "{\\n.reg .pred add;\\nsetp.ne.b32 add, 1, 0;\\n"
      "wgmma.mma_async.sync.aligned.m64n${warpN}k${depth}.f32.${element}.${element} "
      "{${lines(places, 16, ', "\n      "')}}, "
      "%${count}, %${count + 1}, add, 1, 1${turns};\\n}"
      : ${lines(registers, 4, ',\n        ')}
      : "l"(a), "l"(b));
}`,
  );
  return name;
}
