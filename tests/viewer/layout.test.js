import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const VIEWER = fileURLToPath(new URL("../../viewer/", import.meta.url));

/**
 * Folders from the lowest to the highest: a module imports from its folder and from lower ones, not from others of its
 * row.
 */
const ROWS = [
	["ctc1"],
	["base"],
	["map"],
	["areas/shapes", "layers", "time/strip"],
	["areas/formats", "shell", "time"],
	["stories"],
	["areas", "compare", "time/periods"],
	["chart/series", "export/page", "search"],
	["chart/years"],
	["chart"],
	["export"],
	["find"],
	["inspect"],
	["map/features", "pages", "report"],
	["."],
];
const NOT_OURS = /^(vendor|data|dist)\//;
const IMPORT = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;
/** Comments with types only, which the browser does not load. */
const COMMENT = /\/\*[\s\S]*?\*\//g;

const names = (await readdir(VIEWER, { recursive: true, withFileTypes: true }))
	.filter((entry) => entry.isFile())
	.map((entry) => relative(VIEWER, join(entry.parentPath, entry.name)))
	.filter((name) => !NOT_OURS.test(name));
const sources = new Map(
	await Promise.all(
		names
			.filter((name) => name.endsWith(".js"))
			.map(async (name) => /** @type {[string, string]} */ ([name, await readFile(join(VIEWER, name), "utf8")])),
	),
);

/**
 * Returns the modules of the viewer that a source imports, at its start or later.
 * @param {string} name
 * @param {string} source
 */
const importsOf = (name, source) =>
	[...source.matchAll(IMPORT)]
		.map(([, target]) => normalize(join(dirname(name), target)))
		.filter((target) => !NOT_OURS.test(target));

const folders = new Set(names.map(dirname));

/** @param {string} name */
const rowOf = (name) => ROWS.findIndex((row) => row.includes(dirname(name)));

test("each folder with modules has its row", () => {
	assert.deepEqual([...new Set([...sources.keys()].map(dirname))].sort(), ROWS.flat().sort());
});

test("no module imports from a higher folder, not even a type", () => {
	const upward = [...sources].flatMap(([name, source]) =>
		importsOf(name, source)
			.filter((target) => dirname(target) !== dirname(name) && rowOf(target) >= rowOf(name))
			.map((target) => `${name} imports ${target}`),
	);

	assert.deepEqual(upward, []);
});

test("no modules import one another in a circle", () => {
	/** @type {Map<string, "open" | "done">} */
	const seen = new Map();
	/** @type {string[]} */
	const circles = [];
	const walk = (/** @type {string} */ name, /** @type {string[]} */ path) => {
		if (seen.get(name) === "open") circles.push([...path.slice(path.indexOf(name)), name].join(" > "));
		if (seen.has(name)) return;
		seen.set(name, "open");
		const source = (sources.get(name) ?? "").replace(COMMENT, "");
		for (const target of importsOf(name, source)) walk(target, [...path, name]);
		seen.set(name, "done");
	};
	for (const name of sources.keys()) walk(name, []);

	assert.deepEqual(circles, []);
});

test("no file name is used twice, and no folder has more than twenty modules", () => {
	const all = names.map((name) => basename(name));

	assert.deepEqual(
		all.filter((name, at) => all.indexOf(name) !== at),
		[],
	);
	for (const folder of folders) {
		const modules = [...sources.keys()].filter((name) => dirname(name) === folder);
		assert.ok(modules.length <= 20, `${folder} has ${modules.length} modules`);
	}
});

test("lines of comments have at most 120 characters", () => {
	const long = [...sources].flatMap(([name, source]) =>
		source
			.split("\n")
			.flatMap((line, index) => (line.length > 120 && /^\s*(\/[*/]|\*)/.test(line) ? [`${name}:${index + 1}`] : [])),
	);
	assert.deepEqual(long, []);
});
