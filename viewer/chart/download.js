/** Downloads the visible chart: its numbers, a drawing or a picture. */
import { formatCsv } from "../areas/formats/csv.js";
import { fileName } from "../areas/formats/write-files.js";
import { make, makeIconButton } from "../base/elements.js";
import { fileOfDrawing, saveDrawing, saveFile } from "../base/save.js";
import { layer, places } from "../base/state.js";
import { text } from "../base/text.js";
import { makePopover, toggleBy } from "../time/popover.js";
import { chosen, daysOf } from "../time/strip/axis.js";
import { signal } from "../vendor/signals-core.js";
import { makeTick } from "./series/fields.js";
import { placeName } from "./series/line-labels.js";

/** @typedef {import("./series/figure.js").Sheet} Sheet */

const ENDINGS = /** @type {const} */ (["csv", "png", "svg"]);
/** Pixels of a picture per CSS pixel. */
const SCALE = 2;
/** So much of a file's name is for its places. */
const MOST_NAMES = 36;

/** @param {() => Sheet} sheetOf returns the open tab @param {HTMLElement} host */
export function makeDownload(sheetOf, host) {
	const label = text("chart.download");
	const button = makeIconButton("download", label, () => {}, { "aria-haspopup": "dialog", "aria-expanded": "false" });
	const hasComma = signal(false);
	const popover = makePopover("chart-download", { label, host });
	const choices = ENDINGS.map((ending) => {
		const run = () => {
			popover.close();
			void save(sheetOf(), ending, hasComma.peek() ? "semicolon" : "comma");
		};
		return make("button", { class: "quiet", onclick: run }, text(`chart.${ending}`));
	});
	popover.element.append(...choices, makeTick(text("chart.decimalComma"), hasComma));
	toggleBy(button, popover, () => choices[0].focus());
	return button;
}

/** Layer, places and time: `NDVI_Mechelen_2020-2024.csv`. @param {Sheet} sheet @param {string} ending */
function nameOf({ span }, ending) {
	const shown = places.peek().filter(({ isShown }) => isShown);
	const names = shown.map(placeName).join("-").slice(0, MOST_NAMES);
	const ends = span();
	const years = ends && [...new Set(ends.map((ms) => new Date(ms).getUTCFullYear()))].join("-");
	const days = chosen.peek() && ends && daysOf(ends).join("_").replaceAll(":", "");
	return fileName([layer.peek()?.id, names, days ?? years].filter(Boolean).join("_"), ending);
}

/** @param {Sheet} sheet @param {(typeof ENDINGS)[number]} ending @param {"comma" | "semicolon"} dialect */
async function save(sheet, ending, dialect) {
	const name = nameOf(sheet, ending);
	if (ending === "csv") return saveFile(new Blob([formatCsv(sheet.rows(), dialect)], { type: "text/csv" }), name);
	const svg = sheet.svg();
	if (!svg) return;
	if (ending === "svg") saveFile(fileOfDrawing(svg), name);
	else await saveDrawing(svg, name, SCALE);
}
