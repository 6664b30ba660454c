import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLink, parseLink, toPlace } from "../../viewer/permalink.js";
import { makeRandom } from "./random.js";

const TERRASCOPE =
	"?language=en&layer=CGS_S2_FAPAR&date=2020-06-11&bbox=4.3,51.1,4.5,51.3&overlay=true&bgLayer=MapBox_Satellite";

/** @param {ReturnType<typeof makeRandom>} random @returns {import("../../viewer/permalink.js").Link} */
function makeLink(random) {
	const degrees = (limit = 0, offset = 0) => Number((offset + (random.number() * 2 - 1) * limit).toFixed(5)) + 0;
	const place = () => ({ lon: degrees(180), lat: degrees(90) });
	const whole = {
		language: random.pick(["en", "nl", "fr", "pt-BR"]),
		layer: random.pick(["NDVI", "CGS_S2_FAPAR", "s2-biopar.NDVI", "0"]),
		date: random.pick(["2020-06-11", "1999-12-31", "2020-06-11T10:50:30Z", "2020-02-29"]),
		bbox: /** @type {[number, number, number, number]} */ ([
			degrees(80, -90),
			degrees(40, -45),
			degrees(80, 90),
			degrees(40, 45),
		]),
		overlay: random.pick([true, false]),
		bgLayer: random.pick(["NaturalEarth", "None"]),
		view: { ...place(), zoom: Math.floor(random.number() * 19) },
		opacity: Math.round(random.number() * 100) / 100,
		style: random.pick(["ndvi", "viridis"]),
		pt: Array.from({ length: 1 + Math.floor(random.number() * 8) }, place),
	};
	return Object.fromEntries(Object.entries(whole).filter(() => random.number() < 0.7));
}

test("a link of Terrascope's viewer gives its six values", () => {
	const { link, rest, faults } = parseLink(TERRASCOPE);

	assert.deepEqual(link, {
		language: "en",
		layer: "CGS_S2_FAPAR",
		date: "2020-06-11",
		bbox: [4.3, 51.1, 4.5, 51.3],
		overlay: true,
		bgLayer: "MapBox_Satellite",
	});
	assert.deepEqual([rest, faults], [[], []]);
});

test("a link of Terrascope's viewer is written as it was read", () => {
	assert.equal(formatLink(parseLink(TERRASCOPE).link), TERRASCOPE);
});

test("any state comes back from its link", () => {
	const random = makeRandom(1);
	for (const link of Array.from({ length: 500 }, () => makeLink(random))) {
		assert.deepEqual(parseLink(formatLink(link)), { link, rest: [], faults: [] });
	}
});

test("any text gives a link that is read back as itself", () => {
	const random = makeRandom(2);
	const pieces = ["layer", "date", "bbox", "view", "pt", "opacity", "=", "&", "1", "-", ",", ";", "%", "%3C", "é", "+"];
	for (let round = 0; round < 2000; round++) {
		const text = Array.from({ length: 12 }, () => random.pick(pieces)).join("");
		const { link, rest } = parseLink(text);
		assert.deepEqual(parseLink(formatLink(link, rest)), { link, rest, faults: [] });
	}
});

test("parameters that are not ours are kept as they came, in their order", () => {
	const { link, rest } = parseLink("?utm=a%20b&layer=NDVI&x&utm=c+d&empty=");

	assert.equal(formatLink(link, rest), "?layer=NDVI&utm=a%20b&x&utm=c+d&empty=");
});

test("the first of a repeated parameter counts", () => {
	assert.deepEqual(parseLink("layer=A&layer=B").link, { layer: "A" });
});

test("names of object members are parameters like any other", () => {
	assert.deepEqual(parseLink("__proto__=1&constructor=2").rest, ["__proto__=1", "constructor=2"]);
});

test("an empty state has no query string", () => {
	assert.equal(formatLink({}), "");
});

test("coordinates are written with five decimals and no exponent", () => {
	assert.equal(formatLink({ view: { lon: 1e-7, lat: -1e-7, zoom: 3 } }), "?view=0,0,3");
	assert.equal(formatLink({ pt: [{ lon: 4.123456789, lat: 51 }] }), "?pt=4.12346,51");
});

test("a box may cross 180 degrees", () => {
	assert.deepEqual(parseLink("bbox=170,-20,-170,10").link.bbox, [170, -20, -170, 10]);
});

for (const [key, value] of [
	["layer", "<script>alert(1)</script>"],
	["layer", "../secrets"],
	["layer", ""],
	["style", "a/b"],
	["language", "English"],
	["date", "2020-02-30"],
	["date", "today"],
	["date", "2020-13-01"],
	["bbox", "1,2,3"],
	["bbox", "4,52,5,51"],
	["bbox", "4,51,4,52"],
	["bbox", "NaN,51,5,52"],
	["bbox", "4,51,Infinity,52"],
	["bbox", "400,51,5,52"],
	["overlay", "yes"],
	["view", "4,51"],
	["view", "4,51,99"],
	["view", "4,91,3"],
	["opacity", "1.5"],
	["opacity", "1e-1"],
	["opacity", ""],
	["pt", "4"],
	["pt", "4,51;"],
	["pt", Array(9).fill("4,51").join(";")],
]) {
	test(`${key}=${value} is refused and said so`, () => {
		const { link, faults } = parseLink(`${key}=${encodeURIComponent(value)}`);

		assert.deepEqual(link, {});
		assert.deepEqual([faults[0].key, faults[0].value], [key, value]);
	});
}

test("a place beyond 180 degrees is written as the same place within", () => {
	assert.deepEqual(toPlace({ lat: 51.1234567, lng: 364.4 }), { lon: 4.4, lat: 51.12346 });
	assert.deepEqual(toPlace({ lat: -10, lng: -190 }), { lon: 170, lat: -10 });
});
