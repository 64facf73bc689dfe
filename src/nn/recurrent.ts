/** @file Recurrent networks and their cells. Upstream: torch/nn/modules/rnn.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, atenMany, emptyParameter, floatText, type FactoryOptions } from "./aten.ts";
import { uniform_ } from "./init.ts";
import { Module, callAs } from "./module.ts";
import { dimDiffers, dimNumber, sizeOf, sizesEqual, sizesOf, type Dim } from "./sizes.ts";
import type { Parameter } from "./parameter.ts";
import type { ModuleScript } from "./module_script.ts";
import {
  GRU_CELL_SCRIPT,
  GRU_SCRIPT,
  LSTM_CELL_SCRIPT,
  LSTM_SCRIPT,
  RNN_CELL_SCRIPT,
  RNN_SCRIPT,
} from "./scripts/recurrent_modules.ts";
import { toNumbers } from "../tensor/data.ts";
import { PackedSequence } from "./utils_rnn.ts";

/** Options of RNN, LSTM and GRU. */
export interface RecurrentOptions extends FactoryOptions {
  /** Number of layers. */
  readonly numLayers?: number;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
  /** Whether inputs are (N, L, C) instead of (L, N, C). */
  readonly batchFirst?: boolean;
  /** Dropout between layers. */
  readonly dropout?: number;
  /** Whether the sequence is also read backwards. */
  readonly bidirectional?: boolean;
}

/** Options of RNN. */
export interface RNNOptions extends RecurrentOptions {
  /** `"tanh"` or `"relu"`. */
  readonly nonlinearity?: "tanh" | "relu";
}

/** Options of LSTM. */
export interface LSTMOptions extends RecurrentOptions {
  /** Size to which the hidden state is projected; 0 leaves it. */
  readonly projSize?: number;
}

/** The kinds of recurrent networks. */
export type RecurrentMode = "RNN_TANH" | "RNN_RELU" | "LSTM" | "GRU";

const GATES: Readonly<Record<RecurrentMode, number>> = { RNN_TANH: 1, RNN_RELU: 1, LSTM: 4, GRU: 3 };

/** What all recurrent networks share. */
export abstract class RNNBase extends Module {
  /** Which way of computing, by PyTorch's name. */
  readonly mode: RecurrentMode;
  /** Size of the input's features. */
  readonly input_size: number;
  /** Size of the hidden state. */
  readonly hidden_size: number;
  /** Number of layers. */
  readonly num_layers: number;
  /** Values that are added, one for each output; null or false without. */
  readonly bias: boolean;
  /** Whether the batch is dimension 0 instead of 1. */
  readonly batch_first: boolean;
  /** Probability of zeroing an element in training, or the layer that does it. */
  readonly dropout: number;
  /** Whether the sequence is also read backwards. */
  readonly bidirectional: boolean;
  /** Size that the hidden state is projected to; 0 without. */
  readonly proj_size: number;
  /** Names of all weights in one list. */
  declare readonly _flat_weights_names: readonly string[];
  /** Names of the weights of every layer and direction. */
  declare readonly _all_weights: readonly (readonly string[])[];

