/**
 * Random C++ that computes: expressions over nine variables of nine types, and the statements that change them. Operators are
 * guarded so that most programs are defined; where one is not, g++'s sanitizer traps and the interpreter must object.
 */
import type { Choices } from './random.ts';

/** Declarations that every program can use: structs with constructors, a base and operators; traits; packs; constexpr branches. */
export const LIBRARY = `
struct P { int x; long y = 2; P() : P(3) {} explicit P(int a) : x(a & 63), y(x + 1) {} P(int a, long b) : x(a & 63), y(b & 63) {}
  P operator+(const P& o) const { return P(x + o.x, y + o.y); } bool operator<(const P& o) const { return x < o.x; }
  P& operator+=(int k) { x = (x + (k & 7)) & 63; return *this; } int operator[](int i) const { return i & 1 ? (int)y : x; }
  int operator()(int k) const { return x - k; } int sum() const { return x + (int)y; } };
P operator*(int k, P p) { p += k; return p; }
struct Q : P { int z = 5; short s; Q(int a) : P(a + 1), s(z) { z = x * 2; } int all() { return sum() + z + s; } };
struct Plain { int n; float f; unsigned char c = 7; };
template <typename T> struct W { static constexpr int value = 1; using type = int64_t; };
template <> struct W<float> { static constexpr int value = 3; static constexpr int twice = value * 2; using type = double; };
template <typename T> int width() { typename W<T>::type v = 1; return sizeof(v) * 10 + W<T>::value; }
template <typename... T> auto total(T... v) { return (v + ... + 0); }
template <typename... T> auto less(T... v) { return (... - v); }
template <typename... T> bool every(T... v) { return (... && (v > 1)); }
template <typename T, typename... R> T first(T v, R... r) { return v; }
template <typename... T> int counted(T&&... v) { int n[] = {((int)v & 15)..., (int)sizeof...(v)}; int s = 0; for (int i : n) s = s * 3 + i; return s; }
template <int N> int times(int v) { if constexpr (N > 2) return (v & 255) * N; else return v & 255; }
template <typename F> auto twice(F f, int v) { return f(f(v)); }
enum class E { A = 1, B, C = 8 };
constexpr int pick(E e) { switch (e) { case E::A: return 4; case E::B: return 5; default: return static_cast<int>(e); } }
template <typename T, int N> struct V { static constexpr int id = 1; T v[N]; };
template <typename T> struct V<T, 4> { static constexpr int id = 2; };
template <int N> struct V<double, N> { static constexpr int id = 3; };
template <typename T> struct V<T*, 2> { static constexpr int id = 4; using of = T; };
template <typename T> constexpr int per_vector = 16 / sizeof(T);
template <> constexpr int per_vector<bool> = 99;
struct alignas(16) Wide { float v[3]; char c = 1; };
struct Num { int n; operator int() const { return n; } };
struct Any { int n; template <typename T> Any(T v) : n((int)v & 63) {} };
struct Root { int k = 3; virtual int area() const { return k; } int plain() const { return 1; } int both() const { return area() * 2 + plain(); } virtual ~Root() = default; };
struct Leaf : Root { int s; Leaf(int v) : s(v & 31) {} int area() const override { return s + k; } int plain() const { return 5; } };
static int area_of(const Root& r) { return r.area() * 10 + r.plain(); }
struct Ctx { int& n; long m = 4; void bump(int k) { n = (n + (k & 7)) & 63; m += n; } };
template <typename T, std::enable_if_t<std::is_integral_v<T>, int> = 0> int kind(T) { return 1; }
template <typename T, std::enable_if_t<!std::is_integral_v<T>, int> = 0> int kind(T) { return 2; }
struct Nest { enum { COUNT = 12 }; enum class M { A = 3, B }; struct In { int q = 2; }; static constexpr int T[3] = {1, 4, 9}; };
static int increment(int v) { return (v & 63) + 1; } using Step = int (*)(int);
int over(int v) { return 1; } int over(double v) { return 2; } int over(int64_t v) { return 3; } int over(const P& p) { return 4; } int over(int a, int b) { return 5; }
`;

