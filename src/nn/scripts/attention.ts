/** @file Scripts of functional attention. Upstream: torch/nn/functional.py. Spec: none. See Note [Library scripts]. */
import type { FunctionScripts } from "./script_text.ts";

const BATCHED = "For batched (3-D) `query`, expected";
const UNBATCHED = "For unbatched (2-D) `query`, expected";

/** The checks of one rank; `mask`: what the padding mask's rank is. */
function shapes(flag: string, text: string, rank: number, more: string): string {
  return `        is_batched = ${flag}
        if key.dim() != ${rank} or value.dim() != ${rank}:
            raise AssertionError("${text} \`key\` and \`value\` to be ${rank}-D but found {}-D and {}-D tensors respectively".format(key.dim(), value.dim()))
        if key_padding_mask is not None:
            if key_padding_mask.dim() != ${rank - 1}:
                raise AssertionError("${text} \`key_padding_mask\` to be \`None\` or ${rank - 1}-D but found {}-D tensor instead".format(key_padding_mask.dim()))
        if attn_mask is not None:
            if attn_mask.dim() not in (2, 3):
                raise AssertionError("${text} \`attn_mask\` to be \`None\`, 2-D or 3-D but found {}-D tensor instead".format(attn_mask.dim()))
${more}`;
}

const weightShape = (weight: string, name: string, size: string): string => `    if ${weight}.shape != (Eq, ${size}):
        raise AssertionError("expecting ${name} weights shape of {}, but got {}".format((Eq, ${size}), ${weight}.shape))
`;
const biasShape = (bias: string, name: string): string => `    if ${bias} is not None and ${bias}.shape != (Eq,):
        raise AssertionError("expecting ${name} bias shape of {}, but got {}".format((Eq,), ${bias}.shape))
`;
const needsWeight = (name: string): string => `        if ${name} is None:
            raise AssertionError("use_separate_proj_weight is True but ${name} is None")
`;
const padMasks = (indent: string): string => `${indent}if attn_mask is not None:
${indent}    attn_mask = pad(attn_mask, (0, 1))
${indent}if key_padding_mask is not None:
${indent}    key_padding_mask = pad(key_padding_mask, (0, 1))`;
const heads = (value: string): string => `    if static_${value} is None:
        ${value} = ${value}.view(${value}.shape[0], bsz * num_heads, head_dim).transpose(0, 1)
    else:
        if static_${value}.size(0) != bsz * num_heads:
            raise AssertionError("expecting static_${value}.size(0) of {}, but got {}".format(bsz * num_heads, static_${value}.size(0)))
        if static_${value}.size(2) != head_dim:
            raise AssertionError("expecting static_${value}.size(2) of {}, but got {}".format(head_dim, static_${value}.size(2)))
        ${value} = static_${value}`;
const maskShape = (rank: number, size: string): string => `            correct_${rank}d_size = (${size})
            if attn_mask.shape != correct_${rank}d_size:
                raise RuntimeError("The shape of the ${rank}D attn_mask is {}, but should be {}.".format(attn_mask.shape, correct_${rank}d_size))`;
// eager code frees memory early
const RELEASE = `if not torch.jit.is_scripting():
            pass`;

