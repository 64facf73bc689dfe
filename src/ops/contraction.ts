/** @file Contractions over named or numbered dimensions: einsum, tensordot, chains, kron, cross, bilinear. Upstream: aten/src/ATen/native/Linear.cpp, LinearAlgebra.cpp, Cross.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { convertTensor } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { cppScalarName } from "../tensor/kernels/matmul.ts";
import { promoteTypes } from "../tensor/promotion.ts";
import { broadcastShapes, numelOf, wrapDim } from "../tensor/strides.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { diagonalView, formatList, permuteView, selectView, unsqueezeView } from "../tensor/view_geometry.ts";
import { bmm, matmul, mm } from "./matrix.ts";
import { conj, expand, reshape } from "./views.ts";

function multiply(a: Tensor, b: Tensor): Tensor {
  return callOperator("aten::mul.Tensor", [a, b]) as Tensor;
}

/** Sums, keeping the dimensions; ints become int64 unless `keepsDtype`. */
function sumDims(t: Tensor, dims: readonly number[], keepsDtype = false): Tensor {
  return dims.length === 0
    ? t
    : (callOperator("aten::sum.dim_IntList", [t, [...dims], true, keepsDtype ? t.dtype.id : null]) as Tensor);
}

/** Sums over the dimensions of `sum`, which both operands keep (size 1 where absent); a batched matrix product does the rest. */
function sumProduct(leftIn: Tensor, rightIn: Tensor, sum: readonly number[]): Tensor {
  let left = leftIn;
  let right = rightIn;
  const ndim = left.ndim;
  const batch: number[] = [];
  const onlyLeft: number[] = [];
  const onlyRight: number[] = [];
  const joint: number[] = [];
  for (let d = 0; d < ndim; d++) {
    const inLeft = left.sizes[d] !== 1;
    const inRight = right.sizes[d] !== 1;
    if (sum.includes(d)) {
      if (inLeft && inRight) joint.push(d);
      else if (inLeft) left = sumDims(left, [d]);
      else if (inRight) right = sumDims(right, [d]);
    } else if (inLeft && inRight) batch.push(d);
    else if (inLeft) onlyLeft.push(d);
    else onlyRight.push(d);
  }
  const size = (t: Tensor, dims: readonly number[]): number => dims.reduce((n, d) => n * t.sizes[d]!, 1);
  const ones = sum.filter((d) => !joint.includes(d));
  const a = reshape(permuteView(left, [...batch, ...onlyLeft, ...joint, ...onlyRight, ...ones]), [
    size(left, batch),
    size(left, onlyLeft),
    size(left, joint),
  ]);
  const b = reshape(permuteView(right, [...batch, ...joint, ...onlyRight, ...onlyLeft, ...ones]), [
    size(right, batch),
    size(right, joint),
    size(right, onlyRight),
  ]);
  const product = bmm(a, b);
  const order = [...batch, ...onlyLeft, ...onlyRight, ...sum];
  const sizes = [
    ...batch.map((d) => left.sizes[d]!),
    ...onlyLeft.map((d) => left.sizes[d]!),
    ...onlyRight.map((d) => right.sizes[d]!),
    ...sum.map(() => 1),
  ];
  const shaped = reshape(product, sizes);
  const back = new Array<number>(ndim);
  order.forEach((d, i) => (back[d] = i));
  return permuteView(shaped, back);
}

const LABELS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

interface Operand {
  /** Subscripts; "." stands for one ellipsis of `ellipsis` dimensions. */
  readonly labels: string[];
}

function parseSide(text: string, index: number): Operand {
  const labels: string[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === " ") continue;
    if (c === ".") {
      if (labels.includes("."))
        throw new OperatorError(
          `einsum(): found '.' for ${index < 0 ? "output" : `operand ${index}`} for which an ellipsis was already found`,
        );
      if (text.slice(i, i + 3) !== "...") {
        throw new OperatorError(
          `einsum(): found '.' for ${index < 0 ? "output" : `operand ${index}`} that is not part of any ellipsis`,
        );
      }
      labels.push(".");
      i += 2;
      continue;
    }
    if (!LABELS.includes(c))
      throw new OperatorError(
        `einsum(): invalid subscript given at index ${i} in the equation string, subscripts must be in [a-zA-Z]`,
      );
    labels.push(c);
  }
  return { labels };
}

