/** @file Scripts of attention and transformer classes. Upstream: torch/nn/modules/activation.py (MultiheadAttention), transformer.py. Spec: none. See Note [Library scripts]. */
import type { ModuleScript } from "../module_script.ts";
import { moduleScript } from "./module_text.ts";
import type { FunctionScripts } from "./script_text.ts";

/** Reasons against the fused operator in the order in which they are looked at: the first one that holds is kept. */
function reasons(
  variable: string,
  list: readonly (readonly [test: string, reason: string])[],
  indent = "    ",
): string {
  return list
    .map(([test, reason], i) => `${indent}${i === 0 ? "if" : "elif"} ${test}:\n${indent}    ${variable} = ${reason}\n`)
    .join("");
}

/** The two masks in one form. */
function canonicalMasks(padding: string, mask: string, like: string): string {
  return `    ${padding} = F._canonical_mask(mask=${padding}, mask_name="${padding}", other_type=F._none_or_dtype(${mask}), other_name="${mask}", target_type=${like}.dtype)
    ${mask} = F._canonical_mask(mask=${mask}, mask_name="${mask}", other_type=None, other_name="", target_type=${like}.dtype, check_other=False)
`;
}

const OVERRIDDEN = '"some Tensor argument has_torch_function"';
const GRADIENTS =
  '"grad is enabled and at least one of query or the input/output projection weights or biases requires_grad"';
const AUTOCAST = ["torch.is_autocast_enabled()", '"autocast is enabled"'] as const;
const SWITCHED_OFF = ["not is_fastpath_enabled", '"torch.backends.mha.get_fastpath_enabled() was not True"'] as const;
const unbatched = (input: string): readonly [string, string] => [
  `${input}.dim() != 3`,
  `"input not batched; expected ${input}.dim() of 3 but got {}".format(${input}.dim())`,
];
const OTHER_DEVICE = "torch.utils.backend_registration._privateuse1_backend_name";
const otherDtype = (member: string): string =>
  `"dtypes of query ({}) and self.${member} ({}) don't match".format(query.dtype, self.${member}.dtype)`;

const WHY = "why_not_fast_path";
const attend = (separate: string): string =>
  `attn_output, attn_output_weights = F.multi_head_attention_forward(query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias, training=self.training, key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask, ${separate}average_attn_weights=average_attn_weights, is_causal=is_causal)`;

