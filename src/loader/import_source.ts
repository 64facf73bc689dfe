/** @file SourceImporter: classes and functions from the code files of an archive, by qualified name, when they are asked for. Upstream: torch/csrc/jit/serialization/import_source.cpp. Spec: spec/records.md. */
import { ScriptError, TorchScriptError } from "../base/errors.ts";
import { checkLimit, type LimitOverrides } from "../base/limits.ts";
import type { Source, SourceRange } from "../base/source_range.ts";
import { guardStack } from "../base/stack_guard.ts";
import { argument } from "../core/schema.ts";
import { QualifiedName } from "../core/qualified_name.ts";
import * as T from "../core/type.ts";
import { enumValue } from "../core/ivalue.ts";
import { ClassType, EnumType, InterfaceType, type Type } from "../core/type.ts";
import type { ClassDef, Def, Stmt } from "../frontend/ast.ts";
import type { TypedConstant } from "../frontend/default_value.ts";
import { DeferredConstant } from "../frontend/class_line.ts";
import { DeferredClass, hasPlainMargin, plainClass } from "../frontend/deferred_class.ts";
import { DeferredDef } from "../frontend/deferred_def.ts";
import { defineFunction, SimpleSelf } from "../frontend/emit/compile.ts";
import { setOperatorVersion } from "../frontend/emit/emit_builtin.ts";
import { SimpleValue, type SugaredValue } from "../frontend/emit/sugared_value.ts";
import { Parser } from "../frontend/parser.ts";
import type { Resolver } from "../frontend/resolver.ts";
import { ScriptTypeParser } from "../frontend/script_type_parser.ts";
import { compileWithDotlessFloats } from "./float_literals.ts";
import { parseNumber } from "../frontend/string_literal.ts";
import { tokenName } from "../frontend/tokens.ts";
import type { CompilationUnit, NamedType } from "../ir/compilation_unit.ts";
import { insertConstant } from "../ir/constants.ts";
import { ScriptFunction } from "../ir/function.ts";
import { finishEmission } from "../passes/pipeline.ts";
import { splitClass } from "./class_source.ts";
import { constantAt, importerEnvironment, nonFiniteLiteral, type Definitions } from "./importer_values.ts";
import { NATIVE_CLASS_PREFIX, type NativeClassFinder } from "./native_classes.ts";
import { rewriteQuantizedConvForBC } from "./rewrite_quantized_conv.ts";
import { copyPattern, patternOf, Twins, type Pattern } from "./twins.ts";

/** Gives the code file of a qualifier such as `__torch__.pkg.net`, or undefined: then it is just a namespace. */
export type SourceLoader = (qualifier: string) => Source | undefined;

/** Options of `SourceImporter`. */
export interface SourceImporterOptions {
  /** Classes that are implemented here and not in the archive. */
  readonly findNativeClass?: NativeClassFinder | undefined;
  readonly limits?: LimitOverrides | undefined;
  /** Parse functions when they are compiled, not with their file (default false): errors of syntax in them show then. */
  readonly defersBodies?: boolean | undefined;
}

/** A constant that is computed when it is looked at. A class, as accessors of a literal keep what they close over alive longer (Note [Accessors]). */
class LateConstant implements TypedConstant {
  private readonly compute: () => TypedConstant;
  private known: TypedConstant | undefined;
  constructor(compute: () => TypedConstant) {
    this.compute = compute;
  }
  private get constant(): TypedConstant {
    return (this.known ??= this.compute());
  }
  get value(): unknown {
    return this.constant.value;
  }
  get type(): Type {
    return this.constant.type;
  }
}

const CLASS_NAME = /^__torch__(?:\.[A-Za-z_]\w*)+$/;

