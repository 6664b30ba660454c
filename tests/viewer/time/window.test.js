import assert from "node:assert/strict";
import { test } from "node:test";
import {
	fitWindow,
	followWindow,
	indexAt,
	isWhole,
	MAX_SHOWN,
	MIN_SHOWN,
	msAt,
	panWindow,
	shownIndexes,
	slotsOf,
	usualGap,
	windowBetween,
	xOf,
	zoomWindow,
} from "../../../viewer/time/strip/window.js";
import { makeRandom } from "../random.js";

const TRACK = { left: 8, width: 1000 };
const DAY_MS = 86_400_000;

/** @param {number[]} days */
const onDays = (days) => days.map((day) => ({ ms: Date.UTC(2020, 0, 1) + day * DAY_MS }));
const even = (/** @type {number} */ count) => slotsOf(onDays(Array.from({ length: count }, (_, index) => 5 * index)));

test("dates at equal intervals have a slot each, and gaps have empty ones", () => {
	assert.deepEqual([...even(4)], [0, 1, 2, 3]);
	const slots = slotsOf(onDays([0, 10, 20, 90, 100]));
	assert.deepEqual([...slots], [0, 0.4, 0.8, 3.6, 4]);
	assert.equal(usualGap(slots).toFixed(9), "0.400000000");
	assert.equal(usualGap(even(9)), 1);
	assert.deepEqual([...slotsOf(onDays([3]))], [0]);
});

test("a place of the strip is an instant, linear in time", () => {
	const instants = onDays([0, 10, 20, 90, 100]);
	for (const [index, slot] of slotsOf(instants).entries()) {
		assert.ok(Math.abs(msAt(instants, slot + 0.5) - instants[index].ms) < 1);
	}
	assert.equal(msAt(instants, 2.5), Date.UTC(2020, 0, 1) + 50 * DAY_MS);
});

test("in a gap the nearer date is taken, and of a window within one none is shown", () => {
	const slots = slotsOf(onDays([0, 10, 20, 90, 100]));
	const whole = { start: 0, length: 5, count: 5 };
	const at = (/** @type {number} */ day) => indexAt(whole, TRACK, xOf(whole, TRACK, (day / 100) * 4 + 0.5), slots);

	assert.deepEqual([-20, 0, 4, 6, 40, 54, 56, 94, 96, 200].map(at), [0, 0, 0, 1, 2, 2, 3, 3, 4, 4]);
	const [first, last] = shownIndexes({ start: 2, length: 0.5, count: 5 }, slots);
	assert.ok(first > last);
});

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
		assert.equal(indexAt(window, TRACK, xOf(window, TRACK, index + 0.5), even(73)), index);
	}
});

test("beyond the edges are the first and the last date shown", () => {
	const window = { start: 10, length: 40, count: 73 };

	assert.equal(indexAt(window, TRACK, -500, even(73)), 10);
	assert.equal(indexAt(window, TRACK, 5000, even(73)), 49);
	assert.deepEqual(shownIndexes(window, even(73)), [10, 49]);
});

test("zooming keeps in place what is under the pointer", () => {
	const window = { start: 200, length: 400, count: 1000 };
	const share = 0.25;
	const before = window.start + share * window.length;
	const after = zoomWindow(window, 2, share);

	assert.equal(after.length, 200);
	assert.equal(after.start + share * after.length, before);
});

test("a window between two moments begins and ends with them, within all dates and with a few at least", () => {
	const instants = onDays([0, 10, 20, 90, 100]);
	const ms = (/** @type {number} */ day) => Date.UTC(2020, 0, 1) + day * DAY_MS;
	const { start, length } = windowBetween(instants, [ms(10), ms(90)]);
	assert.ok(Math.abs(msAt(instants, start) - ms(10)) < 1 && Math.abs(msAt(instants, start + length) - ms(90)) < 1);
	const whole = { start: 0, length: 5, count: 5 };
	assert.deepEqual(windowBetween(instants, [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]), whole);
	assert.equal(windowBetween(instants, [ms(40), ms(41)]).length, MIN_SHOWN);
});

test("zooming ends at a few dates, and at all of them", () => {
	const window = { start: 200, length: 400, count: 1000 };

	assert.equal(zoomWindow(window, 1e6, 0.5).length, MIN_SHOWN);
	assert.deepEqual(zoomWindow(window, 1e-6, 0.5), { start: 0, length: 1000, count: 1000 });
	assert.equal(zoomWindow({ start: 0, length: 2, count: 2 }, 10, 0.5).length, 2);
});

test("the window follows a date that leaves it, and rests while it is inside", () => {
	const window = { start: 100, length: 100, count: 1000 };

	assert.equal(followWindow(window, 150), window);
	for (const index of [0, 99, 101, 197, 200, 250, 999]) {
		const [first, last] = shownIndexes(followWindow(window, index), even(1000));
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