function einsum(equation: string, tensors: readonly Tensor[], path: readonly number[] | null): Tensor {
  if (tensors.length === 0) throw new OperatorError("einsum(): must provide at least one operand");
  const arrow = equation.indexOf("->");
  const lhs = (arrow < 0 ? equation : equation.slice(0, arrow)).split(",");
  if (lhs.length > tensors.length)
    throw new OperatorError("einsum(): fewer operands were provided than specified in the equation");
  if (lhs.length < tensors.length)
    throw new OperatorError("einsum(): more operands were provided than specified in the equation");
  const operands = lhs.map(parseSide);
  let ellipsis = 0;
  operands.forEach((o, i) => {
    const named = o.labels.filter((l) => l !== ".").length;
    const t = tensors[i]!;
    const has = o.labels.includes(".");
    if (has ? named > t.ndim : named !== t.ndim) {
      throw new OperatorError(
        `einsum(): the number of subscripts in the equation (${named})${has ? " is more than the number of dimensions (" : " does not match the number of dimensions ("}${t.ndim}) for operand ${i}${has ? "" : " and no ellipsis was given"}`,
      );
    }
    if (has) ellipsis = Math.max(ellipsis, t.ndim - named);
  });
  const counts = new Map<string, number>();
  for (const o of operands) for (const l of o.labels) counts.set(l, (counts.get(l) ?? 0) + 1);
  let output: string[];
  if (arrow < 0) {
    output = [...(counts.has(".") ? ["."] : []), ...[...LABELS].sort().filter((l) => counts.get(l) === 1)];
  } else {
    output = parseSide(equation.slice(arrow + 2), -1).labels;
    output.forEach((l, i) => {
      if (output.indexOf(l) !== i)
        throw new OperatorError(`einsum(): output subscript ${l} appears more than once in the output`);
      if (l !== "." && !counts.has(l)) {
        throw new OperatorError(
          `einsum(): output subscript ${l} does not appear in the equation for any input operand`,
        );
      }
    });
  }
  // result dimensions first, then those that are summed
  const place = new Map<string, number>();
  let at = 0;
  for (const l of output) {
    if (l === ".") for (let e = 0; e < ellipsis; e++) place.set(`.${e}`, at++);
    else place.set(l, at++);
  }
  const outDims = at;
  if (!output.includes(".")) for (let e = 0; e < ellipsis; e++) place.set(`.${e}`, at++);
  for (const l of [...LABELS].sort()) if (counts.has(l) && !place.has(l)) place.set(l, at++);
  const total = at;
  const sizes = new Array<number>(total).fill(1);
  const aligned = operands.map((o, i) => alignOperand(o, tensors[i]!, i, ellipsis, place, total, sizes));
  const list = [...aligned];
  const lastUse = (dim: number, among: readonly Tensor[]): boolean => among.every((t) => t.sizes[dim] === 1);
  const order = path ?? defaultPath(list.length);
  let step = 0;
  while (list.length > 1) {
    const i = order[step * 2] ?? 0;
    const j = order[step * 2 + 1] ?? 1;
    step++;
    const [first, second] = [Math.min(i, j), Math.max(i, j)];
    const b = list.splice(second, 1)[0]!;
    const a = list.splice(first, 1)[0]!;
    const onlyA: number[] = [];
    const onlyB: number[] = [];
    const both: number[] = [];
    for (let d = outDims; d < total; d++) {
      if (!lastUse(d, list)) continue;
      if (a.sizes[d] !== 1) (b.sizes[d] !== 1 ? both : onlyA).push(d);
      else if (b.sizes[d] !== 1) onlyB.push(d);
    }
    const left = sumDims(a, onlyA);
    const right = sumDims(b, onlyB);
    const product = both.length === 0 ? multiply(left, right) : sumProduct(left, right, both);
    if (path === null) list.unshift(product);
    else list.push(product);
  }
  let result = list[0]!;
  const rest = Array.from({ length: total - outDims }, (_, k) => outDims + k);
  // a single operand is summed over dimensions of one element too, which makes small ints int64
  const open = tensors.length === 1 ? rest : rest.filter((d) => result.sizes[d] !== 1);
  if (open.length > 0) result = sumDims(result, open);
  result = reshapeDrop(result, outDims);
  return result;
}

