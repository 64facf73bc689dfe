// Small eager calls on tensors of four elements: what a call costs besides its arithmetic, against PyTorch's.
import { pytorch } from "./peers.mjs";

export const title = "Eager calls";
export const unit = "µs";
export const notes = "One call on float32 tensors of shape (2, 2), with one thread: the cost of a call, not of its arithmetic.";

const CALLS = 10_000;

const TORCH = `
x = torch.tensor([[1.5, 2.5], [3.5, 4.5]])
y = torch.ones(2, 2)
competitors.update({
    "x.add(y)": lambda: x.add(y),
    "x.add(1)": lambda: x.add(1),
    "y.mul_(1)": lambda: y.mul_(1),
    "x.neg()": lambda: x.neg(),
    "x.view(4)": lambda: x.view(4),
    "x.sum(1, keepdim)": lambda: x.sum(1, keepdim=True),
    "x.softmax(-1)": lambda: x.softmax(-1),
    "x.transpose(0, 1)": lambda: x.transpose(0, 1),
    "x.size(0)": lambda: x.size(0),
    "x[0, 1:]": lambda: x[0, 1:],
    "torch.zeros([2, 2])": lambda: torch.zeros([2, 2]),
    "torch.matmul(x, y)": lambda: torch.matmul(x, y),
    "torch.cat([x, y], 0)": lambda: torch.cat([x, y], 0),
})
`;

export async function run(bench) {
  const { torch } = await bench.load();
  const peer = await pytorch(bench, TORCH);
  const x = torch.tensor([[1.5, 2.5], [3.5, 4.5]]);
  const y = torch.ones([2, 2]);
  const rest = torch.slice(1, null);
  const keepdim = { keepdim: true };
  const cases = {
    "x.add(y)": () => x.add(y),
    "x.add(1)": () => x.add(1),
    "y.mul_(1)": () => y.mul_(1),
    "x.neg()": () => x.neg(),
    "x.view(4)": () => x.view(4),
    "x.sum(1, keepdim)": () => x.sum(1, keepdim),
    "x.softmax(-1)": () => x.softmax(-1),
    "x.transpose(0, 1)": () => x.transpose(0, 1),
    "x.size(0)": () => x.size(0),
    "x[0, 1:]": () => x.at(0, rest),
    "torch.zeros([2, 2])": () => torch.zeros([2, 2]),
    "torch.matmul(x, y)": () => torch.matmul(x, y),
    "torch.cat([x, y], 0)": () => torch.cat([x, y], 0),
  };
  for (const [name, body] of Object.entries(cases)) {
    const repeat = () => {
      for (let i = 0; i < CALLS; i++) body();
    };
    const start = () => {
      const before = performance.now();
      repeat();
      return ((performance.now() - before) * 1000) / CALLS;
    };
    const theirs = peer?.competitor(name, CALLS);
    const perCall = async () => (await theirs()) * 1000;
    await bench.compare(
      name,
      { tsarchive: Object.assign(start, { selfTimed: true }), PyTorch: theirs && Object.assign(perCall, { selfTimed: true }) },
      { repetitions: 9, warmup: 3 },
    );
  }
  peer?.close();
}
