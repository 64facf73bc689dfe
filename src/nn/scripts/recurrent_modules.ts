/** @file Scripts of recurrent classes. Upstream: torch/nn/modules/rnn.py. Spec: none. See Note [Library scripts]. */
import type { ModuleScript } from "../module_script.ts";
import { moduleScript } from "./module_text.ts";

const FACTS = {
  constants: [
    "mode",
    "input_size",
    "hidden_size",
    "num_layers",
    "bias",
    "batch_first",
    "dropout",
    "bidirectional",
    "proj_size",
  ],
  attributes: {
    mode: "str",
    input_size: "int",
    hidden_size: "int",
    num_layers: "int",
    bias: "bool",
    batch_first: "bool",
    dropout: "float",
    bidirectional: "bool",
    proj_size: "int",
  },
};

/** Checks and helpers of all networks. */
const COMMON = `def _update_flat_weights(self) -> None:
    if not torch.jit.is_scripting():
        pass

def check_input(self, input: Tensor, batch_sizes: Optional[Tensor]) -> None:
    if not torch.jit.is_scripting():
        pass
    expected_input_dim = 2 if batch_sizes is not None else 3
    if input.dim() != expected_input_dim:
        raise RuntimeError("input must have {} dimensions, got {}".format(expected_input_dim, input.dim()))
    if self.input_size != input.size(-1):
        raise RuntimeError("input.size(-1) must be equal to input_size. Expected {}, got {}".format(self.input_size, input.size(-1)))

def get_expected_hidden_size(self, input: Tensor, batch_sizes: Optional[Tensor]) -> Tuple[int, int, int]:
    if batch_sizes is not None:
        mini_batch = int(batch_sizes[0])
    else:
        mini_batch = input.size(0) if self.batch_first else input.size(1)
    num_directions = 2 if self.bidirectional else 1
    if self.proj_size > 0:
        expected_hidden_size = (self.num_layers * num_directions, mini_batch, self.proj_size)
    else:
        expected_hidden_size = (self.num_layers * num_directions, mini_batch, self.hidden_size)
    return expected_hidden_size

def check_hidden_size(self, hx: Tensor, expected_hidden_size: Tuple[int, int, int], msg: str = "Expected hidden size {}, got {}") -> None:
    if hx.size() != expected_hidden_size:
        raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))
`;

/** Helpers of networks with one state. */
const ONE_STATE = `
def check_forward_args(self, input: Tensor, hidden: Tensor, batch_sizes: Optional[Tensor]) -> None:
    self.check_input(input, batch_sizes)
    expected_hidden_size = self.get_expected_hidden_size(input, batch_sizes)
    self.check_hidden_size(hidden, expected_hidden_size)

def permute_hidden(self, hx: Tensor, permutation: Optional[Tensor]):
    if permutation is None:
        return hx
    return _apply_permutation(hx, permutation)
`;

/** Helpers of networks with a hidden and a cell state. */
const TWO_STATES = `
def get_expected_cell_size(self, input: Tensor, batch_sizes: Optional[Tensor]) -> Tuple[int, int, int]:
    if batch_sizes is not None:
        mini_batch = int(batch_sizes[0])
    else:
        mini_batch = input.size(0) if self.batch_first else input.size(1)
    num_directions = 2 if self.bidirectional else 1
    expected_hidden_size = (self.num_layers * num_directions, mini_batch, self.hidden_size)
    return expected_hidden_size

def check_forward_args(self, input: Tensor, hidden: Tuple[Tensor, Tensor], batch_sizes: Optional[Tensor]) -> None:
    self.check_input(input, batch_sizes)
    self.check_hidden_size(hidden[0], self.get_expected_hidden_size(input, batch_sizes), "Expected hidden[0] size {}, got {}")
    self.check_hidden_size(hidden[1], self.get_expected_cell_size(input, batch_sizes), "Expected hidden[1] size {}, got {}")

def permute_hidden(self, hx: Tuple[Tensor, Tensor], permutation: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
    if permutation is None:
        return hx
    return _apply_permutation(hx[0], permutation), _apply_permutation(hx[1], permutation)
`;

const zeros = (size: string): string =>
  `torch.zeros(self.num_layers * num_directions, max_batch_size, ${size}, dtype=input.dtype, device=input.device)`;
const DIRECTIONS = "num_directions = 2 if self.bidirectional else 1";
const OPTIONS = "self.bias, self.num_layers, self.dropout, self.training, self.bidirectional";
const UNPACKED = `    if isinstance(orig_input, PackedSequence):
        input, batch_sizes, sorted_indices, unsorted_indices = input
        max_batch_size = batch_sizes[0]
`;
const UNBATCHED = `        is_batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not is_batched:
            input = input.unsqueeze(batch_dim)
`;
const UNSORTED = `        max_batch_size = input.size(0) if self.batch_first else input.size(1)
        sorted_indices = None
        unsorted_indices = None
`;
const PACKED_RESULT = `    if isinstance(orig_input, PackedSequence):
        output_packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return output_packed, self.permute_hidden(hidden, unsorted_indices)
`;

