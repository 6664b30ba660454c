import assert from "node:assert/strict";
import { test } from "node:test";
import {
	animationAddress,
	areaAddress,
	bboxText,
	copiesOf,
	coverageAddress,
	queryOf,
	stemOf,
	xyzTemplate,
} from "../../../viewer/export/addresses.js";
import { delaysOf, indexed } from "../../../viewer/export/gif-colours.js";
import {
	clipOf,
	cropAround,
	filmBytes,
	metresPerPixel,
	scaleBar,
	sizeOf,
	wrapLines,
} from "../../../viewer/export/page/page-layout.js";
import { makeRandom } from "../random.js";

/** @typedef {import("../../../viewer/export/addresses.js").Shown} Shown */

/** @type {any} */
const LAYER = { id: "s2.NDVI", title: "NDVI", variable: "NDVI" };

/** @param {Partial<Shown>} [more] @returns {Shown} */
const shownWith = (more = {}) => ({
	root: "https://example.org/veg/",
	layer: LAYER,
	name: LAYER.id,
	style: "ndvi",
	colouring: { range: null, ramp: null, isReversed: false, isLog: false },
	instant: "2019-06-05T00:00:00Z",
	period: { reducer: null, anomaly: null },
	bbox: [3.6, 50.9, 3.9, 51.1],
	metres: [400000, 6600000, 440000, 6640000],
	width: 960,
	height: 624,
	centre: { z: 12, x: 2091, y: 1371 },
	wms: "https://example.org/veg/wms",
	wmts: "https://example.org/veg/wmts",
	difference: null,
	...more,
});

const CHANGED = { range: /** @type {[number, number]} */ ([0, 0.8]), ramp: "viridis", isReversed: false, isLog: true };

/** @param {Shown} shown @param {string} kind */
const copyOf = (shown, kind) => copiesOf(shown).find((copy) => copy.kind === kind);

/** @param {Shown} shown @param {string} kind */
const queryIn = (shown, kind) => new URL(copyOf(shown, kind)?.text ?? "").searchParams;

test("copies of a difference take the earlier date away from the later one, whichever of them the map's is", () => {
	const difference = {
		later: "2020-06-05T00:00:00Z",
		earlier: "2019-06-05T00:00:00Z",
		colouring: shownWith().colouring,
	};
	const shown = shownWith({ difference, colouring: CHANGED });

	const [wms, wmts, xyz] = ["wms", "wmts", "xyz"].map((kind) => queryIn(shown, kind));

	assert.deepEqual([wms.get("TIME"), wms.get("DIFFERENCE")], [difference.later, difference.earlier]);
	assert.deepEqual([wmts.get("TIME"), wmts.get("DIFFERENCE")], [difference.later, difference.earlier]);
	assert.deepEqual([xyz.get("datetime"), xyz.get("difference")], [difference.later, difference.earlier]);
	assert.deepEqual([xyz.get("ramp"), xyz.get("range"), wms.get("LOGSCALE")], [null, null, null]);
	assert.equal(copyOf(shown, "wmts")?.isWithoutColours, false);
});

test("what can be read of a query is written as it is, what is not given is left out", () => {
	assert.equal(
		queryOf({ a: "1,2", b: "2019-06-05T00:00:00Z/..", c: null, d: "", e: "x y&z" }),
		"a=1,2&b=2019-06-05T00:00:00Z/..&e=x+y%26z",
	);
});

test("a map of WMS has the pixels of the view in Web Mercator", () => {
	const query = queryIn(shownWith(), "wms");

	assert.deepEqual(
		["CRS", "BBOX", "WIDTH", "HEIGHT", "TIME", "LAYERS", "STYLES", "COLORSCALERANGE"].map((name) => query.get(name)),
		["EPSG:3857", "400000,6600000,440000,6640000", "960", "624", "2019-06-05T00:00:00Z", "s2.NDVI", "ndvi", null],
	);
});

test("what is changed of the colours goes where the service has a word for it", () => {
	const shown = shownWith({ colouring: CHANGED });
	const [wms, xyz, json] = ["wms", "xyz", "tilejson"].map((kind) => queryIn(shown, kind));

	assert.deepEqual(
		[wms.get("STYLES"), wms.get("COLORSCALERANGE"), wms.get("LOGSCALE")],
		["ndvi/viridis", "0,0.8", "true"],
	);
	for (const query of [xyz, json]) {
		assert.deepEqual(
			["style", "ramp", "range", "logarithmic", "reversed"].map((name) => query.get(name)),
			["ndvi", "viridis", "0,0.8", "true", null],
		);
	}
});

test("WMS turns a ramp round by its name", () => {
	const styles = [CHANGED.ramp, null].map((ramp) =>
		queryIn(shownWith({ colouring: { ...CHANGED, ramp, isReversed: true } }), "wms").get("STYLES"),
	);

	assert.deepEqual(styles, ["ndvi/viridis-inv", "ndvi/ndvi-inv"]);
});