const FORWARD = `
def multi_head_attention_forward(query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Optional[Tensor], in_proj_bias: Optional[Tensor], bias_k: Optional[Tensor], bias_v: Optional[Tensor], add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor, out_proj_bias: Optional[Tensor], training: bool = True, key_padding_mask: Optional[Tensor] = None, need_weights: bool = True, attn_mask: Optional[Tensor] = None, use_separate_proj_weight: bool = False, q_proj_weight: Optional[Tensor] = None, k_proj_weight: Optional[Tensor] = None, v_proj_weight: Optional[Tensor] = None, static_k: Optional[Tensor] = None, static_v: Optional[Tensor] = None, average_attn_weights: bool = True, is_causal: bool = False) -> Tuple[Tensor, Optional[Tensor]]:
    """Projects, attends with each head, and projects again."""
    tens_ops = (query, key, value, in_proj_weight, in_proj_bias, bias_k, bias_v, out_proj_weight, out_proj_bias)
    if has_torch_function(tens_ops):
        pass
    is_batched = _mha_shape_check(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not is_batched:
        query = query.unsqueeze(1)
        key = key.unsqueeze(1)
        value = value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    tgt_len, bsz, embed_dim = query.shape
    src_len, _, _ = key.shape
    key_padding_mask = _canonical_mask(mask=key_padding_mask, mask_name="key_padding_mask", other_type=_none_or_dtype(attn_mask), other_name="attn_mask", target_type=query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint. You may use the Transformer module method \`generate_square_subsequent_mask\` to create this mask.")
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = _canonical_mask(mask=attn_mask, mask_name="attn_mask", other_type=None, other_name="", target_type=query.dtype, check_other=False)
        if key_padding_mask is not None:
            is_causal = False
    if embed_dim != embed_dim_to_check:
        raise AssertionError("was expecting embedding dimension of {}, but got {}".format(embed_dim_to_check, embed_dim))
    if isinstance(embed_dim, torch.Tensor):
        head_dim = embed_dim.div(num_heads, rounding_mode="trunc")
    else:
        head_dim = embed_dim // num_heads
    if head_dim * num_heads != embed_dim:
        raise AssertionError("embed_dim {} not divisible by num_heads {}".format(embed_dim, num_heads))
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError("key's sequence and batch dims {} do not match value's {}".format(key.shape[:2], value.shape[:2]))
    else:
        if key.shape != value.shape:
            raise AssertionError("key shape {} does not match value shape {}".format(key.shape, value.shape))
    if not use_separate_proj_weight:
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _in_projection_packed(query, key, value, in_proj_weight, in_proj_bias)
    else:
${needsWeight("q_proj_weight")}${needsWeight("k_proj_weight")}${needsWeight("v_proj_weight")}        if in_proj_bias is None:
            b_q = b_k = b_v = None
        else:
            b_q, b_k, b_v = in_proj_bias.chunk(3)
        q, k, v = _in_projection(query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, b_q, b_k, b_v)
    if attn_mask is not None:
        if attn_mask.dim() == 2:
${maskShape(2, "tgt_len, src_len")}
            attn_mask = attn_mask.unsqueeze(0)
        elif attn_mask.dim() == 3:
${maskShape(3, "bsz * num_heads, tgt_len, src_len")}
        else:
            raise RuntimeError("attn_mask's dimension {} is not supported".format(attn_mask.dim()))
    if bias_k is not None and bias_v is not None:
        if static_k is not None:
            raise AssertionError("bias cannot be added to static key.")
        if static_v is not None:
            raise AssertionError("bias cannot be added to static value.")
        k = torch.cat([k, bias_k.repeat(1, bsz, 1)])
        v = torch.cat([v, bias_v.repeat(1, bsz, 1)])
${padMasks("        ")}
    else:
        if bias_k is not None:
            raise AssertionError("bias_k is set but bias_v is None")
        if bias_v is not None:
            raise AssertionError("bias_v is set but bias_k is None")
    q = q.view(tgt_len, bsz * num_heads, head_dim).transpose(0, 1)
${heads("k")}
${heads("v")}
    if add_zero_attn:
        zero_attn_shape = (bsz * num_heads, 1, head_dim)
        k = torch.cat([k, torch.zeros(zero_attn_shape, dtype=k.dtype, device=k.device)], dim=1)
        v = torch.cat([v, torch.zeros(zero_attn_shape, dtype=v.dtype, device=v.device)], dim=1)
${padMasks("        ")}
    src_len = k.size(1)
    if key_padding_mask is not None:
        if not torch.jit.is_scripting() and not torch.jit.is_tracing():
            pass
        key_padding_mask = key_padding_mask.view(bsz, 1, 1, src_len).expand(-1, num_heads, -1, -1).reshape(bsz * num_heads, 1, src_len)
        if attn_mask is None:
            attn_mask = key_padding_mask
        else:
            attn_mask = attn_mask + key_padding_mask
    if not training:
        dropout_p = 0.0
    if need_weights:
        _B, _Nt, E = q.shape
        q_scaled = q * math.sqrt(1.0 / float(E))
        if is_causal and attn_mask is None:
            raise AssertionError("FIXME: is_causal not implemented for need_weights")
        if attn_mask is not None:
            attn_output_weights = torch.baddbmm(attn_mask, q_scaled, k.transpose(-2, -1))
        else:
            attn_output_weights = torch.bmm(q_scaled, k.transpose(-2, -1))
        ${RELEASE}
        attn_output_weights = softmax(attn_output_weights, dim=-1)
        if dropout_p > 0.0:
            attn_output_weights = dropout(attn_output_weights, p=dropout_p)
        attn_output = torch.bmm(attn_output_weights, v)
        ${RELEASE}
        attn_output = attn_output.transpose(0, 1).reshape(tgt_len * bsz, embed_dim)
        attn_output = linear(attn_output, out_proj_weight, out_proj_bias)
        attn_output = attn_output.view(tgt_len, bsz, attn_output.size(1))
        attn_output_weights = attn_output_weights.view(bsz, num_heads, tgt_len, src_len)
        if average_attn_weights:
            attn_output_weights = attn_output_weights.mean(dim=1)
        if not is_batched:
            attn_output = attn_output.squeeze(1)
            attn_output_weights = attn_output_weights.squeeze(0)
        return attn_output, attn_output_weights
    else:
        if attn_mask is not None:
            if attn_mask.size(0) == 1 and attn_mask.dim() == 3:
                attn_mask = attn_mask.unsqueeze(0)
            else:
                attn_mask = attn_mask.view(bsz, num_heads, -1, src_len)
        q = q.view(bsz, num_heads, tgt_len, head_dim)
        k = k.view(bsz, num_heads, src_len, head_dim)
        v = v.view(bsz, num_heads, src_len, head_dim)
        attn_output = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal)
        ${RELEASE}
        attn_output = attn_output.permute(2, 0, 1, 3).reshape(bsz * tgt_len, embed_dim)
        attn_output = linear(attn_output, out_proj_weight, out_proj_bias)
        attn_output = attn_output.view(tgt_len, bsz, attn_output.size(1))
        if not is_batched:
            attn_output = attn_output.squeeze(1)
        return attn_output, None
`;

