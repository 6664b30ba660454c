/** Tables as comma-separated values (RFC 4180), both ways; pure. */
import { AreaFault } from "./faults.js";

/** A cell that spreadsheets would take for a formula gets an apostrophe, which they do not show. */
const FORMULA = /^[=+\-@\t\r]/;
/** Plain names of columns that name places, in the viewer's languages. */
export const PLACE_NAME =
	/^(name|naam|nom|nombre|nome|title|label|place|plaats|ort|lieu|lugar|local|station|site|plot)$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** @typedef {string | number | null | undefined} Cell */

/**
 * The dialects of the server's CSV (`dialect=`): `semicolon` has a decimal comma.
 * @param {Cell[][]} rows the first has the names of the columns @param {"comma" | "semicolon"} dialect
 */
export function formatCsv(rows, dialect = "comma") {
	const [separator, sign] = dialect === "semicolon" ? [";", ","] : [",", "."];
	const special = new RegExp(`["\r\n${separator}]`);
	const format = (/** @type {Cell} */ value) => {
		if (typeof value === "number") return String(value).replace(".", sign);
		const words = value ?? "";
		const safe = FORMULA.test(words) && !NUMBER.test(words) ? `'${words}` : words;
		return special.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
	};
	return rows.map((row) => `${row.map(format).join(separator)}\r\n`).join("");
}

/**
 * Returns the rows of a table, each with the number of its first line, from 1; empty lines are skipped.
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

/** Returns the most frequent separator between the names of the columns, outside quotes. @param {string} source */
function separatorOf(source) {
	const head = source.split(/\r?\n|\r/, 1)[0].replaceAll(/"[^"]*"/g, "");
	const counted = [",", ";", "\t"].map((separator) => ({ separator, count: head.split(separator).length }));
	return counted.reduce((most, each) => (each.count > most.count ? each : most)).separator;
}

/** The name of a column without case, accents and signs. @param {string} name */
export const plainName = (name) =>
	name
		.normalize("NFD")
		.toLowerCase()
		.replaceAll(/\(.*?\)|[^a-z0-9]/g, "");

/** Parses a number with a decimal point or comma; NaN if invalid. @param {string | undefined} words */
export function readNumber(words = "") {
	const plain = words.trim().replace(/^([+-]?\d*),(\d+)$/, "$1.$2");
	return plain === "" ? Number.NaN : Number(plain);
}
