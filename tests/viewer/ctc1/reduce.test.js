import assert from "node:assert/strict";
import { test } from "node:test";
import { Cube } from "../../../viewer/ctc1/decode.js";
import { endOf, partOfYear, periodText, startOf } from "../../../viewer/ctc1/periods.js";
import { orderOf, reduceCubes, sourcesOf } from "../../../viewer/ctc1/reduce.js";
import { makeRandom } from "../random.js";

const DAY_MS = 86_400_000;
const [GAP, CLOUD, SIZE] = [255, 254, 12];
const OWN = "https://example.org/1/0/0.ctc?datetime=2023-01-01/2023-12-31&rev=a";
const YEARS = ["2022", "2023", "2024"].map((year) => `${year}-01-01/${year}-12-31`);
const at = (/** @type {string} */ day) => Date.parse(day);

/**
 * Makes a cube of a year of dates five days apart, a third of them without a value.
 * @param {string} span
 * @param {number} seed
 * @param {object} [more]
 */
function makePart(span, seed, more = {}) {
	const random = makeRandom(seed);
	const first = at(span.slice(0, 10));
	const times = Array.from({ length: 72 }, (_, index) => new Date(first + index * 5 * DAY_MS).toISOString());
	const numbers = Uint8Array.from({ length: times.length * SIZE }, () => {
		const turn = random.number();
		return turn < 0.2 ? GAP : turn < 0.33 ? CLOUD : Math.floor(random.number() * 250);
	});
	const header = /** @type {any} */ ({
		...{ v: 1, z: 1, x: 0, y: 0, w: 4, h: 3, res: 1, dtype: "uint8", nodata: GAP, scale: 0.004, offset: -0.08 },
		...{ times, valid: times.map(() => 0.5), blocks: [], flags: { [CLOUD]: "cloud" }, ...more },
	});
	return { url: OWN.replace(YEARS[1], span), header, numbers };
}

/**
 * Values of a cell at the dates of a period, in order.
 * @param {ReturnType<typeof makePart>} part
 * @param {string} slot
 * @param {number} start
 * @param {number} cell
 */
const valuesIn = ({ header, numbers }, slot, start, cell) =>
	header.times.flatMap((/** @type {string} */ time, /** @type {number} */ frame) => {
		const number = numbers[frame * SIZE + cell];
		const isIn = startOf(/** @type {any} */ (slot), at(time)) === start;
		return isIn && number < CLOUD ? [number * 0.004 - 0.08] : [];
	});

const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {number[]} values */
function median(values) {
	const sorted = values.toSorted((one, other) => one - other);
	const half = sorted.length / 2;
	return Number.isInteger(half) ? (sorted[half - 1] + sorted[half]) / 2 : sorted[Math.floor(half)];
}

/** @type {Record<string, (values: number[]) => number>} */
const REDUCERS = { latest: (values) => values[values.length - 1], max: (values) => Math.max(...values), median, mean };

/** @param {import("../../../viewer/ctc1/reduce.js").Reduced | null} reduced */
const cubeOf = (reduced) => {
	assert.ok(reduced);
	return new Cube(reduced.header, reduced.numbers, reduced.counts);
};

/** @param {number | null} value @param {number | null} expected @param {number} [tolerance] */
function near(value, expected, tolerance = 1e-12) {
	if (value === null || expected === null || Number.isNaN(expected))
		assert.equal(value, expected === null || Number.isNaN(expected) ? null : expected);
	else assert.ok(Math.abs(value - expected) <= tolerance, `${value} is not ${expected}`);
}

test("the cubes of a period are found among files, too", () => {
	const file = `https://example.org/cubes/ndvi/abc/1/0/0/${YEARS[1].replace("/", "_")}.ctc`;
	const order = `#slot=month&reducer=anomaly&by=mean&of=${YEARS.join(",")}`;
	const parts = YEARS.map((span, seed) => makePart(span, seed));
	const ofFiles = parts.map((part, at) => ({ ...part, url: file.replace(/2023/g, String(2022 + at)) }));

	assert.deepEqual(new Set(sourcesOf(file + order)), new Set(ofFiles.map(({ url }) => url)));
	assert.deepEqual(reduceCubes(file + order, ofFiles), reduceCubes(OWN + order, parts));
});

