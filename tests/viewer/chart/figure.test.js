import assert from "node:assert/strict";
import { test } from "node:test";
import { roundValues } from "../../../viewer/base/value-scale.js";
import { bandOf, dotsPath, pathOf } from "../../../viewer/chart/series/figure.js";
import { makeRandom } from "../random.js";

test("a line breaks where there is no value, and goes on over moments that it does not have", () => {
	assert.equal(pathOf([0, 1, 2, 3, 4, 5], [5, undefined, 6, null, 7, 8]), "M0.0 5.0L2.0 6.0M4.0 7.0L5.0 8.0");
	assert.equal(pathOf([0, 1], [null, undefined]), "");
});

test("of a stepped line each value holds until the next, and dots are circles around values", () => {
	assert.equal(pathOf([0, 1, 2, 3], [5, 6, null, 7], true), "M0.0 5.0H1.0V6.0M3.0 7.0");
	assert.equal(dotsPath([0, 10], [5, 6], [1], 2), "M8.0 6.0a2 2 0 1 0 4 0a2 2 0 1 0 -4 0Z");
});

test("a band goes along its upper edge and back along the lower one, a piece between two gaps", () => {
	assert.equal(
		bandOf([0, 1, 2, 3, 4], [1, 1, null, 2, 2], [3, 4, 5, 6, undefined]),
		"M0.0 3.0L1.0 4.0L1.0 1.0L0.0 1.0ZM3.0 6.0L3.0 2.0Z",
	);
});

test("the numbers of an axis are round, within it, and as many as there may be", () => {
	assert.deepEqual(roundValues({ low: 0.112, high: 0.172, isLog: false }, 4), [0.12, 0.14, 0.16]);
	assert.deepEqual(roundValues({ low: -0.05, high: 0.25, isLog: false }, 3), [0, 0.1, 0.2]);
	const random = makeRandom(37);
	for (let turn = 0; turn < 500; turn += 1) {
		const low = (random.number() - 0.5) * 10 ** Math.round(random.number() * 8 - 4);
		const high = low + random.number() * 10 ** Math.round(random.number() * 8 - 4) + 1e-6;
		const most = 2 + Math.floor(random.number() * 8);
		const ticks = roundValues({ low, high, isLog: false }, most);
		assert.ok(ticks.length <= most + 1, `${low} ${high} ${most}: ${ticks}`);
		assert.ok(ticks.every((tick) => tick >= low - 1e-9 * Math.abs(low) && tick <= high + 1e-9 * Math.abs(high)));
	}
});