/** The body of a network with one state. */
function oneStateBody(name: "RNN" | "GRU"): string {
  const isRNN = name === "RNN";
  // which of them asks for the number of directions where differs
  const lazily = isRNN ? "" : `            ${DIRECTIONS}\n`;
  const start = `        if hx is None:
${lazily}            hx = ${zeros("self.hidden_size")}
        else:
            hx = self.permute_hidden(hx, sorted_indices)
`;
  const run = (operator: string, indent: string, packed: boolean): string =>
    packed
      ? `${indent}result = _VF.${operator}(input, batch_sizes, hx, self._flat_weights, ${OPTIONS})\n`
      : `${indent}result = _VF.${operator}(input, hx, self._flat_weights, ${OPTIONS}, self.batch_first)\n`;
  const runs = (packed: boolean): string =>
    isRNN
      ? `        if self.mode == "RNN_TANH":
${run("rnn_tanh", "            ", packed)}        else:
${run("rnn_relu", "            ", packed)}`
      : run("gru", "        ", packed);
  const checked = isRNN
    ? `    if hx is None:
        raise AssertionError("hx must not be None")
    self.check_forward_args(input, hx, batch_sizes)
    if self.mode != "RNN_TANH" and self.mode != "RNN_RELU":
        raise AssertionError("mode must be RNN_TANH or RNN_RELU, got {}".format(self.mode))
`
    : "    self.check_forward_args(input, hx, batch_sizes)\n";
  const end = `if not is_batched:
    output = output.squeeze(batch_dim)
    hidden = hidden.squeeze(1)
return output, self.permute_hidden(hidden, unsorted_indices)
`;
  const indented = (text: string, by: string): string => text.replace(/^(?=.)/gm, by);
  return `${isRNN ? `    """Step by step."""\n` : ""}    self._update_flat_weights()
${isRNN ? `    ${DIRECTIONS}\n` : ""}    orig_input = input
${UNPACKED}${start}    else:
        batch_sizes = None
        if input.dim() not in (2, 3):
            raise ValueError("${name}: Expected input to be 2D or 3D, got {}D ${isRNN ? "tensor " : ""}instead".format(input.dim()))
${UNBATCHED}            if hx is not None:
                if hx.dim() != 2:
                    raise RuntimeError("For unbatched 2-D input, hx should also be 2-D but got {}-D tensor".format(hx.dim()))
                hx = hx.unsqueeze(1)
        else:
            if hx is not None and hx.dim() != 3:
                raise RuntimeError("For batched 3-D input, hx should also be 3-D but got {}-D tensor".format(hx.dim()))
${UNSORTED}${start}${checked}    if batch_sizes is None:
${runs(false)}    else:
${runs(true)}    output = result[0]
    hidden = result[1]
${PACKED_RESULT}${isRNN ? indented(end, "    ") : `    else:\n${indented(end, "        ")}`}`;
}

const LSTM_ZEROS = `        if hx is None:
            h_zeros = ${zeros("real_hidden_size")}
            c_zeros = ${zeros("self.hidden_size")}
            hx = (h_zeros, c_zeros)
`;
const lstmRank = (kind: string, rank: number, indent: string): string =>
  `${indent}if hx[0].dim() != ${rank} or hx[1].dim() != ${rank}:
${indent}    msg = "For ${kind} ${rank}-D input, hx and cx should also be ${rank}-D but got ({}-D, {}-D) tensors".format(hx[0].dim(), hx[1].dim())
${indent}    raise RuntimeError(msg)
`;
const LSTM_BODY = `    self._update_flat_weights()
    orig_input = input
    batch_sizes = None
    ${DIRECTIONS}
    real_hidden_size = self.proj_size if self.proj_size > 0 else self.hidden_size
${UNPACKED}${LSTM_ZEROS}        else:
            hx = self.permute_hidden(hx, sorted_indices)
    else:
        if input.dim() not in (2, 3):
            raise ValueError("LSTM: Expected input to be 2D or 3D, got {}D instead".format(input.dim()))
${UNBATCHED}${UNSORTED}${LSTM_ZEROS}            self.check_forward_args(input, hx, batch_sizes)
        else:
            if is_batched:
${lstmRank("batched", 3, "                ")}            else:
${lstmRank("unbatched", 2, "                ")}                hx = (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
            self.check_forward_args(input, hx, batch_sizes)
            hx = self.permute_hidden(hx, sorted_indices)
    if batch_sizes is None:
        result = _VF.lstm(input, hx, self._flat_weights, ${OPTIONS}, self.batch_first)
    else:
        result = _VF.lstm(input, batch_sizes, hx, self._flat_weights, ${OPTIONS})
    output = result[0]
    hidden = result[1:]
${PACKED_RESULT}    else:
        if not is_batched:
            output = output.squeeze(batch_dim)
            hidden = (hidden[0].squeeze(1), hidden[1].squeeze(1))
        return output, self.permute_hidden(hidden, unsorted_indices)
`;