test("periods begin and end as the calendar has them", () => {
	/** @type {[Parameters<typeof startOf>[0], string, string][]} */
	const expected = [
		["dekad", "2024-02-29T12:00:00Z", "2024-02-21/2024-02-29"],
		["dekad", "2023-12-31", "2023-12-21/2023-12-31"],
		["dekad", "2023-12-10", "2023-12-01/2023-12-10"],
		["dekad", "2023-12-11", "2023-12-11/2023-12-20"],
		["month", "2024-02-10", "2024-02-01/2024-02-29"],
		["month", "2023-12-31", "2023-12-01/2023-12-31"],
		["season", "2023-12-01", "2023-12-01/2024-02-29"],
		["season", "2024-02-29", "2023-12-01/2024-02-29"],
		["season", "2024-03-01", "2024-03-01/2024-05-31"],
		["season", "2024-11-30", "2024-09-01/2024-11-30"],
		["year", "1969-06-01", "1969-01-01/1969-12-31"],
	];
	for (const [slot, day, text] of expected) assert.equal(periodText(slot, at(day)), text);
	for (const slot of /** @type {const} */ (["dekad", "month", "season", "year"])) {
		for (let ms = startOf(slot, at("2019-12-31")); ms < at("2025-01-01"); ms = endOf(slot, ms)) {
			assert.equal(startOf(slot, ms), ms);
			assert.equal(startOf(slot, endOf(slot, ms) - 1), ms);
		}
	}
	assert.equal(partOfYear("season", at("2024-01-05")), "12-01");
});

test("addresses name what is made, of which cubes", () => {
	const url = `${OWN}#slot=month&reducer=anomaly&by=mean&of=${YEARS.join(",")}&also=2023-05-25T00:00:00Z~2023-06-01`;

	assert.equal(orderOf(OWN), null);
	assert.deepEqual(sourcesOf(OWN), [OWN]);
	assert.deepEqual(
		sourcesOf(url).toSorted(),
		YEARS.map((span) => OWN.replace(YEARS[1], span)),
	);
	assert.equal(sourcesOf(url)[0], OWN);
	assert.deepEqual(orderOf(url)?.also, new Map([["2023-05-25T00:00:00Z", [at("2023-06-01")]]]));
});

for (const reducer of /** @type {const} */ (["latest", "max", "median"])) {
	for (const slot of /** @type {const} */ (["dekad", "month", "season", "year"])) {
		test(`each pixel has the ${reducer} of a ${slot}, and of how many values`, () => {
			const part = makePart(YEARS[1], 7);
			const cube = cubeOf(reduceCubes(`${OWN}#slot=${slot}&reducer=${reducer}`, [part]));

			for (const [frame, name] of cube.header.times.entries()) {
				const start = at(String(name).slice(0, 10));
				for (let cell = 0; cell < SIZE; cell++) {
					const values = valuesIn(part, slot, start, cell);
					const number = cube.numbersAt(frame)[cell];
					near(cube.exactValueOf(number), values.length > 0 ? REDUCERS[reducer](values) : null);
					assert.equal(cube.counts?.[frame * SIZE + cell], values.length);
					// If the newest value is requested, the newest date determines the reason for a missing value.
					const newest = part.header.times.findLastIndex(
						(/** @type {string} */ time) => startOf(slot, at(time)) === start,
					);
					if (values.length === 0 && reducer === "latest") assert.equal(number, part.numbers[newest * SIZE + cell]);
					if (values.length === 0 && reducer !== "latest") assert.equal(cube.flags.get(number), undefined);
				}
			}
			assert.equal(cube.isApproximate, false);
		});
	}
}

test("an anomaly is the mean over dates of the value less the normal of its dekad", () => {
	const parts = YEARS.map((span, index) => makePart(span, 20 + index));
	const url = `${OWN}#slot=month&reducer=anomaly&by=mean&of=${YEARS.join(",")}`;
	const cube = cubeOf(reduceCubes(url, parts));

	for (const [frame, name] of cube.header.times.entries()) {
		const month = String(name).slice(0, 7);
		for (let cell = 0; cell < SIZE; cell++) {
			const differences = ["01", "11", "21"].flatMap((day) => {
				const start = `${month}-${day}`;
				const dekads = parts.map((part, year) => valuesIn(part, "dekad", at(`${2022 + year}${start.slice(4)}`), cell));
				return dekads[1].map((/** @type {number} */ value) => value - mean(dekads.flat()));
			});
			near(cube.valueOf(cube.numbersAt(frame)[cell]), mean(differences), 0.004 / 128);
			assert.equal(cube.counts?.[frame * SIZE + cell], differences.length);
		}
	}
	assert.equal(cube.isApproximate, true);
});

