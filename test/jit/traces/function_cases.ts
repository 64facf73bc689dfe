/** @file Functions to trace; trace_functions.py has the same under the same names. */
import { nn, tagDynamicType, torch, type Tensor } from "../../../src/node/index.ts";
import { TensorT, listOf } from "../../../src/core/type.ts";
import type { TraceCase } from "./trace_case.ts";

const F = nn.functional;
const x34 = (): Tensor => torch.randn([3, 4]);

// methods of tensors are not typed here: the tests are about what they record
// oxlint-disable-next-line typescript/no-explicit-any
type Any = any;

function viewed(x: Any, y: Any): unknown {
  return x.view(x.size(0), -1).add(y.mul(2));
}
function reshaped(x: Any): unknown {
  return x.reshape(x.shape[0], -1);
}
function zeros_of_size(x: Any): unknown {
  return torch.zeros([x.size(0), 4]);
}
function size_arithmetic(x: Any): unknown {
  const [b, c] = x.shape;
  return [x.view(b * c), x.view(Math.floor(c / 2), 2, b), x.view(-1, c - 2), x.view(b + 0, c)];
}
function size_variable(x: Any): unknown {
  const n = x.size(1);
  const y = x.relu();
  return y.reshape(-1, n).expand(2, -1, n);
}
function whole_shape(x: Any, y: Any): unknown {
  return [y.view(x.shape), y.reshape(x.size())];
}
function size_as_number(x: Any): unknown {
  const n = x.size(0);
  return [x.div(n), x.add(n), x.mul(n)];
}
function assigned(x: Any): unknown {
  const z: Any = torch.zeros([2], { dtype: torch.float32 });
  z.select(0, 0).copy_(x.select(0, 0).select(0, 0));
  return z;
}
function listed(x: Any): unknown {
  const [a, b] = x.split(2, 1);
  return torch.call("cat", [a, b, a], 1);
}
function chunks(x: Any): unknown {
  const [a, b] = torch.call("chunk", x, 2, 1) as Tensor[];
  return torch.call("stack", [a, b]);
}
function unbound(x: Any): unknown {
  return x.unbind(0);
}
function dict_result(x: Any): unknown {
  return { a: x.relu(), b: x };
}
function maximum(x: Any): unknown {
  return x.max(1);
}
function created(x: Any): unknown {
  return [
    torch.arange(x.size(0)),
    torch.arange(0, x.size(0), 2),
    torch.full([2, x.size(1)], 1.5),
    torch.rand([2, 3]),
    torch.ones([2], { dtype: torch.int64 }),
    torch.call("eye", 3),
    torch.call("linspace", 0, 1, 5),
    torch.randn([2]),
    torch.call("randint", 0, 5, [2]),
    torch.call("randperm", 4),
  ];
}
function like(x: Any): unknown {
  return ["zeros_like", "ones_like", "rand_like"]
    .map((name) => torch.call(name, x))
    .concat([torch.call("full_like", x, 2), torch.call("empty_like", x), torch.call("randn_like", x)]);
}
function new_tensors(x: Any): unknown {
  return [x.new_zeros([2, 2]), x.new_ones([2]), x.new_full([2], 3), x.new_empty([1])];
}
function identity(x: Any): unknown {
  return x;
}
function constant_result(x: Any): unknown {
  void x;
  return torch.ones([2]);
}
function number_result(x: Any): unknown {
  void x;
  return 3;
}
function none_result(x: Any): unknown {
  void x;
  return null;
}
function dict_input(x: Any, d: Any): unknown {
  return x.add(d.a);
}
function tuple_input(x: Any, t: Any): unknown {
  const [a, b] = t;
  return x.add(a).sub(b);
}
function same_twice(x: Any, y: Any): unknown {
  return x.add(y);
}
function inplace(x: Any): unknown {
  return x.add_(1).mul_(2);
}
function inplace_view(x: Any): unknown {
  const y = x.view(-1);
  y.add_(1);
  return x.mul(2);
}
function numbers(x: Any): unknown {
  return x.add(torch.asFloat(x.sum().item()));
}
function reductions(x: Any): unknown {
  return [
    x.std(false),
    x.mean([0, 1]),
    x.sum([0], true),
    x.sum(),
    x.argmax(1),
    x.prod(),
    x.var(1),
    x.amax(0),
    x.logsumexp(1),
    x.cumsum(0),
    x.min(0),
    x.median(),
    x.any(),
    x.all(0),
    x.norm(),
  ];
}
function conversions(x: Any): unknown {
  return [x.to(torch.float64), x.to(torch.int32), x.type_as(x), x.contiguous(), x.clone(), x.detach()];
}
function operators(x: Any, y: Any): unknown {
  return [
    torch.call("rsub", x, 2),
    x.sub(2),
    x.div(2),
    x.pow(2),
    torch.call("floor_divide", x, 2),
    x.remainder(2),
    x.gt(1),
    x.eq(y),
    x.neg(),
    x.gt(1).logical_not(),
    x.matmul(y.t()),
    x.mul(0.5),
    x.add(y.mul(0.5)),
    x.lt(y).logical_and(x.ge(0)),
    x.neg(),
    torch.call("sub", x, y, { alpha: 2 }),
  ];
}
function named(x: Any, y: Any): unknown {
  let h: Any = torch.call("tanh", x);
  const g: Any = torch.call("sigmoid", y);
  h = h.mul(g);
  const out: Any = torch.call("cat", [h, g], 1);
  return out.relu();
}
function aliased(x: Any): unknown {
  const arccos: Any = torch.call("arccos", x);
  return [arccos.clip(0, 1), (torch.call("absolute", x) as Any).negative()];
}
function indexed(x: Any): unknown {
  const a = x.select(1, 0);
  const b = x.narrow(1, 1, 2);
  const c = x.unsqueeze(0).squeeze(0);
  const d = x.index_select(0, torch.ones([1], { dtype: torch.int64 }));
  const e = x.gather(1, x.argmax(1, true));
  const f = x.masked_fill(x.gt(0), torch.asFloat(0));
  const g = torch.call("where", x.gt(0), x, x.neg());
  return [a, b, c, d, e, f, g];
}
function index_of_size(x: Any): unknown {
  const n = x.size(0);
  const rows = x.at(torch.slice(null), torch.slice(n));
  const [a, b] = x.shape;
  return [rows.at(n - 1).add(x.at(0, torch.slice(1, b - a + 3))), x.at("...", a - 2)];
}
function index_of_tensor(x: Any, i: Any): unknown {
  return [x.at(i), x.at(torch.slice(1, null), i)];
}
function index_assigned(x: Any): unknown {
  const y = x.clone();
  const step = torch.slice(null, null, 2);
  y.set([torch.slice(1, null), step], x.at(torch.slice(1, null), step).add(x.at(torch.slice(2), step)));
  y.set(["...", -1], torch.zeros([3]));
  y.set([y.gt(1)], 0);
  const n = x.size(0);
  y.set([n - 1, torch.slice(n - 1)], 7);
  return y;
}
function shaped(x: Any): unknown {
  return [
    x.t(),
    x.transpose(0, 1),
    x.permute(1, 0),
    x.flatten(),
    x.unsqueeze(-1),
    x.repeat(2, 1),
    x.expand(3, 4),
    x.flip([0]),
    x.roll(1, 0),
    x.tril(),
    x.diagonal(),
    x.unfold(1, 2, 1),
    x.movedim(0, 1),
  ];
}
function activations(x: Any): unknown {
  return [
    F.relu(x),
    F.leaky_relu(x, 0.2),
    F.elu(x),
    F.gelu(x),
    F.silu(x),
    F.softmax(x, 1),
    F.log_softmax(x, -1),
    F.softplus(x),
    F.hardtanh(x),
    F.sigmoid(x),
    F.tanh(x),
    F.normalize(x),
    F.dropout(x, 0.5, false),
    F.glu(x),
    F.hardswish(x),
    F.mish(x),
    F.logsigmoid(x),
    F.softsign(x),
    F.tanhshrink(x),
    F.selu(x),
    F.celu(x),
    F.relu6(x),
    F.threshold(x, 0.1, 20),
    F.hardshrink(x),
    F.softshrink(x),
    F.softmin(x, 1),
    F.hardsigmoid(x),
  ];
}
function losses(x: Any, y: Any): unknown {
  return [
    F.mse_loss(x, y),
    F.l1_loss(x, y),
    F.smooth_l1_loss(x, y),
    F.huber_loss(x, y),
    F.kl_div(x, y, { reduction: "batchmean" } as Any),
    F.binary_cross_entropy_with_logits(x, y),
    F.soft_margin_loss(x, y),
    F.poisson_nll_loss(x, y),
    F.cosine_similarity(x, y),
    F.pairwise_distance(x, y),
  ];
}
function classification(x: Any, target: Any): unknown {
  return [
    F.cross_entropy(x, target),
    F.nll_loss(F.log_softmax(x, 1), target),
    F.one_hot(target, 4),
    F.multi_margin_loss(x, target),
  ];
}
function random(x: Any): unknown {
  return [
    torch.call("bernoulli", x.sigmoid()),
    torch.call("multinomial", x.exp(), 2),
    F.dropout(x),
    torch.call("normal", 0.0, 1.0, [2, 2]),
  ];
}
function linear_algebra(x: Any, y: Any): unknown {
  return [
    torch.call("mm", x, y.t()),
    torch.call("bmm", x.unsqueeze(0), y.t().unsqueeze(0)),
    torch.call("einsum", "ij,kj->ik", [x, y]),
    torch.call("addmm", torch.ones([3]), x, y.t()),
    torch.call("outer", x.select(0, 0), y.select(0, 1)),
    torch.call("dot", x.select(0, 0), y.select(0, 0)),
    torch.call("cdist", x, y),
  ];
}
function functional_convolutions(x: Any, w: Any): unknown {
  return [
    F.conv2d(x, w),
    F.conv2d(x, w, null, { stride: 2, padding: 1 }),
    F.max_pool2d(x, 2),
    F.avg_pool2d(x, 2),
    F.adaptive_avg_pool2d(x, 1),
    F.pad(x, [1, 1]),
    F.interpolate(x, { scaleFactor: 2 }),
    F.interpolate(x, { size: [5, 5], mode: "bilinear", alignCorners: false }),
    F.unfold(x, 2),
  ];
}
function nested_function(x: Any): unknown {
  function helper(t: Any): Any {
    const u = t.relu();
    return u.add(t);
  }
  const y = helper(x);
  const z = helper(y);
  return z;
}
function tensor_of_numbers(x: Any): unknown {
  return x.add(torch.tensor([1.0, 2.0, 3.0, 4.0], { dtype: torch.float32 }));
}

