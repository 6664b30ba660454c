import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNumber, formatPlace, summarise, valueRange, withoutNoise } from "../../viewer/series.js";

test("a summary counts values and leaves out what is none", () => {
	assert.deepEqual(summarise([0.25, null, 0.75, null]), { valid: 2, total: 4, mean: 0.5, low: 0.25, high: 0.75 });
});

test("a zero is a value", () => {
	assert.deepEqual(summarise([0]), { valid: 1, total: 1, mean: 0, low: 0, high: 0 });
});

test("there is no summary without a value", () => {
	assert.equal(summarise([null, null]), null);
	assert.equal(summarise([]), null);
});

test("a long series has a summary", () => {
	assert.equal(summarise(Array(300_000).fill(1))?.valid, 300_000);
});

test("the value axis has a margin on both sides", () => {
	const [low, high] = valueRange(0, 1);

	assert.deepEqual([low, high], [-0.08, 1.08]);
});

for (const value of [0, 0.5, -3, 1e6]) {
	test(`a series that is always ${value} is drawn inside its axis`, () => {
		const [low, high] = valueRange(value, value);

		assert.ok(low < value && value < high);
	});
}

test("derived numbers have four digits that count", () => {
	assert.equal(formatNumber(0.123456, "en-GB"), "0.1235");
	assert.equal(formatNumber(12345.6, "en-GB"), "12350");
});

test("a place is written with its hemispheres", () => {
	assert.equal(formatPlace({ lon: 4.4, lat: 51.2 }), "51.2000° N, 4.4000° E");
	assert.equal(formatPlace({ lon: -70.5, lat: -33.25 }), "33.2500° S, 70.5000° W");
});

test("a value is shown without the noise of binary fractions", () => {
	assert.deepEqual([0.1 + 0.2, -0.08, 1234.5678, 0].map(withoutNoise), [0.3, -0.08, 1234.568, 0]);
});
