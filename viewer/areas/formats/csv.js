/** Tables as comma-separated values (RFC 4180), both ways; pure. */
import { AreaFault } from "./faults.js";

/** A cell that spreadsheets would take for a formula gets an apostrophe, which they do not show. */
const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** @param {string | number | null | undefined} value */
function formatCell(value) {
	const words = value === null || value === undefined ? "" : String(value);
	const safe = FORMULA.test(words) && !NUMBER.test(words) ? `'${words}` : words;
	return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {(string | number | null | undefined)[][]} rows the first one with the names of the columns */
export const formatCsv = (rows) => rows.map((row) => `${row.map(formatCell).join(",")}\r\n`).join("");

/**
 * The rows of a table, each with the line it begins in, counted from 1; empty lines are left out.
 * @param {string} source @returns {{ line: number, cells: string[] }[]}
 */
export function parseCsv(source) {
	const separator = separatorOf(source);
	const rows = [];
	const cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^"${separator}\\r\\n]*))(${separator}|\\r?\\n|\\r|$)`, "y");
	/** @type {string[]} */
	let cells = [];
	let [line, start] = [1, 1];
	while (cell.lastIndex < source.length || cells.length > 0) {
		const found = cell.exec(source);
		if (!found) throw new AreaFault("areas.fault.csvQuote", { line });
		const [whole, quoted, plain, end] = found;
		cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
		line += whole.match(/\r\n|\r|\n/g)?.length ?? 0;
		if (end === separator) continue;
		if (cells.some((each) => each !== "")) rows.push({ line: start, cells: cells.map(withoutApostrophe) });
		[cells, start] = [[], line];
		if (end === "") break;
	}
	return rows;
}

/** @param {string} words */
const withoutApostrophe = (words) => (words.startsWith("'") && FORMULA.test(words.slice(1)) ? words.slice(1) : words);

/** What stands between the names of the columns most often, outside quotes. @param {string} source */
function separatorOf(source) {
	const head = source.split(/\r?\n|\r/, 1)[0].replaceAll(/"[^"]*"/g, "");
	const counted = [",", ";", "\t"].map((separator) => ({ separator, count: head.split(separator).length }));
	return counted.reduce((most, each) => (each.count > most.count ? each : most)).separator;
}