test("what is usual is the mean of periods, or of single dates", () => {
	const parts = YEARS.map((span, index) => makePart(span, 40 + index));
	const of = `of=${YEARS.join(",")}`;
	const ofPeriods = cubeOf(reduceCubes(`${OWN}#slot=season&reducer=usual&by=median&${of}`, parts));
	const ofDates = cubeOf(reduceCubes(`${OWN}#slot=dekad&reducer=usual_dates&by=mean&${of}`, parts));

	assert.deepEqual(ofPeriods.header.times.toSorted(), ["03-01", "06-01", "09-01", "12-01"]);
	assert.equal(ofDates.header.times.length, 36);
	for (let cell = 0; cell < SIZE; cell++) {
		const summers = parts.map((part, year) => median(valuesIn(part, "season", at(`${2022 + year}-06-01`), cell)));
		near(ofPeriods.valueOf(ofPeriods.numbersAt(ofPeriods.frameOf("06-01"))[cell]), mean(summers), 0.004 / 256);
		const days = parts.flatMap((part, year) => valuesIn(part, "dekad", at(`${2022 + year}-06-11`), cell));
		near(
			ofDates.valueOf(ofDates.numbersAt(ofDates.frameOf("06-11"))[cell]),
			days.length > 0 ? mean(days) : null,
			0.004 / 256,
		);
		assert.equal(ofDates.counts?.[ofDates.frameOf("06-11") * SIZE + cell], days.length);
	}
});

test("a date that reaches into a further period counts in both; periods beside the cube's days are left out", () => {
	const part = makePart(YEARS[1], 3);
	const [last] = part.header.times.filter((/** @type {string} */ time) => time.startsWith("2023-05")).slice(-1);
	const url = `${OWN.replace(YEARS[1], "2023-06-01/2023-06-30")}#slot=month&reducer=max&also=${last}~2023-06-01`;
	const cube = cubeOf(reduceCubes(url, [{ ...part, url: url.split("#")[0] }]));

	assert.deepEqual(cube.header.times, ["2023-06-01/2023-06-30"]);
	const frame = part.header.times.indexOf(last);
	for (let cell = 0; cell < SIZE; cell++) {
		const [also] = [part.numbers[frame * SIZE + cell]]
			.filter((number) => number < CLOUD)
			.map((number) => number * 0.004 - 0.08);
		const values = [...valuesIn(part, "month", at("2023-06-01"), cell), ...(also === undefined ? [] : [also])];
		near(cube.exactValueOf(cube.numbersAt(0)[cell]), values.length > 0 ? Math.max(...values) : null);
	}
});

test("wide numbers keep their values within half a step, those that fall as numbers rise too", () => {
	const part = makePart(YEARS[1], 5, {
		dtype: "uint16",
		nodata: 0xffff,
		flags: {},
		scale: -0.5,
		offset: 3,
		quantised: true,
	});
	const random = makeRandom(9);
	const numbers = Uint16Array.from(part.numbers, (number) =>
		number >= CLOUD ? 0xffff : Math.floor(random.number() * 60_000),
	);
	const wide = { ...part, numbers };
	const valueAt = (/** @type {number} */ frame, /** @type {number} */ cell) => numbers[frame * SIZE + cell] * -0.5 + 3;
	for (const [reducer, by] of /** @type {const} */ ([
		["median", median],
		["max", REDUCERS.max],
	])) {
		const cube = cubeOf(reduceCubes(`${OWN}#slot=year&reducer=${reducer}`, [wide]));
		for (let cell = 0; cell < SIZE; cell++) {
			const frames = [...part.header.times.keys()].filter(
				(/** @type {number} */ frame) => numbers[frame * SIZE + cell] !== 0xffff,
			);
			near(
				cube.valueOf(cube.numbersAt(0)[cell]),
				by(frames.map((/** @type {number} */ frame) => valueAt(frame, cell))),
				0.25,
			);
		}
		assert.equal(cube.isApproximate, true);
	}
});

test("shares are those of the tile, and what has no dates has nothing", () => {
	const part = makePart(YEARS[1], 11);
	part.numbers.fill(GAP);
	part.numbers.fill(100, 0, SIZE / 2);
	const cube = cubeOf(reduceCubes(`${OWN}#slot=month&reducer=median`, [part]));

	// At each date, the known cells are half of the tile.
	assert.equal(cube.header.valid[0], 0.5);
	assert.equal(cube.header.valid[1], 0);
	assert.equal(reduceCubes(`${OWN}#slot=month&reducer=median`, []), null);
});
