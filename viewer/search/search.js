/**
 * The search: places by name or by coordinates, in a list that the arrows go through (ARIA: combobox with a listbox).
 *
 * @typedef {{ name: string, note: string, lon: number, lat: number, zoom: number }} Result
 */
import { fetchTowns, once } from "../base/api.js";
import { makeIcon } from "../base/icons.js";
import { destination, dismiss, foundPlace, layer, notify, outcome, view } from "../base/state.js";
import { language, locale, text } from "../base/text.js";
import { parsePlace } from "./coordinates.js";
import { openGazetteer } from "./gazetteer.js";

const MAX_RESULTS = 8;
/** Of places given by their coordinates, unless the map is nearer already. */
const LEAST_ZOOM = 11;

/** @typedef {ReturnType<typeof openGazetteer>} Find */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {HTMLInputElement} input */
export async function startSearch(input) {
	const popup = new Popup(input);
	void loadGazetteer();
	const look = async () => {
		const words = input.value.trim();
		popup.clear();
		if (words === "") {
			foundPlace.value = null;
			return;
		}
		const place = parsePlace(words, language());
		const results = place ? [placeResult(place)] : namedResults(await loadGazetteer(), words);
		if (input.value.trim() === words) popup.show(results, words);
	};
	input.addEventListener("input", look);
	input.addEventListener("keydown", (event) => popup.onKey(event));
	input.addEventListener("blur", () => popup.clear());
	if (input.value !== "") await look();
}

/** @type {() => Promise<Find>} */
const openOnce = once(async () => openGazetteer(await fetchTowns()));

/** What finds places by name; finds none, and says why, when the names cannot be loaded. Asking again tries again. @returns {Promise<Find>} */
async function loadGazetteer() {
	try {
		const find = await openOnce();
		dismiss("search");
		return find;
	} catch {
		notify("search", text("search.noGazetteer"));
		return () => [];
	}
}

/** @param {import("../base/permalink.js").Point} place @returns {Result} */
const placeResult = ({ lon, lat }) => ({
	name: formatPlace(lon, lat),
	note: text("search.coordinates"),
	lon,
	lat,
	zoom: Math.max(LEAST_ZOOM, view.peek()?.zoom ?? 0),
});

/** @param {number} lon @param {number} lat */
function formatPlace(lon, lat) {
	const write = (/** @type {number} */ degrees) =>
		Math.abs(degrees).toLocaleString(locale(), { maximumFractionDigits: 5 });
	const northing = text(lat < 0 ? "search.south" : "search.north", { degrees: write(lat) });
	return `${northing}, ${text(lon < 0 ? "search.west" : "search.east", { degrees: write(lon) })}`;
}

/** @param {Find} find @param {string} words @returns {Result[]} */
function namedResults(find, words) {
	const countries = new Intl.DisplayNames([locale()], { type: "region" });
	return find(words, MAX_RESULTS, layer.peek()?.bbox).map(({ country, ...place }) => ({
		...place,
		note: countries.of(country) ?? country,
	}));
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
		// The field keeps the focus, or else the list would close before the press has chosen.
		this.frame.addEventListener("pointerdown", (event) => event.preventDefault());
	}

	/** @param {Result[]} results @param {string} words what was looked for */
	show(results, words) {
		this.results = results;
		this.list.replaceChildren(...results.map((result, index) => this.makeOption(result, index)));
		this.list.hidden = results.length === 0;
		this.message.hidden = results.length > 0;
		const message = text("search.none", { words });
		this.message.textContent = message;
		this.frame.hidden = false;
		this.input.setAttribute("aria-expanded", String(results.length > 0));
		outcome.value = results.length > 0 ? text("search.count", { count: results.length }) : message;
		this.point(results.length > 0 ? 0 : -1);
	}

	clear() {
		this.results = [];
		this.frame.hidden = true;
		this.list.replaceChildren();
		this.input.setAttribute("aria-expanded", "false");
		this.point(-1);
	}

	/** @param {Result} result @param {number} index */
	makeOption(result, index) {
		const option = document.createElement("div");
		option.id = `search-result-${index}`;
		option.setAttribute("role", "option");
		const [name, note] = [document.createElement("span"), document.createElement("span")];
		name.textContent = result.name;
		note.className = "hint";
		note.textContent = result.note;
		option.append(makeIcon("pin"), name, note);
		option.addEventListener("click", () => this.choose(index));
		option.addEventListener("pointermove", () => this.point(index));
		return option;
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

	/** @param {number} index */
	choose(index) {
		const result = this.results[index];
		if (!result) return;
		const { name, lon, lat, zoom } = result;
		this.input.value = name;
		this.clear();
		foundPlace.value = { name, lon, lat };
		destination.value = { view: { lon, lat, zoom } };
		outcome.value = text("search.shown", { name });
	}

	/** @param {KeyboardEvent} event */
	onKey(event) {
		const count = this.results.length;
		if (event.key === "Enter" && count > 0) this.choose(this.active);
		else if (event.key === "Escape" && !this.frame.hidden) this.clear();
		else if (event.key === "ArrowDown" && count > 0) this.point((this.active + 1) % count);
		else if (event.key === "ArrowUp" && count > 0) this.point((this.active + count - 1) % count);
		else return;
		event.preventDefault();
	}
}
