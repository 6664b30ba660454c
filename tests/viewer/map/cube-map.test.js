import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cube } from "../../../viewer/ctc1/decode.js";
import { makeCubeLayer } from "../../../viewer/ctc1/leaflet.js";
import { rampTable } from "../../../viewer/ctc1/ramp.js";
import { CubeSource, locate, windowsOf } from "../../../viewer/ctc1/source.js";
import { boxOfTile, covers, isTooSmall, isWithin, shareWithin } from "../../../viewer/map/extent.js";
import { insideRings } from "../../../viewer/map/rings.js";

const DAY_MS = 86_400_000;

/** @param {string} first @param {number} count @param {number} hours between them */
const every = (first, count, hours) =>
	Array.from({ length: count }, (_, index) =>
		new Date(Date.parse(first) + (index * hours * DAY_MS) / 24).toISOString().replace(".000", ""),
	);

describe("windows of dates", () => {
	test("are calendar years", () => {
		assert.deepEqual(windowsOf(every("2018-12-30T00:00:00Z", 4, 24)), [
			{ first: 0, count: 2, datetime: "2018-01-01/2018-12-31" },
			{ first: 2, count: 2, datetime: "2019-01-01/2019-12-31" },
		]);
	});

	test("are quarters, months or days of years with more dates", () => {
		const datetimes = (/** @type {string[]} */ times) => windowsOf(times).map(({ datetime }) => datetime);
		assert.deepEqual(datetimes(every("2020-01-01T00:00:00Z", 366, 24)), [
			"2020-01-01/2020-03-31",
			"2020-04-01/2020-06-30",
			"2020-07-01/2020-09-30",
			"2020-10-01/2020-12-31",
		]);
		assert.deepEqual(datetimes(every("2020-02-01T00:00:00Z", 29 * 3, 8)).slice(0, 2), ["2020-01-01/2020-12-31"]);
		assert.deepEqual(datetimes(every("2020-02-28T00:00:00Z", 29 * 8, 3))[0], "2020-02-01/2020-02-29");
		assert.deepEqual(datetimes(every("2020-02-28T00:00:00Z", 24 * 8, 1)).slice(0, 2), [
			"2020-02-01/2020-02-29",
			"2020-03-01/2020-03-01",
		]);
		assert.deepEqual(datetimes(every("1960-02-28T00:00:00Z", 24 * 8, 0.25))[1], "1960-02-29/1960-02-29");
	});

	test("have all dates together, each once", () => {
		const times = every("1965-06-01T00:00:00Z", 700, 30);
		const windows = windowsOf(times);
		assert.equal(windows[0].first, 0);
		for (const [at, { first, count }] of windows.entries()) {
			assert.equal(first + count, windows[at + 1]?.first ?? times.length);
		}
	});

	test("of a layer without time are one that asks for none", () => {
		assert.deepEqual(windowsOf([null]), [{ first: 0, count: 1, datetime: null }]);
	});
});

