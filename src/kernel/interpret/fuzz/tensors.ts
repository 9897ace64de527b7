/**
 * Random host functions as extensions have them: tensors made, viewed and copied, sizes computed from shapes, grids, and launches
 * through wrappers, dispatch macros, lambdas and function pointers. The generator knows each tensor's rank and dtype and no sizes:
 * a view that does not fit is a program that must fail on both sides.
 */
import { expression, statement } from './arithmetic.ts';
import type { Choices } from './random.ts';

interface KnownTensor {
  name: string;
  rank: number;
  dtype: string;
}

/** A tensor's rank and dtype, and the expression that makes it. */
type Made = readonly [rank: number, dtype: string, expression: string];

/** Dtypes by torch's constant, with the C++ type of their elements. */
const DTYPES: Readonly<Record<string, { constant: string; cpp: string }>> = {
  float32: { constant: 'kFloat', cpp: 'float' },
  float64: { constant: 'kDouble', cpp: 'double' },
  float16: { constant: 'kHalf', cpp: 'c10::Half' },
  bfloat16: { constant: 'kBFloat16', cpp: 'c10::BFloat16' },
  int32: { constant: 'kInt', cpp: 'int' },
  int64: { constant: 'kLong', cpp: 'int64_t' },
  uint8: { constant: 'kByte', cpp: 'uint8_t' },
};
const COMMON = ['float32', 'float32', 'float32', 'float16', 'bfloat16', 'float64', 'int32', 'int64', 'uint8'];

/** A kernel's header and what g++ is to run in its place. */
interface Kernel {
  name: string;
  template: string;
  parameters: string;
  /** Template arguments as text for the record: C++ expressions of type std::string. */
  recorded: readonly string[];
  /** Spelled for the kernel's own address. */
  own: string;
  arguments: string;
}

const NAME_OF_T = 'recorder::nameOf<T>()';
const KERNELS: readonly Kernel[] = [
  {
    name: 'move_all',
    template: 'template <typename T, int BLOCK = 256>',
    parameters: 'const T* a, T* b, int64_t n',
    recorded: [NAME_OF_T, 'std::to_string(BLOCK)'],
    own: 'move_all<T, BLOCK>',
    arguments: 'a, b, n',
  },
  {
    name: 'scale',
    template: 'template <typename T, bool FAST, typename A = float>',
    parameters: 'const T* __restrict__ a, A alpha, int rows, unsigned cols',
    recorded: [NAME_OF_T, '(FAST ? "true" : "false")', 'recorder::nameOf<A>()'],
    own: 'scale<T, FAST, A>',
    arguments: 'a, alpha, rows, cols',
  },
  {
    name: 'raw',
    template: '',
    parameters: 'const void* a, void* b, size_t bytes, bool flag, double eps, Shape s',
    recorded: [],
    own: 'raw',
    arguments: 'a, b, bytes, flag, eps, s',
  },
  {
    name: 'vectors',
    template: 'template <int V>',
    parameters: 'float4 f, int2 i, dim3 d, short s, Grid<V> g',
    recorded: ['std::to_string(V)'],
    own: 'vectors<V>',
    arguments: 'f, i, d, s, g',
  },
  {
    name: 'out',
    template: 'template <typename R>',
    parameters: 'int a, int64_t c, float h, R r',
    recorded: ['recorder::nameOf<R>()'],
    own: 'out<R>',
    arguments: 'a, c, h, r',
  },
];

const STRUCTS = (shown: boolean): string => `
struct Shape { int64_t rows; int cols = 3; float eps; bool wide{false};${shown ? ' std::string shown() const { using recorder::shown; return "{" + shown(rows) + " " + shown(cols) + " " + shown(eps) + " " + shown(wide) + "}"; }' : ''} int64_t area() const { return rows * cols; } };
template <int N> struct Grid { int sizes[N]; long total = N;${shown ? ' std::string shown() const { using recorder::shown; std::string t = "{["; for (int i = 0; i < N; i++) t += (i ? " " : "") + shown(sizes[i]); return t + "] " + shown(total) + "}"; }' : ''} };
`;

