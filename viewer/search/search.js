/**
 * The search: places by name or by coordinates, layers and areas, in a list with arrow keys (ARIA: combobox with a
 * listbox). Enter shows the marked result, Shift and Enter also charts it.
 *
 * @typedef {import("./sources.js").Result} Result
 */
import { byId, make } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { announceOutcome, dismiss, geocoder, notify, showFoundPlace } from "../base/state.js";
import { language, locale, text } from "../base/text.js";
import { parsePlace } from "./coordinates.js";
import { splitWords } from "./gazetteer.js";
import { parseGrid } from "./grids.js";
import { findAddresses, findKnown, pointResult } from "./sources.js";

const MAX_RESULTS = 8;
/** An external geocoder is requested after this pause in typing, from this number of letters on. */
const [GEOCODER_WAIT_MS, GEOCODER_LETTERS] = [400, 3];
/** Icon of each kind of result. */
const ICONS = { layer: "layers", place: "area", area: "area", country: "language", region: "language" };

/** @param {HTMLInputElement} input */
export async function startSearch(input) {
	const popup = new Popup(input);
	let asking = new AbortController();
	const look = async () => {
		const words = input.value.trim();
		asking.abort();
		asking = new AbortController();
		const { signal } = asking;
		popup.clear();
		if (words === "") {
			showFoundPlace(null);
			return;
		}
		const place = parseGrid(words) ?? parsePlace(words, language());
		const results = place ? [placeResult(place)] : await findByName(words);
		if (signal.aborted) return;
		popup.show(results, words);
		if (place || !geocoder.peek() || words.length < GEOCODER_LETTERS) return;
		await new Promise((resolve) => setTimeout(resolve, GEOCODER_WAIT_MS));
		const addresses = signal.aborted ? [] : await findAddresses(words, signal).catch(() => []);
		if (!signal.aborted && addresses.length > 0) popup.show([...results, ...addresses], words);
	};
	input.addEventListener("input", look);
	input.addEventListener("keydown", (event) => popup.onKey(event));
	input.addEventListener("blur", () => {
		asking.abort();
		popup.clear();
	});
	if (input.value !== "") await look();
}

/**
 * Returns results by name; none, with a notice, if the names cannot be loaded. The next search tries again.
 * @param {string} words
 */
async function findByName(words) {
	try {
		const matches = await findKnown(splitWords(words), MAX_RESULTS);
		dismiss("search");
		return matches;
	} catch {
		notify("search", text("search.noGazetteer"));
		return [];
	}
}

/** @param {import("../base/permalink.js").Point} place */
const placeResult = (place) =>
	pointResult(place, { name: formatPlace(place.lon, place.lat), where: "", kind: "coordinates", likeness: 3 });

/** @param {number} lon @param {number} lat */
function formatPlace(lon, lat) {
	const write = (/** @type {number} */ degrees) =>
		Math.abs(degrees).toLocaleString(locale(), { maximumFractionDigits: 5 });
	const northing = text(lat < 0 ? "search.south" : "search.north", { degrees: write(lat) });
	return `${northing}, ${text(lon < 0 ? "search.west" : "search.east", { degrees: write(lon) })}`;
}

/** The list below the field. */
class Popup {
	/** @param {HTMLInputElement} input */
	constructor(input) {
		this.input = input;
		this.frame = byId("search-popup");
		this.list = byId("search-results");
		this.message = byId("search-message");
		/** @type {Result[]} */
		this.results = [];
		this.active = -1;
		/** Whether Enter was pressed before there was a result. */
		this.isAwaited = false;
		// The field keeps the focus, or else the list would close before the press has chosen.
		this.frame.addEventListener("pointerdown", (event) => event.preventDefault());
	}

	/** @param {Result[]} results @param {string} words the query */
	show(results, words) {
		// Additional results do not move the mark.
		const marked = results[this.active] && results[this.active] === this.results[this.active] ? this.active : 0;
		this.results = results;
		this.list.replaceChildren(...results.map((result, index) => this.makeOption(result, index)));
		this.list.hidden = results.length === 0;
		this.message.hidden = results.length > 0;
		const message = text("search.none", { words });
		this.message.textContent = message;
		this.frame.hidden = false;
		this.input.setAttribute("aria-expanded", String(results.length > 0));
		announceOutcome(results.length > 0 ? text("search.count", { count: results.length }) : message);
		this.point(results.length > 0 ? marked : -1);
		if (this.isAwaited) this.choose(0);
	}

	clear() {
		this.results = [];
		this.isAwaited = false;
		this.frame.hidden = true;
		this.list.replaceChildren();
		this.input.setAttribute("aria-expanded", "false");
		this.point(-1);
	}

	/** @param {Result} result @param {number} index */
	makeOption({ name, where, kind }, index) {
		const showChart = (/** @type {Event} */ event) => {
			event.stopPropagation();
			this.choose(index, true);
		};
		const acts = { onclick: () => this.choose(index), onpointermove: () => this.point(index) };
		return make(
			"div",
			{ id: `search-result-${index}`, role: "option", ...acts },
			makeIcon(/** @type {Record<string, string>} */ (ICONS)[kind] ?? "pin"),
			make("span", {}, name),
			make("span", { class: "hint" }, [where, text(`search.kind.${kind}`)].filter(Boolean).join(" · ")),
			make("span", { class: "arrow" }, makeIcon("chevron-right")),
			make("span", { class: "chart-here", title: text("search.chart"), onclick: showChart }, makeIcon("chart")),
		);
	}

	/** Marks the option that Enter takes. @param {number} index */
	point(index) {
		this.active = index;
		for (const [each, option] of [...this.list.children].entries()) {
			option.setAttribute("aria-selected", String(each === index));
		}
		if (index < 0) this.input.removeAttribute("aria-activedescendant");
		else this.input.setAttribute("aria-activedescendant", `search-result-${index}`);
		this.list.children[index]?.scrollIntoView({ block: "nearest" });
	}

	/** Shows a result; the map has the keyboard then. @param {number} index @param {boolean} [isCharted] */
	choose(index, isCharted = false) {
		const result = this.results[index];
		if (!result) return;
		this.input.value = result.name;
		this.clear();
		byId("map").focus({ preventScroll: true });
		showFoundPlace(null);
		const done = (async () => {
			await result.show();
			if (isCharted) await result.chart();
			announceOutcome(text("search.shown", { name: result.name }));
		})();
		done.catch((error) => notify("search", error.message));
	}

	/** @param {KeyboardEvent} event */
	onKey(event) {
		const count = this.results.length;
		if (event.key === "Enter" && count === 0) this.isAwaited = this.input.value.trim() !== "";
		else if (event.key === "Enter") this.choose(this.active, event.shiftKey);
		else if (event.key === "Escape" && !this.frame.hidden) this.clear();
		else if (event.key === "ArrowDown" && count > 0) this.point((this.active + 1) % count);
		else if (event.key === "ArrowUp" && count > 0) this.point((this.active + count - 1) % count);
		else return;
		event.preventDefault();
	}
}
