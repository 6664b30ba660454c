import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd, eachOnce, live } from "../../../viewer/base/live.js";
import { signal } from "../../../viewer/vendor/signals-core.js";

test("what an effect has begun ends before it runs again, and when it is stopped", () => {
	const [outer, inner] = [signal(1), signal("a")];
	/** @type {string[]} */
	const told = [];
	const stop = live(() => {
		const now = outer.value;
		live(() => {
			told.push(`${now}${inner.value}`);
		});
		atEnd(() => told.push(`end ${now}`));
	});

	inner.value = "b";
	outer.value = 2;
	stop();
	inner.value = "c";

	assert.deepEqual(told, ["1a", "1b", "end 1", "2b", "end 2"]);
});

test("something is made once of each thing in a list, and ends when that has gone from it", () => {
	/** @type {string[]} */
	const told = [];
	/** @type {(all: string[]) => string[]} */
	let keep = () => [];
	const stop = live(() => {
		keep = eachOnce((/** @type {string} */ each) => {
			told.push(each);
			atEnd(() => told.push(`end ${each}`));
			return each.toUpperCase();
		});
	});

	assert.deepEqual(keep(["a", "b"]), ["A", "B"]);
	assert.deepEqual(keep(["c", "b"]), ["C", "B"]);
	stop();

	assert.deepEqual(told, ["a", "b", "end a", "c", "end b", "end c"]);
});
