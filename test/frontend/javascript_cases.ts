/** @file Functions whose Python twins stand in make_javascript_cases.py; the graphs and code that PyTorch makes of those are in javascript_cases.json. */
import { jit, nn, torch, type Tensor, type float, type int } from "../../src/node/index.ts";

const F = nn.functional;
const assert: typeof jit.assert = jit.assert;
const HALF = 0.5;

function gate(x: Tensor): Tensor {
  if (x.sum().item() > 0) return x;
  return x.neg();
}

function ternary(x: Tensor) {
  return x.sum().item() > 0 ? x : x.neg();
}

function branches(x: Tensor, n: int) {
  let y;
  if (n === 0) y = x.relu();
  else if (n < 3 && n !== 1) y = x.tanh();
  else y = x.mul(2);
  return y;
}

function logic(a: boolean, b: boolean, n: int) {
  const c = (a && !b) || n > 3;
  return c;
}

function flag(x: Tensor, use = true) {
  if (use) x = x.add(1);
  return x;
}

function counted(x: Tensor, n: int) {
  for (let i = 0; i < n; i++) x = x.add(i);
  return x;
}

function counted_from(n: int) {
  let total = 0;
  for (let i = 1; i <= n; i++) total = total + i;
  return total;
}

function counted_steps(n: int) {
  let total = 0;
  for (let i = 0; i < n; i += 2) total += i;
  for (let j = n - 1; j >= 0; j--) total -= j;
  return total;
}

function over_range(x: Tensor, n: int) {
  for (const i of torch.range(n)) x = x.mul(i + 1);
  return x;
}

function over_list(xs: Tensor[]) {
  let out = xs[0]!;
  for (const x of xs) out = out.add(x);
  return out;
}

function over_entries(xs: Tensor[]) {
  let out = xs[0]!;
  for (const [i, x] of xs.entries()) out = out.add(x.mul(i));
  return out;
}

function over_map(d: Map<string, Tensor>) {
  let out = torch.zeros([2]);
  for (const [k, v] of d) {
    if (k !== "skip") out = out.add(v);
  }
  return out;
}

function loop_while(x: Tensor, limit: float) {
  let n = 0;
  while (x.sum().item() < 100) {
    x = x.mul(2);
    n += 1;
    if (n > 10) break;
    if (n === 2) continue;
    x = x.add(limit);
  }
  return [x, n];
}

function early(x: Tensor, n: int) {
  for (let i = 0; i < n; i++) {
    if (i === 3) return x;
    x = x.add(1);
  }
  return x.neg();
}

function numbers(a: int, b: int, x: float) {
  const c = a + b * 2 - 1;
  const d = a / b;
  const e = Math.floor(a / b);
  const f = -a;
  const g = x ** 2.0;
  const h = Math.sqrt(x) + Math.floor(x) + Math.PI;
  return [c, d, e, f, g, h];
}

function remainder(n: int) {
  if (n % 2 === 0) return 1;
  return 0;
}

function trig(x: float) {
  return Math.sin(x) * Math.cos(x) + Math.exp(-x) + Math.abs(x) + Math.atan2(x, 2.0);
}

function minmax(a: int, b: int) {
  return [Math.max(a, b) - Math.min(a, b), Math.trunc(2.7)];
}

function pair(x: Tensor, y: Tensor) {
  return [x, y] as const;
}

function use_pair(x: Tensor, y: Tensor) {
  let [a, b] = pair(x, y);
  [a, b] = [b, a];
  return a.add(b);
}

function nested_tuple(x: Tensor, n: int) {
  return [x, [n, "text"]];
}

function list_build(x: Tensor, n: int) {
  const out: Tensor[] = [];
  for (let i = 0; i < n; i++) out.push(x.add(i));
  return torch.stack(out);
}

function list_methods(xs: int[]) {
  const ys = [1, 2, 3];
  ys.push(xs.length);
  const last = ys.pop();
  const zs = ys.slice(1);
  const has = zs.includes(2);
  const both = xs.concat(ys);
  return [both, last, has, xs.at(-1)];
}

function spread(xs: int[], y: int): int[] {
  return [0, ...xs, y];
}

function mapped(xs: Tensor[]) {
  return xs.map((x) => x.relu());
}

function mapped_index(xs: Tensor[]) {
  return xs.map((x, i) => x.mul(i));
}

function from_length(n: int) {
  return Array.from({ length: n }, (_, i) => i * i);
}

function record(x: Tensor) {
  const d: Record<string, Tensor> = { a: x, b: x.neg() };
  d["c"] = d["a"]!.add(d["b"]!);
  return d;
}

function mapping(x: Tensor) {
  const m = new Map([["a", x]]);
  m.set("b", x.add(1));
  let y = m.get("b")!;
  if (m.has("c")) y = m.get("c")!;
  const z = m.get("d") ?? y;
  m.delete("a");
  return [y.add(z), m.size];
}

function optional(x: Tensor, bias: Tensor | null = null) {
  if (bias !== null) x = x.add(bias);
  return x;
}

function coalesce(x: Tensor, scale: float | null = null) {
  const s = scale ?? 2.0;
  return x.mul(s);
}

function template(name: string, n: int) {
  return `${name} has ${n} items` + "!";
}

function checks(x: Tensor, n: int) {
  assert(n > 0, "n must be positive");
  if (n > 100) throw new RangeError(`too many: ${n}`);
  return x.div(n);
}

function functional(x: Tensor, w: Tensor) {
  let y = F.linear(x, w);
  y = F.relu(y);
  y = F.max_pool1d(y, 2, { stride: 1, ceilMode: true });
  return F.softmax(y, -1);
}

function keywords(x: Tensor) {
  const y = x.sum([0], true);
  return torch.zeros([2, 3], { dtype: torch.float64 }).add(y.to(torch.float64));
}