/** Imports into one compilation unit. Files are parsed when a name in them is asked for, methods compiled when they are called. */
export class SourceImporter implements Resolver, Definitions {
  readonly cu: CompilationUnit;
  /** Version of the archive: operators mean what they meant then. */
  readonly version: number;
  private readonly constants: readonly TypedConstant[];
  private readonly loadSource: SourceLoader;
  private readonly findNativeClass: NativeClassFinder | undefined;
  private readonly limits: LimitOverrides | undefined;
  private readonly defersBodies: boolean;
  private readonly environment: ReadonlyMap<string, SugaredValue>;
  private readonly types: ScriptTypeParser;
  private readonly loaded = new Set<string>();
  private readonly classDefs = new Map<string, ClassDef>();
  private readonly functionDefs = new Map<string, Def>();
  private readonly twins = new Twins((name) => void this.findNamedType(new QualifiedName(name)));
  /** Methods that may be copied by key; undefined where the first one compiled may not. */
  private readonly patterns = new Map<string, Pattern | undefined>();
  private depth = 0;

  /** @param constants may be filled later: it is looked at when code is compiled. */
  constructor(
    cu: CompilationUnit,
    constants: readonly TypedConstant[],
    loadSource: SourceLoader,
    version: number,
    options: SourceImporterOptions = {},
  ) {
    this.cu = cu;
    this.constants = constants;
    this.loadSource = loadSource;
    this.version = version;
    this.findNativeClass = options.findNativeClass;
    this.limits = options.limits;
    this.defersBodies = options.defersBodies ?? false;
    this.environment = importerEnvironment(constants, this);
    this.types = new ScriptTypeParser(this, (name, range) => this.constantNamed(name, range));
  }

  /** The type of a text: a qualified name, or the tag of a container such as `Dict[str, Tensor]`. */
  loadType(text: string): Type {
    const plain = CLASS_NAME.test(text) ? this.findNamedType(new QualifiedName(text)) : undefined;
    return plain ?? this.types.parseTypeText(text);
  }

  /** A free function by qualified name, or undefined. */
  loadFunction(qualifiedName: string): ScriptFunction | undefined {
    return this.findFunction(new QualifiedName(qualifiedName));
  }

  /** Parses and defines everything in the file of a qualifier: for tools that look at all code. */
  loadAll(qualifier: string): void {
    this.parseSource(qualifier);
    const mine = (name: string): boolean => new QualifiedName(name).prefix === qualifier;
    for (const name of [...this.classDefs.keys()].filter(mine)) this.findNamedType(new QualifiedName(name));
    for (const name of [...this.functionDefs.keys()].filter(mine)) this.findFunction(new QualifiedName(name));
  }

  findNamedType(name: QualifiedName): NamedType | undefined {
    const { qualifiedName } = name;
    if (qualifiedName.startsWith(NATIVE_CLASS_PREFIX)) {
      const native = this.findNativeClass?.(qualifiedName);
      if (native) return native;
    }
    this.parseSource(name.prefix);
    const def = this.classDefs.get(qualifiedName);
    if (def) {
      this.classDefs.delete(qualifiedName);
      this.depth++;
      checkLimit("maxSourceDepth", this.depth, `class ${qualifiedName}: classes that need each other`, this.limits);
      try {
        this.importNamedType(name, def);
      } finally {
        this.depth--;
      }
    }
    return this.cu.findType(qualifiedName);
  }

  findFunction(name: QualifiedName): ScriptFunction | undefined {
    const { qualifiedName } = name;
    this.parseSource(name.prefix);
    const def = this.functionDefs.get(qualifiedName);
    if (def) {
      this.functionDefs.delete(qualifiedName);
      // hooks of a class are also printed as functions: the method is the one that counts
      void this.cu.findClass(name.prefix)?.methods;
      if (!this.cu.findFunction(name)) this.cu.addFunction(this.makeFunction(name, def, undefined));
    }
    return this.cu.findFunction(qualifiedName);
  }

  resolveValue(name: string, fn: ScriptFunction, range: SourceRange): SugaredValue | undefined {
    const literal = nonFiniteLiteral(name);
    if (literal) return new SimpleValue(insertConstant(fn.graph, literal.value, literal.type, range));
    return this.environment.get(name);
  }

