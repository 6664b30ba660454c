/**
 * The places of the chart, a chip each: number, colour and name, its value at a date, how far its series is, and a menu
 * to hide, keep, rename and remove it.
 *
 * @typedef {import("../base/state.js").Place} Place
 * @typedef {import("./series/lines.js").Line} Line
 * @typedef {import("../areas/measured-series.js").Measured} Measured
 */
import { measured } from "../areas/measured-series.js";
import { Problem } from "../base/api.js";
import { DAY_MS } from "../base/dates.js";
import { make, makeIconButton, makeWordButton } from "../base/elements.js";
import { editName } from "../base/name-field.js";
import { changePlace, instant, placeNumber, places, removePlace } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { makePopover, toggleBy } from "../time/popover.js";
import { effect } from "../vendor/signals-core.js";
import { measuredLabel, placeName, valueText } from "./series/line-labels.js";
import { askForLess, lines, pointOf, reducer, retryFailed } from "./series/lines.js";
import { formatExact } from "./series/series.js";

/**
 * @typedef {{ name: string, index: number }} Moment a date of a line, and the name of its side if there are two
 */

/**
 * @param {HTMLElement} list
 * @param {import("@preact/signals-core").ReadonlySignal<(line: Line) => Moment[]>} momentsOf the dates of a line
 *   whose values are shown
 * @param {import("@preact/signals-core").ReadonlySignal<number | null>} hovered seconds since 1970
 */
export function startChips(list, momentsOf, hovered) {
	/** @type {Map<string, Row>} */
	const rows = new Map();
	effect(() => {
		const now = places.value;
		for (const [id, row] of rows) {
			if (now.some((place) => place.id === id)) continue;
			row.element.remove();
			rows.delete(id);
		}
		for (const place of now) {
			const row = rows.get(place.id) ?? new Row(place, () => focusAfter(list, rows, place.id));
			rows.set(place.id, row);
			row.show(place);
			list.append(row.element);
		}
	});
	/** @type {HTMLElement[]} */
	let otherLines = [];
	effect(() => {
		void places.value;
		const second = hovered.value ?? (instant.value?.ms ?? 0) / 1000;
		for (const each of otherLines) each.remove();
		otherLines = measured.value.map((each, at) => measuredChip(each, at, second * 1000));
		list.append(...otherLines);
	});
	effect(() => {
		const [all, moments, kind] = [lines.value, momentsOf.value, reducer.value];
		for (const [id, row] of rows) {
			const placeLines = all.filter(({ place }) => place.id === id);
			const told = placeLines.flatMap((line) =>
				moments(line).map(({ name, index }) => [name, valueText(line, index, kind)]),
			);
			row.tell(told.filter(([, words]) => words !== "").map((parts) => parts.join(" ").trim()));
			row.report(placeLines);
		}
	});
}

/**
 * Returns the chip of a measured series, with its value of the same day.
 * @param {Measured} of
 * @param {number} at
 * @param {number} ms
 */
function measuredChip(of, at, ms) {
	const day = (/** @type {number} */ time) => Math.floor(time / DAY_MS);
	const value = of.values[of.times.findIndex((time) => day(time) === day(ms))];
	const remove = () => {
		measured.value = measured.peek().filter((each) => each !== of);
	};
	return make(
		"li",
		{ class: "place measured" },
		make("span", { class: "place-letter" }, measuredLabel(at)),
		make("span", { class: "place-name", title: of.name }, of.name),
		make("span", { class: "place-value" }, value === undefined ? "" : formatExact(value, locale())),
		make("span", { class: "place-state" }, text("chart.measured")),
		makeIconButton("close", text("chart.removeMeasured", { name: of.name }), remove),
	);
}

/**
 * Moves the focus after the place with the focus was removed.
 * @param {HTMLElement} list
 * @param {Map<string, Row>} rows
 * @param {string} id
 */
function focusAfter(list, rows, id) {
	const ids = [...rows.keys()];
	const at = ids.indexOf(id);
	removePlace(id);
	const next = rows.get(ids[at + 1] ?? ids[at - 1] ?? "");
	if (next) next.menu.focus();
	else if (!list.firstElementChild) document.getElementById("map")?.focus();
}

/**
 * @typedef
 *   {{ kind: "failed" | "loading" | "note" | "exact" | "none", words: string, button?: { label: string, run: () =>
 *   void } }}
 *   State
 */