/** The script of MultiheadAttention. */
export const ATTENTION_SCRIPT: ModuleScript = moduleScript(
  "activation.MultiheadAttention",
  `def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Optional[Tensor] = None, need_weights: bool = True, attn_mask: Optional[Tensor] = None, average_attn_weights: bool = True, is_causal: bool = False) -> Tuple[Tensor, Optional[Tensor]]:
    """By the fused operator where it can."""
    ${WHY} = ""
    if (attn_mask is not None and torch.is_floating_point(attn_mask)) or (key_padding_mask is not None and torch.is_floating_point(key_padding_mask)):
        ${WHY} = "floating-point masks are not supported for fast path."
    is_batched = query.dim() == 3
${canonicalMasks("key_padding_mask", "attn_mask", "query")}    is_fastpath_enabled = torch.backends.mha.get_fastpath_enabled()
${reasons(WHY, [
  SWITCHED_OFF,
  ["not is_batched", unbatched("query")[1]],
  [
    "query is not key or key is not value",
    '"non-self attention was used (query, key, and value are not the same Tensor)"',
  ],
  ["self.in_proj_bias is not None and query.dtype != self.in_proj_bias.dtype", otherDtype("in_proj_bias")],
  ["self.in_proj_weight is None", '"in_proj_weight was None"'],
  ["query.dtype != self.in_proj_weight.dtype", otherDtype("in_proj_weight")],
  ["self.training", '"training is enabled"'],
  ["(self.num_heads % 2) != 0", '"self.num_heads is not even"'],
  ["not self.batch_first", '"batch_first was not True"'],
  ["self.bias_k is not None", '"self.bias_k was not None"'],
  ["self.bias_v is not None", '"self.bias_v was not None"'],
  ["self.add_zero_attn", '"add_zero_attn was enabled"'],
  ["not self._qkv_same_embed_dim", '"_qkv_same_embed_dim was not True"'],
  [
    "query.is_nested and (key_padding_mask is not None or attn_mask is not None)",
    '"supplying both src_key_padding_mask and src_mask at the same time                              is not supported with NestedTensor input"',
  ],
  AUTOCAST,
])}    fast_path_blocked_by_tracing = False
    if not ${WHY}:
        tensor_args = (query, key, value, self.in_proj_weight, self.in_proj_bias, self.out_proj.weight, self.out_proj.bias)
        if torch.overrides.has_torch_function(tensor_args):
            ${WHY} = ${OVERRIDDEN}
        elif not all([_check_arg_device(x) for x in tensor_args]):
            ${WHY} = "some Tensor argument's device is neither one of cpu, cuda or {}".format(${OTHER_DEVICE})
        elif torch.is_grad_enabled() and any([_arg_requires_grad(x) for x in tensor_args]):
            ${WHY} = ${GRADIENTS}
        elif _is_make_fx_tracing():
            ${WHY} = "we are running make_fx tracing"
            fast_path_blocked_by_tracing = True
        if not ${WHY}:
            merged_mask, mask_type = self.merge_masks(attn_mask, key_padding_mask, query)
            if self.in_proj_bias is not None and self.in_proj_weight is not None:
                return torch._native_multi_head_attention(query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.out_proj.weight, self.out_proj.bias, merged_mask, need_weights, average_attn_weights, mask_type)
    any_nested = query.is_nested or key.is_nested or value.is_nested
    if any_nested:
        raise AssertionError("MultiheadAttention does not support NestedTensor outside of its fast path. " + "The fast path was not hit because {}".format(${WHY}))
    if self.batch_first and is_batched:
        if key is value:
            if query is key:
                query = key = value = query.transpose(1, 0)
            else:
                query, key = [x.transpose(1, 0) for x in (query, key)]
                value = key
        else:
            query, key, value = [x.transpose(1, 0) for x in (query, key, value)]
    if not self._qkv_same_embed_dim:
        ${attend("use_separate_proj_weight=True, q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight, v_proj_weight=self.v_proj_weight, ")}
    else:
        ${attend("")}
    if self.batch_first and is_batched:
        attn_output = attn_output.transpose(1, 0)
        if fast_path_blocked_by_tracing:
            attn_output = attn_output.contiguous()
        return attn_output, attn_output_weights
    else:
        return attn_output, attn_output_weights

def merge_masks(self, attn_mask: Optional[Tensor], key_padding_mask: Optional[Tensor], query: Tensor) -> Tuple[Optional[Tensor], Optional[int]]:
    """One mask of what is there, and its kind."""
    mask_type: Optional[int] = None
    merged_mask: Optional[Tensor] = None
    if key_padding_mask is not None:
        mask_type = 1
        merged_mask = key_padding_mask
    if attn_mask is not None:
        batch_size, seq_len, _ = query.shape
        mask_type = 2
        if attn_mask.dim() == 3:
            attn_mask_expanded = attn_mask.view(batch_size, -1, seq_len, seq_len)
        else:
            attn_mask_expanded = attn_mask.view(1, 1, seq_len, seq_len).expand(batch_size, self.num_heads, -1, -1)
        merged_mask = attn_mask_expanded
        if key_padding_mask is not None:
            key_padding_mask_expanded = key_padding_mask.view(batch_size, 1, 1, seq_len).expand(-1, self.num_heads, -1, -1)
            merged_mask = attn_mask_expanded + key_padding_mask_expanded
    return merged_mask, mask_type
`,
  {
    constants: ["batch_first"],
    attributes: { bias_k: "Optional[Tensor]", bias_v: "Optional[Tensor]", dropout: "float" },
  },
);

const SPARSITY = "why_not_sparsity_fast_path";
const LAYER_WEIGHTS = (layer: string): string =>
  `(src, ${layer}.self_attn.in_proj_weight, ${layer}.self_attn.in_proj_bias, ${layer}.self_attn.out_proj.weight, ${layer}.self_attn.out_proj.bias, ${layer}.norm1.weight, ${layer}.norm1.bias, ${layer}.norm2.weight, ${layer}.norm2.bias, ${layer}.linear1.weight, ${layer}.linear1.bias, ${layer}.linear2.weight, ${layer}.linear2.bias)`;