  resolveType(name: string): Type | undefined {
    if (!name.includes(".")) return this.cu.findType(name); // no file holds it
    return this.findNamedType(new QualifiedName(name));
  }

  /** What a name means in a default value. */
  private constantNamed(name: string, range: SourceRange): TypedConstant | undefined {
    if (name.startsWith("CONSTANTS.")) return constantAt(this.constants, name.slice("CONSTANTS.".length), range);
    const qualified = new QualifiedName(name);
    if (!name.startsWith("__torch__.")) return nonFiniteLiteral(name);
    const type = this.findNamedType(new QualifiedName(qualified.prefix));
    if (type?.kind !== "Enum" || !type.members.some(([member]) => member === qualified.name)) return undefined;
    return { value: enumValue(type, qualified.name), type };
  }

  private parseSource(qualifier: string): void {
    if (qualifier === "" || this.loaded.has(qualifier)) return;
    this.loaded.add(qualifier);
    const source = this.loadSource(qualifier);
    if (!source) return;
    const start = this.defersBodies && hasPlainMargin(source) ? this.deferClasses(qualifier, source) : 0;
    if (start === source.text.length) return;
    const parser = new Parser(source, this.limits, start);
    parser.defersBodies = this.defersBodies;
    const { lexer } = parser;
    skipVersion(parser);
    for (;;) {
      skipImports(parser);
      const token = lexer.cur();
      if (token.kind === "eof") return;
      if (token.kind === "class") {
        const def = parser.parseClass();
        this.classDefs.set(`${qualifier}.${def.name.name}`, def);
      } else if (token.kind === "def") {
        const def = parser.parseFunction(false);
        this.functionDefs.set(`${qualifier}.${def.name.name}`, def);
      } else throw new ScriptError(`Unexpected token in code import: ${tokenName(token.kind)}`, lexer.rangeOf(token));
    }
  }

  /** Takes the classes that a file begins with by their headers; gives where something else starts. */
  private deferClasses(qualifier: string, source: Source): number {
    let at = 0;
    for (;;) {
      const found = plainClass(source, at, this.limits);
      if (!found) return at;
      this.classDefs.set(`${qualifier}.${found.def.name.name}`, found.def);
      at = found.end;
    }
  }

  /** A function that is compiled when it is first needed. */
  private makeFunction(name: QualifiedName, def: Def, self: ClassType | undefined): ScriptFunction {
    return new ScriptFunction(name, undefined, (fn) => {
      const key = self?.isModule && def instanceof DeferredDef ? this.twinKey(self, def) : undefined;
      const pattern = key === undefined ? undefined : this.patterns.get(key);
      if (pattern && copyPattern(pattern, fn, def.range, self!)) {
        setOperatorVersion(fn.graph, this.version);
        return;
      }
      const { cu, version, types } = this;
      const options = { cu, version, types, cleanup: finishEmission };
      guardStack(`function ${name.qualifiedName}`, () =>
        compileWithDotlessFloats(fn, def instanceof DeferredDef ? def.full : def, (tree) =>
          defineFunction(fn, tree, this, self && new SimpleSelf(self), options),
        ),
      );
      if (self?.isModule) rewriteQuantizedConvForBC(fn.graph);
      if (key !== undefined && !this.patterns.has(key)) this.patterns.set(key, patternOf(fn, def.range, self!));
    });
  }

  /** The same for methods of which one may be the copy of another: see Note [Twins]. */
  private twinKey(self: ClassType, def: Def): string | undefined {
    try {
      return this.twins.keyOf(self.name.qualifiedName, def.range);
    } catch (error) {
      // another class cannot be read: that shows where it is needed
      if (error instanceof TorchScriptError) return undefined;
      throw error;
    }
  }

