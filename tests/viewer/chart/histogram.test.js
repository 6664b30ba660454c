import assert from "node:assert/strict";
import { test } from "node:test";
import {
	commonestValue,
	histogramBetween,
	histogramOfClasses,
	histogramsOf,
} from "../../../viewer/chart/series/area-histogram.js";

test("the bins go from the lowest value to the highest, in full", () => {
	assert.equal(histogramBetween(-0.08, 0.30000000000000004), "histogram:30:-0.08:0.30000000000000004");
});

for (const [low, high, step, reducer] of /** @type {[number, number, number, string][]} */ ([
	[0, 250, 1, "histogram:28:-0.5:251.5"],
	[0, 3, 1, "histogram:4:-0.5:3.5"],
	[7, 7, 0.5, "histogram:1:6.75:7.25"],
])) {
	test(`whole steps of ${step} from ${low} to ${high} lie in the middle of equal bins`, () => {
		assert.equal(histogramBetween(low, high, step), reducer);
	});
}

for (const value of [0, 5, -1e6, 0.004]) {
	test(`an area that is all ${value} has one bin around it`, () => {
		const [name, bins, low, high] = histogramBetween(value, value).split(":");

		assert.deepEqual([name, bins], ["histogram", "1"]);
		assert.ok(Number(low) < value && value < Number(high));
	});
}

for (const [codes, reducer] of /** @type {[number[], string | null][]} */ ([
	[[0, 3, 11], "histogram:12:-0.5:11.5"],
	[[7], "histogram:1:6.5:7.5"],
	[[], null],
	[[0.5, 1], null],
	[[0, 5000], null],
])) {
	test(`classes ${codes} are counted by ${reducer}`, () => {
		assert.equal(histogramOfClasses(codes.map((value) => ({ value }))), reducer);
	});
}

const EDGES = [0.5, 1.5, 2.5, 3.5];

/** @param {(number | null)[][]} counts */
const answerOf = (counts) => ({
	answer: { layer: "x", units: "1", times: ["a", "b"], features: [], edges: { "histogram:3:0.5:3.5": EDGES } },
	feature: { id: null, series: { "histogram:3:0.5:3.5": counts }, valid: [6, 0], total: 6 },
});

test("an answer has a histogram a date, none where no cell has a value", () => {
	const { answer, feature } = answerOf([
		[1, 3, 2],
		[null, null, null],
	]);

	assert.deepEqual(histogramsOf(answer, feature), [{ counts: [1, 3, 2], edges: EDGES }, null]);
});

test("an answer that no histogram was asked of has none", () => {
	const { answer, feature } = answerOf([]);

	assert.deepEqual(histogramsOf({ ...answer, edges: undefined }, feature), []);
});

test("the commonest class is that of most cells, the first of those as common", () => {
	assert.equal(commonestValue({ counts: [1, 3, 2], edges: EDGES }), 2);
	assert.equal(commonestValue({ counts: [3, 1, 3], edges: EDGES }), 1);
	assert.equal(commonestValue({ counts: [0, 0, 0], edges: EDGES }), null);
	assert.equal(commonestValue(null), null);
});
