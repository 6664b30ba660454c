/** What is seen of the chart as a file: its numbers, a drawing or a picture. */
import { formatCsv } from "../areas/formats/csv.js";
import { fileName } from "../areas/formats/write-files.js";
import { make, makeIconButton } from "../base/elements.js";
import { fileOfDrawing, saveDrawing, saveFile } from "../base/save.js";
import { layer, places } from "../base/state.js";
import { text } from "../base/text.js";
import { makePopover, toggleBy } from "../time/popover.js";
import { chosen, daysOf } from "../time/strip/axis.js";
import { placeName } from "./series/line-labels.js";

/** @typedef {import("./series/figure.js").Sheet} Sheet */

/** Pixels of a picture for each of the page's. */
const SCALE = 2;
/** So much of a file's name is for its places. */
const MOST_NAMES = 36;

/** @param {() => Sheet} sheetOf what is open @param {HTMLElement} host */
export function makeDownload(sheetOf, host) {
	const label = text("chart.download");
	const button = makeIconButton("download", label, () => {}, { "aria-haspopup": "dialog", "aria-expanded": "false" });
	const comma = make("input", { type: "checkbox" });
	const popover = makePopover("chart-download", { label, host });
	const saves = { csv: saveRows, png: savePng, svg: saveSvg };
	const choices = Object.entries(saves).map(([ending, save]) => {
		const run = () => {
			popover.close();
			void save(sheetOf(), comma.checked ? "semicolon" : "comma");
		};
		const words = text(/** @type {import("../base/text.js").TextKey} */ (`chart.${ending}`));
		return make("button", { type: "button", class: "quiet", onclick: run }, words);
	});
	const tick = make("label", { class: "chart-tick" }, comma, make("span", {}, text("chart.decimalComma")));
	popover.element.append(...choices, tick);
	toggleBy(button, popover, () => choices[0].focus());
	return button;
}

/** Layer, places and time: `NDVI_Mechelen_2020-2024.csv`. @param {Sheet} sheet @param {string} ending */
function nameOf({ span }, ending) {
	const shown = places.peek().filter(({ isShown }) => isShown);
	const names = shown.map(placeName).join("-").slice(0, MOST_NAMES);
	const ends = span();
	const years = ends && [...new Set(ends.map((ms) => new Date(ms).getUTCFullYear()))].join("-");
	const days =
		chosen.peek() &&
		ends &&
		daysOf(ends)
			.map((day) => day.replaceAll(":", ""))
			.join("_");
	return fileName([layer.peek()?.id, names, days ?? years].filter(Boolean).join("_"), ending);
}

/** @param {Sheet} sheet @param {"comma" | "semicolon"} dialect */
function saveRows(sheet, dialect) {
	saveFile(new Blob([formatCsv(sheet.rows(), dialect)], { type: "text/csv" }), nameOf(sheet, "csv"));
}

/** @param {Sheet} sheet */
function saveSvg(sheet) {
	const svg = sheet.svg();
	if (svg) saveFile(fileOfDrawing(svg), nameOf(sheet, "svg"));
}

/** @param {Sheet} sheet */
function savePng(sheet) {
	const svg = sheet.svg();
	if (svg) void saveDrawing(svg, nameOf(sheet, "png"), SCALE);
}