/** Attention of `torch.nn.functional`. */
export const ATTENTION_SCRIPTS: FunctionScripts = {
  module: "torch.nn.functional",
  source: `
def _in_projection_packed(q: Tensor, k: Tensor, v: Tensor, w: Tensor, b: Optional[Tensor] = None) -> List[Tensor]:
    """With the three weights in one."""
    E = q.size(-1)
    if k is v:
        if q is k:
            proj = linear(q, w, b)
            proj = proj.unflatten(-1, (3, E)).unsqueeze(0).transpose(0, -2).squeeze(-2).contiguous()
            return proj[0], proj[1], proj[2]
        else:
            w_q, w_kv = w.split([E, E * 2])
            if b is None:
                b_q = b_kv = None
            else:
                b_q, b_kv = b.split([E, E * 2])
            q_proj = linear(q, w_q, b_q)
            kv_proj = linear(k, w_kv, b_kv)
            kv_proj = kv_proj.unflatten(-1, (2, E)).unsqueeze(0).transpose(0, -2).squeeze(-2).contiguous()
            return q_proj, kv_proj[0], kv_proj[1]
    else:
        w_q, w_k, w_v = w.chunk(3)
        if b is None:
            b_q = b_k = b_v = None
        else:
            b_q, b_k, b_v = b.chunk(3)
        return linear(q, w_q, b_q), linear(k, w_k, b_k), linear(v, w_v, b_v)

def _in_projection(q: Tensor, k: Tensor, v: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, b_q: Optional[Tensor] = None, b_k: Optional[Tensor] = None, b_v: Optional[Tensor] = None) -> Tuple[Tensor, Tensor, Tensor]:
    """With a weight for each."""
    Eq, Ek, Ev = q.size(-1), k.size(-1), v.size(-1)
${weightShape("w_q", "query", "Eq")}${weightShape("w_k", "key", "Ek")}${weightShape("w_v", "value", "Ev")}${biasShape("b_q", "query")}${biasShape("b_k", "key")}${biasShape("b_v", "value")}    return linear(q, w_q, b_q), linear(k, w_k, b_k), linear(v, w_v, b_v)

def _mha_shape_check(query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Optional[Tensor], attn_mask: Optional[Tensor], num_heads: int):
    if query.dim() == 3:
${shapes("True", BATCHED, 3, "")}    elif query.dim() == 2:
${shapes(
  "False",
  UNBATCHED,
  2,
  `            if attn_mask.dim() == 3:
                expected_shape = (num_heads, query.shape[0], key.shape[0])
                if attn_mask.shape != expected_shape:
                    raise AssertionError("Expected \`attn_mask\` shape to be {} but got {}".format(expected_shape, attn_mask.shape))
`,
)}    else:
        raise AssertionError("query should be unbatched 2D or batched 3D tensor but received {}-D query tensor".format(query.dim()))
    return is_batched

def _canonical_mask(mask: Optional[Tensor], mask_name: str, other_type: Optional[int], other_name: str, target_type: int, check_other: bool = True) -> Optional[Tensor]:
    if mask is not None:
        _mask_dtype = mask.dtype
        _mask_is_float = torch.is_floating_point(mask)
        if _mask_dtype != torch.bool and not _mask_is_float:
            raise AssertionError("only bool and floating types of {} are supported".format(mask_name))
        if check_other and other_type is not None:
            if _mask_dtype != other_type:
                warnings.warn("Support for mismatched {} and {} is deprecated. Use same type for both instead.".format(mask_name, other_name), stacklevel=2)
        if not _mask_is_float:
            mask = torch.zeros_like(mask, dtype=target_type).masked_fill_(mask, float("-inf"))
    return mask

def _none_or_dtype(input: Optional[Tensor]) -> Optional[int]:
    if input is None:
        return None
    elif isinstance(input, torch.Tensor):
        return input.dtype
    raise RuntimeError("input to _none_or_dtype() must be None or torch.Tensor")
${FORWARD}`,
};
