/** The report of a place of the chart: shown in a dialog, printed, saved as a picture. */
import { fileName } from "../areas/formats/write-files.js";
import { placeText, sizeText } from "../areas/size-labels.js";
import { loadStatistics } from "../areas/statistics-of-areas.js";
import { rowsOf, writeCell } from "../areas/table-rows.js";
import { nameOf } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { colourReader, make, makeWordButton } from "../base/elements.js";
import { addressOf, readAddress, withoutKey } from "../base/permalink.js";
import { saveDrawing } from "../base/save.js";
import {
	attributions,
	instant,
	isReportOpen,
	layer,
	link,
	places,
	serviceTitle,
	shownDate,
	showReport,
	tileProgress,
	timeDomain,
} from "../base/state.js";
import { locale, text } from "../base/text.js";
import { titled } from "../base/units.js";
import { curve } from "../chart/series/analysis.js";
import { drawYears, layOut } from "../chart/years/year-drawing.js";
import { yearDayOf } from "../chart/years/year-lines.js";
import { modelOf, rangeFor } from "../chart/years/year-model.js";
import { firstMonthOf, seasonParameters } from "../chart/years/year-state.js";
import { PictureMaker, wholeRect } from "../export/page/snapshot.js";
import { effect, signal, untracked } from "../vendor/signals-core.js";
import { CHART, drawReport, MAP } from "./report-page.js";

/** @typedef {import("../base/state.js").Place} Place */
/** @typedef {import("../base/api.js").Layer} Layer */
/** @typedef {import("./report-page.js").Report} Report */

/** Pixels of the picture per pixel of the page: 200 per inch. */
const SCALE = 200 / 96;
/** The last years of a long archive have room. */
const MOST_YEARS = 12;
const COLUMNS = /** @type {const} */ (["mean", "p10", "p90", "valid_share", "anomaly"]);

/** Shows the report while it is open and there is a place. */
export function startReport() {
	effect(() => {
		const isReady = isReportOpen.value && places.value.length > 0 && timeDomain.value.phase === "ready";
		if (isReady) untracked(() => void open());
	});
}

/** @param {Place} place */
const labelOf = ({ name, geometry }) => name || placeText(/** @type {number[]} */ (geometry.coordinates), 5);

async function open() {
	const of = layer.peek();
	if (!of || document.querySelector(".report-dialog")) return;
	const stopping = new AbortController();
	const chosen = signal(places.peek()[0]);
	const numbers = signal(/** @type {Pick<Report, "chart" | "rows" | "notes">} */ ({ chart: [], rows: [], notes: [] }));
	const map = signal("");
	const paper = make("div", { class: "report-paper" });
	const choose = () => {
		chosen.value = places.peek()[which.selectedIndex];
	};
	const which = make("select", { "aria-label": text("report.place"), onchange: choose });
	which.append(...places.peek().map((place) => new Option(labelOf(place))));
	const nameNow = () =>
		fileName([nameOf(of), labelOf(chosen.peek()), instant.peek()?.text.slice(0, 10)].filter(Boolean).join("_"), "png");
	const print = makeWordButton("print", text("report.print"), () => printAs(nameNow()), { class: "primary" });
	const svg = () => /** @type {SVGElement} */ (paper.querySelector("svg"));
	const save = makeWordButton("download", text("report.png"), () => void saveDrawing(svg(), nameNow(), SCALE));
	const bar = make("div", { class: "report-bar" }, which, print, save);
	const { element, whenClosed } = openDialog(text("report.title"), bar, paper);
	element.classList.add("report-dialog");
	const maker = await PictureMaker.make();
	const stops = [
		effect(() => {
			// While it is printed the map has no size.
			if (tileProgress.value.phase === "shown" && wholeRect().width > 0) map.value = drawMap(maker);
		}),
		effect(() => {
			const place = chosen.value;
			numbers.value = { chart: [], rows: [], notes: [text("report.loading")] };
			void load(of, place, paper, stopping.signal).then((found) => {
				if (chosen.peek() === place) numbers.value = found;
			});
		}),
		effect(() => {
			const place = chosen.value;
			const about = [of.title, shownDate.peek(), sizeText(place.geometry)].filter(Boolean).join(" · ");
			const made = text("report.made", {
				service: serviceTitle.peek() || "chronotile",
				date: new Date().toLocaleDateString(locale(), { dateStyle: "long" }),
			});
			const source = [text("report.source", { source: attributions.peek().join(" · ") || of.title }), made].join(". ");
			const address = withoutKey(addressOf(link.peek() ?? readAddress().link));
			const words = { title: labelOf(place), about, source, link: address };
			paper.replaceChildren(drawReport({ ...numbers.value, ...words, map: map.value }));
		}),
	];
	await whenClosed;
	stopping.abort();
	for (const stop of stops) stop();
	showReport(false);
}