  /** `leading`: what PyTorch sets before all else; archives list attributes in the order in which they were set. */
  protected constructor(
    mode: RecurrentMode,
    inputSize: number,
    hiddenSize: number,
    options: LSTMOptions,
    leading?: Readonly<Record<string, unknown>>,
  ) {
    super();
    if (leading) {
      Reflect.deleteProperty(this, "training");
      Object.assign(this, leading, { training: true });
    }
    const {
      numLayers = 1,
      bias = true,
      batchFirst = false,
      dropout = 0,
      bidirectional = false,
      projSize = 0,
    } = options;
    if (!(dropout >= 0 && dropout <= 1))
      throw new OperatorError(
        "dropout should be a number in range [0, 1] representing the probability of an element being zeroed",
      );
    if (dropout > 0 && numLayers === 1) {
      emitWarning(
        `dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, but got dropout=${floatText(dropout)} and num_layers=1`,
      );
    }
    if (inputSize <= 0) throw new OperatorError("input_size must be greater than zero");
    if (hiddenSize <= 0) throw new OperatorError("hidden_size must be greater than zero");
    if (numLayers <= 0) throw new OperatorError("num_layers must be greater than zero");
    if (projSize < 0) throw new OperatorError("proj_size should be a positive integer or zero to disable projections");
    if (projSize >= hiddenSize) throw new OperatorError("proj_size has to be smaller than hidden_size");
    this.mode = mode;
    this.input_size = inputSize;
    this.hidden_size = hiddenSize;
    this.num_layers = numLayers;
    this.bias = bias;
    this.batch_first = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    this.proj_size = projSize;
    const gates = GATES[mode] * hiddenSize;
    const state = projSize > 0 ? projSize : hiddenSize;
    const directions = bidirectional ? 2 : 1;
    const names: string[] = [];
    const layers: string[][] = [];
    for (let layer = 0; layer < numLayers; layer++) {
      for (let direction = 0; direction < directions; direction++) {
        const layerNames: string[] = [];
        layers.push(layerNames);
        const suffix = `_l${layer}${direction === 1 ? "_reverse" : ""}`;
        const add = (name: string, sizes: readonly number[]): void => {
          this.registerParameter(name + suffix, emptyParameter(sizes, options));
          names.push(name + suffix);
          layerNames.push(name + suffix);
        };
        add("weight_ih", [gates, layer === 0 ? inputSize : state * directions]);
        add("weight_hh", [gates, state]);
        if (bias) {
          add("bias_ih", [gates]);
          add("bias_hh", [gates]);
        }
        if (projSize > 0) add("weight_hr", [projSize, hiddenSize]);
      }
    }
    this._flat_weights_names = names;
    this._all_weights = layers;
    // what scripts read; always the parameters of today
    Object.defineProperty(this, "_flat_weights", {
      get: () => this.weights(),
      set: () => {},
      enumerable: true,
      configurable: true,
    });
    this.resetParameters();
  }