  private importNamedType(name: QualifiedName, def: ClassDef): void {
    const base = def.superclass?.kind === "Var" ? def.superclass.name.name : undefined;
    if (!def.superclass || base === "Module") {
      // archives before 1.6 carry code for native classes: what counts is the class that is built in
      if (name.qualifiedName.startsWith(NATIVE_CLASS_PREFIX)) return;
      const isModule = base === "Module";
      if (isModule) this.twins.add(name.qualifiedName, def.range);
      return def instanceof DeferredClass
        ? this.deferClass(name, def, isModule)
        : this.fillClass(new ClassType(name, isModule), def);
    }
    switch (base) {
      case "NamedTuple":
        return this.importNamedTuple(name, def);
      case "Interface":
        return this.importInterface(name, def, false);
      case "ModuleInterface":
        return this.importInterface(name, def, true);
      case "Enum":
        return this.importEnum(name, def);
      default:
        throw new ScriptError("Torchscript does not support class inheritance.", def.range);
    }
  }

  /** A class that gets its members when somebody asks for one. */
  private deferClass(name: QualifiedName, def: ClassDef, isModule: boolean): void {
    const fill = (cls: ClassType): void => guardStack(`class ${name.qualifiedName}`, () => this.fillClass(cls, def));
    this.cu.registerType(new ClassType(name, isModule, fill));
  }

  private fillClass(cls: ClassType, def: ClassDef): void {
    const { name, isModule } = cls;
    const parts = splitClass(def, name.qualifiedName, isModule);
    for (const attribute of parts.attributes) {
      const type = this.types.parseTypeFromExpr(attribute.type);
      const isParameter = parts.parameters.has(attribute.name);
      const isBuffer = parts.buffers.has(attribute.name);
      if (cls.findSlot(attribute.name) !== undefined) {
        throw new ScriptError(
          `Attribute ${attribute.name} is defined twice in class ${name.qualifiedName}, expected once`,
          attribute.type.range,
        );
      }
      if ((isParameter || isBuffer) && !T.isSubtypeOf(type, T.optionalOf(T.TensorT))) {
        const what = isParameter ? "parameter" : "buffer";
        throw new ScriptError(
          `Expecting ${what} to have either None, Tensor or Optional[Tensor] type, but got: ${T.typeStr(type)}`,
          attribute.type.range,
        );
      }
      cls.addAttribute(attribute.name, type, isParameter, isBuffer);
    }
    for (const assign of parts.constants) {
      const target = assign.targets[0]!;
      if (target.kind === "Var") cls.constants.set(target.name.name, this.constantOf(assign));
    }
    this.cu.registerType(cls);
    for (const method of parts.methods) cls.methods.set(method.name.name, this.defineMethod(cls, method));
    const hooks = new Map<Def, ScriptFunction>();
    const hook = (d: Def): ScriptFunction => {
      const known = hooks.get(d) ?? this.defineMethod(cls, d);
      hooks.set(d, known);
      return known;
    };
    cls.forwardHooks.push(...parts.forwardHooks.map(hook));
    cls.forwardPreHooks.push(...parts.forwardPreHooks.map(hook));
  }

  /** The constant that a statement of a class defines, computed now or, where its text is not parsed yet, when it is looked at. */
  private constantOf(assign: Stmt & { kind: "Assign" }): TypedConstant {
    const { types } = this;
    if (!(assign instanceof DeferredConstant)) return types.parseClassConstant(assign);
    return new LateConstant(() => types.parseClassConstant(assign.full));
  }

  private defineMethod(cls: ClassType, def: Def): ScriptFunction {
    const name = cls.name.child(def.name.name);
    if (this.cu.findFunction(name))
      throw new ScriptError(`Can't redefine method: ${name.name} on class: ${cls.name.qualifiedName}`, def.range);
    return this.cu.addFunction(this.makeFunction(name, def, cls));
  }

