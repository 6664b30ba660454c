/**
 * The calendar: a grid of the days of a month, with days with data that can be chosen, and a field to type a date into.
 * Loaded when it is first opened. Keys are those of the ARIA date grid.
 *
 * @typedef {import("./month.js").DayData} DayData
 * @typedef {import("./popover.js").Popover} Popover
 */

import { DATE_FIELD } from "../base/date-field.js";
import { addMonths, DAY_MS, formatInstant, formatNamed, parseTyped, resolveDate, yearsOf } from "../base/dates.js";
import { make, makeButton, runKey } from "../base/elements.js";
import { chooseTime, notify, sideA } from "../base/state.js";
import { locale, percent, text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";
import { dayOf, daysOf, firstDayOfWeek, placeInWeek, weeksOf } from "./month.js";
import { goTo } from "./playback.js";
import { makePopover, toggleBy } from "./popover.js";
import { shares } from "./shares.js";

/** @param {Intl.DateTimeFormatOptions} parts */
const writer = (parts) => {
	const format = new Intl.DateTimeFormat(locale(), { ...parts, timeZone: "UTC" });
	return (/** @type {number} */ ms) => format.format(ms);
};

/** @typedef {import("../base/state.js").Side} Side */

/**
 * Makes the calendar of a button that shows a date.
 * @param {HTMLButtonElement} button
 * @param {{ sideOf?: () => Side, host?: HTMLElement, before?: Node[] }} [how] side of the dates, parent element, and
 *   elements above the calendar
 * @returns {() => void} opens it
 */
export function startCalendar(button, { sideOf = () => sideA, host, before = [] } = {}) {
	const home = host ?? /** @type {HTMLElement} */ (button.closest("section"));
	const popover = makePopover("calendar", { label: text("calendar.title"), host: home });
	popover.element.append(...before);
	const calendar = new Calendar(popover, sideOf);
	return toggleBy(button, popover, () => calendar.show());
}

class Calendar {
	/** @param {Popover} popover @param {() => Side} sideOf */
	constructor(popover, sideOf) {
		this.popover = popover;
		this.sideOf = sideOf;
		this.strip = popover.element.parentElement?.querySelector(".strip");
		this.firstDay = firstDayOfWeek(locale());
		/** The day that has, or would have, the focus. */
		this.focused = signal(0);
		/** @type {Map<number, DayData>} */
		this.days = new Map();
		this.typed = this.makeTyped();
		const onchange = () => this.chooseMonth();
		this.month = make("select", { class: "grow", "aria-label": text("calendar.month"), onchange });
		this.year = make("select", { "aria-label": text("time.year"), onchange });
		const onkeydown = (/** @type {KeyboardEvent} */ event) => this.pressKey(event);
		this.grid = make("table", { role: "grid", class: "days", onkeydown });
		this.times = make("div", { class: "times" });
		this.years = makeButton(text("lens.title"), () => this.showYears());
		// Explanation of the marks.
		const key = make("p", { class: "hint key" }, make("span", { class: "mark" }), text("calendar.key"));
		popover.element.append(this.typed.form, this.makeHead(), this.grid, this.times, key, this.years);
		effect(() => {
			const { instants, validShares } = this.sideOf().timeDomain.value;
			popover.element.toggleAttribute("data-undated", instants.length === 0);
			this.days = daysOf(instants, this.sideOf() === sideA ? shares.value : validShares);
			if (popover.isOpen()) this.draw();
		});
		effect(() => {
			this.sideOf().instant.value;
			if (popover.isOpen()) this.draw();
		});
	}

	/** Opens at the date that the map shows, with the focus on its day. */
	show() {
		const day = dayOf(this.sideOf().instant.peek()?.ms ?? 0);
		this.typed.field.value = new Date(day).toISOString().slice(0, 10);
		this.typed.fault.textContent = "";
		this.moveTo(day);
	}

	makeTyped() {
		const fault = make("p", { class: "fault", role: "alert", id: `calendar-fault-${this.sideOf().id}` });
		const field = make("input", { ...DATE_FIELD, "aria-describedby": fault.id });
		const onsubmit = (/** @type {SubmitEvent} */ event) => {
			event.preventDefault();
			this.goToTyped(field.value);
		};
		const go = make("button", { type: "submit" }, text("calendar.go"));
		const label = make("label", {}, text("calendar.type"), field);
		return { form: make("form", { class: "typed", onsubmit }, label, go, fault), field, fault };
	}

	/**
	 * Goes to the typed date or the period that contains it, else to the nearest date with a message.
	 * @param {string} typed
	 */
	goToTyped(typed) {
		const { field, fault } = this.typed;
		const asked = parseTyped(typed, locale());
		field.setAttribute("aria-invalid", String(asked === null));
		fault.textContent = asked === null ? text("calendar.notADate") : "";
		if (asked === null) return;
		const side = this.sideOf();
		const { instants } = side.timeDomain.peek();
		const { index, exact } = resolveDate(instants, asked);
		this.popover.close();
		this.goTo(index);
		if (exact) return;
		const [nearest, title] = [formatInstant(instants[index], locale()), side.layer.peek()?.title ?? ""];
		notify("date", text("link.noDataThen", { asked: formatNamed(asked, locale()) ?? asked, layer: title, nearest }));
	}

	/** Makes the lists of months and years, and the buttons for the months before and after. */
	makeHead() {
		const step = (/** @type {-1 | 1} */ months) => {
			const label = text(months < 0 ? "calendar.previousMonth" : "calendar.nextMonth");
			const onclick = () => this.move(addMonths(this.focused.peek(), months));
			const how = { class: "icon", "aria-label": label, onclick };
			return make("button", how, months < 0 ? "‹" : "›");
		};
		return make("div", { class: "month-head" }, step(-1), this.month, this.year, step(1));
	}

	/** Shows the month of the two lists. */
	chooseMonth() {
		const now = new Date(this.focused.peek());
		const years = Number(this.year.value) - now.getUTCFullYear();
		this.move(addMonths(this.focused.peek(), years * 12 + Number(this.month.value) - now.getUTCMonth()));
	}

	/** Shows the date of the map in the year lens, which replaces the calendar. */
	async showYears() {
		const { showLens } = await import("./lens.js");
		const strip = /** @type {HTMLElement} */ (this.strip);
		const { left, width } = this.popover.element.getBoundingClientRect();
		this.popover.close();
		showLens(strip, sideA.timeIndex.peek(), left + width / 2);
	}

	/** Shows another month without the focus going there. @param {number} day */
	move(day) {
		this.focused.value = day;
		this.draw();
	}

	/** Shows a day, with the focus on it. @param {number} day */
	moveTo(day) {
		this.move(day);
		this.focusDay();
	}

	draw() {
		this.years.hidden = !this.strip || yearsOf(sideA.timeDomain.peek().instants).length < 2;
		const day = new Date(this.focused.peek());
		const [year, month] = [day.getUTCFullYear(), day.getUTCMonth()];
		this.drawChoices(year, month);
		const name = writer({ month: "long", year: "numeric" })(day.getTime());
		const caption = make("caption", { class: "unseen" }, name);
		const weeks = weeksOf(year, month, this.firstDay);
		const rows = weeks.map((week) => make("tr", {}, ...week.map((ms) => this.dayCell(ms, month))));
		this.grid.replaceChildren(caption, this.headRow(weeks[0]), make("tbody", {}, ...rows));
		this.drawTimes();
	}

	/** @param {number} year @param {number} month */
	drawChoices(year, month) {
		const withData = new Set([...this.days.keys()].map((ms) => new Date(ms).toISOString().slice(0, 7)));
		const years = [...new Set([...withData].map((each) => Number(each.slice(0, 4))).concat(year))].sort(
			(a, b) => a - b,
		);
		const nameOf = writer({ month: "long" });
		this.year.replaceChildren(...years.map((each) => new Option(String(each), String(each), false, each === year)));
		this.month.replaceChildren(
			...Array.from({ length: 12 }, (_, each) => {
				const option = new Option(nameOf(Date.UTC(2024, each, 1)), String(each), false, each === month);
				const name = `${String(year).padStart(4, "0")}-${String(each + 1).padStart(2, "0")}`;
				option.disabled = each !== month && !withData.has(name);
				return option;
			}),
		);
	}

	/** @param {number[]} week any */
	headRow(week) {
		const [short, long] = [writer({ weekday: "short" }), writer({ weekday: "long" })];
		const cells = week.map((ms) => make("th", { scope: "col", abbr: long(ms) }, short(ms).slice(0, 2)));
		return make("thead", {}, make("tr", {}, ...cells));
	}

	/** @param {number} ms @param {number} month that is shown */
	dayCell(ms, month) {
		const data = this.days.get(ms);
		const shown = this.sideOf().instant.peek();
		const how = {
			role: "gridcell",
			tabindex: ms === this.focused.peek() ? 0 : -1,
			class: new Date(ms).getUTCMonth() === month ? "" : "outside",
			"aria-disabled": String(!data),
			"aria-selected": String(shown !== null && dayOf(shown.ms) === ms),
			"aria-label": this.dayLabel(ms, data),
			"data-day": ms,
			"data-cloudy": data?.share === 0 && "true",
			onclick: () => this.choose(ms),
		};
		const cell = make("td", how, String(new Date(ms).getUTCDate()));
		if (data) cell.style.setProperty("--share", String(data.share ?? 1));
		return cell;
	}

	/** @param {number} ms @param {DayData | undefined} data */
	dayLabel(ms, data) {
		const date = writer({ weekday: "long", day: "numeric", month: "long", year: "numeric" })(ms);
		if (!data) return text("calendar.noData", { date });
		const share = data.share === null ? date : text("time.dateWithShare", { date, share: percent(data.share) });
		return data.count === 1 ? share : text("calendar.severalTimes", { date: share, count: data.count });
	}

	/** Shows the times of the current day, if it has several. */
	drawTimes() {
		const { timeDomain, timeIndex, instant } = this.sideOf();
		const { instants } = timeDomain.peek();
		const data = this.days.get(dayOf(instant.peek()?.ms ?? 0));
		const timeOf = writer({ hour: "2-digit", minute: "2-digit" });
		const count = data && data.count > 1 ? data.count : 0;
		this.times.replaceChildren(
			...Array.from({ length: count }, (_, offset) => {
				const index = (data?.index ?? 0) + offset;
				const isShown = index === timeIndex.peek();
				const how = { "aria-pressed": String(isShown), onclick: () => this.goTo(index) };
				return make("button", how, timeOf(instants[index].ms));
			}),
		);
	}

	/** @param {number} index */
	goTo(index) {
		const side = this.sideOf();
		if (side === sideA) goTo(index);
		else chooseTime(index, side);
	}

	focusDay() {
		const cell = this.grid.querySelector(`[data-day="${this.focused.peek()}"]`);
		if (cell instanceof HTMLElement) cell.focus();
	}

	/**
	 * Takes a day that has data: the map shows it; with several times, the calendar stays for one to be chosen.
	 * @param {number} ms
	 */
	choose(ms) {
		const data = this.days.get(ms);
		if (!data) return;
		this.goTo(data.index);
		if (data.count === 1) this.popover.close();
		else this.moveTo(ms);
	}

	/** @param {KeyboardEvent} event */
	pressKey(event) {
		const day = this.focused.peek();
		const months = event.shiftKey ? 12 : 1;
		const place = placeInWeek(day, this.firstDay);
		const goTo = (/** @type {number} */ other) => () => this.moveTo(other);
		runKey(event, {
			ArrowLeft: goTo(day - DAY_MS),
			ArrowRight: goTo(day + DAY_MS),
			ArrowUp: goTo(day - 7 * DAY_MS),
			ArrowDown: goTo(day + 7 * DAY_MS),
			Home: goTo(day - place * DAY_MS),
			End: goTo(day + (6 - place) * DAY_MS),
			PageUp: goTo(addMonths(day, -months)),
			PageDown: goTo(addMonths(day, months)),
			Enter: () => this.choose(day),
			" ": () => this.choose(day),
		});
	}
}