/** What stands before every host function: constants, kernels, wrappers. Launches are written as CUDA has them. */
const WRAPPERS = `
constexpr int THREADS = 128;
constexpr int64_t cdiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline unsigned next_power(unsigned n) { unsigned p = 1; while (p < n) p <<= 1; return p; }
template <typename T> constexpr T clamped(T v, T low, T high) { return v < low ? low : (v > high ? high : v); }
template <typename T, int BLOCK> void run_move(const T* a, T* b, int64_t n) { if (n > 3) { move_all<T, BLOCK><<<cdiv(n, BLOCK), BLOCK>>>(a, b, n); } else { move_all<T><<<1, 32, 64>>>(a, b, n * 2); } }
template <int V> void run_vectors(dim3 grid, const std::vector<int64_t>& sizes) { Grid<V> g{}; for (int i = 0; i < V && i < (int)sizes.size(); i++) g.sizes[i] = sizes[i]; vectors<V><<<grid, dim3(32, V)>>>(make_float4(1.f, V, 0.5f, sizes.size()), int2{V, 7}, grid, V * 2, g); }
void run_vectors_of(int v, dim3 grid, const std::vector<int64_t>& sizes) { switch (v) { case 1: return run_vectors<1>(grid, sizes); case 2: run_vectors<2>(grid, sizes); break; default: run_vectors<4>(grid, sizes); } }
std::tuple<int64_t, int64_t> rows_and_columns(const torch::Tensor& t) { int64_t columns = t.dim() > 0 ? t.size(-1) : 1; return {columns == 0 ? 0 : t.numel() / columns, columns}; }
torch::Tensor flat(torch::Tensor t) { return t.is_contiguous() ? t.view({-1}) : t.reshape({t.numel()}); }
std::vector<int64_t> shape_of(const torch::Tensor& t, int64_t extra = 2) { std::vector<int64_t> s; for (int64_t i = 0; i < t.dim(); ++i) { if (t.size(i) != 1) s.push_back(t.size(i)); } s.push_back(extra); return s; }
`;

function kernelText(k: Kernel, forCompiler: boolean): string {
  if (!forCompiler) return `${k.template} __global__ void ${k.name}(${k.parameters}) {}`;
  const named =
    k.recorded.length === 0 ? `"${k.name}"` : `std::string("${k.name}<") + ${k.recorded.join(' + ", " + ')} + ">"`;
  return `${k.template} void ${k.name}(${k.parameters}) { recorder::launched(${named}, reinterpret_cast<void*>(&${k.own}), ${k.arguments}); }`;
}

/** Declarations that every program shares, for g++ or for the interpreter. */
export function sharedText(forCompiler: boolean): string {
  const kernels = KERNELS.map((k) => kernelText(k, forCompiler)).join('\n');
  const text = `${STRUCTS(forCompiler)}${kernels}\n${WRAPPERS}`;
  return forCompiler ? launchesAsCalls(text) : text;
}

/**
 * Launches as g++ takes them: `k<T><<<grid, block>>>(a)` becomes `recorder::configure(grid, block), k<T>(a)`. The generator writes
 * each launch as a statement of its own, so what precedes `<<<` up to the last brace or semicolon names the kernel.
 */
export function launchesAsCalls(text: string): string {
  let result = '';
  let at = 0;
  for (;;) {
    const open = text.indexOf('<<<', at);
    if (open < 0) return result + text.slice(at);
    const close = text.indexOf('>>>', open);
    let from = open;
    while (from > at && !'{};'.includes(text[from - 1]!)) from--;
    result += `${text.slice(at, from)} recorder::configure(${text.slice(open + 3, close)}), ${text.slice(from, open)}`;
    at = close + 3;
  }
}

/** One host function: its inputs as tests write them (`x[4,8] w[8]:float16`), and the text of `forward`. */
export interface HostProgram {
  signature: string;
  inputs: readonly { name: string; shape: readonly number[]; dtype: string }[];
  returns: string;
  body: string;
}

const SIZES = [1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 16, 33, 64, 100];

export function randomHostProgram(c: Choices): HostProgram {
  return new Writer(c).write();
}

class Writer {
  private readonly c: Choices;
  private readonly tensors: KnownTensor[] = [];
  /** Integer variables made from shapes. */
  private readonly integers: string[] = [];
  private readonly lines: string[] = [];
  private names = 0;

  constructor(c: Choices) {
    this.c = c;
  }

