// Writes the declarations of the eager API from the schema table: `torch.*` functions and Tensor methods, typed and documented.
// `npm run types:eager`; test/torch/generated.test.ts fails where the committed files differ from what this gives.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Where the two files lie. */
export const OUTPUTS = {
  methods: "src/tensor/generated/tensor_methods.ts",
  functions: "src/torch/generated/torch_functions.ts",
  names: "src/torch/generated/names.ts",
};

const RESERVED = new Set([
  "in",
  "with",
  "default",
  "function",
  "var",
  "enum",
  "class",
  "new",
  "for",
  "if",
  "else",
  "this",
]);
const NAMESPACES = ["linalg", "fft", "special"];
const CONTRACT = "Throws OperatorError where no overload takes the arguments or their shapes and dtypes do not fit.";

function argumentType(type, argument) {
  switch (type.kind) {
    case "Optional":
      return `${argumentType(type.element, argument)} | null`;
    case "List": {
      const element = argumentType(type.element, { ...argument, fixedLength: undefined });
      const list = `readonly ${element.includes("|") ? `(${element})` : element}[]`;
      return argument.fixedLength === undefined ? list : `${element} | ${list}`;
    }
    case "Int":
      return { ScalarType: "DType", Layout: "Layout", MemoryFormat: "MemoryFormat" }[argument.realType] ?? "Int";
    default:
      return (
        {
          Tensor: "Tensor",
          Float: "number",
          Number: "Scalar",
          Bool: "boolean",
          String: "string",
          Complex: "Complex",
          Device: "Device | string",
          Generator: "Generator",
          QScheme: "QScheme",
        }[type.kind] ?? "unknown"
      );
  }
}

function resultType(type, argument) {
  switch (type.kind) {
    case "Optional":
      return `${resultType(type.element, argument)} | null`;
    case "List":
      return `${resultType(type.element, argument)}[]`;
    case "Int":
      return argument.realType === "ScalarType" ? "DType" : "number";
    case "Number":
      return "number | bigint | boolean | Complex";
    case "QScheme":
      return "number";
    case "Device":
      return "Device";
    default:
      return argumentType(type, argument);
  }
}

function resultsType(returns) {
  if (returns.length === 0) return "void";
  if (returns.length === 1) return resultType(returns[0].type, returns[0]);
  const named = returns.every((r) => r.name !== "");
  return `[${returns.map((r) => `${named ? `${safe(r.name)}: ` : ""}${resultType(r.type, r)}`).join(", ")}]`;
}

const safe = (name) => (RESERVED.has(name) ? `${name}_` : name);
/** Python calls the first tensor of functions `input`. */
const label = (argument, isMethod, all) =>
  argument.name === "self" && !isMethod
    ? all.some((a) => a.name === "input")
      ? "self"
      : "input"
    : safe(argument.name);

/** The signatures of one schema: all of positional arguments, then each with some of the optional ones as keywords. */
function signatures(schema, isMethod, out) {
  const args = isMethod ? schema.args.slice(1) : schema.args;
  const positional = args.filter((a) => !a.kwargOnly);
  const keywords = args
    .filter((a) => a.kwargOnly)
    .map((a) => `${a.name}${a.hasDefault ? "?" : ""}: ${argumentType(a.type, a)}`);
  const needsOptions = args.some((a) => a.kwargOnly && !a.hasDefault);
  if (!isMethod && args.some((a) => a.name === "pin_memory") && !args.some((a) => a.name === "requires_grad"))
    keywords.push("requires_grad?: boolean");
  if (out) keywords.push(`out?: ${out}`);
  let required = positional.length;
  while (required > 0 && positional[required - 1].hasDefault) required--;
  const parameter = (a) => `${label(a, isMethod, args)}: ${argumentType(a.type, a)}`;
  const result = resultsType(schema.returns);
  const lines = [];
  for (let count = required; count <= positional.length; count++) {
    const options = [...positional.slice(count).map((a) => `${a.name}?: ${argumentType(a.type, a)}`), ...keywords];
    const parameters = positional.slice(0, count).map(parameter);
    if (options.length > 0) parameters.push(`options${needsOptions ? "" : "?"}: { ${options.join("; ")} }`);
    lines.push(`(${parameters.join(", ")}): ${result}`);
  }
  // x.view(2, 3): the only positional argument is a list of ints
  const [only] = positional;
  if (
    positional.length === 1 &&
    only.name !== "self" &&
    only.type.kind === "List" &&
    only.type.element.kind === "Int"
  ) {
    const name = label(only, isMethod, args);
    if (!needsOptions) lines.push(`(...${name}: Int[]): ${result}`);
    if (keywords.length > 0)
      lines.push(`(...args: [...${name}: Int[], options: { ${keywords.join("; ")} }]): ${result}`);
  }
  return lines;
}

