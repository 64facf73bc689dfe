/** @file Module: members by assignment, state, modes, hooks, copies, refusals in PyTorch's words. */
import { describe, expect, test } from "vitest";
import { Tensor, nn, torch } from "../../src/index.ts";

class Gate extends nn.Module {
  forward(x: Tensor): Tensor {
    return torch.call("neg", x) as Tensor;
  }
}

class Cell extends nn.Module {
  dg = new Gate();
  linear = new nn.Linear(2, 2);
  scale = new nn.Parameter(torch.ones([2]));
  notMine: Tensor;
  constructor() {
    super();
    this.notMine = torch.zeros([1]);
    this.registerBuffer("seen", torch.zeros([1]));
    this.registerBuffer("scratch", torch.zeros([1]), { persistent: false });
    this.registerParameter("absent", null);
  }
  forward(x: Tensor, times = 1): Tensor {
    return torch.call("mul", this.dg(this.linear(x)), times) as Tensor;
  }
}

const names = (entries: Iterable<[string, unknown]>): string[] => Array.from(entries, ([name]) => name);
const near = (a: Tensor, b: Tensor): boolean => torch.call("allclose", a, b) as boolean;

describe("Module", () => {
  test("is a function that finds its members by assignment", () => {
    const cell = new Cell();
    expect(typeof cell).toBe("function");
    expect(cell).toBeInstanceOf(nn.Module);
    expect(String(cell)).toBe("Cell(\n  (dg): Gate()\n  (linear): Linear(in_features=2, out_features=2, bias=True)\n)");
    expect(names(cell.namedParameters())).toEqual(["scale", "linear.weight", "linear.bias"]);
    expect(names(cell.namedParameters({ recurse: false, prefix: "p" }))).toEqual(["p.scale"]);
    expect(names(cell.namedBuffers())).toEqual(["seen", "scratch"]);
    expect(names(cell.namedModules())).toEqual(["", "dg", "linear"]);
    expect(names(cell.namedChildren())).toEqual(["dg", "linear"]);
    expect([...cell.stateDict().keys()]).toEqual(["scale", "seen", "linear.weight", "linear.bias"]);
    const x = torch.ones([1, 2]);
    expect(near(cell(x, 2), torch.call("mul", cell.linear(x), -2) as Tensor)).toBe(true);
    expect(cell.getParameter("linear.bias")).toBe(cell.linear.bias);
    expect(() => cell.getSubmodule("linear.oops")).toThrow("Linear has no attribute `oops`");
  });

  test("of the library takes arguments by name", () => {
    const attention = new nn.MultiheadAttention(4, 2);
    const x = torch.ones([3, 1, 4]);
    const mask = torch.tensor([[false, false, true]]);
    const [byName, weights] = attention(x, x, x, { needWeights: false, keyPaddingMask: mask });
    expect(weights).toBeNull();
    expect(near(byName, attention(x, x, x, mask, false)[0])).toBe(true);
    const call = attention.callWith.bind(attention);
    expect(() => call(x, x, x, { needWeight: false })).toThrow(
      'MultiheadAttention: forward() got an unexpected keyword argument "needWeight"; the names here are keyPaddingMask, needWeights, attnMask, averageAttnWeights, isCausal',
    );
    expect(() => call(x, x, x, null, { keyPaddingMask: mask })).toThrow(
      'MultiheadAttention: forward() got multiple values for argument "keyPaddingMask"',
    );
    const layer = new nn.TransformerEncoderLayer(4, 2, { dropout: 0 });
    const encoder = new nn.TransformerEncoder(layer, 1, { norm: new nn.LayerNorm(4), enableNestedTensor: false });
    expect(encoder.norm).toBeInstanceOf(nn.LayerNorm);
    expect(near(encoder(x, { srcKeyPaddingMask: mask }), encoder(x, null, mask))).toBe(true);
  });

  test("recurrent ones say how a packed batch is passed", () => {
    const packed = nn.utils.rnn.packSequence([torch.ones([2, 3])]);
    expect(() => new nn.GRU(3, 4).callWith(packed)).toThrow(
      "GRU: forward() takes a tensor, got a PackedSequence; call forwardPacked(packed, state)",
    );
  });

  test("names what is shared once, and keeps both in the state", () => {
    const shared = new nn.Linear(1, 1);
    const twice = new nn.Sequential(shared, shared);
    expect(names(twice.namedParameters())).toEqual(["0.weight", "0.bias"]);
    expect(names(twice.namedParameters({ removeDuplicate: false }))).toEqual([
      "0.weight",
      "0.bias",
      "1.weight",
      "1.bias",
    ]);
    expect([...twice.stateDict().keys()]).toEqual(["0.weight", "0.bias", "1.weight", "1.bias"]);
  });

  test("keeps the order of names that look like numbers", () => {
    const dict = new nn.ModuleDict(
      new Map([
        ["10", new nn.ReLU()],
        ["9", new nn.ReLU()],
      ]),
    );
    expect(dict.keys()).toEqual(["10", "9"]);
    expect(names(dict.namedChildren())).toEqual(["10", "9"]);
  });

  test("loads states, and says what does not fit as PyTorch does", () => {
    const from = new nn.Linear(2, 3);
    const to = new nn.Linear(2, 3);
    expect(to.loadStateDict(from.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(near(to.weight, from.weight)).toBe(true);
    const wrong = { weight: torch.zeros([3, 3]), extra: torch.zeros([1]) };
    expect(() => to.loadStateDict(wrong)).toThrow(
      'Error(s) in loading state_dict for Linear:\n\tMissing key(s) in state_dict: "bias". \n\tUnexpected key(s) in state_dict: "extra". \n\t' +
        "size mismatch for weight: copying a param with shape torch.Size([3, 3]) from checkpoint, the shape in current model is torch.Size([3, 2]).",
    );
    const partial = to.loadStateDict({ bias: torch.ones([3]), extra: torch.zeros([1]) }, { strict: false });
    expect(partial).toEqual({ missingKeys: ["weight"], unexpectedKeys: ["extra"] });
    expect(to.bias!.tolist()).toEqual([1, 1, 1]);
    const given = torch.zeros([3]);
    to.loadStateDict({ weight: from.weight, bias: given }, { assign: true });
    expect(to.bias).toBeInstanceOf(nn.Parameter);
    expect(to.bias!.storage).toBe(given.storage);
    // states before version 2 do not count batches
    expect(
      new nn.BatchNorm1d(1).loadStateDict({
        weight: torch.ones([1]),
        bias: torch.ones([1]),
        running_mean: torch.ones([1]),
        running_var: torch.ones([1]),
      }).missingKeys,
    ).toEqual([]);
  });

  test("state dicts share their elements with the module and know versions", () => {
    const norm = new nn.Sequential(new nn.BatchNorm1d(1));
    const state = norm.stateDict();
    nn.init.constant_(state.get("0.weight")!, 7);
    expect((norm.at(0) as nn.BatchNorm1d).weight!.tolist()).toEqual([7]);
    expect(state.metadata.get("0")).toEqual({ version: 2 });
    expect(state.metadata.get("")).toEqual({ version: 1 });
  });

  test("switches modes, applies, converts", () => {
    const cell = new Cell();
    const { weight } = cell.linear;
    cell.eval();
    expect([...cell.modules()].map((m) => m.training)).toEqual([false, false, false]);
    expect(cell.train().linear.training).toBe(true);
    const order: string[] = [];
    cell.apply((m) => order.push(m.getName()));
    expect(order).toEqual(["Gate", "Linear", "Cell"]);
    cell.double();
    expect(cell.linear.weight).toBe(weight);
    expect(weight.dtype).toBe(torch.float64);
    expect(cell.getBuffer("seen").dtype).toBe(torch.float64);
    expect(cell.to(torch.float32).linear.bias!.dtype).toBe(torch.float32);
    expect(() => cell.to(torch.int64)).toThrow(
      "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.int64",
    );
    expect(new nn.BatchNorm1d(1).half().num_batches_tracked!.dtype).toBe(torch.int64);
  });

  test("runs hooks in order, and lets go of them", () => {
    const layer = new nn.Identity();
    const pre = layer.registerForwardPreHook((_m, args) => torch.call("add", args[0], 1));
    const post = layer.registerForwardHook((m, args, output) => {
      expect(m).toBe(layer);
      expect(args.length).toBe(1);
      return torch.call("mul", output, 2);
    });
    expect(layer(torch.ones([1])).tolist()).toEqual([4]);
    pre.remove();
    expect(layer(torch.ones([1])).tolist()).toEqual([2]);
    post.remove();
    expect(layer(torch.ones([1])).tolist()).toEqual([1]);
  });

  test("copies deeply", () => {
    const cell = new Cell();
    const copy = nn.deepcopy(cell);
    expect(String(copy)).toBe(String(cell));
    nn.init.zeros_(cell.linear.weight);
    expect(near(copy.linear.weight, cell.linear.weight)).toBe(false);
    expect(copy(torch.ones([1, 2])).sizes).toEqual([1, 2]);
    expect(names(copy.namedBuffers())).toEqual(["seen", "scratch"]);
  });

  test("refuses what PyTorch refuses", () => {
    const cell = new Cell();
    expect(() => cell.registerBuffer("a.b", null)).toThrow('buffer name can\'t contain "."');
    expect(() => cell.registerParameter("", null)).toThrow('parameter name can\'t be empty string ""');
    expect(() => cell.registerBuffer("linear", null)).toThrow("attribute 'linear' already exists");
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow("in_channels must be divisible by groups");
    expect(() => new nn.Dropout(1.5)).toThrow("dropout probability has to be between 0 and 1, but got 1.5");
    expect(() => new nn.BatchNorm2d(3)(torch.ones([2, 3]))).toThrow("expected 4D input (got 2D input)");
    expect(() => new nn.BatchNorm1d(3)(torch.ones([1, 3]))).toThrow(
      "Expected more than 1 value per channel when training, got input size torch.Size([1, 3])",
    );
    expect(() => new nn.LSTM(3, 4)(torch.ones([2, 1, 5]))).toThrow(
      "input.size(-1) must be equal to input_size. Expected 3, got 5",
    );
    expect(() => new nn.ModuleList([new nn.ReLU()]).callWith()).toThrow(
      'Module [ModuleList] is missing the required "forward" function',
    );
  });
});

describe("functional", () => {
  const F = nn.functional;
  test("max_unpool puts maxima back", () => {
    const x = torch.call(
      "reshape",
      torch.arange(8, undefined, undefined, { dtype: torch.float32 }),
      [1, 1, 8],
    ) as Tensor;
    const [values, indices] = F.max_pool1d_with_indices(x, 2);
    expect(F.max_unpool1d(values, indices, 2).tolist()).toEqual([[[0, 1, 0, 3, 0, 5, 0, 7]]]);
  });
  test("interpolate refuses as PyTorch does", () => {
    expect(() => F.interpolate(torch.ones([1, 1, 2]), { mode: "bilinear", size: 3 })).toThrow(
      "Got 3D input, but bilinear mode needs 4D input",
    );
    expect(() => F.interpolate(torch.ones([1, 1, 2]), {})).toThrow("either size or scale_factor should be defined");
    expect(F.interpolate(torch.ones([1, 1, 4]), { scaleFactor: 0.5, mode: "area" }).sizes).toEqual([1, 1, 2]);
  });
  test("attention without weights agrees with attention with weights", () => {
    const attention = new nn.MultiheadAttention(4, 2);
    const x = torch.randn([3, 2, 4]);
    const mask = nn.Transformer.generateSquareSubsequentMask(3);
    const [full, weights] = attention(x, x, x, null, true, mask);
    const [fast, none] = attention(x, x, x, null, false, mask);
    expect(weights!.sizes).toEqual([2, 3, 3]);
    expect(none).toBe(null);
    expect(
      near(torch.call("round", full, { decimals: 4 }) as Tensor, torch.call("round", fast, { decimals: 4 }) as Tensor),
    ).toBe(true);
  });
});
