/** @file The eager API against what PyTorch prints (eager.json by make_eager.py): indexing, keywords, creation, printing, random numbers. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Complex, OperatorError, Tensor, nn, torch, type PrintOptionsChange } from "../../src/index.ts";

interface Record {
  readonly cases: { readonly [name: string]: string | readonly string[] };
  readonly printed: readonly { options: PrintOptionsChange; text: readonly string[] }[];
  readonly random: readonly string[];
  readonly uniform_bits: readonly number[];
}
const recorded = JSON.parse(readFileSync(new URL("eager.json", import.meta.url), "utf8")) as Record;

const { slice, tensor } = torch;
const x = torch.arange(24).view(2, 3, 4).float();
const m = tensor([
  [true, false, true],
  [false, true, true],
]);
const ints = tensor([
  [3, 1, 2],
  [9, 7, 8],
]);
const complex = tensor([new Complex(1, 2), new Complex(3, -4)]);

const CASES: { readonly [name: string]: () => Tensor | readonly Tensor[] } = {
  "at ints": () => x.at(1, -1),
  "at slices": () => x.at(slice(null), slice(1, null), slice(null, null, 2)),
  "at ellipsis and new dimension": () => x.at(null, "...", 0),
  "at mask": () => x.at(m),
  "at mask and slice": () => x.at(m, slice(1, 3)),
  "at mask and int": () => x.at(m, 0),
  "at lists": () => x.at([0, 1], [1, 2]),
  "at tensor between": () => x.at(slice(null), tensor([2, 0]), 1),
  "at zero-dim tensor": () => x.at(tensor(1)),
  "at boolean": () => x.at(true).sum(),
  "set number": () => x.clone().set([0, slice(1, null)], -1),
  "set row": () => x.clone().set(1, torch.ones(1, 4)),
  "set mask": () => x.clone().set(m, 0.5),
  "set lists": () =>
    x.clone().set(
      [
        [0, 1],
        [2, 0],
      ],
      [7, 8, 9, 10],
    ),
  keywords: () => x.sum(1, { keepdim: true }),
  "dims list": () => x.mean([0, 2]),
  max: () => ints.max(1),
  sort: () => ints.sort(1, { descending: true }),
  std: () => x.std(2, { unbiased: false }),
  "number first": () => torch.call("add", 1, 2.5) as Tensor,
  true_divide: () => torch.div(ints, 2),
  "floor mode": () => torch.div(ints, 2, { rounding_mode: "floor" }),
  roll: () => ints.roll(1, 0),
  flip: () => ints.flip(0, 1),
  "view spread": () => x.view(4, 6),
  permute: () => x.permute(2, 0, 1),
  to: () => x.to(torch.int64),
  long: () => x.long(),
  T: () => ints.T,
  mT: () => x.mT,
  real: () => complex.real,
  imag: () => complex.imag,
  where: () => x.where(x.gt(5), torch.zeros([])),
  einsum: () => torch.einsum("bij,bkj->bik", x, x),
  meshgrid: () => torch.meshgrid(torch.arange(2), torch.arange(3), { indexing: "xy" }),
  tensordot: () => torch.tensordot(x.get(0), x.get(0), { dims: [[1], [1]] }),
  "tensordot count": () => torch.tensordot(x, x.get(0).T, 1),
  cartesian_prod: () => torch.cartesian_prod(torch.arange(2), torch.arange(2)),
  block_diag: () => torch.block_diag(torch.ones(1, 2), torch.eye(2)),
  unique: () => tensor([3, 1, 3]).unique({ return_counts: true }) as Tensor[],
  unique_consecutive: () => torch.unique_consecutive(tensor([1, 1, 2, 1])),
  norm: () => x.norm(),
  "norm dim": () => torch.norm(x, 1, 2, true),
  cat: () => torch.cat([ints, ints], 1),
  stack: () => torch.stack([ints, ints], { dim: -1 }),
  split: () => ints.split([1, 2], 1),
  chunk: () => torch.chunk(ints, 2, { dim: 0 }),
  linspace: () => torch.linspace(0, 1, 5),
  logspace: () => torch.logspace(0, 2, 3),
  eye: () => torch.eye(2, 3),
  full: () => torch.full([2, 2], 7),
  full_like: () => torch.full_like(ints, 5),
  arange: () => torch.arange(1, 2.5, 0.5),
  "zeros spread": () => torch.zeros(2, 3, { dtype: torch.int }),
  empty: () => torch.empty(0, 3),
  "range with options": () => torch.range(1, 4, 2, {}),
  bits: () => ints.bitwise_and(3),
  "scalar tensor": () => ints.mul(tensor(2)),
  comparison: () => ints.gt(2),
  "linalg.det": () =>
    torch.linalg.det(
      tensor([
        [2, 1],
        [1, 3],
      ]).float(),
    ),
  "special.erf": () => torch.special.erf(tensor([0.5])),
  "fft.fft": () => torch.fft.fft(tensor([1, 2, 3, 4]).float()),
  new_zeros: () => ints.new_zeros(2),
  new_tensor: () => ints.new_tensor([1, 2]),
  requires_grad: () => torch.ones([2], { requires_grad: true }),
  big: () => torch.arange(2000),
  "not finite": () => tensor([1, Infinity, NaN, -Infinity]),
  "wide range": () => tensor([1e-8, 1, 1e8]),
  complex: () => tensor([new Complex(1, 2), new Complex(-0, -0.5)]),
  booleans: () => tensor([true, false]),
  int8: () => tensor([-128, 127], { dtype: torch.int8 }),
  half: () => tensor([0.1, 65504], { dtype: torch.half }),
  double: () => tensor(0.1, { dtype: torch.double }),
  "empty text": () => tensor([]),
  "empty shape": () => torch.zeros([2, 0], { dtype: torch.int64 }),
  batches: () => torch.zeros(2, 1, 2, 2),
};

test("every recorded case has its counterpart", () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(recorded.cases).sort());
});

test.each(Object.entries(CASES))("%s prints as in PyTorch", (name, run) => {
  const result = run();
  expect(result instanceof Tensor ? String(result) : result.map(String)).toEqual(recorded.cases[name]);
});

test("setPrintoptions changes the text as in PyTorch", () => {
  const values = tensor([
    [1.23456, 1000],
    [0.5, -2],
  ]);
  for (const { options, text } of recorded.printed) {
    torch.setPrintoptions(options);
    try {
      expect([String(values), String(torch.arange(30))], JSON.stringify(options)).toEqual(text);
    } finally {
      torch.setPrintoptions({ profile: "default" });
    }
  }
  expect(torch.printOptions().precision).toBe(4);
});

test("random functions draw PyTorch's numbers", () => {
  torch.manualSeed(7);
  const drawn = [
    torch.rand(2, 2),
    torch.randn([3]),
    torch.randint(10, [4]),
    torch.randint(5, 10, [2]),
    torch.randperm(5),
    torch.normal(0, 1, [2]),
    torch.zeros([2]).uniform_(2, 3),
    torch.bernoulli(torch.full([4], 0.5)),
  ];
  expect(drawn.map(String)).toEqual(recorded.random);
  torch.manualSeed(1);
  const bound = 0.19245008972987526;
  expect(torch.empty(100).uniform_(-bound, bound).view(torch.int32).tolist()).toEqual(recorded.uniform_bits);
  const generator = new torch.Generator(7n);
  torch.manual_seed(7);
  expect(torch.rand(2, { generator }).tolist()).toEqual(torch.rand(2).tolist());
});

test("data goes in and out", () => {
  const typed = torch.from(new Float64Array([1, 2, 3, 4, 5, 6]), [2, 3]);
  expect(typed.dtype).toBe(torch.float64);
  expect(typed.data()).toEqual(new Float64Array([1, 2, 3, 4, 5, 6]));
  expect(typed.T.tolist()).toEqual([
    [1, 4],
    [2, 5],
    [3, 6],
  ]);
  expect(torch.from(new BigInt64Array([2n ** 60n])).item<bigint>()).toBe(2n ** 60n);
  expect(torch.tensor(new Uint8Array([1, 2]), { dtype: torch.float32 }).tolist()).toEqual([1, 2]);
  expect(JSON.stringify({ x: typed })).toBe('{"x":[[1,2,3],[4,5,6]]}');
  expect([...typed].map((row) => row.tolist())).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(() => [...torch.tensor(1)]).toThrow("iteration over a 0-d tensor");
  expect(() => typed.item()).toThrow("a Tensor with 6 elements cannot be converted to Scalar");
});

test("properties are PyTorch's", () => {
  const t = torch.zeros([2, 3], { dtype: torch.int16 });
  expect([t.size(), t.size(1), t.dim(), t.ndim, t.shape, t.stride()]).toEqual([[2, 3], 3, 2, 2, [2, 3], [3, 1]]);
  expect([t.itemsize, t.nbytes, t.nelement(), t.type(), t.is_floating_point()]).toEqual([
    2,
    12,
    6,
    "torch.ShortTensor",
    false,
  ]);
  expect([String(t.layout), String(t.device), t.is_cpu, t.is_sparse, t.is_leaf]).toEqual([
    "torch.strided",
    "cpu",
    true,
    false,
    true,
  ]);
  expect(torch.sizeText(t.shape)).toBe("torch.Size([2, 3])");
  const f = torch.ones(2);
  expect(f.requires_grad_().requires_grad).toBe(true);
  f.requires_grad = false;
  expect(f.requiresGrad).toBe(false);
  // PyTorch 2.13's texts
  const text = "nly Tensors of floating point and complex dtype can require gradients";
  expect(() => (t.requires_grad = true)).toThrow(`o${text}`);
  expect(() => t.requires_grad_()).toThrow("only Tensors of floating point dtype can require gradients");
  const asks = { requires_grad: true };
  for (const make of [
    () => tensor([1], asks),
    () => torch.arange(3, asks),
    () => torch.full([2], 1, asks),
    () => torch.zeros([2], { dtype: torch.bool, ...asks }),
    () => torch.ones_like(t, asks),
    () => t.new_tensor([1], asks),
    () => new nn.Parameter(t),
  ])
    expect(make).toThrow(`O${text}`);
  expect(new nn.Parameter(t, { requiresGrad: false }).requires_grad).toBe(false);
  expect(torch.ones([1], { dtype: torch.complex64, ...asks }).requires_grad).toBe(true);
  expect(torch.result_type(t, 1.5)).toBe(torch.float32);
  expect(torch.promote_types(torch.int16, torch.float16)).toBe(torch.half);
});

test("out takes the result, or all of several", () => {
  const out = torch.zeros([2, 3], { dtype: torch.int64 });
  expect(torch.add(ints, 1, { out })).toBe(out);
  expect(out.tolist()).toEqual([
    [4, 2, 3],
    [10, 8, 9],
  ]);
  const values = torch.zeros([2], { dtype: torch.int64 });
  const places = torch.zeros([2], { dtype: torch.int64 });
  torch.max(ints, 1, { out: [values, places] });
  expect([values.tolist(), places.tolist()]).toEqual([
    [3, 9],
    [0, 0],
  ]);
});

test("torch.range gives the ints of a loop", () => {
  expect([...torch.range(3)]).toEqual([0, 1, 2]);
  expect([...torch.range(2, 5)]).toEqual([2, 3, 4]);
  expect([...torch.range(5, 0, -2)]).toEqual([5, 3, 1]);
  expect(() => torch.range(1.5)).toThrow("torch.range of a loop takes ints");
  expect(() => torch.range(0, 1, 0)).toThrow("must not be zero");
});

test("JavaScript's operators on tensors are refused with what to write instead", () => {
  const a = torch.ones(2) as unknown as number;
  expect(() => a + 1).toThrow(/x\.add\(y\)/);
  expect(() => a > 1).toThrow(TypeError);
  expect(`${torch.ones(1)}`).toBe("tensor([1.])");
});

test("a call that fits no overload says what was given and what there is", () => {
  expect(() => torch.call("softmax", x, "a")).toThrow(
    /softmax\(\): no overload takes \(Tensor, string\); the overloads are:\n {2}aten::softmax\.int/,
  );
  expect(() => torch.call("sofmax", x)).toThrow('Unknown operator "aten::sofmax"');
  expect(() => x.at("a" as "...")).toThrow('Cannot index a tensor with "a"');
  expect(() => x.at(0, 0, 0, 0)).toThrow("too many indices for tensor of dimension 3");
});

test("functions written by hand name an argument of another kind; options may be null", () => {
  const call = (name: string, ...args: unknown[]): unknown =>
    (torch as unknown as { [key: string]: (...given: unknown[]) => unknown })[name]!(...args);
  const x = torch.tensor([2, 1, 2]);
  for (const [name, args, message] of [
    [
      "promote_types",
      [torch.int8, null],
      "promote_types(): argument 'type2' (position 2) must be torch.dtype, not None",
    ],
    ["set_default_dtype", ["float"], "set_default_dtype(): argument 'd' (position 1) must be torch.dtype, not string"],
    ["noGrad", [x], "torch.noGrad(): argument 'body' (position 1) must be function, not Tensor"],
    ["tidy", [], "torch.tidy(): argument 'body' (position 1) must be function, not None"],
    [
      "broadcast_shapes",
      [[1], null],
      "broadcast_shapes(): argument 'shapes' (position 2) must be list of ints, not None",
    ],
    [
      "fromBytes",
      [new Uint8Array(4)],
      "torch.fromBytes(): argument 'shape' (position 2) must be list of ints, not None",
    ],
    ["from", [[1, 2]], "torch.from(): argument 'data' (position 1) must be typed array, not Array"],
    ["tensor", [null], "Cannot make a tensor of null: expected numbers, booleans or arrays of them"],
    ["tensor", [[1, "2"]], "Cannot make a tensor of 2: expected numbers, booleans or arrays of them"],
  ] as const) {
    let error: unknown;
    try {
      call(name, ...args);
    } catch (thrown) {
      error = thrown;
    }
    expect(error, name).toBeInstanceOf(OperatorError);
    expect((error as Error).message).toBe(message);
  }
  expect(String(call("unique", x, null))).toBe("tensor([1, 2])");
  expect(String(call("tensor", [1.5], null))).toBe("tensor([1.5000])");
  expect(String(call("tensordot", x, x, 1))).toBe("tensor(9)");
  expect(() => call("meshgrid", x, null)).toThrow(OperatorError);
  call("set_printoptions", null);
});