function helper_calls(x: Tensor) {
  return gate(x).mul(HALF);
}

function shapes(x: Tensor) {
  const b = x.shape[0]!;
  const c = x.size(1);
  return [x.view(b * c), x.dim(), x.shape.length, x.numel];
}

function selecting(x: Tensor) {
  return x.select(0, 0).add(x.narrow(1, 0, 2));
}

function annotated(n: int) {
  const xs: int[] = [];
  let y: int | null = null;
  for (let i = 0; i < n; i++) {
    xs.push(i);
    y = i;
  }
  return [xs, y];
}

function is_type(x: Tensor | null) {
  if (jit.isinstance(x, "Tensor")) return x!.add(1);
  return torch.zeros([1]);
}

function item_value(x: Tensor) {
  const s = x.sum().item();
  return s;
}

function any_item(x: Tensor) {
  if (x.gt(0).any().item()) return 1;
  return 0;
}

function multi(x: Tensor) {
  const [values, indices] = x.max(1);
  return [values, indices];
}

function switched(mode: string, x: Tensor) {
  let y;
  switch (mode) {
    case "relu":
      y = x.relu();
      break;
    case "tanh":
    case "th":
      y = x.tanh();
      break;
    default:
      throw new Error("unknown mode");
  }
  return y;
}

function float_literals(x: Tensor) {
  const y = x.mul(2.0).add(1e-3);
  return y.sub(0.5);
}

function inplace(x: Tensor) {
  const y = x.clone();
  y.add_(1);
  y.mul_(2);
  return y;
}

function split_text(s: string) {
  const parts = s.split(",");
  return [parts, s.startsWith("a"), parts.join(";")];
}

function own_list(name: string, given: string[] | null = null) {
  const names: string[] = given ?? [];
  names.push(name);
  return names;
}

function own_dict(x: Tensor, given: Map<string, Tensor> | null = null) {
  const seen: Map<string, Tensor> = given ?? new Map();
  seen.set("x", x);
  return seen;
}

const row = (): Tensor => torch.tensor([1.5, -2.5]);
const grid = (): Tensor => torch.tensor([[1.5, -2.5, 3.5], [0.5, 4.5, -1.5]]); // prettier-ignore
const list = (): Tensor[] => [row(), row().mul(3)];

/** A function and arguments to run it with, eagerly and compiled. */
export interface JavaScriptCase {
  readonly fn: (...args: never[]) => unknown;
  readonly calls: readonly (() => readonly unknown[])[];
}

const one = (fn: (...args: never[]) => unknown, ...calls: (() => readonly unknown[])[]): JavaScriptCase => ({
  fn,
  calls,
});

/** All cases. */
export const CASES: readonly JavaScriptCase[] = [
  one(
    gate,
    () => [row()],
    () => [row().neg()],
  ),
  one(ternary, () => [row()]),
  one(
    branches,
    () => [row(), 0],
    () => [row(), 1],
    () => [row(), 2],
  ),
  one(
    logic,
    () => [true, true, 1],
    () => [true, false, 1],
    () => [false, true, 4],
  ),
  one(
    flag,
    () => [row()],
    () => [row(), false],
  ),
  one(
    counted,
    () => [row(), 0],
    () => [row(), 4],
  ),
  one(counted_from, () => [4]),
  one(counted_steps, () => [7]),
  one(over_range, () => [row(), 3]),
  one(over_list, () => [list()]),
  one(over_entries, () => [list()]),
  one(over_map, () => [new Map([["a", row()], ["skip", row()], ["b", row()]])]), // prettier-ignore
  one(loop_while, () => [row().add(3), 0.5]),
  one(
    early,
    () => [row(), 2],
    () => [row(), 9],
  ),
  one(
    numbers,
    () => [7, 2, 2.25],
    () => [-7, 2, 0.5],
  ),
  one(
    remainder,
    () => [3],
    () => [-4],
  ),
  one(trig, () => [0.75]),
  one(minmax, () => [3, -4]),
  one(pair, () => list()),
  one(use_pair, () => list()),
  one(nested_tuple, () => [row(), 3]),
  one(list_build, () => [row(), 3]),
  one(list_methods, () => [[4, 5, 6]]),
  one(spread, () => [[4, 5], 6]),
  one(mapped, () => [list()]),
  one(mapped_index, () => [list()]),
  one(from_length, () => [4]),
  one(record, () => [row()]),
  one(mapping, () => [row()]),
  one(
    optional,
    () => [row()],
    () => [row(), row()],
  ),
  one(
    coalesce,
    () => [row()],
    () => [row(), 0.5],
  ),
  one(template, () => ["box", 3]),
  one(checks, () => [row(), 4]),
  one(functional, () => [grid(), grid()]),
  one(keywords, () => [grid()]),
  one(helper_calls, () => [row()]),
  one(shapes, () => [grid()]),
  one(selecting, () => [grid().narrow(1, 0, 2)]),
  one(
    annotated,
    () => [0],
    () => [3],
  ),
  one(
    is_type,
    () => [row()],
    () => [null],
  ),
  one(item_value, () => [row()]),
  one(
    any_item,
    () => [row()],
    () => [row().abs().neg()],
  ),
  one(multi, () => [grid()]),
  one(
    switched,
    () => ["relu", row()],
    () => ["th", row()],
  ),
  one(float_literals, () => [row()]),
  one(inplace, () => [row()]),
  one(split_text, () => ["a,b"]),
  // the same call twice: no list is kept from the first
  { fn: own_list, calls: [() => ["a"], () => ["a"], () => ["a", ["b"]]] },
  { fn: own_dict, calls: [() => [row()], () => [row()]] },
];
