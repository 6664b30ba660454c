/**
 * That the layers of `served.py` have the values of `formula.mjs`: `node fixtures.mjs BASE_URL OUT_DIR
 * [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { cellAt, centreOf, datelineCellAt, FIXTURES, POLAR_CELLS, validShare, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";

/** @typedef {import("./formula.mjs").Cell} Cell */
/** @typedef {import("./formula.mjs").Point} Point */

const FIJI = [
	{ lon: 179.5, lat: -17 },
	{ lon: 180, lat: -16.9 },
	{ lon: -179.5, lat: -17.2 },
];

/** Returns ten cells of a layer and their points. @param {string} layer @returns {(Cell & Point)[]} */
function sampleCells(layer) {
	const { crs, size } = FIXTURES[layer];
	if (crs === "polar") return [...POLAR_CELLS];
	if (crs === "dateline") return FIJI.map((point) => ({ ...point, ...datelineCellAt(point) }));
	return Array.from({ length: 10 }, (_, index) => {
		const cell = { row: (index * 37) % size, column: (index * 91) % size };
		return { ...cell, ...centreOf(cell) };
	});
}

/** @param {string} base @param {string} layer @param {Point} point */
async function seriesAt(base, layer, { lon, lat }) {
	const answer = await fetch(new URL(`timeseries/${layer}/point?lon=${lon}&lat=${lat}`, base));
	assert.ok(answer.ok, `${answer.url} answered ${answer.status}`);
	return answer.json();
}

await runAsCalled([
	...Object.keys(FIXTURES).map(
		(layer) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`the values of ${layer} are those of its formula`,
				async ({ base }) => {
					const { dates } = FIXTURES[layer];
					for (const { row, column, ...point } of sampleCells(layer)) {
						const { times, values } = await seriesAt(base, layer, point);
						const expected = (dates.length > 0 ? dates : [null]).map((_, t) => valueAt(layer, t, { row, column }));
						assert.deepEqual(values, expected, `${layer} at row ${row}, column ${column}`);
						if (dates.length > 0)
							assert.deepEqual(
								times.map((/** @type {string} */ time) => time.slice(0, 10)),
								dates,
							);
					}
				},
			]),
	),
	[
		"cells and their centres lead to each other",
		async () => {
			for (const cell of sampleCells("ndvi")) {
				assert.deepEqual(cellAt(centreOf(cell)), { row: cell.row, column: cell.column });
			}
		},
	],
	[
		"some dates are clear, some cloudy, some nothing but clouds",
		async () => {
			assert.deepEqual([validShare("ndvi", 0), validShare("ndvi", 11)], [1, 0]);
			assert.ok(validShare("ndvi", 5) > 0.05 && validShare("ndvi", 5) < 0.5);
		},
	],
]);
