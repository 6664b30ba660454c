import assert from "node:assert/strict";
import { readFile as readDisk } from "node:fs/promises";
import { before, test } from "node:test";
import { formatCsv, parseCsv } from "../../../viewer/areas/formats/csv.js";
import { FILE_LIMITS, tidyName } from "../../../viewer/areas/formats/faults.js";
import { formatTable } from "../../../viewer/areas/formats/place-tables.js";
import { readFile as readAny, readText } from "../../../viewer/areas/formats/read-files.js";
import { formatWkt, parseWkt } from "../../../viewer/areas/formats/wkt.js";
import { fileName, formatGeoJson } from "../../../viewer/areas/formats/write-files.js";
import { checkXml } from "../../../viewer/areas/formats/xml.js";
import { useTexts } from "../../../viewer/base/text.js";
import { makeRandom } from "../random.js";
import { HOLE, SQUARE } from "../rings.js";

/** @typedef {import("../../../viewer/base/state.js").Geometry} Geometry */

const FIELD = {
	id: "area-1",
	name: "Field 1",
	geometry: /** @type {Geometry} */ ({ type: "Polygon", coordinates: [SQUARE, HOLE] }),
};
const SPOT = {
	id: "area-2",
	name: '=1+1, "x"',
	geometry: /** @type {Geometry} */ ({ type: "Point", coordinates: [4.5, 51.5] }),
};
const ISLES = {
	id: "area-3",
	name: "Isles\u00e9",
	geometry: /** @type {Geometry} */ ({
		type: "MultiPolygon",
		coordinates: [[SQUARE, HOLE], [SQUARE.map(([x, y]) => [x + 2, y])]],
	}),
};

before(async () =>
	useTexts("en", JSON.parse(await readDisk(new URL("../../../viewer/i18n/en.json", import.meta.url), "utf8"))),
);

/** Reads a file without requests to a server. @param {File} file */
const readFile = (file) => readAny(file, () => Promise.reject(new Error("no server is asked")));

/** @param {string} source @param {string} key @param {RegExp} words */
async function assertRefused(source, key, words) {
	await assert.rejects(
		readText(source),
		(/** @type {import("../../../viewer/areas/formats/faults.js").AreaFault} */ error) => {
			assert.equal(error.key, key);
			assert.match(error.message, words);
			return true;
		},
	);
}

/** @param {unknown} geometry @param {Record<string, unknown>} [more] */
const feature = (geometry, more = {}) => ({ type: "Feature", properties: {}, geometry, ...more });

/** @param {unknown[]} features @param {Record<string, unknown>} [more] */
const collection = (features, more = {}) => JSON.stringify({ type: "FeatureCollection", features, ...more });

for (const format of [formatGeoJson, formatTable]) {
	test(`what ${format.name} writes is read back`, async () => {
		const { areas, leftOut } = await readText(format([FIELD, SPOT, ISLES]));

		assert.deepEqual(
			areas,
			[FIELD, SPOT, ISLES].map(({ name, geometry }) => ({ name, geometry })),
		);
		assert.deepEqual(leftOut, []);
	});
}

test("any geometry comes back from well-known text", () => {
	const random = makeRandom(5);
	for (let round = 0; round < 200; round++) {
		const ring = Array.from({ length: 4 }, () => [random.number() * 360 - 180, random.number() * 1e-9]);
		const geometry = random.pick(
			/** @type {Geometry[]} */ ([
				{ type: "Point", coordinates: ring[0] },
				{ type: "Polygon", coordinates: [ring, ring] },
				{ type: "MultiPolygon", coordinates: [[ring], [ring, ring]] },
			]),
		);

		assert.deepEqual(parseWkt(formatWkt(geometry)), [geometry]);
	}
});

test("well-known text with heights, EMPTY, a collection and PostGIS' prefix is read", () => {
	const found = parseWkt(
		"srid=4326; point z (4 51 7)\nMULTIPOINT((1 2),3 4); POLYGON EMPTY; GEOMETRYCOLLECTION M(POINTM(5 6 1))",
	);

	assert.deepEqual(found, [
		{ type: "Point", coordinates: [4, 51] },
		{
			type: "MultiPoint",
			coordinates: [
				[1, 2],
				[3, 4],
			],
		},
		{ type: "Point", coordinates: [5, 6] },
	]);
});

/** @type {[string, string, RegExp][]} */
const BAD_WKT = [
	["POLYGON((4 51, 5 51", "areas.fault.wktEnd", /is incomplete/],
	["POLYGON((4 51, five 51))", "areas.fault.wkt", /five 51/],
	["POINT(4)", "areas.fault.wkt", /\)/],
	["POINT(4 51) ?", "areas.fault.wkt", /\?/],
	["SRID=31370;POINT(150000 210000)", "areas.fault.crs", /EPSG:31370/],
	["LINESTRING(4 51, 5 52)", "areas.fault.none", /line/],
	["POINT(150000 210000)", "areas.fault.offEarth", /150000, 210000/],
];