/** @param {Line[]} own the lines of one place @returns {State} */
function stateOf(own) {
	const failed = own.find(({ phase }) => phase === "failed");
	if (failed) {
		const words = text("chart.seriesFailed", { why: failed.error?.message ?? "" });
		return { kind: "failed", words, button: remedyOf(failed) };
	}
	if (own.some(({ phase }) => phase === "loading")) {
		const isThere = own.some(({ isFromMap }) => isFromMap);
		return { kind: "loading", words: text(isThere ? "chart.fromMap" : "chart.loading") };
	}
	const note = own.map(({ table }) => table?.note ?? "").find((words) => words !== "");
	if (note) return { kind: "note", words: note };
	const eased = own.find(({ asked }) => asked.isSimplified || asked.parameters.datetime)?.asked;
	if (eased?.parameters.datetime)
		return { kind: "note", words: text("chart.exactOfYear", { year: eased.parameters.datetime }) };
	if (eased) return { kind: "note", words: text("chart.simplified") };
	return own.length > 0 ? { kind: "exact", words: text("chart.exact") } : { kind: "none", words: "" };
}

/**
 * Returns the remedy: a smaller request after one that was too large, or a retry unless the request itself was refused.
 * @param {Line} failed
 * @returns {State["button"]}
 */
function remedyOf(failed) {
	const { error, place, side, asked } = failed;
	const limit = error instanceof Problem ? error.limit : undefined;
	const year = side.instant.peek()?.text.slice(0, 4);
	if (limit?.name === "max_vertices" && !asked.isSimplified) {
		return { label: text("chart.simplify"), run: () => askForLess(failed, { corners: limit.allowed }) };
	}
	if (limit && year && !asked.parameters.datetime && !pointOf(place)) {
		return { label: text("chart.onlyYear", { year }), run: () => askForLess(failed, { year }) };
	}
	const isRefused = error instanceof Problem && error.status >= 400 && error.status < 500;
	return isRefused ? undefined : { label: text("action.tryAgain"), run: retryFailed };
}

class Row {
	/** @param {Place} place @param {() => void} remove */
	constructor(place, remove) {
		const { id } = place;
		this.place = place;
		this.number = make("span", {});
		this.badge = make("button", { class: "place-badge", onclick: () => this.toggle() }, this.number);
		this.name = make("span", { class: "place-name" });
		this.value = make("span", { class: "place-value" });
		this.state = make("span", { class: "place-state" });
		this.menu = makeIconButton("more", "", () => {}, { "aria-haspopup": "dialog", "aria-expanded": "false" });
		this.element = make("li", { class: "place" }, this.badge, this.name, this.value, this.state, this.menu);
		this.element.style.setProperty("--place", `var(${place.colour})`);
		this.popover = makePopover("place-menu", { label: "", host: this.element });
		const makeChoice = (/** @type {string} */ icon, /** @type {string} */ words, /** @type {() => void} */ choose) => {
			const run = () => {
				this.popover.close();
				choose();
			};
			return this.popover.element.appendChild(makeWordButton(icon, words, run, { class: "quiet" }));
		};
		this.hide = makeChoice("eye-off", "", () => this.toggle());
		this.keep = makeChoice("pin", "", () => changePlace(id, { isKept: !this.place.isKept }));
		makeChoice("edit", text("chart.rename"), () => this.edit());
		makeChoice("trash", text("chart.remove"), remove);
		toggleBy(this.menu, this.popover, () => this.hide.focus());
	}

	/** @param {Place} place */
	show(place) {
		this.place = place;
		const name = placeName(place);
		this.name.textContent = name;
		this.name.title = name;
		this.number.textContent = String(placeNumber(place));
		this.badge.setAttribute("aria-pressed", String(place.isShown));
		this.badge.setAttribute("aria-label", text("chart.show", { name, number: placeNumber(place) }));
		this.badge.title = text(place.isShown ? "chart.hideHint" : "chart.showHint");
		this.keep.hidden = !pointOf(place) || place.isSaved;
		this.menu.title = this.menu.ariaLabel = this.popover.element.ariaLabel = text("chart.placeMenu", { name });
		this.hide.lastElementChild?.replaceChildren(text(place.isShown ? "chart.hideHint" : "chart.showHint"));
		this.keep.lastElementChild?.replaceChildren(text(place.isKept ? "chart.keepNot" : "chart.keep"));
		this.element.dataset.shown = String(place.isShown);
	}

	toggle() {
		changePlace(this.place.id, { isShown: !this.place.isShown });
	}

	/** @param {string[]} values one per side */
	tell(values) {
		const words = values.join(" · ");
		if (this.value.textContent !== words) this.value.textContent = words;
	}

	/** How far its series are. @param {Line[]} own */
	report(own) {
		const { kind, words, button } = stateOf(own);
		if (this.state.dataset.kind === kind && this.state.dataset.words === words) return;
		Object.assign(this.state.dataset, { kind, words });
		this.state.replaceChildren(words);
		if (button) this.state.append(" ", make("button", { class: "link", onclick: button.run }, button.label));
	}

	edit() {
		const { id } = this.place;
		editName(this.name, placeName(this.place), { "aria-label": text("chart.name") }, (name) => {
			if (name !== null && name !== placeName(this.place)) changePlace(id, { name, isKept: true });
			this.menu.focus();
		});
	}
}
