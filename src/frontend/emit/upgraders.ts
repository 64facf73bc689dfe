/** @file The operators whose meaning changed between archive versions, and what they meant before. Upstream: torch/csrc/jit/operator_upgraders/version_map.cpp, upgraders_entry.cpp. Spec: spec/versions.md. */

/** What an operator of older archives means: its schema then, and a function that says it in today's operators. */
export interface Upgrader {
  /** Archives of a lower version mean the old operator. */
  readonly bumpedAt: number;
  /** The schema's text before. */
  readonly oldSchema: string;
  /** TorchScript of one function with the old operator's arguments; its lines are those that graphs show as `<string>:3:9`. */
  readonly source: string;
}

const DIV_BODY = `:
  if (self.is_floating_point() or other.is_floating_point()):
    return self.true_divide(other)
  return self.divide(other, rounding_mode='trunc')
`;
const DIV_SCALAR_BODY = `:
  if (self.is_floating_point() or isinstance(other, float)):
    return self.true_divide(other)
  return self.divide(other, rounding_mode='trunc')
`;
const inPlace = (body: string): string => body.replaceAll("divide(", "divide_(");
const SPACE_OPTIONS =
  "dtype: Optional[int], layout: Optional[int],\n device: Optional[Device], pin_memory: Optional[bool]";
const SPACE_ARGS = "dtype=dtype, layout=layout, device=device, pin_memory=pin_memory";
const NUMBER = "Union[int, float, complex]";

/** linspace and logspace made 100 steps where none were given. */
function defaultSteps(op: string, base: boolean, params: string, args: string): string {
  const baseArg = base ? "base=base, " : "";
  const call = (steps: string): string => `torch.${op}(start=start, end=end, steps=${steps}, ${baseArg}${args})`;
  return `
def ${op}(start: ${NUMBER}, end: ${NUMBER}, steps: Optional[int], ${base ? "base: float, " : ""}*, ${params}):
  if (steps is None):
    return ${call("100")}
  return ${call("steps")}
`;
}