  write(): HostProgram {
    const { c } = this;
    const inputs = ['x', 'w', 'z'].slice(0, 1 + c.below(3)).map((name) => {
      const shape = Array.from({ length: c.below(8) === 0 ? 0 : 1 + c.below(4) }, () =>
        c.once(40) ? 0 : c.pick(SIZES),
      );
      const dtype = c.pick(COMMON);
      this.tensors.push({ name, rank: shape.length, dtype });
      return { name, shape, dtype };
    });
    const steps = 3 + c.below(7);
    for (let i = 0; i < steps; i++) this.step();
    const results = Array.from({ length: 1 + c.below(3) }, () => c.pick(this.tensors).name);
    const returns =
      results.length === 1
        ? 'torch::Tensor'
        : c.once(2)
          ? 'std::vector<torch::Tensor>'
          : `std::tuple<${results.map(() => 'torch::Tensor').join(', ')}>`;
    this.lines.push(`out<<<1, 1>>>(a, c, h, ${expression(c, 3, this.integers)});`);
    this.lines.push(
      results.length === 1
        ? `return ${results[0]};`
        : returns.startsWith('std::vector')
          ? `return {${results.join(', ')}};`
          : `return std::make_tuple(${results.join(', ')});`,
    );
    const signature = inputs.map((i) => `${i.name}[${i.shape.join(',')}]:${i.dtype}`).join(' ');
    return { signature, inputs, returns, body: this.lines.join('\n  ') };
  }

  private fresh(prefix: string): string {
    return `${prefix}${this.names++}`;
  }

  private tensor(least = 0): KnownTensor | undefined {
    const fitting = this.tensors.filter((t) => t.rank >= least);
    return fitting.length > 0 ? this.c.pick(fitting) : undefined;
  }

  /** A small whole number: a literal, a size, or a variable's low bits. */
  private small(): string {
    const { c } = this;
    const t = this.tensor(1);
    return c.pick([
      String(1 + c.below(6)),
      t ? `${t.name}.size(${c.below(t.rank)})` : '2',
      t ? `${t.name}.size(-1)` : '3',
      this.integers.length > 0 ? `((${c.pick(this.integers)} & 7) + 1)` : '4',
    ]);
  }

  private dimension(t: KnownTensor): string {
    return String(this.c.below(Math.max(1, t.rank)) - (this.c.once(3) ? Math.max(1, t.rank) : 0));
  }

  private declare(tensor: Made | undefined): void {
    if (!tensor) return;
    const [rank, dtype, made] = tensor;
    const name = this.fresh('t');
    this.lines.push(`${this.c.pick(['auto', 'torch::Tensor', 'at::Tensor', 'const auto'])} ${name} = ${made};`);
    this.tensors.push({ name, rank, dtype });
  }

  private step(): void {
    const { c } = this;
    switch (c.below(18)) {
      case 0:
      case 1:
        this.declare(this.factory());
        return;
      case 2:
      case 3:
      case 4:
      case 5:
        this.declare(this.view());
        return;
      case 6:
      case 7:
        this.integer();
        return;
      case 8:
        this.lines.push(statement(c, 2, this.integers));
        return;
      case 9:
        this.check();
        return;
      case 10:
        this.memory();
        return;
      case 11:
        this.control();
        return;
      case 12:
        this.sizesList();
        return;
      default:
        this.launch();
    }
  }

  private factory(): Made {
    const { c } = this;
    const rank = 1 + c.below(3);
    const sizes = Array.from({ length: rank }, () => this.small()).join(', ');
    const like = c.pick(this.tensors);
    const dtype = c.pick(COMMON);
    const { constant } = DTYPES[dtype]!;
    const list = `{${sizes}}`;
    switch (c.below(9)) {
      case 0:
        return [rank, like.dtype, `torch::empty(${list}, ${like.name}.options())`];
      case 1:
        return [rank, dtype, `torch::zeros(${list}, ${like.name}.options().dtype(torch::${constant}))`];
      case 2:
        return [
          rank,
          dtype,
          `torch::empty(${list}, torch::TensorOptions().dtype(torch::${constant}).device(${c.pick(['torch::kCUDA', `${like.name}.device()`])}))`,
        ];
      case 3:
        return [like.rank, like.dtype, `torch::${c.pick(['empty_like', 'zeros_like', 'ones_like'])}(${like.name})`];
      case 4:
        return [rank, like.dtype, `torch::full(${list}, ${c.pick(['0.5', '2', '3.0f', '1'])}, ${like.name}.options())`];
      case 5:
        return [rank, like.dtype, `${like.name}.${c.pick(['new_empty', 'new_zeros'])}(${list})`];
      case 6:
        return [like.rank, dtype, `torch::empty_like(${like.name}, ${like.name}.options().dtype(torch::${constant}))`];
      case 7:
        return [like.rank, like.dtype, `torch::empty(${like.name}.sizes(), ${like.name}.options())`];
      default:
        return [rank, dtype, `torch::ones(${list}, torch::dtype(torch::${constant}).device(torch::kCUDA))`];
    }
  }

