/** @file Types of the eager API: this file must compile; the expectations at run time are few. */
import { expect, expectTypeOf, test } from "vitest";
import { jit, nn, torch, type DType, type Index, type NestedData, type Slice, type Tensor } from "../../src/index.ts";

test("operators have typed arguments and results", () => {
  const x = torch.arange(6).view(2, 3).float();
  expectTypeOf(x.sum(1, { keepdim: true })).toEqualTypeOf<Tensor>();
  expectTypeOf(x.sum({ dtype: torch.float64 })).toEqualTypeOf<Tensor>();
  expectTypeOf(torch.max(x, 1)).toEqualTypeOf<[values: Tensor, indices: Tensor]>();
  expectTypeOf(torch.max(x, x)).toEqualTypeOf<Tensor>();
  expectTypeOf(x.split(1)).toEqualTypeOf<Tensor[]>();
  expectTypeOf(x.size()).toEqualTypeOf<number[]>();
  expectTypeOf(x.size(0)).toEqualTypeOf<number>();
  expectTypeOf(x.is_floating_point()).toEqualTypeOf<boolean>();
  expectTypeOf(torch.result_type(x, 1)).toEqualTypeOf<DType>();
  expectTypeOf(torch.softmax).parameter(1).toEqualTypeOf<number | bigint>();
  expectTypeOf(() => torch.conv2d(x, x, null, { stride: 2, padding: [1, 1] })).returns.toEqualTypeOf<Tensor>();
  expectTypeOf(torch.linalg.svd(x, { full_matrices: false })).toEqualTypeOf<[U: Tensor, S: Tensor, Vh: Tensor]>();
  expectTypeOf(torch.zeros(2, 3, { dtype: torch.int })).toEqualTypeOf<Tensor>();
  expectTypeOf(x.add_(1)).toEqualTypeOf<Tensor>();
  expect(x.shape).toEqual([2, 3]);
});

test("what does not fit is an error of the compiler", () => {
  type Sum = Parameters<Tensor["softmax"]>;
  expectTypeOf<["a"]>().not.toExtend<Sum>();
  expectTypeOf<Tensor>().not.toHaveProperty("no_such_operator");
  expectTypeOf(torch).not.toHaveProperty("no_such_operator");
  expectTypeOf<{ keepDim: true }>().not.toExtend<Parameters<Tensor["max"]>[1]>();
});

test("data, indices and memory are typed", () => {
  const x = torch.tensor([[1, 2]]);
  expectTypeOf(x.item).returns.toExtend<number | bigint | boolean | object>();
  expectTypeOf(x.sum().item()).toEqualTypeOf<number>();
  expectTypeOf(x.tolist()).toEqualTypeOf<NestedData>();
  expectTypeOf(torch.slice(1, 3)).toEqualTypeOf<Slice>();
  expectTypeOf<Slice>().toExtend<Index>();
  expectTypeOf(torch.slice(x, 0, 1)).toEqualTypeOf<Tensor>();
  expectTypeOf(torch.range(3)).toEqualTypeOf<Iterable<number>>();
  expectTypeOf(torch.range(0, 3, {})).toEqualTypeOf<Tensor>();
  expectTypeOf(torch.tidy(() => ({ x }))).toEqualTypeOf<{ x: Tensor }>();
  expectTypeOf(torch.load<nn.StateDict>).returns.toEqualTypeOf<nn.StateDict>();
  for (const row of x) expectTypeOf(row).toEqualTypeOf<Tensor>();
});

class Scaled extends nn.Module {
  linear = new nn.Linear(2, 2);
  forward(x: Tensor, scale: number): [Tensor, number] {
    return [this.linear(x).mul(scale), scale];
  }
}

class More extends Scaled {
  override forward(x: Tensor, scale: number): [Tensor, number] {
    return super.forward(x.neg(), scale);
  }
}

test("modules, traced and scripted, are called as their forward", () => {
  const model = new More();
  expectTypeOf(model).parameters.toEqualTypeOf<[x: Tensor, scale: number]>();
  expectTypeOf(model).returns.toEqualTypeOf<[Tensor, number]>();
  const linear = new nn.Linear(2, 2);
  const traced = jit.trace(linear, [torch.ones(1, 2)]);
  expectTypeOf(traced(torch.ones(1, 2))).toEqualTypeOf<Tensor>();
  const scripted = jit.script(linear);
  expectTypeOf(scripted(torch.ones(1, 2))).toEqualTypeOf<Tensor>();
  expect(scripted(torch.ones(1, 2)).shape).toEqual([1, 2]);
});