const DEVICES = `_supported_device_type = ["cpu", "cuda", "xpu", ${OTHER_DEVICE}]`;
const NEEDS_GRADIENT = "torch.is_grad_enabled() and any([x.requires_grad for x in tensor_args])";
const BLOCK = "attn_mask: Optional[Tensor], key_padding_mask: Optional[Tensor], is_causal: bool = False) -> Tensor:";
const feedForward = (dropout: string): string => `
def _ff_block(self, x: Tensor) -> Tensor:
    x = self.linear2(self.dropout(self.activation(self.linear1(x))))
    return self.${dropout}(x)
`;

/** The script of TransformerEncoderLayer. */
export const ENCODER_LAYER_SCRIPT: ModuleScript = moduleScript(
  "transformer.TransformerEncoderLayer",
  `def forward(self, src: Tensor, src_mask: Optional[Tensor] = None, src_key_padding_mask: Optional[Tensor] = None, is_causal: bool = False) -> Tensor:
    """By the fused operator where it can."""
${canonicalMasks("src_key_padding_mask", "src_mask", "src")}    is_fastpath_enabled = torch.backends.mha.get_fastpath_enabled()
    ${SPARSITY} = ""
${reasons(SPARSITY, [
  SWITCHED_OFF,
  unbatched("src"),
  ["self.training", '"training is enabled"'],
  ["not self.self_attn.batch_first", '"self_attn.batch_first was not True"'],
  ["self.self_attn.in_proj_bias is None", '"self_attn was passed bias=False"'],
  ["not self.self_attn._qkv_same_embed_dim", '"self_attn._qkv_same_embed_dim was not True"'],
  ["not self.activation_relu_or_gelu", '"activation_relu_or_gelu was not True"'],
  ["self.norm1.eps != self.norm2.eps", '"norm1.eps is not equal to norm2.eps"'],
  [
    "src.is_nested and (src_key_padding_mask is not None or src_mask is not None)",
    '"neither src_key_padding_mask nor src_mask are not supported with NestedTensor input"',
  ],
  ["self.self_attn.num_heads % 2 == 1", '"num_head is odd"'],
  AUTOCAST,
  [
    'any([len(getattr(m, "_forward_hooks", {})) + len(getattr(m, "_forward_pre_hooks", {})) for m in self.modules()])',
    '"forward pre-/hooks are attached to the module"',
  ],
])}    if not ${SPARSITY}:
        tensor_args = ${LAYER_WEIGHTS("self")}
        ${DEVICES}
        if torch.overrides.has_torch_function(tensor_args):
            ${SPARSITY} = ${OVERRIDDEN}
        elif not all([(x.device.type in _supported_device_type) for x in tensor_args]):
            ${SPARSITY} = "some Tensor argument's device is neither one of {}".format(_supported_device_type)
        elif ${NEEDS_GRADIENT}:
            ${SPARSITY} = ${GRADIENTS}
        if not ${SPARSITY}:
            merged_mask, mask_type = self.self_attn.merge_masks(src_mask, src_key_padding_mask, src)
            return torch._transformer_encoder_layer_fwd(src, self.self_attn.embed_dim, self.self_attn.num_heads, self.self_attn.in_proj_weight, self.self_attn.in_proj_bias, self.self_attn.out_proj.weight, self.self_attn.out_proj.bias, self.activation_relu_or_gelu == 2, self.norm_first, self.norm1.eps, self.norm1.weight, self.norm1.bias, self.norm2.weight, self.norm2.bias, self.linear1.weight, self.linear1.bias, self.linear2.weight, self.linear2.bias, merged_mask, mask_type)
    x = src
    if self.norm_first:
        x = x + self._sa_block(self.norm1(x), src_mask, src_key_padding_mask, is_causal=is_causal)
        x = x + self._ff_block(self.norm2(x))
    else:
        x = self.norm1(x + self._sa_block(x, src_mask, src_key_padding_mask, is_causal=is_causal))
        x = self.norm2(x + self._ff_block(x))
    return x

def _sa_block(self, x: Tensor, ${BLOCK}
    x = self.self_attn(x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask, need_weights=False, is_causal=is_causal)[0]
    return self.dropout1(x)
${feedForward("dropout2")}`,
  { constants: ["norm_first"] },
);

