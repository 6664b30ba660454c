import assert from "node:assert/strict";
import { test } from "node:test";
import { indexAtOrBefore } from "../../../viewer/base/dates.js";
import {
	numberText,
	parseNumber,
	roundOn,
	roundValues,
	shareOf,
	valueAt,
	withRoom,
} from "../../../viewer/base/value-scale.js";
import { matches } from "../../../viewer/layers/filter.js";
import { outline, quantile } from "../../../viewer/layers/histogram.js";

const PLAIN = { low: -0.08, high: 0.92, isLog: false };
const LOG = { low: 0.01, high: 10, isLog: true };

for (const [scale, ticks] of /** @type {[import("../../../viewer/base/value-scale.js").Scale, number[]][]} */ ([
	[PLAIN, [0, 0.2, 0.4, 0.6, 0.8]],
	[{ low: 0, high: 7, isLog: false }, [0, 2, 4, 6]],
	[{ low: 250, high: 320, isLog: false }, [260, 280, 300, 320]],
	[{ low: 3, high: 3, isLog: false }, [3]],
	[LOG, [0.01, 0.05, 0.1, 0.5, 1, 5, 10]],
	[{ low: 1e-6, high: 100, isLog: true }, [1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 1, 10, 100]],
	[{ low: 1, high: 20, isLog: true }, [1, 2, 5, 10, 20]],
	[{ low: 0.31, high: 0.42, isLog: true }, [0.32, 0.34, 0.36, 0.38, 0.4, 0.42]],
])) {
	test(`ticks from ${scale.low} to ${scale.high}${scale.isLog ? ", of logarithms" : ""} are round`, () => {
		assert.deepEqual(roundValues(scale), ticks);
	});
}

for (const scale of [PLAIN, LOG]) {
	test(`shares and values of a ${scale.isLog ? "logarithmic" : "plain"} scale lead to each other`, () => {
		for (const share of [0, 0.25, 0.5, 1]) assert.ok(Math.abs(shareOf(scale, valueAt(scale, share)) - share) < 1e-12);
	});
}

test("the middle of a logarithmic scale is the geometric mean of its ends", () => {
	assert.ok(Math.abs(valueAt(LOG, 0.5) - Math.sqrt(0.1)) < 1e-12);
});

test("what a logarithmic scale cannot have lies before it", () => {
	assert.ok(shareOf(LOG, 0) < 0);
});

test("a hand sets values of few digits", () => {
	assert.equal(roundOn(PLAIN, 0.123456), 0.123);
	assert.equal(roundOn({ low: 0, high: 12_000, isLog: false }, 4567.8), 4570);
	assert.equal(roundOn({ low: 2, high: 2, isLog: false }, 2.5), 2.5);
});

test("numbers are written for people", () => {
	assert.deepEqual(
		[0, 0.3, -2.5, 12_500, 1e-7].map((value) => numberText(value, "en-GB")),
		["0", "0.3", "-2.5", "12,500", "1E-7"],
	);
	assert.equal(numberText(0.3, "nl-BE"), "0,3");
});

for (const [typed, number] of /** @type {[string, number | null][]} */ ([
	["0.5", 0.5],
	[" -0,08 ", -0.08],
	["−3", -3],
	["1e-3", 0.001],
	["", null],
	["1.2.3", null],
	["Infinity", null],
	["0x10", null],
])) {
	test(`“${typed}” is typed for ${number}`, () => {
		assert.equal(parseNumber(typed), number);
	});
}

test("a share of all counts is cut off inside its bin", () => {
	const counts = { counts: [10, 0, 10], low: 0, high: 3 };

	assert.deepEqual(
		[0.25, 0.5, 1].map((share) => quantile(counts, share)),
		[0.5, 1, 3],
	);
	assert.equal(quantile({ counts: [0, 0], low: 0, high: 1 }, 0.5), null);
});

test("an outline is highest where most values are, and knows none beside the scale", () => {
	const heights = outline(
		{ counts: [0, 0, 8, 0, 0, 0, 0, 100], low: 0, high: 8 },
		{ low: 0, high: 6, isLog: false },
		300,
	);

	assert.ok(Math.abs(heights.indexOf(1) - 125) <= 8);
	assert.equal(heights[280], 0);
});

test("an outline of nothing is flat", () => {
	assert.deepEqual([...outline({ counts: [0], low: 0, high: 1 }, PLAIN, 3)], [0, 0, 0]);
});

const LAYER = {
	id: "S2_FAPAR",
	title: "Évapotranspiration",
	collection: "s2",
	collection_title: "Sentinel-2, dekads",
	variable: "ET",
};

for (const [filter, isFound] of /** @type {[string, boolean][]} */ ([
	["", true],
	["evapo", true],
	["DEKADS et", true],
	["s2_", true],
	["evapo ndvi", false],
])) {
	test(`the filter “${filter}” ${isFound ? "finds" : "does not find"} the layer`, () => {
		assert.equal(matches(LAYER, filter), isFound);
	});
}

test("a layer beside another is shown at the last date that is not after its", () => {
	const instants = [10, 20, 30].map((ms) => ({ ms, end: ms + 1, text: String(ms) }));

	assert.deepEqual(
		[5, 10, 29, 30, 99].map((ms) => indexAtOrBefore(instants, ms)),
		[0, 0, 1, 2, 2],
	);
});

test("labels that would lie on one another are left out", () => {
	assert.deepEqual(
		withRoom([0.1, 1, 3, 10, 30], (value) => 9 * value, 22),
		[0.1, 3, 10, 30],
	);
	assert.deepEqual(
		withRoom([0, 0.5, 1], (value) => 240 * value, 22),
		[0, 0.5, 1],
	);
});
