/**
 * Writes what the viewer makes of the server's answers in its years: `node years_of_answers.mjs FROM TO`.
 *
 * FROM is JSON, `[{ month, answer: { times, values, analysis }, dekads: the same by dekad }, …]`. TO gets as many
 * `{ value, anomaly, cumulative, usual, seasons, dekads }`: columns of 366 days by year, null without a value, seasons by
 * year and day, and means of dekads by their first day.
 */
import { readFile, writeFile } from "node:fs/promises";
import { dekadRows } from "../../viewer/chart/years/dekads.js";
import { modelOf } from "../../viewer/chart/years/year-model.js";

const [, , from, to] = process.argv;
const found = JSON.parse(await readFile(from, "utf8")).map((/** @type {any} */ { month, answer, dekads }) => {
	const [value, anomaly, cumulative] = /** @type {const} */ (["value", "anomaly", "cumulative"]).map((kind) =>
		modelOf(answer, { kind, month, hasCurve: false }),
	);
	const rows = dekadRows(dekads.times, dekads.values, dekads.analysis.counts, month);
	return {
		value: Object.fromEntries(value.lines),
		anomaly: Object.fromEntries(anomaly.lines),
		cumulative: Object.fromEntries(cumulative.lines),
		usual: value.usual,
		seasons: value.seasons,
		dekads: rows.flatMap(({ cells }) => cells.flatMap((cell) => (cell ? [[cell.time, cell.value, cell.count]] : []))),
	};
});
await writeFile(to, JSON.stringify(found));