function network(name: string, helpers: string, state: string, body: string): ModuleScript {
  const forward = (index: number, input: string): string =>
    `def forward__${index}(self, input: ${input}, hx: Optional[${state}] = None) -> Tuple[${input}, ${state}]:\n${body}\n`;
  return {
    ...moduleScript(
      `rnn.${name}`,
      `${COMMON}${helpers}\n${forward(0, "Tensor")}${forward(1, "PackedSequence")}`,
      FACTS,
    ),
    overloads: { forward: ["forward__0", "forward__1"] },
  };
}

/** The script of RNN. */
export const RNN_SCRIPT: ModuleScript = network("RNN", ONE_STATE, "Tensor", oneStateBody("RNN"));
/** The script of GRU. */
export const GRU_SCRIPT: ModuleScript = network("GRU", ONE_STATE, "Tensor", oneStateBody("GRU"));
/** The script of LSTM. */
export const LSTM_SCRIPT: ModuleScript = network("LSTM", TWO_STATES, "Tuple[Tensor, Tensor]", LSTM_BODY);

const CELL_ZEROS = "torch.zeros(input.size(0), self.hidden_size, dtype=input.dtype, device=input.device)";
const CELL_ARGUMENTS = "input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh";
const CELL_ATTRIBUTES = {
  input_size: "int",
  hidden_size: "int",
  bias: "bool",
  weight_ih: "Tensor",
  weight_hh: "Tensor",
};

function cellHead(name: string, state: string): string {
  return `def forward(self, input: Tensor, hx: Optional[${state}] = None) -> ${state}:
    if input.dim() not in (1, 2):
        raise ValueError("${name}: Expected input to be 1D or 2D, got {}D instead".format(input.dim()))
`;
}

function oneStateCell(name: string, run: string): string {
  return `${cellHead(name, "Tensor")}    if hx is not None and hx.dim() not in (1, 2):
        raise ValueError("${name}: Expected hidden to be 1D or 2D, got {}D instead".format(hx.dim()))
    is_batched = input.dim() == 2
    if not is_batched:
        input = input.unsqueeze(0)
    if hx is None:
        hx = ${CELL_ZEROS}
    else:
        hx = hx.unsqueeze(0) if not is_batched else hx
${run}    if not is_batched:
        ret = ret.squeeze(0)
    return ret
`;
}

/** The script of RNNCell. */
export const RNN_CELL_SCRIPT: ModuleScript = moduleScript(
  "rnn.RNNCell",
  oneStateCell(
    "RNNCell",
    `    if self.nonlinearity == "tanh":
        ret = _VF.rnn_tanh_cell(${CELL_ARGUMENTS})
    elif self.nonlinearity == "relu":
        ret = _VF.rnn_relu_cell(${CELL_ARGUMENTS})
    else:
        ret = input
        raise RuntimeError("Unknown nonlinearity: {}".format(self.nonlinearity))
`,
  ),
  { constants: ["input_size", "hidden_size", "bias", "nonlinearity"], attributes: { nonlinearity: "str" } },
);
const CELL_CONSTANTS = ["input_size", "hidden_size", "bias"];
/** The script of GRUCell. */
export const GRU_CELL_SCRIPT: ModuleScript = moduleScript(
  "rnn.GRUCell",
  oneStateCell("GRUCell", `    ret = _VF.gru_cell(${CELL_ARGUMENTS})\n`),
  { constants: CELL_CONSTANTS, attributes: CELL_ATTRIBUTES },
);
/** The script of LSTMCell. */
export const LSTM_CELL_SCRIPT: ModuleScript = moduleScript(
  "rnn.LSTMCell",
  `${cellHead("LSTMCell", "Tuple[Tensor, Tensor]")}    if hx is not None:
        for idx, value in enumerate(hx):
            if value.dim() not in (1, 2):
                raise ValueError("LSTMCell: Expected hx[{}] to be 1D or 2D, got {}D instead".format(idx, value.dim()))
    is_batched = input.dim() == 2
    if not is_batched:
        input = input.unsqueeze(0)
    if hx is None:
        zeros = ${CELL_ZEROS}
        hx = (zeros, zeros)
    else:
        hx = (hx[0].unsqueeze(0), hx[1].unsqueeze(0)) if not is_batched else hx
    ret = _VF.lstm_cell(${CELL_ARGUMENTS})
    if not is_batched:
        ret = (ret[0].squeeze(0), ret[1].squeeze(0))
    return ret
`,
  { constants: CELL_CONSTANTS, attributes: CELL_ATTRIBUTES },
);
