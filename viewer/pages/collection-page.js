/**
 * The map and the chart on the page of a collection of OGC API: a click on the map shows the series of that place, a
 * click on the chart the map of that date. Without this module the page has the map of the newest clear date.
 *
 * @typedef {{ point: [number, number], times: (string | null)[], values: (number | null)[] }} Series
 */
import { make } from "../base/elements.js";
import { Plot } from "../chart/plot.js";

/** @template {HTMLElement} E @param {string} selector @returns {E} */
const find = (selector) => /** @type {E} */ (document.querySelector(selector));

/** @type {HTMLFormElement} */
const form = find("#place");
/** @type {HTMLSelectElement} */
const choice = find("#place select");
/** @type {HTMLInputElement} */
const longitude = find("[name=lon]");
/** @type {HTMLInputElement} */
const latitude = find("[name=lat]");
/** @type {HTMLImageElement} */
const picture = find("#map");
/** @type {HTMLAnchorElement} */
const csv = find("#csv");
const [mark, chart, said, date, steps] = ["#mark", "#chart", "#said", "#date", "#steps"].map((each) => find(each));
const root = new URL(find(".explore").dataset.root ?? "", document.baseURI);

/** @type {Series | null} */
let series = null;
/** @param {Series} of */
const secondsOf = ({ times }) => times.map((time) => Date.parse(time ?? "") / 1000);
const [told, place] = [make("p", { class: "hint" }), make("div", { class: "plot" })];
chart.append(told, place);
const plot = new Plot(place, {
	onHover: tell,
	onPick: (second) => series && showDate(secondsOf(series).indexOf(second)),
	onSelect: (period) => plot.zoom(period),
});
/** The instant on the map; empty until the server has returned the newest clear one. */
let shown = "";
let latest = new AbortController();
let dateRequest = new AbortController();

/** Returns the chosen layer: an option with attributes written by the server. */
const chosen = () => choice.selectedOptions[0];

/** @param {string} path below the server's address @param {Record<string, string | number>} query */
function addressOf(path, query) {
	const url = new URL(path, root);
	for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
	return url;
}

/** @param {Record<string, string | number>} place */
async function showSeries(place) {
	const { value: id, dataset } = chosen();
	latest.abort();
	latest = new AbortController();
	const path = `timeseries/${encodeURIComponent(id)}/point`;
	said.textContent = "Reading the series…";
	try {
		const answer = await fetch(addressOf(path, place), { signal: latest.signal });
		const body = await answer.json();
		if (!answer.ok) throw new Error(body.detail ?? `The server answered ${answer.status}.`);
		series = body;
		// Seven decimals are a centimetre: form and CSV refer to the same cell.
		const [lon, lat] = body.point.map((/** @type {number} */ degrees) => degrees.toFixed(7));
		longitude.value = lon;
		latitude.value = lat;
		csv.href = addressOf(path, { lon, lat, format: "csv" }).href;
		said.textContent = summaryOf(body, dataset.units ?? "");
		drawChart();
	} catch (error) {
		if (error instanceof DOMException && error.name === "AbortError") return;
		series = null;
		said.textContent = error instanceof Error ? error.message : String(error);
		drawChart();
	}
}

/** Returns a summary of the series. @param {Series} body @param {string} units */
function summaryOf({ times, values }, units) {
	const numbers = values.filter((value) => value !== null);
	if (numbers.length === 0) return "No values at this place.";
	const unit = units && ` ${units}`;
	if (times.length === 1) return `Value: ${numbers[0]}${unit}`;
	const range = `from ${Math.min(...numbers)} to ${Math.max(...numbers)}${unit}`;
	return `${numbers.length} values of ${times.length} dates, ${range}`;
}

function drawChart() {
	const isDrawn = series !== null && series.times.length > 1;
	chart.hidden = !isDrawn;
	steps.hidden = !isDrawn;
	if (series === null || !isDrawn) return;
	const { times, values } = series;
	const lines = [{ colour: "--accent", values }];
	plot.show({ seconds: secondsOf(series), lines, titles: [], classes: [], writeValue: String });
	tell(null);
	const ends = [times[0], times.at(-1)].map((time) => time?.slice(0, 10));
	chart.setAttribute("role", "group");
	chart.setAttribute("aria-label", `Chart of ${chosen().text} from ${ends.join(" to ")}. ${said.textContent}`);
}

