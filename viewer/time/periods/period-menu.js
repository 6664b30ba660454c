/**
 * The menu next to the date: single dates or maps of dekads, months, seasons or years, the method of periods, and the
 * period within a year.
 */
import { formatInstant, formatPartOfYear } from "../../base/dates.js";
import { make } from "../../base/elements.js";
import { instant, sideA, timeDomain, timeIndex } from "../../base/state.js";
import { locale, text } from "../../base/text.js";
import { effect, signal } from "../../vendor/signals-core.js";
import { goTo } from "../playback.js";
import { makePopover, toggleBy } from "../popover.js";
import { choosePeriod, METHODS, methodsOf, period, SLOTS, startGrouping } from "./grouping.js";

/** @typedef {import("./grouping.js").Slot} Slot */

/** @param {HTMLButtonElement} button @param {boolean} isOpened whether it was pressed before this was loaded */
export function startPeriods(button, isOpened) {
	startGrouping();
	const host = /** @type {HTMLElement} */ (button.closest("section"));
	const popover = makePopover("periods", { label: text("period.choose"), host });
	const grid = makeGrid(() => popover.close());
	popover.element.append(makeSlots(), makeMethods(), grid.element);
	effect(() => {
		button.textContent = text(`period.${period.value?.slot ?? "date"}`);
	});
	const show = toggleBy(button, popover, () => {
		grid.show();
		const chosen = popover.element.querySelector("input:checked");
		if (chosen instanceof HTMLElement) chosen.focus();
	});
	if (isOpened) show();
}

/**
 * Makes radio buttons.
 * @template {string} T @param {string} words @param {readonly T[]} values @param {(value: T) => string} wordsOf
 * @param {() => T | undefined} chosen reads signals @param {(value: T) => void} choose
 */
function makeRadios(words, values, wordsOf, chosen, choose) {
	const rows = values.map((value) => {
		const field = make("input", { type: "radio", name: words, value, onchange: () => choose(value) });
		effect(() => {
			field.checked = value === chosen();
		});
		return make("label", {}, field, make("span", {}, wordsOf(value)));
	});
	return { element: make("fieldset", { class: "radios" }, make("legend", {}, words), ...rows), rows };
}

const makeSlots = () =>
	makeRadios(
		text("period.mapOf"),
		/** @type {const} */ (["date", ...SLOTS]),
		(value) => text(`period.${value}`),
		() => period.value?.slot ?? "date",
		(value) => choosePeriod(value === "date" ? null : { slot: value, method: period.peek()?.method ?? "latest" }),
	).element;

function makeMethods() {
	const { element, rows } = makeRadios(
		text("period.method"),
		METHODS,
		(value) => text(`method.${value}`),
		() => period.value?.method,
		(method) => choosePeriod({ slot: period.peek()?.slot ?? "month", method }),
	);
	element.classList.add("methods");
	effect(() => {
		element.hidden = period.value === null;
		const able = methodsOf(sideA);
		for (const [at, row] of rows.entries()) row.hidden = !able.includes(METHODS[at]);
	});
	return element;
}

/** Makes the list of the periods of a year, or of all years. @param {() => void} close */
function makeGrid(close) {
	const shown = signal(0);
	const chooseYear = () => {
		shown.value = Number(year.value);
	};
	const year = make("select", { "aria-label": text("time.year"), onchange: chooseYear });
	const cells = make("div", { class: "cells" });
	const group = { class: "period-grid", role: "group", "aria-label": text("period.choose") };
	const element = make("div", group, year, cells);
	/** @param {import("../../base/dates.js").Instant} each */
	const yearOf = ({ end }) => new Date(end - 1).getUTCFullYear();
	const show = () => {
		void timeDomain.value;
		const now = instant.peek();
		if (now) shown.value = yearOf(now);
	};
	effect(show);
	effect(() => {
		const { instants, periods } = timeDomain.value;
		element.hidden = !periods || period.value === null;
		if (!periods) return;
		const years = [...new Set(instants.map(yearOf))];
		year.hidden = periods.slot === "year";
		year.replaceChildren(...years.map((each) => new Option(String(each), String(each), false, each === shown.value)));
		cells.dataset.slot = periods.slot;
		cells.replaceChildren(
			...instants.flatMap((each, index) => {
				if (!year.hidden && yearOf(each) !== shown.value) return [];
				const words = formatInstant(each, locale(), "short");
				const onclick = () => {
					close();
					goTo(index);
				};
				const how = { "aria-label": words, "aria-pressed": String(index === timeIndex.value), onclick };
				return [make("button", how, formatPartOfYear(each, locale(), "short") || words)];
			}),
		);
	});
	return { element, show };
}
