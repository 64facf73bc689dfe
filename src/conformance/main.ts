#!/usr/bin/env node
/** @file `npm run conformance -- PATH... [--json FILE] [--jobs N] [--check NAME]`: runs case folders and self-checking archives. Upstream: none. Spec: none. */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { isCaseFolder, runCaseFolder } from "./case_folder.ts";
import { CHECK_NAMES, Checks } from "./checks.ts";
import { runSelfChecking } from "./self_checking.ts";

/** Case folders and archives below a path, sorted. */
function subjectsUnder(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  if (isCaseFolder(path)) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => {
      const child = join(path, name);
      if (statSync(child).isDirectory()) return subjectsUnder(child);
      return name.endsWith(".pt") || name.endsWith(".zip") ? [child] : [];
    });
}

function runSubject(path: string, checks: Checks): void {
  checks.subject = path;
  if (statSync(path).isDirectory()) runCaseFolder(path, checks);
  else runSelfChecking(path, checks);
}

function parseArguments(args: readonly string[]): { paths: string[]; json: string | undefined; jobs: number } {
  const paths: string[] = [];
  let json: string | undefined;
  let jobs = 2;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--json") json = args[++i];
    else if (args[i] === "--jobs") jobs = Number(args[++i]);
    else paths.push(args[i]!);
  }
  return { paths, json, jobs };
}

async function main(): Promise<void> {
  const { paths, json, jobs } = parseArguments(process.argv.slice(2));
  if (paths.length === 0) {
    console.error("usage: npm run conformance -- PATH... [--json FILE] [--jobs N]");
    process.exitCode = 2;
    return;
  }
  const subjects = paths.flatMap(subjectsUnder);
  const total = new Checks();
  const started = Date.now();
  if (jobs <= 1 || subjects.length < 20) for (const subject of subjects) runSubject(subject, total);
  else {
    // round robin: neighbours in the list are alike in cost
    const shards = Array.from({ length: jobs }, (_, j) => subjects.filter((_s, i) => i % jobs === j));
    await Promise.all(
      shards.map(
        (shard) =>
          new Promise<void>((resolve, reject) => {
            const worker = new Worker(new URL(import.meta.url), { workerData: shard });
            worker.on("message", (result: Checks) => total.merge(result));
            worker.on("error", reject);
            worker.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`worker ended with ${code}`))));
          }),
      ),
    );
  }
  for (const { subject, check, detail, why } of total.failures) {
    const name = relative(process.cwd(), subject) || basename(subject);
    console.log(
      `FAIL ${check.padEnd(6)} ${name}${detail ? ` [${detail}]` : ""}: ${why.replaceAll("\n", " ⏎ ").slice(0, 400)}`,
    );
  }
  for (const name of CHECK_NAMES) {
    const all = total.passed[name] + total.failed[name];
    if (all > 0) console.log(`${name.padEnd(7)} ${total.passed[name]} of ${all}`);
  }
  if (json)
    writeFileSync(
      json,
      JSON.stringify({ passed: total.passed, failed: total.failed, failures: total.failures }, null, 1),
    );
  console.log(`${subjects.length} subjects in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  console.log(`${total.totalPassed} passed, ${total.totalFailed} failed`);
  if (total.totalFailed > 0 || total.totalPassed === 0) process.exitCode = 1;
}

if (isMainThread) await main();
else {
  const checks = new Checks();
  for (const subject of workerData as string[]) runSubject(subject, checks);
  parentPort!.postMessage({ passed: checks.passed, failed: checks.failed, failures: checks.failures });
}