  private view(): Made | undefined {
    const { c } = this;
    const t = this.tensor(c.once(6) ? 0 : 1) ?? c.pick(this.tensors);
    const d = this.dimension(t);
    const { name, rank, dtype } = t;
    switch (c.below(16)) {
      case 0:
        return [rank, dtype, `${name}.transpose(${d}, ${this.dimension(t)})`];
      case 1: {
        const order = Array.from({ length: rank }, (_, i) => i).sort(() => c.below(3) - 1);
        return [rank, dtype, `${name}.permute({${order.join(', ')}})`];
      }
      case 2:
        return [1, dtype, `${name}.${c.pick(['view', 'reshape'])}(${c.pick(['{-1}', `{${name}.numel()}`, '-1'])})`];
      case 3:
        return [
          2,
          dtype,
          `${name}.reshape({${c.pick(['-1, 2', '2, -1', `${this.small()}, -1`, `-1, ${name}.size(${rank > 0 ? d : '0'})`])}})`,
        ];
      case 4:
        return rank > 0 ? [rank + 1, dtype, `${name}.unsqueeze(${c.pick(['0', '-1', d])})`] : undefined;
      case 5:
        return [Math.max(0, rank - 1), dtype, `${name}.select(${d}, ${c.pick(['0', '-1', String(c.below(3))])})`];
      case 6:
        return [
          rank,
          dtype,
          `${name}.narrow(${d}, ${c.below(2)}, ${c.pick(['1', `${name}.size(${d}) / 2`, `${name}.size(${d}) - 1`])})`,
        ];
      case 7:
        return [
          rank,
          dtype,
          `${name}.slice(${d}, ${c.pick(['0', '1', '-2'])}, ${c.pick([`${name}.size(${d})`, '3', '-1', '1000'])}${c.pick(['', ', 2', ', 1'])})`,
        ];
      case 8:
        return [Math.max(0, rank - 1), dtype, `${name}[${c.below(2)}]`];
      case 9:
        return [
          rank + 1,
          dtype,
          `${name}.unsqueeze(0).expand({${['3', ...Array.from({ length: rank }, () => '-1')].join(', ')}})`,
        ];
      case 10:
        return [rank, dtype, `${name}.clone()`];
      case 11: {
        const to = c.pick(COMMON);
        return [rank, to, `${name}.to(torch::${DTYPES[to]!.constant})`];
      }
      case 12:
        return [
          Math.max(1, rank - 1),
          dtype,
          rank > 1 ? `${name}.flatten(${c.pick(['0, 1', `${rank - 2}`, '-2, -1'])})` : `${name}.flatten()`,
        ];
      case 13:
        return rank === 2 ? [2, dtype, `${name}.t()`] : [1, dtype, `flat(${name})`];
      default:
        return [rank, dtype, `${name}.contiguous()`];
    }
  }

