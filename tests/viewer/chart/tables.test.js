import assert from "node:assert/strict";
import { test } from "node:test";
import {
	joinTimes,
	lineReducer,
	spread,
	tableOfFeature,
	tableOfPoint,
	valuesOf,
} from "../../../viewer/chart/series/tables.js";

const TIMES = ["2019-01-01T00:00:00Z", "2019-01-06T00:00:00Z", "2019-01-11T00:00:00Z"];
const AREA = {
	id: null,
	series: { mean: [0.5, null, 0.25], p10: [0.25, null, 0.125] },
	valid: [8, 0, 2],
	total: 8,
	reasons: { cloud: [0, 5, 6], snow: [0, 3, 0] },
};

/** @param {typeof AREA} feature @param {boolean} isPoint */
const tableOf = (feature, isPoint) =>
	tableOfFeature({ layer: "x", units: "1", times: TIMES, features: [feature] }, feature, isPoint);

test("a point has one value a date, and a reason where there is none", () => {
	const table = tableOfPoint({
		layer: "x",
		units: "m",
		point: [4, 51],
		times: TIMES,
		values: [0.5, null, 0],
		reasons: [null, "cloud", null],
	});

	assert.deepEqual(valuesOf(table, "p10"), [0.5, null, 0]);
	assert.deepEqual([table.counts, table.reasons, table.units], [[1, 0, 1], [null, "cloud", null], "m"]);
});

test("an area has a column a reducer, and why it has no value is what most of its cells say", () => {
	const table = tableOf(AREA, false);

	assert.deepEqual(valuesOf(table, "p10"), [0.25, null, 0.125]);
	assert.deepEqual(
		[table.counts, table.reasons],
		[
			[8, 0, 2],
			[null, "cloud", null],
		],
	);
});

test("the mean of a point among several is its value", () => {
	const table = tableOf(AREA, true);

	assert.deepEqual(table.columns, { value: [0.5, null, 0.25] });
});

test("a feature outside the layer has its note and no reasons", () => {
	const outside = {
		id: null,
		series: { mean: [null, null, null] },
		valid: [0, 0, 0],
		total: 0,
		note: "it lies outside",
	};
	const table = tableOfFeature({ layer: "x", units: "1", times: TIMES, features: [outside] }, outside, true);

	assert.deepEqual([table.note, table.reasons], ["it lies outside", [null, null, null]]);
});

test("what the map has of a point says whether it is exact", () => {
	const table = tableOfPoint({ times: TIMES, values: [1, null, 2], units: "m", isApproximate: true });

	assert.deepEqual([table.isApproximate, table.counts, valuesOf(table, "mean")], [true, [1, 0, 1], [1, null, 2]]);
});

test("series of other dates share one axis, on which a date that one of them lacks is no gap", () => {
	const { seconds, places } = joinTimes([TIMES, [TIMES[1], "2019-01-08T00:00:00Z"], [null]]);

	assert.equal(seconds.length, 4);
	assert.deepEqual(places, [[0, 1, 3], [1, 2], [-1]]);
	assert.deepEqual(spread([1, null, 3], places[0], 4), [1, null, undefined, 3]);
	assert.deepEqual(spread([7], places[2], 4), [undefined, undefined, undefined, undefined]);
});

for (const [name, reducer] of [
	["median", "median"],
	["p5", "p5"],
	["p100", "p100"],
	["p101", "mean"],
	["std", "mean"],
	[undefined, "mean"],
]) {
	test(`a link that says agg=${name} shows the ${reducer} of areas`, () => {
		assert.equal(lineReducer(name), reducer);
	});
}
