import assert from "node:assert/strict";
import { test } from "node:test";
import { dekadAt, dekadEnd, dekadRows } from "../../../viewer/chart/years/dekads.js";
import { modelOf, rangeFor, rowsOfDekads, rowsOfYears } from "../../../viewer/chart/years/year-model.js";

const TIMES = ["2021-06-01", "2021-06-11", "2022-06-01", "2022-06-11"].map((day) => `${day}T00:00:00Z`);
const ANSWER = {
	times: TIMES,
	values: [0.11, 0.13, 0.17, null],
	analysis: {
		smooth: [0.1, 0.14, 0.16, 0.18],
		anomaly: [-0.03, 0, 0.03, null],
		phenology: {
			start: ["2022-04-02"],
			peak: ["2022-06-01"],
			end: ["2022-09-03"],
			length: [154],
			amplitude: [0.1],
			peak_value: [0.17],
		},
	},
};
const HOW = { month: 1, hasCurve: false };

test("the axis of values has the palette's range, so that a town looks flat, and goes further where values do", () => {
	const model = modelOf(ANSWER, { ...HOW, kind: "value" });

	assert.deepEqual(rangeFor(model, "value", [-0.08, 0.92]), [-0.08, 0.92]);
	assert.deepEqual(rangeFor(model, "value", [0.12, 0.15]), [0.11, 0.17]);
	const [low, high] = rangeFor(model, "value", null);
	assert.ok(low > 0.1 && low < 0.11 && high > 0.17 && high < 0.18);
});

test("anomalies have zero in the middle, of a quarter of the palette's range; sums begin at zero", () => {
	const [anomaly, sum] = /** @type {const} */ (["anomaly", "cumulative"]).map((kind) =>
		rangeFor(modelOf(ANSWER, { kind, month: 6, hasCurve: false }), kind, [0, 1]),
	);

	assert.deepEqual(anomaly, [-0.25, 0.25]);
	assert.equal(sum[0], 0);
	const none = { lines: new Map(), usual: null, seasons: [], nearness: 5, hasMeans: false };
	assert.deepEqual(rangeFor(none, "value", null), [0, 1]);
});

test("with a curve the years are those of the curve", () => {
	const { lines } = modelOf(ANSWER, { kind: "value", month: 1, hasCurve: true });

	assert.deepEqual(
		[...(lines.get(2022) ?? [])].filter((value) => value !== undefined),
		[0.16, 0.18],
	);
});

test("it is known that values are means where a day had several with a value, and only there", () => {
	const times = ["2021-06-01T10:30:00Z", "2021-06-01T14:15:00Z", "2021-06-11T10:30:00Z"];
	const hasMeans = (/** @type {(number | null)[]} */ values) =>
		modelOf({ ...ANSWER, times, values, analysis: {} }, { ...HOW, kind: "value" }).hasMeans;

	assert.deepEqual([hasMeans([0.1, 0.3, 0.2]), hasMeans([0.1, null, 0.2])], [true, false]);
});

test("rows of a file have each value once, a gap as none, and the season of its year", () => {
	const rows = rowsOfYears(modelOf(ANSWER, { ...HOW, kind: "value" }), 1);

	assert.deepEqual(rows, [
		["year", "day", "value", "start", "peak", "end", "length"],
		["2021", "06-01", 0.11, "", "", "", ""],
		["2021", "06-11", 0.13, "", "", "", ""],
		["2022", "06-01", 0.17, "2022-04-02", "2022-06-01", "2022-09-03", "154"],
		["2022", "06-11", null, "2022-04-02", "2022-06-01", "2022-09-03", "154"],
	]);
});

test("dekads stand in the row of their year and the column of their third of a month", () => {
	const rows = dekadRows(["2022-02-21T00:00:00Z", "2022-07-01T00:00:00Z"], [0.5, null], [2, 0], 7);

	assert.deepEqual(
		rows.map(({ year, cells }) => [year, cells.findIndex((cell) => cell !== null)]),
		[
			[2021, 23],
			[2022, 0],
		],
	);
	assert.deepEqual(dekadAt(rows, Date.parse("2022-02-28T10:00Z"), 7), { row: 0, column: 23 });
	assert.deepEqual(
		["2022-02-21", "2022-02-11", "2022-12-21"].map((day) => new Date(dekadEnd(day)).toISOString().slice(0, 10)),
		["2022-03-01", "2022-02-21", "2023-01-01"],
	);
	assert.deepEqual(rowsOfDekads(rows), [
		["dekad", "value", "dates"],
		["2022-02-21", 0.5, 2],
		["2022-07-01", null, 0],
	]);
});