  private integer(): void {
    const { c } = this;
    const t = c.pick(this.tensors);
    const n = this.fresh('n');
    const type = c.pick(['int64_t', 'int', 'const auto', 'const int64_t']);
    const { name, rank } = t;
    const made = c.pick([
      `${name}.numel()`,
      `${name}.dim() + ${c.below(3)}`,
      rank > 0 ? `${name}.size(${this.dimension(t)}) * ${1 + c.below(4)}` : '3',
      rank > 0 ? `${name}.stride(${this.dimension(t)})` : '1',
      `cdiv(${name}.numel() + 1, ${1 + c.below(64)})`,
      `next_power(${name}.numel())`,
      `clamped<int64_t>(${name}.numel(), ${c.below(4)}, ${10 + c.below(99)})`,
      `std::min<int64_t>(${name}.numel(), ${c.pick(['1024', 'THREADS', '65535LL'])})`,
      `static_cast<int>(${name}.nbytes() % ${1 + c.below(30)})`,
      `${name}.element_size() * ${c.below(9)}`,
      `${name}.storage_offset()`,
      `std::get<${c.below(2)}>(rows_and_columns(${name}))`,
      `(${name}.is_contiguous() ? ${name}.numel() : ${c.below(9)})`,
      `at::cuda::getCurrentDeviceProperties()->${c.pick(['multiProcessorCount', 'maxThreadsPerBlock', 'warpSize', 'major'])}`,
      `static_cast<int>(std::ceil(${name}.numel() / ${c.pick(['2.0', '3.0f', 'static_cast<float>(THREADS)'])}))`,
      `(reinterpret_cast<uintptr_t>(${name}.data_ptr()) % ${c.pick(['8', '16', '32'])} == 0 ? 4 : 1)`,
      `Shape{${name}.numel(), ${c.below(9)}, 0.5f}.area()`,
    ]);
    this.lines.push(`${type} ${n} = ${made};`);
    this.integers.push(n);
  }

  private sizesList(): void {
    const { c } = this;
    const t = c.pick(this.tensors);
    const v = this.fresh('v');
    const n = this.fresh('n');
    const made = c.pick([
      `${t.name}.sizes().vec()`,
      `(${t.name}.sizes().begin(), ${t.name}.sizes().end())`,
      `shape_of(${t.name})`,
      `shape_of(${t.name}, ${c.below(5) + 1})`,
      `{${this.small()}, ${this.small()}}`,
    ]);
    this.lines.push(`std::vector<int64_t> ${v}${made.startsWith('(') || made.startsWith('{') ? made : ` = ${made}`};`);
    this.lines.push(
      c.pick([
        `${v}.push_back(${this.small()});`,
        `if (${v}.size() > 1) { std::swap(${v}[0], ${v}.back()); ${v}.pop_back(); }`,
        `${v}.insert(${v}.begin(), ${1 + c.below(3)});`,
        `for (auto& s : ${v}) s = (s + ${c.below(3)}) * 2;`,
        `std::reverse(${v}.begin(), ${v}.end());`,
        `if (!${v}.empty()) ${v}.erase(${v}.begin());`,
        `std::sort(${v}.begin(), ${v}.end());`,
        `${v}.resize(${1 + c.below(4)}, 3);`,
      ]),
    );
    this.lines.push(
      `int64_t ${n} = ${c.pick([
        `std::accumulate(${v}.begin(), ${v}.end(), int64_t{1}, std::multiplies<int64_t>())`,
        `${v}.size()`,
        `${v}.empty() ? 7 : ${v}.back()`,
        `std::accumulate(${v}.begin(), ${v}.end(), 0LL)`,
        `(${t.name}.sizes() == torch::IntArrayRef(${v})) ? 1 : 2`,
      ])};`,
    );
    this.integers.push(n);
    const use = c.below(4);
    if (use < 2) this.declare([1, t.dtype, `flat(torch::empty(${v}, ${t.name}.options()))`]);
    if (use === 2) {
      const which = c.pick(['1', '2', '4', `(int)${n}`]);
      this.lines.push(`run_vectors_of(${which}, dim3(${1 + c.below(5)}, ${1 + c.below(3)}), ${v});`);
    }
  }

  private check(): void {
    const { c } = this;
    const t = c.pick(this.tensors);
    const usually = c.once(12) ? '!' : '';
    const condition = c.pick([
      `${t.name}.is_cuda()`,
      `${t.name}.dim() == ${t.rank}`,
      `${t.name}.numel() >= 0`,
      `${t.name}.scalar_type() == torch::${DTYPES[t.dtype]!.constant}`,
      `${t.name}.defined()`,
      `${t.name}.device().is_cuda() && ${t.name}.dim() < 9`,
      ...(c.once(4) ? [`${t.name}.is_contiguous()`, `${t.name}.numel() > 10`] : []),
    ]);
    this.lines.push(
      `TORCH_CHECK(${usually}(${condition}), "${t.name} is wrong: ", ${t.name}.dim(), " dimensions ", ${t.name}.sizes(), ${c.below(99)}, "!");`,
    );
  }

  /** A pointer to a tensor's elements of its own type, perhaps moved. */
  private pointer(t: KnownTensor): string {
    const { c } = this;
    const { cpp } = DTYPES[t.dtype]!;
    const plain = `${t.name}.data_ptr<${cpp}>()`;
    return c.pick([plain, plain, plain, `${plain} + ${this.small()}`, `static_cast<${cpp}*>(${t.name}.data_ptr())`]);
  }

