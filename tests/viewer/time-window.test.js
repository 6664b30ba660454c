import assert from "node:assert/strict";
import { test } from "node:test";
import {
	fitWindow,
	followWindow,
	indexAt,
	isWhole,
	MAX_SHOWN,
	MIN_SHOWN,
	panWindow,
	shownIndexes,
	xOf,
	zoomWindow,
} from "../../viewer/time/window.js";
import { makeRandom } from "./random.js";

const TRACK = { left: 8, width: 1000 };

test("all dates are shown when each has room", () => {
	const window = fitWindow(73, 1000, 72);

	assert.deepEqual(window, { start: 0, length: 73, count: 73 });
	assert.ok(isWhole(window));
});

test("of a thousand dates as many are shown as the screen can tell apart, around the one shown", () => {
	assert.deepEqual(fitWindow(1000, 1200, 500), { start: 300.5, length: MAX_SHOWN, count: 1000 });
	assert.deepEqual(fitWindow(1000, 1200, 999), { start: 600, length: MAX_SHOWN, count: 1000 });
	assert.equal(fitWindow(1000, 300, 0).length, 100);
	assert.equal(isWhole(fitWindow(1000, 1200, 500)), false);
});

test("each date is found in the middle of its slot", () => {
	const window = { start: 10.5, length: 40, count: 73 };
	for (let index = 11; index < 50; index += 1) {
		assert.equal(indexAt(window, TRACK, xOf(window, TRACK, index + 0.5)), index);
	}
});

test("beyond the edges are the first and the last date shown", () => {
	const window = { start: 10, length: 40, count: 73 };

	assert.equal(indexAt(window, TRACK, -500), 10);
	assert.equal(indexAt(window, TRACK, 5000), 49);
	assert.deepEqual(shownIndexes(window), [10, 49]);
});

test("zooming keeps in place what is under the pointer", () => {
	const window = { start: 200, length: 400, count: 1000 };
	const share = 0.25;
	const before = window.start + share * window.length;
	const after = zoomWindow(window, 2, share);

	assert.equal(after.length, 200);
	assert.equal(after.start + share * after.length, before);
});

test("zooming ends at a few dates, and at all of them", () => {
	const window = { start: 200, length: 400, count: 1000 };

	assert.equal(zoomWindow(window, 1e6, 0.5).length, MIN_SHOWN);
	assert.deepEqual(zoomWindow(window, 1e-6, 0.5), { start: 0, length: 1000, count: 1000 });
	assert.equal(zoomWindow({ start: 0, length: 5, count: 5 }, 10, 0.5).length, 5);
});

test("the window follows a date that leaves it, and rests while it is inside", () => {
	const window = { start: 100, length: 100, count: 1000 };

	assert.equal(followWindow(window, 150), window);
	for (const index of [0, 99, 101, 197, 200, 250, 999]) {
		const [first, last] = shownIndexes(followWindow(window, index));
		assert.ok(first <= index && index <= last, `${index} is not within ${first} to ${last}`);
	}
});

test("whatever is done to it, a window lies within the dates", () => {
	const { number: random } = makeRandom(7);
	let window = fitWindow(1000, 800, 500);
	for (let step = 0; step < 500; step += 1) {
		const amount = random();
		const moves = [
			() => zoomWindow(window, 0.3 + 3 * amount, random()),
			() => panWindow(window, (amount - 0.5) * 900),
			() => followWindow(window, Math.floor(amount * 1000)),
		];
		window = moves[step % 3]();
		assert.ok(window.start >= 0 && window.start + window.length <= 1000 + 1e-9, JSON.stringify(window));
		assert.ok(window.length >= MIN_SHOWN && window.length <= 1000);
	}
});