test("it is said of a service that has no word for it", () => {
	const without = (/** @type {Shown} */ shown) =>
		copiesOf(shown)
			.filter(({ isWithoutColours }) => isWithoutColours)
			.map(({ kind }) => kind);

	assert.deepEqual(without(shownWith()), []);
	assert.deepEqual(without(shownWith({ colouring: CHANGED })), ["wmts"]);
});

test("only what is served is offered, and numbers only of what has some", () => {
	const kinds = (/** @type {Shown} */ shown) => copiesOf(shown).map(({ kind }) => kind);

	assert.deepEqual(kinds(shownWith()), ["wms", "wmts", "xyz", "tilejson", "coverage", "curl", "python"]);
	assert.deepEqual(kinds(shownWith({ wms: null, wmts: null, layer: { ...LAYER, variable: null } })), [
		"xyz",
		"tilejson",
	]);
});

test("tiles keep their braces", () => {
	assert.ok(
		xyzTemplate(shownWith()).startsWith(
			"https://example.org/veg/tiles/s2.NDVI/WebMercatorQuad/{z}/{x}/{y}.png?datetime=",
		),
	);
});

test("a layer without time has none in any address", () => {
	const shown = shownWith({ instant: null });

	for (const { kind, text } of copiesOf(shown)) assert.ok(!/time=/i.test(text), kind);
	assert.equal(stemOf(LAYER, null), "s2.NDVI");
});

test("numbers of an area are asked for by its corners, unless there are too many", () => {
	const around = (/** @type {number} */ count) =>
		Array.from({ length: count }, (_, at) => [3 + Math.cos(at) / 10, 51 + Math.sin(at) / 10]);
	const addressOf = (/** @type {number[][]} */ ring) =>
		areaAddress("https://example.org/", LAYER, {
			geometry: { type: "Polygon", coordinates: [[...ring, ring[0]]] },
			datetime: "2019-06-05",
			format: "GTiff",
		});

	const address = new URL(
		addressOf([
			[3.6, 50.9],
			[3.9, 50.9],
			[3.9, 51.1],
		]) ?? "",
	);

	assert.equal(address.pathname, "/ogcapi/collections/s2.NDVI/area");
	assert.deepEqual(Object.fromEntries(address.searchParams), {
		coords: "POLYGON ((3.6 50.9, 3.9 50.9, 3.9 51.1, 3.6 50.9))",
		datetime: "2019-06-05",
		f: "GeoTIFF",
	});
	assert.ok(addressOf(around(100)));
	assert.equal(addressOf(around(1000)), null);
});

test("numbers and time-lapses are asked for with all that is chosen", () => {
	const coverage = coverageAddress("https://example.org/", LAYER, {
		bbox: [3.6, 50.9, 3.9, 51.1],
		datetime: "2019/2020",
		format: "NetCDF",
	});
	const film = animationAddress(shownWith({ colouring: CHANGED }), {
		extension: "mp4",
		datetime: "2019/2020",
		step: 2,
		fps: 4,
	});

	assert.equal(
		coverage,
		"https://example.org/ogcapi/collections/s2.NDVI/coverage?bbox=3.6,50.9,3.9,51.1&datetime=2019/2020&f=NetCDF",
	);
	assert.equal(
		film,
		"https://example.org/veg/animations/s2.NDVI.mp4?crs=EPSG:3857&bbox=400000,6600000,440000,6640000&width=960&height=624" +
			"&datetime=2019/2020&step=2&fps=4&style=ndvi&ramp=viridis&range=0,0.8&logarithmic=true",
	);
});

test("edges are written to a tenth of a metre", () => {
	assert.equal(bboxText([3.123456789, -0, 4, 51.1]), "3.123457,0,4,51.1");
});

test("a scale bar has the longest round length that has room", () => {
	for (const pixelM of [0.3, 1, 7.7, 23.9, 1000, 39135.76]) {
		const { metres, px } = scaleBar(pixelM, 110);

		assert.match(String(metres / 10 ** Math.floor(Math.log10(metres) + 1e-9)), /^(1|2|5)(\.0*\d*)?$/);
		assert.ok(px <= 110 && px > 110 / 2.51, `${pixelM}: ${px}`);
	}
});

test("pixels of the map are as large as the Earth is round", () => {
	assert.ok(Math.abs(metresPerPixel(0, 0) - 156543.03) < 0.01);
	assert.ok(Math.abs(metresPerPixel(12, 60) - 156543.03 / 4096 / 2) < 0.01);
});

