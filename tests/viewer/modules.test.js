import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const VIEWER = fileURLToPath(new URL("../../viewer/", import.meta.url));
const MAX_MODULES = 12;
const MAX_BYTES = 110_000;

const read = (/** @type {string} */ path) => readFile(join(VIEWER, path), "utf8");

/** Modules that `start` imports, itself included, without those loaded later by `import()`. @param {string} start */
async function importGraph(start) {
	const found = new Set([start]);
	for (const path of found) {
		if (path.startsWith("vendor/")) continue;
		for (const [, target] of (await read(path)).matchAll(/^(?:import|export)\b[^;]*?from "(\.[^"]+)";/gm)) {
			found.add(normalize(join(dirname(path), target)));
		}
	}
	return [...found].sort();
}

/** Our own modules that the browser loads. */
const ownModules = async () =>
	(await readdir(VIEWER, { recursive: true })).filter((name) => name.endsWith(".js") && !name.startsWith("vendor/"));

/** Modules that the page names, those of which it says no more than that, or that they may wait. @param {"" | " fetchpriority=\"low\""} more */
async function preloaded(more) {
	const page = await read("index.html");
	return [...page.matchAll(new RegExp(`rel="modulepreload"${more} href="([^"]+)"`, "g"))].map(([, href]) => href);
}

test("the page preloads exactly the modules that start imports", async () => {
	const page = await read("index.html");
	const run = [...page.matchAll(/<script type="module"(?: async)? src="([^"]+)"/g)].map(([, src]) => src);

	assert.deepEqual([...(await preloaded("")), ...run].sort(), await importGraph("main.js"));
});

test("after them it preloads exactly those that the first picture needs beside", async () => {
	const starts = ["map/data-pane.js", "map/ground.js", "layers/legend-source.js", "ctc1/worker.js"];
	const needed = new Set((await Promise.all(starts.map(importGraph))).flat());
	for (const name of await importGraph("main.js")) needed.delete(name);

	assert.deepEqual((await preloaded(' fetchpriority="low"')).sort(), [...needed].sort());
});

test("start stays within its budget of modules and bytes", async () => {
	const modules = await importGraph("main.js");
	const sizes = await Promise.all(modules.map(async (path) => gzipSync(await read(path)).length));
	const bytes = sizes.reduce((total, size) => total + size, 0);

	assert.ok(modules.length <= MAX_MODULES, `${modules.length} modules`);
	assert.ok(bytes <= MAX_BYTES, `${bytes} bytes`);
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
	assert.doesNotMatch(
		await read("index.html"),
		/<style|\sstyle=|\son[a-z]+=|<script(?! type="module"(?: async)? src=)/,
	);
});

test("each library has its licence beside it", async () => {
	const names = await readdir(join(VIEWER, "vendor"));
	for (const name of names.filter((each) => each.endsWith(".js"))) {
		assert.ok(names.includes(name.replace(/\.js$/, ".LICENSE.txt")), name);
	}
});
