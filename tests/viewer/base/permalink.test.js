import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { formatLink, parseLink, toPlace, withoutKey } from "../../../viewer/base/permalink.js";
import { makeRandom } from "../random.js";

const TERRASCOPE =
	"?language=en&layer=CGS_S2_FAPAR&date=2020-06-11&bbox=4.3,51.1,4.5,51.3&overlay=true&bgLayer=MapBox_Satellite";

/** The keys of a link: those of Terrascope's viewer, then additional ones. */
const KEYS =
	"language layer date bbox overlay overlays bgLayer view layers opacity style ramp min max reversed log slot reducer gaps clear compare layer2 date2 style2 ramp2 min2 max2 reversed2 log2 split orient from to play fps loop step maxcloud pt aoi places statistic span chart curve normal period line cube scatter report agg years from_month fit theme embed ui story";

/**
 * @param {ReturnType<typeof makeRandom>} random
 * @returns {Required<import("../../../viewer/base/permalink.js").Link>}
 */
function makeWhole(random) {
	const { pick } = random;
	const degrees = (limit = 0, offset = 0) => Number((offset + (random.number() * 2 - 1) * limit).toFixed(5)) + 0;
	const share = (digits = 2) => Number(random.number().toFixed(digits));
	const many = (/** @type {number} */ most) => ({ length: 1 + Math.floor(random.number() * most) });
	const place = () => ({ lon: degrees(180), lat: degrees(90) });
	const name = () => pick(["NDVI", "CGS_S2_FAPAR", "s2-biopar.NDVI", "0"]);
	const date = () => pick(["2020-06-11", "1999-12-31", "2020-06-11T10:50:30Z", "2020-02-29"]);
	const value = () => Number(((random.number() - 0.5) * 10 ** Math.round(random.number() * 20 - 10)).toPrecision(8));
	const flag = () => pick([true, false]);
	const label = () => pick(["field 1", "a~b;c", "50 % & <b>", "Œuf = é", "", "%7E", "\u{1f33e}"]);
	return {
		language: pick(["en", "nl", "fr", "pt-BR"]),
		layer: name(),
		date: date(),
		bbox: [degrees(80, -90), degrees(40, -45), degrees(80, 90), degrees(40, 45)],
		overlay: flag(),
		overlays: ["roads", "names"],
		bgLayer: pick(["NaturalEarth", "None"]),
		view: { ...place(), zoom: Math.floor(random.number() * 19) },
		layers: Array.from(many(8), () => ({ id: name(), opacity: share() })),
		opacity: share(),
		style: name(),
		ramp: name(),
		min: value(),
		max: value(),
		reversed: flag(),
		log: flag(),
		slot: pick(["dekad", "month", "season", "year"]),
		reducer: pick(["clearest", "latest", "median", "max", "anomaly"]),
		gaps: "last",
		clear: false,
		compare: pick(["swipe", "side", "opacity", "spy", "diff"]),
		layer2: name(),
		date2: date(),
		style2: name(),
		ramp2: name(),
		min2: value(),
		max2: value(),
		reversed2: flag(),
		log2: flag(),
		split: share(3),
		orient: pick(["v", "h"]),
		from: date(),
		to: date(),
		play: flag(),
		fps: pick([0.5, 4, 12.5, 30]),
		loop: flag(),
		step: pick([1, 30, 366]),
		maxcloud: pick([0, 40, 100]),
		pt: Array.from(many(8), place),
		aoi: Array.from(many(3), () => ({ name: label(), line: pick(["_p~iF~ps|U_ulL", "?@A`{|}~", "~~"]) })),
		places: pick(["fields", "river-basins_2"]),
		statistic: pick(["mean", "p90", "valid_share", "anomaly"]),
		span: pick(["date", "dekad", "month", "season", "year"]),
		chart: pick(["0", "1", "time", "years", "statistics", "table"]),
		curve: pick(["whittaker", "savgol"]),
		normal: flag(),
		period: pick([
			["2020-01-01", "2020-12-31"],
			["2019", "2021-06"],
			["2020-06-11T10:00Z", "2020-06-11T12:00Z"],
		]),
		line: Array.from({ length: 2 + many(8).length }, place),
		cube: pick(["1", "3d"]),
		scatter: true,
		report: flag(),
		agg: pick(["mean", "p10"]),
		years: pick(["value", "anomaly", "cumulative", "dekads"]),
		from_month: pick([1, 7, 12]),
		fit: flag(),
		theme: pick(["light", "dark", "auto"]),
		embed: flag(),
		ui: "min",
		story: pick(["stories/one.json", "a.json"]),
	};
}

/** @param {ReturnType<typeof makeRandom>} random @returns {import("../../../viewer/base/permalink.js").Link} */
const makeLink = (random) => Object.fromEntries(Object.entries(makeWhole(random)).filter(() => random.number() < 0.5));

test("links have exactly these keys, and are written in this order", () => {
	const written = formatLink(makeWhole(makeRandom(3)))
		.slice(1)
		.split("&");

	assert.equal(written.map((part) => part.split("=")[0]).join(" "), KEYS);
});

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
	for (const link of Array.from({ length: 2000 }, () => makeLink(random))) {
		assert.deepEqual(parseLink(formatLink(link)), { link, rest: [], faults: [] });
	}
});

