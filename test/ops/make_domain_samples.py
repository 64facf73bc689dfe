"""Writes test/ops/samples/domain.json: losses, distances, linear algebra, quantized and sparse operators, with PyTorch's answers.

Run with a Python that has torch: python test/ops/make_domain_samples.py
"""
import base64
import json
import os
import warnings

import torch

warnings.simplefilter("ignore")
torch.manual_seed(7)
torch.set_num_threads(1)
R = torch.randn
CASES = []


def numbers(t):
    """Any tensor as little-endian doubles (complex: pairs)."""
    t = t.detach().resolve_conj().resolve_neg().contiguous()
    wide = torch.view_as_real(t.to(torch.complex128)).contiguous() if t.dtype.is_complex else t.double()
    return base64.b64encode(wide.numpy().tobytes()).decode()


def encode(v):
    if isinstance(v, torch.Tensor):
        out = {"t": "tensor", "dtype": str(v.dtype).split(".")[1], "sizes": list(v.shape)}
        if v.is_sparse:
            return {**out, "indices": encode(v._indices()), "values": encode(v._values()), "coalesced": v.is_coalesced()}
        if v.is_quantized:
            out["data"] = numbers(v.int_repr())
            if v.qscheme() == torch.per_tensor_affine:
                return {**out, "scale": v.q_scale(), "zeroPoint": v.q_zero_point()}
            return {**out, "scales": encode(v.q_per_channel_scales()), "zeroPoints": encode(v.q_per_channel_zero_points()), "axis": v.q_per_channel_axis()}
        return {**out, "data": numbers(v)}
    if isinstance(v, (list, tuple)):
        return [encode(x) for x in v]
    if isinstance(v, torch.dtype):
        return {"t": "dtype", "v": str(v).split(".")[1]}
    if isinstance(v, float):
        return {"t": "float", "v": str(v)}
    return v


def case(key, *args, tolerance=None, **named):
    namespace, name = key.split("::") if "::" in key else ("aten", key)
    packet, _, overload = name.partition(".")
    function = getattr(getattr(getattr(torch.ops, namespace), packet), overload or "default")
    given = list(args)
    for a in function._schema.arguments[len(args):]:
        given.append(named.get(a.name, a.default_value if a.has_default_value() else None))
    entry = {"key": f"{namespace}::{name}", "args": encode(given)}
    if tolerance:
        entry["tolerance"] = tolerance
    try:
        entry["expected"] = encode(function(*args, **named))
    except Exception as error:  # noqa: BLE001
        entry["raises"] = str(error).split("\n")[0]
    CASES.append(entry)


def losses():
    for dtype in (torch.float32, torch.float64):
        a, b = R(3, 4).to(dtype), R(3, 4).to(dtype)
        p, q, w = a.sigmoid(), b.sigmoid(), b[0].abs()
        target = torch.tensor([1, 0, 3])
        for reduction in (0, 1, 2):
            for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss", "kl_div"):
                case(name, a, b, reduction)
            case("binary_cross_entropy", p, q, w, reduction)
            case("binary_cross_entropy_with_logits", a, q, w, p[0], reduction)
            case("nll_loss_nd", R(2, 4, 3).to(dtype), torch.randint(0, 4, (2, 3)), w, reduction, 1)
            case("cross_entropy_loss", a, target, w, reduction, -100, 0.2)
            case("cross_entropy_loss", a, b.softmax(1), None, reduction)
            case("multi_margin_loss", a, target, 2, 0.7, w, reduction)
            case("multilabel_margin_loss", a, torch.tensor([[1, 2, -1, 0], [0, -1, 1, 1], [-1, 0, 0, 0]]), reduction)
            case("ctc_loss.IntList", R(6, 2, 5).to(dtype).log_softmax(2), torch.randint(1, 5, (2, 3)), [6, 4], [3, 2], 0, reduction)
            case("triplet_margin_loss", a, b, p, 1.0, 2.0, 1e-6, True, reduction)
        for power in (0.0, 1.0, 2.0, 3.5, float("inf")):
            case("cdist", R(2, 3, 4).to(dtype), R(5, 4).to(dtype), power)
    case("nll_loss", R(3, 4), torch.tensor([0, 1, 9]))
    case("mse_loss", R(3), R(4))


