import assert from "node:assert/strict";
import { test } from "node:test";
import { cellsIn } from "../../../viewer/map/regions.js";
import { parsePlace } from "../../../viewer/search/coordinates.js";
import {
	fileOf,
	openAreas,
	openCell,
	openLarge,
	rankTowns,
	simplify,
	splitWords,
} from "../../../viewer/search/gazetteer.js";
import { parseGrid } from "../../../viewer/search/grids.js";

/** 51.21, 4.42 as people write it. */
for (const text of [
	"51.21, 4.42",
	"51.21,4.42",
	"51.21 4.42",
	"51.21; 4.42",
	"51,21 4,42",
	"51,21; 4,42",
	"51,21, 4,42",
	"  +51.21 ,  +4.42 ",
	"51.21°, 4.42°",
	"51.21N 4.42E",
	"51.21 N, 4.42 E",
	"4.42E 51.21N",
	"4.42° E, 51.21° N",
	"N51.21 E4.42",
	"n 51.21 e 4.42",
	"E 4.42, N 51.21",
	"51°12'36\"N 4°25'12\"E",
	"51° 12′ 36″ N, 4° 25′ 12″ E",
	"51º12’36”N 4º25’12”E",
	"51°12'36''N 4°25'12''E",
	"51 12 36 N 4 25 12 E",
	"N 51 12.6 E 4 25.2",
	"51°12.6'N 4°25.2'E",
	"51°12,6'N 4°25,2'E",
	"51°12'36\" 4°25'12\"",
	"+51°12'36\", +4°25'12\"",
	"geo:51.21,4.42",
]) {
	test(`${text} is a place`, () => {
		const place = parsePlace(text);

		assert.ok(place);
		assert.deepEqual([place.lat.toFixed(6), place.lon.toFixed(6)], ["51.210000", "4.420000"]);
	});
}

for (const [text, lat, lon] of /** @type {[string, number, number][]} */ ([
	["-33.9, 18.4", -33.9, 18.4],
	["−33.9 −70.5", -33.9, -70.5],
	["33.9S 70.5W", -33.9, -70.5],
	["33°54'S 70°30'W", -33.9, -70.5],
	["-33°54', -70°30'", -33.9, -70.5],
	["120.5, 51.2", 51.2, 120.5],
	["0 0", 0, 0],
	["90, 180", 90, 180],
])) {
	test(`${text} is ${lat}, ${lon}`, () => {
		assert.deepEqual(parsePlace(text), { lat, lon });
	});
}

test("O is east in Dutch and German, west in Romance languages, and no letter in English; L is east in Portuguese", () => {
	assert.deepEqual(parsePlace("51N 4O", "de"), { lat: 51, lon: 4 });
	assert.deepEqual(parsePlace("51N 4O", "es"), { lat: 51, lon: -4 });
	assert.deepEqual(parsePlace("51N 4O", "pt"), { lat: 51, lon: -4 });
	assert.deepEqual(parsePlace("51N 4L", "pt"), { lat: 51, lon: 4 });
	assert.deepEqual(parsePlace("51Z 4O", "nl"), { lat: -51, lon: 4 });
	assert.deepEqual(parsePlace("51N 4O", "fr"), { lat: 51, lon: -4 });
	assert.equal(parsePlace("51N 4O", "en"), null);
});

for (const text of [
	"",
	"51.2",
	"Ghent",
	"Ghent 51 4",
	"91, 181",
	"51.2N",
	"51.2N 4.4N",
	"51.2N 4.4",
	"51°60'N 4°0'E",
	"51.5°12'N 4°0'E",
	"1 2 3",
	"NE",
	"N E",
	"51°12'",
	"New York",
	"12 rue E 4",
	"--1, 2",
	"1e3 2",
	"181E 10N",
]) {
	test(`"${text}" is no place in numbers`, () => {
		assert.equal(parsePlace(text), null);
	});
}

for (const [text, lat, lon] of /** @type {[string, number, number][]} */ ([
	// Computed with pyproj, EPSG:326xx and 327xx to EPSG:4326.
	["31N 600000 5650000", 50.992884666, 4.424931036],
	["31U 600000mE 5650000mN", 50.992884666, 4.424931036],
	["UTM 31N 600000, 5650000", 50.992884666, 4.424931036],
	["600000 5650000 31N", 50.992884666, 4.424931036],
	["EPSG:32631 600000 5650000", 50.992884666, 4.424931036],
	["EPSG:32723 350000.5 7450000", -23.051758648, -46.464121162],
	["23K 350000.5 7450000", -23.051758648, -46.464121162],
	["14N 480000 2150000", 19.444295268, -99.190535068],
	["33N 166021.4 8000000", 71.858996386, 5.352701193],
])) {
	test(`${text} is a place in metres`, () => {
		const place = parseGrid(text);

		assert.ok(place);
		assert.ok(Math.hypot(place.lat - lat, place.lon - lon) < 1e-8, JSON.stringify(place));
	});
}

test("a square of MGRS is its middle", () => {
	for (const text of ["31UES9992649933", "31U ES 99926 49933", "31ues9992649933"]) {
		const place = parseGrid(text);
		assert.ok(place && Math.hypot(place.lat - 50.992299616, place.lon - 4.423865761) < 1e-6, JSON.stringify(place));
	}
});

for (const text of [
	"",
	"Ghent",
	"51.2, 4.4",
	"31N",
	"61N 600000 5650000",
	"31I 600000 5650000",
	"31UES123",
	"2800 Mechelen",
	"31UZZ00",
]) {
	test(`"${text}" is no place of a grid`, () => {
		assert.equal(parseGrid(text), null);
	});
}

