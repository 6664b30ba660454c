/**
 * The date selector: previous and next, year and date, and a strip with one bar a date; only dates that exist.
 */
import { formatDayOfYear, nearestIndex, stepMonths, yearsOf } from "./dates.js";
import { chooseTime, instant, layer, retryTimes, shownDate, timeDomain, timeIndex } from "./state.js";
import { text } from "./text.js";
import { effect } from "./vendor/signals-core.js";

/** Half the width of the slider's handle, in CSS pixels; app.css has the whole. */
const HANDLE_PX = 7;
/** Drawn where the share of data is not known. */
const UNKNOWN_SHARE = 0.5;
const MIN_YEAR_LABEL_PX = 38;

/** @typedef {{ year: number, first: number, count: number }} Year */

/** @typedef {ReturnType<typeof findParts>} Parts */

/** @param {HTMLElement} root */
function findParts(root) {
	/** @template {HTMLElement} T @param {string} name @param {new () => T} type @returns {T} */
	const find = (name, type) => {
		const part = root.querySelector(`[data-part=${name}]`);
		if (!(part instanceof type)) throw new Error(`the date selector has no ${name}`);
		return part;
	};
	return {
		root,
		message: find("message", HTMLElement),
		retry: find("retry", HTMLButtonElement),
		controls: find("controls", HTMLElement),
		previous: find("previous", HTMLButtonElement),
		next: find("next", HTMLButtonElement),
		year: find("year", HTMLSelectElement),
		date: find("date", HTMLSelectElement),
		strip: find("strip", HTMLElement),
		bars: find("bars", HTMLCanvasElement),
		slider: find("slider", HTMLInputElement),
	};
}

/** @param {HTMLElement} root */
export function startTimeline(root) {
	const parts = findParts(root);
	followControls(parts);
	const draw = () => drawBars(parts.bars, yearsOf(timeDomain.peek().instants));
	effect(() => {
		root.hidden = layer.value === null;
		showDomain(parts, timeDomain.value);
		draw();
	});
	effect(() => showTime(parts, timeIndex.value));
	new ResizeObserver(draw).observe(parts.strip);
	window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/** @param {Parts} parts */
function followControls({ previous, next, retry, year, date, slider }) {
	previous.addEventListener("click", () => chooseTime(timeIndex.peek() - 1));
	next.addEventListener("click", () => chooseTime(timeIndex.peek() + 1));
	retry.addEventListener("click", retryTimes);
	date.addEventListener("change", () => chooseTime(Number(date.value)));
	year.addEventListener("change", () => chooseTime(sameTimeOfYear(Number(year.value))));
	slider.addEventListener("input", () => chooseTime(Number(slider.value)));
	slider.addEventListener("keydown", (event) => {
		const months = { PageUp: 1, PageDown: -1 }[event.key];
		if (months === undefined) return;
		event.preventDefault();
		chooseTime(stepMonths(timeDomain.peek().instants, timeIndex.peek(), months));
	});
}

/** @param {Parts} parts @param {import("./state.js").TimeDomain} domain */
function showDomain(parts, { phase, why, instants }) {
	parts.message.textContent = { loading: text.loadingTimes, failed: text.timesFailed(why), ready: text.noDates }[phase];
	parts.message.hidden = phase === "ready" && instants.length > 0;
	parts.retry.hidden = phase !== "failed";
	parts.controls.hidden = instants.length === 0;
	parts.strip.hidden = instants.length < 2;
	parts.slider.max = String(Math.max(0, instants.length - 1));
	parts.year.replaceChildren(...yearsOf(instants).map(({ year }) => new Option(String(year), String(year))));
	parts.date.dataset.year = "";
}

/** Index of a year's date that is nearest in the year to the one shown. @param {number} wanted the year */
function sameTimeOfYear(wanted) {
	const { instants } = timeDomain.peek();
	const { first, count } = /** @type {Year} */ (yearsOf(instants).find(({ year }) => year === wanted));
	const then = new Date(instant.peek()?.ms ?? 0);
	then.setUTCFullYear(wanted);
	return first + nearestIndex(instants.slice(first, first + count), then.getTime());
}

/** @param {Parts} parts @param {number} index */
function showTime(parts, index) {
	const { instants, validShares } = timeDomain.value;
	if (index < 0) return;
	const { year, first, count } = /** @type {Year} */ (yearsOf(instants).findLast((each) => each.first <= index));
	if (parts.date.dataset.year !== String(year)) {
		const names = instants.slice(first, first + count).map(({ ms }) => formatDayOfYear(ms, text.locale));
		parts.date.replaceChildren(...names.map((name, offset) => new Option(name, String(first + offset))));
		parts.date.dataset.year = String(year);
	}
	parts.previous.disabled = index === 0;
	parts.next.disabled = index === instants.length - 1;
	parts.year.value = String(year);
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
		const barHeight = Math.max(2, (validShares[index] ?? UNKNOWN_SHARE) * barSpace);
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
