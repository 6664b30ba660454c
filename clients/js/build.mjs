/**
 * Makes the npm package from the viewer's own modules: one ES module for each entry, what they share in chunks, types from
 * the JSDoc comments, and the licences of what is inside. `node clients/js/build.mjs [FOLDER]` writes FOLDER/dist; without
 * FOLDER, clients/js/dist.
 */
import { execFile } from "node:child_process";
import { access, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const REPOSITORY = join(HERE, "../..");
const PACKAGES = join(REPOSITORY, "node_modules");
const FOLDER = resolve(process.argv[2] ?? HERE);
const DIST = join(FOLDER, "dist");
const ENTRIES = ["index", "leaflet", "openlayers", "maplibre", "chart", "legend"];
const WORKER = join(REPOSITORY, "viewer/ctc1/worker.js");

/** @type {import("esbuild").BuildOptions} */
const COMMON = {
	bundle: true,
	format: "esm",
	legalComments: "inline",
	loader: { ".css": "text" },
	logLevel: "warning",
	minify: true,
	target: "es2022",
};

/** The worker with all that it imports, as text; and libraries from npm where the viewer has its own files of them. @type {import("esbuild").Plugin} */
export const fromViewer = {
	name: "from-viewer",
	setup(of) {
		of.onResolve({ filter: /^text:worker$/ }, () => ({ path: WORKER, namespace: "text" }));
		of.onLoad({ filter: /.*/, namespace: "text" }, async () => {
			const { outputFiles } = await build({ ...COMMON, entryPoints: [WORKER], write: false });
			return { contents: outputFiles[0].text, loader: "text", watchFiles: [WORKER] };
		});
		of.onResolve({ filter: /\/vendor\/(uplot|leaflet|signals-core)\.js$/ }, ({ path }) =>
			of.resolve(
				{ uplot: "uplot", leaflet: "leaflet/dist/leaflet-src.esm.js", "signals-core": "@preact/signals-core" }[
					/([a-z-]+)\.js$/.exec(path)?.[1] ?? ""
				] ?? "",
				{
					kind: "import-statement",
					resolveDir: REPOSITORY,
				},
			),
		);
	},
};

async function buildModules() {
	await build({
		...COMMON,
		entryPoints: ENTRIES.map((name) => join(HERE, "src", `${name}.js`)),
		chunkNames: "shared-[hash]",
		outdir: DIST,
		plugins: [fromViewer],
		splitting: true,
	});
	await build({ ...COMMON, entryPoints: [WORKER], outdir: DIST });
}

/** Types of all modules that take part, then without those that no entry mentions. */
async function buildTypes() {
	const types = join(DIST, "types");
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
}

await rm(DIST, { recursive: true, force: true });
await mkdir(DIST, { recursive: true });
await Promise.all([buildModules(), buildTypes()]);
await cp(join(REPOSITORY, "LICENSE"), join(FOLDER, "LICENSE"));
const uplot = await readFile(join(PACKAGES, "uplot/LICENSE"), "utf8");
await writeFile(join(DIST, "LICENSES.txt"), `chart.js contains uPlot:\n\n${uplot}`);
