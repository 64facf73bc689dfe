"""Functions to trace; function_cases.ts has the same under the same names."""
import torch
import torch.nn.functional as F


def x34():
    return torch.randn(3, 4)


def viewed(x, y):
    return x.view(x.size(0), -1) + y * 2


def reshaped(x):
    return x.reshape(x.shape[0], -1)


def zeros_of_size(x):
    return torch.zeros(x.size(0), 4)


def size_arithmetic(x):
    b, c = x.shape
    return x.view(b * c), x.view(c // 2, 2, b), x.view(-1, c - 2), x.view(b + 0, c)


def size_variable(x):
    n = x.size(1)
    y = x.relu()
    return y.reshape(-1, n).expand(2, -1, n)


def whole_shape(x, y):
    return y.view(x.shape), y.reshape(x.size())


def size_as_number(x):
    n = x.size(0)
    return x / n, x + n, x.mul(n)


def assigned(x):
    z = torch.zeros(2, dtype=torch.float32)
    z.select(0, 0).copy_(x.select(0, 0).select(0, 0))
    return z


def listed(x):
    a, b = x.split(2, 1)
    return torch.cat([a, b, a], 1)


def chunks(x):
    a, b = torch.chunk(x, 2, 1)
    return torch.stack([a, b])


def unbound(x):
    return x.unbind(0)


def dict_result(x):
    return {"a": x.relu(), "b": x}


def maximum(x):
    return x.max(1)


def created(x):
    return (
        torch.arange(x.size(0)),
        torch.arange(0, x.size(0), 2),
        torch.full((2, x.size(1)), 1.5),
        torch.rand(2, 3),
        torch.ones(2, dtype=torch.int64),
        torch.eye(3),
        torch.linspace(0, 1, 5),
        torch.randn(2),
        torch.randint(0, 5, (2,)),
        torch.randperm(4),
    )


def like(x):
    return torch.zeros_like(x), torch.ones_like(x), torch.rand_like(x), torch.full_like(x, 2), torch.empty_like(x), torch.randn_like(x)


def new_tensors(x):
    return x.new_zeros((2, 2)), x.new_ones((2,)), x.new_full((2,), 3), x.new_empty((1,))


def identity(x):
    return x


def constant_result(x):
    return torch.ones(2)


def number_result(x):
    return 3


def none_result(x):
    return None


def dict_input(x, d):
    return x + d["a"]


def tuple_input(x, t):
    a, b = t
    return x + a - b


def same_twice(x, y):
    return x + y


def inplace(x):
    return x.add_(1).mul_(2)


def inplace_view(x):
    y = x.view(-1)
    y.add_(1)
    return x * 2


def numbers(x):
    return x.sum().item() + x


def reductions(x):
    return (
        x.std(unbiased=False),
        x.mean((0, 1)),
        x.sum(dim=0, keepdim=True),
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
    )


def conversions(x):
    return x.to(torch.float64), x.to(torch.int32), x.type_as(x), x.contiguous(), x.clone(), x.detach()


def operators(x, y):
    return (
        torch.rsub(x, 2),
        x - 2,
        x / 2,
        x.pow(2),
        torch.floor_divide(x, 2),
        x.remainder(2),
        x > 1,
        x == y,
        -x,
        (x > 1).logical_not(),
        x.matmul(y.t()),
        x * 0.5,
        x + y * 0.5,
        x.lt(y).logical_and(x.ge(0)),
        x.bitwise_not() if False else x.neg(),
        torch.sub(x, y, alpha=2),
    )


def named(x, y):
    h = torch.tanh(x)
    g = torch.sigmoid(y)
    h = h * g
    out = torch.cat([h, g], 1)
    return out.relu()


def aliased(x):
    arccos = torch.arccos(x)
    return arccos.clip(0, 1), torch.absolute(x).negative()


def indexed(x):
    a = x.select(1, 0)
    b = x.narrow(1, 1, 2)
    c = x.unsqueeze(0).squeeze(0)
    d = x.index_select(0, torch.ones(1, dtype=torch.int64))
    e = x.gather(1, x.argmax(1, True))
    f = x.masked_fill(x > 0, 0.0)
    g = torch.where(x > 0, x, x.neg())
    return a, b, c, d, e, f, g


def index_of_size(x):
    n = x.size(0)
    rows = x[:, :n]
    a, b = x.shape
    return rows[n - 1] + x[0, 1 : b - a + 3], x[..., a - 2]


def index_of_tensor(x, i):
    return x[i], x[1:, i]


def index_assigned(x):
    y = x.clone()
    y[1:, ::2] = x[1:, ::2] + x[:2, ::2]
    y[..., -1] = torch.zeros(3)
    y[y > 1] = 0
    n = x.size(0)
    y[n - 1, : n - 1] = 7
    return y


def shaped(x):
    return (
        x.t(),
        x.transpose(0, 1),
        x.permute(1, 0),
        x.flatten(),
        x.unsqueeze(-1),
        x.repeat(2, 1),
        x.expand(3, 4),
        x.flip((0,)),
        x.roll(1, 0),
        x.tril(),
        x.diagonal(),
        x.unfold(1, 2, 1),
        x.movedim(0, 1),
    )


def activations(x):
    return (
        F.relu(x),
        F.leaky_relu(x, 0.2),
        F.elu(x),
        F.gelu(x),
        F.silu(x),
        F.softmax(x, dim=1),
        F.log_softmax(x, dim=-1),
        F.softplus(x),
        F.hardtanh(x),
        F.sigmoid(x),
        F.tanh(x),
        F.normalize(x),
        F.dropout(x, 0.5, False),
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
        F.softmin(x, dim=1),
        F.hardsigmoid(x),
    )


def losses(x, y):
    return (
        F.mse_loss(x, y),
        F.l1_loss(x, y),
        F.smooth_l1_loss(x, y),
        F.huber_loss(x, y),
        F.kl_div(x, y, reduction="batchmean"),
        F.binary_cross_entropy_with_logits(x, y),
        F.soft_margin_loss(x, y),
        F.poisson_nll_loss(x, y),
        F.cosine_similarity(x, y),
        F.pairwise_distance(x, y),
    )


def classification(x, target):
    return F.cross_entropy(x, target), F.nll_loss(F.log_softmax(x, 1), target), F.one_hot(target, 4), F.multi_margin_loss(x, target)


def random(x):
    return torch.bernoulli(x.sigmoid()), torch.multinomial(x.exp(), 2), F.dropout(x), torch.normal(0.0, 1.0, (2, 2))


def linear_algebra(x, y):
    return torch.mm(x, y.t()), torch.bmm(x.unsqueeze(0), y.t().unsqueeze(0)), torch.einsum("ij,kj->ik", x, y), torch.addmm(torch.ones(3), x, y.t()), torch.outer(x.select(0, 0), y.select(0, 1)), torch.dot(x.select(0, 0), y.select(0, 0)), torch.cdist(x, y)


def functional_convolutions(x, w):
    return F.conv2d(x, w), F.conv2d(x, w, stride=2, padding=1), F.max_pool2d(x, 2), F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 1), F.pad(x, (1, 1)), F.interpolate(x, scale_factor=2.0), F.interpolate(x, size=(5, 5), mode="bilinear", align_corners=False), F.unfold(x, 2)