def linear_algebra():
    for dtype in (torch.float32, torch.float64, torch.complex64):
        r = lambda *s: R(*s, dtype=dtype)  # noqa: E731
        loose = [1e-3, 1e-4] if dtype != torch.float64 else [1e-8, 1e-9]
        a = r(2, 4, 4)
        h = a @ a.mH + torch.eye(4, dtype=dtype)
        for name in ("linalg_det", "linalg_slogdet", "linalg_inv", "linalg_lu", "linalg_lu_factor", "linalg_qr", "geqrf", "linalg_matrix_exp"):
            case(name, a, tolerance=loose)
        case("linalg_solve", a, r(2, 4, 3), tolerance=loose)
        case("linalg_cholesky", h)
        case("linalg_ldl_factor", a + a.mH, hermitian=True)
        case("linalg_eigh", h, tolerance=loose)
        case("linalg_svd", r(5, 3), tolerance=loose)
        case("linalg_svd", r(3, 5), False, tolerance=loose)
        case("linalg_pinv.atol_rtol_float", r(5, 3), tolerance=loose)
        case("linalg_matrix_rank.atol_rtol_float", r(5, 3))
        case("linalg_matrix_norm", a, 2)
        case("linalg_lstsq", r(5, 3), r(5, 2), driver="gelsd", tolerance=loose)
        case("linalg_solve_triangular", a, r(4, 2), upper=True, tolerance=loose)
        case("triangular_solve", r(4, 2), a, False, True, True, tolerance=loose)
        case("linalg_matrix_power", a, -3, tolerance=[1e-2, 1e-3])
    case("linalg_eigvals", R(5, 5, dtype=torch.float64), tolerance=[1e-8, 1e-9])
    case("linalg_inv", torch.zeros(3, 3))
    case("linalg_cholesky", -torch.eye(3))
    case("linalg_det", R(3, 4))
    case("linalg_solve", torch.zeros(3, 3), R(3))


def quantized():
    for dtype in (torch.quint8, torch.qint8):
        case("quantize_per_tensor", R(3, 5) * 2, 0.07, 3, dtype)
        case("quantize_per_channel", R(3, 4), torch.rand(4).double() + 0.01, torch.tensor([1, 2, 3, 4]), 1, dtype)
        x = torch.quantize_per_tensor(R(2, 4, 4, 4) * 2, 0.07, 3, dtype)
        y = torch.quantize_per_tensor(R(2, 4, 4, 4) * 2, 0.05, 1, dtype)
        for name in ("dequantize.self", "int_repr", "relu", "sigmoid", "tanh", "mean", "max"):
            case(name, x)
        case("max_pool2d", x, [2, 2])
        case("adaptive_avg_pool2d", x, [1, 1])
        for name in ("add", "add_relu", "mul"):
            case(f"quantized::{name}", x, y, 0.1, 5)
        case("quantized::mul_scalar", x, -0.5)
        case("quantized::add_scalar", x, 9.0)
    case("fake_quantize_per_tensor_affine_cachemask", R(3, 4) * 2, 0.07, 3, 0, 20)
    case("_choose_qparams_per_tensor", R(3, 4))
    case("quantize_per_tensor", R(3), 0.1, 300, torch.quint8)


def sparse():
    i, v = torch.tensor([[0, 1, 1, 1], [2, 0, 2, 2]]), torch.tensor([3.0, 4, 5, 6])
    s, d = torch.sparse_coo_tensor(i, v, (2, 3)), R(2, 3)
    for t in (s, s.coalesce()):
        for name in ("to_dense", "coalesce", "_indices", "_sparse_sum", "relu", "neg"):
            case(name, t)
        case("add.Tensor", t, s)
        case("mul.Tensor", t, d)
        case("mm", t, d.T.contiguous())
        case("_sparse_sum.dim", t, [0])
    case("to_sparse", d)
    case("add.Tensor", d, s)
    case("indices", s)
    case("_sparse_softmax.int", s, 1)


if __name__ == "__main__":
    for make in (losses, linear_algebra, quantized, sparse):
        make()
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "samples", "domain.json")
    with open(path, "w") as f:
        json.dump(CASES, f, separators=(",", ":"))
    print(len(CASES), os.path.getsize(path))