describe("what a view needs", () => {
	const tiles = [
		{ z: 3, x: 1, y: 2 },
		{ z: 3, x: 2, y: 2 },
	];
	const nothing = /** @type {any} */ ({ get: () => undefined, has: () => false, failure: () => undefined });
	const source = new CubeSource({
		template: "/cubes/a/{z}/{x}/{y}.ctc",
		times: every("2018-07-02T00:00:00Z", 73, 240),
		loader: nothing,
		revision: "abc",
	});
	const need = { index: 20, isMoving: false, isEngaged: false, isFrugal: false, isDragged: false, ahead: -1 };
	const asked = (/** @type {Partial<typeof need>} */ change) =>
		source
			.plan(tiles, { ...need, ...change })
			.toSorted((one, other) => one.urgency - other.urgency)
			.map(({ url }) => url.replace("/cubes/a/3/", "").replace("&rev=abc", ""));

	test("at rest is the date alone", () => {
		assert.deepEqual(asked({}), [`1/2.ctc?datetime=${source.times[20]}`, `2/2.ctc?datetime=${source.times[20]}`]);
	});

	test("before time moves are the date, then the preview of its year, then the year", () => {
		assert.deepEqual(asked({ index: 35, isEngaged: true }), [
			`1/2.ctc?datetime=${source.times[35]}`,
			`2/2.ctc?datetime=${source.times[35]}`,
			"1/2.ctc?datetime=2019-01-01/2019-12-31&res=2",
			"2/2.ctc?datetime=2019-01-01/2019-12-31&res=2",
			"1/2.ctc?datetime=2019-01-01/2019-12-31",
			"2/2.ctc?datetime=2019-01-01/2019-12-31",
		]);
	});

	test("while time moves is no date alone", () => {
		assert.ok(asked({ isMoving: true }).every((url) => url.includes("/2019-12-31") || url.includes("/2018-12-31")));
	});

	test("where bytes are saved are previews alone, once time moves", () => {
		assert.equal(asked({ isEngaged: true, isFrugal: true }).length, 2);
		assert.ok(asked({ isMoving: true, isFrugal: true }).every((url) => url.includes("res=2")));
	});

	test("near the end of a year is the next one too", () => {
		assert.ok(asked({ index: 53, isMoving: true }).some((url) => url.includes("2020-01-01/2020-12-31")));
		assert.ok(asked({ index: 36, isMoving: true }).every((url) => url.includes("2019-01-01/2019-12-31")));
	});

	test("before time goes elsewhere is a preview of what lies there", () => {
		const urls = asked({ index: 36, isMoving: true, ahead: 70 });
		const year = new Date(String(source.times[70])).getUTCFullYear();
		const elsewhere = urls.filter((url) => !url.includes("2019-01-01/2019-12-31"));
		assert.deepEqual(
			elsewhere,
			[1, 2].map((x) => `${x}/2.ctc?datetime=${year}-01-01/${year}-12-31&res=2`),
		);
		assert.deepEqual(asked({ index: 36, isMoving: true, ahead: 30 }), asked({ index: 36, isMoving: true }));
	});

	test("while a pointer drags time is no other year", () => {
		const urls = asked({ index: 53, isMoving: true, isDragged: true, ahead: 70 });
		assert.ok(urls.length > 0 && urls.every((url) => url.includes("2019-01-01/2019-12-31")));
	});
});

describe("tiles beyond the native zoom", () => {
	const source = new CubeSource({
		template: "/cubes/a/{z}/{x}/{y}.ctc",
		times: every("2018-07-02T00:00:00Z", 3, 240),
		loader: /** @type {any} */ ({ get: () => undefined }),
	});
	source.maxZoom = 9;

	test("are parts of those of the native zoom, which alone are asked for by cells", () => {
		assert.deepEqual(source.dataTile({ z: 12, x: 4201, y: 2747 }), { z: 9, x: 525, y: 343 });
		assert.deepEqual(source.dataTile({ z: 8, x: 3, y: 4 }), { z: 8, x: 3, y: 4 });
		const year = "2018-01-01/2018-12-31";
		assert.match(source.url({ z: 9, x: 525, y: 343 }, year, 1), /&cells=1$/);
		assert.doesNotMatch(source.url({ z: 9, x: 525, y: 343 }, year, 2), /cells/);
		assert.doesNotMatch(source.url({ z: 8, x: 3, y: 4 }, year, 1), /cells/);
	});

	test("show the pixels of those, where a cube has pixels", () => {
		const header = /** @type {any} */ ({ w: 4, h: 4, dtype: "uint8", times: [] });
		const { cells } = source.layout({ z: 10, x: 1051, y: 686 }, new Cube(header, new Uint8Array(0)), 4);
		assert.deepEqual([...cells], [2, 2, 3, 3, 2, 2, 3, 3, 6, 6, 7, 7, 6, 6, 7, 7]);
	});
});