for (const key of ["overlay", "reversed", "log2", "embed"]) {
	test(`${key} is switched by words and by digits`, () => {
		const { link: on } = parseLink(`${key}=true`);
		const { link: off } = parseLink(`${key}=0`);

		assert.deepEqual([on, off], [{ [key]: true }, { [key]: false }]);
		assert.deepEqual(parseLink(`${key}=1`).link, on);
		assert.deepEqual(parseLink(`${key}=false`).link, off);
	});
}

test("any text gives a link that is read back as itself", () => {
	const random = makeRandom(2);
	const pieces = [
		...KEYS.split(" "),
		"=",
		"=",
		"&",
		"~",
		"true",
		"last",
		":",
		"2020-01-01",
		"&",
		"1",
		"-",
		",",
		";",
		"%",
		"%3C",
		"é",
		"+",
	];
	for (let round = 0; round < 5000; round++) {
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

test("every fault says what would be right, in the words of the viewer", async () => {
	const texts = JSON.parse(await readFile(new URL("../../../viewer/i18n/en.json", import.meta.url), "utf8"));
	const { faults } = parseLink(
		KEYS.split(" ")
			.map((key) => `${key}=%00`)
			.join("&"),
	);

	assert.equal(faults.length, KEYS.split(" ").length);
	for (const { expected } of faults) assert.ok(expected.key in texts, expected.key);
});

test("names of object members are parameters like any other", () => {
	assert.deepEqual(parseLink("__proto__=1&constructor=2").rest, ["__proto__=1", "constructor=2"]);
});

test("an empty state has no query string", () => {
	assert.equal(formatLink({}), "");
});

test("places are written to a centimetre, and numbers without an exponent", () => {
	assert.equal(formatLink({ view: { lon: 1e-7, lat: -1e-7, zoom: 3 } }), "?view=0,0,3");
	assert.equal(formatLink({ pt: [{ lon: 4.123456789, lat: 51 }] }), "?pt=4.1234568,51");
});

test("a box may cross 180 degrees", () => {
	assert.deepEqual(parseLink("bbox=170,-20,-170,10").link.bbox, [170, -20, -170, 10]);
});

test("values of a layer are written with nine digits, however small, and without exponent", () => {
	assert.equal(formatLink({ min: 1.23456789e-7, max: 123456789000 }), "?min=0.000000123456789&max=123456789000");
});

test("a name that is half a character does not break the link", () => {
	const { link } = parseLink(formatLink({ aoi: [{ name: "a\ud800b", line: "_p~iF" }] }));

	assert.deepEqual(link.aoi, [{ name: "a\ufffdb", line: "_p~iF" }]);
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
	["layers", "NDVI:2"],
	["layers", "NDVI:1:1"],
	["layers", Array(9).fill("NDVI").join()],
	["min", "1e3"],
	["min", "9999999999999"],
	["max", "NaN"],
	["reversed", "yes"],
	["gaps", "first"],
	["compare", "wipe"],
	["layer2", "a b"],
	["date2", "2020-00-01"],
	["split", "-0.1"],
	["orient", "x"],
	["from", "yesterday"],
	["fps", "0"],
	["fps", "31"],
	["step", "0"],
	["maxcloud", "101"],
	["aoi", "no outline"],
	["aoi", "name~"],
	["aoi", "name~a b"],
	["aoi", Array(4).fill("a~_p~iF").join(";")],
	["aoi", `a~${"_".repeat(1500)}`],
	["agg", "Mean"],
	["theme", "blue"],
	["embed", "yes"],
	["ui", "max"],
]) {
	test(`${key}=${value} is refused and said so`, () => {
		const { link, faults } = parseLink(`${key}=${encodeURIComponent(value)}`);

		assert.deepEqual(link, {});
		assert.deepEqual([faults[0].key, faults[0].value], [key, value]);
	});
}

test("a place beyond 180 degrees is written as the same place within", () => {
	assert.deepEqual(toPlace({ lat: 51.1234567, lng: 364.4 }), { lon: 4.4, lat: 51.1234567 });
	assert.deepEqual(toPlace({ lat: -10, lng: -190 }), { lon: 170, lat: -10 });
});

test("addresses for others have no key of the page, whatever the prefix and the text around them", () => {
	const key = "ctk_a-B_9";
	for (const prefix of ["", "/maps", "/a/k"]) {
		const path = `${prefix}/k/${key}/viewer/`;
		const [own, open] = [`https://m.example${prefix}/k/${key}/`, `https://m.example${prefix}/`];
		const words = (/** @type {string} */ root) =>
			`curl "${root}wms?LAYERS=k"\n<iframe src="${root}viewer/?layer=k&amp;x=1"></iframe>\n${root}tiles/k/{z}/{x}/{y}.png`;
		assert.equal(withoutKey(words(own), path), words(open), path);
		assert.equal(withoutKey(words(open), `${prefix}/viewer/`), words(open), prefix);
	}
	const twice = "https://m.example/k/one/k/one/viewer/?layer=a";
	assert.equal(withoutKey(twice, "/k/one/k/one/viewer/"), "https://m.example/viewer/?layer=a");
});
