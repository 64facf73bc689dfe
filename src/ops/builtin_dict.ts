/** @file Dict operators, for every kind of key. Upstream: torch/csrc/jit/runtime/register_prim_ops.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { dictKey } from "../core/ivalue.ts";
import { printIValue } from "../core/ivalue_print.ts";
import { builtin } from "../core/operator_registry.ts";
import { parseSchema } from "../core/schema.ts";
import type { Type } from "../core/type.ts";

type Dict = Map<unknown, unknown>;

builtin("aten::dict() -> Dict(str, Tensor)", () => new Map());

for (const key of ["str", "int", "bool", "float", "complex", "Tensor"]) {
  const dict = `Dict(${key}, t)`;
  const keyType: Type = parseSchema(`k(${key} k) -> ()`).args[0]!.type;
  const missing = (k: unknown): never => {
    throw new OperatorError(`KeyError: ${printIValue(k, keyType)}`);
  };
  const take = (d: Dict, k: unknown): unknown => {
    const found = dictKey(k);
    const value = d.get(found);
    if (value === undefined && !d.has(found)) missing(k);
    d.delete(found);
    return value;
  };
  const update = (d: Dict, other: Dict): void => {
    // a copy: both may be the same
    for (const [k, v] of new Map(other)) d.set(k, v);
  };

  builtin(`aten::len.Dict_${key}(${dict} self) -> int`, (d: Dict) => d.size);
  builtin(`aten::keys.${key}(${dict} self) -> ${key}[](*)`, (d: Dict) => [...d.keys()]);
  builtin(`aten::values.${key}(${dict} self) -> t[](*)`, (d: Dict) => [...d.values()]);
  builtin(`aten::items.${key}(${dict} self) -> ((${key}, t)[])`, (d: Dict) => [...d.entries()]);
  builtin(`aten::__getitem__.Dict_${key}(${dict} self, ${key} key) -> t(*)`, (d: Dict, k: unknown) => {
    const found = dictKey(k);
    const value = d.get(found);
    return value === undefined && !d.has(found) ? missing(k) : value;
  });
  builtin(`aten::get.${key}(${dict} self, ${key} key) -> t(*)?`, (d: Dict, k: unknown) => d.get(dictKey(k)) ?? null);
  builtin(
    `aten::get.default_${key}(${dict} self, ${key} key, t default_value) -> t(*)`,
    (d: Dict, k: unknown, v: unknown) => {
      const found = dictKey(k);
      return d.has(found) ? d.get(found) : v;
    },
  );
  builtin(
    `aten::setdefault.${key}(${dict}(a!) self, ${key}(b -> *) key, t(c -> *) default_value) -> t(*)`,
    (d: Dict, k: unknown, v: unknown) => {
      const found = dictKey(k);
      if (!d.has(found)) d.set(found, v);
      return d.get(found);
    },
  );
  builtin(
    `aten::_set_item.${key}(${dict}(a!) l, ${key}(b -> *) idx, t(c -> *) v) -> ()`,
    (d: Dict, k: unknown, v: unknown) => {
      d.set(dictKey(k), v);
    },
  );
  builtin(`aten::__contains__.${key}(${dict} dict, ${key} key) -> bool`, (d: Dict, k: unknown) => d.has(dictKey(k)));
  builtin(`aten::pop.Dict_${key}(${dict}(a!) self, ${key} key) -> t(*)`, take);
  builtin(
    `aten::pop.Dict_default_${key}(${dict}(a!) self, ${key} key, t default_value) -> t(*)`,
    (d: Dict, k: unknown, v: unknown) => (d.has(dictKey(k)) ? take(d, k) : v),
  );
  builtin(`aten::Delete.Dict_${key}(${dict}(a!) self, ${key} key) -> ()`, (d: Dict, k: unknown) => {
    take(d, k);
  });
  // torch takes the first item, Python the last
  builtin(`aten::popitem.${key}(${dict}(a!) self) -> ((${key}, t))`, (d: Dict) => {
    const first = d.entries().next();
    if (first.done) throw new OperatorError("popitem(): dictionary is empty");
    d.delete(first.value[0]);
    return first.value;
  });
  builtin(`aten::clear.${key}(${dict}(a!) self) -> ()`, (d: Dict) => {
    d.clear();
  });
  builtin(`aten::update.${key}(${dict}(a!) self, ${dict}(a!) to_add) -> ()`, update);
  builtin(`aten::copy.Dict_${key}(${dict}(a) self) -> ${dict}`, (d: Dict) => new Map(d));
  builtin(`aten::dict.Dict_${key}(${dict}(a) self) -> ${dict}`, (d: Dict) => new Map(d));
  builtin(
    `aten::dict.${key}((${key}, tVal)[] inputs) -> Dict(${key}, tVal)`,
    (items: readonly (readonly [unknown, unknown])[]) => {
      const d: Dict = new Map();
      for (const [k, v] of items) d.set(dictKey(k), v);
      return d;
    },
  );
}
