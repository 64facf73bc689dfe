"""Records packed sequences, affine grids and parameter vectors of PyTorch 2.13: python test/nn/make_utils.py > test/nn/utils.json"""
import json

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import parameters_to_vector, rnn


def values(t):
    return None if t is None else {"sizes": list(t.shape), "values": t.flatten().tolist()}


def packed(p):
    return {k: values(getattr(p, k)) for k in ["data", "batch_sizes", "sorted_indices", "unsorted_indices"]}


torch.manual_seed(0)
with torch.no_grad():
    x = torch.arange(24.0).reshape(4, 3, 2) / 8
    lengths = [2, 4, 3]
    p = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    out = {"packed": packed(p), "sorted": packed(rnn.pack_padded_sequence(x, [4, 3, 1]))}
    padded, sizes = rnn.pad_packed_sequence(p, batch_first=True, padding_value=-1.0)
    out["padded"], out["lengths"] = values(padded), values(sizes)
    parts = [torch.ones(3), torch.zeros(1), torch.full((2,), 2.0)]
    out["pad_sequence"] = values(rnn.pad_sequence(parts, batch_first=True, padding_value=5.0))
    out["pack_sequence"] = packed(rnn.pack_sequence(parts, enforce_sorted=False))
    out["unpack"] = [values(t) for t in rnn.unpack_sequence(p)]
    for name, make in [("RNN", lambda: nn.RNN(2, 3)), ("GRU", lambda: nn.GRU(2, 3, bidirectional=True)), ("LSTM", lambda: nn.LSTM(2, 4, proj_size=2))]:
        torch.manual_seed(1)
        output, state = make()(p)
        out[name] = {"output": packed(output), "state": [values(s) for s in (state if isinstance(state, tuple) else [state])]}
    theta = torch.tensor([[[1.0, 0.5, 0.0], [0.0, 2.0, -1.0]]])
    out["affine_grid"] = values(F.affine_grid(theta, [1, 1, 2, 3], align_corners=False))
    torch.manual_seed(2)
    out["vector"] = values(parameters_to_vector(nn.Linear(2, 3).parameters()))
print(json.dumps(out, indent=1))