  private memory(): void {
    const { c } = this;
    const t = c.pick(this.tensors);
    const other = c.pick(this.tensors);
    const bytes = c.pick([
      `${t.name}.nbytes()`,
      `${t.name}.numel() * ${t.name}.element_size()`,
      `${t.name}.numel() * sizeof(${DTYPES[t.dtype]!.cpp})`,
      '1',
    ]);
    const stream = c.pick(['', ', at::cuda::getCurrentCUDAStream()']);
    this.lines.push(
      c.pick([
        `cudaMemsetAsync(${this.pointer(t)}, ${c.pick(['0', '255', '-1', '7'])}, ${bytes}${stream});`,
        `cudaMemcpyAsync(${t.name}.data_ptr(), ${other.name}.data_ptr(), std::min<size_t>(${t.name}.nbytes(), ${other.name}.nbytes()), cudaMemcpyDeviceToDevice${stream});`,
        `${t.name}.zero_();`,
        `${t.name}.fill_(${c.pick(['1', '0.5', '3'])});`,
        `if (${t.name}.sizes() == ${other.name}.sizes()) ${t.name}.copy_(${other.name});`,
      ]),
    );
  }

  private control(): void {
    const { c } = this;
    const t = c.pick(this.tensors);
    const n = this.fresh('n');
    const launch = (): string => this.launchText();
    this.lines.push(
      c.pick([
        `int64_t ${n} = 1; for (int64_t i = 0; i < ${t.name}.dim(); ++i) ${n} *= ${t.name}.size(i);`,
        `int64_t ${n} = 0; for (auto s : ${t.name}.sizes()) { if (s == 1) continue; ${n} += s; }`,
        `int64_t ${n} = ${t.name}.numel(); while (${n} > 1) { ${launch()} ${n} = cdiv(${n}, 16); }`,
        `int ${n} = 0; switch (${t.name}.dim()) { case 1: ${n} = 4; break; case 2: ${launch()} case 3: ${n} = 5; default: ${n} += 1; }`,
        `int ${n} = 2; if (${t.name}.is_contiguous()) { ${launch()} } else if (${t.name}.numel() % 2 == 0) { ${n} = 3; } else { ${launch()} }`,
        `int ${n} = 0; for (int stage = 0; stage < ${1 + c.below(3)}; ++stage) { if (stage == 1) { ${launch()} } ${n} += stage * ${t.name}.dim(); }`,
        `int64_t ${n} = 0; { auto step = [&](int64_t k) { ${n} += k; if (k > 2) { ${launch()} } return ${n}; }; ${n} = step(${t.name}.dim()) + step(1); }`,
      ]),
    );
    this.integers.push(n);
  }

  private dim3(): string {
    const { c } = this;
    return c.pick([
      this.small(),
      `dim3(${this.small()}, ${this.small()})`,
      `dim3(cdiv(${c.pick(this.tensors).name}.numel() + 1, THREADS), ${this.small()}, ${1 + c.below(2)})`,
      `{1u, ${1 + c.below(4)}u}`,
      `(${c.pick(this.tensors).name}.numel() + 255) / 256`,
    ]);
  }

  private launch(): void {
    this.lines.push(this.launchText());
  }

