import assert from "node:assert/strict";
import { test } from "node:test";
import { formatExact, formatNumber, summarise } from "../../../viewer/chart/series/series.js";

test("a summary counts values and leaves out what is none", () => {
	assert.deepEqual(summarise([0.75, null, 0.25, 1, 0, null]), {
		valid: 4,
		total: 6,
		mean: 0.5,
		std: Math.sqrt((2 * 0.25 ** 2 + 2 * 0.5 ** 2) / 4),
		median: 0.5,
		min: 0,
		max: 1,
	});
});

test("the median of an odd number of values is the one in their middle", () => {
	assert.equal(summarise([9, 1, 2])?.median, 2);
});

test("a zero is a value", () => {
	const { valid, mean, std, median } = /** @type {import("../../../viewer/chart/series/series.js").Summary} */ (
		summarise([0])
	);

	assert.deepEqual([valid, mean, std, median], [1, 0, 0, 0]);
});

test("there is no summary without a value", () => {
	assert.equal(summarise([null, null]), null);
	assert.equal(summarise([]), null);
});

test("a long series has a summary", () => {
	assert.equal(summarise(Array(300_000).fill(1))?.valid, 300_000);
});

test("derived numbers have four digits that count", () => {
	assert.equal(formatNumber(0.123456, "en-GB"), "0.1235");
	assert.equal(formatNumber(12345.6, "en-GB"), "12350");
});

for (const [value, words] of /** @type {const} */ ([
	[0.1 + 0.2, "0.3"],
	[-0.08, "-0.08"],
	[1234.5678, "1234.5678"],
	[Math.fround(0.1234567), "0.123456702"],
	[0, "0"],
])) {
	test(`${value} is shown without the noise of binary fractions`, () => {
		assert.equal(formatExact(value, "en-GB"), words);
	});
}
