import assert from "node:assert/strict";
import { test } from "node:test";
import { toInstant } from "../../../viewer/base/dates.js";
import { footprintOf, indexOfScene, linesOf, PAGE_ITEMS, scenesOf, searchOf } from "../../../viewer/find/scenes.js";

/** @type {import("../../../viewer/find/scenes.js").Question} */
const QUESTION = { collection: "s2", bbox: [3, 50, 4, 51], from: "", to: "", maxCloud: 100 };
const SQUARE = [
	[3, 50],
	[4, 50],
	[4, 51],
	[3, 51],
	[3, 50],
];
const ITEM = {
	id: "S2A",
	geometry: { type: "Polygon", coordinates: [SQUARE] },
	bbox: [3, 50, 4, 51],
	properties: { datetime: "2023-06-01T10:50:00.024Z", "eo:cloud_cover": 12.5 },
	assets: {
		thumbnail: { href: "https://here/products/1/nodes/thumbnail" },
		B04: { href: "https://here/products/1/nodes/B04" },
	},
};
const own = (/** @type {string} */ href) => (href.startsWith("https://here/") ? href : null);

test("a question without dates and limits asks for the place alone", () => {
	const { collections, bbox, datetime, filter, limit, cursor } = searchOf(QUESTION, null);

	assert.deepEqual([collections, bbox, limit], ["s2", "3,50,4,51", PAGE_ITEMS]);
	assert.deepEqual([datetime, filter, cursor], [null, null, null]);
});

for (const [from, to, datetime] of [
	["2023-06-01", "2023-06-30", "2023-06-01T00:00:00Z/2023-06-30T23:59:59.999Z"],
	["2023-06-01", "", "2023-06-01T00:00:00Z/.."],
	["", "2023-06-30", "../2023-06-30T23:59:59.999Z"],
]) {
	test(`days from ${from || "any"} to ${to || "any"} are asked for whole`, () => {
		assert.equal(searchOf({ ...QUESTION, from, to }, null).datetime, datetime);
	});
}

test("a limit of clouds is a filter, and a cursor leads on", () => {
	const { filter, cursor } = searchOf({ ...QUESTION, maxCloud: 0 }, "abc");

	assert.deepEqual([filter, cursor], ["eo:cloud_cover <= 0", "abc"]);
});

test("a scene has what its item says", () => {
	const [scene] = scenesOf([ITEM], own);

	assert.deepEqual(scene, {
		id: "S2A",
		ms: Date.parse("2023-06-01T10:50:00.024Z"),
		date: "2023-06-01T10:50:00.024Z",
		solarDay: Date.UTC(2023, 5, 1),
		name: "S2A",
		cloud: 0.125,
		thumbnail: "https://here/products/1/nodes/thumbnail",
		hasFiles: true,
		polygons: [[SQUARE]],
	});
});

test("the id of a date is no name", () => {
	for (const id of ["2020-06-01", "20200601T105000Z", "2020-06-01T10:50:00Z", "2020-06-01T10:50:00.5Z"]) {
		assert.equal(scenesOf([{ ...ITEM, id }], own)[0].name, null, id);
	}
	assert.equal(scenesOf([{ ...ITEM, id: "20200601T105000Z_31UES" }], own)[0].name, "20200601T105000Z_31UES");
});

test("a period begins with its first instant", () => {
	const properties = { datetime: null, start_datetime: "2020-06-01T00:00:00Z" };

	assert.equal(scenesOf([{ ...ITEM, properties }], own)[0].ms, Date.UTC(2020, 5, 1));
});

test("addresses of others are not used, and dates without files have none", () => {
	const assets = {
		thumbnail: { href: "https://elsewhere/products/1.png" },
		value: { href: "https://here/ogcapi/collections/ndvi/coverage" },
		odd: { href: 5 },
		none: null,
	};
	const [scene] = scenesOf([{ ...ITEM, assets }], own);

	assert.deepEqual([scene.thumbnail, scene.hasFiles], [null, false]);
});