def nested_function(x):
    def helper(t):
        u = t.relu()
        return u + t

    y = helper(x)
    z = helper(y)
    return z


def tensor_of_numbers(x):
    return x + torch.tensor([1.0, 2.0, 3.0, 4.0])


def optional(x, bias=None, scale=None):
    y = x if bias is None else x + bias
    return y if scale is None else y * scale


CASES = {
    "viewed": lambda: (viewed, (x34(), x34())),
    "reshaped": lambda: (reshaped, x34()),
    "zeros_of_size": lambda: (zeros_of_size, x34()),
    "size_arithmetic": lambda: (size_arithmetic, x34()),
    "size_variable": lambda: (size_variable, x34()),
    "whole_shape": lambda: (whole_shape, (x34(), x34())),
    "size_as_number": lambda: (size_as_number, x34()),
    "assigned": lambda: (assigned, x34()),
    "listed": lambda: (listed, x34()),
    "chunks": lambda: (chunks, x34()),
    "unbound": lambda: (unbound, x34()),
    "dict_result": lambda: (dict_result, x34()),
    "dict_result_not_strict": lambda: (dict_result, x34(), {"strict": False}),
    "maximum": lambda: (maximum, x34()),
    "created": lambda: (created, x34()),
    "like": lambda: (like, x34()),
    "new_tensors": lambda: (new_tensors, x34()),
    "identity": lambda: (identity, x34()),
    "constant_result": lambda: (constant_result, x34()),
    "number_result": lambda: (number_result, x34()),
    "none_result": lambda: (none_result, x34()),
    "dict_input": lambda: (dict_input, (x34(), {"a": x34(), "b": x34()})),
    "tuple_input": lambda: (tuple_input, (x34(), (x34(), x34()))),
    "list_input": lambda: (tuple_input, (x34(), [x34(), x34()])),
    "same_twice": lambda: (lambda x: (same_twice, (x, x)))(x34()),
    "inplace": lambda: (inplace, x34()),
    "inplace_view": lambda: (inplace_view, x34()),
    "inplace_forced_out": lambda: (inplace, x34(), {"_force_outplace": True}),
    "numbers": lambda: (numbers, torch.ones(3, 4)),
    "reductions": lambda: (reductions, x34()),
    "conversions": lambda: (conversions, x34()),
    "operators": lambda: (operators, (x34(), x34())),
    "named": lambda: (named, (x34(), x34())),
    "aliased": lambda: (aliased, x34()),
    "indexed": lambda: (indexed, x34()),
    "index_of_size": lambda: (index_of_size, x34()),
    "index_of_tensor": lambda: (index_of_tensor, (x34(), torch.tensor(1))),
    "index_assigned": lambda: (index_assigned, x34()),
    "shaped": lambda: (shaped, x34()),
    "activations": lambda: (activations, x34()),
    "losses": lambda: (losses, (x34(), x34())),
    "classification": lambda: (classification, (x34(), torch.ones(3, dtype=torch.int64))),
    "random": lambda: (random, x34()),
    "linear_algebra": lambda: (linear_algebra, (x34(), x34())),
    "functional_convolutions": lambda: (functional_convolutions, (torch.randn(1, 2, 6, 6), torch.randn(3, 2, 3, 3))),
    "nested_function": lambda: (nested_function, x34()),
    "tensor_of_numbers": lambda: (tensor_of_numbers, x34()),
    "by_name": lambda: (optional, None, {"example_kwarg_inputs": {"scale": torch.randn(4), "x": x34()}}),
    "by_name_in_order": lambda: (optional, None, {"example_kwarg_inputs": {"x": x34(), "bias": torch.randn(4)}}),
    "tuple_by_name": lambda: (tuple_input, None, {"example_kwarg_inputs": {"t": (x34(), x34()), "x": x34()}}),
}