/** Draws the middle of the map in the aspect ratio of the page. @param {PictureMaker} maker */
function drawMap(maker) {
	const whole = wholeRect();
	const share = Math.min(whole.width / MAP.width, whole.height / MAP.height);
	const [width, height] = [MAP.width * share, MAP.height * share];
	const crop = { left: (whole.width - width) / 2, top: (whole.height - height) / 2, width, height };
	const canvas = make("canvas", { width: MAP.width * SCALE, height: MAP.height * SCALE });
	const labels = { title: false, date: true, legend: true, scale: true, north: true };
	maker.draw(canvas, { crop, scale: SCALE / share, labels });
	return canvas.toDataURL("image/png");
}

/**
 * Loads the years of a place as a drawing, and their values from the server.
 * @param {Layer} of
 * @param {Place} place
 * @param {HTMLElement} paper
 * @param {AbortSignal} stopped
 */
async function load(of, place, paper, stopped) {
	try {
		const ask = (/** @type {import("../base/api.js").Parameters} */ parameters) =>
			loadStatistics(of, [place], parameters, { stopped });
		const isTimed = of.times.count > 0;
		const chart = isTimed ? drawSeasons(of, place, await ask({ reducers: "mean", ...seasonParameters() }), paper) : [];
		const reducers = "mean,p10,p90,valid_share";
		const years = await ask(isTimed ? { reducers, step: "P1Y", anomaly: "abs" } : { reducers });
		const rows = years.times.map((_, at) => rowsOf([place], years.features, years.features, at)[0]);
		// Points have no percentiles.
		const columns = COLUMNS.filter((id) => rows.some((row) => row[id] !== null));
		const head = [text("report.year"), ...columns.map((id) => text(`table.${id}`))];
		const yearOf = (/** @type {number} */ at) => years.times[at]?.slice(0, 4) ?? "";
		const cells = rows.map((row, at) => [yearOf(at), ...columns.map((id) => writeCell(id, row[id]))]);
		return { chart, rows: [head, ...cells.slice(-MOST_YEARS)], notes: isTimed ? [text("report.definition")] : [] };
	} catch (error) {
		return { chart: [], rows: [], notes: [text("places.failed", { why: /** @type {Error} */ (error).message })] };
	}
}

/**
 * @param {Layer} of
 * @param {Place} place
 * @param {Awaited<ReturnType<typeof loadStatistics>>} found
 * @param {HTMLElement} paper
 */
function drawSeasons(of, place, { times, features: [feature] }, paper) {
	const month = link.peek()?.from_month ?? firstMonthOf(place);
	const answer = { times, values: feature?.series.mean ?? [], analysis: feature?.analysis?.mean };
	const model = modelOf(answer, { kind: "value", month, hasCurve: curve.value !== "" });
	if (![...model.lines.values()].flat().some((value) => typeof value === "number")) return [];
	const title = titled(of.title, of.units);
	const now = yearDayOf(instant.peek()?.ms ?? 0, month).year;
	const picture = { ...model, month, now, range: rangeFor(model, "value", null), title, isBars: false };
	const colourOf = colourReader(paper);
	return drawYears(layOut(picture, { ...CHART, strong: colourOf("--accent"), colourOf }));
}

/** Prints the page only; PDFs get its name. @param {string} name of a picture of it */
function printAs(name) {
	const { title } = document;
	document.title = name.replace(/\.png$/, "");
	document.documentElement.toggleAttribute("data-report", true);
	window.print();
	document.documentElement.toggleAttribute("data-report", false);
	document.title = title;
}
