/**
 * Makes viewer/dist/, which the server gives to browsers, from the modules and style sheets of viewer/ and from what
 * build.mjs made: `node viewer/bundle.mjs [FOLDER]`; FOLDER in place of viewer/dist/. With `--debug`, scripts stay
 * readable and lead browsers to the modules.
 *
 * Parts that are loaded later are few scripts and not one a part, as each shared module would else be a file too: what
 * `import()` names is in the script of its group, which exports all that the modules of the group do.
 */
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, parse, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const IS_DEBUG = process.argv.includes("--debug");
const [folder] = process.argv.slice(2).filter((each) => !each.startsWith("--"));
const TARGET = folder ? resolve(folder) : join(HERE, "dist");

/** What the page runs at once. */
const START = "main.js";
/** What the page loads by itself as soon as the first picture is there. */
const NEXT = [
	"areas/area-list.js",
	"areas/place-sets.js",
	"inspect/readout.js",
	"layers/panel.js",
	"map/features/area-outlines.js",
	"map/features/map-keys.js",
	"map/base-maps.js",
	"map/names.js",
	"shell/frame.js",
	"time/time-controls.js",
];
/** With libraries that are larger than the viewer, and that few need. */
const VIDEO = ["export/video.js"];
const VECTORS = ["vendor/protomaps-leaflet.js"];
/** Whose state tests and benchmarks look into, in the script with all other modules that `import()` names. */
const INSPECTED = [
	"areas/measured-series.js",
	"base/state.js",
	"chart/series/lines.js",
	"compare/second-side.js",
	"inspect/marks.js",
	"map/cubes.js",
	"map/map.js",
];
const WORKERS = ["ctc1/worker.js", "export/gif-worker.js"];
const PAGES = ["collection-page", "copy-buttons", "reference"];
/** Files that pages and scripts ask for by name. */
const FILES = ["icon.svg", "icons.svg", "i18n", "data", "vendor/swagger-ui.css"];

/** @type {import("esbuild").BuildOptions} */
const COMMON = {
	absWorkingDir: HERE,
	bundle: true,
	external: ["images/*"], // of Leaflet, which the viewer does not use
	format: "esm",
	legalComments: "inline",
	logLevel: "warning",
	metafile: true,
	minify: !IS_DEBUG,
	outbase: HERE,
	outdir: "dist",
	sourcemap: IS_DEBUG ? "inline" : false,
	target: ["chrome123", "firefox120", "safari17.5"],
	write: false,
};

/** @param {import("esbuild").BuildOptions["entryPoints"]} entryPoints @param {import("esbuild").BuildOptions} [more] */
async function make(entryPoints, more = {}) {
	const { outputFiles = [], metafile } = await build({ ...COMMON, entryPoints, ...more });
	return { files: outputFiles, meta: /** @type {import("esbuild").Metafile} */ (metafile) };
}

/** Modules that `import()` names, by group. @returns {Promise<Record<string, string[]>>} */
async function findGroups() {
	const { meta } = await make([START], { splitting: true });
	const found = Object.values(meta.inputs).flatMap(({ imports }) =>
		imports.filter(({ kind }) => kind === "dynamic-import").map(({ path }) => path),
	);
	const named = new Set([...NEXT, ...VIDEO, ...VECTORS]);
	const unknown = [...named].filter((path) => !found.includes(path));
	if (unknown.length > 0) throw new Error(`nothing loads ${unknown} by import()`);
	const others = [...new Set(found)].filter((path) => !named.has(path)).sort();
	return { next: NEXT, video: VIDEO, vectors: VECTORS, wanted: [...others, ...INSPECTED] };
}

/**
 * Fails where two modules of a group export the same name, which the group's script would not have.
 * @param {string[]} group
 */
async function requireOwnNames(group) {
	const { meta } = await make(group, { bundle: false, external: undefined });
	const names = Object.values(meta.outputs).flatMap((output) => output.exports);
	const twice = names.filter((name, index) => names.indexOf(name) !== index);
	if (twice.length > 0) throw new Error(`more than one of ${group} exports ${twice}`);
}