  /** Draws the default initial values. */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hidden_size);
    for (const weight of this.parameters()) uniform_(weight, -bound, bound);
  }

  /** The weights in the order of the operators' lists. */
  protected weights(): Tensor[] {
    const own = this as unknown as Readonly<Record<string, Parameter>>;
    return this._flat_weights_names.map((name) => own[name]!);
  }

  protected batchDim(): 0 | 1 {
    return this.batch_first ? 0 : 1;
  }

  /** How many states there are: one for each layer and direction. */
  protected stateCount(): number {
    return this.num_layers * (this.bidirectional ? 2 : 1);
  }

  private expectedSize(input: Tensor, size: number): readonly Dim[] {
    const miniBatch = sizeOf(input, this.batchDim());
    return [this.stateCount(), miniBatch, size];
  }

  protected checkInput(input: Tensor): void {
    const own = this.weights()[0]!.dtype.name;
    if (input.dtype.name !== own) {
      throw new OperatorError(
        `RNN input dtype (torch.${input.dtype.name}) does not match weight dtype (torch.${own}). Convert input: input.to(torch.${own}), or convert model: model.to(torch.${input.dtype.name})`,
      );
    }
    if (dimDiffers(this.input_size, sizeOf(input, -1))) {
      throw new OperatorError(
        `input.size(-1) must be equal to input_size. Expected ${this.input_size}, got ${input.sizes.at(-1)}`,
      );
    }
  }

  protected checkState(hx: Tensor, input: Tensor, size: number, name: string): void {
    this.checkHiddenSize(hx, this.expectedSize(input, size), name);
  }

  private checkHiddenSize(hx: Tensor, expected: readonly Dim[], name: string): void {
    if (sizesEqual(sizesOf(hx), expected)) return;
    throw new OperatorError(
      `Expected ${name} size (${expected.map(dimNumber).join(", ")}), got [${hx.sizes.join(", ")}]`,
    );
  }

  /** What the operators take behind input, state and weights. */
  protected settings(): unknown[] {
    return [this.bias, this.num_layers, this.dropout, this.training, this.bidirectional, this.batch_first];
  }

  /** Runs a network with one state. */
  protected runSimple(
    operator: string,
    name: string,
    input: Tensor,
    hx: Tensor | null,
  ): [output: Tensor, state: Tensor] {
    checkNotPacked(input, name);
    const { ndim } = input;
    if (ndim !== 2 && ndim !== 3)
      throw new OperatorError(
        `${name}: Expected input to be 2D or 3D, got ${ndim}D ${name === "RNN" ? "tensor " : ""}instead`,
      );
    const batched = ndim === 3;
    if (!batched) input = aten("unsqueeze", input, this.batchDim());
    if (hx && hx.ndim !== ndim) {
      throw new OperatorError(
        `For ${batched ? "batched 3-D" : "unbatched 2-D"} input, hx should also be ${ndim}-D but got ${hx.ndim}-D tensor`,
      );
    }
    if (hx && !batched) hx = aten("unsqueeze", hx, 1);
    const maxBatchSize = sizeOf(input, this.batchDim());
    hx ??= aten("zeros", [this.stateCount(), maxBatchSize, this.hidden_size], { dtype: input.dtype });
    this.checkInput(input);
    this.checkState(hx, input, this.hidden_size, "hidden");
    let [output, hidden] = atenMany(operator, input, hx, this.weights(), ...this.settings()) as [Tensor, Tensor];
    if (!batched) {
      output = aten("squeeze", output, this.batchDim());
      hidden = aten("squeeze", hidden, 1);
    }
    return [output, hidden];
  }

  /** A call of the module with a packed batch, as Python's: hooks see the batch and the state. */
  protected callPacked<G, S>(
    packed: PackedSequence,
    hx: G | null,
    run: (packed: PackedSequence, hx: G | null) => [output: PackedSequence, state: S],
  ): [output: PackedSequence, state: S] {
    const forward = ([given, state = null]: readonly unknown[]): unknown =>
      run(given as PackedSequence, state as G | null);
    return callAs(this, hx === null ? [packed] : [packed, hx], forward) as [PackedSequence, S];
  }

  /** Runs a network with one state on a packed batch. */
  protected packedSimple(
    operator: string,
    packed: PackedSequence,
    hx: Tensor | null,
  ): [output: PackedSequence, state: Tensor] {
    const [output, [state]] = this.runPacked(operator, packed, hx && [hx], [this.hidden_size]);
    return [output, state!];
  }

  /** Runs a network on a packed batch; states are those of the operator. */
  protected runPacked(
    operator: string,
    packed: PackedSequence,
    states: readonly Tensor[] | null,
    sizes: readonly number[],
  ): [output: PackedSequence, states: Tensor[]] {
    const { data, batchSizes, sortedIndices, unsortedIndices } = packed;
    const batch = toNumbers(batchSizes)[0]!;
    const permuted = (tensor: Tensor, order: Tensor | null): Tensor =>
      order ? aten("index_select", tensor, 1, order) : tensor;
    const given = states
      ? states.map((state) => permuted(state, sortedIndices))
      : sizes.map((size) => aten("zeros", [this.stateCount(), batch, size], { dtype: data.dtype }));
    given.forEach((state, i) => {
      const expected = [this.stateCount(), batch, sizes[i]!];
      if (state.sizes.join() !== expected.join()) {
        const name = sizes.length === 1 ? "hidden" : `hidden[${i}]`;
        throw new OperatorError(`Expected ${name} size (${expected.join(", ")}), got [${state.sizes.join(", ")}]`);
      }
    });
    const hx = sizes.length === 1 ? given[0] : given;
    const [output, ...last] = atenMany(operator, data, batchSizes, hx, this.weights(), ...this.settings().slice(0, -1));
    return [
      new PackedSequence(output!, batchSizes, sortedIndices, unsortedIndices),
      last.map((state) => permuted(state, unsortedIndices)),
    ];
  }

  override extraRepr(): string {
    let text = `${this.input_size}, ${this.hidden_size}`;
    if (this.proj_size !== 0) text += `, proj_size=${this.proj_size}`;
    if (this.num_layers !== 1) text += `, num_layers=${this.num_layers}`;
    if (!this.bias) text += ", bias=False";
    if (this.batch_first) text += ", batch_first=True";
    if (this.dropout !== 0) text += `, dropout=${floatText(this.dropout)}`;
    if (this.bidirectional) text += ", bidirectional=True";
    return text;
  }
}

