/** @file What loops run over besides plain values: range, and zip and enumerate as trees. Upstream: torch/csrc/jit/frontend/sugared_value.cpp. Spec: none. */
import { ScriptError, internalAssert } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import { createList } from "../../ir/build_nodes.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { Value } from "../../ir/graph.ts";
import { insertOp } from "./emit_builtin.ts";
import { SimpleValue, SugaredTupleValue, SugaredValue } from "./sugared_value.ts";

/** `range(...)`. */
export class RangeValue extends SugaredValue {
  private readonly start: Value;
  private readonly end: Value;
  private readonly step: Value;
  /** `range(n)`: trip count and index need no computation. */
  private readonly hasOnlyEnd: boolean;
  private readonly length: number | undefined;

  /** `length`: that of the other iterable, for the index of `enumerate`. */
  constructor(range: SourceRange, fn: ScriptFunction, inputs: readonly Value[], length?: number) {
    super();
    inputs.forEach((input, i) => {
      if (input.type.kind !== "Int")
        throw new ScriptError(
          `all inputs of range must be ints, found ${T.typeReprStr(input.type)} in argument ${i}`,
          range,
        );
    });
    const { graph } = fn;
    const int = (value: number): Value => insertConstant(graph, value, T.IntT, range);
    if (inputs.length === 0) throw new ScriptError("range expected at least 1 arguments, got 0", range);
    if (inputs.length > 3) throw new ScriptError(`range expected at most 3 arguments, got ${inputs.length}`, range);
    this.hasOnlyEnd = inputs.length === 1;
    if (this.hasOnlyEnd) {
      this.end = inputs[0]!;
      this.start = int(0);
      this.step = int(1);
    } else {
      this.start = inputs[0]!;
      this.end = inputs[1]!;
      this.step = inputs[2] ?? int(1);
    }
    this.length = length;
  }
  kind(): string {
    return "range";
  }
  override iter(): SugaredValue {
    return this;
  }
  override staticLength(): number | undefined {
    return this.length;
  }
  override len(range: SourceRange, fn: ScriptFunction): Value {
    if (this.length !== undefined) return insertConstant(fn.graph, this.length, T.IntT, range);
    if (this.hasOnlyEnd) return this.end;
    return insertOp(fn.graph, "aten::__range_length", [this.start, this.end, this.step], range);
  }
  override getitem(range: SourceRange, fn: ScriptFunction, index: Value): SugaredValue {
    if (this.hasOnlyEnd) return new SimpleValue(index);
    return new SimpleValue(insertOp(fn.graph, "aten::__derive_index", [index, this.start, this.step], range));
  }
}

/** `zip(...)` and `enumerate(...)`: several iterables side by side. */
export class IterableTree extends SugaredValue {
  private readonly children: SugaredValue[] = [];
  private unrollLength: number | undefined;

  kind(): string {
    return "iterabletree";
  }
  override iter(): SugaredValue {
    return this;
  }
  override staticLength(): number | undefined {
    return this.unrollLength;
  }
  addChild(range: SourceRange, child: SugaredValue): void {
    const length = child.staticLength();
    if (this.children.length === 0) this.unrollLength = length;
    else if ((this.unrollLength === undefined) !== (length === undefined)) {
      throw new ScriptError(
        "Can not iterate over a module list or tuple with a value that does not have a statically determinable length\n",
        range,
      );
    } else if (length !== undefined && this.unrollLength !== undefined)
      this.unrollLength = Math.min(length, this.unrollLength);
    this.children.push(child);
  }
  private leaves(): SugaredValue[] {
    return this.children.flatMap((c) => (c instanceof IterableTree ? c.leaves() : [c]));
  }
  override len(range: SourceRange, fn: ScriptFunction): Value {
    internalAssert(this.unrollLength === undefined, "length of an unrolled iterable");
    const lengths = this.leaves().map((leaf) => leaf.len(range, fn));
    const list = fn.graph.insertNode(createList(fn.graph, T.IntT, lengths));
    return insertOp(fn.graph, "prim::min", [list.output], range);
  }
  override getitem(range: SourceRange, fn: ScriptFunction, index: Value): SugaredValue {
    return new SugaredTupleValue(this.children.map((c) => c.getitem(range, fn, index)));
  }
}