function reshapeDrop(t: Tensor, keep: number): Tensor {
  return viewOf(t, t.sizes.slice(0, keep), t.strides.slice(0, keep));
}

function defaultPath(count: number): number[] {
  const out: number[] = [];
  for (let i = 1; i < count; i++) out.push(0, 1);
  return out;
}

function alignOperand(
  o: Operand,
  tensor: Tensor,
  index: number,
  ellipsis: number,
  place: ReadonlyMap<string, number>,
  total: number,
  sizes: number[],
): Tensor {
  let t = tensor;
  const named = o.labels.filter((l) => l !== ".").length;
  const own = o.labels.includes(".") ? t.ndim - named : 0;
  let labels = o.labels.flatMap((l) =>
    l === "." ? Array.from({ length: own }, (_, e) => `.${ellipsis - own + e}`) : [l],
  );
  // repeated subscripts take the diagonal
  for (let d = labels.length - 1; d >= 0; d--) {
    const first = labels.indexOf(labels[d]!);
    if (first === d) continue;
    if (t.sizes[first] !== t.sizes[d]) {
      throw new OperatorError(
        `einsum(): subscript ${labels[d]} is repeated for operand ${index} but the sizes don't match, ${t.sizes[d]} != ${t.sizes[first]}`,
      );
    }
    t = diagonalView(t, 0, first, d);
    labels = [...labels.filter((_, k) => k !== first && k !== d), labels[d]!];
  }
  const outSizes = new Array<number>(total).fill(1);
  const outStrides = new Array<number>(total).fill(0);
  labels.forEach((l, d) => {
    const p = place.get(l)!;
    const size = t.sizes[d]!;
    if (sizes[p] !== 1 && size !== 1 && sizes[p] !== size) {
      throw new OperatorError(
        `einsum(): subscript ${l.startsWith(".") ? "..." : l} has size ${size} for operand ${index} which does not broadcast with previously seen size ${sizes[p]}`,
      );
    }
    if (size !== 1) sizes[p] = size;
    outSizes[p] = size;
    outStrides[p] = t.strides[d]!;
  });
  return viewOf(t, outSizes, outStrides);
}

op("aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor", einsum);

export const tensordot = op(
  "aten::tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor",
  (self, other, dimsSelf, dimsOther) => {
    if (dimsSelf.length !== dimsOther.length) throw new OperatorError("both dimension lists should have same length");
    if (self.dtype !== other.dtype) throw new OperatorError("both inputs should have same dtype");
    const a = dimsSelf.map((d) => wrapDim(d, self.ndim));
    const b = dimsOther.map((d) => wrapDim(d, other.ndim));
    let left = self;
    let right = other;
    a.forEach((d, i) => {
      const m = self.sizes[d]!;
      const n = other.sizes[b[i]!]!;
      if (m === 1 && n !== 1) right = sumDims(right, [b[i]!], true);
      else if (n === 1 && m !== 1) left = sumDims(left, [d], true);
      else if (m !== n) {
        throw new OperatorError(
          `contracted dimensions need to match, but first has size ${m} in dim ${dimsSelf[i]} and second has size ${n} in dim ${dimsOther[i]}`,
        );
      }
    });
    const freeA = left.sizes.map((_, d) => d).filter((d) => !a.includes(d));
    const freeB = right.sizes.map((_, d) => d).filter((d) => !b.includes(d));
    const k = a.reduce((n, d) => n * left.sizes[d]!, 1);
    const sizes = [...freeA.map((d) => left.sizes[d]!), ...freeB.map((d) => right.sizes[d]!)];
    const x = reshape(permuteView(left, [...freeA, ...a]), [numelOf(freeA.map((d) => left.sizes[d]!)), k]);
    const y = reshape(permuteView(right, [...b, ...freeB]), [k, numelOf(freeB.map((d) => right.sizes[d]!))]);
    return reshape(mm(x, y), sizes);
  },
);