/** Python's call takes both; here the types tell them apart. */
function checkNotPacked(input: unknown, name: string): void {
  if (input instanceof PackedSequence)
    throw new TypeError(`${name}: forward() takes a tensor, got a PackedSequence; call forwardPacked(packed, state)`);
}

/** Elman network. */
export class RNN extends RNNBase {
  static readonly torchscript: ModuleScript = RNN_SCRIPT;
  /** `"tanh"` or `"relu"`. */
  readonly nonlinearity: "tanh" | "relu";
  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    const { nonlinearity = "tanh" } = options;
    if (nonlinearity !== "tanh" && nonlinearity !== "relu")
      throw new OperatorError(`Unknown nonlinearity '${String(nonlinearity)}'. Select from 'tanh' or 'relu'.`);
    super(
      nonlinearity === "tanh" ? "RNN_TANH" : "RNN_RELU",
      inputSize,
      hiddenSize,
      { ...options, projSize: 0 },
      { nonlinearity },
    );
    this.nonlinearity = nonlinearity;
  }
  forward(input: Tensor, hx: Tensor | null = null): [output: Tensor, state: Tensor] {
    return this.runSimple(this.mode === "RNN_TANH" ? "rnn_tanh" : "rnn_relu", "RNN", input, hx);
  }
  /** The same on a packed batch: PyTorch's call with a `PackedSequence`. */
  forwardPacked(packed: PackedSequence, hx: Tensor | null = null): [output: PackedSequence, state: Tensor] {
    return this.callPacked(packed, hx, (given, state) =>
      this.packedSimple(this.mode === "RNN_TANH" ? "rnn_tanh" : "rnn_relu", given, state),
    );
  }
}

/** Gated recurrent units. */
export class GRU extends RNNBase {
  static readonly torchscript: ModuleScript = GRU_SCRIPT;
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super("GRU", inputSize, hiddenSize, { ...options, projSize: 0 });
  }
  forward(input: Tensor, hx: Tensor | null = null): [output: Tensor, state: Tensor] {
    return this.runSimple("gru", "GRU", input, hx);
  }
  /** The same on a packed batch: PyTorch's call with a `PackedSequence`. */
  forwardPacked(packed: PackedSequence, hx: Tensor | null = null): [output: PackedSequence, state: Tensor] {
    return this.callPacked(packed, hx, (given, state) => this.packedSimple("gru", given, state));
  }
}