const REGIONS = /** @type {import("../../../viewer/search/gazetteer.js").Region[]} */ ([
	["GB.ENG", "England", -6, 50, 2, 56],
	["BE.VLG", "Flanders", 2.5, 50.7, 5.9, 51.5],
	["CA.08", "Ontario", -95, 42, -74, 57],
	["PL.74", "Łódź Voivodeship", 18, 51, 21, 52],
]);
const world = openLarge(
	{
		names: ["London", "Antwerpen", "London", "East London", "Łódź", "'s-Hertogenbosch"],
		regions: [0, 1, 2, 0, 3, 1],
		lons: [-126, 4402, -81250, 27900, 19457, 5308],
		lats: [51509, 51220, 42983, -33000, 51750, 51699],
	},
	REGIONS,
);
const OTHERS = { Londen: [0], Londres: [0], Anvers: [1], Антверпен: [1] };
const HERE = { lon: 4, lat: 51 };

/** @param {string} words @param {import("../../../viewer/search/gazetteer.js").Point} [from] */
const find = (words, from = HERE) => rankTowns(world(simplify(words), OTHERS), from);

for (const [words, ...expected] of [
	["london", "London GB", "London CA", "East London GB"],
	["  LON ", "London GB", "London CA", "East London GB"],
	["anvers", "Antwerpen BE"],
	["АНТВЕР", "Antwerpen BE"],
	["lodz", "Łódź PL"],
	["s hertogen", "'s-Hertogenbosch BE"],
	["ondon"],
	["nowhere"],
	[""],
	["-"],
]) {
	test(`"${words}" finds ${expected.join(", ") || "nothing"}`, () => {
		assert.deepEqual(
			find(words).map(({ name, country }) => `${name} ${country}`),
			expected,
		);
	});
}

test("a town is told by the name that was looked for, with its region", () => {
	const [{ name, alias, region, lon, lat }] = find("anvers");

	assert.deepEqual([name, alias, region, lon, lat], ["Antwerpen", "Anvers", "Flanders", 4.402, 51.22]);
});

test("of those alike the near ones come first, also across 180 degrees", () => {
	assert.equal(find("london", { lon: -80, lat: 43 })[0].country, "CA");
	const fiji = { name: "Suva", alias: "Suva", likeness: 3, country: "FJ", region: "", lat: -18 };
	const both = [
		{ ...fiji, rank: 1, lon: 100 },
		{ ...fiji, rank: 2, lon: 178.4 },
	];
	assert.equal(rankTowns(both, { lon: -179.5, lat: -18 })[0].rank, 2);
});

test("a town of a region's file is found once, under the name that is most alike", () => {
	const cell = openCell(
		{
			towns: { names: ["Hulshout", "London"], lons: [4791, -126], lats: [51075, 51509], ranks: [90_000, 0] },
			others: { regions: [1, 0], others: ["Hulsthout", ""] },
		},
		REGIONS,
	);

	assert.deepEqual(
		rankTowns([...world("london", {}), ...cell("london")], HERE).map(({ rank }) => rank),
		[0, 2, 3],
	);
	assert.equal(cell("hulst")[0].alias, "Hulsthout");
});

test("countries are known by all their names, regions by theirs", () => {
	const areas = openAreas({ regions: REGIONS, countries: { BE: ["Belgium|België|Бельгия", 2.5, 49.5, 6.4, 51.5] } });

	for (const words of ["belgie", "бельгия", "belgium"]) {
		const [{ country, isCountry }] = areas.find(words);
		assert.deepEqual([country, isCountry], ["BE", true]);
	}
	assert.deepEqual(
		areas.find("ontario").map(({ name, isCountry }) => [name, isCountry]),
		[["Ontario", false]],
	);
	assert.deepEqual(areas.find("gium"), []);
});

for (const [words, what, ...where] of [
	["Tervuren, Belgium", "tervuren", "belgium"],
	["2800 Mechelen", "mechelen"],
	["Mechelen 2800, België", "mechelen", "belgie"],
	["1000", "1000"],
	["Paris,", "paris"],
]) {
	test(`of "${words}" ${what} is looked for${where.length > 0 ? ` in ${where}` : ""}`, () => {
		const asked = splitWords(words);
		assert.deepEqual([asked.what, asked.where], [what, where]);
	});
}

test("files of regions are those in sight that there are, the nearest first, and few", () => {
	const known = Array.from({ length: 72 * 36 }, (_, at) => `${at % 72}_${Math.floor(at / 72)}`);

	assert.deepEqual(cellsIn([[4, 50.5, 6, 51.5]], { lon: 4.1, lat: 51 }, known), ["36_28", "37_28"]);
	assert.deepEqual(cellsIn([[4, 50.5, 6, 51.5]], { lon: 4.1, lat: 51 }, ["37_28"]), ["37_28"]);
	assert.deepEqual(cellsIn([[178, 1, -178, 2]], { lon: 179, lat: 1 }, known), ["71_18", "0_18"]);
	const all = cellsIn([[-180, -90, 180, 90]], { lon: 4, lat: 51 }, known);
	assert.deepEqual([all.length, all[0]], [12, "36_28"]);
});

test("names are in the files that tools/viewer_data writes", () => {
	assert.equal(fileOf("l"), null);
	assert.equal(fileOf("lisboa"), (108 + 31 * 105) % 64);
});

test("any text is searched for without a fault", () => {
	for (const text of ["(", "[a", "\\", "*", "\ud800", "a".repeat(100), "日本", "<img src=x>"]) {
		assert.ok(Array.isArray(find(text)));
		assert.equal(parsePlace(text), null);
	}
	assert.equal(simplify("Saint-Étienne-du-Rouvray"), "saint etienne du rouvray");
});
