import assert from "node:assert/strict";
import { test } from "node:test";
import { fitOf, stopsAlong } from "../../../viewer/inspect/samples.js";
import { makeRandom } from "../random.js";

test("stops of a line have its corners, are no farther apart than the step, and their distances add up", () => {
	const line = [
		{ lon: 0, lat: 0 },
		{ lon: 1, lat: 0 },
		{ lon: 1, lat: 1 },
	];
	const stops = stopsAlong(line, 10_000);

	for (const corner of line) assert.ok(stops.some(({ at }) => at.lon === corner.lon && at.lat === corner.lat));
	for (let index = 1; index < stops.length; index++) {
		const step = stops[index].metres - stops[index - 1].metres;
		assert.ok(step > 0 && step <= 10_000);
	}
	// A degree along the equator and one along a meridian from it, of WGS 84.
	assert.ok(Math.abs(stops[stops.length - 1].metres - (111_319.49 + 110_574.39)) < 1);
});

test("the fit of two columns is that of its textbook formula", () => {
	const random = makeRandom(5);
	const xs = Array.from({ length: 200 }, () => random.number());
	const ys = xs.map((x) => 3 - 2 * x + random.number());
	const sum = (/** @type {number[]} */ values) => values.reduce((all, value) => all + value, 0);
	const n = xs.length;
	const [x, y, xx, yy, xy] = [xs, ys, xs.map((v) => v * v), ys.map((v) => v * v), xs.map((v, at) => v * ys[at])].map(
		sum,
	);
	const found = fitOf(xs, ys);

	assert.equal(found.count, n);
	assert.ok(Math.abs(found.slope - (n * xy - x * y) / (n * xx - x * x)) < 1e-9);
	assert.ok(Math.abs(found.r - (n * xy - x * y) / Math.sqrt((n * xx - x * x) * (n * yy - y * y))) < 1e-9);
	assert.ok(Math.abs(found.start - (y - found.slope * x) / n) < 1e-9);
});

test("columns without spread have no correlation", () => {
	assert.ok(Number.isNaN(fitOf([1, 1, 1], [1, 2, 3]).r));
	assert.ok(Number.isNaN(fitOf([], []).slope));
});