/** @type {[string, string, RegExp][]} */
const BAD_JSON = [
	['{"type": "Feature",\n"geometry": nul}', "areas.fault.json", /Line 2/],
	["[]", "areas.fault.geometry", /geometry/],
	["{}", "areas.fault.geometry", /geometry/],
	[collection([]), "areas.fault.none", /no points and no polygons/],
	[
		collection([
			feature({
				type: "LineString",
				coordinates: [
					[4, 51],
					[5, 52],
				],
			}),
		]),
		"areas.fault.none",
		/feature 1/i,
	],
	[
		collection([feature(null), feature({ type: "Polygon", coordinates: [[4, 51]] })]),
		"areas.fault.geometry",
		/feature 2/i,
	],
	[collection([feature({ type: "Point", coordinates: ["4", "51"] })]), "areas.fault.geometry", /feature 1/i],
	[collection([feature({ type: "Point", coordinates: [521000, 5650000] })]), "areas.fault.offEarth", /521000, 5650000/],
	[
		collection([], { crs: { type: "name", properties: { name: "urn:ogc:def:crs:EPSG::31370" } } }),
		"areas.fault.crs",
		/31370/,
	],
	[
		collection(Array.from({ length: FILE_LIMITS.shapes + 1 }, () => feature({ type: "Point", coordinates: [4, 51] }))),
		"areas.fault.tooMany",
		/5,001.*5,000/,
	],
	[
		collection([
			feature({
				type: "MultiPolygon",
				coordinates: Array.from({ length: FILE_LIMITS.corners / 4 + 1 }, () => [SQUARE]),
			}),
		]),
		"areas.fault.tooFine",
		/500,004.*500,000/,
	],
];

/** @type {[string, string, RegExp][]} */
const BAD_TABLES = [
	["", "areas.fault.empty", /empty/],
	["What is this?\nNo areas.", "areas.fault.unknown", /GeoJSON/],
	["id,name\n1,a", "areas.fault.unknown", /GeoJSON/],
	['id,geometry\n1,"POINT(4 51)"\n2,POINT(4', "areas.fault.inLine", /[Ll]ine 3/],
	['id,geometry\n1,"POINT(4 51)\n', "areas.fault.csvQuote", /[Ll]ine 2/],
	["id,geometry\n", "areas.fault.none", /no points and no polygons/],
];

for (const [source, key, words] of [...BAD_WKT, ...BAD_JSON, ...BAD_TABLES]) {
	test(`${JSON.stringify(source.slice(0, 60))} is refused with ${key}`, () => assertRefused(source, key, words));
}

test("a collection of everything gives its points and polygons, and says what it left out", async () => {
	const { areas, leftOut } = await readText(
		collection([
			feature(
				{
					type: "GeometryCollection",
					geometries: [
						{ type: "Point", coordinates: [4, 51, 9] },
						{ type: "Polygon", coordinates: [SQUARE] },
					],
				},
				{ properties: { NAAM: "Both" } },
			),
			feature(
				{
					type: "MultiPoint",
					coordinates: [
						[4, 51],
						[364, 51],
					],
				},
				{ id: 7 },
			),
			feature({
				type: "LineString",
				coordinates: [
					[4, 51],
					[5, 51],
				],
			}),
			feature(null),
		]),
	);

	assert.deepEqual(
		areas.map(({ name, geometry }) => [name, geometry.type, geometry.coordinates[0]]),
		[
			["Both", "Point", 4],
			["Both", "Polygon", SQUARE],
			["7", "Point", 4],
			["7", "Point", 4],
		],
	);
	assert.equal(leftOut.length, 2);
	assert.match(leftOut[0], /Feature 3.*line/);
});

test("longitude and latitude on WGS 84 may be named as the CRS", async () => {
	const crs = { type: "name", properties: { name: "urn:ogc:def:crs:OGC:1.3:CRS84" } };

	assert.equal((await readText(collection([feature(SPOT.geometry)], { crs }))).areas.length, 1);
});

test("rows of a table for many dates are one area each", async () => {
	const rows = ["2020-01-01", "2020-01-11"].flatMap((date) => [
		["a", "Field", formatWkt(FIELD.geometry), date, 0.5],
		["b", "Field", formatWkt(FIELD.geometry), date, 0.6],
	]);

	const { areas } = await readText(formatCsv([["id", "name", "geometry", "date", "value"], ...rows]));

	assert.deepEqual(
		areas,
		[FIELD, FIELD].map(({ geometry }) => ({ name: "Field", geometry })),
	);
});