  private importInterface(name: QualifiedName, def: ClassDef, isModule: boolean): void {
    const type = new InterfaceType(name, isModule);
    for (const stmt of def.body) {
      if (stmt.kind !== "Def")
        throw new ScriptError("interface declarations can only contain method definitions", stmt.range);
      const method = stmt.def;
      const self = method.params[0];
      if (!method.returnType || !self)
        throw new ScriptError("interface declarations must have a return type annotated.", method.range);
      const schema = this.types.parseSchemaFromDef(method, true);
      type.methods.push({ ...schema, args: [argument(self.name.name, type), ...schema.args] });
      const pass = method.body.findIndex((s) => s.kind === "Pass");
      const before = pass < 0 ? method.body : method.body.slice(0, pass);
      if (before.some((s) => s.kind === "ExprStmt" && s.expr.kind !== "String")) {
        throw new ScriptError("interfaces declarations should only contain a single 'pass' statement.", method.range);
      }
      if (pass < 0) throw new ScriptError("interfaces declarations should contain 'pass' statement.", method.range);
    }
    this.cu.registerType(type);
  }

  private importNamedTuple(name: QualifiedName, def: ClassDef): void {
    const fields: string[] = [];
    const types: Type[] = [];
    const defaults: unknown[] = [];
    for (const stmt of def.body) {
      if (stmt.kind === "Pass") continue;
      const target = stmt.kind === "Assign" ? stmt.targets[0] : undefined;
      if (stmt.kind !== "Assign" || target?.kind !== "Var" || !stmt.annotation) {
        throw new ScriptError(
          "Unexpected statement in NamedTuple body: only attribute annotations are currently supported.",
          stmt.range,
        );
      }
      if (stmt.value) defaults.push(...this.types.evaluateDefaults(stmt.value.range, [stmt.annotation], [stmt.value]));
      fields.push(target.name.name);
      types.push(this.types.parseTypeFromExpr(stmt.annotation));
    }
    this.cu.registerType(T.namedTupleOf(name, fields, types, defaults));
  }

  private importEnum(name: QualifiedName, def: ClassDef): void {
    const members: [string, unknown][] = [];
    let valueType: Type | undefined;
    for (const stmt of def.body) {
      const target = stmt.kind === "Assign" ? stmt.targets[0] : undefined;
      if (stmt.kind !== "Assign" || target?.kind !== "Var" || !stmt.value) {
        throw new ScriptError(
          "Unexpected statement in Enum class body: only enum attribute definitions are currently supported.",
          stmt.range,
        );
      }
      const member = enumMember(
        stmt.value.kind === "String"
          ? stmt.value.value
          : stmt.value.kind === "Number"
            ? parseNumber(stmt.value.text, stmt.value.range)
            : undefined,
      );
      if (!member)
        throw new ScriptError(
          `Unsupported enum value type: ${stmt.value.kind}. Only Integers, Floats and Strings are supported.`,
          stmt.value.range,
        );
      valueType ??= member.type;
      if (valueType !== member.type)
        throw new ScriptError("Enum class with varying value types are not supported.", stmt.range);
      members.push([target.name.name, member.value]);
    }
    if (!valueType) throw new ScriptError(`No enum values defined for ${name.qualifiedName}`, def.range);
    this.cu.registerType(new EnumType(name, valueType, members));
  }
}

function enumMember(value: string | ReturnType<typeof parseNumber> | undefined): TypedConstant | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return { value, type: T.StringT };
  if (value.kind === "int") return { value: value.value, type: T.IntT };
  return value.kind === "float" ? { value: value.value, type: T.FloatT } : undefined;
}

/** Archives of PyTorch 1.2 and 1.3 begin each file with `op_version_set = 1`. */
function skipVersion(parser: Parser): void {
  const { lexer } = parser;
  if (lexer.cur().kind !== "ident" || lexer.textOf(lexer.cur()) !== "op_version_set") return;
  lexer.next();
  lexer.expect("=");
  lexer.expect("number");
  lexer.expect("newline");
}

/** Old files import what they use; names are found without that. */
function skipImports(parser: Parser): void {
  const { lexer } = parser;
  while (lexer.nextIf("import")) {
    while (lexer.cur().kind !== "newline" && lexer.cur().kind !== "eof") lexer.next();
    lexer.expect("newline");
  }
}