/** Long short-term memory. */
export class LSTM extends RNNBase {
  static readonly torchscript: ModuleScript = LSTM_SCRIPT;
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    super("LSTM", inputSize, hiddenSize, options);
  }
  /** The same on a packed batch: PyTorch's call with a `PackedSequence`. */
  forwardPacked(
    packed: PackedSequence,
    hx: readonly [Tensor, Tensor] | null = null,
  ): [output: PackedSequence, state: [hidden: Tensor, cell: Tensor]] {
    const size = this.proj_size > 0 ? this.proj_size : this.hidden_size;
    return this.callPacked(packed, hx, (given, state) => {
      const [output, states] = this.runPacked("lstm", given, state, [size, this.hidden_size]);
      return [output, states as [Tensor, Tensor]];
    });
  }

  forward(
    input: Tensor,
    hx: readonly [Tensor, Tensor] | null = null,
  ): [output: Tensor, state: [hidden: Tensor, cell: Tensor]] {
    checkNotPacked(input, "LSTM");
    const { ndim } = input;
    if (ndim !== 2 && ndim !== 3) throw new OperatorError(`LSTM: Expected input to be 2D or 3D, got ${ndim}D instead`);
    const batched = ndim === 3;
    if (!batched) input = aten("unsqueeze", input, this.batchDim());
    const maxBatchSize = sizeOf(input, this.batchDim());
    const size = this.proj_size > 0 ? this.proj_size : this.hidden_size;
    let state: readonly Tensor[];
    if (hx) {
      const [h, c] = hx;
      if (h.ndim !== ndim || c.ndim !== ndim) {
        throw new OperatorError(
          `For ${batched ? "batched 3-D" : "unbatched 2-D"} input, hx and cx should also be ${ndim}-D but got (${h.ndim}-D, ${c.ndim}-D) tensors`,
        );
      }
      state = batched ? hx : hx.map((t) => aten("unsqueeze", t, 1));
    } else {
      const zeros = (length: number): Tensor =>
        aten("zeros", [this.stateCount(), maxBatchSize, length], { dtype: input.dtype });
      state = [zeros(size), zeros(this.hidden_size)];
    }
    this.checkInput(input);
    this.checkState(state[0]!, input, size, "hidden[0]");
    this.checkState(state[1]!, input, this.hidden_size, "hidden[1]");
    const result = atenMany("lstm", input, state, this.weights(), ...this.settings());
    let output = result[0]!;
    let hidden: [Tensor, Tensor] = [result[1]!, result[2]!];
    if (!batched) {
      output = aten("squeeze", output, this.batchDim());
      hidden = [aten("squeeze", hidden[0], 1), aten("squeeze", hidden[1], 1)];
    }
    return [output, hidden];
  }
}

/** Options of the cells. */
export interface CellOptions extends FactoryOptions {
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
}

/** What all cells share. */
export abstract class RNNCellBase extends Module {
  /** Size of the input's features. */
  readonly input_size: number;
  /** Size of the hidden state. */
  readonly hidden_size: number;
  /** Values that are added, one for each output; null or false without. */
  readonly bias: boolean;
  /** Weights of the input, the gates one behind the other. */
  weight_ih: Parameter;
  /** Weights of the hidden state, the gates one behind the other. */
  weight_hh: Parameter;
  /** Biases of the input, the gates one behind the other. */
  declare bias_ih: Parameter | null;
  /** Biases of the hidden state, the gates one behind the other. */
  declare bias_hh: Parameter | null;

  protected constructor(inputSize: number, hiddenSize: number, chunks: number, options: CellOptions) {
    super();
    this.input_size = inputSize;
    this.hidden_size = hiddenSize;
    this.bias = options.bias ?? true;
    this.weight_ih = emptyParameter([chunks * hiddenSize, inputSize], options);
    this.weight_hh = emptyParameter([chunks * hiddenSize, hiddenSize], options);
    this.registerParameter("bias_ih", this.bias ? emptyParameter([chunks * hiddenSize], options) : null);
    this.registerParameter("bias_hh", this.bias ? emptyParameter([chunks * hiddenSize], options) : null);
    this.resetParameters();
  }

  /** Draws the default initial values. */
  resetParameters(): void {
    const bound = this.hidden_size > 0 ? 1 / Math.sqrt(this.hidden_size) : 0;
    for (const weight of this.parameters()) uniform_(weight, -bound, bound);
  }