test("what is cut out lies in the frame and holds the area", () => {
	const random = makeRandom(4).number;
	const frame = { width: 960, height: 624 };
	for (let round = 0; round < 200; round++) {
		const [left, top] = [random() * 900, random() * 600];
		const box = { left, top, width: random() * (960 - left), height: random() * (624 - top) };

		const crop = cropAround(box, frame);

		assert.ok(crop && crop.left >= 0 && crop.top >= 0);
		assert.ok(crop.left + crop.width <= 960 && crop.top + crop.height <= 624);
		assert.ok(crop.left <= box.left + 1 && crop.left + crop.width >= Math.min(960, box.left + box.width) - 1);
		assert.ok([crop.left, crop.top, crop.width, crop.height].every(Number.isInteger));
	}
});

test("an area that is not wholly in sight is not cut out", () => {
	assert.equal(cropAround({ left: -1, top: 0, width: 10, height: 10 }, { width: 100, height: 100 }), null);
	assert.equal(cropAround({ left: 95, top: 0, width: 10, height: 10 }, { width: 100, height: 100 }), null);
});

test("films have even sides, pictures any", () => {
	const rect = { left: 0, top: 0, width: 961, height: 625 };

	assert.deepEqual(sizeOf(rect, 1, true), { width: 960, height: 624 });
	assert.deepEqual(sizeOf(rect, 2, false), { width: 1922, height: 1250 });
});

test("shapes that panes are cut to are read", () => {
	assert.deepEqual(clipOf("polygon(0px 1px, 10px 1px, 10px 20px)"), {
		kind: "path",
		d: "M0 1L10 1L10 20Z",
		isEvenOdd: false,
	});
	assert.deepEqual(clipOf('path(evenodd, "M0 0h1v1Z")'), { kind: "path", d: "M0 0h1v1Z", isEvenOdd: true });
	assert.deepEqual(clipOf('path("M0 0Z")'), { kind: "path", d: "M0 0Z", isEvenOdd: false });
	assert.equal(clipOf(""), null);
	assert.equal(clipOf("none"), null);
});

test("a film of a screen and a year is told to be as large as it was measured", () => {
	const size = { width: 1024, height: 768 };

	assert.ok(Math.abs(filmBytes("gif", size, 73) / 25e6 - 1) < 0.02);
	assert.ok(Math.abs(filmBytes("mp4", size, 73) / 9.8e6 - 1) < 0.02);
});

test("words are broken where they fit", () => {
	assert.deepEqual(
		wrapLines("one two  three four", 9, (words) => words.length),
		["one two", "three", "four"],
	);
	assert.deepEqual(
		wrapLines("incomprehensible", 4, (words) => words.length),
		["incomprehensible"],
	);
	assert.deepEqual(
		wrapLines(" ", 4, (words) => words.length),
		[],
	);
});

const OPAQUE = 0xff000000;

/** @param {{ index: Uint8Array, palette: number[][] }} frame */
const coloursOf = ({ index, palette }) =>
	Array.from(index, (place) => palette[place][0] | (palette[place][1] << 8) | (palette[place][2] << 16));

test("a frame of up to 256 colours keeps each of them", () => {
	const random = makeRandom(1).number;
	const colours = Array.from({ length: 256 }, () => Math.floor(random() * 0x1000000));
	const words = Uint32Array.from({ length: 5000 }, () => (colours[Math.floor(random() * 256)] | OPAQUE) >>> 0);

	const frame = indexed(words);

	assert.ok(frame.palette.length <= 256);
	assert.deepEqual(
		coloursOf(frame),
		Array.from(words, (word) => word & 0xffffff),
	);
});

test("of more colours those of most pixels stay, and the others become the nearest of them", () => {
	const many = Array.from({ length: 250 }, (_, place) => Array.from({ length: 20 }, () => place * 0x10101)).flat();
	const few = Array.from({ length: 300 }, (_, place) => 0x80 + place * 0x100);
	const words = Uint32Array.from([...many, ...few], (colour) => (colour | OPAQUE) >>> 0);

	const found = coloursOf(indexed(words));

	assert.deepEqual(found.slice(0, many.length), many);
	for (const [at, colour] of found.slice(many.length).entries()) {
		const apart = Math.abs(((colour >> 8) & 0xff) - ((few[at] >> 8) & 0xff));
		assert.ok(apart < 255, `${few[at]}`);
	}
});

test("a frame of very many colours is told apart by their five highest bits", () => {
	const random = makeRandom(2).number;
	const words = Uint32Array.from({ length: 60000 }, () => (Math.floor(random() * 0x1000000) | OPAQUE) >>> 0);

	const frame = indexed(words);

	assert.equal(frame.palette.length, 256);
	assert.equal(frame.index.length, words.length);
});

test("frames last whole hundredths of a second, in all as long as they should", () => {
	for (const fps of [1, 3, 4, 7, 30]) {
		const delays = delaysOf(73, fps);

		assert.equal(
			delays.reduce((sum, delay) => sum + delay, 0),
			Math.round(7300 / fps),
		);
		assert.ok(Math.max(...delays) - Math.min(...delays) <= 1);
	}
});
