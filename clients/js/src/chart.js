/**
 * `<chronotile-chart server layer lon lat [datetime] [date]>`: the values of a point over time. `date` marks a date,
 * which `Layer.indexOf` finds. A click on the chart fires `chronotile-date` with `detail.date` (RFC 3339) and
 * `detail.value`. A drag zooms in time; a double click shows all dates again. `series` is the server's answer.
 *
 * Colours: `--chronotile-line`, `--chronotile-text`, `--chronotile-text-soft`, `--chronotile-grid` and
 * `--chronotile-page`. Its height is 12 rem unless the page sets another.
 *
 * @typedef {import("./layer.js").Series} Series
 * @typedef {import("./layer.js").Legend} Legend
 */

import { resolveDate } from "../../../viewer/base/dates.js";
import { make } from "../../../viewer/base/elements.js";
import { locale, pickLanguage, useTexts } from "../../../viewer/base/text.js";
import { unitText } from "../../../viewer/base/units.js";
import { Plot } from "../../../viewer/chart/plot.js";
import { nearestSecond } from "../../../viewer/chart/series/scales.js";
import css from "./chart.css";
import { define, LiveElement } from "./element.js";
import { fetchJson, urlOf } from "./request.js";
import { fetchTimes, instantsOf } from "./times.js";

/** Attributes that a request depends on. */
const REQUESTED = ["server", "layer", "lon", "lat", "datetime"];

/** @param {string | null} time */
const secondOf = (time) => Date.parse(time ?? "") / 1000;

/** @param {string} server @param {string} layer */
const legendUrl = (server, layer) => urlOf(server, `tiles/${encodeURIComponent(layer)}/legend.json`);

export class ChronotileChart extends LiveElement {
	static observedAttributes = [...REQUESTED, "date"];
	/** The server's answer; null before it arrives. @type {Series | null} */
	series = null;
	/** @type {Legend | null} */
	#legend = null;
	#legendUrl = "";
	/** Credential of the layer in `source`. @type {import("./credential.js").Credential | null} */
	#credential = null;
	#seriesUrl = "";
	/** Dates of the layer at the address. @type {{ url: string, dates: Promise<import("./times.js").Times> } | null} */
	#dates = null;
	/** Index of the marked date in the series, or -1. */
	#marked = -1;
	#title = make("div", { part: "title" });
	#words = make("p", { role: "status" });
	#place = make("div", { part: "plot", class: "chart-plot", role: "img" });
	#plot;