function listOfTensors(...tensors: Tensor[]): Tensor[] {
  tagDynamicType(tensors, listOf(TensorT));
  return tensors;
}

function optional(x: Any, bias: Any = null, scale: Any = null): unknown {
  const y = bias === null ? x : x.add(bias);
  return scale === null ? y : y.mul(scale);
}

/** By name. */
export const FUNCTION_CASES: Readonly<Record<string, () => TraceCase>> = {
  viewed: () => [viewed, [x34(), x34()]],
  reshaped: () => [reshaped, x34()],
  zeros_of_size: () => [zeros_of_size, x34()],
  size_arithmetic: () => [size_arithmetic, x34()],
  size_variable: () => [size_variable, x34()],
  whole_shape: () => [whole_shape, [x34(), x34()]],
  size_as_number: () => [size_as_number, x34()],
  assigned: () => [assigned, x34()],
  listed: () => [listed, x34()],
  chunks: () => [chunks, x34()],
  unbound: () => [unbound, x34()],
  dict_result: () => [dict_result, x34()],
  dict_result_not_strict: () => [dict_result, x34(), { strict: false }],
  maximum: () => [maximum, x34()],
  created: () => [created, x34()],
  like: () => [like, x34()],
  new_tensors: () => [new_tensors, x34()],
  identity: () => [identity, x34()],
  constant_result: () => [constant_result, x34()],
  number_result: () => [number_result, x34()],
  none_result: () => [none_result, x34()],
  dict_input: () => [dict_input, [x34(), { a: x34(), b: x34() }]],
  tuple_input: () => [tuple_input, [x34(), [x34(), x34()]]],
  list_input: () => [tuple_input, [x34(), listOfTensors(x34(), x34())]],
  same_twice: () => {
    const x = x34();
    return [same_twice, [x, x]];
  },
  inplace: () => [inplace, x34()],
  inplace_view: () => [inplace_view, x34()],
  inplace_forced_out: () => [inplace, x34(), { forceOutplace: true }],
  numbers: () => [numbers, torch.ones([3, 4])],
  reductions: () => [reductions, x34()],
  conversions: () => [conversions, x34()],
  operators: () => [operators, [x34(), x34()]],
  named: () => [named, [x34(), x34()]],
  aliased: () => [aliased, x34()],
  indexed: () => [indexed, x34()],
  index_of_size: () => [index_of_size, x34()],
  index_of_tensor: () => [index_of_tensor, [x34(), torch.tensor(1)]],
  index_assigned: () => [index_assigned, x34()],
  shaped: () => [shaped, x34()],
  activations: () => [activations, x34()],
  losses: () => [losses, [x34(), x34()]],
  classification: () => [classification, [x34(), torch.ones([3], { dtype: torch.int64 })]],
  random: () => [random, x34()],
  linear_algebra: () => [linear_algebra, [x34(), x34()]],
  functional_convolutions: () => [functional_convolutions, [torch.randn([1, 2, 6, 6]), torch.randn([3, 2, 3, 3])]],
  nested_function: () => [nested_function, x34()],
  tensor_of_numbers: () => [tensor_of_numbers, x34()],
  by_name: () => [optional, null, { exampleKwargInputs: { scale: torch.randn([4]), x: x34() } }],
  by_name_in_order: () => [optional, null, { exampleKwargInputs: { x: x34(), bias: torch.randn([4]) } }],
  tuple_by_name: () => [tuple_input, null, { exampleKwargInputs: { t: [x34(), x34()], x: x34() } }],
};
