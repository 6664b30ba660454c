import assert from "node:assert/strict";
import { test } from "node:test";
import {
	classOf,
	colours,
	cssColour,
	differenceStyle,
	makeTable,
	pack,
	paintedStyle,
	parseColour,
	tableOf,
} from "../../../viewer/base/colours.js";

/** @typedef {import("../../../viewer/base/api.js").Legend} Legend */
/** @typedef {import("../../../viewer/base/state.js").Colouring} Colouring */

/** @type {Colouring} */
const AS_STYLED = { range: null, ramp: null, isReversed: false, isLog: false };

/** From black at 0 to red 200 at 1. @type {Legend} */
const RED = {
	layer: "red",
	style: "red",
	title: "Red",
	units: "1",
	type: "ramp",
	range: [0, 1],
	stops: [
		{ value: 0, color: "#000000" },
		{ value: 1, color: "#c80000" },
	],
	below: "#010203ff",
	above: "#c80000ff",
	nodata: "#00000000",
	labels: [],
	classes: [],
	flags: [{ name: "cloud", color: "#ffffff80" }],
};

/** @type {Legend} */
const CLASSES = {
	layer: "classes",
	style: "classes",
	title: "Classes",
	units: "",
	type: "classes",
	range: [1, 4],
	stops: [],
	below: "#00000000",
	above: "#00000000",
	labels: [],
	classes: [
		{ value: 1, color: "#0a0000", label: "one" },
		{ value: 4, color: "#0b0000", label: "four" },
	],
	nodata: "#00000000",
	flags: [],
};

/** @param {Partial<Colouring>} change @returns {Colouring} */
const changed = (change) => ({ ...AS_STYLED, ...change });

test("colours are read with and without alpha, and what is none is transparent", () => {
	assert.deepEqual(["#0102ff", "#01020380", "red"].map(parseColour), [
		[1, 2, 255, 255],
		[1, 2, 3, 128],
		[0, 0, 0, 0],
	]);
});

test("a packed colour is the pixel that a canvas has", () => {
	const pixels = new Uint8Array(Uint32Array.of(pack([1, 2, 3, 255])).buffer);

	assert.deepEqual([...pixels], [1, 2, 3, 255]);
	assert.equal(cssColour([1, 2, 3, 255]), "rgb(1 2 3 / 1)");
});

test("between stops colours are mixed; beyond the range they are those of below and above", () => {
	const colourOf = colours(paintedStyle(RED, AS_STYLED));

	assert.deepEqual([-0.5, 0, 0.25, 1, 1.5].map(colourOf), [
		[1, 2, 3, 255],
		[0, 0, 0, 255],
		[50, 0, 0, 255],
		[200, 0, 0, 255],
		[200, 0, 0, 255],
	]);
});

test("a value that misses an end by a rounding is at it", () => {
	assert.deepEqual(colours(paintedStyle(RED, AS_STYLED))(-1e-9), [0, 0, 0, 255]);
});

test("another range stretches the colours", () => {
	const colourOf = colours(paintedStyle(RED, changed({ range: [10, 20] })));

	assert.deepEqual([9, 15].map(colourOf), [
		[1, 2, 3, 255],
		[100, 0, 0, 255],
	]);
});

test("reversed colours lie the other way round; what is beyond follows the end it is like", () => {
	const style = paintedStyle(RED, changed({ isReversed: true }));

	assert.deepEqual([0, 0.25, 1].map(colours(style)), [
		[200, 0, 0, 255],
		[150, 0, 0, 255],
		[0, 0, 0, 255],
	]);
	assert.deepEqual(
		[style.below, style.above],
		[
			[1, 2, 3, 255],
			[0, 0, 0, 255],
		],
	);
});

test("on a logarithmic scale powers have equal shares of the colours", () => {
	const colourOf = colours(paintedStyle(RED, changed({ range: [1, 100], isLog: true })));

	assert.deepEqual(
		[1, 10, 100].map((value) => colourOf(value)[0]),
		[0, 100, 200],
	);
});

test("a range that begins at 0 has no logarithms", () => {
	assert.equal(paintedStyle(RED, changed({ isLog: true })).isLog, false);
});

test("a class is found by its value, and one that is left out has no colour", () => {
	const colourOf = colours(paintedStyle(CLASSES, changed({ hidden: [4] })));

	assert.equal(classOf(paintedStyle(CLASSES, AS_STYLED))(4)?.label, "four");
	assert.deepEqual([1, 2, 4].map(colourOf), [
		[10, 0, 0, 255],
		[0, 0, 0, 0],
		[0, 0, 0, 0],
	]);
});

test("a table has the colours of values, of nodata and of flags, named or not", () => {
	const numbers = /** @type {const} */ ({ dtype: "uint8", nodata: 255, scale: 0.01, offset: 0 });
	const table = makeTable(RED, AS_STYLED, { ...numbers, flags: { 250: "cloud", 251: "snow" } });

	assert.equal(table.length, 256);
	assert.deepEqual(
		[50, 250, 251, 255].map((number) => table[number]),
		[pack([100, 0, 0, 255]), pack([255, 255, 255, 128]), 0, 0],
	);
});

test("numbers that were shifted have the values of their source", () => {
	const numbers = /** @type {const} */ ({ dtype: "uint16", nodata: 0, scale: 0.01, offset: -327.68 });
	const table = makeTable(RED, AS_STYLED, { ...numbers, source: { shift: -32768, offset: 0 } });

	assert.equal(table[32768 + 100], pack([200, 0, 0, 255]));
});

test("a table is made once for a colouring", () => {
	const numbers = /** @type {const} */ ({ dtype: "uint8", nodata: 255, scale: 0.01, offset: 0 });
	const colouring = changed({ range: [0, 2] });

	assert.equal(makeTable(RED, colouring, numbers), makeTable(RED, colouring, { ...numbers }));
	assert.notEqual(makeTable(RED, colouring, numbers), makeTable(RED, changed({ range: [0, 2] }), numbers));
});

test("differences have the diverging colours over half the range to either side", () => {
	const diverging = paintedStyle(
		{
			...RED,
			range: [-1, 1],
			stops: [
				{ value: -1, color: "#640000" },
				{ value: 1, color: "#c80000" },
			],
		},
		AS_STYLED,
	);
	const style = differenceStyle(paintedStyle(RED, AS_STYLED), diverging);
	const table = tableOf(style, { dtype: "uint16", nodata: null, scale: 0.004, offset: -255 * 0.004 });

	assert.deepEqual(style.range, [-0.5, 0.5]);
	assert.equal(table[255], pack([150, 0, 0, 255]));
});

test("ramps of numbers of 16 bits take at most 256 colours, as in pictures", () => {
	const numbers = /** @type {const} */ ({ dtype: "uint16", nodata: 65535, scale: 1 / 60000, offset: 0 });
	const told = {
		...RED,
		stops: [
			{ value: 0, color: "#000000" },
			{ value: 0.5, color: "#00ff00" },
			{ value: 1, color: "#ff00ff" },
		],
	};

	assert.ok(new Set(makeTable(told, AS_STYLED, numbers)).size <= 256);
});