	constructor() {
		super(css);
		this.root.append(this.#title, this.#place, this.#words);
		useTexts(pickLanguage([document.documentElement.lang, navigator.language]), {});
		this.#plot = new Plot(this.#place, {
			onHover: (second) => this.#name(second),
			onPick: (second) => this.#pick(second),
			onSelect: (period) => this.#plot.zoom(period),
		});
	}

	/** The layer of `openLayer`, instead of `server` and `layer`. @param {import("./layer.js").Layer} layer */
	set source({ server, id, legend, times, ends, credential }) {
		this.#legend = legend;
		this.#credential = credential;
		this.#dates = { url: legendUrl(server, id).href, dates: Promise.resolve({ times, ends }) };
		this.#legendUrl = legendUrl(server, id).href;
		this.setAttribute("server", server);
		this.setAttribute("layer", id);
	}

	/** Shows the series of another point. @param {{ lon: number, lat: number }} place in degrees */
	show({ lon, lat }) {
		this.setAttribute("lon", String(lon));
		this.setAttribute("lat", String(lat));
	}

	/** @param {string} name */
	attributeChangedCallback(name) {
		// Dates change quickly, and need no request.
		if (name === "date") void this.#mark();
		else this.changed();
	}

	/** @param {AbortSignal} signal */
	async update(signal) {
		const [server, layer, lon, lat, datetime] = REQUESTED.map((name) => this.attribute(name));
		if (!layer || !lon || !lat) return this.#say("Click on the map to see the values of a place.");
		const series = urlOf(server, `timeseries/${encodeURIComponent(layer)}/point`, { lon, lat, datetime });
		const legend = legendUrl(server, layer);
		if (this.#seriesUrl === series.href) return;
		this.#say("Loading…");
		try {
			const known = this.#legendUrl === legend.href ? this.#legend : fetchJson(legend, signal, this.#credential);
			const answers = await Promise.all([fetchJson(series, signal, this.#credential), known]);
			if (signal.aborted) return;
			[this.series, this.#legend] = answers;
			[this.#seriesUrl, this.#legendUrl] = [series.href, legend.href];
			this.#draw();
			this.dispatchEvent(new CustomEvent("chronotile-series", { detail: this.series, bubbles: true, composed: true }));
		} catch (error) {
			if (!signal.aborted) this.#say(/** @type {Error} */ (error).message);
		}
	}

	/** @param {string} words "" shows the chart */
	#say(words) {
		this.#words.textContent = words;
		this.#words.hidden = words === "";
		this.#place.hidden = words !== "";
		if (words === "") return;
		this.#title.textContent = "";
		this.#seriesUrl = "";
	}

	#draw() {
		const { series } = this;
		if (!series) return;
		const [lon, lat] = series.point;
		const valid = series.values.filter((value) => value !== null).length;
		if (series.times[0] === null) return this.#say(`${this.#legend?.title}: ${series.values[0] ?? "no value"}`);
		if (valid === 0) return this.#say("No values at this place.");
		this.#say("");
		this.#place.setAttribute("aria-label", `${this.#legend?.title} at ${lon}, ${lat}: ${valid} values`);
		const classes = this.#legend?.type === "classes" ? (this.#legend.classes ?? []) : [];
		const line = { colour: "--line-colour", isStepped: classes.length > 0, values: series.values };
		this.#plot.show({
			seconds: series.times.map(secondOf),
			lines: [line],
			titles: [],
			classes,
			writeValue: (value) => value.toLocaleString(locale(), { maximumFractionDigits: 6, useGrouping: false }),
		});
		void this.#mark();
	}

	/** Marks the date of the attribute. If the series does not contain the same text, its periods are requested. */
	async #mark() {
		const [date, { series }] = [this.attribute("date"), this];
		const times = /** @type {string[]} */ (series?.times[0] === null ? [] : (series?.times ?? []));
		let index = times.indexOf(date);
		if (index < 0 && date !== "" && times.length > 0) {
			this.#marked = -1; // the previous index belongs to other dates
			this.#plot.mark([]);
			const ends = await this.#endsOf(times);
			if (date !== this.attribute("date") || series !== this.series) return;
			index = resolveDate(instantsOf({ times, ends }), date).index;
		}
		this.#marked = index;
		this.#plot.mark(index < 0 ? [] : [secondOf(times[index])]);
		this.#name(null);
	}

	/**
	 * Ends of the days and periods of dates; null if unknown.
	 * @param {string[]} times
	 * @returns {Promise<(string | null)[]>}
	 */
	async #endsOf(times) {
		const [server, layer] = [this.attribute("server"), this.attribute("layer")];
		const url = legendUrl(server, layer).href;
		if (this.#dates?.url !== url) this.#dates = { url, dates: fetchTimes(server, layer, undefined, this.#credential) };
		const { dates } = this.#dates;
		const known = await dates.catch(() => null);
		if (!known && this.#dates?.dates === dates) this.#dates = null;
		const ends = new Map(known?.times.map((time, index) => [time, known.ends[index]]));
		return times.map((time) => ends.get(time) ?? null);
	}

	/**
	 * Writes a date and its value above the chart: the date under the pointer, else the marked date.
	 * @param {number | null} second
	 */
	#name(second) {
		const at = second === null ? this.#marked : this.#indexOf(second);
		const { series } = this;
		if (!series || this.#place.hidden) return;
		const units = unitText(series.units);
		const title = `${this.#legend?.title ?? series.layer}${units ? ` (${units})` : ""}`;
		if (at < 0) this.#title.textContent = title;
		else this.#title.textContent = `${title}, ${series.times[at]?.slice(0, 10)}: ${this.#valueText(at)}`;
	}

	/** @param {number} at */
	#valueText(at) {
		const { values = [], reasons = [] } = this.series ?? {};
		return values[at]?.toLocaleString(locale(), { maximumSignificantDigits: 9 }) ?? reasons[at] ?? "no value";
	}

	/** @param {number} second */
	#indexOf(second) {
		return nearestSecond((this.series?.times ?? []).map(secondOf), second);
	}

	/** @param {number} second */
	#pick(second) {
		const at = this.#indexOf(second);
		if (!this.series || at < 0) return;
		const detail = { date: this.series.times[at], value: this.series.values[at] };
		this.dispatchEvent(new CustomEvent("chronotile-date", { detail, bubbles: true, composed: true }));
	}
}

define("chronotile-chart", ChronotileChart);
