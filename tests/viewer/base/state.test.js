import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const VIEWER = fileURLToPath(new URL("../../../viewer/", import.meta.url));
const STATE = "base/state.js";

const names = (await readdir(VIEWER, { recursive: true })).filter(
	(name) => name.endsWith(".js") && !/^(vendor|data|dist)\//.test(name),
);
const sources = await Promise.all(
	names.map(async (name) => ({ name, source: await readFile(join(VIEWER, name), "utf8") })),
);
const state = await readFile(join(VIEWER, STATE), "utf8");

/** Returns the imports of a module from state.js: names there, and local names. @param {string} source */
const importsOf = (source) =>
	[...source.matchAll(/import \{([^}]*)\} from "[^"]*\/state\.js"/g)]
		.flatMap(([, list]) => list.split(","))
		.map((part) => part.trim().split(" as "))
		.map(([name, local = name]) => ({ name, local }));

/** Exported functions that change one signal, with the comments above them. */
const setters = [
	...state.matchAll(
		/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?export (?:const \[\w+, (\w+)\] = makeState|function (\w+)[^\n]*\n(?:(?!\n\})[\s\S])*writable\()/g,
	),
].map(([, comment = "", change, name = change]) => ({ name, comment }));

test("other modules only read signals of the state", () => {
	assert.doesNotMatch(state, /^export const \w+ = signal\(/m);
	for (const { name, source } of sources.filter(({ name }) => name !== STATE)) {
		for (const { local } of importsOf(source)) {
			assert.doesNotMatch(source, new RegExp(`(?<![.\\w])${local}\\.value(\\+\\+|--| [-+*/|&?]{0,2}= )`), name);
		}
		// Signals of a side, which is no import; the types have them as read-only too.
		assert.doesNotMatch(source, /\b(side|sideA|other)\.\w+\.value (\?\?)?= /, name);
	}
});

test("a setter belongs to one module or is the single way to change its signal", () => {
	assert.ok(setters.length > 30);
	for (const { name, comment } of setters) {
		const users = sources.filter(({ source }) => importsOf(source).some((each) => each.name === name));
		const isShared = /single way/.test(comment);
		assert.ok(isShared || users.length <= 1, `${name}: ${users.map((user) => user.name)}`);
	}
});
