/**
 * The date selector: previous and next, year and date, and a strip with one bar a date; only dates that exist.
 */
import { formatDayOfYear, stepMonths, yearsOf } from "./dates.js";
import { chooseTime, instant, layer, retryTimes, shownDate, timeDomain, timeIndex } from "./state.js";
import { text } from "./text.js";
import { effect } from "./vendor/signals-core.js";

/** Half the width of the slider's handle, in CSS pixels; app.css has the whole. */
const HANDLE_PX = 7;
const MIN_YEAR_LABEL_PX = 38;

/** @typedef {{ year: number, first: number, count: number }} Year */

/** @param {HTMLElement} root */
export function startTimeline(root) {
	const find = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
	const parts = {
		previous: /** @type {HTMLButtonElement} */ (find("[data-part=previous]")),
		next: /** @type {HTMLButtonElement} */ (find("[data-part=next]")),
		year: /** @type {HTMLSelectElement} */ (find("[data-part=year]")),
		date: /** @type {HTMLSelectElement} */ (find("[data-part=date]")),
		strip: /** @type {HTMLElement} */ (find("[data-part=strip]")),
		bars: /** @type {HTMLCanvasElement} */ (find("[data-part=bars]")),
		slider: /** @type {HTMLInputElement} */ (find("[data-part=slider]")),
		message: /** @type {HTMLElement} */ (find("[data-part=message]")),
		retry: /** @type {HTMLButtonElement} */ (find("[data-part=retry]")),
		controls: /** @type {HTMLElement} */ (find("[data-part=controls]")),
	};
	/** @type {Year[]} */
	let years = [];
	parts.previous.addEventListener("click", () => chooseTime(timeIndex.peek() - 1));
	parts.next.addEventListener("click", () => chooseTime(timeIndex.peek() + 1));
	parts.retry.addEventListener("click", retryTimes);
	parts.date.addEventListener("change", () => chooseTime(Number(parts.date.value)));
	parts.slider.addEventListener("input", () => chooseTime(Number(parts.slider.value)));
	parts.slider.addEventListener("keydown", (event) => {
		const months = { PageUp: 1, PageDown: -1 }[event.key];
		if (months === undefined) return;
		event.preventDefault();
		chooseTime(stepMonths(timeDomain.peek().instants, timeIndex.peek(), months));
	});
	parts.year.addEventListener("change", () => {
		const to = years.find(({ year }) => String(year) === parts.year.value);
		if (to) chooseTime(sameTimeOfYear(to));
	});

	effect(() => {
		root.hidden = layer.value === null;
	});
	effect(() => {
		const { phase, why, instants } = timeDomain.value;
		years = yearsOf(instants);
		const messages = { loading: text.loadingTimes, failed: text.timesFailed(why), ready: text.noDates };
		parts.message.textContent = messages[phase];
		parts.message.hidden = phase === "ready" && instants.length > 0;
		parts.retry.hidden = phase !== "failed";
		parts.controls.hidden = instants.length === 0;
		parts.strip.hidden = instants.length < 2;
		parts.slider.max = String(Math.max(0, instants.length - 1));
		parts.year.replaceChildren(...years.map(({ year }) => new Option(String(year), String(year))));
		drawBars(parts.bars, years);
	});
	effect(() => showTime(parts, years));
	new ResizeObserver(() => drawBars(parts.bars, years)).observe(parts.strip);
	window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawBars(parts.bars, years));
}

/** @param {Year} to index of that year's date nearest in the year to the one shown */
function sameTimeOfYear({ year, first, count }) {
	const { instants } = timeDomain.peek();
	const wanted = new Date(instant.peek()?.ms ?? 0);
	wanted.setUTCFullYear(year);
	const indices = Array.from({ length: count }, (_, offset) => first + offset);
	const distance = (/** @type {number} */ index) => Math.abs(instants[index].ms - wanted.getTime());
	return indices.reduce((best, index) => (distance(index) < distance(best) ? index : best), first);
}

/**
 * @param {{ previous: HTMLButtonElement, next: HTMLButtonElement, year: HTMLSelectElement, date: HTMLSelectElement, slider: HTMLInputElement }} parts
 * @param {Year[]} years
 */
function showTime(parts, years) {
	const index = timeIndex.value;
	const { instants, validShares } = timeDomain.value;
	if (index < 0) return;
	parts.previous.disabled = index === 0;
	parts.next.disabled = index === instants.length - 1;
	const year = years.findLast(({ first }) => first <= index);
	if (year && parts.date.dataset.first !== `${year.year} ${year.first} ${instants.length}`) {
		const own = instants.slice(year.first, year.first + year.count);
		parts.date.replaceChildren(
			...own.map(({ ms }, offset) => new Option(formatDayOfYear(ms, text.locale), String(year.first + offset))),
		);
		parts.date.dataset.first = `${year.year} ${year.first} ${instants.length}`;
	}
	parts.year.value = String(year?.year);
	parts.date.value = String(index);
	parts.slider.value = String(index);
	parts.slider.setAttribute("aria-valuetext", text.dateWithShare(shownDate.value, validShares[index] ?? null));
}

/** One bar a date, as high as the share of the layer that has data then, and the years below. @param {HTMLCanvasElement} canvas @param {Year[]} years */
function drawBars(canvas, years) {
	const { instants, validShares } = timeDomain.peek();
	const { clientWidth: width, clientHeight: height } = canvas;
	const context = canvas.getContext("2d");
	if (!context || width === 0 || instants.length < 2) return;
	const ratio = window.devicePixelRatio || 1;
	[canvas.width, canvas.height] = [width * ratio, height * ratio];
	context.scale(ratio, ratio);
	const colours = getComputedStyle(canvas);
	const step = (width - 2 * HANDLE_PX) / (instants.length - 1);
	const centre = (/** @type {number} */ index) => HANDLE_PX + index * step;
	const barWidth = Math.max(1, Math.min(8, step * 0.7));
	const barSpace = height - 18;

	context.fillStyle = colours.getPropertyValue("--bar");
	for (const index of instants.keys()) {
		const barHeight = Math.max(2, (validShares[index] ?? 1) * barSpace);
		context.fillRect(centre(index) - barWidth / 2, barSpace - barHeight, barWidth, barHeight);
	}
	context.fillStyle = colours.getPropertyValue("--text-soft");
	context.font = `11px ${colours.fontFamily}`;
	let free = 0;
	for (const { year, first } of years) {
		const x = centre(first);
		if (x < free || x > width - MIN_YEAR_LABEL_PX / 2) continue;
		context.fillRect(x - 0.5, barSpace + 1, 1, 4);
		context.fillText(String(year), x + 3, height - 4);
		free = x + MIN_YEAR_LABEL_PX;
	}
}
