/**
 * Makes the npm package from the viewer's own modules: one ES module for each entry, shared code in chunks, types from
 * the JSDoc comments, and the licences of its parts. `node clients/js/build.mjs [FOLDER]` writes FOLDER/dist; without
 * FOLDER, clients/js/dist.
 */
import { execFile } from "node:child_process";
import { access, appendFile, cp, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { COMMON, REPOSITORY, WORKER } from "./bundling.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const FOLDER = resolve(process.argv[2] ?? HERE);
const DIST = join(FOLDER, "dist");
/** Elements by their modules, so that `document.querySelector` returns their types. */
const ELEMENTS = { chart: "ChronotileChart", legend: "ChronotileLegend" };
const ENTRIES = ["index", "leaflet", "openlayers", "maplibre", "chart", "legend"];

/** @param {string} folder */
async function buildModules(folder) {
	await build({
		...COMMON,
		entryPoints: ENTRIES.map((name) => join(HERE, "src", `${name}.js`)),
		chunkNames: "shared-[hash]",
		outdir: folder,
		splitting: true,
	});
	await build({ ...COMMON, entryPoints: [WORKER], outdir: folder });
}

/** Writes the types of all modules, then removes types that no entry uses. @param {string} folder */
async function buildTypes(folder) {
	const types = join(folder, "types");
	const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
	const options = [
		"--noEmit",
		"false",
		"--declaration",
		"--emitDeclarationOnly",
		"--rootDir",
		REPOSITORY,
		"--outDir",
		types,
	];
	await promisify(execFile)(process.execPath, [compiler, "--project", join(HERE, "tsconfig.json"), ...options]).catch(
		({ stdout }) => {
			throw new Error(stdout);
		},
	);
	// The compiler does not copy declarations that are source files.
	const generated = "viewer/base/api-types.d.ts";
	await cp(join(REPOSITORY, generated), join(types, generated));
	const needed = new Set(ENTRIES.map((name) => join(types, "clients/js/src", `${name}.d.ts`)));
	for (const path of needed) {
		for (const [, target] of (await readFile(path, "utf8")).matchAll(/(?:from|import\()\s*"(\.[^"]+)\.js"/g)) {
			needed.add(`${resolve(dirname(path), target)}.d.ts`);
		}
	}
	for (const path of needed) await access(path);
	for (const entry of await readdir(types, { recursive: true, withFileTypes: true })) {
		const path = join(entry.parentPath, entry.name);
		if (entry.isFile() && !needed.has(path)) await rm(path);
	}
	for (const [name, element] of Object.entries(ELEMENTS)) {
		const tag = `\t\t"chronotile-${name}": ${element};\n`;
		const text = `declare global {\n\tinterface HTMLElementTagNameMap {\n${tag}\t}\n}\n`;
		await appendFile(join(types, "clients/js/src", `${name}.d.ts`), text);
	}
}

await rm(DIST, { recursive: true, force: true });
// Build in another folder first: a failed build then leaves no incomplete dist/.
const building = join(FOLDER, ".building");
await rm(building, { recursive: true, force: true }); // left by a killed build
await mkdir(building, { recursive: true });
try {
	const parts = await Promise.allSettled([buildModules(building), buildTypes(building)]);
	for (const part of parts) if (part.status === "rejected") throw part.reason;
	await cp(join(REPOSITORY, "LICENSE"), join(FOLDER, "LICENSE"));
	await rename(building, DIST);
} finally {
	await rm(building, { recursive: true, force: true });
}