function mirrorOf(name, names) {
  if (names.torch.has(name)) return `torch.${name}`;
  for (const namespace of NAMESPACES) {
    const short = name.startsWith(`${namespace}_`) ? name.slice(namespace.length + 1) : "";
    if (names[namespace].has(short)) return `torch.${namespace}.${short}`;
  }
  if (names.functional.has(name)) return `torch.nn.functional.${name}`;
  return names.methods.has(name) ? `Tensor.${name}` : `torch.ops.aten.${name}`;
}

function outType(schema, all, { isOutArgument, sameArguments }) {
  const target = all.find(
    (s) =>
      s.args.some(isOutArgument) &&
      sameArguments(
        s.args.filter((a) => !isOutArgument(a)),
        schema.args,
      ),
  );
  if (!target) return undefined;
  const outs = target.args.filter(isOutArgument);
  return outs.length === 1
    ? argumentType(outs[0].type, outs[0])
    : `readonly [${outs.map((o) => `${safe(o.name)}: Tensor`).join(", ")}]`;
}

function members(name, schemas, isMethod, tools, names, as = name) {
  const lines = [];
  const seen = new Set();
  for (const schema of schemas) {
    if (schema.args.some(tools.isOutArgument)) continue;
    if (isMethod && !(schema.args[0]?.name === "self" && schema.args[0].type.kind === "Tensor")) continue;
    const own = signatures(schema, isMethod, isMethod ? undefined : outType(schema, schemas, tools)).filter(
      (s) => !seen.has(s),
    );
    for (const signature of own) {
      seen.add(signature);
      lines.push(
        `  /** \`${tools.schemaText(schema)}\` Mirrors \`${mirrorOf(name, names)}\`. @throws OperatorError */`,
        `  ${as}${signature};`,
      );
    }
  }
  return lines;
}

function withoutUnusedImports(text, imports) {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const used = Object.entries(imports)
    .map(([file, types]) => [file, types.filter((t) => new RegExp(`\\b${t}\\b`).test(code))])
    .filter(([, types]) => types.length > 0);
  return used.map(([file, types]) => `import type { ${types.join(", ")} } from "${file}";`).join("\n");
}

function fileText(header, up, body) {
  const imports = withoutUnusedImports(body, {
    [`${up}dtype.ts`]: ["DType"],
    [`${up}format_names.ts`]: ["Layout", "MemoryFormat", "QScheme"],
    [`${up}generator.ts`]: ["Generator"],
    [`${up}scalar.ts`]: ["Complex", "Int", "Scalar"],
    [`${up}tensor.ts`]: ["Device", "Tensor"],
  });
  return `${header}\n${imports}\n\n${body}`;
}

/**
 * The text of both files.
 * @param tools operatorNames and schemasFor of the registry, isEagerSchema, isOutArgument, sameArguments, schemaText, HAND_FUNCTIONS, HAND_METHODS, PROPERTIES
 */