/** The cheapest order of a chain of matrix products, by dynamic programming. */
function chain(matrices: readonly Tensor[]): Tensor {
  const n = matrices.length;
  const p = [matrices[0]!.sizes[0]!, ...matrices.map((m) => m.sizes[1]!)];
  const cost = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const split = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let length = 1; length < n; length++) {
    for (let i = 0; i + length < n; i++) {
      const j = i + length;
      cost[i]![j] = Infinity;
      for (let k = i; k < j; k++) {
        const c = cost[i]![k]! + cost[k + 1]![j]! + p[i]! * p[k + 1]! * p[j + 1]!;
        if (c < cost[i]![j]!) {
          cost[i]![j] = c;
          split[i]![j] = k;
        }
      }
    }
  }
  const product = (i: number, j: number): Tensor =>
    i === j ? matrices[i]! : mm(product(i, split[i]![j]!), product(split[i]![j]! + 1, j));
  return product(0, n - 1);
}

op("aten::chain_matmul(Tensor[] matrices) -> Tensor", (matrices) => {
  if (matrices.length === 0) throw new OperatorError("chain_matmul(): Expected one or more matrices");
  for (const m of matrices)
    if (m.ndim !== 2) throw new OperatorError(`Tensor of size ${formatList(m.sizes)} is not 2-D`);
  return matrices.length === 1 ? matrices[0]! : chain(matrices);
});

op("aten::linalg_multi_dot(Tensor[] tensors) -> Tensor", (tensors) => {
  const n = tensors.length;
  if (n < 2) throw new OperatorError("multi_dot(): expected at least 2 tensors but got " + n);
  const first = tensors[0]!;
  const last = tensors[n - 1]!;
  if (first.ndim !== 1 && first.ndim !== 2)
    throw new OperatorError(`multi_dot(): the first tensor must be 1D or 2D but got ${first.ndim}D`);
  if (last.ndim !== 1 && last.ndim !== 2)
    throw new OperatorError(`multi_dot(): the last tensor must be 1D or 2D but got ${last.ndim}D`);
  tensors.forEach((t, i) => {
    if (i > 0 && i < n - 1 && t.ndim !== 2)
      throw new OperatorError(`multi_dot(): tensor ${i} must be 2D but got ${t.ndim}D`);
    if (t.dtype !== first.dtype)
      throw new OperatorError(
        `multi_dot(): all tensors must have be the same dtype but tensor 0 is ${first.dtype.cppName} and tensor ${i} ${t.dtype.cppName}`,
      );
  });
  const list = [...tensors];
  const sizes: number[] = [];
  if (first.ndim === 1) list[0] = unsqueezeView(first, 0);
  else sizes.push(first.sizes[0]!);
  if (last.ndim === 1) list[n - 1] = unsqueezeView(last, 1);
  else sizes.push(last.sizes[1]!);
  for (let i = 0; i + 1 < n; i++) {
    if (list[i]!.sizes[1] !== list[i + 1]!.sizes[0]) {
      throw new OperatorError(
        `multi_dot(): tensors ${i} and ${i + 1} with shapes ${formatList(tensors[i]!.sizes)} and ${formatList(tensors[i + 1]!.sizes)} cannot be multiplied`,
      );
    }
  }
  return reshape(chain(list), sizes);
});

op("aten::kron(Tensor self, Tensor other) -> Tensor", (self, other) => {
  const ndim = Math.max(self.ndim, other.ndim);
  const pad = (t: Tensor): number[] => [...new Array<number>(ndim - t.ndim).fill(1), ...t.sizes];
  const a = pad(self);
  const b = pad(other);
  const left = reshape(
    self,
    a.flatMap((s) => [s, 1]),
  );
  const right = reshape(
    other,
    b.flatMap((s) => [1, s]),
  );
  return reshape(
    multiply(left, right),
    a.map((s, d) => s * b[d]!),
  );
});

function crossProduct(self: Tensor, other: Tensor, dimIn: number): Tensor {
  if (self.ndim !== other.ndim) {
    throw new OperatorError(`linalg.cross: inputs must have the same number of dimensions.`);
  }
  const sizes = broadcastShapes(self.sizes, other.sizes);
  const dim = wrapDim(dimIn, sizes.length);
  if (self.sizes[dim] !== 3 || other.sizes[dim] !== 3) {
    throw new OperatorError(
      `linalg.cross: inputs dimension ${dimIn} must have length 3. Got ${self.sizes[dim]} and ${other.sizes[dim]}`,
    );
  }
  const dtype = promoteTypes(self.dtype, other.dtype);
  if (dtype === DTYPES.bool) throw new OperatorError(`"cross" not implemented for 'Bool'`);
  const a = convertTensor(expand(self, [...sizes]), dtype);
  const b = convertTensor(expand(other, [...sizes]), dtype);
  const at = (t: Tensor, i: number): Tensor => selectView(t, dim, i);
  const part = (i: number, j: number): Tensor =>
    callOperator("aten::sub.Tensor", [multiply(at(a, i), at(b, j)), multiply(at(a, j), at(b, i)), 1]) as Tensor;
  return callOperator("aten::stack", [[part(1, 2), part(2, 0), part(0, 1)], dim]) as Tensor;
}

