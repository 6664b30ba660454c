import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const VIEWER = fileURLToPath(new URL("../../viewer/", import.meta.url));

const read = (/** @type {string} */ path) => readFile(join(VIEWER, path), "utf8");

/** Our own modules that the browser loads. */
const ownModules = async () =>
	(await readdir(VIEWER, { recursive: true })).filter((name) => name.endsWith(".js") && !/^(vendor|dist)\//.test(name));

/** Returns the scripts of the built page: entry points, their imports, and dynamic imports. */
async function scripts() {
	const page = await read("dist/index.html");
	const namesBy = (/** @type {RegExp} */ pattern) => [...page.matchAll(pattern)].map(([, name]) => name);
	return {
		first: [
			...namesBy(/<script type="module"(?: async)? src="([^"]+)"/g),
			...namesBy(/rel="modulepreload" href="([^"]+)"/g),
		],
		later: namesBy(/rel="later" href="([^"]+)"/g),
	};
}

/** Bytes that are sent of files of dist/. @param {string[]} names */
async function sentBytes(names) {
	const sizes = await Promise.all(names.map(async (name) => gzipSync(await read(`dist/${name}`), { level: 9 }).length));
	return sizes.reduce((total, size) => total + size, 0);
}

/** All files below a folder, by their names. @param {string} folder @returns {Promise<Map<string, Buffer>>} */
async function filesOf(folder) {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
	return new Map(
		await Promise.all(
			paths
				.sort()
				.map(async (path) => /** @type {[string, Buffer]} */ ([relative(folder, path), await readFile(path)])),
		),
	);
}

test("what is built is what the sources give", async () => {
	const folder = await mkdtemp(join(tmpdir(), "viewer-"));
	try {
		await promisify(execFile)(process.execPath, [join(VIEWER, "bundle.mjs"), join(folder, "dist")]);
		const built = await filesOf(join(VIEWER, "dist"));
		built.delete(".made");

		assert.deepEqual(built, await filesOf(join(folder, "dist")), "viewer/dist is not of these sources: make viewer");
	} finally {
		await rm(folder, { recursive: true });
	}
});

test("the page names all scripts that its scripts import, but those with large libraries", async () => {
	const { first, later } = await scripts();
	const importsOf = async (/** @type {string[]} */ names) => {
		const sources = await Promise.all(names.map((name) => read(`dist/${name}`)));
		return sources.flatMap((source) =>
			[...source.matchAll(/(?:from|import)"\.\/([^"]+)"/g)].map(([, name]) => `js/${name}`),
		);
	};
	const unnamed = async (/** @type {string[]} */ names, /** @type {string[]} */ known) =>
		(await importsOf(names)).filter((name) => !known.includes(name));

	assert.deepEqual(await unnamed(first, first), []);
	assert.deepEqual(await unnamed(later, [...first, ...later]), []);
	assert.ok(later.every((name) => !/video/.test(name)));
});

test("start stays within its budget of scripts and bytes", async () => {
	const { first, later } = await scripts();
	const soon = later.filter((name) => !name.includes("/wanted-"));

	assert.equal(first.length, 1);
	assert.ok((await sentBytes(first)) <= 80_000);
	assert.ok((await sentBytes([...first, ...soon, "js/worker.js"])) <= 130_000);
	assert.ok((await sentBytes(["index.html", "viewer.css"])) <= 20_000);
});

test("only base/api.js, ctc1/ and a page of its own fetch, only base/permalink.js touches the address, only map/ knows Leaflet", async () => {
	const rules = [
		{ pattern: /\bfetch\(|XMLHttpRequest/, owner: /^(base\/api\.js|ctc1\/.*|pages\/collection-page\.js)$/ },
		{ pattern: /\b(location|history)\b\./, owner: /^base\/permalink\.js$/ },
		{ pattern: /from "[./]+vendor\/leaflet\.js"/, owner: /^map\/.*$/ },
	];
	for (const name of await ownModules()) {
		const source = await read(name);
		for (const { pattern, owner } of rules) {
			assert.ok(owner.test(name) || !pattern.test(source), `${name} does what only ${owner} may do`);
		}
	}
});

test("no module writes HTML from text", async () => {
	for (const name of await ownModules()) {
		assert.doesNotMatch(await read(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/, name);
	}
});

test("nothing of the viewer names another host", async () => {
	const page = (await read("index.html")).replaceAll(/<a href="https:[^"]+">/g, "");
	for (const source of [page, await read("app.css"), ...(await Promise.all((await ownModules()).map(read)))]) {
		assert.doesNotMatch(source, /https?:\/\/(?!www\.w3\.org\/)/);
	}
});

test("the page has no styles or scripts of its own, which the content security policy forbids", async () => {
	assert.doesNotMatch(await read("index.html"), /<style|\sstyle=|\son[a-z]+=|<script(?! type="module" src=)/);
});

test("no selector looks with `:has()` into what holds the map, panel or dates: all in it would be styled anew for each date", async () => {
	const sheets = (await readdir(VIEWER, { recursive: true })).filter((name) => /^(?!dist|vendor).*\.css$/.test(name));

	assert.ok(sheets.length > 10);
	for (const name of sheets) {
		assert.doesNotMatch(
			await read(name),
			/(main|body|:root|#[\w-]+|\.(stage|map-frame|map-keys|panel|sheet|timeline))(?![\w-])[^\s,{]*:has\(/,
			name,
		);
	}
});

test("each library has its licence in what is built", async () => {
	const licences = await readdir(join(VIEWER, "dist/vendor"));
	for (const name of (await readdir(join(VIEWER, "vendor"))).filter((each) => each.endsWith(".js"))) {
		assert.ok(licences.includes(name.replace(/\.js$/, ".LICENSE.txt")), name);
	}
});