describe("places and tiles", () => {
	test("a place is in the tile and at the share of it that formulas say", () => {
		assert.deepEqual(locate({ lon: 0, lat: 0 }, 1), { tile: { z: 1, x: 1, y: 1 }, across: 0, down: 0 });
		const { tile, across, down } = locate({ lon: -180, lat: 85.05 }, 4);
		assert.deepEqual([tile, across], [{ z: 4, x: 0, y: 0 }, 0]);
		assert.ok(down < 0.01);
		assert.deepEqual(locate({ lon: 190, lat: 10 }, 6).tile, locate({ lon: -170, lat: 10 }, 6).tile);
	});

	test("a tile's box is that of its corners", () => {
		const { west, south, east, north } = boxOfTile({ z: 1, x: 0, y: 0 });
		assert.deepEqual([west, east, Math.round(south), north.toFixed(4)], [-180, 0, 0, "85.0511"]);
	});

	test("a layer that touches a tile does not reach into it, one within it does", () => {
		const tile = boxOfTile({ z: 4, x: 8, y: 8 });
		assert.ok(!covers([-10, -10, tile.west + 1e-6, 10], tile));
		assert.ok(covers([-10, -30, tile.west + 1, 10], tile));
		assert.ok(covers([5, -5, 5.000001, -4.999999], tile));
		assert.equal(shareWithin([-180, -85, 180, 85], tile), 1);
	});

	test("a layer across 180 degrees is on both sides, in boxes of any turn", () => {
		for (const [west, east] of [
			[175, 178],
			[-179, -176],
			[181, 184],
			[535, 538],
			[-185, -182],
		]) {
			assert.ok(covers([170, -20, -170, -10], { west, south: -18, east, north: -12 }), `${west}`);
		}
		assert.ok(!covers([170, -20, -170, -10], { west: -160, south: -18, east: -150, north: -12 }));
		assert.ok(isWithin([170, -20, -170, -10], { lon: -175, lat: -15 }));
		assert.ok(!isWithin([170, -20, -170, -10], { lon: 0, lat: -15 }));
	});

	test("cells of a polygon are those whose middle is inside, holes left out", () => {
		const world = boxOfTile({ z: 0, x: 0, y: 0 });
		const box = (/** @type {number} */ west, /** @type {number} */ east) => [
			[west, world.south],
			[east, world.south],
			[east, world.north],
			[west, world.north],
		];
		const inside = insideRings([box(-90, 90), box(-45, 45)], { z: 0, x: 0, y: 0 }, 8, 2);
		assert.deepEqual([...inside], [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]);
	});
});

test("a ramp gives numbers the colours of their values, and none to what is no value", () => {
	const header = /** @type {any} */ ({
		dtype: "uint8",
		nodata: 255,
		scale: 0.5,
		offset: -10,
		flags: { 254: "cloud" },
		times: [],
	});
	const table = rampTable([
		[0, "#000000"],
		[50, "#c86400"],
	])(header);
	const rgba = (/** @type {number} */ number) => [...new Uint8Array(Uint32Array.of(table[number]).buffer)];
	assert.deepEqual([0, 20, 70, 120, 250].map(rgba), [
		[0, 0, 0, 255],
		[0, 0, 0, 255],
		[100, 50, 0, 255],
		[200, 100, 0, 255],
		[200, 100, 0, 255],
	]);
	assert.deepEqual([table[254], table[255]], [0, 0]);
});

describe("a layer too small to be seen", () => {
	const ghent = /** @type {import("../../../viewer/base/permalink.js").BBox} */ ([3.69, 51.01, 3.87, 51.12]);

	test("is one that is less than a few pixels both wide and high", () => {
		// 0.18 of 360 degrees: 2 px of 4096, 8 px of 16384.
		assert.ok(isTooSmall(ghent, 4));
		assert.ok(!isTooSmall(ghent, 6));
		assert.ok(!isTooSmall([3.69, 40, 3.7, 60], 3));
		assert.ok(!isTooSmall([170, 0, -170, 0.1], 2));
	});
});

test("a layer of cubes that is on no map tells of no place", () => {
	const source = new CubeSource({
		template: "/cubes/a/{z}/{x}/{y}.ctc",
		times: every("2019-01-01T00:00:00Z", 3, 24),
		loader: /** @type {any} */ ({ get: () => undefined, has: () => false, failure: () => undefined }),
	});
	class GridLayer {
		on() {}
	}
	const layer = makeCubeLayer(/** @type {any} */ ({ GridLayer }), { source, tableOf: () => new Uint32Array(256) });
	const place = { lon: 4, lat: 51 };

	assert.equal(layer.sample(place, 1), null);
});