const TYPES = ['int', 'unsigned', 'int64_t', 'size_t', 'short', 'unsigned char', 'bool', 'float', 'double'];

/** The nine variables, `a` to `i`. */
export const VARIABLES = TYPES.map((type, i) => `${type} ${'abcdefghi'[i]} = ${i + 1};`).join(' ');

/** An expression over the variables and what else is in scope. */
export function expression(c: Choices, depth: number, others: readonly string[] = []): string {
  if (depth === 0 || c.once(5)) {
    return c.pick([
      ...'abcdefghi',
      ...others,
      String(c.below(100)),
      `${c.below(9)}u`,
      `${c.below(50)}LL`,
      `0x${c.below(4096).toString(16)}`,
      `${c.below(20)}.5f`,
      `${c.below(9)}.25`,
      c.pick(["'a'", 'true', 'sizeof(d)', 'sizeof(P)']),
    ]);
  }
  const sub = (): string => expression(c, depth - 1, others);
  const integral = (): string => `((int)(${sub()}) & 1023)`;
  switch (c.below(28)) {
    case 0:
    case 1:
      return `(${sub()} ${c.pick(['+', '-'])} ${sub()})`;
    case 2:
      return `(${sub()} * ${integral()})`;
    case 3:
      return `(${sub()} / (${integral()} + 1))`;
    case 4:
      return `(${integral()} % (${integral()} + 1))`;
    case 5:
      return `(${sub()} ${c.pick(['<', '>', '<=', '>=', '==', '!='])} ${sub()})`;
    case 6:
      return `(${integral()} ${c.pick(['&', '|', '^'])} ${integral()})`;
    case 7:
      return `(${integral()} ${c.pick(['<<', '>>'])} ${c.below(8)})`;
    case 8:
      return `(${sub()} ${c.pick(['&&', '||'])} ${sub()})`;
    case 9:
      return `static_cast<${c.pick(['int64_t', 'float', 'double'])}>(${sub()})`;
    case 10:
      return `(${c.pick(['-', '+', '!'])}(${sub()}))`;
    case 11:
      return `(~${integral()})`;
    case 12:
      return `P(${integral()})${c.pick(['.sum()', '[1]', '(3)', '.x', '.y'])}`;
    case 13:
      return `(P(${integral()}, ${integral()}) + ${c.below(9)} * P(${integral()})).${c.pick(['x', 'y', 'sum()'])}`;
    case 14:
      return `${c.pick(['total', 'less', 'first', 'counted', 'every'])}(${sub()}, ${sub()}, ${integral()})`;
    case 15:
      return c.pick([
        `times<${c.below(5)}>(${integral()})`,
        `width<${c.pick(['float', 'int', 'double'])}>()`,
        `pick(E::${c.pick(['A', 'B', 'C'])})`,
        `W<float>::twice`,
        `over(${c.pick(['a', 'c', 'i', 'a, a', 'P(2)', '1.5f', "'c'", 'true'])})`,
      ]);
    case 16:
      return `[&](${c.pick(['int', 'auto', 'long'])} q) { return q + (${sub()}); }(${integral()})`;
    case 17:
      return `[=, w = ${integral()}](auto v)${c.pick(['', ' -> float', ' -> long'])} { return (v & 15) * w; }(${integral()})`;
    case 18:
      return `${c.pick(['std::min', 'std::max'])}${c.pick(['<int>', '<long>', '<double>'])}(${sub()}, ${integral()})`;
    case 19:
      return c.pick([
        `Q(${integral()}).all()`,
        `Plain{${integral()}, 2.5f}.c`,
        `twice([&](int v) { return (v & 31) + ${c.below(9)}; }, ${integral()})`,
        `(P(${integral()}) < P(${integral()}))`,
      ]);
    // The type of ?: comes from both of its branches, whichever is taken.
    case 20:
      return `(${sub()} ? ${sub()} : ${sub()})`;
    case 21:
      return c.pick([
        `sizeof(${sub()})`,
        `std::abs(${integral()} - 500)`,
        `static_cast<int>(std::is_same_v<std::decay_t<decltype(${sub()})>, ${c.pick(['int', 'double', 'float', 'long', 'unsigned'])}>)`,
      ]);
    case 23:
      return c.pick([
        `V<${c.pick(['float', 'int', 'char', 'float*'])}, ${1 + c.below(4)}>::id`,
        `V<double, ${1 + c.below(3)}>::id`,
        `sizeof(V<int*, 2>::of)`,
        `per_vector<${c.pick(['float', 'bool', 'long', 'int'])}>`,
        `sizeof(Wide)`,
        `(Nest::COUNT + (int)Nest::M::B + Nest::In().q + Nest::T[${c.below(3)}])`,
      ]);
    case 24:
      return `(Num{${integral()}} ${c.pick(['+', '-', '<', '*'])} ${c.below(9)})`;
    case 25:
      // Doubled, because g++ 12 takes `Any([](auto q) {...}(1))` for a declaration.
      return `Any((${sub()})).n`;
    case 26:
      return c.pick([`area_of(Leaf(${integral()}))`, `Leaf(${integral()}).both()`, `Leaf(${integral()}).plain()`]);
    case 27:
      return c.pick([
        `kind(${sub()})`,
        `(std::is_signed_v<std::decay_t<decltype(${sub()})>> ? 1 : 2)`,
        `__builtin_popcount(${integral()})`,
      ]);
    case 22:
      return `(${integral()} * 1.0${c.pick(['', 'f'])} / ${1 + c.below(9)})`;
    default:
      return `(${sub()} ? ${integral()} : ${integral()})`;
  }
}

