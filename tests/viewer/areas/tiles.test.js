import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeTile, TileError } from "../../../viewer/areas/formats/mvt.js";
import { blockAround, datesAtOnce } from "../../../viewer/areas/place-blocks.js";
import { makeRandom } from "../random.js";

/** @param {number} value */
function varint(value) {
	const bytes = [];
	let rest = value;
	for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
	return [...bytes, rest];
}

/** @param {number} number @param {number[]} content */
const field = (number, content) => [...varint(number * 8 + 2), ...varint(content.length), ...content];
/** @param {string} text */
const utf8 = (text) => [...new TextEncoder().encode(text)];
/** @param {number} number @param {...number} values */
const packed = (number, ...values) => field(number, values.flatMap(varint));

/** The polygon of the specification's example (§4.3.5.4), and after it the second ring of §4.3.5.5 turned to a hole. */
const TRIANGLE = [9, 6, 12, 18, 10, 12, 24, 44, 15];

/** Makes a tile with one feature. @param {number[]} geometry @param {number} [type] */
const tileOf = (geometry, type = 3) => [
	...field(3, [
		...field(1, utf8("fields")),
		...field(2, [...[8, ...varint(300)], ...packed(2, 0, 0, 1, 1, 2, 2), ...[24, type], ...packed(4, ...geometry)]),
		...["label", "area", "open"].flatMap((key) => field(3, utf8(key))),
		...field(4, field(1, utf8("Veld é"))),
		...field(4, [25, 0, 0, 0, 0, 0, 0, 4, 64]),
		...field(4, [56, 1]),
		...[40, ...varint(512)],
		...[120, 2],
	]),
];

test("the polygon of the specification's example is read, with id, properties and extent", () => {
	const [layer] = decodeTile(Uint8Array.from(tileOf(TRIANGLE)));

	assert.deepEqual([layer.name, layer.extent], ["fields", 512]);
	assert.deepEqual(layer.features, [
		{
			id: 300,
			properties: { label: "Veld é", area: 2.5, open: true },
			rings: [Int32Array.from([3, 6, 8, 12, 20, 34])],
		},
	]);
});

test("the rings of the specification's example of several polygons are read", () => {
	const rings = [
		9, 0, 0, 26, 20, 0, 0, 20, 19, 0, 15, 9, 22, 2, 26, 18, 0, 0, 18, 17, 0, 15, 9, 4, 13, 26, 0, 8, 8, 0, 0, 7, 15,
	];
	const [{ features }] = decodeTile(Uint8Array.from(tileOf(rings)));

	assert.deepEqual(
		features[0].rings.map((ring) => [...ring]),
		[
			[0, 0, 10, 0, 10, 10, 0, 10],
			[11, 11, 20, 11, 20, 20, 11, 20],
			[13, 13, 13, 17, 17, 17, 17, 13],
		],
	);
});

test("points and lines are left out; no bytes are a tile without layers", () => {
	assert.deepEqual(decodeTile(Uint8Array.from(tileOf([9, 50, 34], 1)))[0].features, []);
	assert.deepEqual(decodeTile(new Uint8Array()), []);
});

/** @type {[number[], unknown][]} */
const VALUES = [
	[[21, 0, 0, 32, 64], 2.5],
	[[32, 5], 5],
	[[40, 7], 7],
	[[48, 5], -3],
	[[56, 0], false],
];

for (const [value, expected] of VALUES) {
	test(`a value of field ${value[0] >> 3} is read`, () => {
		const feature = field(2, [...packed(2, 0, 0), 24, 3, ...packed(4, ...TRIANGLE)]);
		const tile = field(3, [...feature, ...field(3, utf8("key")), ...field(4, value)]);

		assert.deepEqual(decodeTile(Uint8Array.from(tile))[0].features[0].properties, { key: expected });
	});
}

test("a tile that breaks off anywhere is refused or has less, and never hangs", () => {
	const whole = tileOf(TRIANGLE);
	for (let length = 1; length < whole.length; length++) {
		assert.throws(() => decodeTile(Uint8Array.from(whole.slice(0, length))), TileError);
	}
});

test("a tile with any byte changed gives features or a TileError", () => {
	const random = makeRandom(11);
	for (let round = 0; round < 2000; round++) {
		const bytes = Uint8Array.from(tileOf(TRIANGLE));
		bytes[Math.floor(random.number() * bytes.length)] = Math.floor(random.number() * 256);
		try {
			decodeTile(bytes);
		} catch (error) {
			assert.ok(error instanceof TileError, String(error));
		}
	}
});

test("dates are asked for in blocks that do not overlap, fewer at once of larger sets", () => {
	assert.deepEqual([datesAtOnce(6), datesAtOnce(20_000), datesAtOnce(1_000_000), datesAtOnce(0)], [32, 5, 1, 32]);
	assert.deepEqual(blockAround(31, 73, 32), { first: 0, end: 32 });
	assert.deepEqual(blockAround(72, 73, 32), { first: 64, end: 73 });
	assert.deepEqual(blockAround(-1, 0, 32), { first: 0, end: 0 });
});