const attention = (name: string, attn: string, other: string, dropout: string): string => `
def ${name}(self, x: Tensor, ${other === "x" ? "" : `${other}: Tensor, `}${BLOCK}
    x = self.${attn}(x, ${other}, ${other}, attn_mask=attn_mask, key_padding_mask=key_padding_mask, is_causal=is_causal, need_weights=False)[0]
    return self.${dropout}(x)
`;

/** The script of TransformerDecoderLayer. */
export const DECODER_LAYER_SCRIPT: ModuleScript = moduleScript(
  "transformer.TransformerDecoderLayer",
  `def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Optional[Tensor] = None, memory_mask: Optional[Tensor] = None, tgt_key_padding_mask: Optional[Tensor] = None, memory_key_padding_mask: Optional[Tensor] = None, tgt_is_causal: bool = False, memory_is_causal: bool = False) -> Tensor:
    """Attention to itself, to the memory, and the feed-forward part."""
    x = tgt
    if self.norm_first:
        x = x + self._sa_block(self.norm1(x), tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        x = x + self._mha_block(self.norm2(x), memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        x = x + self._ff_block(self.norm3(x))
    else:
        x = self.norm1(x + self._sa_block(x, tgt_mask, tgt_key_padding_mask, tgt_is_causal))
        x = self.norm2(x + self._mha_block(x, memory, memory_mask, memory_key_padding_mask, memory_is_causal))
        x = self.norm3(x + self._ff_block(x))
    return x
${attention("_sa_block", "self_attn", "x", "dropout1")}${attention("_mha_block", "multihead_attn", "mem", "dropout2")}${feedForward("dropout3")}`,
  { constants: ["norm_first"] },
);

/** The script of TransformerEncoder. */
export const ENCODER_SCRIPT: ModuleScript = moduleScript(
  "transformer.TransformerEncoder",
  `def forward(self, src: Tensor, mask: Optional[Tensor] = None, src_key_padding_mask: Optional[Tensor] = None, is_causal: Optional[bool] = None) -> Tensor:
    """Layer by layer, on nested tensors where it can."""
${canonicalMasks("src_key_padding_mask", "mask", "src")}    output = src
    convert_to_nested = False
    first_layer = self.layers[0]
    src_key_padding_mask_for_layers = src_key_padding_mask
    ${SPARSITY} = ""
    str_first_layer = "self.layers[0]"
    batch_first = first_layer.self_attn.batch_first
    is_fastpath_enabled = torch.backends.mha.get_fastpath_enabled()
    do_mask_check = getattr(self, "mask_check", True)
${reasons(SPARSITY, [
  SWITCHED_OFF,
  ['not hasattr(self, "use_nested_tensor")', '"use_nested_tensor attribute not present"'],
  ["not self.use_nested_tensor", '"self.use_nested_tensor (set in init) was not True"'],
  ["first_layer.training", '"{} was in training mode".format(str_first_layer)'],
  unbatched("src"),
  ["src_key_padding_mask is None", '"src_key_padding_mask was None"'],
  ["do_mask_check and torch.compiler.is_compiling()", '"mask_check enabled with torch.compile or torch.export"'],
  [
    "do_mask_check and (not torch._nested_tensor_from_mask_left_aligned(src, src_key_padding_mask.logical_not()))",
    '"mask_check enabled, and src and src_key_padding_mask was not left aligned"',
  ],
  ["output.is_nested", '"NestedTensor input is not supported"'],
  ["mask is not None", '"src_key_padding_mask and mask were both supplied"'],
  AUTOCAST,
])}    if not ${SPARSITY}:
        tensor_args = ${LAYER_WEIGHTS("first_layer")}
        ${DEVICES}
        if torch.overrides.has_torch_function(tensor_args):
            ${SPARSITY} = ${OVERRIDDEN}
        elif src.device.type not in _supported_device_type:
            ${SPARSITY} = "src device is neither one of {}".format(_supported_device_type)
        elif ${NEEDS_GRADIENT}:
            ${SPARSITY} = ${GRADIENTS}
        if (not ${SPARSITY}) and (src_key_padding_mask is not None):
            convert_to_nested = True
            output = torch._nested_tensor_from_mask(output, src_key_padding_mask.logical_not(), mask_check=False)
            src_key_padding_mask_for_layers = None
    seq_len = _get_seq_len(src, batch_first)
    is_causal = _detect_is_causal_mask(mask, is_causal, seq_len)
    for mod in self.layers:
        output = mod(output, src_mask=mask, is_causal=is_causal, src_key_padding_mask=src_key_padding_mask_for_layers)
    if convert_to_nested:
        output = output.to_padded_tensor(0.0, src.size())
    if self.norm is not None:
        output = self.norm(output)
    return output
`,
  { constants: ["norm"] },
);