/** Upgraders by operator; an operator was changed at most once so far. */
export const UPGRADERS: ReadonlyMap<string, Upgrader> = new Map<string, Upgrader>([
  [
    "aten::logspace",
    {
      bumpedAt: 9,
      oldSchema:
        "aten::logspace(Scalar start, Scalar end, int? steps=None, float base=10.0, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
      source: defaultSteps("logspace", true, SPACE_OPTIONS, SPACE_ARGS),
    },
  ],
  [
    "aten::logspace.out",
    {
      bumpedAt: 9,
      oldSchema:
        "aten::logspace.out(Scalar start, Scalar end, int? steps=None, float base=10.0, *, Tensor(a!) out) -> Tensor(a!)",
      source: defaultSteps("logspace", true, "out: Tensor", "out=out"),
    },
  ],
  [
    "aten::linspace",
    {
      bumpedAt: 8,
      oldSchema:
        "aten::linspace(Scalar start, Scalar end, int? steps=None, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
      source: defaultSteps("linspace", false, SPACE_OPTIONS, SPACE_ARGS),
    },
  ],
  [
    "aten::linspace.out",
    {
      bumpedAt: 8,
      oldSchema: "aten::linspace.out(Scalar start, Scalar end, int? steps=None, *, Tensor(a!) out) -> Tensor(a!)",
      source: defaultSteps("linspace", false, "out: Tensor", "out=out"),
    },
  ],
  [
    "aten::div.Tensor",
    {
      bumpedAt: 4,
      oldSchema: "aten::div.Tensor(Tensor self, Tensor other) -> Tensor",
      source: `
def div(self: Tensor, other: Tensor) -> Tensor${DIV_BODY}`,
    },
  ],
  [
    "aten::div.Tensor_mode",
    {
      bumpedAt: 4,
      oldSchema: "aten::div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor",
      source:
        "\ndef div(self: Tensor, other: Tensor, *, rounding_mode: Optional[str]=None) -> Tensor:\n  return self.divide(other, rounding_mode=rounding_mode)\n",
    },
  ],
  [
    "aten::div.Scalar",
    {
      bumpedAt: 4,
      oldSchema: "aten::div.Scalar(Tensor self, Scalar other) -> Tensor",
      source: `
def div(self: Tensor, other: number) -> Tensor${DIV_SCALAR_BODY}`,
    },
  ],
  [
    "aten::div.Scalar_mode",
    {
      bumpedAt: 4,
      oldSchema: "aten::div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor",
      source:
        "\ndef div(self: Tensor, other: number, *, rounding_mode: Optional[str]=None) -> Tensor:\n  return self.divide(other, rounding_mode=rounding_mode)\n",
    },
  ],
  [
    "aten::div.out",
    {
      bumpedAt: 4,
      oldSchema: "aten::div.out(Tensor self, Tensor other, *, Tensor(a!) out) -> Tensor(a!)",
      source: `
def div(self: Tensor, other: Tensor, *, out: Tensor) -> Tensor:
  if (self.is_floating_point() or other.is_floating_point() or out.is_floating_point()):
    return self.true_divide(other, out=out)
  return self.divide(other, rounding_mode='trunc', out=out)
`,
    },
  ],
  [
    "aten::div.out_mode",
    {
      bumpedAt: 4,
      oldSchema: "aten::div.out_mode(Tensor self, Tensor other, *, str? rounding_mode, Tensor(a!) out) -> Tensor(a!)",
      source:
        "\ndef div(self: Tensor, other: Tensor, *, rounding_mode: Optional[str]=None, out: Tensor) -> Tensor:\n  return self.divide(other, rounding_mode=rounding_mode, out=out)\n",
    },
  ],
  [
    "aten::div_.Tensor",
    {
      bumpedAt: 4,
      oldSchema: "aten::div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)",
      source: `
def div_(self: Tensor, other: Tensor) -> Tensor${inPlace(DIV_BODY)}`,
    },
  ],
  [
    "aten::div_.Tensor_mode",
    {
      bumpedAt: 4,
      oldSchema: "aten::div_.Tensor_mode(Tensor(a!) self, Tensor other, *, str? rounding_mode) -> Tensor(a!)",
      source:
        "\ndef div_(self: Tensor, other: Tensor, *, rounding_mode: Optional[str]=None) -> Tensor:\n  return self.divide_(other, rounding_mode=rounding_mode)\n",
    },
  ],
  [
    "aten::div_.Scalar",
    {
      bumpedAt: 4,
      oldSchema: "aten::div_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)",
      source: `
def div_(self: Tensor, other: number) -> Tensor${inPlace(DIV_SCALAR_BODY)}`,
    },
  ],
  [
    "aten::div_.Scalar_mode",
    {
      bumpedAt: 4,
      oldSchema: "aten::div_.Scalar_mode(Tensor(a!) self, Scalar other, *, str? rounding_mode) -> Tensor(a!)",
      source:
        "\ndef div_(self: Tensor, other: number, *, rounding_mode: Optional[str]=None) -> Tensor:\n  return self.divide_(other, rounding_mode=rounding_mode)\n",
    },
  ],
  [
    "aten::full",
    {
      bumpedAt: 5,
      oldSchema:
        "aten::full(int[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
      source: `
def full(size: List[int], fill_value: number, *, dtype: Optional[int]=None,
         layout: Optional[int]=None, device: Optional[Device]=None,
         pin_memory: Optional[bool]=None) -> Tensor:
  if dtype is None:
    fill_value = float(fill_value)
  return torch.full(size, fill_value, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
`,
    },
  ],
  [
    "aten::full.names",
    {
      bumpedAt: 5,
      oldSchema:
        "aten::full.names(int[] size, Scalar fill_value, *, Dimname[]? names, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
      source: `
def full(size: List[int], fill_value: number, *, names: Optional[List[str]]=None,
         dtype: Optional[int]=None, layout: Optional[int]=None, device: Optional[Device]=None,
         pin_memory: Optional[bool]=None) -> Tensor:
  return torch.full(size, fill_value, names=names, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
`,
    },
  ],
  [
    "aten::full.out",
    {
      bumpedAt: 5,
      oldSchema: "aten::full.out(int[] size, Scalar fill_value, *, Tensor(a!) out) -> Tensor(a!)",
      source:
        "\ndef full(size: List[int], fill_value: number, *, out: Tensor) -> Tensor:\n  return torch.full(size, fill_value, out=out)\n",
    },
  ],
  [
    "aten::gelu",
    {
      bumpedAt: 10,
      oldSchema: "aten::gelu(Tensor self) -> Tensor",
      source: "\ndef gelu(self: Tensor) -> Tensor:\n  return torch.gelu(self, approximate='none')\n",
    },
  ],
  [
    "aten::gelu.out",
    {
      bumpedAt: 10,
      oldSchema: "aten::gelu.out(Tensor self, *, Tensor(a!) out) -> Tensor",
      source:
        "\ndef gelu(self: Tensor, *, out: Tensor) -> Tensor:\n  return torch.gelu(self, approximate='none', out=out)\n",
    },
  ],
]);

/** The upgrader that an operator needs in an archive of a version. */
export function findUpgrader(operator: string, version: number): Upgrader | undefined {
  const upgrader = UPGRADERS.get(operator);
  return upgrader && upgrader.bumpedAt > version ? upgrader : undefined;
}