/** @param {Record<string, string[]>} groups @returns {import("esbuild").Plugin} */
const inGroups = (groups) => ({
	name: "in-groups",
	setup(of) {
		of.onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
			if (kind !== "dynamic-import") return null;
			const wanted = relative(HERE, resolve(resolveDir, path));
			const [group] = Object.entries(groups).find(([, modules]) => modules.includes(wanted)) ?? [];
			return { path: group, namespace: "group" };
		});
		of.onResolve({ filter: /^group:/ }, ({ path }) => ({ path: path.slice("group:".length), namespace: "group" }));
		of.onLoad({ filter: /.*/, namespace: "group" }, ({ path }) => ({
			// All that starts is there before any group is: what they share with it makes no scripts of its own.
			contents: ['import "./main.js";', ...groups[path].map((name) => `export * from "./${name}";`)].join("\n"),
			resolveDir: HERE,
		}));
	},
});

/**
 * The page, with the names of built scripts in place of those of modules: those that run, those that they import, and
 * those that come when all is at rest.
 * @param {import("esbuild").Metafile} meta
 */
async function writePage({ outputs }) {
	/** The script that has a module, and all that it imports. @param {string} module */
	const scriptsOf = (module) => {
		const all = new Set(Object.keys(outputs).filter((path) => module in outputs[path].inputs));
		for (const path of all) {
			for (const { path: next, kind } of outputs[path].imports) if (kind === "import-statement") all.add(next);
		}
		return [...all].map((path) => relative("dist", path));
	};
	const [run, ...imported] = scriptsOf(START);
	const later = new Set(
		["group:next", "group:wanted"].flatMap(scriptsOf).filter((each) => each !== run && !imported.includes(each)),
	);
	const links = [
		...imported.map((script) => `<link rel="modulepreload" href="${script}">`),
		...[...later].map((script) => `<link rel="later" href="${script}">`),
	];
	const page = await readFile(join(HERE, "index.html"), "utf8");
	return page
		.replace(`src="${START}"`, `src="${run}"`)
		.replace("</head>", () => `${links.map((link) => `\t${link}\n`).join("")}</head>`);
}

/** @returns {Promise<Map<string, string | Uint8Array>>} contents by path below dist/ */
async function makeFiles() {
	const groups = await findGroups();
	await Promise.all(Object.values(groups).map(requireOwnNames));
	const [scripts, ...others] = await Promise.all([
		make(
			[START, ...Object.keys(groups)].map((name) => ({
				in: name in groups ? `group:${name}` : name,
				out: parse(name).name,
			})),
			{
				chunkNames: "js/shared-[hash]",
				entryNames: "js/[name]-[hash]",
				plugins: [inGroups(groups)],
				splitting: true,
			},
		),
		// Where modules look for them: `new URL("./worker.js", import.meta.url)`.
		make(WORKERS, { entryNames: "js/[name]" }),
		make(PAGES.map((name) => `pages/${name}.js`)),
		make(["viewer.css"]),
	]);
	const page = await writePage(scripts.meta);
	/** @type {Map<string, string | Uint8Array>} */
	const files = new Map([["index.html", page]]);
	for (const { path, contents } of [scripts, ...others].flatMap((made) => made.files)) {
		const name = relative(HERE, path);
		// What starts is shared with all later parts: nothing of it is in a script of its own.
		const isEmpty = scripts.meta.outputs[name]?.entryPoint === START;
		if (!isEmpty) files.set(relative("dist", name), contents);
	}
	return files;
}

/** @param {string} folder */
async function write(folder) {
	const files = await makeFiles();
	const vendored = await readdir(join(HERE, "vendor"));
	const copied = vendored.filter((name) => name.endsWith(".LICENSE.txt")).map((name) => `vendor/${name}`);
	for (const name of [...FILES, ...copied]) await cp(join(HERE, name), join(folder, name), { recursive: true });
	for (const [name, contents] of files) {
		await mkdir(dirname(join(folder, name)), { recursive: true });
		await writeFile(join(folder, name), contents);
	}
}

// Built elsewhere first: a build that fails leaves what was there, and a server never finds half of one.
const building = `${TARGET}.building`;
await rm(building, { recursive: true, force: true }); // of a build that was killed
await write(building);
await rm(TARGET, { recursive: true, force: true });
await rename(building, TARGET);