op("aten::linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor", crossProduct);
op("aten::cross(Tensor self, Tensor other, int? dim=None) -> Tensor", (self, other, dim) => {
  if (dim !== null) return crossProduct(self, other, dim);
  const found = self.sizes.findIndex((s) => s === 3);
  if (found < 0) throw new OperatorError("no dimension of size 3 in input");
  return crossProduct(self, other, found);
});

op("aten::linalg_vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor", (x, y, dim) => {
  if (x.dtype.category !== "float" && x.dtype.category !== "complex") {
    throw new OperatorError(
      `linalg.vecdot: Expected a floating point or complex tensor as input. Got ${x.dtype.cppName}`,
    );
  }
  const product = multiply(conj(x), y);
  return callOperator("aten::sum.dim_IntList", [product, [dim], false, null]) as Tensor;
});

op(
  "aten::bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor",
  (input1, input2, weight, bias) => {
    if (input1.ndim !== input2.ndim)
      throw new OperatorError(`bilinear(): input dimensions do not match: got ${input1.ndim} and ${input2.ndim}`);
    for (let d = 0; d < input1.ndim - 1; d++) {
      if (input1.sizes[d] !== input2.sizes[d])
        throw new OperatorError(
          `bilinear(): input batch dimensions do not match at dim ${d}: got ${input1.sizes[d]} and ${input2.sizes[d]}`,
        );
    }
    const [out, n1, n2] = weight.sizes as [number, number, number];
    const f1 = input1.sizes[input1.ndim - 1]!;
    const f2 = input2.sizes[input2.ndim - 1]!;
    if (f1 !== n1)
      throw new OperatorError(`bilinear(): input1 size does not match weight size: got ${f1} but expected ${n1}`);
    if (f2 !== n2)
      throw new OperatorError(`bilinear(): input2 size does not match weight size: got ${f2} but expected ${n2}`);
    if (bias && bias.sizes[0] !== out)
      throw new OperatorError(
        `bilinear(): bias size does not match weight size: got ${bias.sizes[0]} but expected ${out}`,
      );
    const operands = { input1, input2, weight, ...(bias && { bias }) };
    if (Object.values(operands).some((t) => t.dtype !== input1.dtype))
      throw new OperatorError(
        `All tensors must have the same dtype, got ${Object.entries(operands)
          .map(([name, t]) => `${name}: ${cppScalarName(t.dtype)}`)
          .join(", ")}`,
      );
    const rows = input1.numel / Math.max(n1, 1);
    // (rows, n1) by (out, n1, n2), then by (rows, n2)
    const x = reshape(input1, [rows, n1]);
    const first = reshape(mm(x, reshape(permuteView(weight, [1, 0, 2]), [n1, out * n2])), [rows, out, n2]);
    const product = reshape(matmul(first, unsqueezeView(reshape(input2, [rows, n2]), 2)), [
      ...input1.sizes.slice(0, -1),
      out,
    ]);
    return bias ? (callOperator("aten::add.Tensor", [product, bias, 1]) as Tensor) : product;
  },
);

op(
  "aten::_trilinear(Tensor i1, Tensor i2, Tensor i3, int[] expand1, int[] expand2, int[] expand3, int[] sumdim, int unroll_dim=1) -> Tensor",
  (i1, i2, i3, expand1, expand2, expand3, sumdim) => {
    const widen = (t: Tensor, dims: readonly number[]): Tensor =>
      [...dims].sort((a, b) => a - b).reduce((x, d) => unsqueezeView(x, d), t);
    const product = multiply(multiply(widen(i1, expand1), widen(i2, expand2)), widen(i3, expand3));
    return sumdim.length === 0
      ? product
      : (callOperator("aten::sum.dim_IntList", [product, sumdim, false, null]) as Tensor);
  },
);