/** Shows layer and unit; with date and value of the moment under the pointer. @param {number | null} second */
function tell(second) {
	const { text, dataset } = chosen();
	const at = second === null || !series ? -1 : secondsOf(series).indexOf(second);
	const value = at < 0 ? "" : `, ${series?.times[at]?.slice(0, 10)}: ${series?.values[at] ?? "no value"}`;
	told.textContent = `${dataset.units ? `${text} (${dataset.units})` : text}${value}`;
}

/** Shows the map of a date of the series. @param {number} index */
function showDate(index) {
	const time = series?.times[index];
	if (!time) return;
	nameDate(time);
	const url = new URL(chosen().dataset.picture ?? "", document.baseURI);
	url.searchParams.set("datetime", time);
	picture.src = url.href;
}

/** @param {string} time */
function nameDate(time) {
	shown = time;
	date.textContent = time.slice(0, 10);
	plot.mark([Date.parse(time) / 1000]);
}

/** Shows the date of the map while none is chosen. @param {AbortSignal} signal */
async function nameNewestDate(signal) {
	const answer = await fetch(picture.src, { method: "HEAD", signal }).catch(() => null);
	const time = answer?.headers.get("chronotile-time");
	if (time && !signal.aborted && shown === "") nameDate(time);
}

/** Goes to the next date with a value at the point, in a direction. @param {1 | -1} step */
function stepDate(step) {
	if (series === null) return;
	const { times, values } = series;
	let index = times.indexOf(shown);
	if (index < 0) index = values.length;
	do index += step;
	while (index >= 0 && index < values.length && values[index] === null);
	showDate(index);
}

/** @param {MouseEvent} event */
function pickPlace({ offsetX, offsetY }) {
	const { bbox = "", crs = "", values } = chosen().dataset;
	if (values !== "yes") return;
	const [west, south, east, north] = bbox.split(",").map(Number);
	const [across, down] = [offsetX / picture.clientWidth, offsetY / picture.clientHeight];
	putMark(across, down);
	showSeries({ x: west + across * (east - west), y: north - down * (north - south), crs });
}

/** @param {number} across share of the picture's width @param {number} down of its height */
function putMark(across, down) {
	mark.hidden = false;
	mark.style.left = `${across * 100}%`;
	mark.style.top = `${down * 100}%`;
}

/** Shows a layer at its newest clear date, with the series of the chosen point. */
function showLayer() {
	const { dataset, text } = chosen();
	picture.width = Number(dataset.width);
	picture.height = Number(dataset.height);
	picture.alt = `Map of ${text}`;
	picture.src = dataset.picture ?? "";
	picture.parentElement?.classList.toggle("picked", dataset.values === "yes");
	date.textContent = "Newest clear date";
	shown = "";
	dateRequest.abort();
	dateRequest = new AbortController();
	nameNewestDate(dateRequest.signal);
	if (dataset.values === "yes") {
		showSeries({ lon: longitude.value, lat: latitude.value });
	} else {
		latest.abort();
		series = null;
		said.textContent = "This layer has colours and no values. Choose another for a chart.";
		drawChart();
	}
}

form.hidden = false;
form.addEventListener("submit", (event) => {
	event.preventDefault();
	mark.hidden = true;
	if (chosen().dataset.values === "yes") showSeries({ lon: longitude.value, lat: latitude.value });
});
choice.addEventListener("change", showLayer);
picture.addEventListener("click", pickPlace);
find("#earlier").addEventListener("click", () => stepDate(-1));
find("#later").addEventListener("click", () => stepDate(1));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
const firstWithValues = [...choice.options].findIndex(({ dataset }) => dataset.values === "yes");
choice.selectedIndex = Math.max(0, firstWithValues);
putMark(0.5, 0.5);
showLayer();