  protected checkRank(tensor: Tensor, what: string): void {
    if (tensor.ndim !== 1 && tensor.ndim !== 2)
      throw new OperatorError(`${this.getName()}: Expected ${what} to be 1D or 2D, got ${tensor.ndim}D instead`);
  }

  /** Runs a cell with one state. */
  protected runSimple(operator: string, input: Tensor, hx: Tensor | null): Tensor {
    this.checkRank(input, "input");
    if (hx) this.checkRank(hx, "hidden");
    const batched = input.ndim === 2;
    if (!batched) input = aten("unsqueeze", input, 0);
    if (!hx) hx = aten("zeros", [sizeOf(input, 0), this.hidden_size], { dtype: input.dtype });
    else if (!batched) hx = aten("unsqueeze", hx, 0);
    let ret = aten(operator, input, hx, this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh);
    if (!batched) ret = aten("squeeze", ret, 0);
    return ret;
  }

  override extraRepr(): string {
    return `${this.input_size}, ${this.hidden_size}${this.bias ? "" : ", bias=False"}`;
  }
}

/** One step of an Elman network. */
export class RNNCell extends RNNCellBase {
  static readonly torchscript: ModuleScript = RNN_CELL_SCRIPT;
  /** `"tanh"` or `"relu"`. */
  readonly nonlinearity: "tanh" | "relu";
  constructor(
    inputSize: number,
    hiddenSize: number,
    options: CellOptions & { readonly nonlinearity?: "tanh" | "relu" } = {},
  ) {
    super(inputSize, hiddenSize, 1, options);
    this.nonlinearity = options.nonlinearity ?? "tanh";
  }
  forward(input: Tensor, hx: Tensor | null = null): Tensor {
    if (this.nonlinearity !== "tanh" && this.nonlinearity !== "relu")
      throw new OperatorError(`Unknown nonlinearity: ${String(this.nonlinearity)}`);
    return this.runSimple(this.nonlinearity === "tanh" ? "rnn_tanh_cell" : "rnn_relu_cell", input, hx);
  }
  override extraRepr(): string {
    return super.extraRepr() + (this.nonlinearity === "tanh" ? "" : `, nonlinearity=${this.nonlinearity}`);
  }
}

/** One step of gated recurrent units. */
export class GRUCell extends RNNCellBase {
  static readonly torchscript: ModuleScript = GRU_CELL_SCRIPT;
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(inputSize, hiddenSize, 3, options);
  }
  forward(input: Tensor, hx: Tensor | null = null): Tensor {
    return this.runSimple("gru_cell", input, hx);
  }
}

/** One step of long short-term memory. */
export class LSTMCell extends RNNCellBase {
  static readonly torchscript: ModuleScript = LSTM_CELL_SCRIPT;
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(inputSize, hiddenSize, 4, options);
  }
  forward(input: Tensor, hx: readonly [Tensor, Tensor] | null = null): [hidden: Tensor, cell: Tensor] {
    this.checkRank(input, "input");
    hx?.forEach((t, i) => this.checkRank(t, `hx[${i}]`));
    const batched = input.ndim === 2;
    if (!batched) input = aten("unsqueeze", input, 0);
    const weights = [this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh];
    let ret: Tensor[];
    if (!hx) {
      const zeros = aten("zeros", [sizeOf(input, 0), this.hidden_size], { dtype: input.dtype });
      ret = atenMany("lstm_cell", input, [zeros, zeros], ...weights);
    } else if (batched) {
      const value = hx[1];
      ret = atenMany("lstm_cell", input, [hx[0], value], ...weights);
    } else ret = atenMany("lstm_cell", input, [aten("unsqueeze", hx[0], 0), aten("unsqueeze", hx[1], 0)], ...weights);
    const [hidden, cell] = ret as [Tensor, Tensor];
    return batched ? [hidden, cell] : [aten("squeeze", hidden, 0), aten("squeeze", cell, 0)];
  }
}