test("a table with semicolons and without names is read", async () => {
	assert.deepEqual((await readText("WKT;code\r\nPOINT (4 51);x\r\n")).areas, [
		{ name: "", geometry: { type: "Point", coordinates: [4, 51] } },
	]);
});

test("any cells come back from a table", () => {
	const random = makeRandom(6);
	const pieces = ["a", '"', ",", "\n", "\r\n", ";", " ", "é", "=", "0", "-"];
	for (let round = 0; round < 300; round++) {
		const cell = () => `x${Array.from({ length: 4 }, () => random.pick(pieces)).join("")}`;
		const rows = Array.from({ length: 3 }, () => [cell(), cell(), cell()]);
		const written = formatCsv([["a", "b", "c"], ...rows]);

		assert.deepEqual(
			parseCsv(written)
				.slice(1)
				.map(({ cells }) => cells),
			rows,
		);
	}
});

test("a name that a spreadsheet would compute is written so that it does not", () => {
	assert.equal(formatCsv([["=1+1", "-5", "@x", "a"]]), "'=1+1,-5,'@x,a\r\n");
});

test("semicolons come with decimal commas, of numbers alone", () => {
	const rows = [
		["a", "b", "c", "d"],
		[0.25, "1.5; 2.5", null, -3],
	];

	assert.equal(formatCsv(rows, "semicolon"), 'a;b;c;d\r\n0,25;"1.5; 2.5";;-3\r\n');
	assert.deepEqual(
		parseCsv(formatCsv(rows, "semicolon")).map(({ cells }) => cells),
		[rows[0], ["0,25", "1.5; 2.5", "", "-3"]],
	);
});

test("a file that is too large, or no text, is refused before it is read", async () => {
	const tooLarge = new File([new Uint8Array(FILE_LIMITS.bytes + 1)], "a.geojson");
	const noText = new File([new Uint8Array([0x47, 0xff, 0xfe])], "a.txt");

	await assert.rejects(readFile(tooLarge), { key: "areas.fault.tooLarge" });
	await assert.rejects(readFile(noText), { key: "areas.fault.encoding" });
});

test("a ZIP file without shapes is refused, and one that is none", async () => {
	const { zipSync } = await import("../../../viewer/vendor/fflate.js");

	const picture = new File([zipSync({ "a.png": new Uint8Array(9) })], "a.zip");
	await assert.rejects(readFile(picture), { key: "areas.fault.noShapes" });
	await assert.rejects(readFile(new File(["PK, a text"], "a.zip")), { key: "areas.fault.zip" });
});

test("a KMZ that would fill the memory is refused", async () => {
	const { zipSync } = await import("../../../viewer/vendor/fflate.js");
	const bomb = new File([zipSync({ "doc.kml": new Uint8Array(FILE_LIMITS.unpackedBytes + 1) })], "a.kmz");

	await assert.rejects(readFile(bomb), { key: "areas.fault.tooLarge" });
});

test("KML that defines entities is refused", () =>
	assertRefused('<!DOCTYPE kml [<!ENTITY a "b">]><kml/>', "areas.fault.doctype", /DOCTYPE/));

for (const [source, line] of /** @type {[string, number][]} */ ([
	["<kml>\n<a></kml>", 2],
	["<kml>\n\n<a b=c/></kml>", 3],
	["<kml>", 1],
	["<kml>\n&nbsp;</kml>", 2],
	["<kml>a</kml></a>", 1],
	["<kml>\n<!-- </kml>", 2],
	['<kml a="<">', 1],
])) {
	test(`${JSON.stringify(source)} is refused for its line ${line}`, () =>
		assertRefused(source, "areas.fault.xml", new RegExp(`Line ${line} `)));
}

test("comments, CDATA, instructions, entities and empty elements are well-formed", () => {
	checkXml(
		'<?xml version="1.0"?>\n<!-- <a> --><k:ml xmlns:k="x" b=\'>\'><a/><![CDATA[<b>&]]>&amp;&#233;<c  d = "1" /></k:ml >\n',
	);
});

test("names are one line of bounded length without control characters", () => {
	assert.equal(tidyName(" a\u0000\n\u202e b\u2028 "), "a b");
	assert.equal(tidyName("x".repeat(500)).length, 80);
	assert.equal(tidyName({}), "");
	assert.equal(tidyName(7), "7");
});

test("a file is called as the area, without signs that file systems mind", () => {
	assert.equal(fileName("Veld nr. 3: /étang/", "geojson"), "Veld-nr.-3-étang.geojson");
	assert.equal(fileName("///", "csv"), "areas.csv");
});