test("what is no item is left out, and what is no number is no cloud cover", () => {
	const features = [null, 3, "a", {}, { id: "a" }, { id: "a", properties: { datetime: "soon" } }, { ...ITEM, id: 5 }];

	assert.deepEqual(scenesOf(features, own), []);
	for (const cover of ["12", -1, 101, null, Number.NaN]) {
		const properties = { ...ITEM.properties, "eo:cloud_cover": cover };
		assert.equal(scenesOf([{ ...ITEM, properties }], own)[0].cloud, null, String(cover));
	}
});

test("a ring that crosses 180 degrees goes on beyond them", () => {
	const ring = [
		[179, -17],
		[-179, -17],
		[-179, -16],
		[179, -16],
		[179, -17],
	];
	const [[unwound]] = footprintOf({ type: "Polygon", coordinates: [ring] }, [179, -17, -179, -16]);

	assert.deepEqual(unwound, [
		[179, -17],
		[181, -17],
		[181, -16],
		[179, -16],
		[179, -17],
	]);
});

test("a footprint round the world stays so", () => {
	const ring = [
		[-180, -90],
		[180, -90],
		[180, 90],
		[-180, 90],
		[-180, -90],
	];

	assert.deepEqual(footprintOf({ type: "Polygon", coordinates: [ring] }, [-180, -90, 180, 90]), [[ring]]);
});

test("parts on both sides of 180 degrees stay apart", () => {
	const coordinates = [[SQUARE], [SQUARE.map(([lon, lat]) => [lon - 180, lat])]];

	assert.deepEqual(footprintOf({ type: "MultiPolygon", coordinates }, [179, 50, -179, 51]), coordinates);
});

test("what is no polygon, or has too many corners, is its box", () => {
	const fine = Array.from({ length: 2001 }, (_, at) => [3 + at / 5000, 50]);
	const odd = [
		null,
		{ type: "Point", coordinates: [3, 50] },
		{ type: "Polygon", coordinates: "a" },
		{ type: "Polygon", coordinates: [[[3, "50"]]] },
		{ type: "MultiPolygon", coordinates: [SQUARE] },
		{ type: "Polygon", coordinates: [fine] },
	];
	for (const geometry of odd) {
		assert.deepEqual(footprintOf(geometry, [3, 50, 0, 4, 51, 100]), [[SQUARE]], JSON.stringify(geometry)?.slice(0, 80));
		assert.deepEqual(footprintOf(geometry, undefined), []);
	}
});

test("the box of what crosses 180 degrees goes on beyond them", () => {
	const [[ring]] = footprintOf(null, [179, -17, -179, -16]);

	assert.deepEqual(
		ring.map(([lon]) => lon),
		[179, 181, 181, 179, 179],
	);
});

test("edges along 180 degrees are no lines", () => {
	const ring = [
		[179, -17],
		[180, -17],
		[180, -16],
		[179, -16],
		[179, -17],
	];

	assert.deepEqual(linesOf(ring), [ring.slice(0, 2), ring.slice(2)]);
	assert.deepEqual(linesOf(SQUARE), [SQUARE]);
});

const DAYS = ["2023-06-01", "2023-06-02", "2023-06-03"].map((day, at) =>
	toInstant(`${day}T00:00:00Z`, `2023-06-0${at + 2}T00:00:00Z`),
);

for (const [datetime, bbox, wanted] of /** @type {[string, number[], number][]} */ ([
	["2023-06-01T10:50:00Z", [3, 50, 4, 51], 0],
	["2023-06-01T22:00:00Z", [179, -17, -179, -16], 1],
	["2023-06-02T02:00:00Z", [-123, 40, -122, 41], 0],
	["2023-06-01T22:00:00Z", [], 0],
	["2023-07-01T22:00:00Z", [3, 50, 4, 51], -1],
])) {
	test(`a scene of ${datetime} in the box ${bbox} is on the day by the sun, else in the period: ${wanted}`, () => {
		const [scene] = scenesOf([{ ...ITEM, bbox, properties: { datetime } }], own);

		assert.equal(indexOfScene(DAYS, scene), wanted);
	});
}

test("a date that is the very instant of a scene comes before its day", () => {
	const [scene] = scenesOf([{ ...ITEM, properties: { datetime: "2023-06-01T10:50:00.024Z" } }], own);
	const instants = ["2023-06-01T00:00:00Z", "2023-06-01T10:50:00.024Z"].map((each) => toInstant(each));

	assert.equal(indexOfScene(instants, scene), 1);
});