export function generate(tools) {
  const raw = JSON.parse(readFileSync(join(root, "scripts/python_names.json"), "utf8"));
  const names = Object.fromEntries(Object.entries(raw).map(([k, v]) => [k, Array.isArray(v) ? new Set(v) : v]));
  const operators = tools
    .operatorNames()
    .filter((n) => n.startsWith("aten::"))
    .map((n) => [n.slice(6), tools.schemasFor(n).filter(tools.isEagerSchema)])
    .filter(([, schemas]) => schemas.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const methodNames = [];
  const functionNames = [];
  const listed = (name, lines, list) => {
    if (lines.length > 0) list.push(name);
    return lines;
  };
  const methods = operators.flatMap(([name, schemas]) =>
    tools.HAND_METHODS.has(name) || tools.PROPERTIES.has(name)
      ? []
      : listed(name, members(name, schemas, true, tools, names), methodNames),
  );
  const functions = operators.flatMap(([name, schemas]) =>
    tools.HAND_FUNCTIONS.has(name) ? [] : listed(name, members(name, schemas, false, tools, names), functionNames),
  );
  const namespaceNames = {};
  const spaces = NAMESPACES.map((namespace) => {
    const lines = operators.flatMap(([name, schemas]) => {
      const short = name.startsWith(`${namespace}_`) ? name.slice(namespace.length + 1) : undefined;
      if (short === undefined || !names[namespace].has(short)) return [];
      return listed(short, members(name, schemas, false, tools, names, short), (namespaceNames[namespace] ??= []));
    });
    const title = namespace[0].toUpperCase() + namespace.slice(1);
    return `/** The operators of \`torch.${namespace}\`. ${CONTRACT} */\nexport interface ${title}Functions {\n${lines.join("\n")}\n}\n`;
  });
  const origin = "Generated by scripts/make_eager_types.mjs from the schema table: do not edit.";
  const wordsOf = (list) => {
    const lines = [""];
    for (const word of list) {
      if (lines.at(-1).length + word.length > 110) lines.push("");
      lines[lines.length - 1] += `${lines.at(-1) === "" ? "" : " "}${word}`;
    }
    return `\`\n${lines.join("\n")}\n\``;
  };
  return {
    [OUTPUTS.names]: `/** @file ${origin} Names: what is installed at run time without parsing a schema. Upstream: none. Spec: none. */

/** Operators that are methods of Tensor. */
export const METHOD_NAMES = ${wordsOf(methodNames)};

/** Operators that are functions of torch. */
export const FUNCTION_NAMES = ${wordsOf(functionNames)};

/** Operators of the namespaces, without their prefix. */
export const NAMESPACE_NAMES = {
${NAMESPACES.map((n) => `  ${n}: ${wordsOf(namespaceNames[n])},`).join("\n")}
} as const;
`,
    [OUTPUTS.methods]: fileText(
      `/** @file ${origin} Tensor methods. Upstream: torch/_C/__init__.pyi.in. Spec: none. */`,
      "../",
      `/** Every operator with a tensor \`self\` as a method. Keyword arguments are an object behind the positional ones. ${CONTRACT} */\nexport interface TensorMethods {\n${methods.join("\n")}\n}\n`,
    ),
    [OUTPUTS.functions]: fileText(
      `/** @file ${origin} Functions of torch. Upstream: torch/_C/_VariableFunctions.pyi.in. Spec: none. */`,
      "../../tensor/",
      `/** Every operator as a function. Keyword arguments are an object behind the positional ones. ${CONTRACT} */\nexport interface TorchFunctions {\n${functions.join("\n")}\n}\n\n${spaces.join("\n")}`,
    ),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = (path) => import(join(root, "dist", path));
  await dist("ops/index.js");
  const tools = {
    ...(await dist("core/operator_registry.js")),
    ...(await dist("core/schema.js")),
    ...(await dist("torch/eager_call.js")),
    ...(await dist("torch/hand_written.js")),
  };
  for (const [path, text] of Object.entries(generate(tools))) {
    writeFileSync(join(root, path), text);
    console.log(`${path}: ${text.split("\n").length} lines`);
  }
}