/** The script of TransformerDecoder. */
export const DECODER_SCRIPT: ModuleScript = moduleScript(
  "transformer.TransformerDecoder",
  `def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Optional[Tensor] = None, memory_mask: Optional[Tensor] = None, tgt_key_padding_mask: Optional[Tensor] = None, memory_key_padding_mask: Optional[Tensor] = None, tgt_is_causal: Optional[bool] = None, memory_is_causal: bool = False) -> Tensor:
    """Layer by layer."""
    output = tgt
    seq_len = _get_seq_len(tgt, self.layers[0].self_attn.batch_first)
    tgt_is_causal = _detect_is_causal_mask(tgt_mask, tgt_is_causal, seq_len)
    for mod in self.layers:
        output = mod(output, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)
    if self.norm is not None:
        output = self.norm(output)
    return output
`,
  { constants: ["norm"] },
);

/** The script of Transformer. */
export const TRANSFORMER_SCRIPT: ModuleScript = moduleScript(
  "transformer.Transformer",
  `def forward(self, src: Tensor, tgt: Tensor, src_mask: Optional[Tensor] = None, tgt_mask: Optional[Tensor] = None, memory_mask: Optional[Tensor] = None, src_key_padding_mask: Optional[Tensor] = None, tgt_key_padding_mask: Optional[Tensor] = None, memory_key_padding_mask: Optional[Tensor] = None, src_is_causal: Optional[bool] = None, tgt_is_causal: Optional[bool] = None, memory_is_causal: bool = False) -> Tensor:
    """Encodes the source and decodes the target with it."""
    is_batched = src.dim() == 3
    if not self.batch_first and src.size(1) != tgt.size(1) and is_batched:
        raise RuntimeError("the batch number of src and tgt must be equal")
    elif self.batch_first and src.size(0) != tgt.size(0) and is_batched:
        raise RuntimeError("the batch number of src and tgt must be equal")
    if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
        raise RuntimeError("the feature number of src and tgt must be equal to d_model")
    memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
    output = self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)
    return output
`,
);

/** Functions beside the classes. */
export const TRANSFORMER_FUNCTIONS: readonly FunctionScripts[] = [
  {
    module: "torch.nn.modules.transformer",
    source: `
def _generate_square_subsequent_mask(sz: int, device: Optional[torch.device] = None, dtype: Optional[torch.dtype] = None) -> Tensor:
    """Nothing of what comes later."""
    return torch.triu(torch.full((sz, sz), float("-inf"), dtype=dtype, device=device), diagonal=1)

def _get_seq_len(src: Tensor, batch_first: bool) -> Optional[int]:
    if src.is_nested:
        return None
    else:
        src_size = src.size()
        if len(src_size) == 2:
            return src_size[0]
        else:
            seq_len_pos = 1 if batch_first else 0
            return src_size[seq_len_pos]

def _detect_is_causal_mask(mask: Optional[Tensor], is_causal: Optional[bool] = None, size: Optional[int] = None) -> bool:
    """Whether the mask is the one of what comes later."""
    make_causal = is_causal is True
    if is_causal is None and mask is not None:
        sz = size if size is not None else mask.size(-2)
        causal_comparison = _generate_square_subsequent_mask(sz, device=mask.device, dtype=mask.dtype)
        if mask.size() == causal_comparison.size():
            make_causal = bool((mask == causal_comparison).all())
        else:
            make_causal = False
    return make_causal
`,
  },
  {
    module: "torch.nn.modules.activation",
    source: `
def _check_arg_device(x: Optional[Tensor]) -> bool:
    if x is not None:
        return x.device.type in ["cpu", "cuda", ${OTHER_DEVICE}]
    return True

def _arg_requires_grad(x: Optional[Tensor]) -> bool:
    if x is not None:
        return x.requires_grad
    return False

def _is_make_fx_tracing():
    if not torch.jit.is_scripting():
        pass
    else:
        return False
`,
  },
  {
    module: "torch.nn.modules.rnn",
    source: `
def _apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    return tensor.index_select(dim, permutation)
`,
  },
];