/** A statement that changes the variables: assignments, loops, branches, containers. */
export function statement(c: Choices, depth: number, others: readonly string[] = []): string {
  const variable = (): string => 'abcdefghi'[c.below(9)]!;
  const small = (): string => 'abcd'[c.below(4)]!;
  const inner = (): string => statement(c, depth - 1, others);
  const value = (n: number): string => expression(c, n, others);
  switch (depth === 0 ? 0 : c.below(22)) {
    case 1:
      return `if (${value(2)}) { ${inner()} } else { ${inner()} }`;
    case 2:
      return `for (int k${depth} = 0; k${depth} < ${1 + c.below(4)}; ++k${depth}) { ${inner()} if (${variable()} > 1000) break; }`;
    case 3:
      return `switch (${c.below(3)}) { case 0: ${inner()} break; case 1: ${inner()} default: ${inner()} }`;
    case 4:
      return `{ auto t = ${value(2)}; int k = (int)t & 7; do { ${variable()} = k--; } while (k > 0); }`;
    case 5:
      return `{ auto& r = ${variable()}; r = (int)(${value(2)}) & 127; ${inner()} }`;
    case 6:
      return `{ std::vector<int> v = {${c.below(9)}, (int)(${value(1)}) & 63}; v.push_back(${c.below(9)}); for (auto& each : v) each += 1; for (int each : v) { if (each == 3) continue; ${variable()} = each & 63; } ${small()} = v.back() + v.size(); }`;
    case 7:
      return `{ auto fn = [&](int n) { ${variable()} = n & 63; ${inner()} }; fn(${c.below(99)}); fn(${c.below(99)}); }`;
    case 8:
      return `{ P p(${c.below(99)}); Q q(${c.below(99)}); p += ${c.below(9)}; p.y = q.x; auto [u, w] = p; ${small()} = u + w + q.all() + (P()).y; }`;
    case 9:
      return `if (int n = (int)(${value(2)}) & 3) { ${small()} = n; ${inner()} } else { ${inner()} }`;
    case 10:
      return `{ int t[3] = {1, (int)(${value(1)}) & 31}; int* p = t; *(p + 2) = p[1]; p++; *p += 4; ${small()} = t[0] + t[1] * 2 + t[2]; }`;
    case 11:
      return `{ std::map<int, int> m; m[${c.below(5)}] += 2; m[(int)(${value(1)}) & 7] = ${c.below(50)}; m.insert({9, ${c.below(9)}}); int s = 0; for (const auto& [k, v] : m) s = s * 5 + k + v; auto at = m.find(${c.below(9)}); if (at != m.end()) s += at->second; ${'abc'[c.below(3)]} = (s + (int)m.size() + (int)m.count(2)) & 255; }`;
    case 12:
      return `{ std::optional<int> o; if (${value(1)}) o = ${c.below(99)}; std::pair<int, float> p{o.value_or(7), 1.5f}; ${'acd'[c.below(3)]} = p.first + (o ? *o : 1); }`;
    case 13:
      return `{ std::array<int, 4> v{${c.below(9)}, ${c.below(9)}, (int)(${value(1)}) & 31}; std::${c.pick(['swap(v[0], v[2])', 'reverse(v.begin(), v.end())', 'fill(v.begin(), v.end(), 3)', 'swap(v[1], v[3])'])}; auto [p, q] = std::make_pair(v[0], v[3] + 1); std::tie(p, q) = std::make_tuple(q, p); ${small()} = std::accumulate(v.begin(), v.end(), ${c.below(9)}) + p * 3 + q + *std::max_element(v.begin(), v.end()); }`;
    case 14:
      return `try { if (${value(1)}) { ${c.pick([`TORCH_CHECK(${c.below(2)} > 0, "n")`, 'throw std::runtime_error("n")', `throw std::invalid_argument("m")`])}; } ${inner()} } catch (const std::${c.pick(['exception', 'runtime_error'])}& err) { ${small()} = ${c.below(90)}; }`;
    case 15:
      return `{ std::function<int(int)> go = [&](int n) -> int { return n < 2 ? ${c.below(9)} : n + go(n - ${1 + c.below(2)}); }; ${small()} = go(${c.below(12)}); std::string s = "x" + std::to_string((int)(${value(1)}) & 99); ${small()} = s.size() * 3 + (s == "x7" ? 1 : 0); }`;
    case 17:
      return `{ int n = (int)(${value(1)}) & 63; Ctx k{n}; k.bump(${c.below(20)}); Ctx same = k; same.bump(${c.below(9)}); ${small()} = n * 2 + (int)k.m; }`;
    case 18:
      return `{ Leaf l((int)(${value(1)}) & 63); Root& r = l; const Root* p = &l; Root copied = l; r.k = ${c.below(9)}; ${small()} = r.both() + p->area() * 3 + r.plain() + copied.area(); }`;
    case 19:
      return `{ std::ostringstream s; s << "n" << ((int)(${value(1)}) & 1023) << ' ' << ${c.pick(['1.5f', '0.1', '1e-9', '123456789.0', 'true', '3u'])}; std::string t = s.str(); t += "z"; ${small()} = (int)t.size() + (int)(t.find("5") & 31) + (t.substr(1, 1) == "4" ? 7 : 0); }`;
    case 20:
      return `{ struct L { int n${c.pick(['', ' = 4'])}; int m = 5; int sum() const { return n + m; } }; std::vector<L> v; v.push_back({${c.below(9)}}); v.push_back(L{1, 2}); std::vector<std::vector<int>> w = {{1, ${c.below(9)}}, {3}}; w[1].push_back(v[0].sum()); std::sort(w.begin(), w.end(), [](const auto& p, const auto& q) { return p.size() + p[0] > q.size() + q[0]; }); ${small()} = w[0].back() + v[1].sum() * 2 + (w[0] < w[1] ? 1 : 0); }`;
    case 21:
      return `{ Step once = increment; int (*picked)(int) = ${value(1)} ? increment : times<3>; Step all[] = {once, picked, &increment}; ${small()} = all[${c.below(3)}](${c.below(60)}) + picked(once(${c.below(9)})); }`;
    case 16:
      return `{ int k = (int)(${value(1)}) & 15; while (k > 0) { k >>= 1; if (k == 2) continue; ${variable()} = k; } }`;
    default: {
      const operator = c.pick(['=', '=', '+=', '-=', '^=', '|=', '*=', '<<=', '>>=', '%=']);
      if (operator === '<<=' || operator === '>>=') return `${small()} ${operator} ${c.below(5)};`;
      if (operator === '%=') return `${small()} %= ${1 + c.below(50)};`;
      // Floats have no bit operators; the integers are narrowed so that they stay small.
      const target = '^|'.includes(operator[0]!) ? small() : variable();
      return `${target} ${operator} ((int)(${value(3)}) & ${operator === '*=' ? 3 : 255});`;
    }
  }
}