  private launchText(): string {
    const { c } = this;
    const t = c.pick(this.tensors);
    const same = c.pick(this.tensors.filter((o) => o.dtype === t.dtype));
    const { cpp } = DTYPES[t.dtype]!;
    const block = c.pick([
      'THREADS',
      '32',
      '256',
      'dim3(16, 4)',
      'dim3(8, 8, 2)',
      `std::min<int>(1024, ${this.small()} * 32)`,
    ]);
    const grid = this.dim3();
    const shared = c.pick([
      '',
      '',
      '',
      `, ${this.small()} * sizeof(float)`,
      ', 0, at::cuda::getCurrentCUDAStream()',
      `, THREADS * sizeof(${cpp}), at::cuda::getCurrentCUDAStream()`,
    ]);
    const config = grid.startsWith('{') ? `dim3${grid}, ${block}${shared}` : `${grid}, ${block}${shared}`;
    const p = this.pointer(t);
    const q = this.pointer(same);
    const dispatch = c.pick([
      'AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, ',
      'AT_DISPATCH_FLOATING_TYPES(',
      'AT_DISPATCH_ALL_TYPES(',
      'AT_DISPATCH_FLOATING_TYPES_AND_HALF(',
      'AT_DISPATCH_INTEGRAL_TYPES(',
    ]);
    const usual = /int|uint/.test(t.dtype)
      ? 'AT_DISPATCH_ALL_TYPES('
      : 'AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, ';
    const opened = c.once(5) ? dispatch : usual;
    switch (c.below(12)) {
      case 0:
        return `{ move_all<${cpp}, ${c.pick(['64', 'THREADS', '2 * THREADS'])}><<<${config}>>>(${p}, ${q}, ${t.name}.numel()); }`;
      case 1:
        return `{ move_all<<<${config}>>>(${p}, ${q}, ${this.small()}); }`;
      case 2:
        return `{ scale<${cpp}, ${c.pick(['true', 'false', '(THREADS > 64)'])}><<<${config}>>>(${p}, ${c.pick(['1.5', '0.1f', '3', '1.0 / 3'])}, ${this.small()}, ${this.small()}); }`;
      case 3:
        return `{ const bool fast = ${t.name}.numel() % 4 == 0; if (fast) { scale<${cpp}, true, double><<<${config}>>>(${p}, 0.1, 1, 2); } else { scale<${cpp}, false, int><<<${config}>>>(${p}, 7.9, 1, 2); } }`;
      case 4:
        return `{ Shape s{${t.name}.numel(), ${c.below(9)}, ${c.pick(['0.1f', '2', '1e-5'])}}; s.cols += 2; raw<<<${config}>>>(${p}, ${same.name}.data_ptr(), ${t.name}.nbytes(), ${t.name}.is_contiguous(), ${c.pick(['1e-5', '0.1f', '2'])}, ${c.pick(['s', 'Shape{1, 2}', '{s.area(), 1, 0.25f, true}'])}); }`;
      case 5:
        return `run_vectors_of(${c.pick(['1', '2', '4', `${t.name}.dim()`])}, ${grid}, ${t.name}.sizes().vec());`;
      case 6:
        return `run_move<${cpp}, ${c.pick(['32', 'THREADS'])}>(${p}, ${q}, ${t.name}.numel());`;
      case 7:
        return `${opened}${t.name}.scalar_type(), "k", ([&] { move_all<scalar_t><<<${config}>>>(${t.name}.data_ptr<scalar_t>(), ${same.name}.data_ptr<scalar_t>(), ${t.name}.numel()); }));`;
      case 8:
        return `${opened}${t.name}.scalar_type(), "k", [&] { const auto* from = ${t.name}.data_ptr<scalar_t>(); if (sizeof(scalar_t) == 4) { scale<scalar_t, true><<<${config}>>>(from, 2, 3, 4); return; } run_move<scalar_t, 8 * sizeof(scalar_t)>(from, ${same.name}.data_ptr<scalar_t>() + 1, 9); });`;
      case 9:
        return `{ dim3 grid = ${grid.startsWith('{') ? `dim3${grid}` : grid.startsWith('dim3') ? grid : `dim3(${grid})`}; grid.y = ${this.small()}; dim3 block(32); block.y *= 2; if (grid.x > 60) grid.x = cdiv(grid.x, 2); move_all<${cpp}><<<grid, block>>>(${p}, ${q}, grid.x * block.y); C10_CUDA_KERNEL_LAUNCH_CHECK(); }`;
      case 10:
        return `{ auto kernel = ${c.once(2) ? `&move_all<${cpp}, 64>` : `${t.name}.numel() > 9 ? move_all<${cpp}, 64> : move_all<${cpp}, 32>`}; int smem = ${c.pick(['60000', '1024', '49152', '100000', '300000'])}; if (smem > 48 * 1024) { cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, smem); } kernel<<<${grid.startsWith('{') ? `dim3${grid}` : grid}, 64, smem>>>(${p}, ${q}, 5); }`;
      default:
        return `{ const ${cpp}* from = ${p}; ${cpp}* to = ${q}; for (int pass = 0; pass < 2; ++pass) { move_all<${cpp}, 64><<<${config}>>>(from, to, pass); from = to; to = to + ${this.small()}; } }`;
    }
  }
}
