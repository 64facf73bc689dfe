/** @file Every pass gives the graph that PyTorch gives. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import "../../src/ops/index.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { graphText } from "../../src/ir/printer.ts";
import { verifyGraph } from "../../src/ir/verify.ts";
import { autocast } from "../../src/passes/autocast.ts";
import { eliminateCommonSubexpression } from "../../src/passes/common_subexpression_elimination.ts";
import { constantPooling } from "../../src/passes/constant_pooling.ts";
import { constantPropagation, constantPropagationImmutableTypes } from "../../src/passes/constant_propagation.ts";
import { eliminateDeadCode } from "../../src/passes/dead_code_elimination.ts";
import { lowerAllTuples } from "../../src/passes/lower_tuples.ts";
import { peepholeOptimize } from "../../src/passes/peephole.ts";
import { goldenCases } from "../support/golden.ts";

const PASSES: Readonly<Record<string, (graph: Graph) => boolean>> = {
  dead_code_elimination: eliminateDeadCode,
  constant_propagation_immutable_types: constantPropagationImmutableTypes,
  constant_propagation: constantPropagation,
  constant_pooling: constantPooling,
  common_subexpression_elimination: eliminateCommonSubexpression,
  peephole: peepholeOptimize,
  lower_all_tuples: lowerAllTuples,
  autocast,
};

describe.each(Object.entries(PASSES))("%s", (name, pass) => {
  test.each(goldenCases(`passes/${name}.txt`))("$name", ({ input, output }) => {
    const graph = parseGraph(input);
    expect(graphText(graph)).toBe(input);
    pass(graph);
    verifyGraph(graph);
    expect(graphText(graph).trimEnd()).toBe(output);
  });
});

test("passes say whether they changed the graph", () => {
  for (const [name, pass] of Object.entries(PASSES)) {
    // the order of operands is no change
    if (name === "peephole") continue;
    for (const { input } of goldenCases(`passes/${name}.txt`)) {
      const graph = parseGraph(input);
      if (!pass(graph)) expect(graphText(graph)).toBe(input);
    }
  }
});
